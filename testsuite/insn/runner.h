/* SPDX-License-Identifier: MIT */
/*
 * A runner executes cases. All of them are given the same and must come back
 * with the same.
 */
#ifndef DENALI_INSN_RUNNER_H
#define DENALI_INSN_RUNNER_H

#include <stdbool.h>

#include "emu/isa/isa.h"
#include "testsuite/insn/case.h"

struct runner {
    const char *name;
    /* Runs count (at most INSN_BATCH) cases; negative errno if the runner itself failed. */
    int (*run)(struct runner *runner, const struct insn_case *cases, unsigned count,
               struct insn_outcome *outcomes);
    void (*destroy)(struct runner *runner);
    bool is_pc; /* knows no budgets; rows that ABI.md defines are others there */
};

/* The host's CPU through the 32-bit process `helper`. NULL: it cannot be started. */
struct runner *runner_native_create(const char *helper);

/*
 * An engine: "interp", "dbt" or "lockstep"; "slices" is dbt that comes back after small
 * budgets, "tight" is dbt that must always evict. NULL: the host has none such.
 */
struct runner *runner_engine_create(const char *name);

/* The same in ring 3 of a PC: "pc" the interpreter, "pcdbt", "pclockstep"; see runner_pc.c. */
struct runner *runner_pc_create(const char *name);

/* Machines that share the translator's work, on threads; see runner_shared.c. */
struct runner *runner_shared_create(void);

/*
 * The interpreter, one instruction at a time; each is shown to `observe` before
 * it runs.
 */
typedef void (*runner_observe_fn)(void *opaque, const struct isa_insn *insn);
struct runner *runner_step_create(runner_observe_fn observe, void *opaque);

#endif
