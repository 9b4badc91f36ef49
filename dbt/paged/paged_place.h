/* SPDX-License-Identifier: MIT */
/*
 * What is known of the general registers within a block: each is a root plus an offset, modulo
 * 2^32. A root is what some register held at the block's start, or what an instruction left in one.
 * Two registers of one root lie a known distance apart, so the translator may reach the page of
 * both with one look into the TLB. That must never be wrong: an instruction that is not known here
 * gives every register a new root.
 */
#ifndef DENALI_DBT_PAGED_PLACE_H
#define DENALI_DBT_PAGED_PLACE_H

#include "emu/isa/isa.h"

struct paged_place {
    uint32_t root; /* of paged_place_init: the register's number */
    int32_t off;
};

/* The places of the eight registers where a block begins. */
void paged_place_init(struct paged_place at[8]);
/* They become what they are after the instruction, the index-th of the block. With stack32 false
 * pushes and pops move 16 bits of ESP. */
void paged_place_step(struct paged_place at[8], const struct isa_insn *insn, unsigned index,
                      bool stack32);

#endif
