/* SPDX-License-Identifier: MIT */
/* --trace and --coverage of a VM or a PC: from the options to the files. */
#ifndef DENALI_CLI_OBSERVE_H
#define DENALI_CLI_OBSERVE_H

#include "denali/trace.h"
#include "emu/cpu/engine.h"
#include "emu/debug/target.h"

#define OBSERVE_MAX_TRACES 16

struct observe_options {
    const char *drcov, *lcov; /* files of --coverage; NULL: not said */
    struct trace_spec trace[OBSERVE_MAX_TRACES];
    unsigned traces;
};

/* The value of one --coverage, of one --trace. -EINVAL and `why`. */
MUST_CHECK int observe_take_coverage(struct observe_options *o, const char *value, struct why *why);
MUST_CHECK int observe_take_trace(struct observe_options *o, const char *value, struct why *why);
static inline bool observe_wants_coverage(const struct observe_options *o)
{
    return o->drcov || o->lcov;
}
/* Does a trace look at each instruction? Then the interpreter is the faster engine. */
bool observe_steps(const struct observe_options *o);

struct observe;

/* Before the engine is made. *out is NULL where nothing is wanted. `options` stay. */
MUST_CHECK int observe_create(struct observe_options *options, struct observe **out,
                              struct why *why);
/* For the engine; NULL: no coverage is wanted. */
struct engine_coverage *observe_coverage(struct observe *observe);
/* Before the machine runs: opens what will be written. `files`: those whose code it runs; they
 * stay. *out: what the machine tells; NULL: no trace is wanted. */
MUST_CHECK int observe_open(struct observe *observe, const struct target_file *files,
                            unsigned count, struct trace **out, struct why *why);
/* It runs no more, and tells nothing more: the files are written. What cannot be written is told on
 * stderr. */
void observe_finish(struct observe *observe);
/* After the engine. NULL is harmless. */
void observe_destroy(struct observe *observe);

#endif
