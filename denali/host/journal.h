/* SPDX-License-Identifier: MIT */
/*
 * What the daemon must not forget: a file of lines, each a JSON object behind
 * its CRC-32. A line counts once it is whole; what a crash cut off was never
 * acknowledged. When most lines are about what is gone the file is written anew
 * and takes the old one's place at once.
 */
#ifndef DENALI_HOST_JOURNAL_H
#define DENALI_HOST_JOURNAL_H

#include "emu/base/base.h"
#include "emu/base/why.h"

#include <jansson.h>

struct journal;

/* Opens, or begins, and gives every whole line to `line` in order. Negative errno and `why`. */
MUST_CHECK int journal_open(const char *path, void (*line)(void *opaque, json_t *object),
                            void *opaque, struct journal **out, struct why *why);
void journal_close(struct journal *journal);

/* Adds a line; it is safe when journal_sync has returned 0. Negative errno: the file is as it was
 * before. */
MUST_CHECK int journal_add(struct journal *journal, const json_t *object);
MUST_CHECK int journal_sync(struct journal *journal);
size_t journal_lines(const struct journal *journal);

/* Replaces the file: `next` gives the objects that count, one a call (new references), then
 * NULL. */
MUST_CHECK int journal_rewrite(struct journal *journal, json_t *(*next)(void *opaque),
                               void *opaque);

#endif
