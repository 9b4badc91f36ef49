/* SPDX-License-Identifier: MIT */
/*
 * A page begins with struct pool_page; its objects find it by masking their
 * address. Invariant: a page is on its kind's list exactly while it has a free
 * object and a used one.
 */
#include "guests/ilwaco/net/pool.h"

struct pool_page {
    struct pool_page *next, **link; /* link NULL: not listed */
    struct pool_kind *kind;
    void *free; /* objects that were given back, linked through their first word */
    uint16_t used;
    uint16_t fresh; /* objects never given out lie from here on */
    uint16_t total;
};

#define POOL_HEAD ((sizeof(struct pool_page) + 15u) & ~15u)

void pool_init(struct pool *pool, const struct netstack_host *host, uint32_t max_pages)
{
    *pool = (struct pool){.host = host, .max_pages = max_pages};
}

void *pool_pages(struct pool *pool, uint32_t pages)
{
    if (pages > pool->max_pages || pool->pages > pool->max_pages - pages)
        return NULL;
    void *p = pool->host->pages_alloc(pool->host->arg, pages);
    if (p)
        pool->pages += pages;
    return p;
}

void pool_pages_free(struct pool *pool, void *p, uint32_t pages)
{
    pool->pages -= pages;
    pool->host->pages_free(pool->host->arg, p, pages);
}

void pool_trim(struct pool *pool)
{
    while (pool->spare_count)
        pool_pages_free(pool, pool->spare[--pool->spare_count], 1);
}

static void page_list(struct pool_page *page)
{
    struct pool_page **head = &page->kind->partial;
    page->next = *head;
    page->link = head;
    if (page->next)
        page->next->link = &page->next;
    *head = page;
}

static void page_unlist(struct pool_page *page)
{
    *page->link = page->next;
    if (page->next)
        page->next->link = page->link;
    page->link = NULL;
}

static struct pool_page *page_new(struct pool *pool, struct pool_kind *kind)
{
    struct pool_page *page =
        pool->spare_count ? pool->spare[--pool->spare_count] : pool_pages(pool, 1);
    if (!page)
        return NULL;
    *page = (struct pool_page){.kind = kind};
    page->total = (uint16_t)((PAGE_SIZE - POOL_HEAD) / kind->size);
    page_list(page);
    return page;
}

void *pool_alloc(struct pool *pool, struct pool_kind *kind)
{
    struct pool_page *page = kind->partial ? kind->partial : page_new(pool, kind);
    if (!page)
        return NULL;
    void *object = page->free;
    if (object)
        memcpy(&page->free, object, sizeof page->free);
    else
        object = (char *)page + POOL_HEAD + (size_t)page->fresh++ * kind->size;
    if (++page->used == page->total)
        page_unlist(page);
    return object;
}

static void page_release(struct pool *pool, struct pool_page *page)
{
    page_unlist(page);
    if (pool->spare_count < POOL_SPARE)
        pool->spare[pool->spare_count++] = page;
    else
        pool_pages_free(pool, page, 1);
}

void pool_free(struct pool *pool, void *object)
{
    struct pool_page *page = (struct pool_page *)((uintptr_t)object & ~(uintptr_t)PAGE_MASK);
    BUG_ON(!page->used, "an object is given back twice");
    memcpy(object, &page->free, sizeof page->free);
    page->free = object;
    if (!page->link)
        page_list(page);
    if (!--page->used)
        page_release(pool, page);
}

uint32_t pool_share(const struct pool *pool, uint32_t wish)
{
    uint32_t left = pool->max_pages - pool->pages, most = UINT32_MAX;
    if (left < pool->max_pages / 8)
        most = 2000;
    else if (left < pool->max_pages / 4)
        most = 8000;
    else if (left < pool->max_pages / 2)
        most = 32000;
    return wish < most ? wish : most;
}
