/* SPDX-License-Identifier: MIT */
/* The snapshots that a debugging session keeps of a PC, by their names. */
#ifndef DENALI_TARGET_PC_SNAPSHOTS_H
#define DENALI_TARGET_PC_SNAPSHOTS_H

#include "devices/pc/machine_pc.h"
#include "emu/debug/target.h"

struct target_pc_snapshots;

MUST_CHECK int target_pc_snapshots_create(struct pc *pc, struct target_pc_snapshots **out);
/* NULL is harmless. */
void target_pc_snapshots_destroy(struct target_pc_snapshots *s);

/* For the target of target_pc_snapshots_of. */
extern const struct target_history_ops target_pc_only_snapshots;
/* target_pc.c's: the snapshots of a target. */
struct target_pc_snapshots *target_pc_snapshots_of(struct target *target);

/* As in target_history_ops: what a snapshot of that name holds. */
int target_pc_read_saved(struct target *target, const char *name, uint64_t addr, void *out,
                         uint64_t len);
int target_pc_saved_cpu(struct target *target, const char *name, struct cpu *out);
int target_pc_differs(struct target *target, const char *name, uint64_t *page);

#endif
