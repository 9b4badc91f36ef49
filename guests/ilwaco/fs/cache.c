/* SPDX-License-Identifier: MIT */
/*
 * The block cache: a hash of pages, the least recently used given up when the
 * cache has its share of memory. Blocks are read in runs, so a sequential reader
 * meets the disk once per run. A block being read by one thread is not in the
 * hash yet; another that wants it reads it too, which is harmless as disks here
 * change only through cache_forget.
 */
#include "guests/ilwaco/fs/disk.h"

#define BUCKETS 1024u
#define RUN_MAX 32u

struct block {
    struct block *next;
    struct list lru;
    struct disk *disk;
    uint64_t number;
    char *page;
};

static struct block *buckets[BUCKETS] SELDOM_WRITTEN;
static struct list lru = {&lru, &lru}; /* oldest first */
static uint32_t count;

static uint32_t limit(void)
{
    uint64_t pages = machine_regs.mem_bytes / PAGE_SIZE / 16;
    return pages > 8192 ? 8192 : (uint32_t)pages;
}

uint64_t cache_bytes(void)
{
    return (uint64_t)count * BLOCK_SIZE;
}

static struct block **bucket(const struct disk *disk, uint64_t number)
{
    return &buckets[((uint32_t)number * 0x9e3779b1u + disk->port) >> 22];
}

static struct block *find(const struct disk *disk, uint64_t number)
{
    struct block *block = *bucket(disk, number);
    while (block && (block->number != number || block->disk != disk))
        block = block->next;
    return block;
}

static void drop(struct block *block)
{
    struct block **link = bucket(block->disk, block->number);
    while (*link != block)
        link = &(*link)->next;
    *link = block->next;
    list_remove(&block->lru);
    page_free(block->page, 1);
    kfree(block);
    count--;
}

static struct block *insert(struct disk *disk, uint64_t number, char *page)
{
    while (count >= limit() && !list_empty(&lru))
        drop(LIST_ITEM(lru.next, struct block, lru));
    struct block *block = kmalloc(sizeof *block);
    if (!block)
        return NULL;
    struct block **head = bucket(disk, number);
    *block = (struct block){*head, {NULL, NULL}, disk, number, page};
    *head = block;
    list_append(&lru, &block->lru);
    count++;
    return block;
}

void cache_forget(struct disk *disk, uint64_t number, uint32_t n)
{
    for (; n; n--, number++) {
        struct block *block = find(disk, number);
        if (block)
            drop(block);
    }
}

/* Reads `run` blocks into pages of their own, then gives the pages to the cache. */
static int fill(struct disk *disk, uint64_t number, uint32_t run)
{
    char *page[RUN_MAX];
    char *area = page_alloc_bulk(run);
    if (!area) { /* no memory: an older block makes room */
        run = 1;
        if (!list_empty(&lru))
            drop(LIST_ITEM(lru.next, struct block, lru));
        area = page_alloc(1);
    }
    int err = area ? disk_read(disk, number, run, area) : -ENOMEM;
    for (uint32_t i = 0; area && i < run; i++) {
        page[i] = area + i * BLOCK_SIZE;
        if (err || find(disk, number + i) || !insert(disk, number + i, page[i]))
            page_free(page[i], 1);
    }
    return err;
}

/* How many blocks from `number` on are not cached, up to `want` and the disk's end. */
static uint32_t missing(struct disk *disk, uint64_t number, uint32_t want)
{
    uint32_t n = 0;
    want = want < RUN_MAX ? want : RUN_MAX;
    while (n < want && number + n < disk->blocks && !find(disk, number + n))
        n++;
    return n ? n : 1;
}

static struct block *get(struct disk *disk, uint64_t number, uint32_t want, int *err)
{
    *err = 0;
    if (number >= disk->blocks) {
        *err = -EIO;
        return NULL;
    }
    for (;;) {
        struct block *block = find(disk, number);
        if (block) {
            if (lru.prev != &block->lru) {
                list_remove(&block->lru);
                list_append(&lru, &block->lru);
            }
            return block;
        }
        *err = fill(disk, number, missing(disk, number, want));
        if (*err)
            return NULL;
    }
}

int cache_read_uio(struct disk *disk, uint64_t offset, struct uio *uio, uint32_t n, uint64_t ahead)
{
    while (n) {
        int err;
        uint32_t at = (uint32_t)offset & (BLOCK_SIZE - 1);
        uint32_t part = BLOCK_SIZE - at < n ? BLOCK_SIZE - at : n;
        uint64_t want = (at + (uint64_t)n + ahead + BLOCK_SIZE - 1) / BLOCK_SIZE;
        struct block *block =
            get(disk, offset / BLOCK_SIZE, want < RUN_MAX ? (uint32_t)want : RUN_MAX, &err);
        if (!block)
            return err;
        if (uio_put(uio, block->page + at, part))
            return -EFAULT;
        offset += part;
        n -= part;
    }
    return 0;
}

int cache_read(struct disk *disk, uint64_t offset, void *dst, uint32_t n)
{
    struct uio uio;
    struct uio_part part;
    uio_init(&uio, &part, (uint32_t)dst, n, true);
    return cache_read_uio(disk, offset, &uio, n, 0);
}
