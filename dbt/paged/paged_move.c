/* SPDX-License-Identifier: MIT */
/* Stack and moves of paged guests. */
#include "dbt/paged/paged_rewrite.h"

#include "dbt/rewrite.h"

static const struct emit_op op_load_byte = {.opcode = 0x8a};
static const struct emit_op op_store_byte = {.opcode = 0x88};
static const struct emit_op op_load_word = {.opcode = 0x8b, .legacy = 0x66};
static const struct emit_op op_load_zero = {.map = ISA_MAP_0F, .opcode = 0xb7};

static void store(struct paged_rewrite *r, const struct emit_mem *at, unsigned reg, unsigned bytes)
{
    if (bytes == 2)
        emit_store16(&r->emit, at, reg);
    else
        emit_store32(&r->emit, at, reg);
}

static void load(struct paged_rewrite *r, unsigned reg, const struct emit_mem *at, unsigned bytes)
{
    if (bytes == 2)
        emit_op_mem(&r->emit, reg == EMIT_R8 ? &op_load_zero : &op_load_word, reg, at);
    else
        emit_load32(&r->emit, reg, at);
}

/* After a store below the top; a flat stack's new top is in r9. */
static void pushed(struct paged_rewrite *r, unsigned bytes)
{
    if (paged_has_flat_stack(r))
        emit_mov32(&r->emit, EMIT_RSP, EMIT_R9);
    else
        paged_stack_move(r, -(int32_t)bytes);
}

static void push_reg(struct paged_rewrite *r, unsigned reg, unsigned bytes)
{
    struct emit_mem top;
    paged_stack_access(r, -(int32_t)bytes, bytes, true, &top);
    store(r, &top, reg, bytes);
    pushed(r, bytes);
}

void paged_push_imm(struct paged_rewrite *r, uint32_t imm, unsigned bytes)
{
    struct emit_mem top;
    paged_stack_access(r, -(int32_t)bytes, bytes, true, &top);
    if (bytes == 2)
        emit_store_imm16(&r->emit, &top, (uint16_t)imm);
    else
        emit_store_imm32(&r->emit, &top, imm);
    pushed(r, bytes);
}

bool paged_push(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem from;
    if (!paged_can_stack(r) || (insn->has_mem && !paged_can_access(r, insn, false)))
        return false;
    if (insn->row->op[0].method == ISA_M_I) {
        paged_push_imm(r, insn->imm, insn->opsize);
    } else if (insn->has_mem) {
        paged_access(r, insn, insn->opsize, false, &from);
        load(r, EMIT_R8, &from, insn->opsize);
        push_reg(r, EMIT_R8, insn->opsize);
    } else {
        push_reg(r, insn->row->op[0].method == ISA_M_Z ? insn->opcode & 7u : insn->rm,
                 insn->opsize);
    }
    return true;
}

/* The address of a popped-to operand is computed with esp already moved. */
static bool pop_mem(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem top, to;
    if (insn->base == ISA_ESP || !paged_can_access(r, insn, true))
        return false;
    paged_stack_access(r, 0, insn->opsize, false, &top);
    load(r, EMIT_R8, &top, insn->opsize);
    paged_access(r, insn, insn->opsize, true, &to);
    store(r, &to, EMIT_R8, insn->opsize);
    paged_stack_move(r, insn->opsize);
    return true;
}

bool paged_pop(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem top;
    unsigned reg = insn->row->op[0].method == ISA_M_Z ? insn->opcode & 7u : insn->rm;
    if (!paged_can_stack(r))
        return false;
    if (insn->has_mem)
        return pop_mem(r, insn);
    if (reg == ISA_ESP && insn->opsize == 2)
        return false;
    paged_stack_access(r, 0, insn->opsize, false, &top);
    load(r, reg, &top, insn->opsize);
    if (reg != ISA_ESP)
        paged_stack_move(r, insn->opsize);
    return true;
}

/* SP = BP; pop BP. */
static void leave16(struct paged_rewrite *r)
{
    struct emit_mem frame, above = emit_at(EMIT_RBP, 2);
    paged_segment_access(r, ISA_SS, EMIT_RBP, 0, true, 2, false, &frame);
    load(r, EMIT_R8, &frame, 2);
    emit_lea32(&r->emit, EMIT_R9, &above);
    emit_op_reg(&r->emit, &op_load_word, EMIT_RSP, EMIT_R9);
    emit_op_reg(&r->emit, &op_load_word, EMIT_RBP, EMIT_R8);
}

bool paged_leave_frame(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem frame, above = emit_at(EMIT_RBP, 4);
    bool small = insn->opsize == 2 && !(r->block->mode.bits & PAGED_STACK32);
    if (small && paged_can_stack(r)) {
        leave16(r);
        return true;
    }
    if (insn->opsize != 4 || !paged_has_flat_stack(r))
        return false;
    paged_flat_access(r, EMIT_RBP, 0, 4, false, &frame);
    emit_load32(&r->emit, EMIT_R8, &frame);
    emit_lea32(&r->emit, EMIT_RSP, &above);
    emit_mov32(&r->emit, EMIT_RBP, EMIT_R8);
    return true;
}

/* mov between the accumulator and an absolute address: the host's form has a 64-bit address. */
static bool mov_absolute(struct paged_rewrite *r, const struct isa_insn *insn)
{
    bool stores = insn->row->op[0].method == ISA_M_O;
    unsigned bytes = insn->row->op[stores ? 0 : 1].width == ISA_W_b ? 1 : insn->opsize;
    struct emit_mem mem;
    if (!paged_can_access(r, insn, stores))
        return false;
    paged_access(r, insn, bytes, stores, &mem);
    if (bytes == 1)
        emit_op_mem(&r->emit, stores ? &op_store_byte : &op_load_byte, EMIT_RAX, &mem);
    else if (stores)
        store(r, &mem, EMIT_RAX, bytes);
    else
        load(r, EMIT_RAX, &mem, bytes);
    return true;
}

bool paged_mov(struct paged_rewrite *r, const struct isa_insn *insn)
{
    const struct isa_operand_spec *op = insn->row->op;
    if (op[0].method == ISA_M_O || op[1].method == ISA_M_O)
        return mov_absolute(r, insn);
    return paged_plain(r, insn);
}

bool paged_lea(struct paged_rewrite *r, const struct isa_insn *insn)
{
    if (insn->opsize == 4) {
        paged_address(r, insn, insn->reg);
    } else {
        paged_address(r, insn, EMIT_R8);
        emit_op_reg(&r->emit, &op_load_word, insn->reg, EMIT_R8);
    }
    return true;
}

/* inc and dec of a register: the short forms mean something else on the host. */
static bool step(struct paged_rewrite *r, const struct isa_insn *insn, unsigned ext)
{
    struct emit_op op = {.opcode = 0xff, .legacy = insn->opsize == 2 ? 0x66 : 0};
    if (insn->row->op[0].method != ISA_M_Z)
        return paged_plain(r, insn);
    emit_op_reg(&r->emit, &op, ext, insn->opcode & 7u);
    return true;
}

bool paged_inc(struct paged_rewrite *r, const struct isa_insn *insn)
{
    return step(r, insn, 0);
}

bool paged_dec(struct paged_rewrite *r, const struct isa_insn *insn)
{
    return step(r, insn, 1);
}

/* One processor: fences order nothing that anybody could see. */
bool paged_nop(struct paged_rewrite *r, const struct isa_insn *insn)
{
    (void)r, (void)insn;
    return true;
}

static struct emit_mem selector_of(unsigned seg)
{
    return paged_at(offsetof(struct cpu, seg) + seg * sizeof(struct cpu_seg) +
                    offsetof(struct cpu_seg, selector));
}

/* Only the selector's two bytes are written. */
bool paged_push_sreg(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem from = selector_of(insn->row->op[0].fixed), top;
    if (!paged_can_stack(r))
        return false;
    emit_op_mem(&r->emit, &op_load_zero, EMIT_R8, &from);
    paged_stack_access(r, -(int32_t)insn->opsize, insn->opsize, true, &top);
    emit_store16(&r->emit, &top, EMIT_R8);
    pushed(r, insn->opsize);
    return true;
}

/* From a segment register; loads are the interpreter's. */
bool paged_mov_sreg(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem from = selector_of(insn->reg), to;
    if (insn->row->op[0].method == ISA_M_S || insn->reg > ISA_GS ||
        (insn->has_mem && !paged_can_access(r, insn, true)))
        return false;
    if (!insn->has_mem) {
        emit_op_mem(&r->emit, insn->opsize == 2 ? &op_load_word : &op_load_zero, insn->rm, &from);
        return true;
    }
    emit_op_mem(&r->emit, &op_load_zero, EMIT_R8, &from);
    paged_access(r, insn, 2, true, &to);
    emit_store16(&r->emit, &to, EMIT_R8);
    return true;
}

/* A bit number in a register reaches far beyond the operand: the word that holds the bit is found,
 * and r8 is the bit's number in it. */
static bool far_bit(struct paged_rewrite *r, const struct isa_insn *insn)
{
    struct emit_op op = {.map = ISA_MAP_0F, .opcode = insn->opcode};
    struct emit_mem word = emit_at_index(EMIT_R9, EMIT_R8, 4, 0), at;
    struct emit *e = &r->emit;
    if (insn->opsize != 4 || insn->adsize != 4 || insn->seg >= ISA_FS || insn->seg == ISA_CS ||
        paged_class(&r->block->mode, insn->seg) != PAGED_FLAT)
        return false;
    emit_mov_imm32(e, EMIT_R8, 5);
    paged_emit_sarx(e, EMIT_R8, insn->reg, EMIT_R8);
    paged_address(r, insn, EMIT_R9);
    emit_lea32(e, EMIT_R9, &word);
    emit_mov_imm32(e, EMIT_R8, 31);
    paged_emit_pext(e, EMIT_R8, insn->reg, EMIT_R8);
    paged_linear_access(r, EMIT_R9, 4, insn->row->sem != ISA_SEM_BT, &at);
    emit_op_mem(e, &op, EMIT_R8, &at);
    return true;
}

bool paged_bit(struct paged_rewrite *r, const struct isa_insn *insn)
{
    bool far_reach = insn->has_mem && insn->row->op[1].method == ISA_M_G;
    return far_reach ? far_bit(r, insn) : paged_plain(r, insn);
}
