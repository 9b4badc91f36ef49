/* SPDX-License-Identifier: MIT */
/*
 * The image is copied into memory of its own, block by block, so that it may lie on any
 * kind of disk and the disk may be written afterwards.
 */
#include "emu/cli/boot_disk.h"

#include "denali/abi.h"
#include "emu/base/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES (256 * MIB) /* of a disk; an image lies within */

bool boot_is_disk(const struct run_options *o)
{
    return !strncmp(o->image, BOOT_DISK_PREFIX, strlen(BOOT_DISK_PREFIX));
}

static const struct run_disk *find(const struct run_options *o)
{
    const char *name = o->image + strlen(BOOT_DISK_PREFIX);
    for (unsigned i = 0; i < o->disks; i++) {
        if (!strcmp(o->disk[i].name, name))
            return &o->disk[i];
    }
    return NULL;
}

static bool is_zero(const uint8_t block[DISK_BLOCK])
{
    return !block[0] && !memcmp(block, block + 1, DISK_BLOCK - 1);
}

static int copy(struct disk *disk, int fd)
{
    uint8_t block[DISK_BLOCK];
    uint64_t blocks = disk_blocks(disk);
    for (uint64_t i = 0; i < blocks && i < MOST_BYTES / DISK_BLOCK; i++) {
        struct iovec iov = {block, sizeof(block)};
        int err = disk_read(disk, i, &iov, 1, false);
        if (err)
            return err;
        if (!is_zero(block) && pwrite(fd, block, sizeof(block), (off_t)(i * DISK_BLOCK)) < 0)
            return -errno;
    }
    return 0;
}

static int open_copy(struct disk *disk, const char *name, struct image **out, struct why *why)
{
    char path[40];
    uint64_t bytes = disk_blocks(disk) * DISK_BLOCK;
    int fd = host_memobj_create("boot image", bytes < MOST_BYTES ? bytes : MOST_BYTES);
    int err = fd < 0 ? fd : copy(disk, fd);
    if (err) {
        why_fail(why, err, "cannot read the boot disk: %s", strerror(-err));
    } else {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        err = image_open_named(path, name, out, why);
    }
    if (fd >= 0)
        close(fd);
    return err;
}

bool boot_disk_is_needless(const struct run_options *o, const struct image *image, unsigned i)
{
    const struct image_manifest *m = image_manifest(image);
    if (!boot_is_disk(o) || find(o) != &o->disk[i])
        return false;
    for (unsigned k = 0; k < m->wishes; k++) {
        if (m->wish[k].kind == DENALI_DEV_DISK && (!strcmp(m->wish[k].name, o->disk[i].name) ||
                                                   !strcmp(m->wish[k].name, DENALI_NAME_ANY)))
            return false;
    }
    return true;
}

int boot_from_disk(const struct run_options *o, struct image **out, struct why *why)
{
    const struct run_disk *d = find(o);
    struct disk *disk;
    if (!d)
        return why_fail(why, -EINVAL, "%s: there is no such disk; say which with --disk NAME=FILE",
                        o->image);
    unsigned layers = d->layers;
    if (layers && !d->readonly && access(d->layer[layers - 1], F_OK))
        layers--; /* it will be made */
    int err = disk_open_layers(d->file, d->layer, layers, true, &disk, why);
    if (err)
        return err;
    err = open_copy(disk, o->image, out, why);
    disk_close(disk);
    if (err || image_kind(*out) == IMAGE_DENALI)
        return err;
    image_close(*out);
    *out = NULL;
    return why_fail(why, -ENOEXEC, "%s: a Linux program, not a Denali image, begins there",
                    o->image);
}
