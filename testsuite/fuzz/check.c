/* SPDX-License-Identifier: MIT */
/* The two functions that ck_assert needs, so that targets can use the rigs of unit tests, which
 * Check itself lets nobody call outside of a test. */
#include "testsuite/fuzz/fuzz.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void _mark_point(const char *file, int line)
{
    (void)file, (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
    va_list args;
    va_start(args, msg);
    fprintf(stderr, "%s:%d: %s: ", file, line, expr);
    if (msg)
        vfprintf(stderr, msg, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}
