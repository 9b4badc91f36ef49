/* SPDX-License-Identifier: MIT */
/* Two views of one memory object. The memory behind it is given as it is written. */
#include "dbt/cache.h"

#include <string.h>
#include <unistd.h>

#include "emu/base/host.h"

static uint32_t round_size(uint64_t bytes)
{
    if (!bytes)
        bytes = CACHE_DEFAULT_BYTES;
    if (bytes < CACHE_MIN_BYTES)
        bytes = CACHE_MIN_BYTES;
    if (bytes > CACHE_MAX_BYTES)
        bytes = CACHE_MAX_BYTES;
    return (uint32_t)((bytes + PAGE_MASK) & ~(uint64_t)PAGE_MASK);
}

static int map_view(uint8_t **view, uint32_t size, unsigned prot, int fd)
{
    void *at;
    int err = host_reserve(size, PAGE_SIZE, &at);
    if (err)
        return err;
    err = host_map_fd(at, size, prot, fd, 0, true);
    if (err)
        host_release(at, size);
    else
        *view = at;
    return err;
}

int cache_init(struct cache *cache, uint64_t bytes)
{
    *cache = (struct cache){.fd = -1};
    uint32_t size = round_size(bytes);
    int err = host_memobj_create("denali-code", size);
    if (err < 0)
        return err;
    cache->fd = err;
    cache->size = size;
    cache->segment_bytes = ((size - CACHE_STUB_BYTES) / CACHE_SEGMENTS) & ~63u;
    err = map_view(&cache->rw, size, HOST_R | HOST_W, cache->fd);
    if (!err)
        err = map_view(&cache->rx, size, HOST_R | HOST_X, cache->fd);
    if (err)
        cache_fini(cache);
    return err;
}

void cache_fini(struct cache *cache)
{
    if (cache->rx)
        host_release(cache->rx, cache->size);
    if (cache->rw)
        host_release(cache->rw, cache->size);
    if (cache->fd >= 0)
        close(cache->fd);
    *cache = (struct cache){.fd = -1};
}
