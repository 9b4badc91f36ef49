/* SPDX-License-Identifier: MIT */
/*
 * A stream of bytes through zlib into one block of memory, and back. Pieces go in
 * and come out in any lengths; nothing but the packed block is ever whole, so that
 * parking a large VM does not need its size again.
 */
#ifndef DENALI_POOL_PACK_H
#define DENALI_POOL_PACK_H

#include "emu/base/base.h"

#include <zlib.h>

#define PACK_STAGE 16384u

struct pack {
    z_stream deflate, inflate;
    bool ready, squeezed, stored;
    int err; /* the first failure; nothing happens afterwards */
    uint8_t *out;
    size_t out_len, out_room;
    size_t stage_len, stage_at;
    uint8_t stage[PACK_STAGE];
};

/* Once, before the rest; pack_fini also of what was never begun, if it is all zero. -ENOMEM. */
MUST_CHECK int pack_prepare(struct pack *p);
void pack_fini(struct pack *p);

/* Packing: begin, put, end; the block is p->out, p->out_len until the next begin. `squeezed`:
 * through zlib; else as it is. */
void pack_begin(struct pack *p, bool squeezed);
void pack_put(struct pack *p, const void *data, size_t len);
/* Room for so many bytes at p->out, for what is not packed here. -ENOMEM. */
MUST_CHECK int pack_reserve(struct pack *p, size_t len);
MUST_CHECK int pack_end(struct pack *p);

/* What is in it is not needed any more: what a large VM took goes back to the host. */
void pack_rest(struct pack *p);

/* Unpacking; after the end come zeroes, and p->err is -EIO. */
void pack_open(struct pack *p, const uint8_t *data, size_t len, bool squeezed);
void pack_get(struct pack *p, void *data, size_t len);

static inline void pack_put32(struct pack *p, uint32_t value)
{
    pack_put(p, &value, sizeof(value));
}

static inline uint32_t pack_get32(struct pack *p)
{
    uint32_t value;
    pack_get(p, &value, sizeof(value));
    return value;
}

#endif
