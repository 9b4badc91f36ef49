/* SPDX-License-Identifier: MIT */
/*
 * The plain path of paged guests: the guest's opcode with the memory operand in
 * other clothes; the check that the floating-point state is there; and the call
 * of the interpreter for all that has no other way.
 */
#include "dbt/paged/paged_rewrite.h"

#include "emu/cpu/debug.h"

#include "dbt/rewrite.h"

static const paged_rewrite_fn slot[ISA_SEMS] = {
#define SLOT(sem, name) [ISA_SEM_##sem] = paged_##name,
#include "dbt/paged/paged_rewrite.def"
#undef SLOT
};

bool paged_never(struct paged_rewrite *r, const struct isa_insn *insn)
{
    (void)r, (void)insn;
    return false;
}

/* Operands */

static unsigned memory_operand(const struct isa_insn *insn)
{
    unsigned n = 0;
    while (n < 3 && !interp_is_mem(insn, n))
        n++;
    return n;
}

static bool is_high_byte(const struct isa_insn *insn, unsigned n)
{
    const struct isa_operand_spec *op = &insn->row->op[n];
    return op->method == ISA_M_G && op->width == ISA_W_b && insn->reg >= 4;
}

/* The plain path */

static void emit_tail(struct paged_rewrite *r, const struct isa_insn *insn)
{
    if (insn->imm_len)
        emit_raw(&r->emit, insn->bytes + insn->imm_at, insn->len - insn->imm_at);
}

static void plain_register(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_op op = rewrite_opcode(insn);
    if (insn->modrm_at)
        emit_op_reg(&r->emit, &op, insn->reg, insn->rm);
    else if (insn->row->op[0].method == ISA_M_Z || insn->row->op[1].method == ISA_M_Z)
        emit_op_low(&r->emit, &op, insn->opcode & 7u);
    else
        emit_op_plain(&r->emit, &op);
    emit_tail(r, insn);
}

/* xchg of the two low bytes of a register */
static void swap_bytes(struct paged_rewrite *r, unsigned reg)
{
    emit_u8(&r->emit, 0x86);
    emit_u8(&r->emit, (uint8_t)(0xc0 | (4 + reg) << 3 | reg));
}

/*
 * AH, CH, DH, BH cannot be named together with r8 to r15. As a source the byte
 * is copied; as a destination it changes places with the low byte, after the
 * access.
 */
static bool plain_high(struct paged_rewrite *r, const struct isa_insn *insn,
                       const struct emit_mem *mem)
{
    static const struct emit_op movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
    struct emit_op op = rewrite_opcode(insn);
    unsigned reg = insn->reg & 3u;
    if (interp_is_mem(insn, 0)) {
        paged_emit_rorx(&r->emit, EMIT_R8, reg, 8);
        emit_op_mem(&r->emit, &op, EMIT_R8, mem);
    } else {
        emit_op_mem(&r->emit, &movzx_byte, EMIT_R8, mem);
        swap_bytes(r, reg);
        emit_op_reg(&r->emit, &op, reg, EMIT_R8);
        swap_bytes(r, reg);
    }
    return true;
}

static bool writes_both(const struct isa_insn *insn)
{
    return (insn->row->op[0].access & ISA_A_WRITE) && (insn->row->op[1].access & ISA_A_WRITE);
}

bool paged_plain(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_op op = rewrite_opcode(insn);
    struct emit_mem mem;
    unsigned n = memory_operand(insn);
    if (!rewrite_is_plain(insn))
        return false;
    if (n == 3) {
        plain_register(r, insn);
        return true;
    }
    unsigned bytes = isa_operand_bytes(insn, n);
    bool high = is_high_byte(insn, !n);
    bool compares = insn->row->sem == ISA_SEM_CMPXCHG;
    bool write = insn->row->op[n].access & ISA_A_WRITE;
    if ((insn->row->attr & ISA_T_NOMEM) || !bytes || bytes > 16 ||
        !paged_can_access(r, insn, write) || (high && (writes_both(insn) || compares)))
        return false;
    paged_access(r, insn, bytes, write, &mem);
    if (high)
        return plain_high(r, insn, &mem);
    emit_op_mem(&r->emit, &op, insn->reg, &mem);
    emit_tail(r, insn);
    return true;
}

/* Floating point */

#define FPU_ATTRS (ISA_T_FPU | ISA_T_MMX | ISA_T_SSE)

static bool may_use_fpu(const struct paged_rewrite *r, const struct isa_insn *insn)
{
    uint32_t need = insn->row->attr & ISA_T_SSE ? PAGED_SSE : PAGED_X87;
    return !(insn->row->attr & FPU_ATTRS) || (r->block->mode.bits & need);
}

/* Unless the state is in the host's unit: loads it, and comes back. rcx lends itself to JRCXZ. */
static void need_fpu(struct paged_rewrite *r)
{
    static const struct emit_op movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
    struct emit_mem loaded = paged_slot_at(PAGED_SLOT_FPU);
    struct emit *e = &r->emit;
    if (r->fpu_loaded)
        return;
    emit_mov64(e, EMIT_R11, EMIT_RCX);
    emit_op_mem(e, &movzx_byte, EMIT_RCX, &loaded);
    uint32_t absent = emit_jrcxz(e);
    emit_mov64(e, EMIT_RCX, EMIT_R11);
    uint32_t over = emit_jmp8(e);
    emit_fix8(e, absent, e->at);
    emit_mov64(e, EMIT_RCX, EMIT_R11);
    uint32_t back = e->at + 2; /* of the number: after REX and opcode */
    emit_mov_imm32(e, EMIT_R10, 0);
    emit_jmp(e, r->paged->stubs.load_fpu);
    emit_fix8(e, over, e->at);
    if (!e->full)
        memcpy(e->base + back, &e->at, sizeof(e->at));
    r->fpu_loaded = true;
    paged_keep_drop(r);
}

/* The interpreter */

static bool is_of_device(const struct paged_rewrite *r)
{
    return paged_device_is_hot(r->paged, paged_code_at(r->block, paged_eip(r)));
}

void paged_call_out(struct paged_rewrite *r, const struct isa_insn *insn, bool ends)
{
    struct paged *p = r->paged;
    uint32_t number = r->block->calls_at + r->block->calls++;
    struct paged_call *call = &p->call[number];
    call->op.insn = *insn;
    interp_prepare(p->cpu, &call->op);
    call->block = r->block;
    call->eip = paged_eip(r);
    call->index = r->index;
    call->changes = paged_change_of(insn);
    call->device = is_of_device(r);
    emit_mov_imm32(&r->emit, EMIT_R9, number);
    emit_jmp(&r->emit, p->stubs.call);
    call->after = ends ? 0 : r->emit.at;
    r->fpu_loaded = false;
    paged_keep_drop(r);
    r->ended = ends;
}

static void mark(struct paged_rewrite *r)
{
    struct paged_block *block = r->block;
    r->paged->side[block->sides_at + block->sides++] = (struct paged_side){
        .host = (uint16_t)(r->emit.at - block->host),
        .guest = (uint16_t)((paged_eip(r) - block->eip) | (r->shadow ? PAGED_SIDE_SHADOW : 0))};
    r->shadow = false;
}

static bool leads_away(const struct isa_insn *insn)
{
    return insn->row->attr & (ISA_T_JUMP | ISA_T_BRANCH | ISA_T_CALL | ISA_T_RET | ISA_T_UNDEF);
}

/* What a rewriter does to r10. */
enum keeping { LOSES, KEEPS, LOSES_AT_LAST };

static enum keeping keeping_of(const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_BT:
    case ISA_SEM_BTC:
    case ISA_SEM_BTR:
    case ISA_SEM_BTS:
    case ISA_SEM_DEC:
    case ISA_SEM_INC:
    case ISA_SEM_JCC:
    case ISA_SEM_LEA:
    case ISA_SEM_LEAVE:
    case ISA_SEM_MOV:
    case ISA_SEM_NOP:
    case ISA_SEM_POP:
    case ISA_SEM_PUSH:
        return KEEPS;
    case ISA_SEM_CALL: /* memory first, then the way to the target */
    case ISA_SEM_JMP:
    case ISA_SEM_RET:
        return LOSES_AT_LAST;
    default:
        return slot[insn->row->sem] ? LOSES : KEEPS;
    }
}

bool paged_keeps_page(const struct isa_insn *insn)
{
    return keeping_of(insn) != LOSES;
}

static bool touches_watched(const struct paged_rewrite *r)
{
    const struct paged *p = r->paged;
    return p->cpu->debug && p->cpu->debug->watch_count &&
           paged_watch_touches(p, paged_code_at(r->block, paged_eip(r)));
}

void paged_rewrite_insn(struct paged_rewrite *r)
{
    const struct isa_insn *insn = &r->insns[r->index].insn;
    paged_rewrite_fn fn = slot[insn->row->sem];
    mark(r);
    if (keeping_of(insn) == LOSES)
        paged_keep_drop(r);
    if (!may_use_fpu(r, insn) || touches_watched(r) || is_of_device(r))
        fn = paged_never;
    else if (!fn)
        fn = paged_plain;
    if (fn != paged_never && (insn->row->attr & FPU_ATTRS))
        need_fpu(r);
    if (!fn(r, insn))
        paged_call_out(r, insn, leads_away(insn));
    if (keeping_of(insn) != KEEPS)
        paged_keep_drop(r);
    paged_keep_step(r);
}
