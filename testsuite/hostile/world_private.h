/* SPDX-License-Identifier: MIT */
#ifndef HOSTILE_WORLD_PRIVATE_H
#define HOSTILE_WORLD_PRIVATE_H

#include "testsuite/hostile/hostile.h"

MUST_CHECK int hostile_console_init(struct hostile_console *c);
/* A key; forgets what was written. */
void hostile_console_type(struct hostile_console *c);
void hostile_console_read(struct hostile_console *c, char text[HOSTILE_TEXT + 1]);

/* Threads that are there now are known from now on; new ones are watched if `open_new`. */
void hostile_waits_look(struct hostile_waits *waits, bool open_new);
void hostile_waits_open_self(struct hostile_waits *waits); /* the main thread */
uint64_t hostile_waits_ns(const struct hostile_waits *waits);
void hostile_waits_fini(struct hostile_waits *waits);

#endif
