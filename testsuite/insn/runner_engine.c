/* SPDX-License-Identifier: MIT */
/* Cases on one of the engines, through engine.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "testsuite/insn/machine.h"
#include "testsuite/insn/runner.h"

struct on_engine {
    struct runner runner;
    struct engine *engine;
    struct machine machine;
    bool slices;
    uint32_t slice;            /* of chance */
    runner_observe_fn observe; /* NULL: runs at full speed */
    void *opaque;
};

static void observe_next(struct on_engine *e)
{
    const struct machine *m = &e->machine;
    uint8_t bytes[ISA_MAX_LENGTH];
    struct isa_insn insn;
    if (ram_read(m->ram, m->cpu->eip, bytes, sizeof(bytes)) == 0 &&
        isa_decode(bytes, sizeof(bytes), true, &insn) == ISA_OK)
        e->observe(e->opaque, &insn);
}

static enum engine_exit run_steps(struct on_engine *e)
{
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    for (unsigned n = 0; n < MACHINE_BUDGET && exit == ENGINE_EXIT_BUDGET; n++) {
        observe_next(e);
        exit = engine_run(e->machine.cpu, 1);
    }
    return exit;
}

static enum engine_exit run_case(struct on_engine *e, const struct insn_case *c)
{
    if (c->budget)
        return engine_run(e->machine.cpu, c->budget);
    if (e->slices)
        return machine_run_slices(&e->machine, &e->slice);
    return e->observe ? run_steps(e) : engine_run(e->machine.cpu, MACHINE_BUDGET);
}

static int engine_run_cases(struct runner *runner, const struct insn_case *cases, unsigned count,
                            struct insn_outcome *outcomes)
{
    struct on_engine *e = (struct on_engine *)runner;
    int err = 0;
    for (unsigned i = 0; i < count && !err; i++) {
        err = machine_load(&e->machine, &cases[i]);
        if (err)
            break;
        enum engine_exit exit = run_case(e, &cases[i]);
        if (exit == ENGINE_EXIT_DIVERGED)
            e->engine->ops->report(e->engine, e->machine.cpu, stderr);
        err = machine_store(&e->machine, exit, &outcomes[i]);
    }
    return err;
}

static void engine_runner_destroy(struct runner *runner)
{
    struct on_engine *e = (struct on_engine *)runner;
    machine_destroy(&e->machine);
    if (e->engine)
        e->engine->ops->destroy(e->engine);
    free(e);
}

static int make_engine(const char *name, struct engine **out)
{
    struct engine_options options = {.verify = true};
    if (!strcmp(name, "tight"))
        options.cache_bytes = 1; /* the least there can be */
    if (!strcmp(name, "dbt") || !strcmp(name, "slices") || !strcmp(name, "tight"))
        return dbt_create(&options, out);
    if (!strcmp(name, "lockstep"))
        return lockstep_create(&options, out);
    return interp_create(out);
}

struct runner *runner_engine_create(const char *name)
{
    struct on_engine *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->runner =
        (struct runner){.name = name, .run = engine_run_cases, .destroy = engine_runner_destroy};
    e->slices = !strcmp(name, "slices");
    int err = make_engine(name, &e->engine);
    if (!err)
        err = machine_create(&e->machine);
    if (!err)
        err = machine_attach(&e->machine, e->engine, 0);
    if (!err)
        return &e->runner;
    engine_runner_destroy(&e->runner);
    return NULL;
}

struct runner *runner_step_create(runner_observe_fn observe, void *opaque)
{
    struct runner *runner = runner_engine_create("interp");
    struct on_engine *e = (struct on_engine *)runner;
    if (!e)
        return NULL;
    runner->name = "step";
    e->observe = observe;
    e->opaque = opaque;
    return runner;
}
