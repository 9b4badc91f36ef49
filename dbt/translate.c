/* SPDX-License-Identifier: MIT */
/* The passes in their order; and what becomes of a block that outgrows its room. */
#include "dbt/translate.h"

/* Each instruction may have a way out of its own. */
#define WATCH_MAX_INSNS 16u

static void begin(struct rewrite *r, struct image *image, const struct scan *scan,
                  struct block *block, uint16_t exact)
{
    r->image = image;
    r->scan = scan;
    r->block = block;
    r->index = 0;
    r->delta = 0;
    r->touched = false;
    r->ended = false;
    r->exact = exact != 0;
    r->counting = image->counting && !exact;
    r->counted = 0;
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
    rewrite_check_budget(r);
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
    struct rewrite r;
    unsigned most = image->watches ? WATCH_MAX_INSNS : BLOCK_MAX_INSNS;
    unsigned limit = exact && exact < most ? exact : most;

    *again = false;
    scan_run(&scan, image, ram, eip, limit, exact != 0);
    if (!scan.count)
        return NULL;
    struct block *block = image_block_open(image, &r.emit);
    if (block) {
        begin(&r, image, &scan, block, exact);
        if (rewrite_block(&r))
            return block;
    }
    *again = true;
    return NULL;
}
