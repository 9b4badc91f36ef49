/* SPDX-License-Identifier: MIT */
/* --trace and --coverage of a PC. */
#ifndef DENALI_PC_OBSERVE_H
#define DENALI_PC_OBSERVE_H

#include "devices/pc/machine_pc.h"
#include "emu/cli/pc/pc_options.h"

struct pc_observe;

/* Before the engine is made; may choose it. *out is NULL where nothing is wanted. */
MUST_CHECK int pc_observe_create(struct pc_options *options, struct pc_observe **out,
                                 struct why *why);
struct engine_coverage *pc_observe_coverage(struct pc_observe *observe);
/* Before the machine is made: frames that pass its network are told. `net` may be NULL; what is
 * returned destroys it. */
MUST_CHECK int pc_observe_net(struct pc_observe *observe, struct net_backend *net,
                              struct net_backend **out, struct why *why);
/* The machine is made, and does not run yet. */
MUST_CHECK int pc_observe_attach(struct pc_observe *observe, struct pc *pc, struct why *why);
/* It runs no more: the files are written. */
void pc_observe_finish(struct pc_observe *observe);
/* After the machine and the engine. NULL is harmless. */
void pc_observe_destroy(struct pc_observe *observe);

#endif
