/* SPDX-License-Identifier: MIT */
/*
 * Counting blocks. Each way through a block is counted by one step, as late as
 * may be; what leaves before that pays for itself, and what leaves later
 * is given back, in a piece behind the block. Where such a way is short and ends in
 * an indirect jump, as a function's early return does, the piece holds all of
 * it (a tail), and is counted by the same step.
 *
 * Each way also asks whether the budget is used up (image.h). Before an instruction
 * that writes all flags anew the step may be a subtraction, and a branch that is taken
 * only at the end asks: one micro-operation for the host. Else a load at the block's
 * start does, which a jump from a lower rank leaves out.
 */
#include "dbt/rewrite.h"

/* Where the way to instruction `at` ends for counting: the branch back of a loop, which is taken
 * more often than not, and what ends the block; `*with`: it is counted with what is before it. */
static bool ends_way(const struct scan_insn *at, bool *with)
{
    uint32_t attr = at->insn.row->attr;
    *with = true;
    if (at->insn.row->sem == ISA_SEM_JCC)
        return (int32_t)at->insn.imm < 0;
    if (at->insn.row->sem == ISA_SEM_JMP)
        return false;
    *with = false;
    return (attr & (ISA_T_BRANCH | ISA_T_END | ISA_T_IO | ISA_T_PRIV | ISA_T_VIRTUAL)) != 0;
}

/*
 * The way that begins at the present instruction. It is counted behind its last
 * branch out, so that none has anything to give back, and never between a
 * comparison and its branch.
 */
static struct rewrite_way find_way(const struct rewrite *r)
{
    struct rewrite_way way = {.end = r->index, .paid = r->index};
    bool ends = false, with = false;
    while (way.end < r->scan->count && !ends) {
        const struct scan_insn *at = &r->scan->at[way.end];
        ends = ends_way(at, &with);
        way.end += !ends || with;
        if (!ends && at->insn.row->sem == ISA_SEM_JCC)
            way.paid = way.end;
    }
    return way;
}

/* The last place on the way where a subtraction hurts nobody. */
static void find_place_to_ask(const struct rewrite *r, struct rewrite_way *way)
{
    for (unsigned i = way->end; i-- > r->index && !way->asks;)
        if (r->scan->at[i].renews_flags) {
            way->paid = i;
            way->asks = true;
        }
}

/* A load that faults if the budget is small (image.h); fault.c leaves then. */
static void ask_by_load(struct rewrite *r, uint32_t eip, int uncounted)
{
    static const struct emit_op movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
    struct emit_mem at = emit_at_index(EMIT_R14, EMIT_R12, 1, -(int32_t)IMAGE_RAMP);
    struct side *side = rewrite_mark_uncounted(r, eip, uncounted);
    if (side)
        side->asks = true;
    emit_op_mem(&r->emit, &movzx_byte, EMIT_R11, &at);
}

/* r12 moves by `by`. */
static void move_count(struct emit *e, int32_t by)
{
    struct emit_mem at = emit_at(EMIT_R12, by);
    if (by)
        emit_lea64(e, EMIT_R12, &at);
}

void rewrite_begin_count(struct rewrite *r)
{
    if (!r->counting)
        return;
    r->way = find_way(r);
    find_place_to_ask(r, &r->way);
    if (r->way.asks)
        return;
    ask_by_load(r, rewrite_eip(r), 0);
    r->block->check_len = (uint8_t)(r->emit.at - r->block->host);
}

void rewrite_pay(struct rewrite *r)
{
    if (!r->counting)
        return;
    if (r->way.end <= r->index)
        r->way = find_way(r);
    if (r->way.end > r->index && r->way.paid == r->index && !r->way.asks)
        rewrite_count(r, r->way.end);
}

void rewrite_ask(struct rewrite *r)
{
    static const struct emit_op sub_imm8 = {.opcode = 0x83, .wide = true};
    struct emit *e = &r->emit;
    if (!r->counting || !r->way.asks || r->way.paid != r->index)
        return;
    emit_op_reg(e, &sub_imm8, 5, EMIT_R12);
    emit_u8(e, (uint8_t)((int)r->way.end - r->counted));
    r->counted = (int)r->way.end;
    rewrite_add_exit(r, emit_jcc_for_good(e, EMIT_L),
                     (struct rewrite_exit){.eip = rewrite_eip(r),
                                           .index = (uint8_t)r->index,
                                           .reason = STUB_ASKED,
                                           .refund = (int8_t)(r->way.end - r->index),
                                           .delta = (int16_t)r->delta,
                                           .touched = r->touched});
}

void rewrite_count(struct rewrite *r, unsigned done)
{
    if (!r->counting)
        return;
    move_count(&r->emit, r->counted - (int32_t)done);
    r->counted = (int)done;
}

void rewrite_unask(struct rewrite *r, struct emit *stub, const struct rewrite_exit *exit)
{
    struct emit body = r->emit;
    r->emit = *stub;
    r->delta = exit->delta;
    r->touched = exit->touched;
    rewrite_settle(r);
    move_count(&r->emit, exit->refund);
    *stub = r->emit;
    r->emit = body;
}

static const struct scan *tail_of(const struct rewrite *r, const struct rewrite_exit *exit)
{
    for (unsigned i = 0; i < r->tails->count; i++)
        if (r->tails->at[i].index == exit->index)
            return &r->tails->at[i].scan;
    return NULL;
}

/* The rest of the way, up to its end. */
static void emit_tail(struct rewrite *r, const struct scan *tail, const struct rewrite_exit *exit)
{
    r->scan = tail;
    r->index = 0;
    r->delta = 0;
    r->touched = false;
    r->counted = exit->refund;
    r->way = find_way(r);
    r->ended = false;
    if (exit->unasked)
        find_place_to_ask(r, &r->way);
    if (exit->unasked && !r->way.asks)
        ask_by_load(r, exit->eip, -exit->refund);
    for (unsigned i = 0; i < tail->count && !r->ended; i++) {
        r->index = i;
        rewrite_insn(r);
    }
    if (!r->ended)
        rewrite_jump_to(r, tail->next);
}

/* What lies behind the block for the n-th exit. */
static void emit_way_out(struct rewrite *r, unsigned n, const struct scan *tail)
{
    struct emit *e = &r->emit;
    struct rewrite_exit exit = r->exit[n];
    uint32_t here = e->at;
    r->exit[n].inside = tail != NULL;
    if (tail) {
        emit_tail(r, tail, &exit);
    } else {
        r->delta = 0;
        if (exit.unasked)
            ask_by_load(r, exit.eip, -exit.refund);
        move_count(e, exit.refund);
        r->exit[n].field = emit_jmp(e, e->at);
    }
    if (!e->full)
        emit_patch32(e->base, exit.field, here);
}

void rewrite_refunds(struct rewrite *r)
{
    unsigned body = r->exits;
    for (unsigned i = 0; i < r->exits; i++)
        if (r->exit[i].refund && r->exit[i].reason != STUB_ASKED)
            emit_way_out(r, i, i < body ? tail_of(r, &r->exit[i]) : NULL);
}
