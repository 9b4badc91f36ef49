/* SPDX-License-Identifier: MIT */
/*
 * The kernel's heap. Objects of one size come from a slab: a page, or a quarter of
 * one for small objects, so that four kinds of them share a page. Every slab, and
 * every large object, begins with a header, so an object is never aligned as slabs
 * are and kfree finds the header by rounding down; a page's first word says how far.
 *
 * There are two sets of slabs. In one lies what is seldom written once it is there: names,
 * inodes. In the other what a VM writes with all it does, if only to count who uses it: open
 * files, sockets, watches, and all that comes into being once the program runs. This set begins
 * with the four quarters of one page: so an idle clone has one page of its own here, not one of
 * each size.
 */
#include "guests/ilwaco/kernel.h"

#define HEAP_SLAB 0x6c736c61u
#define HEAP_QUARTERS 0x6c736c62u /* all four */
#define HEAP_LARGE 0x6567726cu
#define HEADER_BYTES 32u

static const uint16_t class_bytes[] = {32, 64, 128, 256, 384, 576, 800, 1344, 2032};
#define CLASSES ARRAY_LEN(class_bytes)
#define SMALL_CLASSES 4u
#define QUARTER_BYTES 1024u
#define QUARTERS (PAGE_SIZE / QUARTER_BYTES)
#define NO_CLASS UINT32_MAX /* a quarter that is free */

struct slab {
    uint32_t magic;
    uint32_t class; /* HEAP_LARGE: number of pages */
    uint32_t used;
    uint32_t fresh;            /* objects from here on were never given out */
    void *free;                /* chain of freed objects */
    struct slab *next, **link; /* on one of the lists, if it has room */
    uint32_t set;              /* enum set */
};
_Static_assert(sizeof(struct slab) <= HEADER_BYTES, "slab header");
_Static_assert(SMALL_CLASSES == QUARTERS, "a page holds a slab of each");

enum set { SET_LASTING, SET_LIVELY, SETS };
/* Slabs with room. Of a list only the first may be empty: it is what is taken from next. */
static struct slab *partial[SETS][CLASSES];
static struct slab *quarters; /* free ones */
static enum set usual;        /* where kmalloc's objects lie */
static bool lively;           /* that set has begun */

static uint32_t class_count(uint32_t class)
{
    return ((class < SMALL_CLASSES ? QUARTER_BYTES : PAGE_SIZE) - HEADER_BYTES) /
           class_bytes[class];
}

static void list_push(struct slab **head, struct slab *slab)
{
    slab->next = *head;
    slab->link = head;
    if (slab->next)
        slab->next->link = &slab->next;
    *head = slab;
}

static void list_take(struct slab *slab)
{
    *slab->link = slab->next;
    if (slab->next)
        slab->next->link = slab->link;
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

static struct slab *quarter_of(void *page, uint32_t i)
{
    return (struct slab *)((char *)page + i * QUARTER_BYTES);
}

/* Four free quarters, the lowest on top. */
static bool quarters_add(void)
{
    void *page = page_alloc(1);
    for (uint32_t i = QUARTERS; page && i--;) {
        struct slab *quarter = quarter_of(page, i);
        *quarter = (struct slab){.magic = HEAP_QUARTERS, .class = NO_CLASS};
        list_push(&quarters, quarter);
    }
    return page != NULL;
}

static struct slab *quarter_take(void)
{
    if (!quarters && !quarters_add())
        return NULL;
    struct slab *quarter = quarters;
    list_take(quarter);
    return quarter;
}

static void quarter_give(struct slab *quarter)
{
    void *page = (void *)((uint32_t)quarter & ~PAGE_MASK);
    quarter->class = NO_CLASS;
    list_push(&quarters, quarter);
    for (uint32_t i = 0; i < QUARTERS; i++)
        if (quarter_of(page, i)->class != NO_CLASS)
            return;
    for (uint32_t i = 0; i < QUARTERS; i++)
        list_take(quarter_of(page, i));
    page_free(page, 1);
}

static void slab_release(struct slab *slab)
{
    list_take(slab);
    if (slab->magic == HEAP_QUARTERS)
        quarter_give(slab);
    else
        page_free(slab, 1);
}

static void first_with_room(struct slab *slab)
{
    struct slab **head = &partial[slab->set][slab->class], *before = *head;
    list_push(head, slab);
    if (before && !before->used)
        slab_release(before);
}

static void slab_begin(struct slab *slab, uint32_t class, enum set set)
{
    *slab = (struct slab){
        .magic = class < SMALL_CLASSES ? HEAP_QUARTERS : HEAP_SLAB, .class = class, .set = set};
    first_with_room(slab);
}

static struct slab *slab_create(uint32_t class, enum set set)
{
    struct slab *slab = class < SMALL_CLASSES ? quarter_take() : page_alloc(1);
    if (slab)
        slab_begin(slab, class, set);
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
        list_take(slab);
    return p;
}

static void lively_begin(void)
{
    void *page = lively ? NULL : page_alloc(1);
    for (uint32_t class = 0; page && class < SMALL_CLASSES; class ++)
        slab_begin(quarter_of(page, class), class, SET_LIVELY);
    lively |= page != NULL;
}

void heap_has_begun(void)
{
    lively_begin();
    usual = SET_LIVELY;
}

static void *alloc(size_t bytes, enum set set)
{
    uint32_t class = 0;
    while (class < CLASSES && class_bytes[class] < bytes)
        class ++;
    if (class == CLASSES)
        return large_alloc(bytes);
    struct slab *slab = partial[set][class] ? partial[set][class] : partial[SET_LASTING][class];
    if (!slab)
        slab = slab_create(class, set);
    return slab ? slab_take(slab) : NULL;
}

void *kmalloc(size_t bytes)
{
    return alloc(bytes, usual);
}

void *kzalloc_lively(size_t bytes)
{
    lively_begin();
    void *p = alloc(bytes, SET_LIVELY);
    if (p)
        memset(p, 0, bytes);
    return p;
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
    if (slab->magic == HEAP_QUARTERS)
        slab = (struct slab *)((uint32_t)p & ~(QUARTER_BYTES - 1));
    BUG_ON((slab->magic != HEAP_SLAB && slab->magic != HEAP_QUARTERS) || !slab->used,
           "kfree: not an object of the heap");
    if (slab->used == class_count(slab->class))
        first_with_room(slab);
    *(void **)p = slab->free;
    slab->free = p;
    if (--slab->used == 0 && slab != partial[slab->set][slab->class])
        slab_release(slab);
}
