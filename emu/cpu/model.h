/* SPDX-License-Identifier: MIT */
/*
 * Processor models: which instructions, registers and bits exist. What a model
 * lacks is undefined (#UD) or reserved, as on the real one. A model does not
 * depend on the host, so a snapshot moves and a replay repeats.
 */
#ifndef DENALI_MODEL_H
#define DENALI_MODEL_H

#include "emu/cpu/cpu.h"

enum cpu_feature {
    CPU_F_486 = 1u << 0, /* BSWAP, CMPXCHG, XADD, INVLPG, INVD, WBINVD; CR0.WP, AM; EFLAGS.AC */
    CPU_F_CPUID = 1u << 1,
    CPU_F_TSC = 1u << 2,
    CPU_F_MSR = 1u << 3,
    CPU_F_CX8 = 1u << 4,
    CPU_F_VME = 1u << 5,
    CPU_F_DE = 1u << 6,
    CPU_F_PSE = 1u << 7,
    CPU_F_MCE = 1u << 8,
    CPU_F_CMOV = 1u << 9, /* and the rest of what the P6 added: FCMOV, FCOMI, RDPMC, UD2, NOP Ev */
    CPU_F_PAE = 1u << 10,
    CPU_F_PGE = 1u << 11,
    CPU_F_PSE36 = 1u << 12,
    CPU_F_SEP = 1u << 13,
    CPU_F_MTRR = 1u << 14,
    CPU_F_PAT = 1u << 15,
    CPU_F_APIC = 1u << 16,
    CPU_F_MMX = 1u << 17,
    CPU_F_FXSR = 1u << 18,
    CPU_F_SSE = 1u << 19,
    CPU_F_SSE2 = 1u << 20,
    CPU_F_NX = 1u << 21,
    CPU_F_286 = 1u << 22, /* faults in real mode as a 286 has them: event_286.c */
};

struct cpu_model {
    const char *name, *brand;
    uint32_t features;  /* enum cpu_feature */
    uint32_t signature; /* family, model, stepping; EDX after reset */
};

/* NULL: none of that name. "max" is all that we have. */
const struct cpu_model *cpu_model_find(const char *name);
/* By number, for lists; NULL after the last. */
const struct cpu_model *cpu_model_at(unsigned i);

static inline bool cpu_has(const struct cpu *cpu, uint32_t feature)
{
    return cpu->pc.model->features & feature;
}

/* Does the processor know this instruction? A flat machine knows all. */
bool cpu_model_knows(const struct cpu *cpu, const struct isa_insn *insn);

/* Bits of CR0, CR4 and EFLAGS that exist. */
uint32_t cpu_model_cr4(const struct cpu_model *model);
uint32_t cpu_model_eflags(const struct cpu_model *model);

/* CPUID's answer. */
void cpu_model_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t out[4]);

#endif
