/* SPDX-License-Identifier: MIT */
/*
 * A layer's file: header, map, and the look over all of it when it is opened. What is
 * not as it must be is refused; nothing in the file is believed before it is checked.
 */
#include "devices/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "layers are little-endian; this host needs conversions in layer_file.c"
#endif

#define MAX_BYTES (8ull << 40)
#define SAMPLES 64u
/* Counts that only go up; a file that says more lies, and they cannot wrap. */
#define COUNT_MAX (UINT64_MAX / 2)

static const uint8_t magic[8] = {'d', 'e', 'n', 'a', 'l', 'i', 'L', 'Y'};

static uint32_t header_crc(const struct layer_header *h)
{
    return (uint32_t)crc32_z(0, (const uint8_t *)h, offsetof(struct layer_header, crc));
}

uint32_t layer_entry_crc(uint64_t block, const struct layer_entry *entry)
{
    uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)&block, sizeof(block));
    crc = (uint32_t)crc32_z(crc, (const uint8_t *)entry, offsetof(struct layer_entry, crc));
    return crc ? crc : 1;
}

static int write_block(int fd, uint64_t at, const void *data, size_t len)
{
    uint8_t block[DISK_BLOCK] = {0};
    struct iovec iov = {block, sizeof(block)};
    memcpy(block, data, len);
    return disk_file_write(fd, at * DISK_BLOCK, &iov, 1);
}

/* Into the place of the older one. */
int layer_write_header(struct layer *l)
{
    struct layer_header h = l->header;
    h.generation++;
    h.crc = header_crc(&h);
    int err = write_block(l->fd, h.generation % 2, &h, sizeof(h));
    if (!err)
        l->header = h;
    return err;
}

int layer_write_entries(struct layer *l, uint64_t block, const struct layer_entry *entry,
                        unsigned count)
{
    struct iovec iov = {(void *)(uintptr_t)entry, count * sizeof(*entry)};
    return disk_file_write(l->fd, LAYER_MAP_AT * DISK_BLOCK + block * sizeof(*entry), &iov, 1);
}

/* What is below. */

int layer_state_of(struct disk *below, uint8_t state[16])
{
    if (below->ops == &layer_ops) {
        memcpy(state, layer_of(below)->header.state, 16);
        return 0;
    }
    uint8_t data[DISK_BLOCK];
    uint64_t crc = crc32_z(0, (const uint8_t *)&below->bytes, sizeof(below->bytes)), adler = 1;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct iovec iov = {data, sizeof(data)};
        int err = disk_read(below, (below->blocks - 1) * i / (SAMPLES - 1), &iov, 1, false);
        if (err)
            return err;
        crc = crc32_z(crc, data, sizeof(data));
        adler = adler32_z(adler, data, sizeof(data));
    }
    memcpy(state, &crc, 8);
    memcpy(state + 8, &adler, 8);
    return 0;
}

/* Opening. */

static bool is_header(const struct layer_header *h)
{
    return !memcmp(h->magic, magic, sizeof(magic)) && h->crc == header_crc(h) &&
           h->generation < COUNT_MAX && h->durable < COUNT_MAX;
}

static int read_header(int fd, unsigned which, struct layer_header *h)
{
    uint8_t block[DISK_BLOCK];
    struct iovec iov = {block, sizeof(block)};
    int err = disk_file_read(fd, which * DISK_BLOCK, &iov, 1, false, 0);
    memcpy(h, block, sizeof(*h));
    return err;
}

static int read_headers(struct layer *l, const char *path, struct why *why)
{
    struct layer_header h[2];
    for (unsigned i = 0; i < 2; i++) {
        int err = read_header(l->fd, i, &h[i]);
        if (err)
            return why_fail(why, err, "cannot read layer %s: %s", path, strerror(-err));
    }
    bool good[2] = {is_header(&h[0]), is_header(&h[1])};
    if (!good[0] && !good[1])
        return why_fail(why, -EINVAL, "%s is not a layer, or its header is damaged", path);
    unsigned use = good[1] && (!good[0] || h[1].generation > h[0].generation);
    l->header = h[use];
    if (l->header.version != LAYER_VERSION || l->header.block_bytes != DISK_BLOCK)
        return why_fail(why, -EINVAL, "layer %s is of version %u; this denali knows version %u",
                        path, l->header.version, LAYER_VERSION);
    if (!l->header.bytes || l->header.bytes > MAX_BYTES)
        return why_fail(why, -EINVAL, "layer %s is damaged: no disk has that size", path);
    return 0;
}

static bool is_data(const struct layer *l, uint32_t index)
{
    return index >= layer_data_at(l) && index != LAYER_ZERO;
}

/* Marks a data block as used; false: it was. */
static bool claim(const struct layer *l, uint8_t *used, uint32_t index)
{
    if (!is_data(l, index) || index >= l->end)
        return true;
    bool first = !(used[index / 8] >> (index % 8) & 1);
    used[index / 8] |= (uint8_t)(1u << (index % 8));
    return first;
}

static bool is_young(const struct layer *l, const struct layer_entry *e)
{
    return e->epoch > l->header.durable;
}

/* An entry of the file. Only a young one may point behind the file's end, or to another's block:
 * the host crashed before it had all. Which contents are there, settle() finds out. */
static bool is_sound(const struct layer *l, uint64_t block, const struct layer_entry *e,
                     uint8_t *used)
{
    if (block >= l->disk.blocks || e->crc != layer_entry_crc(block, e) || e->epoch >= COUNT_MAX)
        return false;
    if (e->now == LAYER_ZERO || e->now == LAYER_NONE || is_young(l, e))
        return true;
    return is_data(l, e->now) && e->now < l->end && claim(l, used, e->now);
}

static int take_page(struct layer *l, uint64_t number, const struct layer_page *from, uint8_t *used)
{
    static const struct layer_entry none;
    for (unsigned i = 0; i < LAYER_PER_PAGE; i++) {
        const struct layer_entry *e = &from->entry[i];
        uint64_t block = number * LAYER_PER_PAGE + i;
        if (!memcmp(e, &none, sizeof(none)))
            continue;
        if (!is_sound(l, block, e, used))
            return -EINVAL;
        struct layer_entry *to = layer_entry_at(l, block, true);
        if (!to)
            return -ENOMEM;
        *to = *e;
        if (e->epoch > l->epoch)
            l->epoch = e->epoch;
    }
    return 0;
}

/* Pages of the map that the file has; where it has a hole, they are zero. */
static int read_map(struct layer *l, uint8_t *used)
{
    off_t end = (off_t)layer_data_at(l) * DISK_BLOCK, at = LAYER_MAP_AT * DISK_BLOCK;
    struct layer_page page;
    while (at < end) {
        off_t data = lseek(l->fd, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return 0;
        at = data > at ? data / DISK_BLOCK * DISK_BLOCK : at;
        if (at >= end)
            return 0;
        struct iovec iov = {&page, sizeof(page)};
        int err = disk_file_read(l->fd, (uint64_t)at, &iov, 1, false, 0);
        if (!err)
            err = take_page(l, (uint64_t)at / DISK_BLOCK - LAYER_MAP_AT, &page, used);
        if (err)
            return err;
        at += DISK_BLOCK;
    }
    return 0;
}

typedef int (*entry_fn)(struct layer *l, uint64_t block, struct layer_entry *e, uint8_t *used);

static int for_all(struct layer *l, entry_fn fn, uint8_t *used)
{
    int err = 0;
    for (uint64_t p = 0; !err && p < l->pages; p++) {
        for (unsigned i = 0; !err && l->page[p] && i < LAYER_PER_PAGE; i++)
            err = fn(l, p * LAYER_PER_PAGE + i, &l->page[p]->entry[i], used);
    }
    return err;
}

/* After a crash: a young entry whose contents are not there gives its predecessor back. */
static int settle_entry(struct layer *l, uint64_t block, struct layer_entry *e, uint8_t *used)
{
    uint8_t data[DISK_BLOCK];
    struct iovec iov = {data, sizeof(data)};
    (void)used;
    if (!is_young(l, e) || e->now == LAYER_ZERO || e->now == LAYER_NONE)
        return 0;
    int err = disk_file_read(l->fd, (uint64_t)e->now * DISK_BLOCK, &iov, 1, false, 0);
    if (err || layer_data_crc(block, data) == e->now_crc)
        return err;
    e->now = e->before;
    e->now_crc = e->before_crc;
    e->crc = layer_entry_crc(block, e);
    return 0;
}

/* What the young ones have become may lie as well. */
static int check_settled(struct layer *l, uint64_t block, struct layer_entry *e, uint8_t *used)
{
    (void)block;
    if (e->now == LAYER_ZERO || e->now == LAYER_NONE)
        return 0;
    return is_data(l, e->now) && e->now < l->end && claim(l, used, e->now) ? 0 : -EINVAL;
}

static int write_young(struct layer *l, uint64_t block, struct layer_entry *e, uint8_t *used)
{
    (void)used;
    return is_young(l, e) ? layer_write_entries(l, block, e, 1) : 0;
}

/* From here on all that is there is on the host's disk. */
static int settle(struct layer *l, uint8_t *used)
{
    if (l->disk.readonly || l->epoch == l->header.durable)
        return 0;
    memset(used, 0, l->end / 8 + 1);
    int err = for_all(l, settle_entry, NULL);
    if (!err)
        err = for_all(l, check_settled, used);
    if (!err)
        err = for_all(l, write_young, NULL);
    if (!err && fdatasync(l->fd))
        err = -errno;
    l->header.durable = l->epoch;
    return err ? err : layer_write_header(l);
}

static void find_free(struct layer *l, uint8_t *used)
{
    memset(used, 0, l->end / 8 + 1);
    for (uint64_t p = 0; p < l->pages; p++) {
        for (unsigned i = 0; l->page[p] && i < LAYER_PER_PAGE; i++) {
            const struct layer_entry *e = &l->page[p]->entry[i];
            claim(l, used, e->now);
            l->used += is_data(l, e->now);
        }
    }
    for (uint32_t index = l->end; !l->disk.readonly && index-- > layer_data_at(l);) {
        if (!(used[index / 8] >> (index % 8) & 1))
            layer_free_block(l, index);
    }
}

static int read_all(struct layer *l, const char *path, struct why *why)
{
    off_t size = lseek(l->fd, 0, SEEK_END);
    l->disk.bytes = l->header.bytes;
    l->disk.blocks = (l->disk.bytes + DISK_BLOCK - 1) / DISK_BLOCK;
    l->pages = (l->disk.blocks + LAYER_PER_PAGE - 1) / LAYER_PER_PAGE;
    uint64_t end = ((uint64_t)size + DISK_BLOCK - 1) / DISK_BLOCK;
    if (size < 0 || end < layer_data_at(l) || end >= LAYER_ZERO)
        return why_fail(why, -EINVAL, "layer %s is damaged: it was cut", path);
    l->end = (uint32_t)end;
    l->epoch = l->header.durable;
    l->page = calloc(l->pages, sizeof(struct layer_page *));
    uint8_t *used = calloc(l->end / 8 + 1, 1);
    int err = l->page && used ? read_map(l, used) : -ENOMEM;
    if (!err)
        err = settle(l, used);
    if (!err)
        find_free(l, used);
    l->epoch++;
    free(used);
    if (err == -EINVAL)
        return why_fail(why, err, "layer %s is damaged: its map is wrong", path);
    return err ? why_fail(why, err, "cannot read layer %s: %s", path, strerror(-err)) : 0;
}

int layer_file_open(const char *path, bool readonly, struct layer **out, struct why *why)
{
    struct layer *l = calloc(1, sizeof(*l));
    if (!l)
        return why_fail(why, -ENOMEM, "no memory for a disk");
    l->disk.ops = &layer_ops;
    l->disk.readonly = readonly;
    int err = host_lock_init(&l->lock);
    if (!err)
        err = host_lock_init(&l->flushing);
    if (err) {
        free(l);
        return why_fail(why, err, "no memory for a disk");
    }
    l->fd = disk_file_open(path, readonly, why);
    err = l->fd < 0 ? l->fd : read_headers(l, path, why);
    if (!err)
        err = read_all(l, path, why);
    if (err)
        layer_file_close(l);
    else
        *out = l;
    return err;
}

void layer_file_close(struct layer *l)
{
    for (uint64_t i = 0; l->page && i < l->pages; i++)
        free(l->page[i]);
    if (l->fd >= 0)
        close(l->fd);
    host_lock_fini(&l->lock);
    host_lock_fini(&l->flushing);
    free(l->page);
    free(l->free);
    free(l->old);
    free(l);
}

/* Making. */

static int fill_new(int fd, const struct disk *below)
{
    struct layer_header h = {.version = LAYER_VERSION, .block_bytes = DISK_BLOCK};
    uint64_t pages = (below->blocks + LAYER_PER_PAGE - 1) / LAYER_PER_PAGE;
    memcpy(h.magic, magic, sizeof(magic));
    h.bytes = below->bytes;
    int err = layer_state_of((struct disk *)(uintptr_t)below, h.below);
    if (!err && getrandom(h.state, sizeof(h.state), 0) != sizeof(h.state))
        err = -EIO;
    h.crc = header_crc(&h);
    if (!err)
        err = write_block(fd, 0, &h, sizeof(h));
    if (!err && ftruncate(fd, (off_t)((LAYER_MAP_AT + pages) * DISK_BLOCK)))
        err = -errno;
    return !err && fsync(fd) ? -errno : err;
}

/* Under another name at first: a layer is there whole or not at all. */
int layer_file_create(const char *path, const struct disk *below, struct why *why)
{
    char temp[4096];
    if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
        return why_fail(why, -ENAMETOOLONG, "%s: too long a name", path);
    if (below->bytes > MAX_BYTES)
        return why_fail(why, -EFBIG, "a layer is for disks up to 8 TiB");
    int fd = mkstemp(temp);
    int err = fd < 0 ? -errno : fill_new(fd, below);
    if (!err && fchmod(fd, 0644))
        err = -errno;
    if (!err && link(temp, path))
        err = -errno;
    if (fd >= 0) {
        close(fd);
        unlink(temp);
    }
    return err ? why_fail(why, err, "cannot make layer %s: %s", path, strerror(-err)) : 0;
}
