/* SPDX-License-Identifier: MIT */
/*
 * Floating point across signals and threads: what a handler starts with, what
 * the interrupted code gets back, what a handler may change for it, and the
 * codes of SIGFPE.
 */
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

/* Compiled for the i686: XMM registers are the assembly's alone. */

struct x87_env {
    uint32_t control, status, tags, pointers[4];
};

static void show_state(const char *where)
{
    struct x87_env env;
    uint32_t mxcsr;

    __asm__ volatile("fnstenv %0\n\tfldenv %0\n\tstmxcsr %1" : "=m"(env), "=m"(mxcsr));
    printf("%s: control %04x status %04x tags %04x mxcsr %04x\n", where, env.control & 0xffff,
           env.status & 0xffff, env.tags & 0xffff, mxcsr);
}

/* ---- a handler's own state ---- */

static void observe(int signal)
{
    static const uint16_t control = 0xe7f;
    static const uint32_t mxcsr = 0x3fbf;

    (void)signal;
    show_state("in the handler");
    __asm__ volatile("fldcw %0\n\tldmxcsr %1\n\tfldpi\n\tfldz\n\tpcmpeqb %%xmm3, %%xmm3"
                     :
                     : "m"(control), "m"(mxcsr));
}

static void test_handler_state(void)
{
    static const uint16_t control = 0x77f, usual = 0x37f;
    static const uint32_t mxcsr = 0x5f80, usual_mxcsr = 0x1f80;
    static const uint64_t magic = 0x123456789abcdef0;
    uint64_t xmm3;
    long double pi, one;
    struct sigaction action = {.sa_handler = observe};

    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    __asm__ volatile("fldcw %0\n\tldmxcsr %1\n\tfld1\n\tfldpi\n\tmovq %2, %%xmm3"
                     :
                     : "m"(control), "m"(mxcsr), "m"(magic));
    __asm__ volatile("int $0x80" : : "a"(37), "b"(getpid()), "c"(SIGUSR1) : "memory"); /* kill */
    show_state("after the handler");
    __asm__ volatile("fstpt %0\n\tfstpt %1\n\tmovq %%xmm3, %2\n\tfldcw %3\n\tldmxcsr %4"
                     : "=m"(pi), "=m"(one), "=m"(xmm3)
                     : "m"(usual), "m"(usual_mxcsr));
    printf("kept: %.18Lf %.18Lf %d\n", pi, one, xmm3 == magic);
}

/* ---- SIGFPE ---- */

static sigjmp_buf escape;
static volatile int code;

static void leave(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    code = info->si_code;
    siglongjmp(escape, 1);
}

static const float zero, one = 1, tiny = 1e-30f, huge = 1e30f, three = 3, denormal = 1e-42f;

/* One x87 division or product with everything but `mask` masked; FWAIT meets what is pending. */
static void x87_fault(uint16_t unmasked, const float *a, const float *b, bool product)
{
    uint16_t control = 0x37f & ~unmasked;
    float out;

    __asm__ volatile("fninit\n\tfldcw %0" : : "m"(control));
    if (product)
        __asm__ volatile("flds %1\n\tfmuls %2\n\tfstps %0\n\tfwait" : "=m"(out) : "m"(*a), "m"(*b));
    else
        __asm__ volatile("flds %1\n\tfdivs %2\n\tfstps %0\n\tfwait" : "=m"(out) : "m"(*a), "m"(*b));
}

static void sse_fault(uint16_t unmasked, const float *a, const float *b, bool product)
{
    uint32_t mxcsr = 0x1f80 & ~(unmasked << 7);

    __asm__ volatile("ldmxcsr %0\n\tmovss %1, %%xmm0" : : "m"(mxcsr), "m"(*a));
    if (product)
        __asm__ volatile("mulss %0, %%xmm0" : : "m"(*b));
    else
        __asm__ volatile("divss %0, %%xmm0" : : "m"(*b));
}

static void try_fault(const char *name, void (*fault)(uint16_t, const float *, const float *, bool),
                      uint16_t unmasked, const float *a, const float *b, bool product)
{
    uint32_t mxcsr = 0x1f80;

    code = 0;
    if (sigsetjmp(escape, 1) == 0)
        fault(unmasked, a, b, product);
    show_state("  afterwards");
    __asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
    printf("%s: code %d\n", name, code);
}

static void test_faults(void)
{
    struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};

    MUST(sigaction(SIGFPE, &action, NULL) == 0);
    for (int sse = 0; sse < 2; sse++) {
        void (*fault)(uint16_t, const float *, const float *, bool) = sse ? sse_fault : x87_fault;

        printf(sse ? "sse\n" : "x87\n");
        try_fault("invalid", fault, 1, &zero, &zero, false);
        try_fault("denormal", fault, 2, &denormal, &three, false);
        try_fault("zero divide", fault, 4, &one, &zero, false);
        try_fault("overflow", fault, 8, &huge, &huge, true);
        try_fault("underflow", fault, 16, &tiny, &tiny, true);
        try_fault("precision", fault, 32, &one, &three, false);
        try_fault("none", fault, 0, &zero, &zero, false);
    }
}

/* ---- a handler that mends the interrupted state ---- */

static void mend(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)signal, (void)info;
    uc->uc_mcontext.fpregs->cw |= 0x3f;
    uc->uc_mcontext.fpregs->sw &= ~0x80ffu;
}

static void test_mended(void)
{
    struct sigaction action = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};
    uint16_t control = 0x37b, after;
    float out;

    MUST(sigaction(SIGFPE, &action, NULL) == 0);
    __asm__ volatile("fldcw %1\n\tflds %2\n\tfdivs %3\n\tfwait\n\tfstps %0"
                     : "=m"(out)
                     : "m"(control), "m"(one), "m"(zero));
    __asm__ volatile("fnstcw %0\n\tfninit" : "=m"(after));
    printf("mended: %f control %04x\n", (double)out, after);
}

/* ---- long sums under a timer, and in threads ---- */

static void disturb(int signal)
{
    volatile long double x = 1.5L;

    (void)signal;
    for (int i = 0; i < 20; i++)
        x = sqrtl(x * 3 + i);
}

static void *sum(void *out)
{
    long double s = 0;

    for (int i = 1; i < 400000; i++)
        s += sqrtl(i) / (i + 1);
    *(long double *)out = s;
    return NULL;
}

static void test_sums(void)
{
    struct sigaction action = {.sa_handler = disturb, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    long double sums[5];
    pthread_t threads[4];

    MUST(sigaction(SIGALRM, &action, NULL) == 0);
    MUST(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 4; i++)
        MUST(pthread_create(&threads[i], NULL, sum, &sums[i]) == 0);
    sum(&sums[4]);
    for (int i = 0; i < 4; i++)
        MUST(pthread_join(threads[i], NULL) == 0);
    MUST(setitimer(ITIMER_REAL, &never, NULL) == 0);
    for (int i = 0; i < 5; i++)
        printf("sum %.18Lf\n", sums[i]);
}

int main(void)
{
    test_handler_state();
    test_faults();
    test_mended();
    test_sums();
    return 0;
}
