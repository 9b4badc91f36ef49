/* SPDX-License-Identifier: MIT */
/*
 * String instructions run as they are. Where ES:EDI is involved, which has no
 * segment override, esi and edi are host pointers for the time being: the
 * window is aligned to 4 GiB, so their low halves are the guest's values all
 * the while, and a fault or a kick in the middle of a repetition finds the
 * state there. A repetition cannot leave the window: the guards stop it.
 */
#include "dbt/rewrite.h"

static bool is_based(const struct isa_insn *insn)
{
    return insn->segover == ISA_FS || insn->segover == ISA_GS;
}

static uint8_t rep_prefix(const struct isa_insn *insn)
{
    if (insn->seen & ISA_SEEN_F3)
        return 0xf3;
    return insn->seen & ISA_SEEN_F2 ? 0xf2 : 0;
}

static void emit_string(struct rewrite *r, const struct isa_insn *insn)
{
    bool word = insn->row->op[0].width == ISA_W_v && insn->opsize == 2;
    if (word)
        emit_u8(&r->emit, 0x66);
    if (rep_prefix(insn))
        emit_u8(&r->emit, rep_prefix(insn));
    emit_u8(&r->emit, insn->opcode);
}

static void to_host(struct rewrite *r, unsigned reg)
{
    struct emit_mem at = emit_at_index(EMIT_R15, reg, 1, 0);
    emit_lea64(&r->emit, reg, &at);
}

static bool rewrite_es(struct rewrite *r, const struct isa_insn *insn, bool source)
{
    if (insn->adsize != 4 || (source && is_based(insn)))
        return false;
    if (source)
        to_host(r, EMIT_RSI);
    to_host(r, EMIT_RDI);
    rewrite_mark(r, rewrite_eip(r));
    emit_string(r, insn);
    if (source)
        emit_mov32(&r->emit, EMIT_RSI, EMIT_RSI);
    emit_mov32(&r->emit, EMIT_RDI, EMIT_RDI);
    return true;
}

bool rewrite_movs(struct rewrite *r, const struct isa_insn *insn)
{
    return rewrite_es(r, insn, true);
}

bool rewrite_cmps(struct rewrite *r, const struct isa_insn *insn)
{
    return rewrite_es(r, insn, true);
}

bool rewrite_stos(struct rewrite *r, const struct isa_insn *insn)
{
    return rewrite_es(r, insn, false);
}

bool rewrite_scas(struct rewrite *r, const struct isa_insn *insn)
{
    return rewrite_es(r, insn, false);
}

static void truncated_prefix(struct rewrite *r)
{
    static const uint8_t gs32[] = {0x65, 0x67};
    emit_raw(&r->emit, gs32, sizeof(gs32));
}

bool rewrite_lods(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->adsize != 4 || is_based(insn))
        return false;
    truncated_prefix(r);
    emit_string(r, insn);
    return true;
}

bool rewrite_xlat(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->adsize != 4 || is_based(insn))
        return false;
    truncated_prefix(r);
    emit_u8(&r->emit, insn->opcode);
    return true;
}

/* Stores through EDI what the mask selects. */
bool rewrite_maskmov(struct rewrite *r, const struct isa_insn *insn)
{
    struct emit_op op = {.map = insn->row->map, .opcode = insn->opcode};
    if (insn->adsize != 4 || is_based(insn))
        return false;
    if (insn->row->prefix == ISA_P_66)
        op.legacy = 0x66;
    truncated_prefix(r);
    emit_op_reg(&r->emit, &op, insn->reg, insn->rm);
    return true;
}
