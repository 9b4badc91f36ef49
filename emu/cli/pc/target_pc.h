/* SPDX-License-Identifier: MIT */
/* A PC as the debugger's target. */
#ifndef DENALI_TARGET_PC_H
#define DENALI_TARGET_PC_H

#include "devices/pc/machine_pc.h"
#include "emu/base/why.h"
#include "emu/debug/target.h"

struct target_pc;

struct target_pc_config {
    struct pc *pc;
    struct pc_record *record; /* of the machine: it can be gone back in. NULL: it cannot */
    const char *kernel;       /* its file, for symbols if it is an ELF file; NULL: none */
    /* Between turns of the machine, with what the last one came back for; the run's exit status, or
     * negative: it goes on. */
    int (*turn)(void *opaque, enum pc_state state);
    void *opaque;
};

/* It stands at its next instruction. `config` is copied; the machine outlives it. -ENOMEM. */
MUST_CHECK int target_pc_create(const struct target_pc_config *config, struct target_pc **out);
/* NULL is harmless. */
void target_pc_destroy(struct target_pc *t);
struct target *target_pc_target(struct target_pc *t);
/* The run's exit status; negative: it has not ended. */
int target_pc_status(const struct target_pc *t);

#endif
