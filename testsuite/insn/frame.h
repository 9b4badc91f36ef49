/* SPDX-License-Identifier: MIT */
/* Stack frames for the fuzzer's programs: what compilers do with ESP, at random. */
#ifndef DENALI_INSN_FRAME_H
#define DENALI_INSN_FRAME_H

#include "testsuite/insn/program.h"

/* Fills a unit with a frame: ESP from `esp`, some operations around it, perhaps an epilogue. */
void frame_make(struct unit *u, struct rng *r, uint32_t esp);

#endif
