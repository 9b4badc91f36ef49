/* SPDX-License-Identifier: MIT */
/*
 * The inside of the x87, MMX and SSE functions (interp_x87*.c, interp_mmx*.c,
 * interp_sse*.c): the registers as an FXSAVE image, and the life of one x87
 * instruction. It is
 *
 *     struct x87 x;
 *     enum cpu_status status = x87_begin(&x, cpu, insn);      #NM, #MF
 *     ... read memory, compute on copies; raise into x.env; write memory
 *     x87_set, x87_push, x87_pop as x87_stopped() allows
 *     return x87_finish(&x);                                  commits flags
 *
 * so a page fault of a memory operand leaves the x87 as it was.
 */
#ifndef DENALI_INTERP_X87_H
#define DENALI_INTERP_X87_H

#include "emu/cpu/interp/interp.h"
#include "emu/cpu/softfp/softfp.h"

enum x87_status {
    X87_SF = 1u << 6, /* stack fault */
    X87_ES = 1u << 7, /* an unmasked exception is pending */
    X87_C0 = 1u << 8,
    X87_C1 = 1u << 9,
    X87_C2 = 1u << 10,
    X87_TOP = 7u << 11,
    X87_C3 = 1u << 14,
    X87_B = 1u << 15, /* copy of ES */
    X87_CC = X87_C0 | X87_C2 | X87_C3,
    X87_EXCEPTIONS = 0x3f,
};

struct x87 {
    struct cpu *cpu;
    const struct isa_insn *insn;
    struct softfp_env env; /* precision, rounding and masks of the control word; what is raised */
    bool stack_fault;
    uint16_t cc, cc_mask; /* condition codes to set, C1 apart (env.up) */
    bool keep_c1;         /* C1 stays as it is, unless a stack fault sets it */
};

/* #NM and #MF as an x87 instruction that waits has them; fills *x. */
MUST_CHECK enum cpu_status x87_begin(struct x87 *x, struct cpu *cpu, const struct isa_insn *insn);

/* Only the device checks (CR0.EM, CR0.TS; SSE: CR4.OSFXSR too) of instructions that do not wait. */
MUST_CHECK enum cpu_status x87_usable(struct cpu *cpu);
MUST_CHECK enum cpu_status sse_usable(struct cpu *cpu);
/* #MF if an unmasked exception is pending. */
MUST_CHECK enum cpu_status x87_pending(struct cpu *cpu);

/* Commits what x.env raised to the status word, and the last-instruction pointers. CPU_OK. */
enum cpu_status x87_finish(struct x87 *x);

/* An unmasked exception keeps the instruction from touching registers or memory. */
static inline bool x87_stopped(const struct x87 *x)
{
    return softfp_stopped(&x->env);
}

/* Stack underflow or overflow: raises IE and SF, C1 tells which. */
void x87_stack_fault(struct x87 *x, bool overflow);

/* Sets ES and B from the other bits; after any change of control or status. */
void x87_update_summary(struct cpu_fpu *fpu);

/* The control word as the register keeps it: reserved bits fixed. */
uint16_t x87_control_of(uint16_t value);

bool x87_empty(const struct cpu_fpu *fpu, unsigned i);
struct softfp_ext x87_raw(const struct cpu_fpu *fpu, unsigned i);
void x87_set_raw(struct cpu_fpu *fpu, unsigned i, struct softfp_ext value); /* tags it valid */
struct softfp_num x87_get(const struct cpu_fpu *fpu, unsigned i);
void x87_set(struct cpu_fpu *fpu, unsigned i, const struct softfp_num *value);
void x87_free(struct cpu_fpu *fpu, unsigned i);
/* Moves TOP by `delta`; the image turns with it, tags stay with physical registers. */
void x87_turn(struct cpu_fpu *fpu, int delta);
void x87_pop(struct cpu_fpu *fpu);
void x87_push(struct cpu_fpu *fpu, const struct softfp_num *value);

/* Memory operand as a number: binary32, binary64, extended by operand width. */
MUST_CHECK enum cpu_status x87_read_real(struct x87 *x, struct softfp_num *out);
/* 16-, 32- and 64-bit integers. */
MUST_CHECK enum cpu_status x87_read_int(struct x87 *x, struct softfp_num *out);

/* The operand that encodes memory. */
static inline unsigned x87_mem_operand(const struct isa_insn *insn)
{
    return interp_is_mem(insn, 0) ? 0 : 1;
}

/* FNINIT's state, without the device checks. */
void x87_init(struct cpu_fpu *fpu);

/* MMX: TOP becomes 0 and all registers valid. After the last step that can fault. */
void x87_enter_mmx(struct cpu_fpu *fpu);

/*
 * Runs the transcendental `sem` on the x87 state, in full: results,
 * condition codes, exceptions and stack faults. hostfp_x86.c asks the host's
 * own unit; hostfp_portable.c approximates (docs/QUIRKS.md).
 */
void hostfp_x87(unsigned sem, struct cpu *cpu);
/* RCPSS and RSQRTSS of one binary32, DAZ being `daz`. */
uint32_t hostfp_rcp(uint32_t bits, bool daz);
uint32_t hostfp_rsqrt(uint32_t bits, bool daz);

#endif
