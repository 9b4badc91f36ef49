/* SPDX-License-Identifier: MIT */
/*
 * A table that only grows, so that it is read without the lock: `count` is raised
 * when a base is whole. Bases of one page form a chain from their bucket.
 *
 * Who comes first decides: a base that later VMs are far from is of no use, and a
 * page whose every VM has other contents fills its few places and is kept as a
 * difference from the snapshot, as if there were no bases.
 */
#include "denali/pool/pool_base.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 64u
#define MOST_OF_A_PAGE 4u
#define NEAR_WORDS 24u /* of four bytes: there is no use in looking further */
#define FAR_WORDS 48u  /* a quarter of a kilobyte is kept for this many */

struct base {
    uint32_t page, next; /* the next one's number in the bucket; 0: the last */
    uint8_t bytes[PAGE_SIZE];
};

struct pool_bases {
    struct host_lock lock; /* for who adds one */
    _Atomic uint32_t count;
    _Atomic uint32_t first[BUCKETS];
    struct base *base[POOL_BASES_MAX];
};

int pool_bases_create(struct pool_bases **out)
{
    struct pool_bases *b = calloc(1, sizeof(*b));
    if (!b || host_lock_init(&b->lock)) {
        free(b);
        return -ENOMEM;
    }
    *out = b;
    return 0;
}

void pool_bases_destroy(struct pool_bases *b)
{
    if (!b)
        return;
    pool_bases_clear(b);
    host_lock_fini(&b->lock);
    free(b);
}

void pool_bases_clear(struct pool_bases *b)
{
    host_lock_enter(&b->lock);
    for (uint32_t i = 0; i < BUCKETS; i++)
        atomic_store(&b->first[i], 0);
    while (b->count)
        free(b->base[--b->count]);
    host_lock_leave(&b->lock);
}

const uint8_t *pool_bases_get(const struct pool_bases *b, uint32_t number)
{
    return number && number <= atomic_load(&b->count) ? b->base[number - 1]->bytes : NULL;
}

static unsigned differing_words(const uint8_t *a, const uint8_t *b)
{
    unsigned n = 0;
    for (size_t i = 0; i < PAGE_SIZE; i += 4) {
        uint32_t x, y;
        memcpy(&x, a + i, 4);
        memcpy(&y, b + i, 4);
        n += x != y;
    }
    return n;
}

static void add(struct pool_bases *b, uint32_t page, const uint8_t *bytes)
{
    struct base *base = malloc(sizeof(*base));
    if (!base)
        return; /* it can do without */
    host_lock_enter(&b->lock);
    uint32_t at = b->count;
    if (at < POOL_BASES_MAX) {
        *base = (struct base){.page = page, .next = b->first[page % BUCKETS]};
        memcpy(base->bytes, bytes, PAGE_SIZE);
        b->base[at] = base;
        atomic_store(&b->count, at + 1);
        atomic_store(&b->first[page % BUCKETS], at + 1);
        base = NULL;
    }
    host_lock_leave(&b->lock);
    free(base);
}

const uint8_t *pool_bases_nearest(struct pool_bases *b, uint32_t page, const uint8_t *bytes,
                                  const uint8_t *snapshot, bool learn, uint32_t *number)
{
    const uint8_t *best = snapshot;
    unsigned least = PAGE_SIZE, seen = 0;
    *number = 0;
    for (uint32_t at = atomic_load(&b->first[page % BUCKETS]); at && least > NEAR_WORDS;
         at = b->base[at - 1]->next) {
        if (b->base[at - 1]->page != page)
            continue;
        unsigned words = differing_words(bytes, b->base[at - 1]->bytes);
        seen++;
        if (words < least) {
            least = words;
            best = b->base[at - 1]->bytes;
            *number = at;
        }
    }
    unsigned words = least > NEAR_WORDS ? differing_words(bytes, snapshot) : PAGE_SIZE;
    if (words < least) {
        least = words;
        best = snapshot;
        *number = 0;
    }
    if (learn && least > FAR_WORDS && seen < MOST_OF_A_PAGE)
        add(b, page, bytes);
    return best;
}
