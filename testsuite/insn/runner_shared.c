/* SPDX-License-Identifier: MIT */
/*
 * Cases on machines that share translations: for each case three new machines
 * of one image run it at the same time, each on a thread of its own, one of
 * them in slices, one of them stopped again and again from yet another thread. Where the program
 * modifies its code, each must see only its own change. All must come to the same end; if not, the
 * vector says so.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "testsuite/insn/machine.h"
#include "testsuite/insn/runner.h"

#define MACHINES 3u

struct shared {
    struct runner runner;
    struct engine *engine;
    uint64_t image; /* a new key for each case */
};

struct job {
    struct machine machine;
    struct insn_outcome outcome;
    uint32_t budget;
    bool slices, pestered;
    atomic_bool done;
    pthread_t thread, pest;
    int err;
};

static void *pester(void *opaque)
{
    struct job *job = opaque;
    while (!atomic_load(&job->done)) {
        engine_stop(job->machine.cpu);
        sched_yield();
    }
    return NULL;
}

/* A stop takes nothing from the state: running on gets to the same end. */
static enum engine_exit run_pestered(struct job *job)
{
    enum engine_exit exit = ENGINE_EXIT_STOP;
    job->err = -pthread_create(&job->pest, NULL, pester, job);
    while (!job->err && exit == ENGINE_EXIT_STOP)
        exit = engine_run(job->machine.cpu, MACHINE_BUDGET);
    atomic_store(&job->done, true);
    if (!job->err)
        pthread_join(job->pest, NULL);
    return exit;
}

static enum engine_exit job_go(struct job *job)
{
    uint32_t seed = 12345;
    if (job->budget)
        return engine_run(job->machine.cpu, job->budget);
    if (job->slices)
        return machine_run_slices(&job->machine, &seed);
    return job->pestered ? run_pestered(job) : engine_run(job->machine.cpu, MACHINE_BUDGET);
}

static void *job_run(void *opaque)
{
    struct job *job = opaque;
    enum engine_exit exit = job_go(job);
    if (!job->err)
        job->err = machine_store(&job->machine, exit, &job->outcome);
    return NULL;
}

static int job_prepare(struct shared *s, struct job *job, const struct insn_case *c)
{
    job->budget = c->budget;
    int err = machine_create(&job->machine);
    if (!err)
        err = machine_load(&job->machine, c);
    return err ? err : machine_attach(&job->machine, s->engine, s->image);
}

static int run_jobs(struct job *jobs)
{
    int err = 0;
    unsigned started = 0;
    for (; started < MACHINES && !err; started++)
        err = -pthread_create(&jobs[started].thread, NULL, job_run, &jobs[started]);
    for (unsigned i = 0; i < started - (err ? 1u : 0u); i++) {
        pthread_join(jobs[i].thread, NULL);
        if (!err)
            err = jobs[i].err;
    }
    return err;
}

/* The pointers that x87 instructions leave are not compared, as everywhere. */
static bool same_end(const struct insn_outcome *a, const struct insn_outcome *b)
{
    return a->vector == b->vector && a->state.eip == b->state.eip &&
           !memcmp(a->state.gpr, b->state.gpr, sizeof(a->state.gpr)) &&
           !memcmp(a->data, b->data, sizeof(a->data));
}

static int run_one(struct shared *s, const struct insn_case *c, struct insn_outcome *out)
{
    struct job *jobs = calloc(MACHINES, sizeof(*jobs));
    int err = jobs ? 0 : -ENOMEM;
    s->image++;
    for (unsigned i = 0; i < MACHINES && !err; i++) {
        jobs[i].slices = i == 1;
        jobs[i].pestered = i == 2;
        err = job_prepare(s, &jobs[i], c);
    }
    if (!err)
        err = run_jobs(jobs);
    if (!err)
        *out = jobs[0].outcome;
    for (unsigned i = 1; i < MACHINES && !err; i++)
        if (!same_end(out, &jobs[i].outcome)) {
            *out = jobs[i].outcome;
            out->vector |= INSN_APART;
        }
    for (unsigned i = 0; i < MACHINES && jobs; i++)
        machine_destroy(&jobs[i].machine);
    free(jobs);
    return err;
}

static int shared_run(struct runner *runner, const struct insn_case *cases, unsigned count,
                      struct insn_outcome *outcomes)
{
    int err = 0;
    for (unsigned i = 0; i < count && !err; i++)
        err = run_one((struct shared *)runner, &cases[i], &outcomes[i]);
    return err;
}

static void shared_destroy(struct runner *runner)
{
    struct shared *s = (struct shared *)runner;
    if (s->engine)
        s->engine->ops->destroy(s->engine);
    free(s);
}

struct runner *runner_shared_create(void)
{
    struct engine_options options = {.cache_bytes = 1}; /* so little that they evict, too */
    struct shared *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->runner = (struct runner){.name = "shared", .run = shared_run, .destroy = shared_destroy};
    if (dbt_create(&options, &s->engine) == 0)
        return &s->runner;
    free(s);
    return NULL;
}
