/* SPDX-License-Identifier: MIT */
/*
 * Disk images. The size is fixed when the disk is opened; a file that somebody
 * cuts afterwards gives -EIO, never short data.
 */
#include "devices/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk {
    int fd;
    bool readonly;
    uint64_t bytes, blocks;
};

static int find_size(struct disk *disk, const char *path, struct why *why)
{
    struct stat st;
    if (fstat(disk->fd, &st))
        return why_fail(why, -errno, "cannot look at disk %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return why_fail(why, -EINVAL, "disk %s is neither a file nor a block device", path);
    off_t end = lseek(disk->fd, 0, SEEK_END);
    if (end < 0)
        return why_fail(why, -errno, "cannot find the size of disk %s: %s", path, strerror(errno));
    if (end == 0)
        return why_fail(why, -EINVAL, "disk %s is empty; make it with: truncate -s SIZE %s", path,
                        path);
    disk->bytes = (uint64_t)end;
    disk->blocks = (disk->bytes + DISK_BLOCK - 1) / DISK_BLOCK;
    return 0;
}

/* Locks of the open file, so that they do not end with another descriptor of this process. A file
 * system without locks is no reason to refuse. */
static int lock(const struct disk *disk, const char *path, struct why *why)
{
    struct flock fl = {.l_type = disk->readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(disk->fd, F_OFD_SETLK, &fl) == 0 || (errno != EAGAIN && errno != EACCES))
        return 0;
    return why_fail(why, -EBUSY, "disk %s is in use by another program%s", path,
                    disk->readonly ? "" : " (a disk that only reads can be shared: add ,ro)");
}

int disk_open(const char *path, bool readonly, struct disk **out, struct why *why)
{
    struct disk *disk = calloc(1, sizeof(*disk));
    if (!disk)
        return why_fail(why, -ENOMEM, "no memory for a disk");
    disk->readonly = readonly;
    disk->fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    int err = 0;
    if (disk->fd < 0)
        err = why_fail(why, -errno, "cannot open disk %s: %s%s", path, strerror(errno),
                       errno == EACCES && !readonly ? " (to read only: add ,ro)" : "");
    if (!err)
        err = find_size(disk, path, why);
    if (!err)
        err = lock(disk, path, why);
    if (err) {
        disk_close(disk);
        return err;
    }
    *out = disk;
    return 0;
}

void disk_close(struct disk *disk)
{
    if (!disk)
        return;
    if (disk->fd >= 0)
        close(disk->fd);
    free(disk);
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

int disk_read(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count, bool nowait)
{
    check_run(disk, block, count);
    uint64_t at = block * DISK_BLOCK;
    while (count) {
        ssize_t n = preadv2(disk->fd, iov, (int)count, (off_t)at, nowait ? RWF_NOWAIT : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nowait ? -EAGAIN : -errno; /* also where the host knows no RWF_NOWAIT */
        if (n == 0 && at < disk->bytes)
            return -EIO; /* somebody cut the file */
        if (n == 0)
            break;
        at += (uint64_t)n;
        count = advance(&iov, count, (size_t)n);
    }
    zero_rest(iov, count);
    return 0;
}

int disk_write(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count)
{
    check_run(disk, block, count);
    if (disk->readonly)
        return -EROFS;
    uint64_t at = block * DISK_BLOCK;
    while (count) {
        ssize_t n = pwritev(disk->fd, iov, (int)count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += (uint64_t)n;
        count = advance(&iov, count, (size_t)n);
    }
    return 0;
}

int disk_flush(struct disk *disk)
{
    if (disk->readonly)
        return 0;
    return fdatasync(disk->fd) ? -errno : 0;
}
