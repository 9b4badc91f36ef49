/* SPDX-License-Identifier: MIT */
/*
 * The run loop's cache of decoded code: straight runs of instructions within
 * one page, prepared for execution. A block holds a copy of the bytes it was
 * decoded from and is compared with memory each time it is entered, so nobody
 * has to tell it that code has changed.
 */
#ifndef DENALI_INTERP_BLOCK_H
#define DENALI_INTERP_BLOCK_H

#include "emu/cpu/interp/interp.h"

#define INTERP_BLOCK_BYTES 64u
#define INTERP_BLOCK_OPS 16u

struct interp_op;
typedef enum cpu_status (*interp_op_fn)(struct cpu *cpu, const struct interp_op *op);

/* An instruction with what its function needs at hand. */
struct interp_op {
    interp_op_fn fn;
    uint32_t imm;
    uint32_t disp, base_mask, index_mask; /* a mask is 0 where the register is absent */
    uint8_t base, index, shift;
    uint8_t dst, src; /* register numbers */
    struct isa_flags flags;
    struct isa_insn insn;
};

struct interp_block {
    uint32_t linear;
    uint8_t code32;
    uint16_t bytes; /* 0: empty entry, or one whose first instruction cannot be prepared */
    uint16_t ops;
    uint32_t first; /* in the arena */
    _Alignas(8) uint8_t code[INTERP_BLOCK_BYTES];
};

struct interp_cache;
MUST_CHECK int interp_cache_create(struct interp_cache **out);
void interp_cache_destroy(struct interp_cache *cache);

/* The block at cpu->eip as memory is now; one without ops: take a single step. */
const struct interp_block *interp_cache_find(struct interp_cache *cache, struct cpu *cpu);
/* Its first instruction; the others follow. */
const struct interp_op *interp_cache_ops(const struct interp_cache *cache,
                                         const struct interp_block *block);

/*
 * While a block runs: its page is watched, so that it ends after an instruction
 * that writes to it (cpu->code_written). It must be left in any case.
 */
static inline void interp_block_enter(struct cpu *cpu)
{
    cpu->code_written = 0;
    if (cpu->flat)
        cpu->code_page = cpu->eip >> PAGE_BITS;
    else
        cpu->pc.code_frame = cpu->pc.found_frame;
}

static inline void interp_block_leave(struct cpu *cpu)
{
    cpu->code_page = CPU_NO_PAGE;
    cpu->pc.code_frame = CPU_NO_FRAME;
}

/* What follows one that did not just go on; `start`: where it lies. */
enum cpu_status interp_op_ended(struct cpu *cpu, const struct interp_op *op, uint32_t start,
                                enum cpu_status status);

/* Executes one prepared instruction at cpu->eip, as interp_execute does. */
MUST_CHECK static inline enum cpu_status interp_run_op(struct cpu *cpu, const struct interp_op *op)
{
    uint32_t start = cpu->eip;
    cpu->eip = start + op->insn.len;
    enum cpu_status status = op->fn(cpu, op);
    return __builtin_expect(status != CPU_OK, 0) ? interp_op_ended(cpu, op, start, status) : CPU_OK;
}

/* Fills in everything from op->insn; fn is made for this form, or the general one of the machine.
 */
void interp_prepare(const struct cpu *cpu, struct interp_op *op);
/* The choice of fn, by machine. */
interp_op_fn interp_choose_flat(const struct isa_insn *insn);
interp_op_fn interp_choose_pc(const struct isa_insn *insn);

#endif
