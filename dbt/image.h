/* SPDX-License-Identifier: MIT */
/*
 * An image: the translations of one body of guest code, shared by the
 * processors whose memory holds that code. It owns the code cache, the
 * dispatch table (guest address to place in the cache), the index of blocks by
 * guest page, and the direct jumps between blocks.
 *
 * Everything here is under `lock`, except that translated code reads the
 * dispatch table and runs the cache without it. Whoever removes blocks first
 * stops the other processors of the image (image_halt).
 *
 * A page with translations is marked as code in the RAM of every member, and
 * its bytes were the same in all of them when it was marked.
 */
#ifndef DENALI_DBT_IMAGE_H
#define DENALI_DBT_IMAGE_H

#include "dbt/cache.h"
#include "dbt/dbt.h"
#include "dbt/emit.h"
#include "dbt/verify.h"
#include "emu/base/host_thread.h"
#include "emu/cpu/engine.h"

#define BLOCK_MAX_INSNS 64u
#define BLOCK_MAX_PAGES 4u
#define BLOCK_MAX_EXITS 40u
#define BLOCK_RANKS 4u
#define BLOCK_MAX_SIDES (2 * BLOCK_MAX_INSNS)

/* Where a guest instruction begins in a block's host code, and what memory says differently from
 * the host registers there. */
struct side {
    uint16_t host; /* from the block's start */
    int16_t delta; /* guest esp = rsp + delta */
    uint32_t eip;
    /* of counting blocks: instructions done, not yet taken off r12; below 0: the other way round */
    int8_t uncounted;
    bool asks;            /* begins with a load that faults where the budget is short */
    uint8_t len : 7;      /* of the guest instruction */
    uint8_t leads_on : 1; /* a direct jump or call: the block goes on where it leads */
};

/* A direct jump out of a block. `block` is what it is chained to, if anything. */
struct exit {
    uint32_t field;            /* rel32 in the cache */
    uint32_t stub;             /* where it goes while not chained */
    uint32_t eip;              /* the guest target */
    struct exit *next, **link; /* among the exits chained to one block */
};

struct page_link {
    struct page_link *next, **link; /* among the blocks of one page */
    struct block *block;
};

struct block {
    uint32_t eip;
    uint32_t host, host_len;
    uint32_t stubs, stubs_len; /* of its exits */
    uint16_t sides, exits;
    uint8_t pages;
    uint8_t rank;      /* below BLOCK_RANKS; see IMAGE_SLACK */
    uint8_t check_len; /* of counting blocks that ask at their start: bytes of host code that do */
    bool dead;
    uint16_t exact; /* 0, or: not chained, runs at most this many instructions */
    uint32_t guest_len;
    struct side *side; /* ascending; the last is a sentinel at the end of the body */
    struct exit *exit;
    struct exit *incoming;
    struct page_link page[BLOCK_MAX_PAGES];
    uint32_t page_number[BLOCK_MAX_PAGES];
    struct block *hash_next; /* exact blocks */
};

/* What one segment of the cache holds: blocks from the bottom up, their exits' stubs, which run
 * once, from the top down. Arrays are in address order. */
struct segment {
    uint32_t at, stubs_at;
    uint32_t blocks, sides, exits;
};

#define IMAGE_EXACT_BUCKETS 32768u

/* Offsets of the stubs, see stub.h. */
struct stubs {
    uint32_t miss, chain, exact, leave, after_save, stop, enter, enter_end;
};

struct dbt_cpu;

/* [low, low + 2^shift): an access that begins there may touch what is watched. */
#define IMAGE_WATCHES 4u
struct image_watch {
    uint32_t low;
    uint8_t shift;
};

struct image {
    struct host_lock lock;
    struct image *next; /* in the engine */
    uint64_t key;       /* 0: private */
    struct cpu_flat flat;
    bool virtual_tsc;
    bool counting;                 /* blocks count their instructions */
    const struct cpu_debug *debug; /* of a private image's only member: divides blocks; NULL */
    unsigned watches; /* blocks look whether they write there (rewrite_watch.c); 0: they do not */
    bool watch_reads; /* and whether they read there */
    struct image_watch watch[IMAGE_WATCHES];
    struct engine_coverage *coverage; /* NULL, or: only direct jumps are followed, and it hears */
    uint8_t *hits; /* NULL, or: blocks are basic ones, and count themselves here (rewrite_hits.c) */
    struct dbt_cpu *members;
    bool halted; /* nobody may enter the cache */

    struct cache cache;
    struct stubs stubs;
    uint64_t *table;          /* 4 Gi entries: host address; see image_entry */
    struct page_link **pages; /* by page number */
    uint32_t *log;            /* pages in the order in which they got their first block */
    uint32_t log_end;
    uint8_t *page_copy; /* of shared images: bytes of the pages in the log */
    uint8_t *page_heat; /* how often its blocks were dropped because of a write */
    struct segment segment[CACHE_SEGMENTS];
    unsigned current;
    uint32_t block_cap, side_cap, exit_cap; /* of one segment */
    struct block *blocks;
    struct side *sides;
    struct exit *exits;
    struct block *exact[IMAGE_EXACT_BUCKETS];
    uint64_t removals; /* counts removed blocks: a saved reference is good while it stands */
    struct engine_counters counters;
    struct verifier *verifier; /* NULL: translations are not verified */
};

/*
 * The dispatch table has an entry for each guest address: the host address of
 * the block that begins there, else that of the miss stub. Of guest pages that
 * never had a block the entries are 0, which costs no memory; a jump there
 * faults at address 0, and fault.c makes it a miss.
 */
static inline uint32_t image_entry(const struct image *image, uint32_t eip)
{
    uint64_t at = __atomic_load_n(&image->table[eip], __ATOMIC_ACQUIRE);
    return at ? (uint32_t)(at - (uint64_t)(uintptr_t)image->cache.rx) : 0; /* the miss stub is 0 */
}

/* Negative errno. */
MUST_CHECK int image_create(uint64_t key, const struct cpu *cpu, uint64_t cache_bytes,
                            struct image **out);
void image_destroy(struct image *image);

/*
 * Counting blocks ask whether r12, the budget less IMAGE_SLACK, is not below 0. Within the block
 * where nothing depends on the flags, by the subtraction that counts; else at its start, by a load
 * below the dispatch table, which faults: the ramp is readable, one page everywhere, so that
 * it costs the host's caches no more than that; below it nothing is accessible. So a budget of
 * blocks is below IMAGE_RAMP, less a page for the load's own bytes. A direct jump to a block of
 * higher rank goes behind the question at that block's start: from one question to the next control
 * comes through at most one block of each rank, and through the first part of one that asks within.
 */
#define IMAGE_SLACK ((BLOCK_RANKS + 1) * BLOCK_MAX_INSNS)
/* With less than this exact blocks go on: no block's first step asks for more than is left. */
#define IMAGE_BUDGET_MIN (IMAGE_SLACK + BLOCK_MAX_INSNS)
#define IMAGE_RAMP ((uint32_t)MIB)
#define IMAGE_BUDGET_MAX (IMAGE_RAMP - PAGE_SIZE)
MUST_CHECK int image_make_ramp(struct image *image);

/* The counters of dbt_hits lie below that, IMAGE_HITS_BELOW bytes below the table. */
#define IMAGE_HITS DBT_HITS
#define IMAGE_HITS_BELOW (IMAGE_RAMP + PAGE_SIZE + IMAGE_HITS)
MUST_CHECK int image_make_hits(struct image *image);

/* All below: inside the lock. */

/* The block whose host code holds `host`; NULL for stubs and gaps. Also from a signal
 * handler of a thread that is inside the cache. */
struct block *image_block_at(const struct image *image, uint32_t host);

/* The side entry of the instruction that `host` (an offset in the cache) belongs to. */
const struct side *block_side_at(const struct block *block, uint32_t host);

/*
 * A block under construction at the end of the current segment, with `emit` on
 * the room that is left. NULL when the segment's arrays are full. The caller
 * fills it and publishes it, or forgets it.
 */
struct block *image_block_open(struct image *image, struct emit *emit);
/* Room for the open block's stubs, beyond what `emit` has room for. */
bool image_block_stubs(struct image *image, const struct emit *emit, uint32_t bytes,
                       struct emit *stubs);
/* Turns to the oldest segment and empties it. All other members are halted. */
void image_segment_next(struct image *image);
/* Makes the open block findable: by the table or the exact hash, and by its pages. */
void image_block_publish(struct image *image, struct block *block);
struct block *image_find(const struct image *image, uint32_t eip);
struct block *image_find_exact(const struct image *image, uint32_t eip, uint32_t exact);

void image_chain(struct image *image, struct exit *exit, struct block *target);

/* Notes that a page gets its first block. */
void image_log_page(struct image *image, uint32_t page);
/* Removes every block that touches the page. True if there was one. */
bool image_remove_page(struct image *image, uint32_t page);
/* The same because the code is to be divided anew: nobody has written. */
void image_retranslate_page(struct image *image, uint32_t page);
/* Blocks made from now on look for writes to this range, and with `watch_reads` for reads. False:
 * it does not fit. */
bool image_watch_at(struct image *image, uint32_t linear, uint32_t len);
bool image_page_has_blocks(const struct image *image, uint32_t page);

uint32_t image_exit_id(const struct image *image, const struct exit *exit);
struct exit *image_exit_of(struct image *image, uint32_t id);

#endif
