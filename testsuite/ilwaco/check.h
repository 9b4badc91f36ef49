/* SPDX-License-Identifier: MIT */
/*
 * For programs that run natively and under Ilwaco and must say the same: what
 * they print is compared byte for byte, so it holds no addresses, no times and
 * no numbers that differ from run to run.
 */
#ifndef ILWACO_CHECK_H
#define ILWACO_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An expression, its value, and what errno it left if it is -1. */
#define SHOW(expr)                                                                                 \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long long v_ = (long long)(expr);                                                          \
        printf("%s: %s = %lld%s%s\n", __func__, #expr, v_, v_ == -1 ? " " : "",                    \
               v_ == -1 ? strerrorname_np(errno) : "");                                            \
    } while (0)

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        if (!(expr)) {                                                                             \
            printf("%s:%d: %s does not hold (errno %d)\n", __FILE__, __LINE__, #expr, errno);      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#endif
