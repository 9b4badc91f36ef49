/* SPDX-License-Identifier: MIT */
/*
 * The code cache: one memory object with two views, one that runs and one that
 * is written; no page is ever both (W^X). Places are offsets, good for both.
 * After the stubs it is cut into segments, filled one after the other and
 * emptied whole, oldest first.
 */
#ifndef DENALI_DBT_CACHE_H
#define DENALI_DBT_CACHE_H

#include "emu/base/host_signal.h"

#define CACHE_SEGMENTS 8u
#define CACHE_STUB_BYTES 4096u
#define CACHE_DEFAULT_BYTES (64 * MIB)
#define CACHE_MIN_BYTES (64 * KIB)
#define CACHE_MAX_BYTES (1 * GIB)

struct cache {
    uint8_t *rx, *rw;
    uint32_t size;
    uint32_t segment_bytes;
    int fd;
};

MUST_CHECK int cache_init(struct cache *cache, uint64_t bytes);
void cache_fini(struct cache *cache);

static inline uint32_t cache_segment_start(const struct cache *cache, unsigned segment)
{
    return CACHE_STUB_BYTES + segment * cache->segment_bytes;
}

HOST_SIGNAL_PLAIN static inline bool cache_holds(const struct cache *cache, uint64_t host_address)
{
    return host_address - (uint64_t)(uintptr_t)cache->rx < cache->size;
}

#endif
