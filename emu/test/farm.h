/* SPDX-License-Identifier: MIT */
/*
 * Jobs in worker processes. A worker does one job after the other; if one kills it, or does not
 * come to its end, the job's outcome says so and a new worker takes its place. So no guest takes
 * the runner down, and no test sees what another left.
 */
#ifndef DENALI_TEST_FARM_H
#define DENALI_TEST_FARM_H

#include "emu/test/run.h"

struct farm_config {
    unsigned jobs, workers;
    /* In a worker: does the job. */
    void (*run)(void *opaque, struct runner *runner, unsigned job, struct outcome *outcome);
    /* In a worker, at its end: nothing more will be run there. May be NULL. */
    void (*leave)(void *opaque, struct runner *runner, unsigned worker);
    /* How long a job may take at most; then its worker is ended. */
    uint64_t (*limit_ns)(void *opaque, unsigned job);
    /* Here, in the order in which they end; the outcome is taken over. False: no further job is
     * begun. */
    bool (*done)(void *opaque, unsigned job, struct outcome *outcome);
    /* Here, now and then. False: all is to end now. May be NULL. */
    bool (*tick)(void *opaque);
    void *opaque;
};

/* Until all jobs that were begun are done. */
MUST_CHECK int farm_run(const struct farm_config *config, struct why *why);

#endif
