/* SPDX-License-Identifier: MIT */
/* One encoding of a row: chosen, aimed at an address, written out as bytes. */
#ifndef DENALI_INSN_FORM_H
#define DENALI_INSN_FORM_H

#include "emu/isa/isa.h"
#include "testsuite/insn/rng.h"

struct form {
    const struct isa_row *row;
    uint8_t prefix[8], prefixes;
    uint8_t opcode;
    uint8_t modrm, sib;
    bool has_sib;
    uint8_t disp_len, imm_len;
    uint32_t disp;
    uint8_t imm[6];
};

/* What the chooser may do beyond the plain instruction. */
enum form_freedom {
    FORM_SEGMENTS = 1,  /* segment overrides, 16-bit addresses */
    FORM_USELESS = 2,   /* prefixes that mean nothing here */
    FORM_BAD_LOCK = 4,  /* LOCK where it is undefined */
    FORM_NO_SIZE16 = 8, /* no 66 on instructions that change EIP */
};

/*
 * Chooses a form. `index` counts the forms of the row: register pairs and
 * addressing modes come in turn, so that a few hundred reach all of them; the
 * rest is chance.
 */
void form_choose(struct form *f, const struct isa_row *row, unsigned index, struct rng *r,
                 unsigned freedom);

/* Writes the bytes (at most 15 + a useless prefix or two), returns their number. */
unsigned form_emit(const struct form *f, uint8_t out[24]);

/* Decodes what form_emit would write. */
enum isa_status form_decode(const struct form *f, struct isa_insn *insn);

/*
 * Makes the memory operand lie at linear address `target`, through the
 * displacement where it is wide enough, else through the base register in
 * gpr[]. Registers in `fixed` (a bit each) are not changed; the form may get a
 * wider displacement for that. Returns the register it changed, or ISA_NOREG.
 */
unsigned form_aim(struct form *f, uint32_t target, uint32_t gpr[8], unsigned fixed);

/* Base address of a segment in these tests. */
uint32_t form_segment_base(unsigned seg);

#endif
