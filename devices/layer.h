/* SPDX-License-Identifier: MIT */
/*
 * A layer: a file that holds the blocks of a disk that differ from the disk below it,
 * which is a raw image or another layer and is only read. The format is described in
 * docs/DISKS.md; all numbers are little-endian.
 *
 *     blocks 0, 1    header, written in turns; the valid one of the higher generation counts
 *     block 2 on     map: an entry of 32 bytes for each block of the disk
 *     behind it      data, blocks in no order
 *
 * A block is never written over: new contents go to a free block, then the entry is
 * written. What an entry pointed to is free only after the new entry is known to be on
 * the host's disk. So a killed process leaves either the old contents or the new.
 */
#ifndef DENALI_LAYER_H
#define DENALI_LAYER_H

#include "devices/disk_private.h"
#include "emu/base/host_thread.h"

#define LAYER_VERSION 1u
#define LAYER_MAP_AT 2u /* block */
#define LAYER_PER_PAGE (DISK_BLOCK / 32u)
#define LAYER_NONE 0u         /* the disk below has it */
#define LAYER_ZERO UINT32_MAX /* all zero; no data block */

struct layer_header {
    uint8_t magic[8]; /* "denaliLY" */
    uint32_t version, block_bytes;
    uint64_t bytes;      /* of the disk */
    uint64_t generation; /* of this header */
    uint64_t durable;  /* entries of this epoch and older are on the host's disk, with their data */
    uint8_t state[16]; /* drawn anew whenever the layer begins to change */
    uint8_t below[16]; /* the state of the layer below, or the sum of the raw image */
    uint32_t reserved;
    uint32_t crc; /* of all that is before it */
};
_Static_assert(sizeof(struct layer_header) == 80, "layer header");

struct layer_entry {
    uint32_t now, now_crc;       /* file block, LAYER_ZERO or LAYER_NONE; of its contents */
    uint32_t before, before_crc; /* the same, of what was known to be on the host's disk */
    uint64_t epoch;
    uint32_t reserved;
    uint32_t crc; /* of all that is before it, and the block's number; never 0 */
};
_Static_assert(sizeof(struct layer_entry) == 32, "layer entry");

struct layer_page {
    struct layer_entry entry[LAYER_PER_PAGE];
};

struct layer_old {
    uint32_t index;
    uint64_t epoch; /* free when this is on the host's disk */
};

struct layer {
    struct disk disk;
    int fd;
    struct disk *below;
    struct host_lock flushing; /* one flush at a time; taken before `lock` */
    struct host_lock lock;     /* all below */
    struct layer_header header;
    bool changing;            /* the header says so */
    uint64_t epoch;           /* of what is written now */
    struct layer_page **page; /* of the map; NULL: all LAYER_NONE */
    uint64_t pages, used;     /* used: data blocks */
    uint32_t end;             /* the file has so many blocks */
    uint32_t *free;           /* a stack */
    size_t free_count, free_room;
    struct layer_old *old; /* superseded, oldest first */
    size_t old_count, old_room;
};

static inline uint32_t layer_data_at(const struct layer *l)
{
    return LAYER_MAP_AT + (uint32_t)l->pages;
}

/* layer.c: a page's entry, which may be made; NULL: no memory. */
struct layer_entry *layer_entry_at(struct layer *l, uint64_t block, bool make);
void layer_free_block(struct layer *l, uint32_t index); /* inside the lock, or while opening */
uint32_t layer_data_crc(uint64_t block, const void *data);

/* layer_file.c */
uint32_t layer_entry_crc(uint64_t block, const struct layer_entry *entry);
MUST_CHECK int layer_write_entries(struct layer *l, uint64_t block, const struct layer_entry *entry,
                                   unsigned count);
/* Inside the lock. */
MUST_CHECK int layer_write_header(struct layer *l);
/* A layer file; the disk is not yet usable. */
MUST_CHECK int layer_file_open(const char *path, bool readonly, struct layer **out,
                               struct why *why);
MUST_CHECK int layer_file_create(const char *path, const struct disk *below, struct why *why);
/* What a layer above this disk remembers of it. */
MUST_CHECK int layer_state_of(struct disk *below, uint8_t state[16]);
void layer_file_close(struct layer *l);

extern const struct disk_ops layer_ops;
static inline struct layer *layer_of(const struct disk *disk)
{
    return CONTAINER_OF((struct disk *)(uintptr_t)disk, struct layer, disk);
}

#endif
