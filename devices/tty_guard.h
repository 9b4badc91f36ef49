/* SPDX-License-Identifier: MIT */
/*
 * A small process that gives a terminal back if this program dies without
 * doing so itself (killed, or by a bug): it waits for our end of a pipe to close.
 */
#ifndef DENALI_TTY_GUARD_H
#define DENALI_TTY_GUARD_H

#include "emu/base/base.h"

#include <termios.h>

struct tty_guard;

/* Guards the terminal on descriptor 0, whose settings were `found`. Negative errno. */
MUST_CHECK int tty_guard_start(const struct termios *found, struct tty_guard **out);

/* The terminal has been given back; NULL is harmless. */
void tty_guard_end(struct tty_guard *guard);

#endif
