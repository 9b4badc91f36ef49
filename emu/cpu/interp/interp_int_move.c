/* SPDX-License-Identifier: MIT */
/* Moves, exchanges, address computation, and moves to and from segment registers. */
#include "emu/cpu/interp/interp.h"

enum cpu_status interp_mov(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &value);
    return status ? status : interp_write_operand(cpu, insn, 0, value);
}

enum cpu_status interp_movsx(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &value);
    if (status)
        return status;
    int32_t wide = flags_sign_extend(value, interp_bytes(insn, 1));
    return interp_write_operand(cpu, insn, 0, (uint32_t)wide);
}

enum cpu_status interp_xchg(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t a, b;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &a);
    if (status == CPU_OK)
        status = interp_read_operand(cpu, insn, 1, &b);
    if (status == CPU_OK)
        status = interp_write_operand(cpu, insn, 0, b);
    return status ? status : interp_write_operand(cpu, insn, 1, a);
}

enum cpu_status interp_lea(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_write_operand(cpu, insn, 0, interp_address(cpu, insn));
}

enum cpu_status interp_nop(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)cpu, (void)insn;
    return CPU_OK;
}

enum cpu_status interp_xlat(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value, offset = cpu->gpr[ISA_EBX] + (cpu->gpr[ISA_EAX] & 0xff);
    if (insn->adsize == 2)
        offset &= 0xffff;
    enum cpu_status status = cpu_read_int(cpu, interp_data_seg(insn), offset, 1, &value);
    if (status == CPU_OK)
        interp_set_reg(cpu, ISA_EAX, 1, value);
    return status;
}

/* Only the selector: descriptors come with the PC machine. */
static void load_selector(struct cpu *cpu, unsigned seg, uint32_t selector)
{
    cpu->seg[seg].selector = (uint16_t)selector;
}

/* CS cannot be loaded this way, and there are six segment registers. */
enum cpu_status interp_mov_sreg(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    bool load = insn->row->op[0].method == ISA_M_S;
    if (insn->reg > ISA_GS || (load && insn->reg == ISA_CS))
        return cpu_raise(cpu, CPU_UD);
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &value);
    if (status)
        return status;
    if (!load)
        return interp_write_operand(cpu, insn, 0, value);
    load_selector(cpu, insn->reg, value);
    return CPU_OK;
}

/* LDS and its kin: offset to a register, selector to the segment register. */
MUST_CHECK static enum cpu_status load_far(struct cpu *cpu, const struct isa_insn *insn,
                                           unsigned seg)
{
    uint32_t offset = interp_address(cpu, insn), value, selector;
    enum cpu_status status = cpu_read_int(cpu, insn->seg, offset, insn->opsize, &value);
    if (status == CPU_OK)
        status = cpu_read_int(cpu, insn->seg, offset + insn->opsize, 2, &selector);
    if (status)
        return status;
    load_selector(cpu, seg, selector);
    interp_set_reg(cpu, insn->reg, insn->opsize, value);
    return CPU_OK;
}

enum cpu_status interp_les(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_ES);
}

enum cpu_status interp_lds(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_DS);
}

enum cpu_status interp_lss(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_SS);
}

enum cpu_status interp_lfs(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_FS);
}

enum cpu_status interp_lgs(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_GS);
}
