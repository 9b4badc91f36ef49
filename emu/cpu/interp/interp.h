/* SPDX-License-Identifier: MIT */
/*
 * The interpreter's inside: what the files that implement instructions share,
 * and the two entries that the translator calls.
 *
 * One function per semantic (enum isa_sem). It runs with cpu->eip already
 * after the instruction; whoever calls it puts eip back on CPU_FAULT. It must
 * not change anything (registers, flags, memory) before the last step that can
 * fault. CPU_EXIT means done, and cpu->exit says what the caller of run() must
 * do next. Instructions count themselves nowhere: icount is the run loop's.
 *
 * A file interp_X.c says what it implements in interp_X.def (IMPL(SEM, name)
 * for interp_name); interp_table.c makes the table of all those. A semantic
 * in no list is #UD.
 */
#ifndef DENALI_INTERP_H
#define DENALI_INTERP_H

#include "emu/cpu/cpu.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/flags.h"
#include "emu/cpu/mem.h"
#include "emu/isa/isa.h"

typedef enum cpu_status (*interp_fn)(struct cpu *cpu, const struct isa_insn *insn);

/* By enum isa_sem; NULL: not implemented. A flat machine's, and a PC's. */
extern const interp_fn interp_table[ISA_SEMS];
extern const interp_fn interp_table_pc[ISA_SEMS];

#define IMPL(sem, name) enum cpu_status interp_##name(struct cpu *cpu, const struct isa_insn *insn);
#include "emu/cpu/interp/interp_flat.def"
#include "emu/cpu/interp/interp_int.def"
#include "emu/cpu/interp/interp_mmx.def"
#include "emu/cpu/interp/interp_pc.def"
#include "emu/cpu/interp/interp_sse.def"
#include "emu/cpu/interp/interp_x87.def"
#undef IMPL

/* The function of an instruction on this processor; NULL: none. */
static inline interp_fn interp_function(const struct cpu *cpu, const struct isa_insn *insn)
{
    return (cpu->flat ? interp_table : interp_table_pc)[insn->row->sem];
}

/*
 * Executes one decoded instruction that lies at cpu->eip: afterwards eip is at
 * the next one, or unchanged on CPU_FAULT. A repeated string instruction is one
 * instruction; when it faults midway, its registers show what is done.
 */
MUST_CHECK enum cpu_status interp_execute(struct cpu *cpu, const struct isa_insn *insn);

/* Fetches and decodes the instruction at cpu->eip: CPU_PF, CPU_UD, CPU_GP as the fetch has them. */
MUST_CHECK enum cpu_status interp_fetch(struct cpu *cpu, struct isa_insn *out);

/* Fetch and execute: exactly one instruction. */
MUST_CHECK enum cpu_status interp_step(struct cpu *cpu);

/*
 * One instruction with all that follows it: it is counted, watchpoints and the
 * single-step trap of a flat machine come after it. ENGINE_EXITS: run() goes on.
 */
enum engine_exit interp_single(struct cpu *cpu);
/* What follows an instruction at `eip` that the caller has executed; `traps`: TF was set before. */
enum engine_exit interp_after(struct cpu *cpu, const struct isa_insn *insn, uint32_t eip,
                              enum cpu_status status, bool traps);
static inline bool interp_traps(const struct cpu *cpu)
{
    return cpu->flat && (cpu->eflags & CPU_EFLAGS_TF);
}

/* Offset of the memory operand in its segment insn->seg. Only when insn->has_mem. */
static inline uint32_t interp_address(const struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t offset = insn->disp;
    if (insn->base != ISA_NOREG)
        offset += cpu->gpr[insn->base];
    if (insn->index != ISA_NOREG)
        offset += cpu->gpr[insn->index] * insn->scale;
    return insn->adsize == 2 ? offset & 0xffff : offset;
}

/* Segment of an implicit operand that DS serves unless overridden (X, XLAT). */
static inline unsigned interp_data_seg(const struct isa_insn *insn)
{
    return insn->segover == ISA_SEG_NONE ? ISA_DS : insn->segover;
}

/* General register `reg` as 1, 2 or 4 bytes; of bytes, 4..7 are AH CH DH BH. */
static inline uint32_t interp_reg(const struct cpu *cpu, unsigned reg, unsigned bytes)
{
    if (bytes == 4)
        return cpu->gpr[reg];
    if (bytes == 2)
        return cpu->gpr[reg] & 0xffff;
    return reg < 4 ? cpu->gpr[reg] & 0xff : (cpu->gpr[reg - 4] >> 8) & 0xff;
}

static inline void interp_set_reg(struct cpu *cpu, unsigned reg, unsigned bytes, uint32_t value)
{
    if (bytes == 4)
        cpu->gpr[reg] = value;
    else if (bytes == 2)
        cpu->gpr[reg] = (cpu->gpr[reg] & 0xffff0000u) | (value & 0xffff);
    else if (reg < 4)
        cpu->gpr[reg] = (cpu->gpr[reg] & 0xffffff00u) | (value & 0xff);
    else
        cpu->gpr[reg - 4] = (cpu->gpr[reg - 4] & 0xffff00ffu) | (value & 0xff) << 8;
}

/* Width of operand n in bytes (isa_operand_bytes, without the call where that is easy). */
static inline unsigned interp_bytes(const struct isa_insn *insn, unsigned n)
{
    unsigned width = insn->row->op[n].width;
    if (width == ISA_W_v || width == ISA_W_z)
        return insn->opsize;
    return width == ISA_W_b ? 1 : width == ISA_W_d ? 4 : isa_operand_bytes(insn, n);
}

/*
 * Integer operands of up to 4 bytes: registers, memory, immediates, selectors.
 * Values are zero-extended, but immediates come as the decoder has them,
 * sign-extended to 32 bits. Reading an operand that is also written checks
 * the right to write: after it, interp_write_operand of the same cannot fault.
 */
MUST_CHECK enum cpu_status interp_read_operand(struct cpu *cpu, const struct isa_insn *insn,
                                               unsigned n, uint32_t *value);
MUST_CHECK enum cpu_status interp_write_operand(struct cpu *cpu, const struct isa_insn *insn,
                                                unsigned n, uint32_t value);

/*
 * Operands of any width, as bytes: MMX registers (low 8 of `bytes`), XMM
 * registers (the low `bytes`), memory. A 16-byte memory operand of a row with
 * ISA_T_ALIGN16 that is not aligned is CPU_GP. Writing leaves the upper bytes
 * of an XMM register alone.
 */
MUST_CHECK enum cpu_status interp_read_wide(struct cpu *cpu, const struct isa_insn *insn,
                                            unsigned n, void *out, unsigned bytes);
MUST_CHECK enum cpu_status interp_write_wide(struct cpu *cpu, const struct isa_insn *insn,
                                             unsigned n, const void *in, unsigned bytes);
/* The memory operand's faults for `bytes`, alignment included, without the access. */
MUST_CHECK enum cpu_status interp_check_wide(struct cpu *cpu, const struct isa_insn *insn,
                                             unsigned n, unsigned bytes, bool write);

/* Register number of operand n (any register method). Not for memory operands. */
unsigned interp_operand_reg(const struct isa_insn *insn, unsigned n);
/* Does operand n lie in memory? */
static inline bool interp_is_mem(const struct isa_insn *insn, unsigned n)
{
    unsigned method = insn->row->op[n].method;
    return insn->has_mem && (method == ISA_M_E || method == ISA_M_M || method == ISA_M_Q ||
                             method == ISA_M_W || method == ISA_M_O);
}

/* The 8 bytes of MMX register i: where st[] keeps physical register i, as TOP stands. */
static inline uint8_t *interp_mmx(struct cpu *cpu, unsigned i)
{
    return cpu->fpu.st[(i - (cpu->fpu.status >> 11)) & 7];
}

/* The stack: SS:eSP, its width by SS.B. A push faults before anything changes. */
MUST_CHECK enum cpu_status interp_push(struct cpu *cpu, uint32_t value, unsigned bytes);
/* Reads the word `skip` bytes above the top without popping. */
MUST_CHECK enum cpu_status interp_peek(struct cpu *cpu, uint32_t skip, unsigned bytes,
                                       uint32_t *value);
/* Faults as a push of `bytes` at eSP - skip would. */
MUST_CHECK enum cpu_status interp_check_push(struct cpu *cpu, uint32_t skip, unsigned bytes);
/* Adds to eSP, or sets it, in the stack's width. */
void interp_move_stack(struct cpu *cpu, int32_t delta);
void interp_set_stack(struct cpu *cpu, uint32_t value);
/* An offset into the stack segment, wrapped to the stack's width. */
uint32_t interp_stack_offset(const struct cpu *cpu, uint32_t value);

/*
 * String instructions: one element, or with REP all of them. `many` does what it
 * can of `count` in one go (0: nothing), or is NULL.
 */
typedef enum cpu_status (*interp_string_fn)(struct cpu *cpu, const struct isa_insn *insn,
                                            unsigned bytes);
typedef uint32_t (*interp_many_fn)(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes,
                                   uint32_t count);
MUST_CHECK enum cpu_status interp_repeat(struct cpu *cpu, const struct isa_insn *insn,
                                         unsigned bytes, interp_string_fn once,
                                         interp_many_fn many);
/* Moves an index register past an element, by DF. */
void interp_advance(struct cpu *cpu, const struct isa_insn *insn, unsigned reg, unsigned bytes);

/* RDTSC where nothing virtual is wanted. */
uint64_t interp_host_tsc(void);

/* Ends an instruction with an exit to run()'s caller: enum engine_exit. */
static inline enum cpu_status interp_exit(struct cpu *cpu, unsigned reason)
{
    cpu->exit.reason = (uint8_t)reason;
    return CPU_EXIT;
}

/* Where a far jump or call leads: from the instruction itself, or from memory. */
struct interp_far {
    uint32_t offset, selector;
};
MUST_CHECK enum cpu_status interp_far_target(struct cpu *cpu, const struct isa_insn *insn,
                                             struct interp_far *far);

#endif
