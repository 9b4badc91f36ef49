/* SPDX-License-Identifier: MIT */
/*
 * The four operations, square root and comparison, computed exactly: 128 bits
 * of intermediate, the lowest one sticky. Rounding is softfp_round's work.
 */
#include "emu/cpu/softfp/softfp.h"

#define TOP_BIT ((uint64_t)1 << 63)

typedef unsigned __int128 u128;

static struct softfp_num zero(bool sign)
{
    return (struct softfp_num){.kind = SOFTFP_ZERO, .sign = sign};
}

static struct softfp_num infinity(bool sign)
{
    return (struct softfp_num){.kind = SOFTFP_INF, .sign = sign};
}

/* From 128 bits, not 0, that stand for value * 2^(exp - 127). */
static struct softfp_num from_wide(bool sign, int32_t exp, u128 wide)
{
    uint64_t high = (uint64_t)(wide >> 64);
    int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)wide);

    wide <<= shift;
    return (struct softfp_num){.kind = SOFTFP_FINITE,
                               .sign = sign,
                               .exp = exp - shift,
                               .sig = (uint64_t)(wide >> 64),
                               .low = (uint64_t)wide};
}

static u128 shift_right_sticky(u128 x, int32_t n)
{
    if (n == 0)
        return x;
    if (n > 127)
        return x != 0;
    return x >> n | (x << (128 - n) != 0);
}

static bool magnitude_less(const struct softfp_num *a, const struct softfp_num *b)
{
    return a->exp != b->exp ? a->exp < b->exp : a->sig < b->sig;
}

static void note_denormals(const struct softfp_num *a, const struct softfp_num *b,
                           struct softfp_env *env)
{
    softfp_note_denormal(a, env);
    softfp_note_denormal(b, env);
}

static struct softfp_num add_finite(const struct softfp_num *a, const struct softfp_num *b,
                                    bool subtract, const struct softfp_env *env)
{
    bool swap = magnitude_less(a, b), b_sign = b->sign != subtract;
    const struct softfp_num *big = swap ? b : a, *small = swap ? a : b;
    u128 x = (u128)big->sig << 63; /* one bit of room for the carry */
    u128 y = shift_right_sticky((u128)small->sig << 63, big->exp - small->exp);

    x = a->sign == b_sign ? x + y : x - y;
    if (x == 0)
        return zero(env->rounding == SOFTFP_DOWN);
    return from_wide(swap ? b_sign : a->sign, big->exp + 1, x);
}

/* Sums with an infinity or a zero. */
static struct softfp_num add_special(const struct softfp_num *a, const struct softfp_num *b,
                                     bool subtract, const struct softfp_env *env)
{
    bool b_sign = b->sign != subtract;
    struct softfp_num out = *a;

    if (a->kind == SOFTFP_ZERO && b->kind == SOFTFP_ZERO)
        return zero(a->sign == b_sign ? b_sign : env->rounding == SOFTFP_DOWN);
    if (a->kind != SOFTFP_INF && b->kind != SOFTFP_ZERO) {
        out = *b;
        out.sign = b_sign;
    }
    return out;
}

static struct softfp_num add_or_subtract(const struct softfp_num *a, const struct softfp_num *b,
                                         bool subtract, struct softfp_env *env)
{
    struct softfp_num nan;

    if (softfp_check_nans(a, b, env, &nan))
        return nan;
    if (a->kind == SOFTFP_INF && b->kind == SOFTFP_INF && (a->sign == b->sign) == subtract)
        return softfp_invalid(env);
    note_denormals(a, b, env);
    if (a->kind == SOFTFP_FINITE && b->kind == SOFTFP_FINITE)
        return add_finite(a, b, subtract, env);
    return add_special(a, b, subtract, env);
}

struct softfp_num softfp_add(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env)
{
    return add_or_subtract(a, b, false, env);
}

struct softfp_num softfp_sub(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env)
{
    return add_or_subtract(a, b, true, env);
}

struct softfp_num softfp_mul(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env)
{
    bool sign = a->sign != b->sign;
    struct softfp_num nan;

    if (softfp_check_nans(a, b, env, &nan))
        return nan;
    if ((a->kind == SOFTFP_INF && b->kind == SOFTFP_ZERO) ||
        (a->kind == SOFTFP_ZERO && b->kind == SOFTFP_INF))
        return softfp_invalid(env);
    note_denormals(a, b, env);
    if (a->kind == SOFTFP_INF || b->kind == SOFTFP_INF)
        return infinity(sign);
    if (a->kind == SOFTFP_ZERO || b->kind == SOFTFP_ZERO)
        return zero(sign);
    return from_wide(sign, a->exp + b->exp + 1, (u128)a->sig * b->sig);
}

static struct softfp_num div_finite(bool sign, const struct softfp_num *a,
                                    const struct softfp_num *b)
{
    bool below = a->sig < b->sig; /* the quotient of the significands is below one */
    u128 dividend = (u128)a->sig << (below ? 64 : 63);
    uint64_t quotient = (uint64_t)(dividend / b->sig);
    u128 rest = (dividend % b->sig) << 1;
    bool half = rest >= b->sig;

    if (half)
        rest -= b->sig;
    return (struct softfp_num){.kind = SOFTFP_FINITE,
                               .sign = sign,
                               .exp = a->exp - b->exp - below,
                               .sig = quotient,
                               .low = (uint64_t)half << 63 | (rest != 0)};
}

struct softfp_num softfp_div(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env)
{
    bool sign = a->sign != b->sign;
    struct softfp_num nan;

    if (softfp_check_nans(a, b, env, &nan))
        return nan;
    if (a->kind == b->kind && a->kind != SOFTFP_FINITE)
        return softfp_invalid(env);
    if (b->kind == SOFTFP_ZERO && a->kind == SOFTFP_FINITE) {
        env->flags |= SOFTFP_ZE;
        return infinity(sign);
    }
    note_denormals(a, b, env);
    if (a->kind == SOFTFP_INF)
        return infinity(sign);
    if (a->kind == SOFTFP_ZERO || b->kind == SOFTFP_INF)
        return zero(sign);
    if (b->kind == SOFTFP_ZERO)
        return infinity(sign);
    return div_finite(sign, a, b);
}

/* Square root of x << 64, chopped, with the remainder: bit by bit, 64 steps. */
static uint64_t root_of(u128 x, u128 *rest)
{
    u128 root = 0, remainder = 0;

    for (int i = 0; i < 64; i++) {
        remainder = remainder << 2 | x >> 126;
        x <<= 2;
        root <<= 1;
        if (remainder > root << 1) {
            remainder -= (root << 1) + 1;
            root++;
        }
    }
    *rest = remainder;
    return (uint64_t)root;
}

struct softfp_num softfp_sqrt(const struct softfp_num *a, struct softfp_env *env)
{
    struct softfp_num out;
    bool odd = a->exp & 1;
    u128 rest;

    if (softfp_check_nan(a, env, &out))
        return out;
    if (a->kind == SOFTFP_ZERO)
        return *a;
    if (a->sign)
        return softfp_invalid(env);
    softfp_note_denormal(a, env);
    if (a->kind == SOFTFP_INF)
        return *a;
    out = (struct softfp_num){.kind = SOFTFP_FINITE, .exp = (a->exp - odd) / 2};
    out.sig = root_of((u128)a->sig << (odd ? 64 : 63), &rest);
    /* (root + 1/2)^2 = root^2 + root + 1/4: the remainder decides half and sticky. */
    if (rest != 0)
        out.low = rest > out.sig ? TOP_BIT | 1 : 1;
    return out;
}

struct softfp_num softfp_convert(const struct softfp_num *a, struct softfp_env *env)
{
    struct softfp_num nan;

    if (softfp_check_nan(a, env, &nan))
        return nan;
    softfp_note_denormal(a, env);
    return *a;
}

struct softfp_num softfp_convert_store(const struct softfp_num *a, struct softfp_env *env)
{
    struct softfp_num nan;

    return softfp_check_nan(a, env, &nan) ? nan : *a;
}

/* ---- order ---- */

static enum softfp_order order_of(const struct softfp_num *a, const struct softfp_num *b)
{
    bool less;

    if (a->kind == SOFTFP_ZERO && b->kind == SOFTFP_ZERO)
        return SOFTFP_EQUAL;
    if (a->kind == SOFTFP_ZERO)
        return b->sign ? SOFTFP_GREATER : SOFTFP_LESS;
    if (b->kind == SOFTFP_ZERO || a->sign != b->sign)
        return a->sign ? SOFTFP_LESS : SOFTFP_GREATER;
    if (a->kind == b->kind && (a->kind == SOFTFP_INF || (a->exp == b->exp && a->sig == b->sig)))
        return SOFTFP_EQUAL;
    less = b->kind == SOFTFP_INF || (a->kind != SOFTFP_INF && magnitude_less(a, b));
    return less != a->sign ? SOFTFP_LESS : SOFTFP_GREATER;
}

enum softfp_order softfp_compare(const struct softfp_num *a, const struct softfp_num *b, bool quiet,
                                 struct softfp_env *env)
{
    struct softfp_num nan;

    if (softfp_check_nans(a, b, env, &nan)) {
        if (!quiet)
            env->flags |= SOFTFP_IE;
        return SOFTFP_UNORDERED;
    }
    note_denormals(a, b, env);
    return order_of(a, b);
}

struct softfp_num softfp_min(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env)
{
    return softfp_compare(a, b, false, env) == SOFTFP_LESS ? *a : *b;
}

struct softfp_num softfp_max(const struct softfp_num *a, const struct softfp_num *b,
                             struct softfp_env *env)
{
    return softfp_compare(a, b, false, env) == SOFTFP_GREATER ? *a : *b;
}
