/* SPDX-License-Identifier: MIT */
/* Holds two outcomes of one case against each other. */
#ifndef DENALI_INSN_COMPARE_H
#define DENALI_INSN_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "emu/isa/isa.h"
#include "testsuite/insn/case.h"

/* What of the outcomes is not defined, and so not compared. */
struct compare_mask {
    uint32_t undef;                 /* status flags */
    uint32_t ignore_at, ignore_len; /* a piece of the data pages */
    uint32_t torn_at, torn_len;     /* another, of a store that faulted in the middle */
    bool page_only;                 /* of a fault's address only the page */
    bool torn_registers;            /* registers after a fault in the middle */
};

/* The mask of one instruction that begins with these registers (row NULL: it is none). */
struct compare_mask compare_mask_of(const uint32_t gpr[8], const struct isa_insn *insn);

/* Whether a and b agree; if not and out is not NULL, prints the differing fields. */
bool compare_outcomes(const struct insn_outcome *a, const struct insn_outcome *b,
                      const struct compare_mask *mask, const char *name_a, const char *name_b,
                      FILE *out);

/* Prints the case: bytes, disassembly, registers. */
void compare_print_case(const struct insn_case *c, FILE *out);

#endif
