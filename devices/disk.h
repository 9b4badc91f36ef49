/* SPDX-License-Identifier: MIT */
/*
 * A virtual disk in blocks of 4096 bytes, of a fixed size: a raw file or block device
 * of the host, or such a one, only read, with copy-on-write layers on it. What a raw
 * file lacks to a whole last block reads as zeroes and comes into being when that block
 * is written. Functions are safe from any thread.
 *
 * A write that has returned survives the end of this process, however it comes; in a
 * layer, one that was under way has happened or not, block by block. What was written
 * before a flush that has returned survives the host's crash.
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

#define DISK_MAX_LAYERS 8u

/*
 * `base` and the layers on it, lowest first. All but the last layer are only read, and may be
 * shared; the last is made if there is no such file, unless the disk is to be only read. -EINVAL: a
 * layer is damaged, or does not belong on what is below it.
 */
MUST_CHECK int disk_open_layers(const char *base, const char *const *layer, unsigned layers,
                                bool readonly, struct disk **out, struct why *why);

/* "FILE[,ro][,cow=LAYER]...": one of the above. */
MUST_CHECK int disk_open_spec(const char *spec, struct disk **out, struct why *why);

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

/* Tools. */

/* A raw image of zeroes. -EEXIST. */
MUST_CHECK int disk_create(const char *path, uint64_t bytes, struct why *why);

struct disk_layer_info {
    uint64_t bytes, blocks;    /* of the disk */
    uint64_t used, free;       /* data blocks in the file */
    uint64_t host_bytes;       /* what the file takes on the host */
    uint64_t checked, damaged; /* disk_layer_check: blocks */
    char state[33], below[33]; /* hexadecimal: its own, and that of what it belongs on */
};
/* -EBUSY: somebody writes it. -EINVAL: it is no layer, or its map is damaged. */
MUST_CHECK int disk_layer_info(const char *path, struct disk_layer_info *out, struct why *why);
/* The same after having read every block. */
MUST_CHECK int disk_layer_check(const char *path, struct disk_layer_info *out, struct why *why);

/*
 * Writes the blocks of a layer into the base that it is on, and empties it. Killed in between, the
 * base is good for nothing but the same again.
 */
MUST_CHECK int disk_layer_commit(const char *base, const char *layer, struct why *why);

#endif
