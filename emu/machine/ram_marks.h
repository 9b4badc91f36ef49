/* SPDX-License-Identifier: MIT */
/* Rights and code marks that RAM from one source begins with; between ram.c and ram_marks.c. */
#ifndef DENALI_RAM_MARKS_H
#define DENALI_RAM_MARKS_H

#include "emu/base/host.h"
#include "emu/machine/ram.h"

/* Of the map of what is denied, for RAM of so many bytes. */
static inline uint64_t ram_map_bytes(uint64_t size)
{
    return ((size >> PAGE_BITS) + 1 + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
}

static inline uint8_t ram_denied_bits(unsigned prot)
{
    if (!(prot & HOST_R))
        return RAM_DENIED_READ | RAM_DENIED_WRITE;
    return (prot & HOST_W) ? 0 : RAM_DENIED_WRITE;
}

/* Pages whose bits deny the host's rights alike. */
struct ram_run {
    uint32_t page, pages;
    uint8_t denied;
};

/* A map that RAM of a source shares: it never changes. */
struct ram_map {
    const uint8_t *denied; /* enum ram_denied, by page */
    const struct ram_run *run;
    uint32_t runs;
};
/* The map with all that is noted by now, until it is given back. From any thread. */
MUST_CHECK int ram_marks_take(struct ram_marks *marks, const struct ram_map **out);
void ram_marks_give_back(struct ram_marks *marks, const struct ram_map *map);

/* A map of one's own, of ram_map_bytes() and freed by host_release: of zeroes; or a copy, which
 * takes memory only for what is written to it. */
MUST_CHECK int ram_map_blank(uint64_t size, uint8_t **out);
MUST_CHECK int ram_map_copy(const struct ram_map *map, uint8_t **out);

/* The rights that RAM begins with, as enum ram_denied bits by page; ram_map_bytes() of them. */
const uint8_t *ram_marks_rights(const struct ram_marks *marks);
/* From any thread: this page of a RAM is marked as code, and is still the source's. */
void ram_marks_note_code(struct ram_marks *marks, uint32_t page);

#endif
