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
    const char *image;  /* an older one (--against); NULL: the specification's */
    char *name;
    struct outcome first; /* of the first run */
    unsigned runs, wanted;
    bool flaky, done, over; /* all its runs are done; it can be told */
};

struct tester {
    const struct test_options *options;
    struct suite suite;
    struct tester_case *cases;
    unsigned variants;    /* cases of each test, beside each other */
    unsigned count, told; /* how many were told to the reporters */
    struct reporter report[TEST_MAX_FORMATS];
    unsigned reports;
    struct report_total total;
    uint64_t began_ns;
    int signals; /* of host_signals_open */
    bool interrupted;
    char *parts; /* the folder of the parts of the coverage; NULL: none is wanted */
    struct arena arena;
    struct why why;
};

/* A job is one run of a case: run 0 of all cases first, then run 1, ... */
static inline struct tester_case *tester_case_of(struct tester *t, unsigned job)
{
    return &t->cases[job % t->count];
}

/* tester_job.c: in a worker. */
void tester_do_job(void *opaque, struct runner *runner, unsigned job, struct outcome *outcome);
void tester_leave(void *opaque, struct runner *runner, unsigned worker);
uint64_t tester_job_limit(void *opaque, unsigned job);

/* tester_done.c: back in the parent. */
/* tester_bless.c: goldens that differ, and nothing else, become what came. */
void tester_bless(struct tester *t, struct tester_case *c);

/* tester_agree.c: a case against the first of its test. */
void tester_agree(struct tester *t, struct tester_case *c);

bool tester_job_done(void *opaque, unsigned job, struct outcome *outcome);

#endif
