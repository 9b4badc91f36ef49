/* SPDX-License-Identifier: MIT */
/*
 * Memory of the stack: objects of a few sizes, cut from single pages.
 *
 * Everything comes through one account with one ceiling, so that peers cannot
 * make the stack grow past it. Objects of a kind lie close together: a page is
 * filled before the next one is asked for, and an empty page goes back at once,
 * except for a few that the next burst will want (pool_trim gives these, too).
 */
#ifndef ILWACO_NET_POOL_H
#define ILWACO_NET_POOL_H

#include "guests/ilwaco/lib.h"
#include "guests/ilwaco/net/netstack.h"

#define POOL_SPARE 8

struct pool_page;

struct pool {
    const struct netstack_host *host;
    uint32_t pages, max_pages;
    uint32_t spare_count;
    void *spare[POOL_SPARE];
};

/* Objects of one size. */
struct pool_kind {
    uint32_t size;
    struct pool_page *partial; /* pages with room */
};

void pool_init(struct pool *pool, const struct netstack_host *host, uint32_t max_pages);
void pool_trim(struct pool *pool);

/* Contents undefined, aligned to 16; NULL at the ceiling. */
void *pool_alloc(struct pool *pool, struct pool_kind *kind);
void pool_free(struct pool *pool, void *object);

/* What one of many users may hold of `wish` bytes, so that all of them get on when memory is short.
 */
uint32_t pool_share(const struct pool *pool, uint32_t wish);

/* Adjacent pages for a datagram that does not fit one frame; NULL at the ceiling. */
void *pool_pages(struct pool *pool, uint32_t pages);
void pool_pages_free(struct pool *pool, void *p, uint32_t pages);

#endif
