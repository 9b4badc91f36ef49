/* SPDX-License-Identifier: MIT */
/* String instructions without REP, in flat segments; the others are the interpreter's, a page at a
 * time. The direction is part of the mode. */
#include "dbt/paged_rewrite.h"

static const struct emit_op op_movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
static const struct emit_op op_movzx_word = {.map = ISA_MAP_0F, .opcode = 0xb7};

static bool is_single(const struct paged_rewrite *r, const struct isa_insn *insn, bool source,
                      bool dest)
{
    unsigned seg = interp_data_seg(insn);
    const struct paged_mode *mode = &r->block->mode;
    return insn->adsize == 4 && !(insn->seen & (ISA_SEEN_F2 | ISA_SEEN_F3)) &&
           (!source || (seg < ISA_FS && paged_class(mode, seg) == PAGED_FLAT)) &&
           (!dest || paged_class(mode, ISA_ES) == PAGED_FLAT);
}

static void advance(struct paged_rewrite *r, unsigned reg, unsigned bytes)
{
    bool down = r->block->mode.bits & PAGED_DOWN;
    struct emit_mem at = emit_at(reg, down ? -(int32_t)bytes : (int32_t)bytes);
    emit_lea32(&r->emit, reg, &at);
}

/* An opcode of `width_bit` form: even for bytes, odd for words and doublewords. */
static struct emit_op sized(uint8_t opcode, unsigned bytes)
{
    return (struct emit_op){.legacy = bytes == 2 ? 0x66 : 0,
                            .opcode = (uint8_t)(opcode | (bytes > 1))};
}

/* r8 = what ESI points to. */
static void load_source(struct paged_rewrite *r, unsigned bytes)
{
    struct emit_mem from;
    paged_linear_access(r, EMIT_RSI, bytes, false, &from);
    if (bytes == 4)
        emit_load32(&r->emit, EMIT_R8, &from);
    else
        emit_op_mem(&r->emit, bytes == 1 ? &op_movzx_byte : &op_movzx_word, EMIT_R8, &from);
}

bool paged_movs(struct paged_rewrite *r, const struct isa_insn *insn)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op store = sized(0x88, bytes);
    struct emit_mem to;
    if (!is_single(r, insn, true, true))
        return false;
    load_source(r, bytes);
    paged_linear_access(r, EMIT_RDI, bytes, true, &to);
    emit_op_mem(&r->emit, &store, EMIT_R8, &to);
    advance(r, EMIT_RSI, bytes);
    advance(r, EMIT_RDI, bytes);
    return true;
}

bool paged_cmps(struct paged_rewrite *r, const struct isa_insn *insn)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op compare = sized(0x3a, bytes);
    struct emit_mem to;
    if (!is_single(r, insn, true, true))
        return false;
    load_source(r, bytes);
    paged_linear_access(r, EMIT_RDI, bytes, false, &to);
    emit_op_mem(&r->emit, &compare, EMIT_R8, &to);
    advance(r, EMIT_RSI, bytes);
    advance(r, EMIT_RDI, bytes);
    return true;
}

bool paged_lods(struct paged_rewrite *r, const struct isa_insn *insn)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op load = sized(0x8a, bytes);
    struct emit_mem from;
    if (!is_single(r, insn, true, false))
        return false;
    paged_linear_access(r, EMIT_RSI, bytes, false, &from);
    emit_op_mem(&r->emit, &load, EMIT_RAX, &from);
    advance(r, EMIT_RSI, bytes);
    return true;
}

static bool with_dest(struct paged_rewrite *r, const struct isa_insn *insn, uint8_t opcode,
                      bool write)
{
    unsigned bytes = isa_operand_bytes(insn, 0);
    struct emit_op op = sized(opcode, bytes);
    struct emit_mem to;
    if (!is_single(r, insn, false, true))
        return false;
    paged_linear_access(r, EMIT_RDI, bytes, write, &to);
    emit_op_mem(&r->emit, &op, EMIT_RAX, &to);
    advance(r, EMIT_RDI, bytes);
    return true;
}

bool paged_stos(struct paged_rewrite *r, const struct isa_insn *insn)
{
    return with_dest(r, insn, 0x88, true);
}

bool paged_scas(struct paged_rewrite *r, const struct isa_insn *insn)
{
    return with_dest(r, insn, 0x3a, false);
}
