/* SPDX-License-Identifier: MIT */
/*
 * A packed root: one read-only image of a file tree, made on the host
 * (emu/cli/pack/pack_root.c), read by Ilwaco through a disk. Little-endian, fixed
 * width. Both sides take the other's bytes for hostile.
 *
 *   block 0            struct rootfs_super
 *   blocks 1...        regular files, each from a 4096-byte border on, contiguous
 *   meta_offset        struct rootfs_inode [inode_count]; number n is entry n - 1; 1 is the
 *                      root; behind them directories and symbolic links' targets, each
 *                      aligned to 8; meta_bytes in all
 *
 * A directory's bytes: struct rootfs_dirent [count], sorted by name (bytes
 * compared as unsigned), then the names without ends. "." and ".." are not there.
 */
#ifndef ILWACO_ROOTFS_FORMAT_H
#define ILWACO_ROOTFS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define ROOTFS_MAGIC 0x31746f6f526c6e44ull /* "DnlRoot1" */
#define ROOTFS_VERSION 1u
#define ROOTFS_BLOCK 4096u
#define ROOTFS_NAME_MAX 255u
#define ROOTFS_ROOT 1u

struct rootfs_super {
    uint64_t magic;
    uint32_t version;
    uint32_t inode_count;
    uint64_t meta_offset;
    uint64_t meta_bytes;
    uint64_t image_bytes;   /* of the whole image, a multiple of 4096 */
    uint64_t meta_checksum; /* rootfs_hash of the meta_bytes */
    uint64_t source_key;    /* the packer's own: tells whether the source has changed */
    uint64_t file_bytes;    /* sum of the regular files' sizes */
    uint64_t reserved[7];
    uint64_t super_checksum; /* rootfs_hash of the fields above */
};

struct rootfs_inode {
    uint32_t mode; /* Linux st_mode: type and permissions */
    uint32_t nlink;
    uint32_t uid, gid;
    uint64_t size;   /* bytes of the contents: file, directory, target */
    uint64_t offset; /* of the contents in the image */
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    uint32_t rdev_major, rdev_minor;
    uint32_t count;      /* directory: entries */
    uint64_t shown_size; /* directory: what stat tells, as the source had it */
};

struct rootfs_dirent {
    uint32_t inode;
    uint32_t name_offset; /* from the directory's first byte */
    uint16_t name_len;
    uint8_t type; /* mode >> 12 */
    uint8_t reserved;
    uint32_t listed; /* of entry i: which entry a listing shows as the i-th, as the source did */
};

_Static_assert(sizeof(struct rootfs_super) == 128, "superblock");
_Static_assert(sizeof(struct rootfs_inode) == 64, "inode");
_Static_assert(sizeof(struct rootfs_dirent) == 16, "directory entry");

/* FNV-1a over 64-bit words, the tail byte by byte: guards against damage, not against malice. */
static inline uint64_t rootfs_hash(uint64_t hash, const void *data, size_t n)
{
    const uint8_t *p = data;
    const uint64_t prime = 0x100000001b3ull;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        __builtin_memcpy(&word, p, 8);
        hash = (hash ^ word) * prime;
        hash ^= hash >> 32;
    }
    for (; n; n--, p++)
        hash = (hash ^ *p) * prime;
    return hash;
}
#define ROOTFS_HASH_START 0xcbf29ce484222325ull

#endif
