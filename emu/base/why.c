/* SPDX-License-Identifier: MIT */
/* Text of failures. Names in it may come from hostile files, so nothing unprintable passes. */
#include "emu/base/why.h"

#include <stdarg.h>
#include <stdio.h>

int why_fail(struct why *why, int err, const char *fmt, ...)
{
    if (!why)
        return err;
    va_list args;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof(why->text), fmt, args);
    va_end(args);
    for (char *c = why->text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return err;
}
