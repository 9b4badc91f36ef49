/* SPDX-License-Identifier: MIT */
/*
 * What the segment tests' two sides share: the local descriptor table, the regions that its
 * segments lie in, and one case with its outcome. The 32-bit native side includes this, so all
 * fields have fixed widths.
 *
 * Every segment register has a region of its own and, in the table, a descriptor of each kind
 * for that region. Region and register have the same number (enum isa_seg).
 */
#ifndef DENALI_INSN_SEGMENTS_H
#define DENALI_INSN_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#define SEGMENTS_REGIONS 6u
#define SEGMENTS_BASE 0x01000000u
#define SEGMENTS_STRIDE 0x40000u
#define SEGMENTS_BYTES 0x20000u /* of a region that exist */

enum segments_kind {
    KIND_PLAIN,  /* 64 KiB, 16 bits */
    KIND_SHORT,  /* ends at 8123h */
    KIND_NARROW, /* read-only data, execute-only code */
    KIND_DOWN,   /* expands down; code: ends at 9FFFh */
    KIND_WIDE,   /* 32 bits; data: 128 KiB */
    KIND_ABSENT, /* not present */
    KINDS
};

struct segments_desc {
    uint32_t base, limit; /* bytes */
    bool code, down, narrow, wide, absent;
};

static inline uint32_t segments_base(unsigned region)
{
    return SEGMENTS_BASE + region * SEGMENTS_STRIDE;
}

static inline uint16_t segments_selector(unsigned region, unsigned kind)
{
    return (uint16_t)((1 + region * KINDS + kind) << 3 | 7);
}

static inline struct segments_desc segments_describe(unsigned region, unsigned kind)
{
    bool code = region == 1;
    struct segments_desc d = {.base = segments_base(region), .limit = 0xffff, .code = code};
    d.down = kind == KIND_DOWN && !code;
    d.narrow = kind == KIND_NARROW;
    d.wide = kind == KIND_WIDE;
    d.absent = kind == KIND_ABSENT;
    if (kind == KIND_SHORT)
        d.limit = 0x8123;
    else if (kind == KIND_DOWN)
        d.limit = code ? 0x9fff : 0x7fff;
    else if (kind == KIND_WIDE && !code)
        d.limit = SEGMENTS_BYTES - 1;
    return d;
}

struct segments_state {
    uint32_t gpr[8], eip, eflags;
    uint16_t seg[8]; /* enum isa_seg order */
};

/* `vector` of a run that took seconds. */
#define SEGMENTS_HUNG 255u

struct segments_shared {
    struct segments_state state; /* before, and after the run */
    uint32_t vector, error;
    uint32_t unused[1008];
    uint8_t region[SEGMENTS_REGIONS][SEGMENTS_BYTES]; /* on a page's border */
};

#endif
