/* SPDX-License-Identifier: MIT */
/*
 * The inside of the PC machine's processor: what its files share. cpu.h is for
 * those outside.
 */
#ifndef DENALI_CPU_PC_H
#define DENALI_CPU_PC_H

#include "emu/cpu/cpu.h"
#include "emu/cpu/flags.h"
#include "emu/cpu/mem.h"
#include "emu/cpu/model.h"
#include "emu/cpu/pc/sysregs.h"

static inline bool pc_protected(const struct cpu *cpu)
{
    return cpu->sys.cr0 & CR0_PE;
}

static inline bool pc_v86(const struct cpu *cpu)
{
    return cpu->eflags & EFLAGS_VM;
}

/* Segments mean descriptors: protected mode, and not virtual-8086. */
static inline bool pc_uses_descriptors(const struct cpu *cpu)
{
    return pc_protected(cpu) && !pc_v86(cpu);
}

static inline unsigned pc_iopl(const struct cpu *cpu)
{
    return (cpu->eflags & EFLAGS_IOPL) >> EFLAGS_IOPL_SHIFT;
}

/* Privilege, and what hangs on it. */
void pc_set_cpl(struct cpu *cpu, unsigned cpl);
/* Replaces the EFLAGS bits of `mask` that the model has. */
void pc_set_eflags(struct cpu *cpu, uint32_t value, uint32_t mask);
/* After a change of CR0.AM. */
void pc_update_alignment(struct cpu *cpu);

#endif
