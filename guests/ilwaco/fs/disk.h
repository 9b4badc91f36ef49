/* SPDX-License-Identifier: MIT */
/* Disks: blocks of 4096 bytes, straight to memory, or through one cache. */
#ifndef ILWACO_DISK_H
#define ILWACO_DISK_H

#include "guests/ilwaco/kernel.h"

#define BLOCK_SIZE 4096u
#define DISK_MAX 16u

struct disk {
    uint16_t port;
    bool read_only;
    char name[16];
    uint64_t blocks, bytes;
};

void disk_init(void);
struct disk *disk_by_name(const char *name); /* NULL: no such disk */
struct disk *disk_at(uint32_t index);        /* NULL: no more */

/* n blocks to or from page-aligned memory; waits. -EIO, -EINVAL beyond the end, -EROFS. */
int disk_read(struct disk *disk, uint64_t block, uint32_t n, void *dst);
int disk_write(struct disk *disk, uint64_t block, uint32_t n, const void *src);
int disk_flush(struct disk *disk);

/*
 * Through the cache: bytes [offset, offset + n) of the disk. `ahead`: bytes
 * behind that are likely to be asked for next (the rest of the file).
 */
int cache_read(struct disk *disk, uint64_t offset, void *dst, uint32_t n);
int cache_read_uio(struct disk *disk, uint64_t offset, struct uio *uio, uint32_t n, uint64_t ahead);
void cache_forget(struct disk *disk, uint64_t block, uint32_t n);
uint64_t cache_bytes(void);

#endif
