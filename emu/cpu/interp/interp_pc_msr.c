/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers, time, identification, fast system calls. A register
 * that the model lacks is CPU_GP. Memory types (MTRR, PAT) are kept for the
 * guest and have no effect: the host decides.
 */
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/pc/mmu.h"
#include "emu/cpu/pc/pc.h"

enum msr {
    MSR_MACHINE_CHECK_ADDRESS = 0x0,
    MSR_MACHINE_CHECK_TYPE = 0x1,
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_EBL_CR_POWERON = 0x2a,
    MSR_MICROCODE_UPDATE = 0x79,
    MSR_MICROCODE_REVISION = 0x8b,
    MSR_MTRR_CAP = 0xfe,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_MTRR_PHYS_BASE0 = 0x200,
    MSR_MTRR_PHYS_LAST = 0x20f,
    MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K_0 = 0x258,
    MSR_MTRR_FIX16K_1 = 0x259,
    MSR_MTRR_FIX4K_0 = 0x268,
    MSR_MTRR_FIX4K_7 = 0x26f,
    MSR_PAT = 0x277,
    MSR_MTRR_DEFAULT = 0x2ff,
    MSR_EFER = 0xc0000080u,
};

#define MTRR_CAP 0x508u /* 8 variable ranges, fixed ranges, write-combining */

static uint64_t now(const struct cpu *cpu)
{
    bool virtual_tsc = cpu->virtual_tsc && cpu->read_tsc;
    uint64_t tsc = virtual_tsc ? cpu->read_tsc(cpu->read_tsc_opaque) : interp_host_tsc();
    return tsc + cpu->sys.tsc_offset;
}

/* Where a register that only holds its value is kept; NULL: not one of those. */
static uint64_t *stored(struct cpu *cpu, uint32_t n)
{
    struct cpu_sys *sys = &cpu->sys;
    bool mtrr = cpu_has(cpu, CPU_F_MTRR), sep = cpu_has(cpu, CPU_F_SEP);
    if (sep && n == MSR_SYSENTER_CS)
        return &sys->sysenter_cs;
    if (sep && n == MSR_SYSENTER_ESP)
        return &sys->sysenter_esp;
    if (sep && n == MSR_SYSENTER_EIP)
        return &sys->sysenter_eip;
    if (!mtrr)
        return NULL;
    if (n >= MSR_MTRR_PHYS_BASE0 && n <= MSR_MTRR_PHYS_LAST)
        return &sys->mtrr_variable[n - MSR_MTRR_PHYS_BASE0];
    if (n == MSR_MTRR_FIX64K)
        return &sys->mtrr_fixed[0];
    if (n == MSR_MTRR_FIX16K_0 || n == MSR_MTRR_FIX16K_1)
        return &sys->mtrr_fixed[1 + n - MSR_MTRR_FIX16K_0];
    if (n >= MSR_MTRR_FIX4K_0 && n <= MSR_MTRR_FIX4K_7)
        return &sys->mtrr_fixed[3 + n - MSR_MTRR_FIX4K_0];
    return n == MSR_MTRR_DEFAULT ? &sys->mtrr_default : NULL;
}

/* Registers that read as a constant and swallow writes. */
static bool is_constant(const struct cpu *cpu, uint32_t n, uint64_t *value)
{
    *value = 0;
    switch (n) {
    case MSR_MACHINE_CHECK_ADDRESS:
    case MSR_MACHINE_CHECK_TYPE:
        return true;
    case MSR_PLATFORM_ID:
    case MSR_EBL_CR_POWERON:
    case MSR_MICROCODE_UPDATE:
    case MSR_MICROCODE_REVISION:
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_MISC_ENABLE:
        return cpu_has(cpu, CPU_F_CMOV);
    case MSR_MTRR_CAP:
        *value = MTRR_CAP;
        return cpu_has(cpu, CPU_F_MTRR);
    default:
        return false;
    }
}

static bool read_msr(struct cpu *cpu, uint32_t n, uint64_t *value)
{
    const uint64_t *at = stored(cpu, n);
    if (at)
        *value = *at;
    else if (n == MSR_TSC && cpu_has(cpu, CPU_F_TSC))
        *value = now(cpu);
    else if (n == MSR_APIC_BASE && cpu_has(cpu, CPU_F_APIC))
        *value = cpu->sys.apic_base;
    else if (n == MSR_PAT && cpu_has(cpu, CPU_F_PAT))
        *value = cpu->sys.pat;
    else if (n == MSR_EFER && cpu_has(cpu, CPU_F_NX))
        *value = cpu->sys.efer;
    else
        return is_constant(cpu, n, value);
    return true;
}

#define APIC_BASE_BITS 0xffffff900u
#define APIC_BASE_BSP (1u << 8)

static bool write_apic_base(struct cpu *cpu, uint64_t value)
{
    if (value & ~(uint64_t)(APIC_BASE_BITS))
        return false;
    cpu->sys.apic_base = value;
    if (cpu->pc.hooks && cpu->pc.hooks->apic_base)
        cpu->pc.hooks->apic_base(cpu->pc.hooks->opaque, value);
    return true;
}

/* Eight memory types: 0, 1, 4, 5, 6, 7. */
static bool write_pat(struct cpu *cpu, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = value >> i * 8 & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    cpu->sys.pat = value;
    return true;
}

static bool write_efer(struct cpu *cpu, uint64_t value)
{
    if (value & ~(uint64_t)EFER_NXE)
        return false;
    cpu->sys.efer = value;
    mmu_flush(cpu, true);
    return true;
}

static bool write_msr(struct cpu *cpu, uint32_t n, uint64_t value)
{
    uint64_t *at = stored(cpu, n), constant;
    if (at) {
        *at = value;
        return true;
    }
    if (n == MSR_TSC && cpu_has(cpu, CPU_F_TSC)) {
        cpu->sys.tsc_offset += value - now(cpu);
        return true;
    }
    if (n == MSR_APIC_BASE && cpu_has(cpu, CPU_F_APIC))
        return write_apic_base(cpu, value);
    if (n == MSR_PAT && cpu_has(cpu, CPU_F_PAT))
        return write_pat(cpu, value);
    if (n == MSR_EFER && cpu_has(cpu, CPU_F_NX))
        return write_efer(cpu, value);
    return n != MSR_MTRR_CAP && is_constant(cpu, n, &constant);
}

static void set_edx_eax(struct cpu *cpu, uint64_t value)
{
    cpu->gpr[ISA_EAX] = (uint32_t)value;
    cpu->gpr[ISA_EDX] = (uint32_t)(value >> 32);
}

enum cpu_status interp_rdmsr_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    uint64_t value;
    if (!read_msr(cpu, cpu->gpr[ISA_ECX], &value))
        return cpu_raise_error(cpu, CPU_GP, 0);
    set_edx_eax(cpu, value);
    return CPU_OK;
}

enum cpu_status interp_wrmsr_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    uint64_t value = (uint64_t)cpu->gpr[ISA_EDX] << 32 | cpu->gpr[ISA_EAX];
    bool done = write_msr(cpu, cpu->gpr[ISA_ECX], value);
    return done ? CPU_OK : cpu_raise_error(cpu, CPU_GP, 0);
}

enum cpu_status interp_rdtsc_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    if ((cpu->sys.cr4 & CR4_TSD) && cpu->cpl)
        return cpu_raise_error(cpu, CPU_GP, 0);
    set_edx_eax(cpu, now(cpu));
    return CPU_OK;
}

/* Two counters that never count. */
enum cpu_status interp_rdpmc_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    bool barred = cpu->cpl && !(cpu->sys.cr4 & CR4_PCE);
    if (barred || cpu->gpr[ISA_ECX] > 1)
        return cpu_raise_error(cpu, CPU_GP, 0);
    set_edx_eax(cpu, 0);
    return CPU_OK;
}

enum cpu_status interp_cpuid_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    uint32_t out[4];
    cpu_model_cpuid(cpu, cpu->gpr[ISA_EAX], out);
    cpu->gpr[ISA_EAX] = out[0];
    cpu->gpr[ISA_EBX] = out[1];
    cpu->gpr[ISA_ECX] = out[2];
    cpu->gpr[ISA_EDX] = out[3];
    return CPU_OK;
}

#define FLAT_CODE (SEG_GRANULAR | SEG_BIG | SEG_PRESENT | SEG_S | SEG_CODE | SEG_READABLE | 1)
#define FLAT_DATA (SEG_GRANULAR | SEG_BIG | SEG_PRESENT | SEG_S | SEG_WRITABLE | 1)

/* Fixed flat segments: no descriptor is read. */
static void enter_flat(struct cpu *cpu, uint32_t code, uint32_t stack, unsigned cpl)
{
    uint16_t dpl = (uint16_t)(cpl << SEG_DPL_SHIFT);
    cpu->seg[ISA_CS] =
        (struct cpu_seg){(uint16_t)((code & 0xfffc) | cpl), FLAT_CODE | dpl, 0, UINT32_MAX};
    cpu->seg[ISA_SS] =
        (struct cpu_seg){(uint16_t)((stack & 0xfffc) | cpl), FLAT_DATA | dpl, 0, UINT32_MAX};
    cpu->code32 = 1;
    pc_set_cpl(cpu, cpl);
}

enum cpu_status interp_sysenter_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    uint32_t code = (uint32_t)cpu->sys.sysenter_cs;
    if (!pc_protected(cpu) || !(code & 0xfffc))
        return cpu_raise_error(cpu, CPU_GP, 0);
    pc_set_eflags(cpu, 0, EFLAGS_VM | ISA_F_I | EFLAGS_RF);
    enter_flat(cpu, code, code + 8, 0);
    cpu->gpr[ISA_ESP] = (uint32_t)cpu->sys.sysenter_esp;
    cpu->eip = (uint32_t)cpu->sys.sysenter_eip;
    return CPU_OK;
}

enum cpu_status interp_sysexit_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    uint32_t code = (uint32_t)cpu->sys.sysenter_cs;
    if (!pc_protected(cpu) || !(code & 0xfffc))
        return cpu_raise_error(cpu, CPU_GP, 0);
    enter_flat(cpu, code + 16, code + 24, 3);
    cpu->gpr[ISA_ESP] = cpu->gpr[ISA_ECX];
    cpu->eip = cpu->gpr[ISA_EDX];
    return CPU_OK;
}
