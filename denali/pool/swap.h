/* SPDX-License-Identifier: MIT */
/*
 * A swap file: pieces of any length, written once, read back whole, freed. What is
 * read is what was written, or an error: each piece has a CRC-32 that also covers
 * its place. The file means nothing to another process, is readable by its owner
 * alone, and is empty again when it is closed.
 *
 * All functions may be called from any thread; a piece belongs to one at a time.
 */
#ifndef DENALI_SWAP_H
#define DENALI_SWAP_H

#include "emu/base/why.h"

struct swap;

/* Where a piece lies; len 0: nowhere. */
struct swap_ref {
    uint32_t at; /* in units of SWAP_UNIT */
    uint32_t len;
};
#define SWAP_UNIT 512u

/* Creates or empties the file. `max_bytes` 0: as much as the host's disk takes. */
MUST_CHECK int swap_open(const char *path, uint64_t max_bytes, struct swap **out, struct why *why);
/* NULL is harmless. */
void swap_close(struct swap *swap);

/* -ENOSPC: the file or the disk is full; -EIO and the like: what the host says. Then nothing is
 * kept. */
MUST_CHECK int swap_write(struct swap *swap, const void *data, uint32_t len, struct swap_ref *out);
/* -EBADMSG: damaged; other errors are the host's, and may pass. The piece stays. */
MUST_CHECK int swap_read(struct swap *swap, struct swap_ref ref, void *out);
void swap_free(struct swap *swap, struct swap_ref ref);

/* Of all pieces. */
uint64_t swap_used_bytes(struct swap *swap);

#endif
