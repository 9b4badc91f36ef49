/* SPDX-License-Identifier: MIT */
/*
 * Disks in general, and raw images. The size is fixed when the disk is opened; a file
 * that somebody cuts afterwards gives -EIO, never short data.
 */
#include "devices/disk_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct raw {
    struct disk disk;
    int fd;
};

static int fd_of(const struct disk *disk)
{
    return CONTAINER_OF((struct disk *)(uintptr_t)disk, struct raw, disk)->fd;
}

static int check_kind(int fd, const char *path, struct why *why)
{
    struct stat st;
    if (fstat(fd, &st))
        return why_fail(why, -errno, "cannot look at disk %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return why_fail(why, -EINVAL, "disk %s is neither a file nor a block device", path);
    return 0;
}

static int find_size(struct raw *raw, const char *path, struct why *why)
{
    off_t end = lseek(raw->fd, 0, SEEK_END);
    if (end < 0)
        return why_fail(why, -errno, "cannot find the size of disk %s: %s", path, strerror(errno));
    if (end == 0)
        return why_fail(why, -EINVAL,
                        "disk %s is empty; make it with: denali disk create %s SIZE, or truncate "
                        "-s SIZE %s",
                        path, path, path);
    raw->disk.bytes = (uint64_t)end;
    raw->disk.blocks = (raw->disk.bytes + DISK_BLOCK - 1) / DISK_BLOCK;
    return 0;
}

/* Locks of the open file, so that they do not end with another descriptor of this process. A file
 * system without locks is no reason to refuse. */
static int lock(int fd, bool readonly, const char *path, struct why *why)
{
    struct flock fl = {.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &fl) == 0 || (errno != EAGAIN && errno != EACCES))
        return 0;
    return why_fail(why, -EBUSY, "disk %s is in use already%s", path,
                    readonly ? "" : " (a disk that only reads can be shared: add ,ro)");
}

int disk_file_open(const char *path, bool readonly, struct why *why)
{
    int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return why_fail(why, -errno, "cannot open disk %s: %s%s", path, strerror(errno),
                        errno == EACCES && !readonly ? " (to read only: add ,ro)" : "");
    int err = check_kind(fd, path, why);
    if (!err)
        err = lock(fd, readonly, path, why);
    if (!err)
        return fd;
    close(fd);
    return err;
}

static const struct disk_ops raw_ops;

int disk_open(const char *path, bool readonly, struct disk **out, struct why *why)
{
    struct raw *raw = calloc(1, sizeof(*raw));
    if (!raw)
        return why_fail(why, -ENOMEM, "no memory for a disk");
    raw->disk.ops = &raw_ops;
    raw->disk.readonly = readonly;
    raw->fd = disk_file_open(path, readonly, why);
    int err = raw->fd < 0 ? raw->fd : find_size(raw, path, why);
    if (err) {
        disk_close(&raw->disk);
        return err;
    }
    *out = &raw->disk;
    return 0;
}

static void raw_close(struct disk *disk)
{
    if (fd_of(disk) >= 0)
        close(fd_of(disk));
    free(CONTAINER_OF(disk, struct raw, disk));
}

void disk_close(struct disk *disk)
{
    if (disk)
        disk->ops->close(disk);
}

uint64_t disk_blocks(const struct disk *disk)
{
    return disk->blocks;
}

uint64_t disk_bytes(const struct disk *disk)
{
    return disk->bytes;
}

bool disk_is_readonly(const struct disk *disk)
{
    return disk->readonly;
}

/* Drops `n` bytes from the front of *iov; the new count. */
static unsigned advance(struct iovec **iov, unsigned count, size_t n)
{
    while (count && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        count--;
    }
    if (count) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
    return count;
}

/* Beyond the file's end, inside the last block. */
static void zero_rest(const struct iovec *iov, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        memset(iov[i].iov_base, 0, iov[i].iov_len);
}

static void check_run(const struct disk *disk, uint64_t block, unsigned count)
{
    BUG_ON(count > DISK_MAX_RUN || block > disk->blocks || count > disk->blocks - block,
           "a run of blocks is inside the disk");
}

int disk_file_read(int fd, uint64_t at, struct iovec *iov, unsigned count, bool nowait,
                   uint64_t limit)
{
    while (count) {
        ssize_t n = preadv2(fd, iov, (int)count, (off_t)at, nowait ? RWF_NOWAIT : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nowait ? -EAGAIN : -errno; /* also where the host knows no RWF_NOWAIT */
        if (n == 0 && at < limit)
            return -EIO; /* somebody cut the file */
        if (n == 0)
            break;
        at += (uint64_t)n;
        count = advance(&iov, count, (size_t)n);
    }
    zero_rest(iov, count);
    return 0;
}

int disk_file_write(int fd, uint64_t at, struct iovec *iov, unsigned count)
{
    while (count) {
        ssize_t n = pwritev(fd, iov, (int)count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += (uint64_t)n;
        count = advance(&iov, count, (size_t)n);
    }
    return 0;
}

static int raw_read(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count,
                    bool nowait)
{
    return disk_file_read(fd_of(disk), block * DISK_BLOCK, iov, count, nowait, disk->bytes);
}

static int raw_write(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count)
{
    return disk_file_write(fd_of(disk), block * DISK_BLOCK, iov, count);
}

static int raw_flush(struct disk *disk)
{
    return fdatasync(fd_of(disk)) ? -errno : 0;
}

static const struct disk_ops raw_ops = {
    .read = raw_read, .write = raw_write, .flush = raw_flush, .close = raw_close};

int disk_read(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count, bool nowait)
{
    check_run(disk, block, count);
    return disk->ops->read(disk, block, iov, count, nowait);
}

int disk_write(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count)
{
    check_run(disk, block, count);
    return disk->readonly ? -EROFS : disk->ops->write(disk, block, iov, count);
}

int disk_flush(struct disk *disk)
{
    return disk->readonly ? 0 : disk->ops->flush(disk);
}
