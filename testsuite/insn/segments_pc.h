/* SPDX-License-Identifier: MIT */
/* The segment tests' other side: ring 3 of a PC with the same local descriptor table. */
#ifndef DENALI_INSN_SEGMENTS_PC_H
#define DENALI_INSN_SEGMENTS_PC_H

#include "testsuite/insn/segments.h"

struct segments_pc;

/* On this engine ("interp", "dbt"); NULL: the host has none such. */
struct segments_pc *segments_pc_create(const char *engine);
void segments_pc_destroy(struct segments_pc *pc);

/* The region's memory: to read, and to write. */
const uint8_t *segments_pc_region(const struct segments_pc *pc, unsigned region);
void segments_pc_put(struct segments_pc *pc, unsigned region, uint32_t at, const void *bytes,
                     uint32_t len);

/* Runs from *state to the fault that ends the case. */
void segments_pc_run(struct segments_pc *pc, struct segments_state *state, uint32_t *vector,
                     uint32_t *error);

#endif
