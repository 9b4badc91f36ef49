/* SPDX-License-Identifier: MIT */
/*
 * What only the x87 has: partial remainders, scaling, extraction. Precision
 * control does not reach them: results are exact, or rounded to 64 bits where
 * they are denormal.
 */
#include "emu/cpu/softfp/softfp.h"

typedef unsigned __int128 u128;

/* An FSCALE operand beyond this scales every number out of every range. */
#define SCALE_LIMIT 0x10000

static struct softfp_num from_bits(bool sign, int32_t exp, uint64_t sig)
{
    struct softfp_num out = {.kind = SOFTFP_ZERO, .sign = sign};
    int shift;

    if (sig == 0)
        return out;
    shift = __builtin_clzll(sig);
    out.kind = SOFTFP_FINITE;
    out.exp = exp - shift;
    out.sig = sig << shift;
    return out;
}

static struct softfp_num round_64(const struct softfp_num *num, struct softfp_env *env)
{
    struct softfp_num out;
    uint8_t precision = env->precision;

    env->precision = 64;
    out = softfp_round(num, &softfp_f80, env);
    env->precision = precision;
    return out;
}

/*
 * The remainder of a.sig * 2^steps by b.sig, and the low bits of the quotient.
 * Long division in steps of up to 63 bits would do; one step is enough, as
 * `steps` is at most 63.
 */
static uint64_t reduce(uint64_t a, uint64_t b, int32_t steps, uint64_t *quotient)
{
    u128 wide = (u128)a << steps;

    *quotient = (uint64_t)(wide / b);
    return (uint64_t)(wide % b);
}

/* Rounds the chopped quotient to nearest even, as FPREM1 wants it. `rest` < b.sig. */
static struct softfp_num nearest_rest(const struct softfp_num *a, const struct softfp_num *b,
                                      uint64_t rest, uint64_t *quotient)
{
    uint64_t other = b->sig - rest;

    if (rest > other || (rest == other && (*quotient & 1))) {
        ++*quotient;
        return from_bits(!a->sign, b->exp, other);
    }
    return from_bits(a->sign, b->exp, rest);
}

/* |a| is between a quarter of |b| and |b|: FPREM1 compares it with half of |b|. */
static struct softfp_num nearest_small(const struct softfp_num *a, const struct softfp_num *b,
                                       unsigned *quotient)
{
    u128 twice = ((u128)b->sig << 1) - a->sig; /* 2 (|b| - |a|), below 2^65 */

    if (a->sig <= b->sig)
        return *a;
    *quotient = 1;
    return from_bits(!a->sign, b->exp - 1, (uint64_t)twice);
}

static struct softfp_num rem_finite(const struct softfp_num *a, const struct softfp_num *b,
                                    bool nearest, unsigned *quotient, bool *partial)
{
    int32_t distance = a->exp - b->exp;
    uint64_t q = 0, rest;
    struct softfp_num out;

    if (distance < -1 || (distance < 0 && !nearest))
        return *a;
    if (distance < 0)
        return nearest_small(a, b, quotient);
    if (distance >= 64) { /* the processor takes 32 to 63 bits of the quotient at a time */
        int32_t steps = (distance & 31) | 32;
        rest = reduce(a->sig, b->sig, steps, &q);
        *partial = true;
        return from_bits(a->sign, a->exp - steps, rest);
    }
    rest = reduce(a->sig, b->sig, distance, &q);
    out = nearest ? nearest_rest(a, b, rest, &q) : from_bits(a->sign, b->exp, rest);
    *quotient = q & 7;
    if (out.kind == SOFTFP_ZERO)
        out.sign = a->sign;
    return out;
}

struct softfp_num softfp_rem(const struct softfp_num *a, const struct softfp_num *b, bool nearest,
                             unsigned *quotient, bool *partial, struct softfp_env *env)
{
    struct softfp_num out;

    *quotient = 0;
    *partial = false;
    if (softfp_check_nans(a, b, env, &out))
        return out;
    if (a->kind == SOFTFP_INF || b->kind == SOFTFP_ZERO)
        return softfp_invalid(env);
    softfp_note_denormal(a, env);
    softfp_note_denormal(b, env);
    if (a->kind == SOFTFP_ZERO || b->kind == SOFTFP_INF)
        return *a;
    out = rem_finite(a, b, nearest, quotient, partial);
    return round_64(&out, env);
}

/* The integer part of a scale operand, clamped. */
static int32_t scale_of(const struct softfp_num *b)
{
    int32_t n;

    if (b->kind == SOFTFP_ZERO || b->exp < 0)
        return 0;
    n = b->exp >= 16 ? SCALE_LIMIT : (int32_t)(b->sig >> (63 - b->exp));
    return b->sign ? -n : n;
}

/* FSCALE by an infinity. */
static struct softfp_num scale_infinitely(const struct softfp_num *a, bool down,
                                          struct softfp_env *env)
{
    struct softfp_num out = *a;

    if (a->kind == (down ? SOFTFP_INF : SOFTFP_ZERO))
        return softfp_invalid(env);
    softfp_note_denormal(a, env);
    if (a->kind == SOFTFP_FINITE)
        out.kind = down ? SOFTFP_ZERO : SOFTFP_INF;
    return out;
}

struct softfp_num softfp_scale(const struct softfp_num *a, const struct softfp_num *b,
                               struct softfp_env *env)
{
    struct softfp_num out;

    if (softfp_check_nans(a, b, env, &out))
        return out;
    if (b->kind == SOFTFP_INF)
        return scale_infinitely(a, b->sign, env);
    softfp_note_denormal(a, env);
    softfp_note_denormal(b, env);
    if (a->kind != SOFTFP_FINITE || b->kind == SOFTFP_ZERO)
        return *a;
    out = *a;
    out.exp += scale_of(b);
    return round_64(&out, env);
}

struct softfp_num softfp_extract(const struct softfp_num *a, struct softfp_num *exponent,
                                 struct softfp_env *env)
{
    struct softfp_num out;

    if (softfp_check_nan(a, env, &out)) {
        *exponent = out;
        return out;
    }
    *exponent = (struct softfp_num){.kind = SOFTFP_INF};
    if (a->kind == SOFTFP_ZERO) {
        env->flags |= SOFTFP_ZE;
        exponent->sign = true;
        return *a;
    }
    if (a->kind == SOFTFP_INF)
        return *a;
    softfp_note_denormal(a, env);
    *exponent = softfp_from_int(a->exp);
    out = *a;
    out.exp = 0;
    return out;
}
