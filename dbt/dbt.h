/* SPDX-License-Identifier: MIT */
/*
 * The x86-64 translator and the lockstep engine, behind engine.h. Where the
 * host is not x86-64, both constructors return -ENOTSUP.
 */
#ifndef DENALI_DBT_H
#define DENALI_DBT_H

#include "emu/cpu/engine.h"

MUST_CHECK int dbt_create(const struct engine_options *options, struct engine **out);

/* Of an engine that dbt_create made, while it does not run; `out` is a FILE *. */
/* One line for each block, as perf reads from /tmp/perf-PID.map. */
void dbt_dump_map(struct engine *engine, void *out);
/* Guest and host code, as text, of the block that begins at eip (of a PC: a linear address) in this
 * processor's memory. Another engine's processor: that there is none. */
void dbt_dump_block(struct engine *engine, struct cpu *cpu, uint32_t eip, void *out);

/*
 * Of an engine with options.hits: the counters of the code that this processor runs, DBT_HITS
 * bytes, of which translated code increments one (and wraps) for each basic block that it enters
 * and one for each conditional branch that it does not take; which one is a hash of addresses.
 * The caller clears them. NULL: there are none.
 */
#define DBT_HITS 65536u
uint8_t *dbt_hits(struct engine *engine, struct cpu *cpu);

/* Interpreter and translator side by side, block by block, on one memory. */
MUST_CHECK int lockstep_create(const struct engine_options *options, struct engine **out);

#endif
