/* SPDX-License-Identifier: MIT */
/*
 * All units, by several processes. A mutant may end the process that runs it: then that is
 * its harm, told like any other, and another process goes on where the first one was.
 */
#ifndef DENALI_MUTANTS_JOBS_H
#define DENALI_MUTANTS_JOBS_H

#include "testsuite/mutants/work.h"

struct jobs_result {
    struct tally tally;
    uint64_t ended;  /* processes that died while a refused mutant ran: part of refused_harmful */
    uint64_t broken; /* that died otherwise, but of a mutant: faults of this program */
    bool complete;   /* all units were worked on to their end */
};

/* False: the host gave no memory or processes. */
bool jobs_run(const struct options *options, struct jobs_result *result);

#endif
