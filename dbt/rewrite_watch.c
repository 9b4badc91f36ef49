/* SPDX-License-Identifier: MIT */
/*
 * Where data that is often written shares a page with what is watched, faults
 * would cost more than all the rest. Then each instruction that may write is
 * preceded by a look at the address it writes to: near a watched range it is
 * the interpreter's. What writes where this cannot tell is the interpreter's
 * too, so that no page need be armed.
 *
 * The look changes no flags: address - low, shifted right by BMI2, is zero
 * exactly in [low, low + 2^shift), and rcx lends itself to JRCXZ.
 */
#include "dbt/rewrite.h"

/* The widest write that is looked at by its first byte alone. */
#define WIDEST 16u

enum writes { WRITES_NOTHING, WRITES_OPERAND, WRITES_STACK, WRITES_SOMEWHERE };

static enum writes operand_writes(const struct isa_insn *insn, unsigned n)
{
    const struct isa_operand_spec *op = &insn->row->op[n];
    if (!(op->access & ISA_A_WRITE))
        return WRITES_NOTHING;
    switch (op->method) {
    case ISA_M_X:
    case ISA_M_Y:
        return WRITES_SOMEWHERE;
    case ISA_M_E:
    case ISA_M_M:
    case ISA_M_Q:
    case ISA_M_W:
    case ISA_M_O:
        break;
    default:
        return WRITES_NOTHING;
    }
    if (!insn->has_mem || (insn->row->attr & ISA_T_NOMEM))
        return WRITES_NOTHING;
    bool plain = insn->adsize == 4 && insn->seg != ISA_FS && insn->seg != ISA_GS &&
                 isa_operand_bytes(insn, n) <= WIDEST;
    return plain ? WRITES_OPERAND : WRITES_SOMEWHERE;
}

static enum writes find_writes(const struct isa_insn *insn)
{
    enum writes writes = WRITES_NOTHING;
    switch (insn->row->sem) {
    case ISA_SEM_PUSH:
    case ISA_SEM_PUSH_SREG:
    case ISA_SEM_CALL:
        return WRITES_STACK;
    case ISA_SEM_CALL_FAR:
    case ISA_SEM_ENTER:
    case ISA_SEM_PUSHA:
    case ISA_SEM_PUSHF:
    case ISA_SEM_MASKMOVQ:
    case ISA_SEM_MASKMOVDQU:
        return WRITES_SOMEWHERE;
    case ISA_SEM_POP: /* its address may be relative to the esp of after it; a bit may lie far */
    case ISA_SEM_BTS:
    case ISA_SEM_BTR:
    case ISA_SEM_BTC:
        return insn->has_mem ? WRITES_SOMEWHERE : WRITES_NOTHING;
    default:
        break;
    }
    for (unsigned n = 0; n < 3 && writes == WRITES_NOTHING; n++)
        writes = operand_writes(insn, n);
    return writes;
}

/* The written address, in host registers of which only the low half counts. */
static struct emit_mem address_of(const struct rewrite *r, const struct isa_insn *insn,
                                  enum writes writes)
{
    if (writes == WRITES_STACK)
        return emit_at(EMIT_RSP, r->delta - 4);
    struct emit_mem mem = {
        .base = insn->base == ISA_NOREG ? EMIT_NOREG : insn->base,
        .index = insn->index == ISA_NOREG ? EMIT_NOREG : insn->index,
        .scale = insn->scale ? insn->scale : 1,
        .disp = (int32_t)(insn->disp + (insn->base == ISA_ESP ? (uint32_t)r->delta : 0)),
    };
    return mem;
}

/* shrx ecx, r11d, r9d */
static void emit_shrx(struct emit *e)
{
    static const uint8_t bytes[] = {0xc4, 0xc2, 0x33, 0xf7, 0xcb};
    emit_raw(e, bytes, sizeof(bytes));
}

/* From here to the interpreter; the rewriting goes on as if this had not been. */
static void leave_aside(struct rewrite *r)
{
    int32_t delta = r->delta;
    bool touched = r->touched;
    unsigned counted = r->counted;
    rewrite_leave(r, STUB_INTERP, rewrite_eip(r), 0, false);
    r->delta = delta;
    r->touched = touched;
    r->counted = counted;
    r->ended = false;
}

static void emit_look(struct rewrite *r, struct emit_mem address)
{
    const struct image *image = r->image;
    struct emit *e = &r->emit;
    uint32_t near[IMAGE_WATCHES];
    address.disp = (int32_t)((uint32_t)address.disp - image->watch[0].low);
    emit_lea32(e, EMIT_R11, &address);
    emit_mov32(e, EMIT_R10, EMIT_RCX);
    for (unsigned i = 0; i < image->watches; i++) {
        struct emit_mem next =
            emit_at(EMIT_R11, i ? (int32_t)(image->watch[i - 1].low - image->watch[i].low) : 0);
        if (i)
            emit_lea32(e, EMIT_R11, &next);
        emit_mov_imm32(e, EMIT_R9, image->watch[i].shift);
        emit_shrx(e);
        near[i] = emit_jrcxz(e);
    }
    emit_mov32(e, EMIT_RCX, EMIT_R10);
    uint32_t far = emit_jmp8(e);
    for (unsigned i = 0; i < image->watches; i++)
        emit_fix8(e, near[i], e->at);
    emit_mov32(e, EMIT_RCX, EMIT_R10);
    leave_aside(r);
    emit_fix8(e, far, e->at);
}

bool rewrite_watch(struct rewrite *r, const struct isa_insn *insn)
{
    enum writes writes = find_writes(insn);
    if (writes == WRITES_SOMEWHERE)
        return false;
    if (writes != WRITES_NOTHING)
        emit_look(r, address_of(r, insn, writes));
    return true;
}

bool image_watch_at(struct image *image, uint32_t linear, uint32_t len)
{
    uint8_t shift = 5;
    while (shift < 16 && len + WIDEST - 1 > 1u << shift)
        shift++;
    if (image->watches == IMAGE_WATCHES || len + WIDEST - 1 > 1u << shift)
        return false;
    image->watch[image->watches++] =
        (struct image_watch){.low = linear - (WIDEST - 1), .shift = shift};
    return true;
}
