/* SPDX-License-Identifier: MIT */
/*
 * The software floating point against the host's own units: the same operands,
 * control word and masks, millions of times.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "testsuite/unit/fp_draw.h"

#if defined(__x86_64__) && defined(__linux__)

enum { ROUNDS = 200000, MAX_REPORTS = 8 };

static struct fp_draw draw = {0x9e3779b97f4a7c15};

static uint64_t rng(void)
{
    return fp_draw_bits(&draw);
}

/* ---- x87 ---- */

struct x87_case {
    struct softfp_ext a, b, out, out2;
    uint16_t cw, sw;
    int64_t i;
};

typedef void x87_host(struct x87_case *c);

/* ST(0) = a, ST(1) = b; the exceptions are cleared before a waiting instruction could meet them. */
#define HOST_X87(name, insn)                                                                       \
    static void host_##name(struct x87_case *c)                                                    \
    {                                                                                              \
        long double x, y;                                                                          \
        memcpy(&x, &c->a, 10);                                                                     \
        memcpy(&y, &c->b, 10);                                                                     \
        __asm__ volatile("fninit\n\tfldt %5\n\tfldt %4\n\tfldcw %3\n\t" insn                       \
                         "\n\tfnstsw %2\n\tfnclex\n\tfstpt %0\n\tfstpt %1\n\tfninit"               \
                         : "=m"(c->out), "=m"(c->out2), "=m"(c->sw)                                \
                         : "m"(c->cw), "m"(x), "m"(y), "m"(*c), "r"(&c->i)                         \
                         : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",    \
                           "memory", "cc");                                                        \
    }

HOST_X87(add, "fadd %%st(1), %%st")
HOST_X87(sub, "fsub %%st(1), %%st")
HOST_X87(mul, "fmul %%st(1), %%st")
HOST_X87(div, "fdiv %%st(1), %%st")
HOST_X87(sqrt, "fsqrt")
HOST_X87(rndint, "frndint")
HOST_X87(prem, "fprem")
HOST_X87(prem1, "fprem1")
HOST_X87(scale, "fscale")
HOST_X87(xtract, "fstp %%st(1)\n\tfxtract")
HOST_X87(com, "fcom %%st(1)")
HOST_X87(ucom, "fucom %%st(1)")
HOST_X87(i16, "fld %%st\n\tfistps (%7)")
HOST_X87(i32, "fld %%st\n\tfistpl (%7)")
HOST_X87(i64, "fld %%st\n\tfistpll (%7)")
HOST_X87(f32, "fsts (%7)")
HOST_X87(f64, "fstl (%7)")

static struct softfp_env env_of_cw(uint16_t cw)
{
    static const uint8_t precisions[4] = {24, 64, 53, 64};

    return (struct softfp_env){
        .rounding = cw >> 10 & 3, .precision = precisions[cw >> 8 & 3], .masks = cw & 0x3f};
}

struct x87_soft {
    struct softfp_ext out, out2;
    int64_t i;
    uint16_t cc; /* C0, C2, C3 */
};

typedef void x87_model(const struct x87_case *c, struct softfp_env *env, struct x87_soft *s);

static void deliver(struct softfp_num num, struct softfp_env *env, struct x87_soft *s)
{
    num = softfp_round(&num, &softfp_f80, env);
    if (softfp_stopped(env))
        return;
    s->out = softfp_pack_ext(&num);
}

/* The operands of a case, for the length of one expression. */
#define NUM_A (&(struct softfp_num[]){softfp_unpack_ext(c->a)}[0])
#define NUM_B (&(struct softfp_num[]){softfp_unpack_ext(c->b)}[0])
#define MODEL(name)                                                                                \
    static void soft_##name(const struct x87_case *c, struct softfp_env *env, struct x87_soft *s)
#define MODEL_BINARY(name)                                                                         \
    MODEL(name)                                                                                    \
    {                                                                                              \
        deliver(softfp_##name(NUM_A, NUM_B, env), env, s);                                         \
    }

MODEL_BINARY(add)
MODEL_BINARY(sub)
MODEL_BINARY(mul)
MODEL_BINARY(div)

static void deliver_exact(struct softfp_num num, const struct softfp_env *env, struct x87_soft *s)
{
    if (!softfp_stopped(env))
        s->out = softfp_pack_ext(&num);
}

MODEL(scale)
{
    deliver_exact(softfp_scale(NUM_A, NUM_B, env), env, s);
}

MODEL(sqrt)
{
    deliver(softfp_sqrt(NUM_A, env), env, s);
}

MODEL(rndint)
{
    struct softfp_num out = softfp_round_int(NUM_A, env);

    s->out = softfp_pack_ext(&out);
}

static void model_rem(const struct x87_case *c, struct softfp_env *env, struct x87_soft *s,
                      bool nearest)
{
    unsigned quotient;
    bool partial;

    deliver_exact(softfp_rem(NUM_A, NUM_B, nearest, &quotient, &partial, env), env, s);
    if (softfp_stopped(env))
        return;
    s->cc = (uint16_t)((quotient & 4) << 6 | partial << 10 | (quotient & 2) << 13);
    env->up = quotient & 1;
}

MODEL(prem)
{
    model_rem(c, env, s, false);
}

MODEL(prem1)
{
    model_rem(c, env, s, true);
}

MODEL(xtract)
{
    struct softfp_num exponent, sig = softfp_extract(NUM_A, &exponent, env);

    s->out = softfp_pack_ext(&sig);
    s->out2 = softfp_pack_ext(&exponent);
}

static void model_com(const struct x87_case *c, struct softfp_env *env, struct x87_soft *s,
                      bool quiet)
{
    static const uint16_t cc[4] = {0x4000, 0x100, 0, 0x4500};

    s->cc = cc[softfp_compare(NUM_A, NUM_B, quiet, env)];
}

MODEL(com)
{
    model_com(c, env, s, false);
}

MODEL(ucom)
{
    model_com(c, env, s, true);
}

static void model_int(const struct x87_case *c, struct softfp_env *env, struct x87_soft *s,
                      unsigned width)
{
    int64_t i = softfp_to_int(NUM_A, width, env);

    memcpy(&s->i, &i, width / 8);
}

MODEL(i16)
{
    model_int(c, env, s, 16);
}

MODEL(i32)
{
    model_int(c, env, s, 32);
}

MODEL(i64)
{
    model_int(c, env, s, 64);
}

static bool undelivered(const struct softfp_env *env)
{
    return env->flags & ~env->masks & (SOFTFP_PRE | SOFTFP_OE | SOFTFP_UE);
}

MODEL(f32)
{
    struct softfp_num num = softfp_convert_store(NUM_A, env);

    num = softfp_round(&num, &softfp_f32, env);

    if (!undelivered(env))
        s->i = softfp_pack_f32(&num);
}

MODEL(f64)
{
    struct softfp_num num = softfp_convert_store(NUM_A, env);

    num = softfp_round(&num, &softfp_f64, env);

    if (!undelivered(env))
        s->i = (int64_t)softfp_pack_f64(&num);
}

enum x87_kind { X87_REG, X87_TWO, X87_FLAGS, X87_MEM };

static const struct x87_test {
    const char *name;
    x87_host *host;
    x87_model *soft;
    enum x87_kind kind;
} x87_tests[] = {
#define X87_TEST(name, kind)                                                                       \
    {                                                                                              \
#name, host_##name, soft_##name, kind                                                      \
    }
    X87_TEST(add, X87_REG),    X87_TEST(sub, X87_REG),   X87_TEST(mul, X87_REG),
    X87_TEST(div, X87_REG),    X87_TEST(sqrt, X87_REG),  X87_TEST(rndint, X87_REG),
    X87_TEST(prem, X87_REG),   X87_TEST(prem1, X87_REG), X87_TEST(scale, X87_REG),
    X87_TEST(xtract, X87_TWO), X87_TEST(com, X87_FLAGS), X87_TEST(ucom, X87_FLAGS),
    X87_TEST(i16, X87_MEM),    X87_TEST(i32, X87_MEM),   X87_TEST(i64, X87_MEM),
    X87_TEST(f32, X87_MEM),    X87_TEST(f64, X87_MEM),
};

static bool same_ext(struct softfp_ext a, struct softfp_ext b)
{
    return a.se == b.se && a.sig == b.sig;
}

static bool x87_same(const struct x87_test *t, const struct x87_case *c, const struct x87_soft *s,
                     const struct softfp_env *env)
{
    uint16_t want = env->flags | s->cc | (uint16_t)(env->up << 9);
    uint16_t mask = t->kind == X87_FLAGS || s->cc || t->soft == soft_prem || t->soft == soft_prem1
                        ? 0x473f | 0x200
                        : 0x23f;

    if ((c->sw ^ want) & mask)
        return false;
    if (softfp_stopped(env))
        return true;
    switch (t->kind) {
    case X87_MEM:
        return c->i == s->i;
    case X87_TWO:
        return same_ext(c->out, s->out) && same_ext(c->out2, s->out2);
    case X87_REG:
        return same_ext(c->out, s->out);
    default:
        return true;
    }
}

static void x87_report(const struct x87_test *t, const struct x87_case *c, const struct x87_soft *s,
                       const struct softfp_env *env)
{
    fprintf(stderr,
            "%s cw %04x a %04x:%016llx b %04x:%016llx\n"
            "  host %04x:%016llx %04x:%016llx mem %016llx sw %04x\n"
            "  soft %04x:%016llx %04x:%016llx mem %016llx sw %04x\n",
            t->name, c->cw, c->a.se, (unsigned long long)c->a.sig, c->b.se,
            (unsigned long long)c->b.sig, c->out.se, (unsigned long long)c->out.sig, c->out2.se,
            (unsigned long long)c->out2.sig, (unsigned long long)c->i, c->sw, s->out.se,
            (unsigned long long)s->out.sig, s->out2.se, (unsigned long long)s->out2.sig,
            (unsigned long long)s->i, env->flags | s->cc | env->up << 9);
}

static struct x87_case x87_draw(void)
{
    struct x87_case c = {.a = fp_draw_ext(&draw), .b = fp_draw_ext(&draw)};

    if (rng() % 8 == 0) { /* close to each other: cancellation */
        c.b = c.a;
        c.b.sig ^= rng() >> (rng() & 63) & ~((uint64_t)1 << 63);
        c.b.se ^= (uint16_t)(rng() & 0x8001);
    }
    c.cw = (uint16_t)(rng() & 0xf00) | 0x40 | (rng() % 2 ? 0x3f : rng() & 0x3f);
    if ((c.cw >> 8 & 3) == 1)
        c.cw |= 0x300;
    return c;
}

START_TEST(x87_operations)
{
    const struct x87_test *t = &x87_tests[_i];
    unsigned wrong = 0;

    for (int n = 0; n < ROUNDS; n++) {
        struct x87_case c = x87_draw();
        struct softfp_env env = env_of_cw(c.cw);
        struct x87_soft s = {0};

        t->host(&c);
        t->soft(&c, &env, &s);
        if (!x87_same(t, &c, &s, &env) && wrong++ < MAX_REPORTS)
            x87_report(t, &c, &s, &env);
    }
    ck_assert_msg(wrong == 0, "%s: %u of %d differ", t->name, wrong, ROUNDS);
}
END_TEST

START_TEST(x87_bcd)
{
    for (int n = 0; n < ROUNDS; n++) {
        struct softfp_ext a = fp_draw_ext(&draw);
        uint8_t host[10], soft[10];
        struct softfp_env env = {.precision = 64, .masks = 0x3f};
        uint16_t sw;
        long double x;

        if (rng() % 2)
            a.se = (uint16_t)((a.se & 0x8000) | (0x3fff + rng() % 62)), a.sig |= (uint64_t)1 << 63;
        memcpy(&x, &a, 10);
        __asm__ volatile("fninit\n\tfldt %2\n\tfbstp %0\n\tfnstsw %1"
                         : "=m"(host), "=m"(sw)
                         : "m"(x)
                         : "st");
        struct softfp_num num = softfp_unpack_ext(a);
        softfp_to_bcd(&num, soft, &env);
        ck_assert_mem_eq(host, soft, 10);
        ck_assert_uint_eq(sw & 0x23f, (unsigned)(env.flags | env.up << 9));
        struct softfp_num back = softfp_from_bcd(soft);
        struct softfp_ext e = softfp_pack_ext(&back);
        __asm__ volatile("fbld %1\n\tfstpt %0" : "=m"(x) : "m"(host) : "st");
        if (host[9] != 0xff)
            ck_assert_mem_eq(&x, &e, 10);
    }
}
END_TEST

/* ---- SSE ---- */

static volatile uint32_t trapped_mxcsr;

/* Remembers what was raised and lets the instruction run again with everything masked. */
static void on_fpe(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)sig, (void)info;
    trapped_mxcsr = uc->uc_mcontext.fpregs->mxcsr;
    uc->uc_mcontext.fpregs->mxcsr |= 0x1f80;
}

struct sse_case {
    uint64_t a, b, out;
    uint32_t mxcsr, flags;
};

#define HOST_SSE(name, insn)                                                                       \
    static void host_##name(struct sse_case *c)                                                    \
    {                                                                                              \
        uint32_t saved;                                                                            \
        trapped_mxcsr = 0;                                                                         \
        __asm__ volatile("stmxcsr %2\n\tmovsd %3, %%xmm0\n\tmovsd %4, %%xmm1\n\tldmxcsr %5\n\t"    \
                         "pxor %%xmm2, %%xmm2\n\t" insn "\n\tstmxcsr %1\n\tldmxcsr %2\n\t"         \
                         "movsd %%xmm2, %0"                                                        \
                         : "=m"(c->out), "=m"(c->flags), "=m"(saved)                               \
                         : "m"(c->a), "m"(c->b), "m"(c->mxcsr)                                     \
                         : "xmm0", "xmm1", "xmm2", "rax", "memory");                               \
        if (trapped_mxcsr)                                                                         \
            c->flags = trapped_mxcsr;                                                              \
    }
#define HOST_SSE_BINARY(name, insn) HOST_SSE(name, insn " %%xmm1, %%xmm0\n\tmovaps %%xmm0, %%xmm2")
#define HOST_SSE_INT(name, insn) HOST_SSE(name, insn " %%xmm0, %%eax\n\tmovd %%eax, %%xmm2")

HOST_SSE_BINARY(addss, "addss")
HOST_SSE_BINARY(subss, "subss")
HOST_SSE_BINARY(mulss, "mulss")
HOST_SSE_BINARY(divss, "divss")
HOST_SSE_BINARY(minss, "minss")
HOST_SSE_BINARY(maxss, "maxss")
HOST_SSE_BINARY(addsd, "addsd")
HOST_SSE_BINARY(subsd, "subsd")
HOST_SSE_BINARY(mulsd, "mulsd")
HOST_SSE_BINARY(divsd, "divsd")
HOST_SSE_BINARY(minsd, "minsd")
HOST_SSE_BINARY(maxsd, "maxsd")
HOST_SSE(sqrtss, "sqrtss %%xmm0, %%xmm2")
HOST_SSE(sqrtsd, "sqrtsd %%xmm0, %%xmm2")
HOST_SSE(cvtss2sd, "cvtss2sd %%xmm0, %%xmm2")
HOST_SSE(cvtsd2ss, "cvtsd2ss %%xmm0, %%xmm2")
HOST_SSE_INT(cvtss2si, "cvtss2si")
HOST_SSE_INT(cvtsd2si, "cvtsd2si")
HOST_SSE_INT(cvttss2si, "cvttss2si")
HOST_SSE_INT(cvttsd2si, "cvttsd2si")

typedef struct softfp_num sse_binary(const struct softfp_num *a, const struct softfp_num *b,
                                     struct softfp_env *env);
typedef struct softfp_num sse_unary(const struct softfp_num *a, struct softfp_env *env);

static const struct sse_test {
    const char *name;
    void (*host)(struct sse_case *c);
    sse_binary *binary;
    sse_unary *unary; /* neither: to a 32-bit integer */
    bool from64, to64, chop;
} sse_tests[] = {
    {"addss", host_addss, softfp_add, NULL, false, false, false},
    {"subss", host_subss, softfp_sub, NULL, false, false, false},
    {"mulss", host_mulss, softfp_mul, NULL, false, false, false},
    {"divss", host_divss, softfp_div, NULL, false, false, false},
    {"minss", host_minss, softfp_min, NULL, false, false, false},
    {"maxss", host_maxss, softfp_max, NULL, false, false, false},
    {"addsd", host_addsd, softfp_add, NULL, true, true, false},
    {"subsd", host_subsd, softfp_sub, NULL, true, true, false},
    {"mulsd", host_mulsd, softfp_mul, NULL, true, true, false},
    {"divsd", host_divsd, softfp_div, NULL, true, true, false},
    {"minsd", host_minsd, softfp_min, NULL, true, true, false},
    {"maxsd", host_maxsd, softfp_max, NULL, true, true, false},
    {"sqrtss", host_sqrtss, NULL, softfp_sqrt, false, false, false},
    {"sqrtsd", host_sqrtsd, NULL, softfp_sqrt, true, true, false},
    {"cvtss2sd", host_cvtss2sd, NULL, softfp_convert, false, true, false},
    {"cvtsd2ss", host_cvtsd2ss, NULL, softfp_convert, true, false, false},
    {"cvtss2si", host_cvtss2si, NULL, NULL, false, false, false},
    {"cvtsd2si", host_cvtsd2si, NULL, NULL, true, false, false},
    {"cvttss2si", host_cvttss2si, NULL, NULL, false, false, true},
    {"cvttsd2si", host_cvttsd2si, NULL, NULL, true, false, true},
};

static struct softfp_env env_of_mxcsr(uint32_t mxcsr)
{
    return (struct softfp_env){.rounding = mxcsr >> 13 & 3,
                               .masks = mxcsr >> 7 & 0x3f,
                               .sse = true,
                               .daz = mxcsr >> 6 & 1,
                               .ftz = mxcsr >> 15 & 1};
}

static struct softfp_num unpack(uint64_t bits, bool is64, const struct softfp_env *env)
{
    return is64 ? softfp_unpack_f64(bits, env) : softfp_unpack_f32((uint32_t)bits, env);
}

static uint64_t sse_model(const struct sse_test *t, const struct sse_case *c,
                          struct softfp_env *env)
{
    struct softfp_num a = unpack(c->a, t->from64, env), b = unpack(c->b, t->from64, env);
    const struct softfp_format *f = t->to64 ? &softfp_f64 : &softfp_f32;

    if (t->chop)
        env->rounding = SOFTFP_CHOP;
    if (!t->binary && !t->unary)
        return (uint32_t)softfp_to_int(&a, 32, env);
    a = t->binary ? t->binary(&a, &b, env) : t->unary(&a, env);
    if (t->binary != softfp_min && t->binary != softfp_max)
        a = softfp_round(&a, f, env);
    if (undelivered(env))
        return 0;
    return t->to64 ? softfp_pack_f64(&a) : softfp_pack_f32(&a);
}

static struct sse_case sse_draw(const struct sse_test *t)
{
    struct sse_case c;
    uint32_t r = (uint32_t)rng();

    c.a = t->from64 ? fp_draw_f64(&draw) : fp_draw_f32(&draw);
    c.b = t->from64 ? fp_draw_f64(&draw) : fp_draw_f32(&draw);
    if (rng() % 8 == 0)
        c.b = c.a ^ (rng() >> (rng() & 63) & (t->from64 ? 0x801fffffffffffff : 0x80ffffff));
    c.mxcsr = 0x1f80 | (r & 0xe040 & (r >> 16));
    if (r % 4 == 0 && (r >> 8) % 8 == 0)
        c.mxcsr &= ~(r & 0x1f80);
    c.out = c.flags = 0;
    return c;
}

START_TEST(sse_operations)
{
    const struct sse_test *t = &sse_tests[_i];
    unsigned wrong = 0;

    for (int n = 0; n < ROUNDS; n++) {
        struct sse_case c = sse_draw(t);
        struct softfp_env env = env_of_mxcsr(c.mxcsr);
        uint64_t soft;

        t->host(&c);
        soft = sse_model(t, &c, &env);
        if ((c.flags & 0x3f) == env.flags && (trapped_mxcsr || soft == c.out))
            continue;
        if (wrong++ < MAX_REPORTS)
            fprintf(stderr,
                    "%s mxcsr %04x a %016llx b %016llx host %016llx %02x%s soft %016llx %02x\n",
                    t->name, c.mxcsr, (unsigned long long)c.a, (unsigned long long)c.b,
                    (unsigned long long)c.out, c.flags & 0x3f, trapped_mxcsr ? " (trap)" : "",
                    (unsigned long long)soft, env.flags);
    }
    ck_assert_msg(wrong == 0, "%s: %u of %d differ", t->name, wrong, ROUNDS);
}
END_TEST

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO};
    Suite *suite = suite_create("softfp");
    TCase *tc = tcase_create("host");
    SRunner *runner;
    int failed;

    sigaction(SIGFPE, &action, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, x87_operations, 0, (int)ARRAY_LEN(x87_tests));
    tcase_add_test(tc, x87_bcd);
    tcase_add_loop_test(tc, sse_operations, 0, (int)ARRAY_LEN(sse_tests));
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#else

int main(void)
{
    puts("SKIP: the oracle is an x86-64 host");
    return 77;
}

#endif
