/* SPDX-License-Identifier: MIT */
/*
 * Runs a translation that the verifier accepted, one instruction at a time,
 * and holds it to the promise by other means than the verifier's: before each
 * instruction, Capstone names its memory operands and the registers at hand say
 * where they lie; it must be in the window or among its guards. At the end the
 * fixed registers must be the same and the guest's registers 32 bits wide. Each
 * run is made twice, with the same guest state in another window, with another
 * dispatch table and other leavings of the host in the scratch registers: the
 * guest must come to the same end, or something of the host's has leaked into it.
 */
#ifndef DENALI_MUTANTS_GUARD_H
#define DENALI_MUTANTS_GUARD_H

#include "dbt/image.h"
#include "testsuite/insn/rng.h"

struct guard;

struct guard_counters {
    uint64_t runs, steps;
    uint64_t left, faulted, endless; /* how runs ended */
};

struct guard *guard_create(void); /* NULL: the host has no room */
void guard_destroy(struct guard *guard);

/* From a random guest state. NULL: harmless; else what it did. */
const char *guard_run(struct guard *guard, const struct image *image, const struct block *block,
                      struct rng *rng);
/* Where the last run that did harm was, as an offset in the cache. */
uint32_t guard_harm_at(const struct guard *guard);
void guard_count(const struct guard *guard, struct guard_counters *out);

#endif
