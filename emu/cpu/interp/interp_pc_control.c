/* SPDX-License-Identifier: MIT */
/*
 * Control and debug registers, and the instructions that are about them. What
 * a bit means is decided elsewhere; here is which may be set, and what has to
 * be flushed or worked out anew.
 */
#include "emu/cpu/pc/debugreg.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/pc/mmu.h"
#include "emu/cpu/pc/pc.h"

static uint32_t cr0_bits(const struct cpu *cpu)
{
    uint32_t bits = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_PG;
    if (cpu_has(cpu, CPU_F_486))
        bits |= CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD;
    return bits;
}

static bool pae_paging(const struct cpu *cpu, uint32_t cr0, uint32_t cr4)
{
    (void)cpu;
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE);
}

static enum cpu_status refuse(struct cpu *cpu)
{
    return cpu_raise_error(cpu, CPU_GP, 0);
}

MUST_CHECK static enum cpu_status write_cr0(struct cpu *cpu, uint32_t value)
{
    uint32_t old = cpu->sys.cr0;
    value = (value & cr0_bits(cpu)) | CR0_ET;
    bool starts_pae = pae_paging(cpu, value & ~old, cpu->sys.cr4);
    if ((value & CR0_PG) && !(value & CR0_PE))
        return refuse(cpu);
    if ((value & CR0_NW) && !(value & CR0_CD))
        return refuse(cpu);
    if (starts_pae && !mmu_load_pdptes(cpu, cpu->sys.cr3))
        return refuse(cpu);
    cpu->sys.cr0 = value;
    if ((old ^ value) & (CR0_PG | CR0_PE | CR0_WP))
        mmu_flush(cpu, true);
    pc_update_alignment(cpu);
    return CPU_OK;
}

MUST_CHECK static enum cpu_status write_cr3(struct cpu *cpu, uint32_t value)
{
    if (pae_paging(cpu, cpu->sys.cr0, cpu->sys.cr4) && !mmu_load_pdptes(cpu, value))
        return refuse(cpu);
    uint32_t old = cpu->sys.cr3;
    cpu->sys.cr3 = value;
    mmu_reload(cpu, old);
    return CPU_OK;
}

MUST_CHECK static enum cpu_status write_cr4(struct cpu *cpu, uint32_t value)
{
    uint32_t changed = cpu->sys.cr4 ^ value;
    if (value & ~cpu_model_cr4(cpu->pc.model))
        return refuse(cpu);
    bool reload = (changed & (CR4_PAE | CR4_PGE | CR4_PSE)) != 0;
    if (reload && pae_paging(cpu, cpu->sys.cr0, value) && !mmu_load_pdptes(cpu, cpu->sys.cr3))
        return refuse(cpu);
    cpu->sys.cr4 = value;
    if (reload)
        mmu_flush(cpu, true);
    return CPU_OK;
}

MUST_CHECK static enum cpu_status write_cr(struct cpu *cpu, unsigned n, uint32_t value)
{
    switch (n) {
    case 0:
        return write_cr0(cpu, value);
    case 2:
        cpu->sys.cr2 = value;
        return CPU_OK;
    case 3:
        return write_cr3(cpu, value);
    default:
        return write_cr4(cpu, value);
    }
}

static uint32_t read_cr(const struct cpu *cpu, unsigned n)
{
    return n == 0 ? cpu->sys.cr0 : n == 2 ? cpu->sys.cr2 : n == 3 ? cpu->sys.cr3 : cpu->sys.cr4;
}

enum cpu_status interp_mov_cr_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    if (insn->reg == 4 && !cpu_model_cr4(cpu->pc.model))
        return cpu_raise(cpu, CPU_UD);
    if (insn->row->op[0].method == ISA_M_C)
        return write_cr(cpu, insn->reg, cpu->gpr[insn->rm]);
    cpu->gpr[insn->rm] = read_cr(cpu, insn->reg);
    return CPU_OK;
}

/* DR4 and DR5 are DR6 and DR7, unless CR4.DE makes them undefined. */
enum cpu_status interp_mov_dr_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned n = insn->reg;
    if ((n == 4 || n == 5) && (cpu->sys.cr4 & CR4_DE))
        return cpu_raise(cpu, CPU_UD);
    if (cpu->sys.dr[7] & DR7_GD) {
        cpu->sys.dr[6] |= DR6_BD;
        return cpu_raise(cpu, CPU_DB);
    }
    n = n == 4 || n == 5 ? n + 2 : n;
    if (insn->row->op[0].method == ISA_M_D)
        debugreg_write(cpu, n, cpu->gpr[insn->rm]);
    else
        cpu->gpr[insn->rm] = cpu->sys.dr[n];
    return CPU_OK;
}

enum cpu_status interp_smsw_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_write_operand(cpu, insn, 0, cpu->sys.cr0);
}

/* PE, MP, EM, TS; PE cannot be cleared this way. */
enum cpu_status interp_lmsw_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &value);
    if (status)
        return status;
    return write_cr0(cpu, (cpu->sys.cr0 & ~14u) | (value & 15));
}

enum cpu_status interp_clts_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    cpu->sys.cr0 &= ~(uint32_t)CR0_TS;
    return CPU_OK;
}

enum cpu_status interp_invlpg_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    mmu_flush_page(cpu, cpu->seg[insn->seg].base + interp_address(cpu, insn));
    return CPU_OK;
}

/* INVD, WBINVD: caches are not modelled. */
enum cpu_status interp_cache_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)cpu, (void)insn;
    return CPU_OK;
}

enum cpu_status interp_hlt_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    cpu->pc.halted = 1;
    return CPU_OK;
}
