/* SPDX-License-Identifier: MIT */
/* What the SSE floating-point functions share: MXCSR as an environment, exceptions of elements. */
#ifndef DENALI_INTERP_SSE_H
#define DENALI_INTERP_SSE_H

#include "emu/cpu/interp/interp_simd.h"

/*
 * The environment of MXCSR; its flags are one element's. Filled in place: the
 * struct is small enough to be returned in registers, and packing it is slow.
 */
void sse_env(const struct cpu *cpu, struct softfp_env *env);

/* Exceptions of all elements, those found before and after the computation. */
struct sse_flags {
    uint8_t pre, post;
};

/* Moves one element's flags to the sum. */
void sse_collect(struct sse_flags *all, struct softfp_env *env);

/*
 * Sets MXCSR's flags; CPU_XM if one of them is unmasked. An unmasked exception
 * before the computation keeps those after it from being set.
 */
MUST_CHECK enum cpu_status sse_raise(struct cpu *cpu, const struct sse_flags *all);

/* `size`: bytes of the element, 4 or 8. Packing gives 0 where #XM will forbid the result anyway. */
struct softfp_num sse_unpack(uint64_t bits, unsigned size, const struct softfp_env *env);
uint64_t sse_round_pack(const struct softfp_num *exact, unsigned size, struct softfp_env *env);

#endif
