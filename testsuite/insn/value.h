/* SPDX-License-Identifier: MIT */
/* Operand values where instructions go wrong: borders, specials, and plain chance. */
#ifndef DENALI_INSN_VALUE_H
#define DENALI_INSN_VALUE_H

#include <stddef.h>

#include "testsuite/insn/case.h"
#include "testsuite/insn/rng.h"

uint32_t value_integer(struct rng *r);

/* An 80-bit register: zeros, denormals, pseudo-denormals, unnormals, infinities, NaNs, numbers. */
void value_extended(struct rng *r, uint8_t out[10]);

/* n bytes of integers, floats, doubles, extended or decimal numbers. */
void value_bytes(struct rng *r, uint8_t *out, size_t n);

/* A whole x87 and SSE state. */
void value_fpu(struct rng *r, struct insn_fpu *fpu);

/* MXCSR without reserved bits: mostly all masked, any rounding. */
uint32_t value_mxcsr(struct rng *r);

/* Status flags and IF; DF never. */
uint32_t value_eflags(struct rng *r);

#endif
