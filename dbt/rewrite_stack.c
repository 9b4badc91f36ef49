/* SPDX-License-Identifier: MIT */
/*
 * Instructions whose point is esp. Pushes and pops become moves at a distance
 * from rsp that is known at translation time, so a run of them moves rsp once.
 * Loads and stores at that distance fault before anything changes.
 */
#include "dbt/rewrite.h"

static const struct emit_op op_group5 = {.opcode = 0xff};
static const struct emit_op op_group5_word = {.opcode = 0xff, .legacy = 0x66};
static const struct emit_op op_load_byte = {.opcode = 0x8a};
static const struct emit_op op_store_byte = {.opcode = 0x88};
static const struct emit_op op_load_word = {.opcode = 0x8b, .legacy = 0x66};
static const struct emit_op op_load_zero = {.map = ISA_MAP_0F, .opcode = 0xb7};
static const struct emit_op op_lea_word = {.opcode = 0x8d, .legacy = 0x66};

static void store(struct rewrite *r, const struct emit_mem *at, unsigned reg, unsigned bytes)
{
    if (bytes == 2)
        emit_store16(&r->emit, at, reg);
    else
        emit_store32(&r->emit, at, reg);
}

static void load(struct rewrite *r, unsigned reg, const struct emit_mem *at, unsigned bytes)
{
    if (bytes == 2) /* r8 is written whole: its upper part is the host's */
        emit_op_mem(&r->emit, reg == EMIT_R8 ? &op_load_zero : &op_load_word, reg, at);
    else
        emit_load32(&r->emit, reg, at);
}

/* esp as an operand that is read: r8 gets it when rsp is not exact. */
static unsigned read_reg(struct rewrite *r, unsigned reg)
{
    struct emit_mem esp = emit_at(EMIT_RSP, r->delta);
    if (reg != ISA_ESP || !r->delta)
        return reg;
    emit_lea32(&r->emit, EMIT_R8, &esp);
    return EMIT_R8;
}

static void push_reg(struct rewrite *r, unsigned reg, unsigned bytes)
{
    struct emit_mem top = rewrite_stack(r, -(int32_t)bytes);
    store(r, &top, reg, bytes);
    rewrite_move_stack(r, -(int32_t)bytes);
}

static void push_imm(struct rewrite *r, uint32_t imm, unsigned bytes)
{
    struct emit_mem top = rewrite_stack(r, -(int32_t)bytes);
    if (bytes == 2)
        emit_store_imm16(&r->emit, &top, (uint16_t)imm);
    else
        emit_store_imm32(&r->emit, &top, imm);
    rewrite_move_stack(r, -(int32_t)bytes);
}

bool rewrite_push(struct rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem from;
    if (insn->row->op[0].method == ISA_M_I) {
        push_imm(r, insn->imm, insn->opsize);
    } else if (insn->has_mem) {
        if (!rewrite_mem(r, insn, false, &from))
            return false;
        load(r, EMIT_R8, &from, insn->opsize);
        push_reg(r, EMIT_R8, insn->opsize);
    } else {
        unsigned reg = insn->row->op[0].method == ISA_M_Z ? insn->opcode & 7u : insn->rm;
        push_reg(r, read_reg(r, reg), insn->opsize);
    }
    return true;
}

/* The address of a popped-to operand is computed with esp already moved. */
static bool pop_mem(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->adsize != 4)
        return false;
    struct emit_mem top = rewrite_stack(r, 0), to;
    int32_t delta = r->delta;
    load(r, EMIT_R8, &top, insn->opsize);
    r->delta += insn->opsize;
    bool ok = rewrite_mem(r, insn, false, &to);
    r->delta = delta;
    BUG_ON(!ok, "a 32-bit address has a form");
    store(r, &to, EMIT_R8, insn->opsize);
    rewrite_move_stack(r, insn->opsize);
    return true;
}

bool rewrite_pop(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->has_mem)
        return pop_mem(r, insn);
    unsigned reg = insn->row->op[0].method == ISA_M_Z ? insn->opcode & 7u : insn->rm;
    if (reg == ISA_ESP && insn->opsize == 2)
        return false;
    struct emit_mem top = rewrite_stack(r, 0);
    if (reg == ISA_ESP) {
        emit_load32(&r->emit, EMIT_R8, &top);
        rewrite_set_stack(r, EMIT_R8);
    } else {
        load(r, reg, &top, insn->opsize);
        rewrite_move_stack(r, insn->opsize);
    }
    return true;
}

bool rewrite_leave_frame(struct rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem frame = emit_at_index(EMIT_R15, EMIT_RBP, 1, 0);
    struct emit_mem above = emit_at_index(EMIT_R15, EMIT_RBP, 1, 4);
    if (insn->opsize != 4)
        return false;
    emit_load32(&r->emit, EMIT_R8, &frame);
    emit_lea64(&r->emit, EMIT_RSP, &above);
    emit_mov32(&r->emit, EMIT_RBP, EMIT_R8);
    r->delta = 0;
    r->touched = false;
    return true;
}

/* add/sub esp, imm: the move is pending; flags, if anybody looks, come from a computation that
 * nothing waits for. */
static bool move_by_imm(struct rewrite *r, const struct isa_insn *insn, int sign)
{
    bool is_esp = insn->modrm_at && !insn->has_mem && insn->rm == ISA_ESP &&
                  insn->row->op[0].method == ISA_M_E && insn->row->op[0].width == ISA_W_v;
    int32_t imm = (int32_t)insn->imm;
    if (!is_esp || insn->row->op[1].method != ISA_M_I || insn->opsize != 4 ||
        imm > REWRITE_MAX_DELTA / 2 || imm < -REWRITE_MAX_DELTA / 2)
        return rewrite_is_plain(insn) && rewrite_plain(r, insn);

    if (r->scan->at[r->index].flags_seen) {
        struct emit_mem esp = emit_at(EMIT_RSP, r->delta);
        struct emit_op op = {.opcode = insn->opcode};
        emit_lea32(&r->emit, EMIT_R8, &esp);
        emit_op_reg(&r->emit, &op, insn->reg, EMIT_R8);
        emit_raw(&r->emit, insn->bytes + insn->imm_at, insn->imm_len);
    }
    rewrite_move_stack(r, sign * imm);
    return true;
}

bool rewrite_add(struct rewrite *r, const struct isa_insn *insn)
{
    return move_by_imm(r, insn, 1);
}

bool rewrite_sub(struct rewrite *r, const struct isa_insn *insn)
{
    return move_by_imm(r, insn, -1);
}

/* inc and dec of a register: the short forms mean something else on the host. */
static bool step(struct rewrite *r, const struct isa_insn *insn, unsigned ext)
{
    if (insn->row->op[0].method != ISA_M_Z)
        return rewrite_is_plain(insn) && rewrite_plain(r, insn);
    const struct emit_op *op = insn->opsize == 2 ? &op_group5_word : &op_group5;
    unsigned reg = insn->opcode & 7u;
    struct emit_mem esp = emit_at(EMIT_RSP, r->delta);
    if (reg == ISA_ESP) {
        emit_lea32(&r->emit, EMIT_R8, &esp);
        emit_op_reg(&r->emit, op, ext, EMIT_R8);
        rewrite_set_stack(r, EMIT_R8);
    } else {
        emit_op_reg(&r->emit, op, ext, reg);
    }
    return true;
}

bool rewrite_inc(struct rewrite *r, const struct isa_insn *insn)
{
    return step(r, insn, 0);
}

bool rewrite_dec(struct rewrite *r, const struct isa_insn *insn)
{
    return step(r, insn, 1);
}

/* mov between the accumulator and an absolute address: the host's form has a 64-bit address. */
static bool mov_absolute(struct rewrite *r, const struct isa_insn *insn)
{
    bool store_it = insn->row->op[0].method == ISA_M_O;
    unsigned width = insn->row->op[store_it ? 0 : 1].width;
    struct emit_mem mem;
    if (!rewrite_mem(r, insn, false, &mem))
        return false;
    if (width == ISA_W_b)
        emit_op_mem(&r->emit, store_it ? &op_store_byte : &op_load_byte, EMIT_RAX, &mem);
    else if (store_it)
        store(r, &mem, EMIT_RAX, insn->opsize);
    else
        load(r, EMIT_RAX, &mem, insn->opsize);
    return true;
}

bool rewrite_mov(struct rewrite *r, const struct isa_insn *insn)
{
    const struct isa_operand_spec *op = insn->row->op;
    if (op[0].method == ISA_M_O || op[1].method == ISA_M_O)
        return mov_absolute(r, insn);
    bool between = insn->modrm_at && !insn->has_mem && op[0].width == ISA_W_v &&
                   op[1].width == ISA_W_v && insn->opsize == 4;
    unsigned dst = op[0].method == ISA_M_G ? insn->reg : insn->rm;
    unsigned src = op[1].method == ISA_M_G ? insn->reg : insn->rm;
    struct emit_mem esp = emit_at(EMIT_RSP, r->delta);

    if (between && dst == ISA_ESP && src != ISA_ESP)
        rewrite_set_stack(r, src);
    else if (between && src == ISA_ESP && dst != ISA_ESP && r->delta)
        emit_lea32(&r->emit, dst, &esp);
    else
        return rewrite_plain(r, insn);
    return true;
}

/* lea computes with guest registers, no window; the result is truncated by its width. */
bool rewrite_lea(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->adsize != 4)
        return false;
    struct emit_mem mem = {
        .base = insn->base == ISA_NOREG ? EMIT_NOREG : insn->base,
        .index = insn->index == ISA_NOREG ? EMIT_NOREG : insn->index,
        .scale = insn->scale ? insn->scale : 1,
        .disp = (int32_t)(insn->disp + (insn->base == ISA_ESP ? (uint32_t)r->delta : 0)),
    };
    int32_t step_by = (int32_t)insn->disp;
    if (insn->reg != ISA_ESP) {
        if (insn->opsize == 2)
            emit_op_mem(&r->emit, &op_lea_word, insn->reg, &mem);
        else
            emit_lea32(&r->emit, insn->reg, &mem);
        return true;
    }
    if (insn->opsize == 2)
        return false;
    if (insn->base == ISA_ESP && insn->index == ISA_NOREG && step_by < REWRITE_MAX_DELTA / 2 &&
        step_by > -REWRITE_MAX_DELTA / 2) {
        rewrite_move_stack(r, step_by);
        return true;
    }
    emit_lea32(&r->emit, EMIT_R8, &mem);
    rewrite_set_stack(r, EMIT_R8);
    return true;
}
