/* SPDX-License-Identifier: MIT */
/*
 * One unit of the work: one program, its blocks plain or counting. What a unit comes to
 * depends on the seed and the unit alone, so units may be worked on in any order, by any
 * number of processes (jobs.h).
 */
#ifndef DENALI_MUTANTS_WORK_H
#define DENALI_MUTANTS_WORK_H

#include "testsuite/mutants/guard.h"
#include "testsuite/mutants/mutate.h"

#include <stdatomic.h>

struct options {
    bool mutate;
    uint64_t count, seed;
    unsigned jobs;
    char **program;
    unsigned programs;
};

/* Sums, all of them: work_add adds them field by field. */
struct tally {
    uint64_t blocks, guest_bytes, host_bytes, false_rejections;
    uint64_t translate_ns, verify_ns;
    uint64_t mutants, refused, survived, harmful;
    uint64_t refused_run, refused_harmful;
    uint64_t runs, steps, left, faulted, endless;
    uint64_t made[MUTATE_KINDS], lived[MUTATE_KINDS];
};

enum work_doing { WORK_PREPARES, WORK_RUNS_SURVIVOR, WORK_RUNS_REFUSED };

#define WORK_CODE 64u

/* Of one process, in memory that its parent sees: what it has done stays when it dies of it. */
struct work_record {
    struct tally tally;
    unsigned unit;         /* that it is at */
    uint64_t done;         /* of this unit: mutants, or blocks tried */
    enum work_doing doing; /* when it died: */
    enum mutate_kind kind;
    uint32_t eip, at, len;   /* guest address; where the damage is in the code; bytes kept */
    uint8_t code[WORK_CODE]; /* from `at` on */
};

unsigned work_units(const struct options *options);

/* Goes on with record->unit from where record->done says; `attempt` is how often that unit has
 * ended its process. False, with a message: the program cannot be read. */
bool work_unit(const struct options *options, struct work_record *record, unsigned attempt);

/* Whether there is a verifier; and what the harness needs. */
bool work_begin(void);

void work_add(struct tally *sum, const struct tally *more);

#endif
