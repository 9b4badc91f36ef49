/* SPDX-License-Identifier: MIT */
/*
 * A virtual disk in a file or block device of the host: raw, in blocks of
 * 4096 bytes; what a file lacks to a whole last block reads as zeroes and comes
 * into being when that block is written. Functions are safe from any thread.
 */
#ifndef DENALI_DISK_H
#define DENALI_DISK_H

#include "emu/base/base.h"
#include "emu/base/why.h"

#include <sys/uio.h>

#define DISK_BLOCK 4096u
#define DISK_MAX_RUN 256u /* blocks of one call */

struct disk;

/*
 * Opens and locks: read-only disks can be shared, a writable one belongs to one
 * program at a time. A negative errno and `why`.
 */
MUST_CHECK int disk_open(const char *path, bool readonly, struct disk **out, struct why *why);
void disk_close(struct disk *disk);

uint64_t disk_blocks(const struct disk *disk);
uint64_t disk_bytes(const struct disk *disk);
bool disk_is_readonly(const struct disk *disk);

/*
 * `count` blocks from `block` on, inside the disk, each iov entry one block. The
 * iov entries are used up. disk_read: with `nowait`, -EAGAIN where the host would
 * have to wait for its own disk. 0, -EIO, -ENOSPC and the like; after a failure,
 * contents are undefined.
 */
MUST_CHECK int disk_read(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count,
                         bool nowait);
MUST_CHECK int disk_write(struct disk *disk, uint64_t block, struct iovec *iov, unsigned count);
/* What was written before survives the host's crash. */
MUST_CHECK int disk_flush(struct disk *disk);

#endif
