/* SPDX-License-Identifier: MIT */
/*
 * Hosts that are no x86-64: the transcendentals through the C library's long
 * double, the reciprocals by division. Results are within a unit or two of
 * the last place of the processor's, not equal to them (docs/QUIRKS.md); NaNs,
 * invalid operands, stack faults and C2 are right. PE is always raised for a
 * finite result.
 */
#if !defined(__x86_64__) || defined(HOSTFP_PORTABLE_TEST)

#include <math.h>

#include "emu/cpu/interp/interp_x87.h"

/* ---- to and from the C library ---- */

static long double to_host(const struct softfp_num *num)
{
    long double magnitude = 0;

    if (num->kind == SOFTFP_INF)
        magnitude = HUGE_VALL;
    else if (num->kind == SOFTFP_FINITE)
        magnitude = ldexpl((long double)num->sig, num->exp - 63);
    return num->sign ? -magnitude : magnitude;
}

static struct softfp_num from_host(long double value)
{
    struct softfp_num num = {.kind = SOFTFP_ZERO, .sign = signbit(value) != 0};
    int exponent;

    if (isnan(value))
        return softfp_default_nan();
    if (isinf(value)) {
        num.kind = SOFTFP_INF;
    } else if (value != 0) {
        num.kind = SOFTFP_FINITE;
        num.sig = (uint64_t)ldexpl(frexpl(fabsl(value), &exponent), 64);
        num.exp = exponent - 1;
        num.low = 1;
    }
    return num;
}

/* ---- one transcendental ---- */

struct result {
    struct softfp_num first, second;
    bool reduce; /* C2: the operand of a circular function is too large */
};

#define TRIG_LIMIT 63

static bool is_circular(unsigned sem)
{
    return sem == ISA_SEM_FSIN || sem == ISA_SEM_FCOS || sem == ISA_SEM_FSINCOS ||
           sem == ISA_SEM_FPTAN;
}

static struct result compute(unsigned sem, const struct softfp_num *st0,
                             const struct softfp_num *st1, struct softfp_env *env)
{
    long double x = to_host(st0), y = to_host(st1);
    struct result r = {.first = *st0, .second = softfp_from_int(1)};

    if (is_circular(sem) && st0->kind == SOFTFP_INF) {
        r.first = r.second = softfp_invalid(env);
        return r;
    }
    r.reduce = is_circular(sem) && st0->kind == SOFTFP_FINITE && st0->exp >= TRIG_LIMIT;
    if (r.reduce)
        return r;
    switch (sem) {
    case ISA_SEM_FSINCOS:
        r.second = from_host(cosl(x));
        r.first = from_host(sinl(x));
        break;
    case ISA_SEM_FSIN:
        r.first = from_host(sinl(x));
        break;
    case ISA_SEM_FCOS:
        r.first = from_host(cosl(x));
        break;
    case ISA_SEM_FPTAN:
        r.first = from_host(tanl(x));
        break;
    case ISA_SEM_FPATAN:
        r.first = from_host(atan2l(y, x));
        break;
    case ISA_SEM_F2XM1:
        r.first = from_host(expm1l(x * 0.693147180559945309417232121458L));
        break;
    default:
        x = sem == ISA_SEM_FYL2XP1 ? log1pl(x) * 1.442695040888963407359924681L : log2l(x);
        if (isinf(x) && st0->kind == SOFTFP_ZERO && st1->kind == SOFTFP_FINITE)
            env->flags |= SOFTFP_ZE;
        r.first = from_host(y * x);
    }
    if (r.first.kind == SOFTFP_NAN)
        env->flags |= SOFTFP_IE;
    return r;
}

/* ---- the instruction on the stack ---- */

static bool is_binary(unsigned sem)
{
    return sem == ISA_SEM_FPATAN || sem == ISA_SEM_FYL2X || sem == ISA_SEM_FYL2XP1;
}

static bool pushes(unsigned sem)
{
    return sem == ISA_SEM_FSINCOS || sem == ISA_SEM_FPTAN;
}

static struct result evaluate(struct x87 *x, unsigned sem)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;
    struct softfp_num a = x87_get(fpu, 0), b = x87_get(fpu, 1), nan = softfp_default_nan();
    struct result r = {.first = nan, .second = nan};

    if (x87_empty(fpu, 0) || (is_binary(sem) && x87_empty(fpu, 1))) {
        x87_stack_fault(x, false);
        return r;
    }
    if (pushes(sem) && !x87_empty(fpu, 7)) {
        x87_stack_fault(x, true);
        return r;
    }
    if (is_binary(sem) ? softfp_check_nans(&a, &b, &x->env, &nan)
                       : softfp_check_nan(&a, &x->env, &nan)) {
        r.first = r.second = nan;
        return r;
    }
    softfp_note_denormal(&a, &x->env);
    if (is_binary(sem))
        softfp_note_denormal(&b, &x->env);
    return compute(sem, &a, &b, &x->env);
}

static void deliver(struct x87 *x, unsigned sem, const struct result *r)
{
    struct cpu_fpu *fpu = &x->cpu->fpu;

    if (is_binary(sem))
        x87_pop(fpu);
    struct softfp_num num = softfp_round(&r->first, &softfp_f80, &x->env);
    x87_set(fpu, 0, &num);
    num = softfp_round(&r->second, &softfp_f80, &x->env);
    if (pushes(sem))
        x87_push(fpu, &num);
}

void hostfp_x87(unsigned sem, struct cpu *cpu)
{
    struct x87 x = {.cpu = cpu,
                    .env = {.rounding = cpu->fpu.control >> 10 & 3,
                            .precision = 64,
                            .masks = cpu->fpu.control & X87_EXCEPTIONS}};
    struct result r = evaluate(&x, sem);

    if (!x87_stopped(&x) && !r.reduce)
        deliver(&x, sem, &r);
    cpu->fpu.status &= (uint16_t) ~(X87_C1 | (is_circular(sem) ? X87_C2 : 0u));
    cpu->fpu.status |= (uint16_t)(x.env.flags | (x.env.up ? X87_C1 : 0) | (r.reduce ? X87_C2 : 0) |
                                  (x.stack_fault ? X87_SF : 0));
}

/* ---- reciprocals ---- */

#define APPROXIMATE_BITS 12

static uint32_t rounded(const struct softfp_num *exact, struct softfp_env *env)
{
    struct softfp_num num = softfp_round(exact, &softfp_f32, env);

    if (num.kind == SOFTFP_FINITE)
        num.sig &= ~(uint64_t)0 << (64 - APPROXIMATE_BITS);
    return softfp_pack_f32(&num);
}

uint32_t hostfp_rcp(uint32_t bits, bool daz)
{
    struct softfp_env env = {.masks = X87_EXCEPTIONS, .sse = true, .daz = true, .ftz = true};

    struct softfp_num one = softfp_from_int(1), x = softfp_unpack_f32(bits, &env);
    struct softfp_num quotient = softfp_div(&one, &x, &env);

    (void)daz; /* denormals are zeros either way */
    return rounded(&quotient, &env);
}

uint32_t hostfp_rsqrt(uint32_t bits, bool daz)
{
    struct softfp_env env = {.masks = X87_EXCEPTIONS, .sse = true, .daz = true, .ftz = true};
    struct softfp_num one = softfp_from_int(1), x = softfp_unpack_f32(bits, &env);
    struct softfp_num root = softfp_sqrt(&x, &env), quotient = softfp_div(&one, &root, &env);

    (void)daz;
    return rounded(&quotient, &env);
}

#endif
