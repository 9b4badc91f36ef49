/* SPDX-License-Identifier: MIT */
/*
 * A queue of bytes in chunks, the one buffer of the stack: TCP's send and receive
 * queues, datagram queues, UNIX sockets. Positions count from the head. Bytes
 * can be written behind the end with a gap before them (TCP's early segments):
 * `len` counts the bytes without gaps and is moved on by stream_extend.
 *
 * Chunks lie where bytes were written. Who knows that nothing lies behind len calls stream_cut, and
 * an empty stream then holds no memory.
 */
#ifndef ILWACO_NET_STREAM_H
#define ILWACO_NET_STREAM_H

#include "guests/ilwaco/net/pool.h"

/* Two chunks a page. */
#define CHUNK_SIZE 2016
#define CHUNK_DATA (CHUNK_SIZE - 16)

struct chunk {
    struct chunk *next;
    uint32_t number; /* counts on; there may be gaps in a list */
    uint8_t data[CHUNK_DATA] __attribute__((aligned(16)));
};
_Static_assert(sizeof(struct chunk) == CHUNK_SIZE, "two chunks and a head fill a page");

struct stream {
    struct chunk *first, *last;
    struct chunk *recent; /* where the last access was; NULL: nowhere */
    uint32_t number;      /* of the chunk that holds the head (it may not exist yet) */
    uint32_t skip;        /* bytes before the head in that chunk */
    uint32_t len;
};

struct stream_pool {
    struct pool *pool;
    struct pool_kind chunks;
};

/* Writes at `pos`, which may be behind the end; false: no memory (a part may have been written,
 * len is as it was). Does not change len. */
bool stream_write(struct stream_pool *pool, struct stream *s, uint32_t pos, const void *src,
                  uint32_t n);
/* The same from an io: 0 or its error; -ENOMEM. */
int stream_write_io(struct stream_pool *pool, struct stream *s, uint32_t pos, struct net_io *io,
                    uint32_t n);
static inline void stream_extend(struct stream *s, uint32_t n)
{
    s->len += n;
}

/* Reads bytes that were written: [pos, pos + n). */
void stream_read(struct stream *s, uint32_t pos, void *dst, uint32_t n);
int stream_read_io(struct stream *s, uint32_t pos, struct net_io *io, uint32_t n);

/* Drops n <= len bytes at the head. */
void stream_drop(struct stream_pool *pool, struct stream *s, uint32_t n);
/* Drops all, early bytes as well. */
void stream_clear(struct stream_pool *pool, struct stream *s);
/* Forgets what was written behind len. */
void stream_cut(struct stream_pool *pool, struct stream *s);

#endif
