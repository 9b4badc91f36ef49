/* SPDX-License-Identifier: MIT */
/* Rights and code marks that RAM from one source begins with; between ram.c and ram_marks.c. */
#ifndef DENALI_RAM_MARKS_H
#define DENALI_RAM_MARKS_H

#include "emu/base/host.h"
#include "emu/machine/ram.h"

/* Of the map of what is denied, for RAM of so many bytes. */
static inline uint64_t ram_marks_bytes(uint64_t size)
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
/* Maps the map, copied on write, at `addr` in a reservation; and says what is in it, so that it
 * need not be read: the caller frees *run. */
MUST_CHECK int ram_marks_map(struct ram_marks *marks, void *addr, struct ram_run **run,
                             uint32_t *runs);
/* From any thread: this page of a RAM is marked as code, and is still the source's. */
void ram_marks_note_code(struct ram_marks *marks, uint32_t page);

#endif
