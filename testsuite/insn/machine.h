/* SPDX-License-Identifier: MIT */
/* A flat machine laid out as case.h says, on some engine. */
#ifndef DENALI_INSN_MACHINE_H
#define DENALI_INSN_MACHINE_H

#include "emu/cpu/engine.h"
#include "testsuite/insn/case.h"

struct machine {
    struct engine *engine;
    struct ram *ram;
    struct cpu *cpu;
    bool attached;
};

/* Memory and processor, not yet on an engine. Negative errno; destroy it even then. */
int machine_create(struct machine *m);

/* Puts it on an engine; `image` as in engine.h. */
int machine_attach(struct machine *m, struct engine *engine, uint64_t image);

/* Takes it from its engine and frees it; the engine stays. */
void machine_destroy(struct machine *m);

/* Memory and registers as the case has them. */
int machine_load(struct machine *m, const struct insn_case *c);

/* The state after `exit`. */
int machine_store(const struct machine *m, enum engine_exit exit, struct insn_outcome *o);

/* Generous: a program of the fuzzer runs some thousand instructions. */
#define MACHINE_BUDGET 1000000u

/* Runs in slices of 1 to 32 instructions, by chance from *seed. */
enum engine_exit machine_run_slices(struct machine *m, uint32_t *seed);

#endif
