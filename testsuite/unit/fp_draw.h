/* SPDX-License-Identifier: MIT */
/*
 * Random floating-point operands for the tests, drawn so that the corners
 * (denormals, NaNs, unsupported encodings, near cancellation, near overflow)
 * come up as often as the plain.
 */
#ifndef DENALI_FP_DRAW_H
#define DENALI_FP_DRAW_H

#include "emu/cpu/cpu.h"
#include "emu/cpu/softfp/softfp.h"

/* The generator of one test. Any seed but 0. */
struct fp_draw {
    uint64_t state;
};

uint64_t fp_draw_bits(struct fp_draw *d);
bool fp_draw_one_in(struct fp_draw *d, unsigned n);

struct softfp_ext fp_draw_ext(struct fp_draw *d);
uint64_t fp_draw_f64(struct fp_draw *d);
uint32_t fp_draw_f32(struct fp_draw *d);

/* Sixteen bytes: binary32, binary64, or integers of all magnitudes. */
void fp_draw_vector(struct fp_draw *d, uint8_t out[16]);

/* A whole state: registers, stack, masks; nothing pending in nine of ten. */
void fp_draw_fpu(struct fp_draw *d, struct cpu_fpu *fpu);
uint32_t fp_draw_mxcsr(struct fp_draw *d);

#endif
