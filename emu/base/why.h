/* SPDX-License-Identifier: MIT */
/*
 * One line on why something failed, for the person at the terminal: what, and
 * what to do about it. Functions that can fail for a reason worth telling take
 * a struct why beside returning a negative errno.
 */
#ifndef DENALI_WHY_H
#define DENALI_WHY_H

#include "emu/base/base.h"

struct why {
    char text[320]; /* no newline at the end */
};

/* Sets the text (NULL `why`: nobody asks) and returns `err`, so that `return why_fail(...)` reads
 * well. Control characters, which may come from a hostile file, become '?'. */
int why_fail(struct why *why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
