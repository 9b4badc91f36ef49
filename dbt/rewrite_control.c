/* SPDX-License-Identifier: MIT */
/*
 * Control transfer. Direct targets are chained from block to block; indirect
 * ones, returns among them, go through the dispatch table. The host's own call
 * and return are never used: its stack is the guest's.
 *
 * Conditions are tested by the guest's own condition code or by JRCXZ, which
 * needs no flags.
 */
#include "dbt/rewrite.h"

static bool is_followed(const struct rewrite *r, uint32_t target)
{
    return r->index + 1 < r->scan->count && r->scan->at[r->index + 1].eip == target;
}

static uint32_t relative_target(const struct rewrite *r, const struct isa_insn *insn)
{
    return rewrite_next_eip(r) + insn->imm;
}

/* An indirect target into r9; before anything changes. */
static bool load_target(struct rewrite *r, const struct isa_insn *insn)
{
    struct emit_mem mem;
    if (!insn->has_mem) {
        mem = emit_at(EMIT_RSP, r->delta);
        if (insn->rm == ISA_ESP)
            emit_lea32(&r->emit, EMIT_R9, &mem);
        else
            emit_mov32(&r->emit, EMIT_R9, insn->rm);
        return true;
    }
    if (!rewrite_mem(r, insn, false, &mem))
        return false;
    emit_load32(&r->emit, EMIT_R9, &mem);
    return true;
}

bool rewrite_jmp(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->opsize != 4)
        return false;
    if (insn->row->op[0].method == ISA_M_J) {
        uint32_t target = relative_target(r, insn);
        if (!is_followed(r, target))
            rewrite_jump_to(r, target);
        return true;
    }
    if (!load_target(r, insn))
        return false;
    rewrite_jump_r9(r);
    return true;
}

bool rewrite_jcc(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->opsize != 4)
        return false;
    rewrite_branch_to(r, insn->cc, relative_target(r, insn));
    return true;
}

static void push_return(struct rewrite *r)
{
    struct emit_mem top = rewrite_stack(r, -4);
    emit_store_imm32(&r->emit, &top, rewrite_next_eip(r));
    rewrite_move_stack(r, -4);
}

bool rewrite_call(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->opsize != 4)
        return false;
    if (insn->row->op[0].method == ISA_M_J) {
        uint32_t target = relative_target(r, insn);
        push_return(r);
        if (!is_followed(r, target))
            rewrite_jump_to(r, target);
        return true;
    }
    if (!load_target(r, insn))
        return false;
    push_return(r);
    rewrite_jump_r9(r);
    return true;
}

bool rewrite_ret(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->opsize != 4)
        return false;
    struct emit_mem top = rewrite_stack(r, 0);
    emit_load32(&r->emit, EMIT_R9, &top);
    r->delta += 4;
    if (insn->row->op[0].method == ISA_M_I)
        r->delta += (int32_t)(insn->imm & 0xffff);
    rewrite_jump_r9(r);
    return true;
}

bool rewrite_jcxz(struct rewrite *r, const struct isa_insn *insn)
{
    if (insn->opsize != 4 || insn->adsize != 4)
        return false;
    rewrite_settle(r);
    rewrite_count(r, r->index + 1);
    uint32_t taken = emit_jrcxz(&r->emit);
    uint32_t over = emit_jmp8(&r->emit);
    emit_fix8(&r->emit, taken, r->emit.at);
    rewrite_jump_to(r, relative_target(r, insn));
    emit_fix8(&r->emit, over, r->emit.at);
    r->ended = false;
    return true;
}

enum { LOOP_ALWAYS, LOOP_WHILE_ZERO, LOOP_WHILE_NONZERO };

/* ecx counts down without touching flags; the branch is taken when it is not zero and the zero flag
 * is as wanted. */
static bool count_down(struct rewrite *r, const struct isa_insn *insn, int kind)
{
    struct emit *e = &r->emit;
    struct emit_mem less = emit_at(EMIT_RCX, -1);
    uint32_t done_flag = 0;
    if (insn->opsize != 4 || insn->adsize != 4)
        return false;
    rewrite_settle(r);
    rewrite_count(r, r->index + 1);
    emit_lea32(e, EMIT_RCX, &less);
    if (kind != LOOP_ALWAYS)
        done_flag = emit_jcc8(e, kind == LOOP_WHILE_ZERO ? EMIT_NE : EMIT_E);
    uint32_t done_count = emit_jrcxz(e);
    rewrite_jump_to(r, relative_target(r, insn));
    if (kind != LOOP_ALWAYS)
        emit_fix8(e, done_flag, e->at);
    emit_fix8(e, done_count, e->at);
    r->ended = false;
    return true;
}

bool rewrite_loop(struct rewrite *r, const struct isa_insn *insn)
{
    return count_down(r, insn, LOOP_ALWAYS);
}

bool rewrite_loope(struct rewrite *r, const struct isa_insn *insn)
{
    return count_down(r, insn, LOOP_WHILE_ZERO);
}

bool rewrite_loopne(struct rewrite *r, const struct isa_insn *insn)
{
    return count_down(r, insn, LOOP_WHILE_NONZERO);
}
