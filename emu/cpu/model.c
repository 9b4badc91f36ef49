/* SPDX-License-Identifier: MIT */
/*
 * The models, and what they decide: features by generation, the bits of CR4
 * and EFLAGS, the instructions, and CPUID.
 */
#include "emu/cpu/model.h"

#include <string.h>

#include "emu/cpu/pc/sysregs.h"

#define F_486 (CPU_F_486 | CPU_F_CPUID)
#define F_PENTIUM                                                                                  \
    (F_486 | CPU_F_TSC | CPU_F_MSR | CPU_F_CX8 | CPU_F_VME | CPU_F_DE | CPU_F_PSE | CPU_F_MCE)
#define F_PENTIUM3                                                                                 \
    (F_PENTIUM | CPU_F_CMOV | CPU_F_PAE | CPU_F_PGE | CPU_F_PSE36 | CPU_F_SEP | CPU_F_MTRR |       \
     CPU_F_PAT | CPU_F_APIC | CPU_F_MMX | CPU_F_FXSR | CPU_F_SSE)

static const struct cpu_model models[] = {
    {"286", "", CPU_F_286, 0},
    {"386", "", 0, 0x308},
    {"486", "", F_486, 0x480},
    {"pentium", "", F_PENTIUM | CPU_F_APIC, 0x525},
    {"pentium3", "Denali virtual Pentium III", F_PENTIUM3, 0x68a},
    {"max", "Denali virtual i686 processor", F_PENTIUM3 | CPU_F_SSE2 | CPU_F_NX, 0x6d8},
};

const struct cpu_model *cpu_model_at(unsigned i)
{
    return i < ARRAY_LEN(models) ? &models[i] : NULL;
}

const struct cpu_model *cpu_model_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        if (!strcmp(models[i].name, name))
            return &models[i];
    }
    return NULL;
}

uint32_t cpu_model_cr4(const struct cpu_model *model)
{
    static const struct {
        uint32_t feature, bits;
    } bits[] = {
        {CPU_F_VME, CR4_VME | CR4_PVI}, {CPU_F_TSC, CR4_TSD},  {CPU_F_DE, CR4_DE},
        {CPU_F_PSE, CR4_PSE},           {CPU_F_PAE, CR4_PAE},  {CPU_F_MCE, CR4_MCE},
        {CPU_F_PGE, CR4_PGE},           {CPU_F_CMOV, CR4_PCE}, {CPU_F_FXSR, CR4_OSFXSR},
        {CPU_F_SSE, CR4_OSXMMEXCPT},
    };
    uint32_t all = 0;
    for (unsigned i = 0; i < ARRAY_LEN(bits); i++) {
        if (model->features & bits[i].feature)
            all |= bits[i].bits;
    }
    return all;
}

uint32_t cpu_model_eflags(const struct cpu_model *model)
{
    uint32_t all = 0x37fd5;
    if (model->features & CPU_F_486)
        all |= EFLAGS_AC;
    if (model->features & CPU_F_CPUID)
        all |= EFLAGS_ID;
    if (model->features & CPU_F_VME)
        all |= EFLAGS_VIF | EFLAGS_VIP;
    return all;
}

/* The feature that a row of the integer and system instructions needs. */
static uint32_t integer_feature(const struct isa_row *row)
{
    switch (row->sem) {
    case ISA_SEM_BSWAP:
    case ISA_SEM_CMPXCHG:
    case ISA_SEM_XADD:
    case ISA_SEM_INVLPG:
    case ISA_SEM_INVD:
    case ISA_SEM_WBINVD:
        return CPU_F_486;
    case ISA_SEM_CPUID:
        return CPU_F_CPUID;
    case ISA_SEM_RDTSC:
        return CPU_F_TSC;
    case ISA_SEM_RDMSR:
    case ISA_SEM_WRMSR:
        return CPU_F_MSR;
    case ISA_SEM_CMPXCHG8B:
        return CPU_F_CX8;
    case ISA_SEM_CMOVCC:
    case ISA_SEM_RDPMC:
        return CPU_F_CMOV;
    case ISA_SEM_NOP:
        return row->map == ISA_MAP_0F ? CPU_F_CMOV : 0;
    case ISA_SEM_PREFETCH:
        return CPU_F_CMOV;
    case ISA_SEM_SYSENTER:
    case ISA_SEM_SYSEXIT:
        return CPU_F_SEP;
    case ISA_SEM_MOVNTI:
    case ISA_SEM_LFENCE:
    case ISA_SEM_MFENCE:
    case ISA_SEM_CLFLUSH:
        return CPU_F_SSE2;
    case ISA_SEM_SFENCE:
        return CPU_F_SSE;
    default:
        return 0;
    }
}

static uint32_t x87_feature(const struct isa_row *row)
{
    switch (row->sem) {
    case ISA_SEM_FCMOVB:
    case ISA_SEM_FCMOVBE:
    case ISA_SEM_FCMOVE:
    case ISA_SEM_FCMOVNB:
    case ISA_SEM_FCMOVNBE:
    case ISA_SEM_FCMOVNE:
    case ISA_SEM_FCMOVNU:
    case ISA_SEM_FCMOVU:
    case ISA_SEM_FCOMI:
    case ISA_SEM_FCOMIP:
    case ISA_SEM_FUCOMI:
    case ISA_SEM_FUCOMIP:
        return CPU_F_CMOV;
    case ISA_SEM_FXSAVE:
    case ISA_SEM_FXRSTOR:
        return CPU_F_FXSR;
    default:
        return 0;
    }
}

/* Doubles and 128-bit integers: an XMM row with the prefix 66 or F2, or CVTDQ2PD and its like. */
static bool is_sse2(const struct isa_row *row)
{
    bool mmx = row->attr & ISA_T_MMX;
    if (row->prefix == ISA_P_66 || row->prefix == ISA_P_F2)
        return true;
    switch (row->sem) {
    case ISA_SEM_CVTDQ2PD:
    case ISA_SEM_CVTDQ2PS:
    case ISA_SEM_CVTTPS2DQ:
    case ISA_SEM_CVTPS2PD:
    case ISA_SEM_CVTSS2SD:
    case ISA_SEM_MOVQ:
    case ISA_SEM_MOVDQU:
    case ISA_SEM_MOVQ2DQ:
    case ISA_SEM_PSHUFHW:
        return !mmx || row->sem == ISA_SEM_MOVQ2DQ;
    default:
        return false;
    }
}

/* What the Pentium III added to MMX, and the two operations that SSE2 did. */
static uint32_t mmx_feature(const struct isa_row *row)
{
    switch (row->sem) {
    case ISA_SEM_MASKMOVQ:
    case ISA_SEM_MOVNTQ:
    case ISA_SEM_PAVGB:
    case ISA_SEM_PAVGW:
    case ISA_SEM_PEXTRW:
    case ISA_SEM_PINSRW:
    case ISA_SEM_PMAXSW:
    case ISA_SEM_PMAXUB:
    case ISA_SEM_PMINSW:
    case ISA_SEM_PMINUB:
    case ISA_SEM_PMOVMSKB:
    case ISA_SEM_PMULHUW:
    case ISA_SEM_PSADBW:
    case ISA_SEM_PSHUFW:
        return CPU_F_SSE;
    case ISA_SEM_PADDQ:
    case ISA_SEM_PSUBQ:
    case ISA_SEM_PMULUDQ:
        return CPU_F_SSE2;
    default:
        return CPU_F_MMX;
    }
}

static uint32_t feature_of(const struct isa_row *row)
{
    if (row->attr & ISA_T_SSE)
        return is_sse2(row) ? CPU_F_SSE2 : CPU_F_SSE;
    if (row->attr & ISA_T_MMX)
        return mmx_feature(row);
    uint32_t x87 = x87_feature(row);
    return x87 ? x87 : integer_feature(row);
}

bool cpu_model_knows(const struct cpu *cpu, const struct isa_insn *insn)
{
    if (cpu->flat)
        return true;
    uint32_t feature = feature_of(insn->row);
    return !feature || cpu_has(cpu, feature);
}

static const char vendor[12] = {'G', 'e', 'n', 'u', 'i', 'n', 'e', 'I', 'n', 't', 'e', 'l'};

static uint32_t word_of(const char *text, unsigned word)
{
    const uint8_t *at = (const uint8_t *)text + word * 4;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Leaf 1's EDX, by feature. */
static uint32_t feature_bits(const struct cpu *cpu)
{
    static const struct {
        uint32_t feature;
        uint8_t bit;
    } bits[] = {
        {CPU_F_VME, 1},   {CPU_F_DE, 2},    {CPU_F_PSE, 3},   {CPU_F_TSC, 4},    {CPU_F_MSR, 5},
        {CPU_F_PAE, 6},   {CPU_F_MCE, 7},   {CPU_F_CX8, 8},   {CPU_F_SEP, 11},   {CPU_F_MTRR, 12},
        {CPU_F_PGE, 13},  {CPU_F_CMOV, 15}, {CPU_F_PAT, 16},  {CPU_F_PSE36, 17}, {CPU_F_MMX, 23},
        {CPU_F_FXSR, 24}, {CPU_F_SSE, 25},  {CPU_F_SSE2, 26},
    };
    uint32_t edx = 1; /* the x87 */
    for (unsigned i = 0; i < ARRAY_LEN(bits); i++) {
        if (cpu_has(cpu, bits[i].feature))
            edx |= 1u << bits[i].bit;
    }
    bool apic_on = cpu_has(cpu, CPU_F_APIC) && (cpu->sys.apic_base & (1u << 11));
    return edx | (uint32_t)apic_on << 9;
}

static void fill(uint32_t out[4], uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    out[0] = eax;
    out[1] = ebx;
    out[2] = ecx;
    out[3] = edx;
}

static void fill_brand(const struct cpu *cpu, uint32_t out[4], unsigned part)
{
    char brand[48] = {0};
    memcpy(brand, cpu->pc.model->brand, strlen(cpu->pc.model->brand));
    for (unsigned i = 0; i < 4; i++)
        out[i] = word_of(brand, part * 4 + i);
}

static void basic_leaf(const struct cpu *cpu, uint32_t leaf, uint32_t out[4])
{
    bool has_caches = cpu_has(cpu, CPU_F_CMOV);
    bool flushes = cpu_has(cpu, CPU_F_SSE2);
    if (leaf == 0)
        fill(out, has_caches ? 2 : 1, word_of(vendor, 0), word_of(vendor, 2), word_of(vendor, 1));
    else if (leaf == 1)
        fill(out, cpu->pc.model->signature, flushes ? 8u << 8 : 0, 0,
             feature_bits(cpu) | (uint32_t)flushes << 19);
    else if (leaf == 2 && has_caches) /* TLBs, 16 KiB L1s, 256 KiB L2, lines of 32 bytes */
        fill(out, 0x03020101, 0, 0, 0x0c040882);
}

void cpu_model_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t out[4])
{
    bool extended = cpu->pc.model->brand[0] != '\0';
    fill(out, 0, 0, 0, 0);
    if (leaf < 0x80000000u)
        basic_leaf(cpu, leaf, out);
    else if (!extended)
        return;
    else if (leaf == 0x80000000u)
        fill(out, 0x80000008u, 0, 0, 0);
    else if (leaf == 0x80000001u)
        fill(out, 0, 0, 0, cpu_has(cpu, CPU_F_NX) ? 1u << 20 : 0);
    else if (leaf <= 0x80000004u)
        fill_brand(cpu, out, leaf - 0x80000002u);
    else if (leaf == 0x80000008u)
        fill(out, 32u << 8 | 36, 0, 0, 0);
}
