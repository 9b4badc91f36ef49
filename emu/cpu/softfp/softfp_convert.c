/* SPDX-License-Identifier: MIT */
/*
 * Rounding to integers, binary and decimal. All of it goes through
 * integral_part, which splits a finite number at the binary point.
 */
#include "emu/cpu/softfp/softfp.h"

#define TOP_BIT ((uint64_t)1 << 63)
#define BCD_LIMIT UINT64_C(1000000000000000000)

/* The magnitude as an integer, for numbers below 2^64, rounded. */
struct integral {
    uint64_t value;
    bool carry; /* value is 2^64 */
    bool inexact, up;
};

/* `a` is FINITE and a.exp <= 63. */
static struct integral integral_part(const struct softfp_num *a, unsigned rounding)
{
    struct integral out = {0};
    int32_t drop = 63 - a->exp; /* bits behind the point */
    uint64_t below;
    bool odd, half, rest;

    if (drop > 64) {
        below = 1;
    } else if (drop == 64) {
        below = a->sig;
    } else {
        out.value = a->sig >> drop;
        below = drop ? a->sig << (64 - drop) : 0;
    }
    odd = out.value & 1;
    half = below >> 63;
    rest = below << 1 != 0;
    out.inexact = below != 0;
    if (rounding == SOFTFP_NEAREST)
        out.up = half && (rest || odd);
    else
        out.up = out.inexact && rounding == (a->sign ? SOFTFP_DOWN : SOFTFP_UP);
    out.value += out.up;
    out.carry = out.up && out.value == 0;
    return out;
}

static void note_inexact(const struct integral *part, struct softfp_env *env)
{
    if (part->inexact)
        env->flags |= SOFTFP_PE;
    env->up = part->up;
}

struct softfp_num softfp_round_int(const struct softfp_num *a, struct softfp_env *env)
{
    struct softfp_num out;
    struct integral part;

    if (softfp_check_nan(a, env, &out))
        return out;
    softfp_note_denormal(a, env);
    if (a->kind != SOFTFP_FINITE || a->exp >= 63 || softfp_stopped(env))
        return *a;
    part = integral_part(a, env->rounding);
    note_inexact(&part, env);
    if (part.value == 0)
        return (struct softfp_num){.kind = SOFTFP_ZERO, .sign = a->sign};
    out = softfp_from_int((int64_t)(part.value & ~TOP_BIT));
    if (part.value & TOP_BIT) /* rounded up to 2^63 */
        out = (struct softfp_num){.kind = SOFTFP_FINITE, .exp = 63, .sig = part.value};
    out.sign = a->sign;
    return out;
}

static int64_t indefinite(unsigned width, struct softfp_env *env)
{
    env->flags |= SOFTFP_IE;
    return -((int64_t)1 << (width - 2)) * 2;
}

int64_t softfp_to_int(const struct softfp_num *a, unsigned width, struct softfp_env *env)
{
    uint64_t limit = (uint64_t)1 << (width - 1);
    struct integral part;

    if (a->kind == SOFTFP_ZERO)
        return 0;
    if (a->kind != SOFTFP_FINITE || a->exp > 63)
        return indefinite(width, env);
    part = integral_part(a, env->rounding);
    if (part.carry || part.value > limit - !a->sign)
        return indefinite(width, env);
    note_inexact(&part, env);
    return a->sign ? (int64_t)(0 - part.value) : (int64_t)part.value;
}

static void bcd_indefinite(uint8_t out[10])
{
    for (int i = 0; i < 7; i++)
        out[i] = 0;
    out[7] = 0xc0;
    out[8] = out[9] = 0xff;
}

void softfp_to_bcd(const struct softfp_num *a, uint8_t out[10], struct softfp_env *env)
{
    struct integral part = {0};

    if (a->kind == SOFTFP_FINITE && a->exp <= 63)
        part = integral_part(a, env->rounding);
    else if (a->kind != SOFTFP_ZERO)
        part.carry = true;
    if (part.carry || part.value >= BCD_LIMIT) {
        env->flags |= SOFTFP_IE;
        bcd_indefinite(out);
        return;
    }
    note_inexact(&part, env);
    for (int i = 0; i < 9; i++) {
        unsigned pair = (unsigned)(part.value % 100);
        out[i] = (uint8_t)(pair / 10 << 4 | pair % 10);
        part.value /= 100;
    }
    out[9] = a->sign ? 0x80 : 0;
}

struct softfp_num softfp_from_bcd(const uint8_t in[10])
{
    uint64_t value = 0;
    struct softfp_num num;

    for (int i = 8; i >= 0; i--)
        value = value * 100 + (in[i] >> 4) * 10u + (in[i] & 15);
    num = softfp_from_int((int64_t)value);
    num.sign = in[9] >> 7;
    return num;
}
