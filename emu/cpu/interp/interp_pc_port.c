/* SPDX-License-Identifier: MIT */
/* Ports: who may (IOPL, the task's map of ports), then the bus at once. */
#include "emu/cpu/pc/debugreg.h"
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/pc/pc.h"

#define TSS32_IO_MAP 102

/* The task's map: every bit of the access must be clear. It has to have a byte to spare. */
MUST_CHECK static enum cpu_status check_map(struct cpu *cpu, uint16_t port, unsigned bytes)
{
    const struct cpu_seg *tr = &cpu->sys.tr;
    bool has_map = (tr->attr & SEG_TYPE) >= SYS_TSS32 && tr->limit >= TSS32_IO_MAP + 1;
    uint16_t map, bits;
    if (!has_map)
        return cpu_raise_error(cpu, CPU_GP, 0);
    enum cpu_status status = cpu_linear_read(cpu, tr->base + TSS32_IO_MAP, false, &map, 2);
    if (status)
        return status;
    uint32_t at = map + port / 8u;
    if (at + 1 > tr->limit)
        return cpu_raise_error(cpu, CPU_GP, 0);
    status = cpu_linear_read(cpu, tr->base + at, false, &bits, 2);
    if (status)
        return status;
    bool barred = bits >> port % 8 & ((1u << bytes) - 1);
    return barred ? cpu_raise_error(cpu, CPU_GP, 0) : CPU_OK;
}

MUST_CHECK static enum cpu_status check(struct cpu *cpu, uint16_t port, unsigned bytes)
{
    bool asks = pc_protected(cpu) && (pc_v86(cpu) || cpu->cpl > pc_iopl(cpu));
    return asks ? check_map(cpu, port, bytes) : CPU_OK;
}

static uint32_t read_port(struct cpu *cpu, uint16_t port, unsigned bytes)
{
    if (cpu->pc.watching)
        debugreg_note_port(cpu, port, bytes);
    return bus_in(cpu->pc.bus, port, bytes);
}

static void write_port(struct cpu *cpu, uint16_t port, unsigned bytes, uint32_t value)
{
    if (cpu->pc.watching)
        debugreg_note_port(cpu, port, bytes);
    bus_out(cpu->pc.bus, port, bytes, value);
}

/* Port number operands: an immediate byte or DX. */
static uint16_t port_number(const struct cpu *cpu, const struct isa_insn *insn, unsigned n)
{
    bool immediate = insn->row->op[n].method == ISA_M_I;
    return (uint16_t)(immediate ? insn->imm & 0xff : cpu->gpr[ISA_EDX]);
}

enum cpu_status interp_in_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint16_t port = port_number(cpu, insn, 1);
    unsigned bytes = interp_bytes(insn, 0);
    enum cpu_status status = check(cpu, port, bytes);
    if (status == CPU_OK)
        interp_set_reg(cpu, ISA_EAX, bytes, read_port(cpu, port, bytes));
    return status;
}

enum cpu_status interp_out_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint16_t port = port_number(cpu, insn, 0);
    unsigned bytes = interp_bytes(insn, 1);
    enum cpu_status status = check(cpu, port, bytes);
    if (status == CPU_OK)
        write_port(cpu, port, bytes, interp_reg(cpu, ISA_EAX, bytes));
    return status;
}

/* The destination is checked first: what is read from a port is gone. */
static enum cpu_status ins_once(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    uint32_t offset = interp_reg(cpu, ISA_EDI, insn->adsize);
    enum cpu_status status = cpu_check_write(cpu, ISA_ES, offset, bytes);
    if (status)
        return status;
    uint32_t value = read_port(cpu, (uint16_t)cpu->gpr[ISA_EDX], bytes);
    status = cpu_write_int(cpu, ISA_ES, offset, bytes, value);
    if (status == CPU_OK)
        interp_advance(cpu, insn, ISA_EDI, bytes);
    return status;
}

static enum cpu_status outs_once(struct cpu *cpu, const struct isa_insn *insn, unsigned bytes)
{
    uint32_t value, offset = interp_reg(cpu, ISA_ESI, insn->adsize);
    enum cpu_status status = cpu_read_int(cpu, interp_data_seg(insn), offset, bytes, &value);
    if (status)
        return status;
    write_port(cpu, (uint16_t)cpu->gpr[ISA_EDX], bytes, value);
    interp_advance(cpu, insn, ISA_ESI, bytes);
    return CPU_OK;
}

/* The right to the port is checked even when nothing is to be moved. */
MUST_CHECK static enum cpu_status string(struct cpu *cpu, const struct isa_insn *insn,
                                         unsigned bytes, interp_string_fn once)
{
    enum cpu_status status = check(cpu, (uint16_t)cpu->gpr[ISA_EDX], bytes);
    return status ? status : interp_repeat(cpu, insn, bytes, once, NULL);
}

enum cpu_status interp_ins_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return string(cpu, insn, interp_bytes(insn, 0), ins_once);
}

enum cpu_status interp_outs_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return string(cpu, insn, interp_bytes(insn, 1), outs_once);
}
