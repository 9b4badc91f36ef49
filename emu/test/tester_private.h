/* SPDX-License-Identifier: MIT */
/* What the files of the tester share. */
#ifndef DENALI_TEST_TESTER_PRIVATE_H
#define DENALI_TEST_TESTER_PRIVATE_H

#include "emu/test/farm.h"
#include "emu/test/report.h"
#include "emu/test/suite.h"
#include "emu/test/tester.h"

/* A test under one engine. */
struct tester_case {
    const struct spec *spec;
    const char *engine; /* NULL: the specification's */
    char *name;
    struct outcome first; /* of the first run */
    unsigned runs, wanted;
    bool flaky, over; /* all its runs are done */
};

struct tester {
    const struct test_options *options;
    struct suite suite;
    struct tester_case *cases;
    unsigned count, told; /* how many were told to the reporters */
    struct reporter report[TEST_MAX_FORMATS];
    unsigned reports;
    struct report_total total;
    uint64_t began_ns;
    int signals; /* of host_signals_open */
    bool interrupted;
    struct why why;
};

/* A job is one run of a case: run 0 of all cases first, then run 1, ... */
static inline struct tester_case *tester_case_of(struct tester *t, unsigned job)
{
    return &t->cases[job % t->count];
}

/* tester_job.c: in a worker. */
void tester_do_job(void *opaque, struct runner *runner, unsigned job, struct outcome *outcome);
uint64_t tester_job_limit(void *opaque, unsigned job);

/* tester_done.c: back in the parent. */
bool tester_job_done(void *opaque, unsigned job, struct outcome *outcome);

#endif
