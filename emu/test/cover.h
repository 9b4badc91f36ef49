/* SPDX-License-Identifier: MIT */
/*
 * Coverage of a whole suite. Each worker collects by program (programs lie at the same addresses,
 * so each has an engine of its own) and leaves its parts in a folder; at the end they become one
 * file.
 */
#ifndef DENALI_TEST_COVER_H
#define DENALI_TEST_COVER_H

#include "emu/cli/run/run_files.h"
#include "emu/cpu/engine.h"
#include "emu/test/buffer.h"

struct cover;

MUST_CHECK int cover_create(struct cover **out);
/* After all VMs of its engines. NULL is harmless. */
void cover_destroy(struct cover *cover);
/* The engine for a machine that runs these files: it counts, and tells what it runs. */
MUST_CHECK int cover_engine(struct cover *cover, const struct run_files *files, struct engine **out,
                            struct why *why);
/* Writes FOLDER/lcov-WORKER-N and FOLDER/drcov-WORKER-N. */
MUST_CHECK int cover_write(struct cover *cover, const char *folder, unsigned worker, bool lcov,
                           bool drcov, struct why *why);

/* All parts of the folder whose names begin with "lcov-" or "drcov-" as one file. */
MUST_CHECK int cover_merge_lcov(const char *folder, const char *path, struct why *why);
MUST_CHECK int cover_merge_drcov(const char *folder, const char *path, struct why *why);

/* The whole files of a folder whose names begin so, in the order of names. */
typedef int (*cover_part_fn)(void *opaque, const struct buffer *text);
MUST_CHECK int cover_each_part(const char *folder, const char *begin, cover_part_fn fn,
                               void *opaque);
/* The folder and all in it is gone. */
void cover_remove(const char *folder);

#endif
