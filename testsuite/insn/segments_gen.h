/* SPDX-License-Identifier: MIT */
/* Random instructions and states for the segment tests. */
#ifndef DENALI_INSN_SEGMENTS_GEN_H
#define DENALI_INSN_SEGMENTS_GEN_H

#include "emu/isa/isa.h"
#include "testsuite/insn/rng.h"
#include "testsuite/insn/segments.h"

struct segments_case {
    struct segments_state state;
    struct isa_insn insn; /* its row NULL: refused for a LOCK */
    uint8_t code[16];
    unsigned len;
};

/* The host's CPU can tell about it in ring 3, without being told about the host. */
bool segments_gen_knows(const struct isa_row *row);
/* It loads a segment register: memory should hold selectors. */
bool segments_gen_loads(const struct isa_row *row);

/* A case of this row; false: chance found none. */
bool segments_gen_case(struct segments_case *c, const struct isa_row *row, struct rng *r);

/* A word that is good as a selector more often than not, and never one of the host's. */
uint16_t segments_gen_selector(struct rng *r);

#endif
