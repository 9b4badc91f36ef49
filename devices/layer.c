/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing a layer. The lock is held while the map is looked at or
 * changed, with the map's part of the file; data is read and written outside.
 *
 * Reading races with writers: a block that was found may be free and somebody else's
 * when its data arrives. So after reading, the entries are looked at again; one that
 * has changed is read once more.
 *
 * Epochs count flushes. An entry of an epoch that a flush has passed is on the host's
 * disk with its data; then its predecessor's block is free. Of younger entries the
 * contents may be missing after a crash of the host; then the predecessor is the
 * truth, and it is still there.
 */
#include "devices/layer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <zlib.h>

#define OLD_MOST 8192u /* superseded blocks, then we flush ourselves: 32 MiB */
#define TRIES 16u

uint32_t layer_data_crc(uint64_t block, const void *data)
{
    uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)&block, sizeof(block));
    return (uint32_t)crc32_z(crc, data, DISK_BLOCK);
}

/* Blocks. */

struct layer_entry *layer_entry_at(struct layer *l, uint64_t block, bool make)
{
    struct layer_page **page = &l->page[block / LAYER_PER_PAGE];
    if (!*page && make)
        *page = calloc(1, sizeof(**page));
    return *page ? &(*page)->entry[block % LAYER_PER_PAGE] : NULL;
}

/* Without memory the block is lost until the layer is opened again. */
void layer_free_block(struct layer *l, uint32_t index)
{
    if (index == LAYER_NONE || index == LAYER_ZERO)
        return;
    if (l->free_count == l->free_room) {
        size_t room = l->free_room ? 2 * l->free_room : 256;
        uint32_t *more = realloc(l->free, room * sizeof(*more));
        if (!more)
            return;
        l->free = more;
        l->free_room = room;
    }
    l->free[l->free_count++] = index;
}

/* The block is free once `epoch` is on the host's disk. */
static void supersede(struct layer *l, uint32_t index, uint64_t epoch)
{
    if (index == LAYER_NONE || index == LAYER_ZERO)
        return;
    if (l->old_count == l->old_room) {
        size_t room = l->old_room ? 2 * l->old_room : 256;
        struct layer_old *more = realloc(l->old, room * sizeof(*more));
        if (!more)
            return;
        l->old = more;
        l->old_room = room;
    }
    l->old[l->old_count++] = (struct layer_old){index, epoch};
}

static void free_old(struct layer *l)
{
    size_t n = 0;
    while (n < l->old_count && l->old[n].epoch <= l->header.durable)
        layer_free_block(l, l->old[n++].index);
    if (!n)
        return;
    l->old_count -= n;
    memmove(l->old, l->old + n, l->old_count * sizeof(*l->old));
}

/* Inside the lock. */
static int allocate(struct layer *l, uint32_t *index)
{
    if (l->free_count)
        *index = l->free[--l->free_count];
    else if (l->end < LAYER_ZERO - 1)
        *index = l->end++;
    else
        return -ENOSPC;
    return 0;
}

/* Reading. */

static void look_up(struct layer *l, uint64_t block, unsigned count, struct layer_entry *out)
{
    host_lock_enter(&l->lock);
    for (unsigned i = 0; i < count; i++) {
        const struct layer_entry *e = layer_entry_at(l, block + i, false);
        out[i] = e ? *e : (struct layer_entry){0};
    }
    host_lock_leave(&l->lock);
}

/* How many of the entries lie like the first: below, zero, or in a row in the file. */
static unsigned run_of(const struct layer_entry *e, unsigned count)
{
    unsigned n = 1;
    bool in_file = e->now != LAYER_NONE && e->now != LAYER_ZERO;
    while (n < count && e[n].now == (in_file ? e->now + n : e->now))
        n++;
    return n;
}

static int read_data(struct layer *l, uint32_t index, const struct iovec *iov, unsigned count,
                     bool nowait)
{
    struct iovec copy[DISK_MAX_RUN];
    memcpy(copy, iov, count * sizeof(*iov));
    return disk_file_read(l->fd, (uint64_t)index * DISK_BLOCK, copy, count, nowait, UINT64_MAX);
}

static int read_below(struct layer *l, uint64_t block, const struct iovec *iov, unsigned count,
                      bool nowait)
{
    struct iovec copy[DISK_MAX_RUN];
    if (!l->below) { /* a layer that is looked at by itself */
        for (unsigned i = 0; i < count; i++)
            memset(iov[i].iov_base, 0, DISK_BLOCK);
        return 0;
    }
    memcpy(copy, iov, count * sizeof(*iov));
    return disk_read(l->below, block, copy, count, nowait);
}

static int read_place(struct layer *l, uint64_t block, uint32_t index, const struct iovec *iov,
                      unsigned count, bool nowait)
{
    if (index == LAYER_NONE)
        return read_below(l, block, iov, count, nowait);
    if (index != LAYER_ZERO)
        return read_data(l, index, iov, count, nowait);
    for (unsigned i = 0; i < count; i++)
        memset(iov[i].iov_base, 0, DISK_BLOCK);
    return 0;
}

static bool is_right(uint64_t block, uint32_t index, uint32_t crc, const void *data)
{
    return index == LAYER_NONE || index == LAYER_ZERO || layer_data_crc(block, data) == crc;
}

/* The contents are not what the entry promises: lost in a crash of the host, or damaged. */
static int read_before(struct layer *l, uint64_t block, const struct layer_entry *e,
                       const struct iovec *iov)
{
    if (e->epoch <= l->header.durable)
        return -EIO;
    int err = read_place(l, block, e->before, iov, 1, false);
    if (!err && !is_right(block, e->before, e->before_crc, iov->iov_base))
        err = -EIO;
    return err;
}

/* One block, as often as writers change it meanwhile. */
static int read_one(struct layer *l, uint64_t block, const struct iovec *iov)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct layer_entry e, again;
        look_up(l, block, 1, &e);
        int err = read_place(l, block, e.now, iov, 1, false);
        bool right = !err && is_right(block, e.now, e.now_crc, iov->iov_base);
        look_up(l, block, 1, &again);
        if (again.now != e.now)
            continue;
        return right ? 0 : read_before(l, block, &e, iov);
    }
    return -EIO;
}

static int layer_read(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count,
                      bool nowait)
{
    struct layer *l = layer_of(disk);
    struct layer_entry e[DISK_MAX_RUN], again[DISK_MAX_RUN];
    int failed[DISK_MAX_RUN] = {0};
    look_up(l, block, count, e);
    for (unsigned i = 0, n; i < count; i += n) {
        n = run_of(e + i, count - i);
        int err = read_place(l, block + i, e[i].now, iov + i, n, nowait);
        if (err == -EAGAIN && nowait)
            return err;
        for (unsigned k = 0; k < n; k++)
            failed[i + k] = err;
    }
    look_up(l, block, count, again);
    for (unsigned i = 0; i < count; i++) {
        if (!failed[i] && again[i].now == e[i].now &&
            is_right(block + i, e[i].now, e[i].now_crc, iov[i].iov_base))
            continue;
        if (nowait)
            return -EAGAIN;
        int err = read_one(l, block + i, iov + i);
        if (err)
            return err;
    }
    return 0;
}

/* Writing. */

static bool is_zero(const uint8_t *data)
{
    return !data[0] && !memcmp(data, data + 1, DISK_BLOCK - 1);
}

struct place {
    uint32_t index, crc;
};

/* Inside the lock. On failure none is taken. */
static int allocate_run(struct layer *l, const struct iovec *iov, unsigned count,
                        struct place *place)
{
    for (unsigned i = 0; i < count; i++) {
        place[i].index = LAYER_ZERO;
        int err = is_zero(iov[i].iov_base) ? 0 : allocate(l, &place[i].index);
        if (!err)
            continue;
        while (i)
            layer_free_block(l, place[--i].index);
        return err;
    }
    return 0;
}

static int write_data(struct layer *l, uint64_t block, const struct iovec *iov, unsigned count,
                      struct place *place)
{
    struct iovec copy[DISK_MAX_RUN];
    for (unsigned i = 0, n; i < count; i += n) {
        n = 1;
        if (place[i].index == LAYER_ZERO)
            continue;
        while (i + n < count && place[i + n].index == place[i].index + n &&
               place[i + n].index != LAYER_ZERO)
            n++;
        for (unsigned k = i; k < i + n; k++)
            place[k].crc = layer_data_crc(block + k, iov[k].iov_base);
        memcpy(copy, iov + i, n * sizeof(*iov));
        int err = disk_file_write(l->fd, (uint64_t)place[i].index * DISK_BLOCK, copy, n);
        if (err)
            return err;
    }
    return 0;
}

/* Before the first change: layers above this one, if there are any, must not fit any more. */
static int begin_to_change(struct layer *l)
{
    struct layer_header before = l->header;
    if (l->changing)
        return 0;
    if (getrandom(l->header.state, sizeof(l->header.state), 0) != sizeof(l->header.state))
        return -EIO;
    int err = layer_write_header(l);
    if (err)
        l->header = before;
    l->changing = !err;
    return err;
}

static struct layer_entry next_entry(const struct layer *l, uint64_t block,
                                     const struct layer_entry *was, struct place place)
{
    struct layer_entry e = {
        .now = place.index, .now_crc = place.crc, .epoch = l->epoch, .before = was->before};
    e.before_crc = was->before_crc;
    if (was->epoch <= l->header.durable) {
        e.before = was->now;
        e.before_crc = was->now_crc;
    }
    e.crc = layer_entry_crc(block, &e);
    return e;
}

/* What the entry pointed to: needed until the new one is on the host's disk, or never again. */
static void give_up(struct layer *l, const struct layer_entry *was)
{
    bool data = was->now != LAYER_NONE && was->now != LAYER_ZERO;
    l->used -= data;
    if (was->epoch <= l->header.durable)
        supersede(l, was->now, l->epoch);
    else
        layer_free_block(l, was->now);
}

/* The file took some of the new entries, but not all: it gets the old ones back. Where it had room
 * for the new ones it has room for these. */
static void restore_map(struct layer *l, uint64_t block, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int err = layer_write_entries(l, block + i, layer_entry_at(l, block + i, false), 1);
        (void)err;
    }
}

/* Inside the lock: the entries, in the file and here. */
static int write_map(struct layer *l, uint64_t block, unsigned count, const struct place *place)
{
    struct layer_entry next[DISK_MAX_RUN];
    int err = begin_to_change(l);
    for (unsigned i = 0; !err && i < count; i++) {
        const struct layer_entry *was = layer_entry_at(l, block + i, true);
        if (was)
            next[i] = next_entry(l, block + i, was, place[i]);
        else
            err = -ENOMEM;
    }
    if (!err && (err = layer_write_entries(l, block, next, count)))
        restore_map(l, block, count);
    for (unsigned i = 0; !err && i < count; i++) {
        struct layer_entry *e = layer_entry_at(l, block + i, false);
        give_up(l, e);
        *e = next[i];
        l->used += e->now != LAYER_ZERO;
    }
    return err;
}

static int layer_flush(struct disk *disk);

static int layer_write(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count)
{
    struct layer *l = layer_of(disk);
    struct place place[DISK_MAX_RUN];
    host_lock_enter(&l->lock);
    int err = allocate_run(l, iov, count, place);
    host_lock_leave(&l->lock);
    if (err)
        return err;
    err = write_data(l, block, iov, count, place);
    host_lock_enter(&l->lock);
    if (!err)
        err = write_map(l, block, count, place);
    for (unsigned i = 0; err && i < count; i++)
        layer_free_block(l, place[i].index);
    bool crowded = l->old_count > OLD_MOST;
    host_lock_leave(&l->lock);
    return !err && crowded ? layer_flush(disk) : err;
}

/* What is complete now is on the host's disk afterwards. */
static int layer_flush(struct disk *disk)
{
    struct layer *l = layer_of(disk);
    host_lock_enter(&l->flushing);
    host_lock_enter(&l->lock);
    uint64_t epoch = l->epoch++;
    host_lock_leave(&l->lock);
    int err = fdatasync(l->fd) ? -errno : 0;
    host_lock_enter(&l->lock);
    if (!err) {
        uint64_t before = l->header.durable;
        l->header.durable = epoch;
        /* Nobody waits for this one: until it is there, a little less is known. */
        if (layer_write_header(l))
            l->header.durable = before;
        free_old(l);
    }
    host_lock_leave(&l->lock);
    host_lock_leave(&l->flushing);
    return err;
}

static void layer_close(struct disk *disk)
{
    struct layer *l = layer_of(disk);
    disk_close(l->below);
    layer_file_close(l);
}

const struct disk_ops layer_ops = {
    .read = layer_read, .write = layer_write, .flush = layer_flush, .close = layer_close};
