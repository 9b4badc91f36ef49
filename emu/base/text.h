/* SPDX-License-Identifier: MIT */
/* Text that is made on the heap. */
#ifndef DENALI_TEXT_H
#define DENALI_TEXT_H

#include "emu/base/base.h"

/* As printf says it; the caller frees it. NULL: no memory. */
char *text_format(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
