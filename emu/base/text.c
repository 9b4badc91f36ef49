/* SPDX-License-Identifier: MIT */
/* Text that is made on the heap. */
#include "emu/base/text.h"

#include <stdarg.h>
#include <stdio.h>

char *text_format(const char *fmt, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&out, fmt, args);
    va_end(args);
    return len < 0 ? NULL : out;
}
