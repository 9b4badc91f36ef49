/* SPDX-License-Identifier: MIT */
/* The inside of disks: what every kind begins with (disk.c), and layers (layer.h). */
#ifndef DENALI_DISK_PRIVATE_H
#define DENALI_DISK_PRIVATE_H

#include "devices/disk.h"

struct disk_ops {
    /* As disk.h has them; the run is inside the disk, and may be written. */
    int (*read)(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count, bool nowait);
    int (*write)(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count);
    int (*flush)(struct disk *disk);
    void (*close)(struct disk *disk);
};

struct disk {
    const struct disk_ops *ops;
    uint64_t bytes, blocks;
    bool readonly;
};

/* For all kinds: opens, refuses what is no file, locks. The descriptor, or a negative errno. */
MUST_CHECK int disk_file_open(const char *path, bool readonly, struct why *why);
/* pread and pwrite of whole blocks; the iov entries are used up. `limit`: of bytes that the file
 * should have; beyond it there are zeroes. -EAGAIN with `nowait`. */
MUST_CHECK int disk_file_read(int fd, uint64_t at, struct iovec *iov, unsigned count, bool nowait,
                              uint64_t limit);
MUST_CHECK int disk_file_write(int fd, uint64_t at, struct iovec *iov, unsigned count);

#endif
