/* SPDX-License-Identifier: MIT */
/*
 * Blocks that count how often control came by, for fuzzers (dbt_hits). A counter is a byte at a
 * constant place below the dispatch table, so counting needs no address, and without flags it is
 * three instructions. The way that a branch takes is the entry of the block it leads to; the one
 * that it does not take has a counter of its own, which tells the two apart where both lead to
 * blocks that others enter, too.
 */
#include "dbt/rewrite.h"

/* Spreads addresses, whose low bits say little, over the counters. */
static int32_t place_of(uint32_t from, uint32_t to)
{
    uint32_t hash = (from * 0x9e3779b1u) ^ (to * 0x85ebca6bu);
    return (int32_t)(hash >> 16) - (int32_t)IMAGE_HITS_BELOW;
}

static void emit_hit(struct rewrite *r, int32_t place)
{
    static const struct emit_op movzx_byte = {.map = ISA_MAP_0F, .opcode = 0xb6};
    static const struct emit_op store_byte = {.opcode = 0x88};
    struct emit_mem at = emit_at(EMIT_R14, place), more = emit_at(EMIT_R8, 1);
    emit_op_mem(&r->emit, &movzx_byte, EMIT_R8, &at);
    emit_lea32(&r->emit, EMIT_R8, &more);
    emit_op_mem(&r->emit, &store_byte, EMIT_R8, &at);
}

void rewrite_hit_block(struct rewrite *r, uint32_t eip)
{
    if (!r->image->hits || r->exact)
        return;
    rewrite_mark(r, eip);
    emit_hit(r, place_of(0, eip));
}

void rewrite_hit_way(struct rewrite *r, uint32_t from, uint32_t to)
{
    const struct isa_insn *last = &r->scan->at[r->scan->count - 1].insn;
    if (!r->image->hits || r->exact || !(last->row->attr & ISA_T_BRANCH))
        return;
    emit_hit(r, place_of(from, to));
}
