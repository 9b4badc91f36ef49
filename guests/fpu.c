/* SPDX-License-Identifier: MIT */
/*
 * x87 and SSE2 start as the ABI says, compute as the processor does, and are
 * not disturbed by interrupts, port instructions and idling.
 */
#include "guests/lib/guest.h"

GUEST_MANIFEST(1 << 20, {DENALI_DEV_CONSOLE, 0, "console"}, {DENALI_DEV_TIMER, 0, "timer"});

static volatile unsigned ticks;

static void on_interrupt(uint32_t batch)
{
    (void)batch;
    ticks++;
    guest_timer(guest_time_ns() + 200000);
}

static void check_start(void)
{
    uint16_t control;
    uint32_t mxcsr;
    __asm__ volatile("fnstcw %0" : "=m"(control));
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    GUEST_CHECK_EQ(control, 0x37f);
    GUEST_CHECK_EQ(mxcsr, 0x1f80);
}

static void check_constants(void)
{
    uint8_t pi[10];
    static const uint8_t want[10] = {0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40};
    __asm__ volatile("fldpi; fstpt %0" : "=m"(pi));
    GUEST_CHECK_EQ(memcmp(pi, want, 10), 0);
    double root;
    __asm__ volatile("fld1; fadd %%st(0); fsqrt; fstpl %0" : "=m"(root));
    static const double want_root = 1.4142135623730951;
    GUEST_CHECK_EQ(memcmp(&root, &want_root, sizeof(root)), 0);
}

/* The sum of 1/i^2 in 80 bits: any disturbance of the stack or of rounding shows. */
static long double series(unsigned terms)
{
    long double sum = 0;
    for (unsigned i = 1; i <= terms; i++)
        sum += 1.0L / ((long double)i * i);
    return sum;
}

static uint32_t sse2_sum(uint32_t n)
{
    uint32_t result;
    static const uint32_t one[4] __attribute__((aligned(16))) = {1, 1, 1, 1};
    __asm__ volatile("pxor %%xmm0, %%xmm0\n"
                     "1: paddd %2, %%xmm0\n"
                     "decl %1\n"
                     "jnz 1b\n"
                     "movd %%xmm0, %0"
                     : "=r"(result), "+r"(n)
                     : "m"(one)
                     : "cc");
    return result;
}

static void check_undisturbed(void)
{
    long double quiet = series(20000);
    guest_interrupts_on(on_interrupt);
    guest_timer(guest_time_ns() + 100000);
    unsigned rounds = 0;
    while (ticks < 20) {
        long double busy = series(20000);
        GUEST_CHECK_EQ(memcmp(&quiet, &busy, 10), 0);
        GUEST_CHECK_EQ(sse2_sum(100000), 100000);
        GUEST_CHECK(rounds++ < 100000);
    }
    guest_interrupts_off();
    guest_timer(UINT64_MAX);
}

/* Both units keep their registers over an idle and a port instruction. */
static void check_kept(void)
{
    uint8_t before[512] __attribute__((aligned(16))), after[512] __attribute__((aligned(16)));
    __asm__ volatile("fldpi; fldl2e; pcmpeqd %%xmm5, %%xmm5; movaps %%xmm5, %%xmm6\n"
                     "fxsave %0"
                     : "=m"(before));
    guest_idle(1000000);
    guest_print("fpu: over a port\n");
    __asm__ volatile("fxsave %0; fninit" : "=m"(after));
    /* All but the last instruction's and operand's addresses. */
    GUEST_CHECK_EQ(memcmp(before, after, 6), 0);
    GUEST_CHECK_EQ(memcmp(before + 24, after + 24, 288 - 24), 0);
}

int guest_main(void)
{
    check_start();
    check_constants();
    check_kept();
    check_undisturbed();
    guest_print("fpu: ok\n");
    return 0;
}
