/* SPDX-License-Identifier: MIT */
/*
 * Input as the contents of a disk, in memory. A disk has one size, so what an
 * input lacks is zeroes. What the guest writes is gone with the next input.
 */
#include "emu/fuzz/way.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct disk_way {
    struct fuzz_way way;
    char name[DENALI_NAME_LEN];
    uint64_t bytes;
    int fd;
    struct disk *disk;
};

static struct disk_way *of(struct fuzz_way *way)
{
    return CONTAINER_OF(way, struct disk_way, way);
}

static int plug(struct fuzz_way *way, struct vm_resource *list, unsigned *count, struct why *why)
{
    struct disk_way *d = of(way);
    char path[32];
    d->fd = host_memobj_create("denali-fuzz-disk", d->bytes);
    if (d->fd < 0)
        return why_fail(why, d->fd, "no memory for the disk");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", d->fd);
    int err = disk_open(path, false, &d->disk, why);
    if (err)
        return err;
    list[(*count)++] =
        (struct vm_resource){.kind = DENALI_DEV_DISK, .name = d->name, .disk = d->disk};
    return 0;
}

static int settle(struct fuzz_way *way, struct vm *vm, struct why *why)
{
    (void)way, (void)vm, (void)why;
    return 0;
}

static int put(struct fuzz_way *way, struct vm *vm, const uint8_t *input, size_t len)
{
    struct disk_way *d = of(way);
    (void)vm;
    fuzz_console_give(&way->console, NULL, 0);
    size_t n = len < d->bytes ? len : (size_t)d->bytes;
    if (fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)d->bytes) ||
        pwrite(d->fd, input, n, 0) != (ssize_t)n)
        return -EIO;
    return 0;
}

static void destroy(struct fuzz_way *way)
{
    struct disk_way *d = of(way);
    disk_close(d->disk);
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}

static const struct fuzz_way_ops ops = {
    .name = "disk", .plug = plug, .settle = settle, .put = put, .destroy = destroy};

int fuzz_disk_way(const char *name, uint64_t bytes, struct fuzz_way **out)
{
    struct disk_way *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    *d = (struct disk_way){.way.ops = &ops, .bytes = bytes, .fd = -1};
    snprintf(d->name, sizeof(d->name), "%s", name);
    fuzz_console_init(&d->way.console);
    *out = &d->way;
    return 0;
}
