/* SPDX-License-Identifier: MIT */
/* --trace and --coverage: from the options to the files. */
#ifndef DENALI_RUN_OBSERVE_H
#define DENALI_RUN_OBSERVE_H

#include "emu/cli/run/run_files.h"
#include "emu/cli/run/run_options.h"

struct run_observe;

/* Before the engine is made: tells the options what it is to do. NULL in *out: nothing is wanted.
 */
MUST_CHECK int run_observe_create(struct run_options *options, struct run_observe **out,
                                  struct why *why);
/* The VM is made, and does not run yet. `files`: those whose code it runs; they stay. */
MUST_CHECK int run_observe_attach(struct run_observe *observe, struct vm *vm,
                                  const struct run_files *files, struct why *why);
/* It runs no more: the files are written. What cannot be written is told on stderr. */
void run_observe_finish(struct run_observe *observe);
/* After the engine. NULL is harmless. */
void run_observe_destroy(struct run_observe *observe);

#endif
