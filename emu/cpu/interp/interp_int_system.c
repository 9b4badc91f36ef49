/* SPDX-License-Identifier: MIT */
/*
 * What touches the outside of user code: ports, time, identification, system
 * registers. On a flat machine all privileged instructions are CPU_GP, and the
 * ambiguous ones (allowed in user mode, yet showing the system) do a defined
 * harmless thing: tables are empty, selectors describe nothing.
 */
#include "emu/cpu/interp/interp.h"

#include "emu/base/host.h"
#include "emu/cpu/engine.h"

enum cpu_status interp_privileged(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return cpu_raise_error(cpu, CPU_GP, 0);
}

enum cpu_status interp_undefined(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return cpu_raise(cpu, CPU_UD);
}

/* There are control registers 0, 2, 3, 4, and debug registers 0 to 7. */
enum cpu_status interp_mov_cr(struct cpu *cpu, const struct isa_insn *insn)
{
    bool exists = insn->reg <= 4 && insn->reg != 1;
    return exists ? interp_privileged(cpu, insn) : interp_undefined(cpu, insn);
}

static enum cpu_status exit_port(struct cpu *cpu, uint32_t port, unsigned bytes, bool write)
{
    cpu->exit.port = (uint16_t)port;
    cpu->exit.port_size = (uint8_t)bytes;
    cpu->exit.port_write = write;
    return interp_exit(cpu, ENGINE_EXIT_PORT);
}

/* Port number operands: an immediate byte or DX. */
static uint32_t port_number(const struct cpu *cpu, const struct isa_insn *insn, unsigned n)
{
    return insn->row->op[n].method == ISA_M_I ? insn->imm & 0xff : cpu->gpr[ISA_EDX] & 0xffff;
}

enum cpu_status interp_in(struct cpu *cpu, const struct isa_insn *insn)
{
    return exit_port(cpu, port_number(cpu, insn, 1), interp_bytes(insn, 0), false);
}

enum cpu_status interp_out(struct cpu *cpu, const struct isa_insn *insn)
{
    return exit_port(cpu, port_number(cpu, insn, 0), interp_bytes(insn, 1), true);
}

enum cpu_status interp_cpuid(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    uint32_t out[4];
    cpu_cpuid(cpu, cpu->gpr[ISA_EAX], cpu->gpr[ISA_ECX], out);
    cpu->gpr[ISA_EAX] = out[0];
    cpu->gpr[ISA_EBX] = out[1];
    cpu->gpr[ISA_ECX] = out[2];
    cpu->gpr[ISA_EDX] = out[3];
    return CPU_OK;
}

uint64_t interp_host_tsc(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#else
    return host_monotonic_ns();
#endif
}

enum cpu_status interp_rdtsc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    bool virtual_tsc = cpu->virtual_tsc && cpu->read_tsc;
    uint64_t tsc = virtual_tsc ? cpu->read_tsc(cpu->read_tsc_opaque) : interp_host_tsc();
    cpu->gpr[ISA_EAX] = (uint32_t)tsc;
    cpu->gpr[ISA_EDX] = (uint32_t)(tsc >> 32);
    return CPU_OK;
}

/* Needs the right to read the line, though of code that of executing it will do, and has nothing to
 * do: the guest's caches are the host's. */
enum cpu_status interp_clflush(struct cpu *cpu, const struct isa_insn *insn)
{
    const struct cpu_seg *seg = &cpu->seg[insn->seg];
    uint32_t offset = interp_address(cpu, insn);
    bool code = !cpu->flat && (seg->attr & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
    if (code && offset <= seg->limit)
        return cpu_linear_check(cpu, seg->base + offset, cpu->cpl == 3, MMU_READ, 1);
    return cpu_check_read(cpu, insn->seg, offset, 1);
}

/* A table of no bytes at address 0: limit, then base. */
enum cpu_status interp_store_table(struct cpu *cpu, const struct isa_insn *insn)
{
    static const uint8_t none[6];
    return cpu_write(cpu, insn->seg, interp_address(cpu, insn), none, sizeof(none));
}

/* SLDT, STR: the null selector. */
enum cpu_status interp_store_null(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_write_operand(cpu, insn, 0, 0);
}

/* Protected mode, a coprocessor of the 387 kind (PE, MP, ET, NE). */
#define FLAT_CR0_LOW 0x33u

enum cpu_status interp_smsw(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_write_operand(cpu, insn, 0, FLAT_CR0_LOW);
}

/* LAR, LSL, VERR, VERW: no selector describes anything. Reads its operand all the same. */
enum cpu_status interp_no_descriptor(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t selector;
    unsigned n = insn->row->op[1].method == ISA_M_NONE ? 0 : 1;
    enum cpu_status status = interp_read_operand(cpu, insn, n, &selector);
    if (status == CPU_OK)
        flags_set(cpu, ISA_F_Z, 0);
    return status;
}

/*
 * Pure computation: raises the requested privilege level of the destination to
 * the source's. The operand needs to be writable only if it changes, as with
 * the processor.
 */
enum cpu_status interp_arpl(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t dst = interp_reg(cpu, insn->rm, 2), src = interp_reg(cpu, insn->reg, 2);
    enum cpu_status status = CPU_OK;
    if (insn->has_mem)
        status = cpu_read_int(cpu, insn->seg, interp_address(cpu, insn), 2, &dst);
    bool lower = (dst & 3) < (src & 3);
    if (status == CPU_OK && lower)
        status = interp_write_operand(cpu, insn, 0, (dst & ~3u) | (src & 3));
    if (status == CPU_OK)
        flags_set(cpu, ISA_F_Z, lower ? ISA_F_Z : 0);
    return status;
}
