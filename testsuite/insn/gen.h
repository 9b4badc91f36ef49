/* SPDX-License-Identifier: MIT */
/* Test cases of one instruction, made from its row. */
#ifndef DENALI_INSN_GEN_H
#define DENALI_INSN_GEN_H

#include "emu/isa/isa.h"
#include "testsuite/insn/case.h"
#include "testsuite/insn/rng.h"

/*
 * Why the host's processor cannot be the oracle of this row in user mode;
 * NULL if it can.
 */
const char *gen_row_excuse(const struct isa_row *row);

/* Fills in the case number `index` of a row. */
void gen_case(const struct isa_row *row, unsigned index, struct rng *r, struct insn_case *out);

/* An address for a memory operand of n bytes, aligned to 16, odd, across pages, and if
 * `may_fault` also where it must not be. */
uint32_t gen_address(struct rng *r, unsigned n, bool may_fault);

#endif
