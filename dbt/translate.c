/* SPDX-License-Identifier: MIT */
/* The passes in their order; and what becomes of a block that outgrows its room. */
#include "dbt/translate.h"

#include "emu/cpu/debug.h"

/* Each instruction may have a way out of its own. */
#define WATCH_MAX_INSNS 16u

static bool has_page(const struct scan *scan, uint32_t page)
{
    for (unsigned i = 0; i < scan->pages; i++)
        if (scan->page[i] == page)
            return true;
    return false;
}

/* Does it end soon, in an indirect jump, and on the block's own pages? */
static bool is_tail(const struct scan *scan, const struct scan *tail)
{
    const struct isa_insn *last = &tail->at[tail->count - 1].insn;
    bool indirect = last->row->sem == ISA_SEM_RET ||
                    (last->row->sem == ISA_SEM_JMP && last->row->op[0].method != ISA_M_J);
    for (unsigned i = 0; i < tail->pages; i++)
        if (!has_page(scan, tail->page[i]))
            return false;
    return indirect;
}

/* A tail has no more instructions than this, and a block with its tails no more than any block. */
#define TAIL_INSNS 12u

static void find_tails(struct scan_tails *tails, const struct scan *scan, const struct image *image,
                       const struct ram *ram)
{
    unsigned total = scan->count;
    for (unsigned i = 0; i < scan->count && tails->count < SCAN_TAILS; i++) {
        const struct isa_insn *insn = &scan->at[i].insn;
        struct scan_tail *tail = &tails->at[tails->count];
        uint32_t eip = scan->at[i].eip + insn->len + insn->imm;
        bool forward = insn->row->sem == ISA_SEM_JCC && insn->opsize == 4 && (int32_t)insn->imm > 0;
        if (!forward || total + TAIL_INSNS > BLOCK_MAX_INSNS ||
            (image->debug && cpu_debug_divides(image->debug, eip)))
            continue;
        scan_run(&tail->scan, image, ram, eip, TAIL_INSNS, false);
        if (!tail->scan.count || !is_tail(scan, &tail->scan))
            continue;
        tail->index = i;
        total += tail->scan.count;
        tails->count++;
    }
}

static void begin(struct rewrite *r, struct image *image, const struct scan *scan,
                  const struct scan_tails *tails, struct block *block, uint16_t exact)
{
    r->image = image;
    r->scan = scan;
    r->tails = tails;
    r->block = block;
    r->index = 0;
    r->delta = 0;
    r->touched = false;
    r->ended = false;
    r->exact = exact != 0;
    r->counting = image->counting && !exact;
    r->counted = 0;
    r->way = (struct rewrite_way){.end = 0};
    r->full = false;
    r->exits = 0;
    block->eip = scan->at[0].eip;
    block->exact = exact;
    block->pages = (uint8_t)scan->pages;
    for (unsigned i = 0; i < scan->pages; i++)
        block->page_number[i] = scan->page[i];
}

static void rewrite_body(struct rewrite *r)
{
    const struct scan *scan = r->scan;
    rewrite_begin_count(r);
    rewrite_hit_block(r, scan->at[0].eip);
    for (unsigned i = 0; i < scan->count && !r->ended; i++) {
        r->index = i;
        rewrite_insn(r);
        r->block->guest_len += scan->at[i].insn.len;
    }
    if (!r->ended) {
        rewrite_hit_way(r, rewrite_eip(r), scan->next);
        rewrite_jump_to(r, scan->next);
    }
}

static bool rewrite_block(struct rewrite *r)
{
    rewrite_body(r);
    return !r->emit.full && !r->full && rewrite_exits(r);
}

struct block *translate_block(struct image *image, const struct ram *ram, uint32_t eip,
                              uint16_t exact, bool *again)
{
    struct scan scan;
    struct scan_tails tails;
    struct rewrite r;
    unsigned most = image->watches ? WATCH_MAX_INSNS : BLOCK_MAX_INSNS;
    unsigned limit = exact && exact < most ? exact : most;

    *again = false;
    tails.count = 0;
    scan_run(&scan, image, ram, eip, limit, exact != 0);
    if (!scan.count)
        return NULL;
    if (image->counting && !exact && !image->watches && !image->coverage && !image->hits)
        find_tails(&tails, &scan, image, ram);
    struct block *block = image_block_open(image, &r.emit);
    if (block) {
        begin(&r, image, &scan, &tails, block, exact);
        if (rewrite_block(&r))
            return block;
    }
    *again = true;
    return NULL;
}
