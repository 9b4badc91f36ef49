/* SPDX-License-Identifier: MIT */
/* See fp_draw.h. */
#include "testsuite/unit/fp_draw.h"

#include <string.h>

#define TOP_BIT ((uint64_t)1 << 63)

uint64_t fp_draw_bits(struct fp_draw *d)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return d->state * UINT64_C(0x2545f4914f6cdd1d);
}

bool fp_draw_one_in(struct fp_draw *d, unsigned n)
{
    return fp_draw_bits(d) % n == 0;
}

static unsigned small(struct fp_draw *d, unsigned n)
{
    return (unsigned)(fp_draw_bits(d) % n);
}

static uint64_t draw_sig(struct fp_draw *d)
{
    switch (small(d, 9)) {
    case 0:
        return (uint64_t)1 << small(d, 64);
    case 1:
        return ~(uint64_t)0 << small(d, 64);
    case 2:
        return TOP_BIT | (uint64_t)1 << small(d, 64) | (uint64_t)1 << small(d, 64);
    case 3:
        return TOP_BIT + small(d, 4) - 1;
    case 4:
        return ~(uint64_t)0 >> small(d, 64);
    case 5:
        return 0;
    default:
        return fp_draw_bits(d) >> (fp_draw_one_in(d, 8) ? small(d, 64) : 0);
    }
}

/* The biased exponent of a format whose bias is given. */
static unsigned draw_exponent(struct fp_draw *d, unsigned bias)
{
    switch (small(d, 14)) {
    case 0:
        return 0;
    case 1:
        return small(d, 4);
    case 2:
        return 2 * bias + 1 - small(d, 4);
    case 3:
        return 2 * bias + 1;
    case 4:
        return small(d, 2 * bias + 2);
    case 5:
        return small(d, 70);
    case 6:
        return bias / 2 + small(d, 64);
    case 7:
        return bias + bias / 2 + small(d, 64);
    default:
        return (bias - 35 + small(d, 72)) & (2 * bias + 1);
    }
}

struct softfp_ext fp_draw_ext(struct fp_draw *d)
{
    struct softfp_ext out = {draw_sig(d), (uint16_t)draw_exponent(d, 16383)};

    if (fp_draw_one_in(d, 6)) { /* near the ends of the narrower formats */
        unsigned range = fp_draw_one_in(d, 2) ? 126 : 1022, near = 16383 - 35 + small(d, 70);
        out.se = (uint16_t)(fp_draw_one_in(d, 2) ? near + range : near - range);
    }
    if (out.se != 0 && !fp_draw_one_in(d, 24)) /* mostly supported encodings */
        out.sig |= TOP_BIT;
    out.se |= (uint16_t)(fp_draw_bits(d) & 0x8000);
    return out;
}

uint64_t fp_draw_f64(struct fp_draw *d)
{
    return (fp_draw_bits(d) & TOP_BIT) | (uint64_t)draw_exponent(d, 1023) << 52 |
           draw_sig(d) << 1 >> 12;
}

uint32_t fp_draw_f32(struct fp_draw *d)
{
    return (uint32_t)((fp_draw_bits(d) & 0x80000000) | draw_exponent(d, 127) << 23 |
                      draw_sig(d) << 1 >> 41);
}

void fp_draw_vector(struct fp_draw *d, uint8_t out[16])
{
    unsigned kind = small(d, 3);

    for (unsigned i = 0; i < 4; i++) {
        uint32_t f = fp_draw_f32(d);
        uint32_t r = fp_draw_one_in(d, 4) ? 0 : (uint32_t)fp_draw_bits(d) >> small(d, 32);
        uint64_t x = fp_draw_f64(d);

        if (kind == 1 && i < 2)
            memcpy(out + 8 * i, &x, 8);
        else if (kind != 1)
            memcpy(out + 4 * i, kind == 0 ? &f : &r, 4);
    }
}

static uint16_t draw_control(struct fp_draw *d)
{
    uint16_t control = (uint16_t)((fp_draw_bits(d) & 0xf00) | 0x7f);

    if (fp_draw_one_in(d, 3))
        control &= (uint16_t)(fp_draw_bits(d) | 0xffc0);
    return control;
}

uint32_t fp_draw_mxcsr(struct fp_draw *d)
{
    uint32_t mxcsr = 0x1f80 | (uint32_t)(fp_draw_bits(d) & fp_draw_bits(d) & 0xe07f);

    if (fp_draw_one_in(d, 8))
        mxcsr &= (uint32_t) ~(fp_draw_bits(d) & fp_draw_bits(d) & 0x1f80);
    return mxcsr;
}

static void draw_registers(struct fp_draw *d, struct cpu_fpu *fpu)
{
    for (unsigned i = 0; i < 8; i++) {
        struct softfp_ext ext = fp_draw_ext(d);

        fp_draw_vector(d, fpu->xmm[i]);
        memcpy(fpu->st[i], &ext.sig, 8);
        memcpy(fpu->st[i] + 8, &ext.se, 2);
        if (fp_draw_one_in(d, 4)) { /* as an MMX instruction leaves it */
            memcpy(fpu->st[i], fpu->xmm[i], 8);
            memset(fpu->st[i] + 8, 0xff, 2);
        }
    }
    if (fp_draw_one_in(d, 4))
        memcpy(fpu->st[1], fpu->st[0], 10);
}

void fp_draw_fpu(struct fp_draw *d, struct cpu_fpu *fpu)
{
    memset(fpu, 0, sizeof(*fpu));
    fpu->control = draw_control(d);
    fpu->status = (uint16_t)(fp_draw_bits(d) & 0x7f7f);
    if (!fp_draw_one_in(d, 10)) /* mostly nothing is pending */
        fpu->status &= (uint16_t)(fpu->control | 0xffc0);
    if (fpu->status & ~fpu->control & 0x3f)
        fpu->status |= 0x8080;
    fpu->tag = fp_draw_one_in(d, 2) ? 0xff : (uint8_t)fp_draw_bits(d);
    if (fp_draw_one_in(d, 2))
        fpu->tag |= (uint8_t)fp_draw_bits(d);
    fpu->opcode = fp_draw_bits(d) & 0x7ff;
    fpu->ip = (uint32_t)fp_draw_bits(d);
    fpu->dp = (uint32_t)fp_draw_bits(d);
    fpu->mxcsr = fp_draw_mxcsr(d);
    fpu->mxcsr_mask = 0xffff;
    draw_registers(d, fpu);
}
