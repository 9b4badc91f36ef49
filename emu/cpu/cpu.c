/* SPDX-License-Identifier: MIT */
/*
 * The processor's state apart from any engine: its start, its declared fields,
 * and the one model that CPUID describes. The model is the oldest that has
 * SSE2 (a Pentium M) without what the guest's machine lacks: no APIC, no
 * paging extensions, nothing after SSE2. It does not depend on the host, so
 * that a snapshot moves and a replay repeats.
 */
#include "emu/cpu/cpu.h"

#include <string.h>

_Static_assert(sizeof(struct cpu) <= RAM_CONTEXT, "the processor fits the window's context");
_Static_assert(sizeof(struct cpu_fpu) == 512, "an FXSAVE image");

#define FIELD(member) STATE_U(struct cpu, member)
#define SEG_FIELDS(member)                                                                         \
    FIELD(member.selector), FIELD(member.attr), FIELD(member.base), FIELD(member.limit)
#define TABLE_FIELDS(member) FIELD(member.base), FIELD(member.limit), FIELD(member.selector)
/* The six bytes above an 80-bit register are nothing. */
#define ST_FIELD(i)                                                                                \
    {                                                                                              \
        "fpu.st[" #i "]", offsetof(struct cpu, fpu.st[i]), 10, 1, STATE_BYTES, 0                   \
    }
#define XMM_FIELD(i) STATE_RAW(struct cpu, fpu.xmm[i])

static const struct state_field cpu_fields[] = {
    STATE_U_ARRAY(struct cpu, gpr),
    FIELD(eip),
    FIELD(eflags),
    FIELD(icount),
    FIELD(code32),
    FIELD(cpl),
    SEG_FIELDS(seg[ISA_ES]),
    SEG_FIELDS(seg[ISA_CS]),
    SEG_FIELDS(seg[ISA_SS]),
    SEG_FIELDS(seg[ISA_DS]),
    SEG_FIELDS(seg[ISA_FS]),
    SEG_FIELDS(seg[ISA_GS]),
    FIELD(sys.cr0),
    FIELD(sys.cr2),
    FIELD(sys.cr3),
    FIELD(sys.cr4),
    STATE_U_ARRAY(struct cpu, sys.dr),
    TABLE_FIELDS(sys.gdt),
    TABLE_FIELDS(sys.idt),
    SEG_FIELDS(sys.ldt),
    SEG_FIELDS(sys.tr),
    FIELD(sys.efer),
    FIELD(sys.sysenter_cs),
    FIELD(sys.sysenter_esp),
    FIELD(sys.sysenter_eip),
    FIELD(sys.tsc_offset),
    FIELD(sys.pat),
    FIELD(fpu.control),
    FIELD(fpu.status),
    FIELD(fpu.tag),
    STATE_LOOSE(struct cpu, fpu.opcode),
    STATE_LOOSE(struct cpu, fpu.ip),
    STATE_LOOSE(struct cpu, fpu.cs),
    STATE_LOOSE(struct cpu, fpu.dp),
    STATE_LOOSE(struct cpu, fpu.ds),
    FIELD(fpu.mxcsr),
    ST_FIELD(0),
    ST_FIELD(1),
    ST_FIELD(2),
    ST_FIELD(3),
    ST_FIELD(4),
    ST_FIELD(5),
    ST_FIELD(6),
    ST_FIELD(7),
    XMM_FIELD(0),
    XMM_FIELD(1),
    XMM_FIELD(2),
    XMM_FIELD(3),
    XMM_FIELD(4),
    XMM_FIELD(5),
    XMM_FIELD(6),
    XMM_FIELD(7),
};

const struct state_list cpu_state_list = {"cpu", 1, ARRAY_LEN(cpu_fields), cpu_fields};

#define FLAT_CODE_SELECTOR 0x23u
#define FLAT_DATA_SELECTOR 0x2bu
#define FLAT_CODE_ATTR 0xcffbu /* present, ring 3, code, readable; 4 KiB units, 32 bits */
#define FLAT_DATA_ATTR 0xcff3u

static void init_flat_segments(struct cpu *cpu)
{
    for (unsigned i = 0; i < ARRAY_LEN(cpu->seg); i++) {
        struct cpu_seg *seg = &cpu->seg[i];
        *seg = (struct cpu_seg){FLAT_DATA_SELECTOR, FLAT_DATA_ATTR, 0, UINT32_MAX};
        if (i == ISA_FS || i == ISA_GS)
            seg->selector = 0;
    }
    cpu->seg[ISA_CS].selector = FLAT_CODE_SELECTOR;
    cpu->seg[ISA_CS].attr = FLAT_CODE_ATTR;
}

struct cpu *cpu_init_flat(struct ram *ram, const struct cpu_flat *flat)
{
    struct cpu *cpu = ram_context(ram);
    memset(cpu, 0, sizeof(*cpu));
    cpu->eflags = 0x202; /* bit 1 is always set; IF reads as set in user code */
    cpu->code32 = 1;
    cpu->cpl = 3;
    cpu->ram = ram;
    cpu->flat = flat;
    cpu->code_page = CPU_NO_PAGE;
    init_flat_segments(cpu);
    cpu->fpu.control = 0x37f;
    cpu->fpu.mxcsr = 0x1f80;
    cpu->fpu.mxcsr_mask = 0xffff;
    return cpu;
}

/* Family 6, model 26: the oldest for which C libraries choose string functions with unaligned SSE2
 * accesses, which any processor that we run on does fast. */
#define CPUID_SIGNATURE 0x106a5u
#define CPUID_CLFLUSH_LINE (8u << 8)

enum cpuid_edx {
    CPUID_FPU = 1u << 0,
    CPUID_TSC = 1u << 4,
    CPUID_CX8 = 1u << 8,
    CPUID_CMOV = 1u << 15,
    CPUID_MMX = 1u << 23,
    CPUID_FXSR = 1u << 24,
    CPUID_SSE = 1u << 25,
    CPUID_SSE2 = 1u << 26,
};

static const char cpuid_vendor[12] = {'G', 'e', 'n', 'u', 'i', 'n', 'e', 'I', 'n', 't', 'e', 'l'};
static const char cpuid_brand[48] = "Denali virtual i686 processor";

static uint32_t text_word(const char *text, unsigned word)
{
    const uint8_t *at = (const uint8_t *)text + word * 4;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void fill(uint32_t out[4], uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    out[0] = eax;
    out[1] = ebx;
    out[2] = ecx;
    out[3] = edx;
}

static void fill_brand(uint32_t out[4], unsigned part)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = text_word(cpuid_brand, part * 4 + i);
}

void cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)cpu, (void)subleaf; /* one model, and no leaf of it has subleaves */
    switch (leaf) {
    case 0:
        fill(out, 2, text_word(cpuid_vendor, 0), text_word(cpuid_vendor, 2),
             text_word(cpuid_vendor, 1));
        break;
    case 1:
        fill(out, CPUID_SIGNATURE, CPUID_CLFLUSH_LINE, 0,
             CPUID_FPU | CPUID_TSC | CPUID_CX8 | CPUID_CMOV | CPUID_MMX | CPUID_FXSR | CPUID_SSE |
                 CPUID_SSE2);
        break;
    case 2: /* descriptors: TLBs, 32 KiB L1, 2 MiB L2, 64-byte lines */
        fill(out, 0x02b3b001, 0x000000f0, 0, 0x2c04307d);
        break;
    case 0x80000000:
        fill(out, 0x80000004, 0, 0, 0);
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        fill_brand(out, leaf - 0x80000002);
        break;
    default:
        fill(out, 0, 0, 0, 0);
    }
}

const char *cpu_vector_name(unsigned vector)
{
    static const char *const names[] = {
        [CPU_DE] = "divide error",
        [CPU_DB] = "debug",
        [2] = "non-maskable interrupt",
        [CPU_BP] = "breakpoint",
        [CPU_OF] = "overflow",
        [CPU_BR] = "bound range exceeded",
        [CPU_UD] = "invalid opcode",
        [CPU_NM] = "device not available",
        [CPU_DF] = "double fault",
        [CPU_TS] = "invalid TSS",
        [CPU_NP] = "segment not present",
        [CPU_SS] = "stack fault",
        [CPU_GP] = "general protection",
        [CPU_PF] = "page fault",
        [CPU_MF] = "x87 floating-point error",
        [CPU_AC] = "alignment check",
        [18] = "machine check",
        [CPU_XM] = "SIMD floating-point error",
    };
    const char *name = vector < ARRAY_LEN(names) ? names[vector] : NULL;
    return name ? name : "reserved";
}
