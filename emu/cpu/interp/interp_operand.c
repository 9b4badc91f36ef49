/* SPDX-License-Identifier: MIT */
/*
 * Operand access: from the row's addressing method and width to registers,
 * memory and constants. The only place that knows what the manual's operand
 * letters mean to a processor.
 */
#include "emu/cpu/interp/interp.h"

unsigned interp_operand_reg(const struct isa_insn *insn, unsigned n)
{
    switch (insn->row->op[n].method) {
    case ISA_M_C:
    case ISA_M_D:
    case ISA_M_G:
    case ISA_M_P:
    case ISA_M_S:
    case ISA_M_V:
        return insn->reg;
    case ISA_M_REG:
    case ISA_M_SREG:
    case ISA_M_ST:
        return insn->row->op[n].fixed;
    case ISA_M_Z:
        return insn->opcode & 7;
    default:
        return insn->rm;
    }
}

static bool is_segment(const struct isa_insn *insn, unsigned n)
{
    unsigned method = insn->row->op[n].method;
    return method == ISA_M_S || method == ISA_M_SREG;
}

static enum cpu_status read_memory(struct cpu *cpu, const struct isa_insn *insn, unsigned n,
                                   uint32_t *value)
{
    uint32_t offset = interp_address(cpu, insn);
    unsigned bytes = interp_bytes(insn, n);
    if (insn->row->op[n].access & ISA_A_WRITE) {
        enum cpu_status status = cpu_check_write(cpu, insn->seg, offset, bytes);
        if (status)
            return status;
    }
    return cpu_read_int(cpu, insn->seg, offset, bytes, value);
}

enum cpu_status interp_read_operand(struct cpu *cpu, const struct isa_insn *insn, unsigned n,
                                    uint32_t *value)
{
    switch (insn->row->op[n].method) {
    case ISA_M_I:
    case ISA_M_J:
        *value = insn->imm;
        return CPU_OK;
    case ISA_M_ONE:
        *value = 1;
        return CPU_OK;
    case ISA_M_S:
    case ISA_M_SREG:
        *value = cpu->seg[interp_operand_reg(insn, n)].selector;
        return CPU_OK;
    default:
        if (interp_is_mem(insn, n))
            return read_memory(cpu, insn, n, value);
        *value = interp_reg(cpu, interp_operand_reg(insn, n), interp_bytes(insn, n));
        return CPU_OK;
    }
}

enum cpu_status interp_write_operand(struct cpu *cpu, const struct isa_insn *insn, unsigned n,
                                     uint32_t value)
{
    unsigned bytes = interp_bytes(insn, n);
    if (interp_is_mem(insn, n))
        return cpu_write_int(cpu, insn->seg, interp_address(cpu, insn), bytes, value);
    BUG_ON(is_segment(insn, n), "segment registers are loaded by their own functions");
    interp_set_reg(cpu, interp_operand_reg(insn, n), bytes, value);
    return CPU_OK;
}

/* The bytes of an MMX, XMM or general register operand. */
static uint8_t *wide_register(struct cpu *cpu, const struct isa_insn *insn, unsigned n)
{
    unsigned reg = interp_operand_reg(insn, n);
    switch (insn->row->op[n].method) {
    case ISA_M_P:
    case ISA_M_Q:
    case ISA_M_N:
        return interp_mmx(cpu, reg);
    case ISA_M_V:
    case ISA_M_W:
    case ISA_M_U:
        return cpu->fpu.xmm[reg];
    default:
        return (uint8_t *)&cpu->gpr[reg];
    }
}

static bool misaligned(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    uint32_t linear = cpu_seg_base(cpu, insn->seg) + interp_address(cpu, insn);
    return (insn->row->attr & ISA_T_ALIGN16) && bytes == 16 && (linear & 15);
}

enum cpu_status interp_read_wide(struct cpu *cpu, const struct isa_insn *insn, unsigned n,
                                 void *out, unsigned bytes)
{
    if (!interp_is_mem(insn, n)) {
        memcpy(out, wide_register(cpu, insn, n), bytes);
        return CPU_OK;
    }
    if (misaligned(cpu, insn, bytes))
        return cpu_raise_error(cpu, CPU_GP, 0);
    return cpu_read(cpu, insn->seg, interp_address(cpu, insn), out, bytes);
}

enum cpu_status interp_write_wide(struct cpu *cpu, const struct isa_insn *insn, unsigned n,
                                  const void *in, unsigned bytes)
{
    if (!interp_is_mem(insn, n)) {
        memcpy(wide_register(cpu, insn, n), in, bytes);
        return CPU_OK;
    }
    if (misaligned(cpu, insn, bytes))
        return cpu_raise_error(cpu, CPU_GP, 0);
    return cpu_write(cpu, insn->seg, interp_address(cpu, insn), in, bytes);
}

enum cpu_status interp_check_wide(struct cpu *cpu, const struct isa_insn *insn, unsigned n,
                                  unsigned bytes, bool write)
{
    if (!interp_is_mem(insn, n))
        return CPU_OK;
    if (misaligned(cpu, insn, bytes))
        return cpu_raise_error(cpu, CPU_GP, 0);
    uint32_t offset = interp_address(cpu, insn);
    return write ? cpu_check_write(cpu, insn->seg, offset, bytes)
                 : cpu_check_read(cpu, insn->seg, offset, bytes);
}

#define SEG_ATTR_BIG 0x4000u /* D/B */

static uint32_t stack_mask(const struct cpu *cpu)
{
    return cpu->seg[ISA_SS].attr & SEG_ATTR_BIG ? UINT32_MAX : 0xffff;
}

uint32_t interp_stack_offset(const struct cpu *cpu, uint32_t value)
{
    return value & stack_mask(cpu);
}

void interp_set_stack(struct cpu *cpu, uint32_t value)
{
    uint32_t mask = stack_mask(cpu);
    cpu->gpr[ISA_ESP] = (cpu->gpr[ISA_ESP] & ~mask) | (value & mask);
}

void interp_move_stack(struct cpu *cpu, int32_t delta)
{
    interp_set_stack(cpu, cpu->gpr[ISA_ESP] + (uint32_t)delta);
}

enum cpu_status interp_check_push(struct cpu *cpu, uint32_t skip, unsigned bytes)
{
    uint32_t offset = interp_stack_offset(cpu, cpu->gpr[ISA_ESP] - skip);
    return cpu_check_write(cpu, ISA_SS, offset, bytes);
}

enum cpu_status interp_push(struct cpu *cpu, uint32_t value, unsigned bytes)
{
    uint32_t offset = interp_stack_offset(cpu, cpu->gpr[ISA_ESP] - bytes);
    enum cpu_status status = cpu_write_int(cpu, ISA_SS, offset, bytes, value);
    if (status == CPU_OK)
        interp_move_stack(cpu, -(int32_t)bytes);
    return status;
}

enum cpu_status interp_peek(struct cpu *cpu, uint32_t skip, unsigned bytes, uint32_t *value)
{
    uint32_t offset = interp_stack_offset(cpu, cpu->gpr[ISA_ESP] + skip);
    return cpu_read_int(cpu, ISA_SS, offset, bytes, value);
}
