/* SPDX-License-Identifier: MIT */
/*
 * The kernel's pages. Arenas with two bits per page: used, and dirty (a free
 * page that is not zero). The lowest free run is taken, so that a VM that does
 * little touches few pages, close together; runs of DISCARD_PAGES go back to
 * the host when freed.
 */
#include "guests/ilwaco/memory.h"

#define ARENA_MAX_PAGES 16384u
#define ARENA_FIRST_PAGES 1024u
#define DISCARD_PAGES 16u
#define RESERVE_PAGES 256u /* not for files, so that a full VM can still remove some */

enum page_bit { PAGE_USED, PAGE_DIRTY };

struct arena {
    struct arena *next;
    uint32_t start, pages;
    uint32_t low;      /* no free page lies below this index */
    uint32_t in_use;   /* pages */
    uint32_t map[][2]; /* by 32 pages, by enum page_bit; side by side, as both are written */
};

#define MAP_BYTES(pages) (((pages) + 31) / 32 * sizeof(uint32_t[2]))

static union {
    struct arena arena;
    uint8_t room[sizeof(struct arena) + MAP_BYTES(USER_BASE / PAGE_SIZE)];
} first;
static uint32_t pages_used, pages_total;
static uint32_t next_arena_pages = ARENA_FIRST_PAGES;

static bool bit_get(const struct arena *arena, enum page_bit bit, uint32_t i)
{
    return arena->map[i / 32][bit] >> (i % 32) & 1;
}

static void bit_put(struct arena *arena, enum page_bit bit, uint32_t i, bool value)
{
    uint32_t *word = &arena->map[i / 32][bit];
    if (value)
        *word |= 1u << (i % 32);
    else
        *word &= ~(1u << (i % 32));
}

void page_init(uint32_t start, uint32_t end)
{
    first.arena.start = start;
    first.arena.pages = pages_total = (end - start) / PAGE_SIZE;
}

uint64_t page_bytes_used(void)
{
    return (uint64_t)pages_used * PAGE_SIZE;
}

/* Index of the first run of n free pages; arena->pages: none. */
static uint32_t arena_find(struct arena *arena, uint32_t n)
{
    uint32_t run = 0;
    for (uint32_t i = arena->low; i < arena->pages; i++) {
        if (i % 32 == 0 && arena->map[i / 32][PAGE_USED] == UINT32_MAX) {
            i += 31;
            run = 0;
            continue;
        }
        run = bit_get(arena, PAGE_USED, i) ? 0 : run + 1;
        if (run == n)
            return i + 1 - n;
    }
    return arena->pages;
}

static void *arena_take(struct arena *arena, uint32_t n)
{
    uint32_t at = arena_find(arena, n);
    if (at == arena->pages)
        return NULL;
    if (at == arena->low)
        arena->low = at + n;
    for (uint32_t i = at; i < at + n; i++) {
        bit_put(arena, PAGE_USED, i, true);
        if (bit_get(arena, PAGE_DIRTY, i))
            memset((void *)(arena->start + i * PAGE_SIZE), 0, PAGE_SIZE);
        bit_put(arena, PAGE_DIRTY, i, true);
    }
    arena->in_use += n;
    pages_used += n;
    return (void *)(arena->start + at * PAGE_SIZE);
}

/* Carves an arena for at least n pages out of the program's part, from its upper end. */
static struct arena *arena_add(uint32_t n)
{
    uint32_t head = PAGE_UP(sizeof(struct arena) + MAP_BYTES(ARENA_MAX_PAGES)) / PAGE_SIZE;
    uint32_t pages = n + head > next_arena_pages ? n + head : next_arena_pages;
    if (pages > ARENA_MAX_PAGES)
        return NULL;
    uint32_t limit = vma_limit(), bytes = pages * PAGE_SIZE;
    uint32_t start = vma_gap(limit / 2, limit, bytes, PAGE_SIZE);
    if (!start)
        start = vma_gap(USER_BASE, limit, bytes, PAGE_SIZE);
    struct vma vma = {start, start + bytes, PROT_READ | PROT_WRITE, VMA_KERNEL, false, NULL, 0};
    if (!start || vma_map(&vma))
        return NULL;
    struct arena *arena = (struct arena *)start;
    arena->start = start + head * PAGE_SIZE;
    arena->pages = pages - head;
    pages_total += arena->pages;
    arena->next = first.arena.next;
    first.arena.next = arena;
    if (next_arena_pages < ARENA_MAX_PAGES)
        next_arena_pages *= 2;
    return arena;
}

void *page_alloc(uint32_t pages)
{
    for (struct arena *arena = &first.arena; arena; arena = arena->next) {
        void *p = arena_take(arena, pages);
        if (p)
            return p;
    }
    struct arena *arena = arena_add(pages);
    return arena ? arena_take(arena, pages) : NULL;
}

/* Half of the first arena is enough for files; the rest is the kernel's own, so that the other
 * arenas hold little else and become free as a whole. */
void *page_alloc_bulk(uint32_t pages)
{
    void *p = NULL;
    if (first.arena.in_use + pages <= first.arena.pages / 2)
        p = arena_take(&first.arena, pages);
    for (struct arena *arena = first.arena.next; !p && arena; arena = arena->next)
        p = arena_take(arena, pages);
    if (!p && arena_add(pages))
        p = arena_take(first.arena.next, pages);
    if (!p && pages_total - pages_used >= RESERVE_PAGES + pages)
        p = page_alloc(pages);
    return p;
}

static struct arena *arena_of(uint32_t addr)
{
    for (struct arena *arena = &first.arena; arena; arena = arena->next)
        if (addr >= arena->start && addr - arena->start < arena->pages * PAGE_SIZE)
            return arena;
    return NULL;
}

/* An arena without a used page goes back to the program's part. */
static void arena_release(struct arena *arena)
{
    struct arena *before = &first.arena;
    while (before->next != arena)
        before = before->next;
    before->next = arena->next;
    pages_total -= arena->pages;
    vma_release_kernel((uint32_t)arena);
}

void page_free(void *p, uint32_t pages)
{
    struct arena *arena = arena_of((uint32_t)p);
    BUG_ON(!arena, "page_free: not a page of the kernel");
    uint32_t at = ((uint32_t)p - arena->start) / PAGE_SIZE;
    bool clean = pages >= DISCARD_PAGES && !machine_discard((uint32_t)p, pages * PAGE_SIZE);
    for (uint32_t i = at; i < at + pages; i++) {
        BUG_ON(!bit_get(arena, PAGE_USED, i), "page_free: freed twice");
        bit_put(arena, PAGE_USED, i, false);
        if (clean)
            bit_put(arena, PAGE_DIRTY, i, false);
    }
    if (at < arena->low)
        arena->low = at;
    pages_used -= pages;
    arena->in_use -= pages;
    if (!arena->in_use && arena != &first.arena && arena != first.arena.next)
        arena_release(arena); /* the newest stays: it may be needed again at once */
}
