/* SPDX-License-Identifier: MIT */
/*
 * Counting blocks. A block pays for the whole way through it at once; what
 * leaves earlier goes through a piece behind the block, which gives the rest
 * back. Where that way is short and ends in an indirect jump, as a function's
 * early return does, the piece holds all of it (a tail), and one step of the counter
 * gives back and pays.
 *
 * A block begins only where the budget surely holds all of it (image.h).
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
 * Counts the instructions from here to where the way through the block ends, as
 * if it were taken; an exit before that gives back what was not done. One step
 * of the counter for a whole block, and none between a comparison and its branch.
 */
void rewrite_pay_ahead(struct rewrite *r)
{
    unsigned to = r->index;
    bool ends = false, with = false;
    if (!r->counting || r->counted > r->index)
        return;
    while (to < r->scan->count && !ends) {
        ends = ends_way(&r->scan->at[to], &with);
        to += !ends || with;
    }
    if (to > r->index)
        rewrite_count(r, to);
}

void rewrite_count(struct rewrite *r, unsigned done)
{
    struct emit_mem less = emit_at(EMIT_R12, (int32_t)r->counted - (int32_t)done);
    if (!r->counting || done == r->counted)
        return;
    emit_lea32(&r->emit, EMIT_R12, &less);
    r->counted = done;
}

/* A load that faults if the budget is small (image.h); fault.c leaves then. */
void rewrite_check_budget(struct rewrite *r)
{
    static const struct emit_op movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
    struct emit_mem at = emit_at_index(EMIT_R14, EMIT_R12, 1, -(int32_t)(IMAGE_RAMP + IMAGE_SLACK));
    if (!r->counting)
        return;
    rewrite_mark(r, rewrite_eip(r));
    emit_op_mem(&r->emit, &movzx_byte, EMIT_R11, &at);
    r->block->check_len = (uint8_t)(r->emit.at - r->block->host);
}

static const struct scan *tail_of(const struct rewrite *r, const struct rewrite_exit *exit)
{
    for (unsigned i = 0; i < r->tails->count; i++)
        if (r->tails->at[i].index == exit->index)
            return &r->tails->at[i].scan;
    return NULL;
}

/* The rest of the way, up to its end. */
static void emit_tail(struct rewrite *r, const struct scan *tail)
{
    r->scan = tail;
    r->delta = 0;
    r->touched = false;
    r->counted = tail->count;
    r->ended = false;
    for (unsigned i = 0; i < tail->count && !r->ended; i++) {
        r->index = i;
        rewrite_insn(r);
    }
    if (!r->ended)
        rewrite_jump_to(r, tail->next);
}

static void emit_refund(struct rewrite *r, unsigned n, const struct scan *tail)
{
    struct emit *e = &r->emit;
    uint32_t from = r->exit[n].field, here = e->at;
    int32_t more = (int32_t)r->exit[n].refund - (int32_t)(tail ? tail->count : 0);
    struct emit_mem left = emit_at(EMIT_R12, more);
    if (more)
        emit_lea32(e, EMIT_R12, &left);
    r->exit[n].inside = tail != NULL;
    if (tail)
        emit_tail(r, tail);
    else
        r->exit[n].field = emit_jmp(e, e->at);
    if (!e->full)
        emit_patch32(e->base, from, here);
}

void rewrite_refunds(struct rewrite *r)
{
    unsigned body = r->exits;
    for (unsigned i = 0; i < r->exits; i++)
        if (r->exit[i].refund)
            emit_refund(r, i, i < body ? tail_of(r, &r->exit[i]) : NULL);
}
