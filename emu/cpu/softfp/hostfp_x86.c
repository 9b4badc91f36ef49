/* SPDX-License-Identifier: MIT */
/*
 * What only the processor itself knows to the last bit: the transcendentals of
 * the x87, and the reciprocal approximations of SSE. On x86-64 hosts the
 * host's own unit runs the instruction on the guest's x87 state, with the
 * guest's control word, so that results, flags and stack faults are its own.
 * An exception that the guest has not masked stays pending in the host's unit
 * for no instruction that waits: it is saved and cleared at once.
 */
#ifdef __x86_64__

#include "emu/cpu/interp/interp_x87.h"

/* The guest's x87 with a harmless MXCSR and no XMM register. */
struct image {
    _Alignas(16) uint8_t bytes[512];
};

#define X87_PART 160
#define MXCSR_AT 24

/* All host registers that FXRSTOR replaces are declared lost; MXCSR is put back. */
#define RUN(name, insn)                                                                            \
    static void run_##name(struct image *image)                                                    \
    {                                                                                              \
        uint32_t mxcsr;                                                                            \
        __asm__ volatile(                                                                          \
            "stmxcsr %1\n\tfxrstor %0\n\t" insn "\n\tfxsave %0\n\tfninit\n\tldmxcsr %1"            \
            : "+m"(*image), "=m"(mxcsr)                                                            \
            :                                                                                      \
            : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0", "xmm1", \
              "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",    \
              "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");                                 \
    }
RUN(f2xm1, "f2xm1")
RUN(fcos, "fcos")
RUN(fpatan, "fpatan")
RUN(fptan, "fptan")
RUN(fsin, "fsin")
RUN(fsincos, "fsincos")
RUN(fyl2x, "fyl2x")
RUN(fyl2xp1, "fyl2xp1")

static void run_on_host(unsigned sem, struct image *image)
{
    static void (*const runs[ISA_SEMS])(struct image *) = {
        [ISA_SEM_F2XM1] = run_f2xm1,   [ISA_SEM_FCOS] = run_fcos,
        [ISA_SEM_FPATAN] = run_fpatan, [ISA_SEM_FPTAN] = run_fptan,
        [ISA_SEM_FSIN] = run_fsin,     [ISA_SEM_FSINCOS] = run_fsincos,
        [ISA_SEM_FYL2X] = run_fyl2x,   [ISA_SEM_FYL2XP1] = run_fyl2xp1,
    };

    BUG_ON(!runs[sem], "hostfp: not a transcendental");
    runs[sem](image);
}

void hostfp_x87(unsigned sem, struct cpu *cpu)
{
    struct cpu_fpu *fpu = &cpu->fpu;
    const uint32_t mxcsr = 0x1f80;
    struct cpu_fpu *result;
    struct image image = {{0}};

    memcpy(image.bytes, fpu, X87_PART);
    memcpy(image.bytes + MXCSR_AT, &mxcsr, sizeof(mxcsr));
    run_on_host(sem, &image);
    result = (struct cpu_fpu *)(void *)image.bytes;
    fpu->status = result->status;
    fpu->tag = result->tag;
    memcpy(fpu->st, result->st, sizeof(fpu->st));
}

#define APPROXIMATE(name, insn)                                                                    \
    uint32_t hostfp_##name(uint32_t bits, bool daz)                                                \
    {                                                                                              \
        uint32_t saved, with = daz ? 0x1fc0 : 0x1f80, out;                                         \
        __asm__ volatile("stmxcsr %1\n\tldmxcsr %2\n\tmovd %3, %%xmm0\n\t" insn                    \
                         " %%xmm0, %%xmm0\n\tmovd %%xmm0, %0\n\tldmxcsr %1"                        \
                         : "=r"(out), "=m"(saved)                                                  \
                         : "m"(with), "r"(bits)                                                    \
                         : "xmm0");                                                                \
        return out;                                                                                \
    }
APPROXIMATE(rcp, "rcpss")
APPROXIMATE(rsqrt, "rsqrtss")

#endif
