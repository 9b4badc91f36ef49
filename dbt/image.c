/* SPDX-License-Identifier: MIT */
/*
 * Blocks and how they are found: by guest address (dispatch table), by host
 * address (segments are filled in address order, so a binary search), by guest
 * page, by incoming jumps.
 *
 * The big arrays are reservations: they take memory only as far as they are
 * used. A removed block's host code stays where it is until its segment is
 * emptied; nothing leads to it any more.
 */
#include "dbt/image.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>

#include "dbt/engine_state.h"
#include "emu/base/host.h"

#define TABLE_BYTES (32 * GIB)
#define PAGE_COUNT (1u << 20)
#define LOG_ENTRIES (4 * PAGE_COUNT)
#define BLOCK_ALIGN 64u /* a cache line: where a block lies in one must not decide its speed */

static int reserve_array(void *out_ptr, uint64_t bytes)
{
    void **out = out_ptr;
    bytes = (bytes + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
    int err = host_reserve(bytes, PAGE_SIZE, out);
    if (err)
        return err;
    err = host_commit(*out, bytes, HOST_R | HOST_W);
    if (err) {
        host_release(*out, bytes);
        *out = NULL;
    }
    return err;
}

static void release_array(void *array, uint64_t bytes)
{
    if (array)
        host_release(array, (bytes + PAGE_MASK) & ~(uint64_t)PAGE_MASK);
}

static uint64_t blocks_bytes(const struct image *image)
{
    return (uint64_t)image->block_cap * CACHE_SEGMENTS * sizeof(struct block);
}

static uint64_t sides_bytes(const struct image *image)
{
    return (uint64_t)image->side_cap * CACHE_SEGMENTS * sizeof(struct side);
}

static uint64_t exits_bytes(const struct image *image)
{
    return (uint64_t)image->exit_cap * CACHE_SEGMENTS * sizeof(struct exit);
}

/* Below the table: the counters, a page that is never accessible, and the ramp. */
#define BELOW_TABLE IMAGE_HITS_BELOW

static int reserve_table(struct image *image)
{
    void *raw;
    int err = host_reserve(BELOW_TABLE + TABLE_BYTES, PAGE_SIZE, &raw);
    if (err)
        return err;
    image->table = (uint64_t *)(void *)((uint8_t *)raw + BELOW_TABLE);
    return host_commit(image->table, TABLE_BYTES, HOST_R | HOST_W);
}

static int reserve_arrays(struct image *image)
{
    uint32_t bytes = image->cache.segment_bytes;
    image->block_cap = bytes / BLOCK_ALIGN;
    image->side_cap = bytes / 2 + BLOCK_MAX_SIDES;
    image->exit_cap = bytes / 8 + BLOCK_MAX_EXITS;
    int err = reserve_array(&image->blocks, blocks_bytes(image));
    if (!err)
        err = reserve_array(&image->sides, sides_bytes(image));
    if (!err)
        err = reserve_array(&image->exits, exits_bytes(image));
    if (!err)
        err = reserve_array(&image->pages, PAGE_COUNT * sizeof(image->pages[0]));
    if (!err)
        err = reserve_array(&image->page_heat, PAGE_COUNT);
    if (!err)
        err = reserve_array(&image->log, LOG_ENTRIES * sizeof(image->log[0]));
    if (!err && image->key)
        err = reserve_array(&image->page_copy, RAM_WINDOW);
    if (!err)
        err = reserve_table(image);
    return err;
}

int image_make_ramp(struct image *image)
{
    int fd = host_memobj_create("denali-ramp", PAGE_SIZE);
    int err = fd < 0 ? fd : 0;
    uint8_t *ramp = (uint8_t *)image->table - IMAGE_RAMP;
    for (uint32_t at = 0; !err && at < IMAGE_RAMP; at += PAGE_SIZE)
        err = host_map_fd(ramp + at, PAGE_SIZE, HOST_R, fd, 0, true);
    if (fd >= 0)
        close(fd);
    return err;
}

int image_make_hits(struct image *image)
{
    uint8_t *hits = (uint8_t *)image->table - IMAGE_HITS_BELOW;
    int err = host_commit(hits, IMAGE_HITS, HOST_R | HOST_W);
    if (!err)
        image->hits = hits;
    return err;
}

static void segment_reset(struct image *image, unsigned n)
{
    image->segment[n] = (struct segment){
        .at = cache_segment_start(&image->cache, n),
        .stubs_at = cache_segment_start(&image->cache, n) + image->cache.segment_bytes,
    };
}

int image_create(uint64_t key, const struct cpu *cpu, uint64_t cache_bytes, struct image **out)
{
    struct image *image = calloc(1, sizeof(*image));
    if (!image)
        return -ENOMEM;
    image->key = key;
    image->virtual_tsc = cpu->virtual_tsc;
    if (cpu->flat)
        image->flat = *cpu->flat;
    int err = host_lock_init(&image->lock);
    if (err) {
        free(image);
        return err;
    }
    err = cache_init(&image->cache, cache_bytes);
    if (!err)
        err = reserve_arrays(image);
    if (err) {
        image_destroy(image);
        return err;
    }
    stub_emit_all(image);
    for (unsigned n = 0; n < CACHE_SEGMENTS; n++)
        segment_reset(image, n);
    *out = image;
    return 0;
}

void image_destroy(struct image *image)
{
    release_array(image->blocks, blocks_bytes(image));
    release_array(image->sides, sides_bytes(image));
    release_array(image->exits, exits_bytes(image));
    release_array(image->pages, PAGE_COUNT * sizeof(image->pages[0]));
    release_array(image->page_heat, PAGE_COUNT);
    release_array(image->log, LOG_ENTRIES * sizeof(image->log[0]));
    release_array(image->page_copy, RAM_WINDOW);
    if (image->table)
        host_release((uint8_t *)image->table - BELOW_TABLE, BELOW_TABLE + TABLE_BYTES);
    cache_fini(&image->cache);
    verifier_destroy(image->verifier);
    host_lock_fini(&image->lock);
    free(image);
}

/* Finding. */

static struct block *segment_blocks(const struct image *image, unsigned n)
{
    return image->blocks + (size_t)n * image->block_cap;
}

struct block *image_block_at(const struct image *image, uint32_t host)
{
    if (host < CACHE_STUB_BYTES || host >= image->cache.size)
        return NULL;
    unsigned n = (host - CACHE_STUB_BYTES) / image->cache.segment_bytes;
    if (n >= CACHE_SEGMENTS)
        return NULL;
    struct block *first = segment_blocks(image, n);
    uint32_t low = 0, high = image->segment[n].blocks;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (first[mid].host <= host)
            low = mid + 1;
        else
            high = mid;
    }
    if (!low || host - first[low - 1].host >= first[low - 1].host_len)
        return NULL;
    return &first[low - 1];
}

const struct side *block_side_at(const struct block *block, uint32_t host)
{
    uint32_t at = host - block->host;
    uint32_t low = 0, high = block->sides;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (block->side[mid].host <= at)
            low = mid + 1;
        else
            high = mid;
    }
    BUG_ON(!low, "a block begins with an instruction");
    return &block->side[low - 1];
}

struct block *image_find(const struct image *image, uint32_t eip)
{
    uint32_t host = image_entry(image, eip);
    return host ? image_block_at(image, host) : NULL;
}

static unsigned exact_bucket(uint32_t eip, uint32_t exact)
{
    return ((eip * 0x9e3779b1u) ^ (exact * 0x85ebca6bu)) >> 17 & (IMAGE_EXACT_BUCKETS - 1);
}

struct block *image_find_exact(const struct image *image, uint32_t eip, uint32_t exact)
{
    struct block *block = image->exact[exact_bucket(eip, exact)];
    while (block && (block->eip != eip || block->exact != exact))
        block = block->hash_next;
    return block;
}

uint32_t image_exit_id(const struct image *image, const struct exit *exit)
{
    return (uint32_t)(exit - image->exits);
}

struct exit *image_exit_of(struct image *image, uint32_t id)
{
    return &image->exits[id];
}

/* Making. */

struct block *image_block_open(struct image *image, struct emit *emit)
{
    unsigned n = image->current;
    struct segment *segment = &image->segment[n];
    if (segment->blocks >= image->block_cap || segment->sides + BLOCK_MAX_SIDES > image->side_cap ||
        segment->exits + BLOCK_MAX_EXITS > image->exit_cap)
        return NULL;

    uint32_t at = (segment->at + BLOCK_ALIGN - 1) & ~(BLOCK_ALIGN - 1);
    uint32_t end = segment->stubs_at;
    struct block *block = &segment_blocks(image, n)[segment->blocks];
    *block = (struct block){
        .host = at,
        .side = image->sides + (size_t)n * image->side_cap + segment->sides,
        .exit = image->exits + (size_t)n * image->exit_cap + segment->exits,
    };
    emit_begin(emit, image->cache.rw, at, end < at ? at : end);
    return block;
}

bool image_block_stubs(struct image *image, const struct emit *emit, uint32_t bytes,
                       struct emit *stubs)
{
    struct segment *segment = &image->segment[image->current];
    if (emit->full || segment->stubs_at - emit->at < bytes)
        return false;
    segment->stubs_at -= bytes;
    emit_begin(stubs, image->cache.rw, segment->stubs_at, segment->stubs_at + bytes);
    return true;
}

static void set_entry(struct image *image, uint32_t eip, uint32_t host)
{
    uint64_t at = (uint64_t)(uintptr_t)image->cache.rx + host;
    __atomic_store_n(&image->table[eip], at, __ATOMIC_RELEASE);
}

/* From now on a jump into this page that finds no block is a cheap miss. */
static void fill_entries(struct image *image, uint32_t page)
{
    uint32_t eip = page << PAGE_BITS;
    if (!image->table[eip])
        for (uint32_t i = 0; i < PAGE_SIZE; i++)
            set_entry(image, eip + i, 0);
}

static void page_link_insert(struct image *image, struct page_link *link, uint32_t page)
{
    struct page_link **head = &image->pages[page];
    fill_entries(image, page);
    link->next = *head;
    link->link = head;
    if (link->next)
        link->next->link = &link->next;
    *head = link;
}

static void page_link_remove(struct page_link *link)
{
    *link->link = link->next;
    if (link->next)
        link->next->link = link->link;
}

void image_block_publish(struct image *image, struct block *block)
{
    struct segment *segment = &image->segment[image->current];
    segment->at = block->host + block->host_len;
    segment->blocks++;
    segment->sides += block->sides;
    segment->exits += block->exits;
    for (unsigned i = 0; i < block->pages; i++) {
        block->page[i].block = block;
        page_link_insert(image, &block->page[i], block->page_number[i]);
    }
    if (block->exact) {
        struct block **head = &image->exact[exact_bucket(block->eip, block->exact)];
        block->hash_next = *head;
        *head = block;
    } else {
        set_entry(image, block->eip, block->host);
    }
    image->counters.blocks++;
    image->counters.guest_bytes += block->guest_len;
    image->counters.host_bytes += block->host_len;
}

/* Where a chained jump leads: behind the question for the budget, where that was asked already. */
static uint32_t chained_entry(const struct image *image, const struct exit *exit,
                              const struct block *target)
{
    const struct block *from = image_block_at(image, exit->field);
    return target->host + (from && from->rank < target->rank ? target->check_len : 0);
}

void image_chain(struct image *image, struct exit *exit, struct block *target)
{
    if (exit->link)
        return;
    exit->next = target->incoming;
    exit->link = &target->incoming;
    if (exit->next)
        exit->next->link = &exit->next;
    target->incoming = exit;
    emit_patch32(image->cache.rw, exit->field, chained_entry(image, exit, target));
}

static void exit_unchain(struct image *image, struct exit *exit)
{
    if (!exit->link)
        return;
    *exit->link = exit->next;
    if (exit->next)
        exit->next->link = exit->link;
    exit->link = NULL;
    emit_patch32(image->cache.rw, exit->field, exit->stub);
}

/* Removing. */

static void exact_remove(struct image *image, struct block *block)
{
    struct block **at = &image->exact[exact_bucket(block->eip, block->exact)];
    while (*at != block)
        at = &(*at)->hash_next;
    *at = block->hash_next;
}

static void block_remove(struct image *image, struct block *block)
{
    if (block->dead)
        return;
    block->dead = true;
    image->removals++;
    if (block->exact)
        exact_remove(image, block);
    else
        set_entry(image, block->eip, 0);
    while (block->incoming)
        exit_unchain(image, block->incoming);
    for (unsigned i = 0; i < block->exits; i++)
        exit_unchain(image, &block->exit[i]);
    for (unsigned i = 0; i < block->pages; i++)
        page_link_remove(&block->page[i]);
}

void image_segment_next(struct image *image)
{
    unsigned n = (image->current + 1) % CACHE_SEGMENTS;
    struct block *first = segment_blocks(image, n);
    for (uint32_t i = 0; i < image->segment[n].blocks; i++)
        block_remove(image, &first[i]);
    if (image->segment[n].blocks)
        image->counters.evictions++;
    segment_reset(image, n);
    image->current = n;
}

/* A full log begins anew with the pages that have blocks now; members compare them all again, for
 * no place in the log that they remember is as far as that. */
static void log_restart(struct image *image)
{
    uint32_t end = 0;
    for (uint32_t page = 0; page < PAGE_COUNT; page++)
        if (image->pages[page])
            image->log[end++] = page;
    image->log_end = end;
    for (struct dbt_cpu *d = image->members; d; d = d->next)
        d->checked = 0;
}

void image_log_page(struct image *image, uint32_t page)
{
    if (image->log_end == LOG_ENTRIES)
        log_restart(image);
    image->log[image->log_end] = page;
    __atomic_store_n(&image->log_end, image->log_end + 1, __ATOMIC_SEQ_CST);
}

bool image_page_has_blocks(const struct image *image, uint32_t page)
{
    return image->pages[page] != NULL;
}

void image_retranslate_page(struct image *image, uint32_t page)
{
    while (image->pages[page])
        block_remove(image, image->pages[page]->block);
}

bool image_remove_page(struct image *image, uint32_t page)
{
    bool any = image->pages[page] != NULL;
    uint64_t before = image->removals;
    image_retranslate_page(image, page);
    image->counters.smc += image->removals - before;
    if (any && image->page_heat[page] < UINT8_MAX)
        image->page_heat[page]++; /* see run.c */
    return any;
}
