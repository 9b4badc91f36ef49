/* SPDX-License-Identifier: MIT */
/*
 * The kernel's heap. Small objects come from pages of one size class; every
 * such page, and every large object, begins with a header, so an object is
 * never page-aligned and kfree finds the header by rounding down.
 */
#include "guests/ilwaco/kernel.h"

#define HEAP_SLAB 0x6c736c61u
#define HEAP_LARGE 0x6567726cu
#define HEADER_BYTES 32u

static const uint16_t class_bytes[] = {32, 64, 128, 256, 384, 576, 800, 1344, 2032};
#define CLASSES ARRAY_LEN(class_bytes)

struct slab {
    uint32_t magic;
    uint32_t class; /* HEAP_LARGE: number of pages */
    uint32_t used;
    uint32_t fresh; /* objects from here on were never given out */
    void *free;     /* chain of freed objects */
    struct slab *next, *prev;
};
_Static_assert(sizeof(struct slab) <= HEADER_BYTES, "slab header");

static struct slab *partial[CLASSES]; /* slabs with room */

static uint32_t class_count(uint32_t class)
{
    return (PAGE_SIZE - HEADER_BYTES) / class_bytes[class];
}

static void partial_push(struct slab *slab)
{
    slab->prev = NULL;
    slab->next = partial[slab->class];
    if (slab->next)
        slab->next->prev = slab;
    partial[slab->class] = slab;
}

static void partial_take(struct slab *slab)
{
    if (slab->prev)
        slab->prev->next = slab->next;
    else
        partial[slab->class] = slab->next;
    if (slab->next)
        slab->next->prev = slab->prev;
}

static void *large_alloc(size_t bytes)
{
    uint32_t pages = (bytes + HEADER_BYTES + PAGE_MASK) / PAGE_SIZE;
    struct slab *head = bytes < 0x40000000 ? page_alloc(pages) : NULL;
    if (!head)
        return NULL;
    head->magic = HEAP_LARGE;
    head->class = pages;
    return (char *)head + HEADER_BYTES;
}

static struct slab *slab_create(uint32_t class)
{
    struct slab *slab = page_alloc(1);
    if (!slab)
        return NULL;
    slab->magic = HEAP_SLAB;
    slab->class = class;
    partial_push(slab);
    return slab;
}

static void *slab_take(struct slab *slab)
{
    void *p = slab->free;
    if (p)
        slab->free = *(void **)p;
    else
        p = (char *)slab + HEADER_BYTES + slab->fresh++ * class_bytes[slab->class];
    if (++slab->used == class_count(slab->class))
        partial_take(slab);
    return p;
}

void *kmalloc(size_t bytes)
{
    uint32_t class = 0;
    while (class < CLASSES && class_bytes[class] < bytes)
        class ++;
    if (class == CLASSES)
        return large_alloc(bytes);
    struct slab *slab = partial[class] ? partial[class] : slab_create(class);
    return slab ? slab_take(slab) : NULL;
}

void *kzalloc(size_t bytes)
{
    void *p = kmalloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void kfree(void *p)
{
    if (!p)
        return;
    struct slab *slab = (struct slab *)((uint32_t)p & ~PAGE_MASK);
    if (slab->magic == HEAP_LARGE) {
        page_free(slab, slab->class);
        return;
    }
    BUG_ON(slab->magic != HEAP_SLAB || !slab->used, "kfree: not an object of the heap");
    if (slab->used == class_count(slab->class))
        partial_push(slab);
    *(void **)p = slab->free;
    slab->free = p;
    if (--slab->used == 0 && (slab->next || slab->prev)) {
        partial_take(slab);
        page_free(slab, 1);
    }
}
