/* SPDX-License-Identifier: MIT */
/*
 * The past of a PC under the debugger: whole machines now and then, and the tape of what came
 * from outside between them. Going back puts one back and runs on from there by counting.
 */
#ifndef DENALI_TARGET_PC_HISTORY_H
#define DENALI_TARGET_PC_HISTORY_H

#include "emu/cli/pc/pc_record.h"
#include "emu/debug/target.h"

struct target_pc_history;

/* The machine stands at the beginning; both outlive it. -ENOMEM. */
MUST_CHECK int target_pc_history_create(struct pc *pc, struct pc_record *record,
                                        struct target_pc_history **out);
void target_pc_history_destroy(struct target_pc_history *history);
/* Around each slice. True: the recording has ended there. */
void target_pc_history_before_run(struct target_pc_history *history);
MUST_CHECK bool target_pc_history_after_run(struct target_pc_history *history, enum pc_state state);

extern const struct target_history_ops target_pc_history;

/* target_pc.c */
struct target_pc_history *target_pc_history_of(struct target *target);

#endif
