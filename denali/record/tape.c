/* SPDX-License-Identifier: MIT */
/*
 * Encoding: one byte of kind (below 32) and what follows (sum, data, due); then as
 * LEB128 the instructions since the event before, the device, a and b (zigzag); the
 * sum in 8 bytes; the data behind its length. A chunk's first event counts from the
 * chunk's icount.
 *
 * What is read may come from a file: every length is checked against the chunk.
 */
#include "denali/record/tape.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_XXHASH
#define XXH_INLINE_ALL
#include <xxhash.h>
#else
#include <zlib.h>
#endif

#define HAS_DUE 0x20u
#define HAS_SUM 0x40u
#define HAS_DATA 0x80u
#define HEAD_MAX 64u /* bytes of an event without its data */

struct chunk {
    uint64_t icount;
    const uint8_t *data;
    uint8_t *own; /* what is to be freed */
    size_t len, room;
};

struct tape {
    struct chunk *chunk;
    size_t chunks, room;
    struct tape_sink *sink;
    uint64_t last; /* icount of the last event put */
    uint64_t bytes;
    int error;
    struct tape_place place;
    struct tape_place after; /* the event that was peeked at */
    bool peeked;
};

uint64_t tape_sum(const void *data, size_t len)
{
#if HAVE_XXHASH
    return XXH3_64bits(data, len);
#else
    return (uint64_t)crc32_z(0, data, len) << 32 | adler32_z(1, data, len);
#endif
}

int tape_create(struct tape **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

static void drop_chunks(struct tape *t, size_t from)
{
    for (size_t i = from; i < t->chunks; i++)
        free(t->chunk[i].own);
    t->chunks = from;
}

void tape_destroy(struct tape *t)
{
    if (!t)
        return;
    drop_chunks(t, 0);
    free(t->chunk);
    free(t);
}

void tape_set_sink(struct tape *t, struct tape_sink *sink)
{
    t->sink = sink;
}

static struct chunk *new_chunk(struct tape *t, uint64_t icount)
{
    if (t->chunks == t->room) {
        size_t room = t->room ? 2 * t->room : 16;
        struct chunk *bigger = realloc(t->chunk, room * sizeof(*bigger));
        if (!bigger)
            return NULL;
        t->chunk = bigger;
        t->room = room;
    }
    struct chunk *c = &t->chunk[t->chunks++];
    *c = (struct chunk){.icount = icount};
    return c;
}

int tape_add_chunk(struct tape *t, uint64_t icount, const uint8_t *data, size_t len)
{
    struct chunk *c = new_chunk(t, icount);
    if (!c)
        return -ENOMEM;
    c->data = data;
    c->len = len;
    t->bytes += len;
    return 0;
}

/* Writing. */

static size_t put_number(uint8_t *out, uint64_t n)
{
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        out[len++] = (uint8_t)(n | 0x80);
    out[len++] = (uint8_t)n;
    return len;
}

static uint64_t zigzag(int64_t n)
{
    return (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
}

static size_t encode(uint8_t *out, const struct tape_event *e, uint64_t since)
{
    size_t len = 1;
    out[0] = (uint8_t)(e->kind | (e->due ? HAS_DUE : 0) | (e->sum ? HAS_SUM : 0) |
                       (e->len ? HAS_DATA : 0));
    len += put_number(out + len, e->icount - since);
    len += put_number(out + len, e->device);
    len += put_number(out + len, zigzag(e->a));
    len += put_number(out + len, zigzag(e->b));
    for (unsigned i = 0; e->sum && i < 8; i++)
        out[len++] = (uint8_t)(e->sum >> (8 * i));
    if (e->len)
        len += put_number(out + len, e->len);
    return len;
}

void tape_flush(struct tape *t)
{
    struct chunk *c = t->chunks ? &t->chunk[t->chunks - 1] : NULL;
    if (!t->sink || !c || !c->len)
        return;
    int err = t->sink->chunk(t->sink, c->icount, c->data, c->len);
    if (err && !t->error)
        t->error = err;
    c->len = 0;
    c->icount = t->last;
}

/* The open chunk, with room for `more` bytes. */
static struct chunk *open_chunk(struct tape *t, size_t more)
{
    struct chunk *c = t->chunks ? &t->chunk[t->chunks - 1] : NULL;
    if (c && c->own && c->room - c->len >= more)
        return c;
    size_t room = more > TAPE_CHUNK ? more : TAPE_CHUNK;
    tape_flush(t);
    if (!c || !c->own || c->len || c->room < room) {
        if (c && c->own && !c->len)
            drop_chunks(t, t->chunks - 1);
        c = new_chunk(t, t->last);
        if (!c)
            return NULL;
        c->own = malloc(room);
        c->data = c->own;
        c->room = c->own ? room : 0;
    }
    return c->own ? c : NULL;
}

void tape_put(struct tape *t, const struct tape_event *e)
{
    uint8_t head[HEAD_MAX];
    BUG_ON(e->icount < t->last, "events come in their order");
    struct chunk *c = open_chunk(t, HEAD_MAX + e->len);
    if (!c) {
        t->error = -ENOMEM;
        return;
    }
    size_t len = encode(head, e, c->len ? t->last : c->icount);
    memcpy(c->own + c->len, head, len);
    if (e->len)
        memcpy(c->own + c->len + len, e->data, e->len);
    c->len += len + e->len;
    t->bytes += len + e->len;
    t->last = e->icount;
}

int tape_error(const struct tape *t)
{
    return t->error;
}

uint64_t tape_bytes(const struct tape *t)
{
    return t->bytes;
}

/* Reading. */

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t get_number(struct reader *r)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return n;
    }
    r->bad = true;
    return 0;
}

static int64_t get_signed(struct reader *r)
{
    uint64_t n = get_number(r);
    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

static uint64_t get_sum(struct reader *r)
{
    uint64_t sum = 0;
    if (r->end - r->at < 8) {
        r->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < 8; i++)
        sum |= (uint64_t)*r->at++ << (8 * i);
    return sum;
}

static void get_data(struct reader *r, struct tape_event *out)
{
    uint64_t len = get_number(r);
    if (r->bad || !len || len > TAPE_EVENT_MAX || len > (uint64_t)(r->end - r->at)) {
        r->bad = true;
        return;
    }
    out->data = r->at;
    out->len = (uint32_t)len;
    r->at += len;
}

static bool decode(struct reader *r, struct tape_event *out, uint64_t since)
{
    uint8_t head = *r->at++;
    *out = (struct tape_event){.kind = head & 0x1f, .due = head & HAS_DUE};
    uint64_t delta = get_number(r), device = get_number(r);
    out->icount = since + delta;
    out->device = (uint8_t)device;
    out->a = get_signed(r);
    out->b = get_signed(r);
    if (head & HAS_SUM)
        out->sum = get_sum(r);
    if (head & HAS_DATA)
        get_data(r, out);
    return !r->bad && device <= UINT8_MAX && out->icount >= since;
}

/* Over the ends of chunks. */
static struct tape_place skip_ends(const struct tape *t, struct tape_place p)
{
    while (p.chunk < t->chunks && p.at >= t->chunk[p.chunk].len && p.chunk + 1 < t->chunks) {
        p.chunk++;
        p.at = 0;
        p.icount = t->chunk[p.chunk].icount;
    }
    return p;
}

bool tape_peek(struct tape *t, struct tape_event *out)
{
    struct tape_place p = skip_ends(t, t->place);
    if (p.chunk >= t->chunks || p.at >= t->chunk[p.chunk].len)
        return false;
    const struct chunk *c = &t->chunk[p.chunk];
    struct reader r = {c->data + p.at, c->data + c->len, false};
    uint64_t since = p.at ? p.icount : c->icount;
    if (since < t->place.icount || !decode(&r, out, since)) {
        t->error = -EINVAL;
        return false;
    }
    t->place = (struct tape_place){p.chunk, p.at, since};
    t->after = (struct tape_place){p.chunk, (size_t)(r.at - c->data), out->icount};
    t->peeked = true;
    return true;
}

void tape_next(struct tape *t)
{
    BUG_ON(!t->peeked, "an event is looked at before it is passed");
    t->place = t->after;
    t->peeked = false;
    if (t->place.icount > t->last)
        t->last = t->place.icount; /* of chunks that came from elsewhere */
}

struct tape_place tape_tell(const struct tape *t)
{
    return t->place;
}

void tape_seek(struct tape *t, struct tape_place place)
{
    t->place = place;
    t->peeked = false;
}

struct tape_place tape_end(const struct tape *t)
{
    if (!t->chunks)
        return (struct tape_place){0, 0, 0};
    return (struct tape_place){t->chunks - 1, t->chunk[t->chunks - 1].len, t->last};
}

void tape_forget(struct tape *t, struct tape_place before)
{
    for (size_t i = 0; i < before.chunk && i + 1 < t->chunks; i++) {
        struct chunk *c = &t->chunk[i];
        t->bytes -= c->own ? c->len : 0;
        free(c->own);
        if (c->own)
            *c = (struct chunk){.icount = c->icount};
    }
}

void tape_cut(struct tape *t)
{
    t->peeked = false;
    t->last = t->place.icount;
    if (t->place.chunk >= t->chunks)
        return;
    drop_chunks(t, t->place.chunk + 1);
    struct chunk *c = &t->chunk[t->place.chunk];
    c->len = c->data ? t->place.at : 0;
}
