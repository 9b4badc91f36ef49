/* SPDX-License-Identifier: MIT */
/*
 * Chunks form a list by rising number; chunk k holds the bytes
 * [k * CHUNK_DATA, (k + 1) * CHUNK_DATA) counted from the first chunk's start.
 * A chunk exists only if a byte of it was written and not dropped. `recent`
 * makes the usual accesses (append, read on) constant in time.
 */
#include "guests/ilwaco/net/stream.h"
#include "guests/ilwaco/errno.h"

/* The last chunk with a number not above `number`, or NULL. */
static struct chunk *chunk_before(struct stream *s, uint32_t number)
{
    if (s->last && (int32_t)(number - s->last->number) >= 0)
        return s->last;
    if (!s->first || (int32_t)(number - s->first->number) < 0)
        return NULL;
    struct chunk *c = s->first;
    if (s->recent && (int32_t)(number - s->recent->number) >= 0)
        c = s->recent;
    while ((int32_t)(number - c->next->number) >= 0)
        c = c->next;
    return c;
}

static struct chunk *chunk_insert(struct stream_pool *pool, struct stream *s, struct chunk *before,
                                  uint32_t number)
{
    struct chunk *c = pool_alloc(pool->pool, &pool->chunks);
    if (!c)
        return NULL;
    c->number = number;
    c->next = before ? before->next : s->first;
    *(before ? &before->next : &s->first) = c;
    if (!c->next)
        s->last = c;
    return c;
}

/* Chunk `number`, made if it does not exist; NULL: no memory. */
static struct chunk *chunk_get(struct stream_pool *pool, struct stream *s, uint32_t number)
{
    struct chunk *c = chunk_before(s, number);
    if (!c || c->number != number)
        c = chunk_insert(pool, s, c, number);
    if (c)
        s->recent = c;
    return c;
}

/* Where a position lies. */
struct place {
    uint32_t number, at;
};

static struct place place_of(const struct stream *s, uint32_t pos)
{
    uint32_t at = s->skip + pos;
    return (struct place){s->number + at / CHUNK_DATA, at % CHUNK_DATA};
}

static uint32_t place_run(struct place p, uint32_t n)
{
    return n < CHUNK_DATA - p.at ? n : CHUNK_DATA - p.at;
}

bool stream_write(struct stream_pool *pool, struct stream *s, uint32_t pos, const void *src,
                  uint32_t n)
{
    const uint8_t *from = src;
    while (n) {
        struct place p = place_of(s, pos);
        uint32_t run = place_run(p, n);
        struct chunk *c = chunk_get(pool, s, p.number);
        if (!c)
            return false;
        memcpy(c->data + p.at, from, run);
        pos += run, from += run, n -= run;
    }
    return true;
}

int stream_write_io(struct stream_pool *pool, struct stream *s, uint32_t pos, struct net_io *io,
                    uint32_t n)
{
    while (n) {
        struct place p = place_of(s, pos);
        uint32_t run = place_run(p, n);
        struct chunk *c = chunk_get(pool, s, p.number);
        if (!c)
            return -ENOMEM;
        int err = io->copy(io, c->data + p.at, run);
        if (err)
            return err;
        pos += run, n -= run;
    }
    return 0;
}

static struct chunk *chunk_find(struct stream *s, uint32_t number)
{
    struct chunk *c = chunk_before(s, number);
    BUG_ON(!c || c->number != number, "a stream is read where nothing was written");
    s->recent = c;
    return c;
}

void stream_read(struct stream *s, uint32_t pos, void *dst, uint32_t n)
{
    uint8_t *to = dst;
    while (n) {
        struct place p = place_of(s, pos);
        uint32_t run = place_run(p, n);
        memcpy(to, chunk_find(s, p.number)->data + p.at, run);
        pos += run, to += run, n -= run;
    }
}

int stream_read_io(struct stream *s, uint32_t pos, struct net_io *io, uint32_t n)
{
    while (n) {
        struct place p = place_of(s, pos);
        uint32_t run = place_run(p, n);
        int err = io->copy(io, chunk_find(s, p.number)->data + p.at, run);
        if (err)
            return err;
        pos += run, n -= run;
    }
    return 0;
}

static void chunk_drop_first(struct stream_pool *pool, struct stream *s)
{
    struct chunk *c = s->first;
    s->first = c->next;
    if (!s->first)
        s->last = NULL;
    if (s->recent == c)
        s->recent = NULL;
    pool_free(pool->pool, c);
}

void stream_drop(struct stream_pool *pool, struct stream *s, uint32_t n)
{
    BUG_ON(n > s->len, "a stream drops more than it has");
    struct place p = place_of(s, n);
    s->len -= n;
    s->number = p.number;
    s->skip = p.at;
    while (s->first && (int32_t)(s->first->number - s->number) < 0)
        chunk_drop_first(pool, s);
}

void stream_clear(struct stream_pool *pool, struct stream *s)
{
    while (s->first)
        chunk_drop_first(pool, s);
    s->len = s->skip = 0;
}

void stream_cut(struct stream_pool *pool, struct stream *s)
{
    if (!s->len) {
        stream_clear(pool, s);
        return;
    }
    struct chunk *end = chunk_find(s, place_of(s, s->len - 1).number);
    while (end->next) {
        struct chunk *c = end->next;
        end->next = c->next;
        pool_free(pool->pool, c);
    }
    s->last = end;
}
