/* SPDX-License-Identifier: MIT */
/*
 * Where data that is often used shares a page with what is watched, faults
 * would cost more than all the rest. Then each instruction that may write (or
 * read, if reading is watched) is preceded by a look at the address: near a
 * watched range it is the interpreter's. What goes where this cannot tell is the
 * interpreter's too, so that no page need be armed.
 *
 * The look changes no flags: address - low, shifted right by BMI2, is zero
 * exactly in [low, low + 2^shift), and rcx lends itself to JRCXZ.
 */
#include "dbt/rewrite.h"

/* The widest access that is looked at by its first byte alone. */
#define WIDEST 16u

/* What of memory an instruction uses, as far as it is watched. */
enum touches {
    TOUCHES_NOTHING,
    TOUCHES_OPERAND,
    TOUCHES_PUSHED, /* below esp */
    TOUCHES_TOP,    /* at esp */
    TOUCHES_FRAME,  /* at ebp */
    TOUCHES_SOMEWHERE,
};

static bool has_memory(const struct isa_insn *insn)
{
    return insn->has_mem && !(insn->row->attr & ISA_T_NOMEM);
}

static enum touches operand_touches(const struct isa_insn *insn, unsigned n, bool reads)
{
    const struct isa_operand_spec *op = &insn->row->op[n];
    unsigned bytes = isa_operand_bytes(insn, n);
    if (!(op->access & (reads ? ISA_A_READ | ISA_A_WRITE : ISA_A_WRITE)))
        return TOUCHES_NOTHING;
    switch (op->method) {
    case ISA_M_X:
    case ISA_M_Y:
        return TOUCHES_SOMEWHERE;
    case ISA_M_E:
    case ISA_M_M:
    case ISA_M_Q:
    case ISA_M_W:
    case ISA_M_O:
        break;
    default:
        return TOUCHES_NOTHING;
    }
    if (!has_memory(insn))
        return TOUCHES_NOTHING;
    bool plain =
        insn->adsize == 4 && insn->seg != ISA_FS && insn->seg != ISA_GS && bytes && bytes <= WIDEST;
    return plain ? TOUCHES_OPERAND : TOUCHES_SOMEWHERE;
}

/* What no operand tells of what is read. */
static enum touches hidden_reads(const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_PUSH: /* two places, if one is an operand */
    case ISA_SEM_CALL:
        return has_memory(insn) ? TOUCHES_SOMEWHERE : TOUCHES_NOTHING;
    case ISA_SEM_POP:
    case ISA_SEM_POP_SREG:
    case ISA_SEM_RET:
        return has_memory(insn) ? TOUCHES_SOMEWHERE : TOUCHES_TOP;
    case ISA_SEM_LEAVE:
        return TOUCHES_FRAME;
    case ISA_SEM_POPA:
    case ISA_SEM_POPF:
    case ISA_SEM_RET_FAR:
    case ISA_SEM_IRET:
    case ISA_SEM_XLAT:
        return TOUCHES_SOMEWHERE;
    case ISA_SEM_BT:
        return has_memory(insn) ? TOUCHES_SOMEWHERE : TOUCHES_NOTHING;
    default:
        return TOUCHES_NOTHING;
    }
}

static enum touches find_touches(const struct isa_insn *insn, bool reads)
{
    enum touches touches = reads ? hidden_reads(insn) : TOUCHES_NOTHING;
    if (touches != TOUCHES_NOTHING)
        return touches;
    switch (insn->row->sem) {
    case ISA_SEM_PUSH:
    case ISA_SEM_PUSH_SREG:
    case ISA_SEM_CALL:
        return TOUCHES_PUSHED;
    case ISA_SEM_CALL_FAR:
    case ISA_SEM_ENTER:
    case ISA_SEM_PUSHA:
    case ISA_SEM_PUSHF:
    case ISA_SEM_MASKMOVQ:
    case ISA_SEM_MASKMOVDQU:
        return TOUCHES_SOMEWHERE;
    case ISA_SEM_POP: /* its address may be relative to the esp of after it; a bit may lie far */
    case ISA_SEM_BTS:
    case ISA_SEM_BTR:
    case ISA_SEM_BTC:
        return insn->has_mem ? TOUCHES_SOMEWHERE : TOUCHES_NOTHING;
    default:
        break;
    }
    for (unsigned n = 0; n < 3 && touches == TOUCHES_NOTHING; n++)
        touches = operand_touches(insn, n, reads);
    return touches;
}

/* The address, in host registers of which only the low half counts. */
static struct emit_mem address_of(const struct rewrite *r, const struct isa_insn *insn,
                                  enum touches touches)
{
    if (touches == TOUCHES_PUSHED)
        return emit_at(EMIT_RSP, r->delta - 4);
    if (touches == TOUCHES_TOP)
        return emit_at(EMIT_RSP, r->delta);
    if (touches == TOUCHES_FRAME)
        return emit_at(EMIT_RBP, 0);
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
    enum touches touches = find_touches(insn, r->image->watch_reads);
    if (touches == TOUCHES_SOMEWHERE)
        return false;
    if (touches != TOUCHES_NOTHING)
        emit_look(r, address_of(r, insn, touches));
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
