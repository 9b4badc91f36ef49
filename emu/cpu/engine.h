/* SPDX-License-Identifier: MIT */
/*
 * The one contract of the engines: interpreter, translator, lockstep.
 *
 * An engine may serve many processors; one thread runs a given processor at a
 * time. Processors attached with the same `image` key share translations
 * where the engine has any.
 */
#ifndef DENALI_ENGINE_H
#define DENALI_ENGINE_H

#include "emu/cpu/cpu.h"

enum engine_exit {
    ENGINE_EXIT_BUDGET,     /* the budget of instructions is used up */
    ENGINE_EXIT_HALT,       /* HLT in ring 0 (PC machine) */
    ENGINE_EXIT_HYPERCALL,  /* a virtual instruction: cpu->exit.hypercall */
    ENGINE_EXIT_PORT,       /* IN or OUT: cpu->exit.port... */
    ENGINE_EXIT_FAULT,      /* cpu->fault; eip and all registers as before the instruction (CPU_DB
                               by TF: as after it) */
    ENGINE_EXIT_BREAKPOINT, /* a breakpoint at eip, not yet executed */
    ENGINE_EXIT_WATCHPOINT, /* the last instruction touched a watched range: cpu->debug->now.hit */
    ENGINE_EXIT_STOP,       /* engine_stop was called */
    ENGINE_EXIT_DIVERGED,   /* lockstep: the engines differ; engine_report tells where */
    ENGINE_EXIT_SHUTDOWN,   /* a triple fault (PC machine); nothing runs before cpu_reset */
    ENGINE_EXIT_REJECTED,   /* the verifier refused a translation; engine_report tells which */
    ENGINE_EXITS
};

#define ENGINE_UNLIMITED UINT64_MAX

enum engine_kind { ENGINE_INTERP, ENGINE_DBT, ENGINE_LOCKSTEP };

struct engine;

struct engine_counters {
    uint64_t blocks; /* translated */
    uint64_t guest_bytes, host_bytes;
    uint64_t misses;      /* indirect targets looked up by the runtime */
    uint64_t exits;       /* returns to the caller of run() */
    uint64_t interpreted; /* instructions run by the interpreter from translated code */
    uint64_t smc;         /* translations dropped because of a write */
    uint64_t evictions;
    uint64_t signals; /* host faults taken */
    bool counted;     /* cpu->icount is exact: every instruction was counted */
};

struct engine_ops {
    const char *name;
    /* Prepares `cpu`. `image`: key of shared translations, 0 for none. Negative errno. */
    int (*attach)(struct engine *engine, struct cpu *cpu, uint64_t image);
    void (*detach)(struct engine *engine, struct cpu *cpu);
    /*
     * Runs from cpu->eip until something happens. At most `budget` instructions,
     * exactly, unless ENGINE_UNLIMITED. On return the whole state is in *cpu and
     * eip is at an instruction boundary.
     */
    enum engine_exit (*run)(struct engine *engine, struct cpu *cpu, uint64_t budget);
    /* Guest memory [gpa, gpa+len) changed or is about to: no stale translation runs afterwards. */
    void (*forget)(struct engine *engine, struct cpu *cpu, gpa_t gpa, uint64_t len);
    /* Outside run(), by its thread: cpu->debug has come or gone (len 0), or whether there is a
     * breakpoint in [linear, linear+len). */
    void (*debug)(struct engine *engine, struct cpu *cpu, uint32_t linear, uint32_t len);
    /* From any thread or a signal handler: run() of cpu returns ENGINE_EXIT_STOP soon (or at once
     * when next called). */
    void (*stop)(struct engine *engine, struct cpu *cpu);
    void (*counters)(const struct engine *engine, struct engine_counters *out);
    /* After DIVERGED, REJECTED: both states and the block's guest and host code, as text, to `out`
     * (a FILE
     * *). */
    void (*report)(struct engine *engine, struct cpu *cpu, void *out);
    void (*destroy)(struct engine *engine);
};

/* The engines are structs that begin with this. */
struct engine {
    const struct engine_ops *ops;
};

/*
 * Told of code when it is about to run for the first time (or again, after it was dropped): a basic
 * block, whose instructions all run unless one faults; and of ways from the end of one block
 * to the start of another. From any thread that runs a processor, one call at a time.
 */
struct engine_coverage {
    void (*block)(struct engine_coverage *coverage, uint32_t eip, uint32_t len);
    void (*edge)(struct engine_coverage *coverage, uint32_t end, uint32_t to);
};

struct engine_options {
    uint64_t cache_bytes; /* code cache; 0: default */
    bool verify;          /* every translation is verified before it may run */
    bool count;           /* icount is exact in the translator too */
    bool exact; /* the translator's only: of a PC, the ends of budgets are translated, too */
    struct engine_coverage *coverage; /* the translator's only; NULL */
    bool hits; /* the translator's only: translated code counts where it comes by (dbt_hits) */
};

/* Constructors. The translator's and lockstep's are in dbt/dbt.h. */
MUST_CHECK int interp_create(struct engine **out);

static inline enum engine_exit engine_run(struct cpu *cpu, uint64_t budget)
{
    return cpu->engine->ops->run(cpu->engine, cpu, budget);
}

static inline void engine_stop(struct cpu *cpu)
{
    cpu->engine->ops->stop(cpu->engine, cpu);
}

#endif
