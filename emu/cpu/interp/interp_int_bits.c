/* SPDX-License-Identifier: MIT */
/*
 * Single bits, bit scans, byte order, sign extension of the accumulator, and
 * the instructions that only touch or only look at flags.
 */
#include "emu/cpu/interp/interp.h"

enum bit_op { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static uint32_t bit_result(uint32_t value, uint32_t bit, enum bit_op op)
{
    switch (op) {
    case BIT_SET:
        return value | bit;
    case BIT_RESET:
        return value & ~bit;
    case BIT_COMPLEMENT:
        return value ^ bit;
    default:
        return value;
    }
}

/*
 * A bit in memory. With the number in a register the bit may lie far from the
 * operand, on either side: the number is signed.
 */
MUST_CHECK static enum cpu_status bit_in_memory(struct cpu *cpu, const struct isa_insn *insn,
                                                uint32_t number, enum bit_op op)
{
    unsigned bytes = interp_bytes(insn, 0), bits = bytes * 8;
    uint32_t offset = interp_address(cpu, insn), value;
    if (insn->row->op[1].method == ISA_M_G) {
        int32_t word = flags_sign_extend(number, bytes) >> (bytes == 4 ? 5 : 4);
        offset += (uint32_t)word * bytes;
        if (insn->adsize == 2)
            offset &= 0xffff;
    }
    enum cpu_status status = CPU_OK;
    if (op != BIT_TEST)
        status = cpu_check_write(cpu, insn->seg, offset, bytes);
    if (status == CPU_OK)
        status = cpu_read_int(cpu, insn->seg, offset, bytes, &value);
    uint32_t bit = 1u << (number & (bits - 1));
    if (status == CPU_OK && op != BIT_TEST)
        status = cpu_write_int(cpu, insn->seg, offset, bytes, bit_result(value, bit, op));
    if (status == CPU_OK)
        flags_set(cpu, ISA_F_C, value & bit ? ISA_F_C : 0);
    return status;
}

MUST_CHECK static enum cpu_status bit_access(struct cpu *cpu, const struct isa_insn *insn,
                                             enum bit_op op)
{
    uint32_t number;
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &number);
    if (status)
        return status;
    if (interp_is_mem(insn, 0))
        return bit_in_memory(cpu, insn, number, op);
    unsigned bytes = interp_bytes(insn, 0);
    uint32_t value = interp_reg(cpu, insn->rm, bytes);
    uint32_t bit = 1u << (number & (bytes * 8 - 1));
    if (op != BIT_TEST)
        interp_set_reg(cpu, insn->rm, bytes, bit_result(value, bit, op));
    flags_set(cpu, ISA_F_C, value & bit ? ISA_F_C : 0);
    return CPU_OK;
}

enum cpu_status interp_bt(struct cpu *cpu, const struct isa_insn *insn)
{
    return bit_access(cpu, insn, BIT_TEST);
}

enum cpu_status interp_bts(struct cpu *cpu, const struct isa_insn *insn)
{
    return bit_access(cpu, insn, BIT_SET);
}

enum cpu_status interp_btr(struct cpu *cpu, const struct isa_insn *insn)
{
    return bit_access(cpu, insn, BIT_RESET);
}

enum cpu_status interp_btc(struct cpu *cpu, const struct isa_insn *insn)
{
    return bit_access(cpu, insn, BIT_COMPLEMENT);
}

/* A scan of zero sets ZF and leaves the destination alone, as all processors do. */
MUST_CHECK static enum cpu_status scan(struct cpu *cpu, const struct isa_insn *insn, bool forward)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &value);
    if (status)
        return status;
    flags_set(cpu, ISA_F_Z, value ? 0 : ISA_F_Z);
    if (!value)
        return CPU_OK;
    unsigned at = forward ? (unsigned)__builtin_ctz(value) : 31u - (unsigned)__builtin_clz(value);
    return interp_write_operand(cpu, insn, 0, at);
}

enum cpu_status interp_bsf(struct cpu *cpu, const struct isa_insn *insn)
{
    return scan(cpu, insn, true);
}

enum cpu_status interp_bsr(struct cpu *cpu, const struct isa_insn *insn)
{
    return scan(cpu, insn, false);
}

/* With a 16-bit operand the result is undefined: zero, as processors do. */
enum cpu_status interp_bswap(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned reg = insn->opcode & 7;
    uint32_t value = insn->opsize == 4 ? __builtin_bswap32(cpu->gpr[reg]) : 0;
    interp_set_reg(cpu, reg, insn->opsize, value);
    return CPU_OK;
}

enum cpu_status interp_cbw(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned half = insn->opsize / 2;
    uint32_t value = interp_reg(cpu, ISA_EAX, half);
    interp_set_reg(cpu, ISA_EAX, insn->opsize, (uint32_t)flags_sign_extend(value, half));
    return CPU_OK;
}

enum cpu_status interp_cwd(struct cpu *cpu, const struct isa_insn *insn)
{
    bool negative = cpu->gpr[ISA_EAX] & flags_sign_bit(insn->opsize);
    interp_set_reg(cpu, ISA_EDX, insn->opsize, negative ? UINT32_MAX : 0);
    return CPU_OK;
}

enum cpu_status interp_setcc(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_write_operand(cpu, insn, 0, flags_condition(cpu->eflags, insn->cc));
}

/* The source is read whatever the condition. */
enum cpu_status interp_cmovcc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &value);
    if (status || !flags_condition(cpu->eflags, insn->cc))
        return status;
    return interp_write_operand(cpu, insn, 0, value);
}

static enum cpu_status set_flags(struct cpu *cpu, uint32_t mask, uint32_t value)
{
    flags_set(cpu, mask, value);
    return CPU_OK;
}

enum cpu_status interp_clc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return set_flags(cpu, ISA_F_C, 0);
}

enum cpu_status interp_stc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return set_flags(cpu, ISA_F_C, ISA_F_C);
}

enum cpu_status interp_cmc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return set_flags(cpu, ISA_F_C, ~cpu->eflags);
}

enum cpu_status interp_cld(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return set_flags(cpu, ISA_F_D, 0);
}

enum cpu_status interp_std(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return set_flags(cpu, ISA_F_D, ISA_F_D);
}

#define FLAGS_LOW_BYTE (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S)

enum cpu_status interp_lahf(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    interp_set_reg(cpu, 4 /* AH */, 1, (cpu->eflags & FLAGS_LOW_BYTE) | 2);
    return CPU_OK;
}

enum cpu_status interp_sahf(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return set_flags(cpu, FLAGS_LOW_BYTE, interp_reg(cpu, 4 /* AH */, 1));
}

enum cpu_status interp_salc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    interp_set_reg(cpu, ISA_EAX, 1, cpu->eflags & ISA_F_C ? 0xff : 0);
    return CPU_OK;
}
