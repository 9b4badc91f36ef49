/* SPDX-License-Identifier: MIT */
/* A PC as the debugger's target, and a run of it under gdb. */
#ifndef DENALI_TARGET_PC_H
#define DENALI_TARGET_PC_H

#include "devices/pc/machine_pc.h"
#include "emu/base/why.h"

struct target_pc_config {
    struct pc *pc;
    const char *gdb; /* [ADDR:]PORT */
    bool stands;     /* the machine waits for gdb */
    /* Between turns of the machine, with what the last one came back for; the run's exit status, or
     * negative: it goes on. */
    int (*turn)(void *opaque, enum pc_state state);
    void *opaque;
};

/* To the end of the run. 0 and *status, or a negative errno and `why`. */
MUST_CHECK int target_pc_run(const struct target_pc_config *config, int *status, struct why *why);

#endif
