/* SPDX-License-Identifier: MIT */
/*
 * Units of 1 KiB, each with the number of the next one of its block. A bitmap says
 * which are used; the lowest free one is taken, so that the upper part empties.
 * `touched`: pages (four units) that have memory; the rest has been given back, or
 * was never used.
 */
#include "denali/pool/pool_store.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNIT 1024u
#define ROOM (UNIT - sizeof(uint32_t))
#define UNITS_IN_PAGE (PAGE_SIZE / UNIT)
#define WORD 64u /* units in a word of the bitmap; pages in a word of `touched` are 16 */
#define COMMIT (4 * MIB)

struct unit {
    uint32_t next;
    uint8_t data[ROOM];
};

struct pool_store {
    struct unit *unit; /* a reservation of max_units, the first `units` of it writable */
    uint32_t units, max_units;
    struct host_lock lock; /* all below */
    uint64_t *used;        /* bit by unit */
    uint8_t *touched;      /* by page */
    uint32_t low;          /* no free unit lies in a word before this */
};

int pool_store_create(uint64_t max_bytes, struct pool_store **out)
{
    struct pool_store *s = calloc(1, sizeof(*s));
    void *memory = NULL;
    uint64_t most = max_bytes / UNIT / WORD * WORD;
    if (!s)
        return -ENOMEM;
    s->max_units = most < POOL_STORE_NONE / WORD * WORD ? (uint32_t)most : UINT32_MAX / WORD * WORD;
    s->used = calloc(s->max_units / WORD + 1, sizeof(uint64_t));
    s->touched = calloc(s->max_units / UNITS_IN_PAGE + 1, 1);
    int err = s->used && s->touched ? host_lock_init(&s->lock) : -ENOMEM;
    if (!err && (err = host_reserve((uint64_t)s->max_units * UNIT + PAGE_SIZE, PAGE_SIZE, &memory)))
        host_lock_fini(&s->lock);
    if (err) {
        free(s->used);
        free(s->touched);
        free(s);
        return err;
    }
    s->unit = memory;
    *out = s;
    return 0;
}

void pool_store_destroy(struct pool_store *s)
{
    if (!s)
        return;
    host_release(s->unit, (uint64_t)s->max_units * UNIT + PAGE_SIZE);
    host_lock_fini(&s->lock);
    free(s->used);
    free(s->touched);
    free(s);
}

/* Inside the lock. */

static int grow(struct pool_store *s)
{
    uint32_t more = COMMIT / UNIT;
    if (more > s->max_units - s->units)
        more = s->max_units - s->units;
    if (!more)
        return -ENOMEM;
    int err = host_commit(s->unit + s->units, (uint64_t)more * UNIT, HOST_R | HOST_W);
    s->units += err ? 0 : more;
    return err;
}

static int take(struct pool_store *s, uint32_t *unit)
{
    while (s->low < s->units / WORD && s->used[s->low] == UINT64_MAX)
        s->low++;
    if (s->low == s->units / WORD) {
        int err = grow(s);
        if (err)
            return err;
    }
    unsigned bit = (unsigned)__builtin_ctzll(~s->used[s->low]);
    s->used[s->low] |= (uint64_t)1 << bit;
    *unit = s->low * WORD + bit;
    s->touched[*unit / UNITS_IN_PAGE] = 1;
    return 0;
}

static void give(struct pool_store *s, uint32_t first)
{
    while (first != POOL_STORE_NONE) {
        uint32_t next = s->unit[first].next;
        s->used[first / WORD] &= ~((uint64_t)1 << first % WORD);
        if (first / WORD < s->low)
            s->low = first / WORD;
        first = next;
    }
}

/* A chain of units for so many bytes. */
static int take_chain(struct pool_store *s, size_t len, uint32_t *block)
{
    uint32_t *link = block;
    *block = POOL_STORE_NONE;
    do {
        uint32_t unit;
        int err = take(s, &unit);
        if (err) {
            give(s, *block);
            return err;
        }
        *link = unit;
        link = &s->unit[unit].next;
        *link = POOL_STORE_NONE;
        len -= len < ROOM ? len : ROOM;
    } while (len);
    return 0;
}

int pool_store_put(struct pool_store *s, const void *data, size_t len, uint32_t *block)
{
    const uint8_t *from = data;
    host_lock_enter(&s->lock);
    int err = take_chain(s, len, block);
    host_lock_leave(&s->lock);
    if (err)
        return err;
    for (uint32_t unit = *block; unit != POOL_STORE_NONE; unit = s->unit[unit].next) {
        size_t n = len < ROOM ? len : ROOM;
        memcpy(s->unit[unit].data, from, n);
        from += n;
        len -= n;
    }
    return 0;
}

void pool_store_get(struct pool_store *s, uint32_t block, void *data, size_t len)
{
    uint8_t *to = data;
    for (uint32_t unit = block; len; unit = s->unit[unit].next) {
        size_t n = len < ROOM ? len : ROOM;
        memcpy(to, s->unit[unit].data, n);
        to += n;
        len -= n;
    }
}

void pool_store_free(struct pool_store *s, uint32_t block)
{
    host_lock_enter(&s->lock);
    give(s, block);
    host_lock_leave(&s->lock);
}

size_t pool_store_bytes(size_t len)
{
    return len ? (len + ROOM - 1) / ROOM * UNIT : UNIT;
}

static bool is_empty(const struct pool_store *s, uint32_t page)
{
    uint32_t unit = page * UNITS_IN_PAGE;
    return !(s->used[unit / WORD] >> unit % WORD & ((1u << UNITS_IN_PAGE) - 1));
}

uint64_t pool_store_trim(struct pool_store *s)
{
    uint64_t bytes = 0;
    host_lock_enter(&s->lock);
    for (uint32_t page = 0, end; page < s->units / UNITS_IN_PAGE; page = end) {
        for (end = page; end < s->units / UNITS_IN_PAGE && s->touched[end] && is_empty(s, end);)
            s->touched[end++] = 0;
        uint64_t len = (uint64_t)(end - page) * PAGE_SIZE;
        if (len && !host_refresh(s->unit + (size_t)page * UNITS_IN_PAGE, len))
            bytes += len;
        end += end == page;
    }
    host_lock_leave(&s->lock);
    return bytes;
}
