/* SPDX-License-Identifier: MIT */
/*
 * The frame of the software floating point: encodings, NaNs, rounding. Every
 * operation of every format ends in softfp_round, so that the rules of
 * tininess, overflow and double rounding stand in one place.
 *
 * Invariant: a FINITE number has bit 63 of `sig` set, whatever its exponent;
 * denormals exist only as encodings.
 */
#include "emu/cpu/softfp/softfp.h"

#define TOP_BIT ((uint64_t)1 << 63)
#define QUIET_BIT ((uint64_t)1 << 62)

/* The x87's answer to unmasked overflow and underflow: SDM volume 1, 8.5.4 and 8.5.5. */
#define WRAP 24576

const struct softfp_format softfp_f32 = {24, -126, 127};
const struct softfp_format softfp_f64 = {53, -1022, 1023};
const struct softfp_format softfp_f80 = {64, -16382, 16383};

/* A finite number from a significand whose top bit may be anywhere; `sig` is not 0. */
static struct softfp_num normalise(bool sign, int32_t exp, uint64_t sig)
{
    int shift = __builtin_clzll(sig);

    return (struct softfp_num){
        .kind = SOFTFP_FINITE, .sign = sign, .exp = exp - shift, .sig = sig << shift};
}

/* IEEE encodings with a hidden bit; `frac` is left-justified below bit 63. */
static struct softfp_num unpack_ieee(const struct softfp_format *f, bool sign, int32_t field,
                                     uint64_t frac, const struct softfp_env *env)
{
    struct softfp_num num = {.sign = sign};

    if (field == 2 * f->emax + 1) {
        num.kind = frac ? SOFTFP_NAN : SOFTFP_INF;
        num.sig = TOP_BIT | frac;
    } else if (field != 0) {
        num.kind = SOFTFP_FINITE;
        num.exp = field - f->emax;
        num.sig = TOP_BIT | frac;
    } else if (frac != 0 && !env->daz) {
        num = normalise(sign, f->emin, frac);
        num.denormal = true;
    }
    return num;
}

struct softfp_num softfp_unpack_f32(uint32_t bits, const struct softfp_env *env)
{
    return unpack_ieee(&softfp_f32, bits >> 31, bits >> 23 & 0xff,
                       (uint64_t)(bits & 0x7fffff) << 40, env);
}

struct softfp_num softfp_unpack_f64(uint64_t bits, const struct softfp_env *env)
{
    return unpack_ieee(&softfp_f64, bits >> 63, bits >> 52 & 0x7ff, (bits & 0xfffffffffffff) << 11,
                       env);
}

struct softfp_num softfp_unpack_ext(struct softfp_ext ext)
{
    int32_t field = ext.se & 0x7fff;
    bool whole = ext.sig & TOP_BIT;
    struct softfp_num num = {.sign = ext.se >> 15, .sig = ext.sig};

    if (field == 0 && ext.sig != 0) { /* denormal, or pseudo-denormal when the top bit is set */
        num = normalise(num.sign, softfp_f80.emin, ext.sig);
        num.denormal = true;
    } else if (field != 0 && !whole) {
        num.kind = SOFTFP_UNSUPPORTED;
    } else if (field == 0x7fff) {
        num.kind = ext.sig == TOP_BIT ? SOFTFP_INF : SOFTFP_NAN;
    } else if (field != 0) {
        num.kind = SOFTFP_FINITE;
        num.exp = field - softfp_f80.emax;
    }
    return num;
}

struct softfp_num softfp_from_int(int64_t value)
{
    bool sign = value < 0;

    if (value == 0)
        return (struct softfp_num){.kind = SOFTFP_ZERO};
    return normalise(sign, 63, sign ? -(uint64_t)value : (uint64_t)value);
}

/* Exponent field and left-justified significand (integer bit at 63) of a packed number. */
static uint64_t pack_parts(const struct softfp_num *num, const struct softfp_format *f,
                           uint32_t *field)
{
    *field = 0;
    switch ((enum softfp_kind)num->kind) {
    case SOFTFP_ZERO:
        return 0;
    case SOFTFP_FINITE:
        if (num->exp < f->emin) {
            BUG_ON(f->emin - num->exp > 63, "softfp: packing a number that was not rounded");
            return num->sig >> (f->emin - num->exp);
        }
        *field = (uint32_t)(num->exp + f->emax);
        return num->sig;
    default:
        *field = 2 * (uint32_t)f->emax + 1;
        return num->kind == SOFTFP_INF ? TOP_BIT : num->sig;
    }
}

uint32_t softfp_pack_f32(const struct softfp_num *num)
{
    uint32_t field;
    uint64_t sig = pack_parts(num, &softfp_f32, &field);

    return (uint32_t)num->sign << 31 | field << 23 | (uint32_t)(sig >> 40 & 0x7fffff);
}

uint64_t softfp_pack_f64(const struct softfp_num *num)
{
    uint32_t field;
    uint64_t sig = pack_parts(num, &softfp_f64, &field);

    return (uint64_t)num->sign << 63 | (uint64_t)field << 52 | (sig >> 11 & 0xfffffffffffff);
}

struct softfp_ext softfp_pack_ext(const struct softfp_num *num)
{
    uint32_t field;
    uint64_t sig = pack_parts(num, &softfp_f80, &field);

    return (struct softfp_ext){sig, (uint16_t)((unsigned)num->sign << 15 | field)};
}

struct softfp_num softfp_default_nan(void)
{
    return (struct softfp_num){.kind = SOFTFP_NAN, .sign = true, .sig = TOP_BIT | QUIET_BIT};
}

struct softfp_num softfp_invalid(struct softfp_env *env)
{
    env->flags |= SOFTFP_IE;
    return softfp_default_nan();
}

static bool is_signalling(const struct softfp_num *a)
{
    return a->kind == SOFTFP_NAN && !(a->sig & QUIET_BIT);
}

static struct softfp_num quieted(const struct softfp_num *a)
{
    struct softfp_num out = *a;

    out.sig |= QUIET_BIT;
    return out;
}

bool softfp_check_nan(const struct softfp_num *a, struct softfp_env *env, struct softfp_num *out)
{
    if (a->kind == SOFTFP_UNSUPPORTED) {
        *out = softfp_invalid(env);
        return true;
    }
    if (a->kind != SOFTFP_NAN)
        return false;
    if (is_signalling(a))
        env->flags |= SOFTFP_IE;
    *out = quieted(a);
    return true;
}

/*
 * Which of two operands, at least one of them a NaN, gives the result (SDM
 * volume 1, table 4-7). SSE: the first that is a NaN. x87: a quiet one before
 * a signalling one, then the larger significand, then the positive one.
 */
static const struct softfp_num *choose_nan(const struct softfp_num *a, const struct softfp_num *b,
                                           bool sse)
{
    if (a->kind != SOFTFP_NAN || b->kind != SOFTFP_NAN)
        return a->kind == SOFTFP_NAN ? a : b;
    if (sse)
        return a;
    if (is_signalling(a) != is_signalling(b))
        return is_signalling(a) ? b : a;
    if (a->sig != b->sig)
        return a->sig > b->sig ? a : b;
    return a->sign ? b : a;
}

bool softfp_check_nans(const struct softfp_num *a, const struct softfp_num *b,
                       struct softfp_env *env, struct softfp_num *out)
{
    if (a->kind == SOFTFP_UNSUPPORTED || b->kind == SOFTFP_UNSUPPORTED) {
        *out = softfp_invalid(env);
        return true;
    }
    if (a->kind != SOFTFP_NAN && b->kind != SOFTFP_NAN)
        return false;
    if (is_signalling(a) || is_signalling(b))
        env->flags |= SOFTFP_IE;
    *out = quieted(choose_nan(a, b, env->sse));
    return true;
}

void softfp_note_denormal(const struct softfp_num *a, struct softfp_env *env)
{
    if (a->denormal)
        env->flags |= SOFTFP_DE;
}

/* ---- rounding ---- */

/* Shifts the 128 bits sig:low right by n > 0, keeping lost bits in the lowest. */
static void shift_sticky(struct softfp_num *num, int32_t n)
{
    if (n >= 128) {
        num->low = 1;
        num->sig = 0;
    } else if (n >= 64) {
        bool lost = num->low != 0 || (n > 64 && num->sig << (128 - n) != 0);
        num->low = (n == 64 ? num->sig : num->sig >> (n - 64)) | lost;
        num->sig = 0;
    } else {
        bool lost = num->low << (64 - n) != 0;
        num->low = num->sig << (64 - n) | num->low >> n | lost;
        num->sig >>= n;
    }
}

/* Does the remainder below the last kept bit round the magnitude up? */
static bool rounds_up(unsigned rounding, bool sign, bool odd, bool half, bool rest)
{
    switch (rounding) {
    case SOFTFP_NEAREST:
        return half && (rest || odd);
    case SOFTFP_DOWN:
        return sign && (half || rest);
    case SOFTFP_UP:
        return !sign && (half || rest);
    default:
        return false;
    }
}

struct rounded {
    uint64_t sig;
    bool inexact, up, carry; /* carry: the significand became 2^64 and is now 2^63 */
};

/*
 * Rounds sig:low to the upper `bits` of sig. Scalars, not a struct softfp_num:
 * a copy of what was just stored field by field costs more than the rounding.
 */
static inline struct rounded round_bits(uint64_t sig, uint64_t low, bool sign, unsigned bits,
                                        unsigned rounding)
{
    uint64_t unit = (uint64_t)1 << (64 - bits);
    uint64_t below = bits == 64 ? low : (sig << bits | (low != 0));
    struct rounded r = {.sig = sig & ~(unit - 1), .inexact = below != 0};

    r.up = rounds_up(rounding, sign, sig & unit, below >> 63, below << 1 != 0);
    if (r.up) {
        r.sig += unit;
        r.carry = r.sig == 0;
        if (r.carry)
            r.sig = TOP_BIT;
    }
    return r;
}

/*
 * Unmasked overflow and underflow, after num.exp was wrapped. FSCALE can exceed
 * even the wrapped range; a store of the x87 delivers nothing and says no more.
 */
static struct softfp_num trapped(struct softfp_num num, const struct softfp_format *f,
                                 struct rounded r, struct softfp_env *env)
{
    if (f != &softfp_f80 && !env->sse)
        return num;
    if (!env->sse && (num.exp > f->emax || num.exp < f->emin)) {
        num.kind = num.exp > f->emax ? SOFTFP_INF : SOFTFP_ZERO;
        r.inexact = true;
        r.up = num.kind == SOFTFP_INF;
    }
    env->flags |= r.inexact ? SOFTFP_PE : 0;
    env->up = r.up;
    return num;
}

static struct softfp_num overflowed(struct softfp_num num, unsigned bits,
                                    const struct softfp_format *f, struct rounded r,
                                    struct softfp_env *env)
{
    bool to_inf =
        env->rounding == SOFTFP_NEAREST || env->rounding == (num.sign ? SOFTFP_DOWN : SOFTFP_UP);

    env->flags |= SOFTFP_OE;
    if (!(env->masks & SOFTFP_OE)) {
        num.exp -= WRAP;
        return trapped(num, f, r, env);
    }
    env->flags |= SOFTFP_PE;
    env->up = to_inf;
    if (to_inf)
        return (struct softfp_num){.kind = SOFTFP_INF, .sign = num.sign};
    num.exp = f->emax;
    num.sig = ~(uint64_t)0 << (64 - bits);
    return num;
}

/* `exact` is the number before rounding, which is tiny. */
static struct softfp_num denormalised(struct softfp_num exact, unsigned bits,
                                      const struct softfp_format *f, struct softfp_env *env)
{
    struct softfp_num num = exact;
    struct rounded r;

    if (env->ftz) {
        env->flags |= SOFTFP_UE | SOFTFP_PE;
        return (struct softfp_num){.kind = SOFTFP_ZERO, .sign = num.sign};
    }
    shift_sticky(&num, f->emin - num.exp);
    r = round_bits(num.sig, num.low, num.sign, bits, env->rounding);
    env->up = r.up;
    env->flags |= r.inexact ? SOFTFP_UE | SOFTFP_PE : 0;
    if (r.sig == 0)
        return (struct softfp_num){.kind = SOFTFP_ZERO, .sign = num.sign};
    return normalise(num.sign, f->emin, r.sig);
}

/* What leaves the range of normal numbers: `exp` is that of the rounded significand. */
static struct softfp_num out_of_range(const struct softfp_num *exact, int32_t exp, unsigned bits,
                                      const struct softfp_format *f, struct rounded r,
                                      struct softfp_env *env)
{
    struct softfp_num num = {.kind = SOFTFP_FINITE, .sign = exact->sign, .exp = exp, .sig = r.sig};

    if (exp > f->emax)
        return overflowed(num, bits, f, r, env);
    if (env->masks & SOFTFP_UE)
        return denormalised(*exact, bits, f, env);
    env->flags |= SOFTFP_UE;
    num.exp += WRAP;
    return trapped(num, f, r, env);
}

struct softfp_num softfp_round(const struct softfp_num *exact, const struct softfp_format *f,
                               struct softfp_env *env)
{
    unsigned bits = f == &softfp_f80 ? env->precision : f->bits;
    struct rounded r;
    int32_t exp;

    if (exact->kind != SOFTFP_FINITE || softfp_stopped(env))
        return *exact;
    r = round_bits(exact->sig, exact->low, exact->sign, bits, env->rounding);
    exp = exact->exp + r.carry;
    if (exp > f->emax || exp < f->emin)
        return out_of_range(exact, exp, bits, f, r, env);
    env->up = r.up;
    env->flags |= r.inexact ? SOFTFP_PE : 0;
    return (struct softfp_num){
        .kind = SOFTFP_FINITE, .sign = exact->sign, .exp = exp, .sig = r.sig};
}
