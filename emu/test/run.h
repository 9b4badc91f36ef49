/* SPDX-License-Identifier: MIT */
/*
 * Runs one test in this process: the guest from its first instruction to its end, everything around
 * it being a script, and then what was expected of it.
 *
 * A runner keeps what tests share (engines with their translations, machines that have booted). One
 * thread uses it.
 */
#ifndef DENALI_TEST_RUN_H
#define DENALI_TEST_RUN_H

#include "emu/test/outcome.h"

struct runner;

MUST_CHECK int runner_create(struct runner **out);
void runner_destroy(struct runner *runner);

/* What is asked of a run beyond its specification. */
struct run_wish {
    const char *engine; /* "interp", "dbt", "lockstep"; NULL: the specification's, or the best */
    const char *image;  /* in the place of the specification's; NULL */
    const char *record; /* a new folder for a recording (of a PC: a file, its state at the end);
                           NULL: none */
    bool real_time;
    bool fresh; /* nothing of an earlier test's machine is used */
    bool alone; /* no other test will run in this process that could use anything of this one's */
    bool check; /* what was expected is looked at; else the outcome is just what happened */
    uint64_t seed;
    bool cover; /* what code runs is collected by the runner */
};

/* What was collected, as cover_write has it. Nothing if nothing was. */
MUST_CHECK int runner_write_coverage(struct runner *runner, const char *folder, unsigned worker,
                                     bool lcov, bool drcov, struct why *why);

/* `outcome` is empty before. Whatever happens is told in it. */
void run_test(struct runner *runner, const struct spec *spec, const struct run_wish *wish,
              struct outcome *outcome);

#endif
