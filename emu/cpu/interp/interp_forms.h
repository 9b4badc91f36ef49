/* SPDX-License-Identifier: MIT */
/*
 * Functions made for the forms that programs are mostly made of: 32-bit and
 * byte moves and arithmetic, pushes, pops, near jumps, calls and returns, with
 * 32-bit addresses. They do the common case only: whatever is out of the way
 * (a page end, a refused or a watched page) goes to the general function,
 * which also is the only one that can fault.
 *
 * Compiled once for each machine, so that neither pays for the other:
 * interp_fast_flat.c and interp_fast_pc.c define FORMS_PC and include this.
 */
#ifndef DENALI_INTERP_FORMS_H
#define DENALI_INTERP_FORMS_H

#include "emu/cpu/interp/interp_pc.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static enum cpu_status general(struct cpu *cpu, const struct interp_op *op)
{
    return (FORMS_PC ? interp_table_pc : interp_table)[op->insn.row->sem](cpu, &op->insn);
}

#if FORMS_PC
/* A privileged instruction. */
static enum cpu_status guarded(struct cpu *cpu, const struct interp_op *op)
{
    enum cpu_status status = interp_pc_check(cpu, &op->insn);
    return status ? status : general(cpu, op);
}
#endif

ALWAYS_INLINE const uint8_t *place_to_read(const struct cpu *cpu, unsigned seg, uint32_t offset,
                                           uint32_t bytes)
{
    return FORMS_PC ? cpu_tlb_ptr(cpu, seg, offset, bytes, MMU_READ)
                    : cpu_flat_ptr(cpu, seg, offset, bytes);
}

ALWAYS_INLINE uint8_t *place_to_write(struct cpu *cpu, unsigned seg, uint32_t offset,
                                      uint32_t bytes)
{
    return FORMS_PC ? cpu_tlb_write_ptr(cpu, seg, offset, bytes)
                    : cpu_flat_write_ptr(cpu, seg, offset, bytes);
}

ALWAYS_INLINE uint32_t address(const struct cpu *cpu, const struct interp_op *op)
{
    return op->disp + (cpu->gpr[op->base] & op->base_mask) +
           ((cpu->gpr[op->index] & op->index_mask) << op->shift);
}

/* Binary operations: the result, and the flags set. */
typedef uint32_t (*binary_fn)(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes);

ALWAYS_INLINE uint32_t do_add(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    uint32_t flags, result = flags_add(a, b, 0, bytes, &flags);
    flags_set(cpu, FLAGS_STATUS, flags);
    return result;
}

ALWAYS_INLINE uint32_t do_adc(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    uint32_t flags, result = flags_add(a, b, cpu->eflags & ISA_F_C, bytes, &flags);
    flags_set(cpu, FLAGS_STATUS, flags);
    return result;
}

ALWAYS_INLINE uint32_t do_sub(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    uint32_t flags, result = flags_sub(a, b, 0, bytes, &flags);
    flags_set(cpu, FLAGS_STATUS, flags);
    return result;
}

ALWAYS_INLINE uint32_t do_sbb(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    uint32_t flags, result = flags_sub(a, b, cpu->eflags & ISA_F_C, bytes, &flags);
    flags_set(cpu, FLAGS_STATUS, flags);
    return result;
}

ALWAYS_INLINE uint32_t do_and(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    flags_logic(cpu, a & b, bytes);
    return a & b;
}

ALWAYS_INLINE uint32_t do_or(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    flags_logic(cpu, a | b, bytes);
    return a | b;
}

ALWAYS_INLINE uint32_t do_xor(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    flags_logic(cpu, a ^ b, bytes);
    return a ^ b;
}

ALWAYS_INLINE uint32_t do_mov(struct cpu *cpu, uint32_t a, uint32_t b, unsigned bytes)
{
    (void)cpu, (void)a, (void)bytes;
    return b;
}

/* Register or immediate to register. */
ALWAYS_INLINE enum cpu_status form_reg(struct cpu *cpu, const struct interp_op *op, binary_fn fn,
                                       unsigned bytes, bool stores, bool immediate)
{
    uint32_t b = immediate ? op->imm : interp_reg(cpu, op->src, bytes);
    uint32_t result = fn(cpu, interp_reg(cpu, op->dst, bytes), b, bytes);
    if (stores)
        interp_set_reg(cpu, op->dst, bytes, result);
    return CPU_OK;
}

/* Memory to register. */
ALWAYS_INLINE enum cpu_status form_load(struct cpu *cpu, const struct interp_op *op, binary_fn fn,
                                        unsigned bytes, bool stores)
{
    const uint8_t *at = place_to_read(cpu, op->insn.seg, address(cpu, op), bytes);
    if (!at)
        return general(cpu, op);
    uint32_t result = fn(cpu, interp_reg(cpu, op->dst, bytes), cpu_load(at, bytes), bytes);
    if (stores)
        interp_set_reg(cpu, op->dst, bytes, result);
    return CPU_OK;
}

/* Register or immediate to memory. */
ALWAYS_INLINE enum cpu_status form_store(struct cpu *cpu, const struct interp_op *op, binary_fn fn,
                                         unsigned bytes, bool stores, bool immediate)
{
    uint32_t b = immediate ? op->imm : interp_reg(cpu, op->src, bytes);
    if (!stores) {
        const uint8_t *from = place_to_read(cpu, op->insn.seg, address(cpu, op), bytes);
        if (!from)
            return general(cpu, op);
        fn(cpu, cpu_load(from, bytes), b, bytes);
        return CPU_OK;
    }
    uint8_t *at = place_to_write(cpu, op->insn.seg, address(cpu, op), bytes);
    if (!at)
        return general(cpu, op);
    cpu_store(at, bytes, fn(cpu, cpu_load(at, bytes), b, bytes));
    return CPU_OK;
}

enum form { FORM_REG_REG, FORM_REG_IMM, FORM_REG_MEM, FORM_MEM_REG, FORM_MEM_IMM, FORMS };

#define OP(name) static enum cpu_status name(struct cpu *cpu, const struct interp_op *op)

/* The five forms of one operation and width. */
#define BINARY_WIDTH(name, fn, bytes, stores)                                                      \
    OP(name##bytes##_reg_reg)                                                                      \
    {                                                                                              \
        return form_reg(cpu, op, fn, bytes, stores, false);                                        \
    }                                                                                              \
    OP(name##bytes##_reg_imm)                                                                      \
    {                                                                                              \
        return form_reg(cpu, op, fn, bytes, stores, true);                                         \
    }                                                                                              \
    OP(name##bytes##_reg_mem)                                                                      \
    {                                                                                              \
        return form_load(cpu, op, fn, bytes, stores);                                              \
    }                                                                                              \
    OP(name##bytes##_mem_reg)                                                                      \
    {                                                                                              \
        return form_store(cpu, op, fn, bytes, stores, false);                                      \
    }                                                                                              \
    OP(name##bytes##_mem_imm)                                                                      \
    {                                                                                              \
        return form_store(cpu, op, fn, bytes, stores, true);                                       \
    }

/* (semantic, name, operation, stores its result) */
#define BINARIES(X)                                                                                \
    X(ADC, adc, do_adc, true)                                                                      \
    X(ADD, add, do_add, true)                                                                      \
    X(AND, and, do_and, true)                                                                      \
    X(CMP, cmp, do_sub, false)                                                                     \
    X(MOV, mov, do_mov, true)                                                                      \
    X(OR, or, do_or, true)                                                                         \
    X(SBB, sbb, do_sbb, true)                                                                      \
    X(SUB, sub, do_sub, true)                                                                      \
    X(TEST, test, do_and, false)                                                                   \
    X(XOR, xor, do_xor, true)

#define BINARY(sem, name, fn, stores)                                                              \
    BINARY_WIDTH(name, fn, 4, stores)                                                              \
    BINARY_WIDTH(name, fn, 1, stores)
BINARIES(BINARY)

#define BINARY_ROW(name, bytes)                                                                    \
    {                                                                                              \
        name##bytes##_reg_reg, name##bytes##_reg_imm, name##bytes##_reg_mem,                       \
            name##bytes##_mem_reg, name##bytes##_mem_imm                                           \
    }
#define BINARY_ENTRY(sem, name, fn, stores)                                                        \
    [ISA_SEM_##sem] = {BINARY_ROW(name, 4), BINARY_ROW(name, 1)},

/* By semantic, width (4 bytes, 1 byte), form. */
static const interp_op_fn binary_table[ISA_SEMS][2][FORMS] = {BINARIES(BINARY_ENTRY)};

/* Conditional jumps, one for each condition, so that the host predicts them apart. */
#define CONDITIONS(X)                                                                              \
    X(0)                                                                                           \
    X(1)                                                                                           \
    X(2)                                                                                           \
    X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* On a PC, a target beyond the code segment is the general function's. */
ALWAYS_INLINE bool may_jump(const struct cpu *cpu, uint32_t target)
{
    return !FORMS_PC || target <= cpu->seg[ISA_CS].limit;
}

ALWAYS_INLINE enum cpu_status jump_by(struct cpu *cpu, const struct interp_op *op)
{
    uint32_t target = cpu->eip + op->imm;
    if (!may_jump(cpu, target))
        return general(cpu, op);
    cpu->eip = target;
    return CPU_OK;
}

#define JCC(cc)                                                                                    \
    OP(jcc_##cc)                                                                                   \
    {                                                                                              \
        return flags_condition(cpu->eflags, cc) ? jump_by(cpu, op) : CPU_OK;                       \
    }
CONDITIONS(JCC)
#define JCC_ENTRY(cc) jcc_##cc,
static const interp_op_fn jcc_table[16] = {CONDITIONS(JCC_ENTRY)};

/* The stack of a flat machine is 32 bits wide; that of a PC if SS says so. */
ALWAYS_INLINE bool wide_stack(const struct cpu *cpu)
{
    return !FORMS_PC || (cpu->seg[ISA_SS].attr & SEG_BIG);
}

ALWAYS_INLINE bool push_fast(struct cpu *cpu, uint32_t value)
{
    if (!wide_stack(cpu))
        return false;
    uint8_t *at = place_to_write(cpu, ISA_SS, cpu->gpr[ISA_ESP] - 4, 4);
    if (!at)
        return false;
    cpu_store(at, 4, value);
    cpu->gpr[ISA_ESP] -= 4;
    return true;
}

ALWAYS_INLINE bool pop_fast(struct cpu *cpu, uint32_t *value)
{
    const uint8_t *at = wide_stack(cpu) ? place_to_read(cpu, ISA_SS, cpu->gpr[ISA_ESP], 4) : NULL;
    if (!at)
        return false;
    *value = cpu_load(at, 4);
    cpu->gpr[ISA_ESP] += 4;
    return true;
}

OP(push_reg)
{
    return push_fast(cpu, cpu->gpr[op->src]) ? CPU_OK : general(cpu, op);
}

OP(push_imm)
{
    return push_fast(cpu, op->imm) ? CPU_OK : general(cpu, op);
}

OP(pop_reg)
{
    uint32_t value;
    if (!pop_fast(cpu, &value))
        return general(cpu, op);
    cpu->gpr[op->dst] = value;
    return CPU_OK;
}

OP(call_relative)
{
    uint32_t target = cpu->eip + op->imm;
    if (!may_jump(cpu, target) || !push_fast(cpu, cpu->eip))
        return general(cpu, op);
    cpu->eip = target;
    return CPU_OK;
}

OP(jmp_relative)
{
    return jump_by(cpu, op);
}

OP(ret_near)
{
    uint32_t target, esp = cpu->gpr[ISA_ESP];
    if (!pop_fast(cpu, &target))
        return general(cpu, op);
    if (!may_jump(cpu, target)) {
        cpu->gpr[ISA_ESP] = esp;
        return general(cpu, op);
    }
    cpu->eip = target;
    return CPU_OK;
}

OP(lea_32)
{
    cpu->gpr[op->dst] = address(cpu, op);
    return CPU_OK;
}

OP(inc_reg)
{
    uint32_t flags;
    cpu->gpr[op->dst] = flags_add(cpu->gpr[op->dst], 1, 0, 4, &flags);
    flags_set(cpu, FLAGS_STATUS & ~ISA_F_C, flags);
    return CPU_OK;
}

OP(dec_reg)
{
    uint32_t flags;
    cpu->gpr[op->dst] = flags_sub(cpu->gpr[op->dst], 1, 0, 4, &flags);
    flags_set(cpu, FLAGS_STATUS & ~ISA_F_C, flags);
    return CPU_OK;
}

/* MOVZX and MOVSX to 32 bits. */
ALWAYS_INLINE enum cpu_status extend(struct cpu *cpu, const struct interp_op *op, unsigned bytes,
                                     bool is_signed)
{
    uint32_t value;
    if (op->insn.has_mem) {
        const uint8_t *at = place_to_read(cpu, op->insn.seg, address(cpu, op), bytes);
        if (!at)
            return general(cpu, op);
        value = cpu_load(at, bytes);
    } else {
        value = interp_reg(cpu, op->src, bytes);
    }
    cpu->gpr[op->dst] = is_signed ? (uint32_t)flags_sign_extend(value, bytes) : value;
    return CPU_OK;
}

OP(movzx_1)
{
    return extend(cpu, op, 1, false);
}

OP(movzx_2)
{
    return extend(cpu, op, 2, false);
}

OP(movsx_1)
{
    return extend(cpu, op, 1, true);
}

OP(movsx_2)
{
    return extend(cpu, op, 2, true);
}

/* Choosing */

enum place { PLACE_NONE, PLACE_REG, PLACE_MEM, PLACE_IMM };

static enum place place_of(const struct isa_insn *insn, unsigned n)
{
    switch (insn->row->op[n].method) {
    case ISA_M_E:
    case ISA_M_M:
    case ISA_M_O:
        return insn->has_mem ? PLACE_MEM : PLACE_REG;
    case ISA_M_G:
    case ISA_M_R:
    case ISA_M_Z:
    case ISA_M_REG:
        return PLACE_REG;
    case ISA_M_I:
        return PLACE_IMM;
    default:
        return PLACE_NONE;
    }
}

static int form_of(const struct isa_insn *insn)
{
    enum place dst = place_of(insn, 0), src = place_of(insn, 1);
    if (dst == PLACE_REG)
        return src == PLACE_REG   ? FORM_REG_REG
               : src == PLACE_IMM ? FORM_REG_IMM
               : src == PLACE_MEM ? FORM_REG_MEM
                                  : -1;
    if (dst == PLACE_MEM)
        return src == PLACE_REG ? FORM_MEM_REG : src == PLACE_IMM ? FORM_MEM_IMM : -1;
    return -1;
}

static interp_op_fn choose_binary(const struct isa_insn *insn)
{
    unsigned bytes = interp_bytes(insn, 0);
    int form = form_of(insn);
    if (form < 0 || bytes == 2)
        return NULL;
    return binary_table[insn->row->sem][bytes == 1][form];
}

static interp_op_fn choose_stack(const struct isa_insn *insn)
{
    enum place place = place_of(insn, 0);
    if (insn->row->sem == ISA_SEM_POP)
        return place == PLACE_REG ? pop_reg : NULL;
    return place == PLACE_REG ? push_reg : place == PLACE_IMM ? push_imm : NULL;
}

static interp_op_fn choose_extend(const struct isa_insn *insn)
{
    bool byte = interp_bytes(insn, 1) == 1;
    if (insn->row->sem == ISA_SEM_MOVZX)
        return byte ? movzx_1 : movzx_2;
    return byte ? movsx_1 : movsx_2;
}

/* With 32-bit operands and addresses only. */
static interp_op_fn choose(const struct isa_insn *insn)
{
    bool relative = insn->row->op[0].method == ISA_M_J;
    bool plain_reg = place_of(insn, 0) == PLACE_REG && interp_bytes(insn, 0) == 4;
    switch (insn->row->sem) {
    case ISA_SEM_JCC:
        return jcc_table[insn->cc];
    case ISA_SEM_JMP:
        return relative ? jmp_relative : NULL;
    case ISA_SEM_CALL:
        return relative ? call_relative : NULL;
    case ISA_SEM_RET:
        return insn->row->op[0].method == ISA_M_NONE ? ret_near : NULL;
    case ISA_SEM_PUSH:
    case ISA_SEM_POP:
        return choose_stack(insn);
    case ISA_SEM_LEA:
        return lea_32;
    case ISA_SEM_INC:
        return plain_reg ? inc_reg : NULL;
    case ISA_SEM_DEC:
        return plain_reg ? dec_reg : NULL;
    case ISA_SEM_MOVZX:
    case ISA_SEM_MOVSX:
        return choose_extend(insn);
    default:
        return choose_binary(insn);
    }
}

/* The function of an instruction. */
static interp_op_fn function_of(const struct isa_insn *insn)
{
    interp_op_fn fn = insn->opsize == 4 && insn->adsize == 4 ? choose(insn) : NULL;
#if FORMS_PC
    if (insn->row->attr & ISA_T_PRIV)
        return guarded;
#endif
    return fn ? fn : general;
}

#endif
