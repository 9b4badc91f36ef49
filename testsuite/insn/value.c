/* SPDX-License-Identifier: MIT */
/* See value.h. Specials are given about half of the probability: they are where bugs are. */
#include "testsuite/insn/value.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

uint32_t value_integer(struct rng *r)
{
    static const uint32_t edges[] = {0,      1,          2,          0x7F,       0x80,   0xFF,
                                     0x7FFF, 0x8000,     0xFFFF,     0x7FFFFFFF, 31,     32,
                                     33,     0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x8080, 0x10000};
    if (rng_chance(r, 50))
        return edges[rng_below(r, COUNT(edges))];
    return rng_chance(r, 50) ? rng_next(r) : rng_next(r) >> rng_below(r, 32);
}

static uint32_t value_float(struct rng *r)
{
    static const uint32_t edges[] = {0x00000000, 0x3F800000, 0x3F000000, 0x00800000, 0x007FFFFF,
                                     0x00000001, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001,
                                     0x7FBFFFFF, 0x4F000000, 0x4B000000, 0x4B7FFFFF, 0x3EAAAAAB,
                                     0x40490FDB, 0x5F000000, 0x00400000, 0x3F7FFFFF, 0x40000000};
    uint32_t sign = rng_next(r) & 0x80000000;
    if (rng_chance(r, 60))
        return edges[rng_below(r, COUNT(edges))] | sign;
    if (rng_chance(r, 60)) /* near 1 */
        return ((0x70 + rng_below(r, 0x20)) << 23) | (rng_next(r) & 0x7FFFFF) | sign;
    return rng_next(r);
}

static uint64_t value_double(struct rng *r)
{
    static const uint64_t edges[] = {
        0x0000000000000000, 0x3FF0000000000000, 0x3FE0000000000000, 0x0010000000000000,
        0x000FFFFFFFFFFFFF, 0x0000000000000001, 0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000,
        0x7FF8000000000000, 0x7FF0000000000001, 0x7FF7FFFFFFFFFFFF, 0x41E0000000000000,
        0x43E0000000000000, 0x41DFFFFFFFC00000, 0x3FD5555555555555, 0x400921FB54442D18,
        0x47EFFFFFE0000000, 0x36A0000000000000, 0x3810000000000000, 0x380FFFFFC0000000,
        0x47F0000000000000, 0x4330000000000000, 0x3FF8000000000000, 0x4004000000000000};
    uint64_t any = (uint64_t)rng_next(r) << 32 | rng_next(r), sign = any & 0x8000000000000000;
    if (rng_chance(r, 60))
        return edges[rng_below(r, COUNT(edges))] | sign;
    if (rng_chance(r, 60))
        return ((uint64_t)(0x3F0 + rng_below(r, 0x20)) << 52) | (any & 0xFFFFFFFFFFFFF) | sign;
    return any;
}

void value_extended(struct rng *r, uint8_t out[10])
{
    static const struct {
        uint16_t exponent;
        uint64_t mantissa;
    } edges[] = {
        {0x0000, 0x0000000000000000}, {0x3FFF, 0x8000000000000000}, {0x3FFE, 0x8000000000000000},
        {0x0001, 0x8000000000000000}, {0x0000, 0x7FFFFFFFFFFFFFFF}, {0x0000, 0x0000000000000001},
        {0x0000, 0x8000000000000000}, {0x7FFE, 0xFFFFFFFFFFFFFFFF}, {0x7FFF, 0x8000000000000000},
        {0x7FFF, 0xC000000000000000}, {0x7FFF, 0x8000000000000001}, {0x7FFF, 0xFFFFFFFFFFFFFFFF},
        {0x7FFF, 0x0000000000000000}, {0x7FFF, 0x4000000000000000}, {0x3FFF, 0x0000000000000000},
        {0x3FFF, 0x4000000000000000}, {0x4000, 0xC90FDAA22168C235}, {0x403E, 0x8000000000000000},
        {0x401E, 0x8000000000000000}, {0x400E, 0x8000000000000000}, {0x43FE, 0xFFFFFFFFFFFFFFFF},
        {0x3C00, 0xFFFFFFFFFFFFFFFF}, {0x3F80, 0xFFFFFFFFFFFFFFFF}, {0x407E, 0xFFFFFF8000000000},
        {0x403D, 0xFFFFFFFFFFFFFFFE}, {0x3FFF, 0xC000000000000000}, {0x4000, 0xA000000000000000},
        {0x3FFD, 0xAAAAAAAAAAAAAAAB}, {0x403E, 0x8AC7230489E80000}, {0x4039, 0xDE0B6B3A763FFFFF},
    };
    uint64_t mantissa = (uint64_t)rng_next(r) << 32 | rng_next(r);
    uint16_t exponent = (uint16_t)rng_next(r), sign = exponent & 0x8000;
    if (rng_chance(r, 45)) {
        unsigned i = rng_below(r, COUNT(edges));
        mantissa = edges[i].mantissa;
        exponent = edges[i].exponent | sign;
    } else if (rng_chance(r, 70)) { /* ordinary size, sometimes few digits */
        exponent = (uint16_t)((0x3FFF - 40 + rng_below(r, 90)) | sign);
        mantissa |= 0x8000000000000000;
        if (rng_chance(r, 40))
            mantissa &= ~(uint64_t)0 << rng_below(r, 63);
    } else if (rng_chance(r, 80)) {
        mantissa |= 0x8000000000000000;
    }
    memcpy(out, &mantissa, 8);
    memcpy(out + 8, &exponent, 2);
}

static void value_decimal(struct rng *r, uint8_t out[10])
{
    for (unsigned i = 0; i < 9; i++)
        out[i] = (uint8_t)(rng_below(r, 10) << 4 | rng_below(r, 10));
    out[9] = (uint8_t)(rng_next(r) & 0x80);
}

/* The last element may be cut. */
static void repeat(struct rng *r, uint8_t *out, size_t n, unsigned style)
{
    for (size_t at = 0; at < n;) {
        uint8_t unit[16];
        size_t len = 4;
        uint32_t word = style == 0 ? value_integer(r) : style == 1 ? value_float(r) : rng_next(r);
        uint64_t wide = value_double(r);
        memcpy(unit, &word, 4);
        if (style == 2) {
            memcpy(unit, &wide, 8);
            len = 8;
        } else if (style == 4) {
            value_extended(r, unit);
            len = 10;
        } else if (style == 5) {
            value_decimal(r, unit);
            len = 10;
        }
        memcpy(out + at, unit, len < n - at ? len : n - at);
        at += len;
    }
}

void value_bytes(struct rng *r, uint8_t *out, size_t n)
{
    unsigned styles = n == 10 ? 6 : n >= 8 ? 4 : n == 4 ? 2 : 1;
    unsigned style = rng_below(r, styles);
    if (n == 10 && style < 4 && rng_chance(r, 80))
        style = 4 + (rng_next(r) & 1);
    repeat(r, out, n, style);
}

uint32_t value_mxcsr(struct rng *r)
{
    uint32_t value = 0x1F80 | rng_below(r, 4) << 13;
    if (rng_chance(r, 15))
        value |= rng_next(r) & 0x8040; /* flush to zero, denormals are zero */
    if (rng_chance(r, 10))
        value |= rng_next(r) & 0x3F;
    if (rng_chance(r, 12))
        value &= ~(rng_next(r) & 0x1F80);
    return value;
}

static uint16_t value_control(struct rng *r)
{
    static const uint16_t precisions[4] = {3, 2, 0, 3};
    uint16_t value = (uint16_t)(0x7F | precisions[rng_below(r, 4)] << 8);
    if (rng_chance(r, 60))
        value = 0x37F;
    value |= (uint16_t)(rng_below(r, 4) << 10);
    if (rng_chance(r, 12))
        value &= (uint16_t) ~(rng_next(r) & 0x3F);
    return value;
}

static uint8_t value_tag(struct rng *r)
{
    if (rng_chance(r, 70))
        return 0xFF;
    return rng_chance(r, 25) ? 0 : (uint8_t)rng_next(r);
}

void value_fpu(struct rng *r, struct insn_fpu *fpu)
{
    memset(fpu, 0, sizeof(*fpu));
    fpu->control = value_control(r);
    fpu->status = (uint16_t)(rng_next(r) & 0x7F00);
    if (rng_chance(r, 10))
        fpu->status |= (uint16_t)(rng_next(r) & 0x7F);
    if (fpu->status & ~fpu->control & 0x3F) /* an unmasked exception is pending */
        fpu->status |= 0x8080;
    fpu->tag = value_tag(r);
    fpu->mxcsr = value_mxcsr(r);
    fpu->mxcsr_mask = 0xFFFF;
    for (unsigned i = 0; i < 8; i++) {
        if (rng_chance(r, 15)) { /* as MMX leaves it */
            value_bytes(r, fpu->st[i], 8);
            fpu->st[i][8] = fpu->st[i][9] = 0xFF;
        } else {
            value_extended(r, fpu->st[i]);
        }
        value_bytes(r, fpu->xmm[i], 16);
    }
}

uint32_t value_eflags(struct rng *r)
{
    return 0x202 | (rng_next(r) & 0x8D5);
}
