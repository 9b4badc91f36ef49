/* SPDX-License-Identifier: MIT */
/*
 * Which flags one instruction reads and writes. A row must speak for all its
 * instructions; here the condition, an immediate count or a missing REP prefix
 * makes its sets sharper. Source: SDM volume 1, appendix A and B; volume 2.
 */
#include "emu/isa/isa.h"

static uint16_t cc_reads(unsigned cc)
{
    static const uint16_t reads[8] = {
        ISA_F_O, ISA_F_C, ISA_F_Z,           ISA_F_C | ISA_F_Z,
        ISA_F_S, ISA_F_P, ISA_F_S | ISA_F_O, ISA_F_Z | ISA_F_S | ISA_F_O,
    };
    return reads[cc >> 1];
}

/* The operand that is a shift's immediate count, or -1. */
static int count_operand(const struct isa_row *row)
{
    bool is_double = row->sem == ISA_SEM_SHLD || row->sem == ISA_SEM_SHRD;
    unsigned at = is_double ? 2 : 1;
    bool is_shift = is_double || row->sem == ISA_SEM_ROL || row->sem == ISA_SEM_ROR ||
                    row->sem == ISA_SEM_RCL || row->sem == ISA_SEM_RCR || row->sem == ISA_SEM_SHL ||
                    row->sem == ISA_SEM_SHR || row->sem == ISA_SEM_SAR;
    return is_shift && row->op[at].method == ISA_M_I ? (int)at : -1;
}

/* Whether a rotation through carry by `count` comes back to where it began. */
static bool is_full_turn(const struct isa_insn *insn, unsigned count)
{
    bool through_carry = insn->row->sem == ISA_SEM_RCL || insn->row->sem == ISA_SEM_RCR;
    unsigned bits = isa_operand_bytes(insn, 0) * 8;
    return through_carry && bits < 32 && count % (bits + 1) == 0;
}

/* Flags a shift leaves undefined because its count reaches the operand's width. */
static uint16_t undef_by_width(const struct isa_insn *insn, unsigned count)
{
    unsigned bits = isa_operand_bytes(insn, 0) * 8;
    switch (insn->row->sem) {
    case ISA_SEM_SHL:
    case ISA_SEM_SHR:
        return count >= bits ? ISA_F_C : 0;
    case ISA_SEM_SHLD:
    case ISA_SEM_SHRD:
        return count > bits ? ISA_F_C | ISA_F_P | ISA_F_Z | ISA_F_S : 0;
    default:
        return 0;
    }
}

static struct isa_flags shift_flags(const struct isa_insn *insn, struct isa_flags f)
{
    unsigned count = insn->imm & 31;
    if (count == 0)
        return (struct isa_flags){0, 0, 0, 0};
    uint16_t undef = f.undef & ISA_F_A;
    if (count > 1)
        undef |= f.may & ISA_F_O;
    undef |= undef_by_width(insn, count);
    if (is_full_turn(insn, count))
        return (struct isa_flags){f.reads, 0, f.may, undef};
    return (struct isa_flags){f.reads, f.may & ~undef, 0, undef};
}

struct isa_flags isa_flags(const struct isa_insn *insn)
{
    const struct isa_row *row = insn->row;
    struct isa_flags f = {row->reads, row->kills, row->may, row->undef};
    if (row->attr & ISA_T_CC)
        f.reads = cc_reads(insn->cc);
    if ((row->attr & ISA_T_REPCC) && !(insn->seen & (ISA_SEEN_F2 | ISA_SEEN_F3))) {
        f.kills = f.may;
        f.may = 0;
    }
    return count_operand(row) >= 0 ? shift_flags(insn, f) : f;
}
