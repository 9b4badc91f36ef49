/* SPDX-License-Identifier: MIT */
/*
 * Disks of snapshots and clones. A snapshot takes along what the VM's writable disks
 * hold at that moment, as raw files beside it, SNAPSHOT@N.disk (`@` is in no name).
 * Clones share these, only read, and each writes to a layer of its own. A clone
 * that starts again begins with its snapshot, memory and disks alike, so nobody ever
 * opens that layer again: it loses its name as soon as it is open, and goes with
 * its VM.
 */
#include "denali/host/worker_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN DISK_MAX_RUN

/* What the VM really has. */
static const struct vm_resource *disks_of(const struct hosted *h, unsigned *count)
{
    *count = h->own_disks ? h->own_disks : h->origin->machine.disks;
    return h->own_disks ? h->own_disk : h->origin->machine.disk;
}

bool disks_have_writable(const struct hosted *h)
{
    unsigned n;
    const struct vm_resource *disk = disks_of(h, &n);
    while (n && disk_is_readonly(disk[n - 1].disk))
        n--;
    return n != 0;
}

/* SNAPSHOT@N.disk; the caller frees it. */
static char *copy_path(const char *snapshot, unsigned number)
{
    char *path;
    const char *end = strrchr(snapshot, '.');
    int len = end ? (int)(end - snapshot) : (int)strlen(snapshot);
    return asprintf(&path, "%.*s@%u.disk", len, snapshot, number) < 0 ? NULL : path;
}

/* Copying. */

static bool is_zero(const uint8_t *block)
{
    return !block[0] && !memcmp(block, block + 1, DISK_BLOCK - 1);
}

/* Blocks from..end of a run; zeroes stay holes. */
static int write_run(struct disk *to, uint64_t first, uint8_t *bytes, unsigned count)
{
    int err = 0;
    for (unsigned at = 0, end; !err && at < count; at = end) {
        struct iovec iov[RUN];
        for (end = at; end < count && !is_zero(bytes + (size_t)end * DISK_BLOCK); end++)
            iov[end - at] = (struct iovec){bytes + (size_t)end * DISK_BLOCK, DISK_BLOCK};
        if (end > at)
            err = disk_write(to, first + at, iov, end - at);
        end += end == at;
    }
    return err;
}

static int copy_blocks(struct disk *from, struct disk *to)
{
    uint8_t *bytes = malloc((size_t)RUN * DISK_BLOCK);
    uint64_t blocks = disk_blocks(from);
    int err = bytes ? 0 : -ENOMEM;
    for (uint64_t at = 0; !err && at < blocks; at += RUN) {
        struct iovec iov[RUN];
        unsigned count = blocks - at < RUN ? (unsigned)(blocks - at) : RUN;
        for (unsigned i = 0; i < count; i++)
            iov[i] = (struct iovec){bytes + (size_t)i * DISK_BLOCK, DISK_BLOCK};
        err = disk_read(from, at, iov, count, false);
        if (!err)
            err = write_run(to, at, bytes, count);
    }
    free(bytes);
    return err ? err : disk_flush(to);
}

static int copy_disk(struct disk *from, const char *path, struct why *why)
{
    struct disk *to;
    unlink(path); /* of a snapshot that came to nothing */
    int err = disk_create(path, disk_bytes(from), why);
    if (!err)
        err = disk_open(path, false, &to, why);
    if (err)
        return err;
    err = copy_blocks(from, to);
    disk_close(to);
    return err ? why_fail(why, err, "cannot copy a disk to %s: %s", path, strerror(-err)) : 0;
}

int disks_copy(const struct hosted *h, const char *snapshot, struct why *why)
{
    unsigned n;
    const struct vm_resource *disk = disks_of(h, &n);
    int err = 0;
    for (unsigned i = 0; !err && i < n; i++) {
        if (disk_is_readonly(disk[i].disk))
            continue;
        char *path = copy_path(snapshot, i);
        err = path ? copy_disk(disk[i].disk, path, why) : why_fail(why, -ENOMEM, "no memory");
        free(path);
    }
    return err;
}

void disks_drop_copies(const struct hosted *h, const char *snapshot)
{
    unsigned n;
    const struct vm_resource *disk = disks_of(h, &n);
    for (unsigned i = 0; i < n; i++) {
        char *path = disk_is_readonly(disk[i].disk) ? NULL : copy_path(snapshot, i);
        if (path)
            unlink(path);
        free(path);
    }
}

json_t *disks_describe(const struct hosted *h, const char *snapshot)
{
    unsigned n;
    const struct vm_resource *disk = disks_of(h, &n);
    json_t *list = json_array();
    for (unsigned i = 0; i < n; i++) {
        bool copied = !disk_is_readonly(disk[i].disk);
        char *path = copied ? copy_path(snapshot, i) : NULL;
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b}", "name", disk[i].name, "file",
                                              path ? path : h->origin->machine.disk_file[i],
                                              "readonly", !copied, "copied", copied));
        free(path);
    }
    return list;
}

/* A clone's own. */

/* Whether the file came with the snapshot that the VM is from. */
static bool is_copy(const struct hosted *h, const char *file)
{
    char *begins;
    int len = asprintf(&begins, "%s/snapshots/%s@", h->worker->config.state, h->origin->name);
    bool is = len >= 0 && !strncmp(file, begins, (size_t)len);
    if (len >= 0)
        free(begins);
    return is;
}

static int open_layer(const struct hosted *h, unsigned number, struct vm_resource *disk,
                      struct why *why)
{
    const char *base = h->origin->machine.disk_file[number];
    char *layer;
    if (asprintf(&layer, "%s/snapshots/@%llu.%u.layer", h->worker->config.state,
                 (unsigned long long)h->id, number) < 0)
        return why_fail(why, -ENOMEM, "no memory");
    unlink(layer);
    int err = disk_open_layers(base, (const char *const *)&layer, 1, false, &disk->disk, why);
    unlink(layer);
    free(layer);
    return err;
}

int disks_open_own(struct hosted *h, struct why *why)
{
    const struct worker_machine *m = &h->origin->machine;
    unsigned layers = 0;
    int err = 0;
    for (unsigned i = 0; h->origin->snapshot && i < m->disks; i++)
        layers += is_copy(h, m->disk_file[i]);
    for (unsigned i = 0; !err && layers && i < m->disks; i++) {
        h->own_disk[i] = m->disk[i];
        h->own_layer[i] = is_copy(h, m->disk_file[i]);
        if (h->own_layer[i])
            err = open_layer(h, i, &h->own_disk[i], why);
        h->own_layer[i] &= !err;
        h->own_disks = i + 1;
    }
    return err;
}

void disks_close_own(struct hosted *h)
{
    for (unsigned i = 0; i < h->own_disks; i++) {
        if (h->own_layer[i])
            disk_close(h->own_disk[i].disk);
    }
    h->own_disks = 0;
}
