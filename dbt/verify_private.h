/* SPDX-License-Identifier: MIT */
/* What the verifier's two rooms share: the state it carries along a block, and its decoder. */
#ifndef DENALI_DBT_VERIFY_PRIVATE_H
#define DENALI_DBT_VERIFY_PRIVATE_H

#include "dbt/verify.h"

#include <Zydis/Zydis.h>

/* What is known of a host register's 64 bits. */
enum verify_class {
    VERIFY_UNKNOWN,
    VERIFY_NARROW,  /* the upper half is zero */
    VERIFY_POINTER, /* window base + a narrow value, moved by string instructions only */
};

#define VERIFY_TRACKED 12u /* rax..r11; r12 only counts, r13 to r15 never change */

struct verify_state {
    uint8_t reg[VERIFY_TRACKED]; /* enum verify_class; rsp's is not used */
    bool touched;                /* memory near rsp was accessed since rsp was last set */
    int32_t counted;             /* at least so much was taken off r12 on the way here */
    bool reachable;
};

struct verify_insn {
    ZydisDecodedInstruction d;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

/* Checks one instruction that is not a jump, and carries the state past it. NULL or what is wrong.
 */
const char *verify_effects(const struct verify_insn *insn, struct verify_state *state);

/* The operand is the dispatch table's entry for a narrow register. */
bool verify_is_table_entry(const ZydisDecodedOperandMem *mem, const struct verify_state *state);

/* 0..15 for a general register of any width; -1 for others. */
int verify_gpr(ZydisRegister reg);

#endif
