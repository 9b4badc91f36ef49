/* SPDX-License-Identifier: MIT */
/*
 * The portable transcendentals and reciprocals, which other hosts use, against
 * the processor's own: not equal, but close; exceptions, stack faults and C2
 * the same.
 */
#define HOSTFP_PORTABLE_TEST
#define hostfp_x87 portable_x87
#define hostfp_rcp portable_rcp
#define hostfp_rsqrt portable_rsqrt
#include "emu/cpu/softfp/hostfp_portable.c"
#undef hostfp_x87
#undef hostfp_rcp
#undef hostfp_rsqrt

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "testsuite/unit/fp_draw.h"

#ifdef __x86_64__

void hostfp_x87(unsigned sem, struct cpu *cpu);
uint32_t hostfp_rcp(uint32_t bits, bool daz);
uint32_t hostfp_rsqrt(uint32_t bits, bool daz);

enum { ROUNDS = 20000 };

static const unsigned sems[] = {ISA_SEM_F2XM1, ISA_SEM_FCOS,    ISA_SEM_FPATAN, ISA_SEM_FPTAN,
                                ISA_SEM_FSIN,  ISA_SEM_FSINCOS, ISA_SEM_FYL2X,  ISA_SEM_FYL2XP1};

static struct cpu *make_cpu(void)
{
    struct cpu *cpu = aligned_alloc(64, sizeof(*cpu));

    ck_assert_ptr_nonnull(cpu);
    memset(cpu, 0, sizeof(*cpu));
    return cpu;
}

/* Units of the last place between two results, as integers of exponent and significand. */
static uint64_t distance(const struct cpu_fpu *a, const struct cpu_fpu *b, unsigned i)
{
    struct softfp_ext x = x87_raw(a, i), y = x87_raw(b, i);

    if (x.se == y.se)
        return x.sig > y.sig ? x.sig - y.sig : y.sig - x.sig;
    return UINT64_MAX;
}

/* A number of moderate size in the domain of `sem`. */
static struct softfp_num pick_operand(struct fp_draw *draw, unsigned sem, bool second)
{
    struct softfp_num num = {.kind = SOFTFP_FINITE,
                             .sign = fp_draw_bits(draw) & 1,
                             .exp = -1 - (int32_t)(fp_draw_bits(draw) % 8),
                             .sig = fp_draw_bits(draw) | (uint64_t)1 << 63};

    if (second)
        num.exp += 4;
    else if (sem == ISA_SEM_FYL2XP1)
        num.exp -= 1;
    if (sem == ISA_SEM_FYL2X && !second)
        num.sign = false;
    return num;
}

START_TEST(moderate_operands_are_close)
{
    unsigned sem = sems[_i];
    struct fp_draw draw = {0x1234567 + sem};
    struct cpu *host = make_cpu(), *portable = make_cpu();

    for (int n = 0; n < ROUNDS; n++) {
        struct softfp_num a = pick_operand(&draw, sem, false), b = pick_operand(&draw, sem, true);

        x87_init(&host->fpu);
        x87_push(&host->fpu, &b);
        x87_push(&host->fpu, &a);
        portable->fpu = host->fpu;
        hostfp_x87(sem, host);
        portable_x87(sem, portable);
        ck_assert_uint_eq(host->fpu.tag, portable->fpu.tag);
        ck_assert_uint_eq((host->fpu.status ^ portable->fpu.status) & ~(unsigned)X87_C1, 0);
        for (unsigned i = 0; i < 3; i++)
            ck_assert_uint_le(distance(&host->fpu, &portable->fpu, i), 64);
    }
    free(host);
    free(portable);
}
END_TEST

#define X87_FINDINGS (X87_C2 | X87_SF | X87_TOP | SOFTFP_IE | SOFTFP_ZE)

/* FYL2XP1 is defined from -(1 - sqrt(2)/2) upwards; below, processors raise what they please. */
static bool is_undefined(const struct cpu_fpu *fpu)
{
    struct softfp_num a = x87_get(fpu, 0);

    return a.sign && (a.kind == SOFTFP_INF || (a.kind == SOFTFP_FINITE && a.exp >= -2));
}

START_TEST(any_operand_raises_the_same)
{
    unsigned sem = sems[_i], other = 0;
    struct fp_draw draw = {0x7654321 + sem};
    struct cpu *host = make_cpu(), *portable = make_cpu();

    for (int n = 0; n < ROUNDS; n++) {
        fp_draw_fpu(&draw, &host->fpu);
        host->fpu.control |= 0x3f;
        host->fpu.status &= (uint16_t) ~(X87_EXCEPTIONS | X87_SF | X87_ES | X87_B);
        if (sem == ISA_SEM_FYL2XP1 && is_undefined(&host->fpu))
            continue;
        portable->fpu = host->fpu;
        hostfp_x87(sem, host);
        portable_x87(sem, portable);
        ck_assert_uint_eq(host->fpu.tag, portable->fpu.tag);
        other += ((host->fpu.status ^ portable->fpu.status) & X87_FINDINGS) != 0;
    }
    ck_assert_msg(other == 0, "%u of %d raise something else", other, ROUNDS);
    free(host);
    free(portable);
}
END_TEST

static void check_close(uint32_t x, uint32_t host, uint32_t portable)
{
    uint32_t apart = host > portable ? host - portable : portable - host;

    ck_assert_msg(apart <= 1u << 13 || (x & 0x7f800000) == 0, "%08x: %08x %08x", x, host, portable);
}

START_TEST(reciprocals_are_close)
{
    struct fp_draw draw = {99};

    for (int n = 0; n < ROUNDS; n++) {
        uint32_t x = fp_draw_f32(&draw) & 0x7fffffff;

        if ((x >> 23) > 250 || (x >> 23) < 4)
            continue;
        check_close(x, hostfp_rcp(x, false), portable_rcp(x, false));
        check_close(x, hostfp_rsqrt(x, false), portable_rsqrt(x, false));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostfp");
    TCase *tc = tcase_create("portable");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, moderate_operands_are_close, 0, (int)ARRAY_LEN(sems));
    tcase_add_loop_test(tc, any_operand_raises_the_same, 0, (int)ARRAY_LEN(sems));
    tcase_add_test(tc, reciprocals_are_close);
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
