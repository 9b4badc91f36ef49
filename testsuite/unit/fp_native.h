/* SPDX-License-Identifier: MIT */
/*
 * One i386 instruction on this processor itself, with a given state. The
 * floating-point rows' encodings mean the same in 64-bit mode when the general
 * registers are not extended, so no 32-bit helper is needed. x86-64 Linux.
 */
#ifndef DENALI_FP_NATIVE_H
#define DENALI_FP_NATIVE_H

#include "emu/cpu/cpu.h"

#define FP_NO_VECTOR 0xffu

struct fp_native {
    struct cpu_fpu fpu;
    uint32_t gpr[8]; /* enum isa_reg order; ESP is neither read nor written */
    uint32_t flags;  /* status flags */
    uint32_t vector; /* out: of the fault, or FP_NO_VECTOR */
};

/* Runs the instruction at `code`, which a RET follows, from *state to *state. */
void fp_native_run(struct fp_native *state, const void *code);

#endif
