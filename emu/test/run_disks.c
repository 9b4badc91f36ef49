/* SPDX-License-Identifier: MIT */
/*
 * The disks of a guest under test. What it writes goes to memory and is forgotten: a disk that is
 * a file of the host is copied first, unless the guest may only read it.
 */
#include "emu/test/run_private.h"

#include "emu/base/host.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_PART (256 * KIB)

static int write_all(int fd, const void *data, size_t len, uint64_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)data + done, len - done, (off_t)(at + done));
        if (n <= 0)
            return n ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

static int copy_file(const char *path, int to)
{
    int from = open(path, O_RDONLY | O_CLOEXEC), err = from < 0 ? -errno : 0;
    char *part = err ? NULL : malloc(COPY_PART);
    uint64_t at = 0;
    ssize_t n = 1;
    if (!err && !part)
        err = -ENOMEM;
    while (!err && (n = pread(from, part, COPY_PART, (off_t)at)) > 0) {
        err = write_all(to, part, (size_t)n, at);
        at += (uint64_t)n;
    }
    err = err || n >= 0 ? err : -errno;
    free(part);
    if (from >= 0)
        close(from);
    return err;
}

static uint64_t wanted_bytes(const struct spec_disk *d)
{
    struct stat st;
    uint64_t bytes = d->bytes > d->content.len ? d->bytes : d->content.len;
    if (d->file && !stat(d->file, &st))
        bytes = (uint64_t)st.st_size;
    return (bytes + DISK_BLOCK - 1) & ~(uint64_t)(DISK_BLOCK - 1);
}

/* In memory, filled. */
static int make_memory(struct run *run, const struct spec_disk *d, int *fd)
{
    *fd = host_memobj_create(d->name, wanted_bytes(d));
    int err = *fd < 0 ? *fd : 0;
    if (!err && d->file)
        err = copy_file(d->file, *fd);
    if (!err && d->content.data)
        err = write_all(*fd, d->content.data, d->content.len, 0);
    return err ? why_fail(&run->why, err, "the disk \"%s\"%s%s cannot be made: %s", d->name,
                          d->file ? ", from " : "", d->file ? d->file : "", strerror(-err))
               : 0;
}

static int add(struct run *run, const char *name, const char *path, bool readonly)
{
    struct vm_resource *r = &run->resource[run->resources];
    int err = disk_open(path, readonly, &r->disk, &run->why);
    if (err)
        return err;
    r->kind = DENALI_DEV_DISK;
    r->name = name;
    run->resources++;
    return 0;
}

static int add_spec_disk(struct run *run, const struct spec_disk *d)
{
    char path[64];
    if (d->file && d->readonly)
        return add(run, d->name, d->file, true);
    int err = make_memory(run, d, &run->memory_fd[run->resources]);
    if (err)
        return err;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", run->memory_fd[run->resources]);
    return add(run, d->name, path, d->readonly);
}

int run_open_disks(struct run *run)
{
    int err = 0;
    if (run->boot.root)
        err = add(run, ILWACO_DISK_ROOT, run->boot.root, true);
    if (!err && run->boot.program)
        err = add(run, ILWACO_DISK_PROGRAM, run->boot.program, true);
    for (unsigned i = 0; !err && i < run->spec->disks; i++) {
        if (run->resources >= RUN_DISKS - 2)
            return why_fail(&run->why, -E2BIG, "more disks than a machine can have");
        err = add_spec_disk(run, &run->spec->disk[i]);
    }
    return err;
}

void run_close_disks(struct run *run)
{
    for (unsigned i = 0; i < RUN_DISKS; i++) {
        if (i < run->resources && run->resource[i].kind == DENALI_DEV_DISK)
            disk_close(run->resource[i].disk);
        if (run->memory_fd[i] >= 0)
            close(run->memory_fd[i]);
        run->memory_fd[i] = -1;
    }
    run->resources = 0;
}

static int fd_of(const struct run *run, const char *name)
{
    for (unsigned i = 0; i < run->resources; i++) {
        if (run->resource[i].name && !strcmp(run->resource[i].name, name))
            return run->memory_fd[i];
    }
    return -1;
}

int run_read_disk(struct run *run, const char *name, uint64_t at, uint64_t len, struct buffer *out)
{
    char part[4096];
    int fd = fd_of(run, name);
    struct stat st;
    if (fd < 0 || fstat(fd, &st))
        return -ENOENT;
    uint64_t size = (uint64_t)st.st_size, left = at < size ? size - at : 0;
    uint64_t end = at + (len && len < left ? len : left);
    if (end - at > RUN_LOOK_MOST)
        return -EFBIG;
    while (at < end) {
        ssize_t n = pread(fd, part, end - at < sizeof(part) ? end - at : sizeof(part), (off_t)at);
        if (n <= 0)
            break;
        buffer_add(out, part, (size_t)n);
        at += (uint64_t)n;
    }
    return 0;
}

/* Of the blocks that are not all zero; where nothing was ever written, nothing is read. */
static uint64_t sum_memory(int fd)
{
    static const char zeroes[DISK_BLOCK];
    char block[DISK_BLOCK];
    uint64_t sum = 0;
    off_t at = 0, end;
    while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (end = lseek(fd, at, SEEK_HOLE)) > at) {
        for (; at < end; at += DISK_BLOCK) {
            if (pread(fd, block, sizeof(block), at) != sizeof(block))
                return sum;
            if (memcmp(block, zeroes, sizeof(block)))
                sum = sum * 31 + (uint64_t)at + tape_sum(block, sizeof(block));
        }
    }
    return sum;
}

uint64_t run_sum_disks(struct run *run)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < run->spec->disks; i++) {
        int fd = fd_of(run, run->spec->disk[i].name);
        if (!run->spec->disk[i].readonly && fd >= 0)
            sum = sum * 31 + sum_memory(fd);
    }
    return sum;
}
