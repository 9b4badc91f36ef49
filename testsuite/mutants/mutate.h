/* SPDX-License-Identifier: MIT */
/* Damage to a translation, of the kinds that a bug or an attacker would want. */
#ifndef DENALI_MUTANTS_MUTATE_H
#define DENALI_MUTANTS_MUTATE_H

#include <capstone/capstone.h>

#include "emu/base/base.h"
#include "testsuite/insn/rng.h"

enum mutate_kind {
    MUTATE_TRUNCATION,   /* the 32-bit address size, or a 32-bit operand size, is dropped */
    MUTATE_DISPLACEMENT, /* a displacement becomes wide */
    MUTATE_BRANCH,       /* a branch leads elsewhere */
    MUTATE_BASE,         /* another base or index register */
    MUTATE_SYSCALL,      /* an instruction that reaches the host */
    MUTATE_BYTE,         /* any byte becomes any other */
    MUTATE_BIT,          /* one bit flips */
    MUTATE_CUT,          /* a byte goes, the rest moves up */
    MUTATE_SWAP,         /* two instructions' bytes are exchanged */
    MUTATE_KINDS
};

extern const char *const mutate_name[MUTATE_KINDS];

/* Changes `code`; `insn` are its `count` instructions as they were. False: there is nothing of the
 * kind to change, or it came out the same. */
bool mutate(enum mutate_kind kind, uint8_t *code, size_t len, const cs_insn *insn, size_t count,
            struct rng *rng);

#endif
