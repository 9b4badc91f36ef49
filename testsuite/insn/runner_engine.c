/* SPDX-License-Identifier: MIT */
/* Cases on one of the engines, through engine.h, in a flat machine laid out as case.h says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "emu/base/host.h"
#include "testsuite/insn/runner.h"

_Static_assert(sizeof(struct insn_fpu) == sizeof(struct cpu_fpu), "both are FXSAVE images");

/* Generous: a program of the fuzzer runs some thousand instructions. */
#define BUDGET 1000000u

/* The flat machine's words. Not page 0, which is as absent here as in the native process. */
#define FLAT_PAGE 0x00640000u

static const struct cpu_flat flat = {
    .fs_base = FLAT_PAGE + 0x00,
    .gs_base = FLAT_PAGE + 0x04,
    .trap_entry = FLAT_PAGE + 0x08,
    .trap_eip = FLAT_PAGE + 0x0C,
    .trap_number = FLAT_PAGE + 0x10,
    .trap_enabled = FLAT_PAGE + 0x14,
    .intr_enabled = FLAT_PAGE + 0x18,
    .pending = FLAT_PAGE + 0x1C,
    .trapret_code = 62,
    .resume_code = 63,
};

struct on_engine {
    struct runner runner;
    struct engine *engine;
    struct ram *ram;
    struct cpu *cpu;
    bool attached;
    bool slices;
    uint32_t slice;            /* of chance */
    runner_observe_fn observe; /* NULL: runs at full speed */
    void *opaque;
};

static int write_memory(struct on_engine *e, const struct insn_case *c)
{
    uint8_t page[INSN_DATA_BYTES] = {0};
    _Static_assert(INSN_CODE_BYTES <= INSN_DATA_BYTES, "the buffer serves both");
    int err = ram_write(e->ram, INSN_FIXED, page, INSN_PAGE);
    insn_fill(page, c->data_seed);
    memcpy(page + c->patch_at, c->patch, c->patch_len);
    if (!err)
        err = ram_write(e->ram, INSN_DATA, page, INSN_DATA_BYTES);
    memset(page, 0xCC, INSN_CODE_BYTES);
    memcpy(page + c->code_at, c->code, c->code_len);
    return err ? err : ram_write(e->ram, INSN_CODE, page, INSN_CODE_BYTES);
}

static void load_state(struct cpu *cpu, const struct insn_state *s)
{
    memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
    cpu->eip = s->eip;
    cpu->eflags = s->eflags;
    memcpy(&cpu->fpu, &s->fpu, sizeof(cpu->fpu));
    cpu->fpu.mxcsr_mask = 0xFFFF;
}

static int store_outcome(struct on_engine *e, enum engine_exit exit, struct insn_outcome *o)
{
    const struct cpu *cpu = e->cpu;
    bool fault = exit == ENGINE_EXIT_FAULT;
    memcpy(o->state.gpr, cpu->gpr, sizeof(cpu->gpr));
    o->state.eip = cpu->eip;
    o->state.eflags = cpu->eflags;
    memcpy(&o->state.fpu, &cpu->fpu, sizeof(cpu->fpu));
    o->vector = fault ? cpu->fault.vector : INSN_NO_END + exit;
    o->error = fault && cpu->fault.has_error ? cpu->fault.error : 0;
    o->address = fault && cpu->fault.vector == CPU_PF ? cpu->fault.address : 0;
    return ram_read(e->ram, INSN_DATA, o->data, INSN_DATA_BYTES);
}

static void observe_next(struct on_engine *e)
{
    uint8_t bytes[ISA_MAX_LENGTH];
    struct isa_insn insn;
    if (ram_read(e->ram, e->cpu->eip, bytes, sizeof(bytes)) == 0 &&
        isa_decode(bytes, sizeof(bytes), true, &insn) == ISA_OK)
        e->observe(e->opaque, &insn);
}

/* Budgets of 1 to 32 instructions. */
static enum engine_exit run_slices(struct on_engine *e)
{
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    for (unsigned n = 0; n < BUDGET && exit == ENGINE_EXIT_BUDGET; n++) {
        e->slice = e->slice * 1664525u + 1013904223u;
        exit = engine_run(e->cpu, 1 + (e->slice >> 27));
    }
    return exit;
}

static enum engine_exit run_case(struct on_engine *e, const struct insn_case *c)
{
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    if (c->budget)
        return engine_run(e->cpu, c->budget);
    if (e->slices)
        return run_slices(e);
    if (!e->observe)
        return engine_run(e->cpu, BUDGET);
    for (unsigned n = 0; n < BUDGET && exit == ENGINE_EXIT_BUDGET; n++) {
        observe_next(e);
        exit = engine_run(e->cpu, 1);
    }
    return exit;
}

static int engine_run_cases(struct runner *runner, const struct insn_case *cases, unsigned count,
                            struct insn_outcome *outcomes)
{
    struct on_engine *e = (struct on_engine *)runner;
    for (unsigned i = 0; i < count; i++) {
        int err = write_memory(e, &cases[i]);
        if (err)
            return err;
        load_state(e->cpu, &cases[i].state);
        enum engine_exit exit = run_case(e, &cases[i]);
        if (exit == ENGINE_EXIT_DIVERGED)
            e->engine->ops->report(e->engine, e->cpu, stderr);
        err = store_outcome(e, exit, &outcomes[i]);
        if (err)
            return err;
    }
    return 0;
}

static void engine_runner_destroy(struct runner *runner)
{
    struct on_engine *e = (struct on_engine *)runner;
    if (e->attached)
        e->engine->ops->detach(e->engine, e->cpu);
    if (e->engine)
        e->engine->ops->destroy(e->engine);
    if (e->ram)
        ram_destroy(e->ram);
    free(e);
}

static int make_engine(const char *name, struct engine **out)
{
    struct engine_options options = {.verify = true};
    if (!strcmp(name, "dbt") || !strcmp(name, "slices"))
        return dbt_create(&options, out);
    if (!strcmp(name, "lockstep"))
        return lockstep_create(&options, out);
    return interp_create(out);
}

static int make_machine(struct on_engine *e)
{
    const uint32_t bases[2] = {INSN_FS_BASE, INSN_GS_BASE};
    int err = ram_create(INSN_MEM_BYTES, &e->ram);
    if (!err)
        err = ram_write(e->ram, FLAT_PAGE, bases, sizeof(bases));
    if (!err)
        err = ram_set_access(e->ram, 0, INSN_MEM_BYTES, HOST_NONE);
    if (!err)
        err = ram_set_access(e->ram, FLAT_PAGE, PAGE_SIZE, HOST_R | HOST_W);
    if (!err)
        err = ram_set_access(e->ram, INSN_CODE, INSN_CODE_BYTES, HOST_R | HOST_W);
    if (!err)
        err = ram_set_access(e->ram, INSN_DATA - INSN_PAGE, INSN_PAGE, HOST_R);
    if (!err)
        err = ram_set_access(e->ram, INSN_DATA, INSN_DATA_BYTES, HOST_R | HOST_W);
    if (!err)
        err = ram_set_access(e->ram, INSN_FIXED, INSN_PAGE, HOST_R | HOST_W);
    return err;
}

struct runner *runner_engine_create(const char *name)
{
    struct on_engine *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->runner = (struct runner){name, engine_run_cases, engine_runner_destroy};
    e->slices = !strcmp(name, "slices");
    int err = make_engine(name, &e->engine);
    if (!err)
        err = make_machine(e);
    if (!err) {
        e->cpu = cpu_init_flat(e->ram, &flat);
        e->cpu->engine = e->engine;
        err = e->engine->ops->attach(e->engine, e->cpu, 0);
        e->attached = !err;
    }
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
