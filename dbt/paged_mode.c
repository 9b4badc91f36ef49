/* SPDX-License-Identifier: MIT */
/* The mode word: what of the processor's state a translation takes for granted. */
#include "dbt/paged.h"

#include "emu/cpu/pc.h"

static enum paged_class class_of(const struct cpu_seg *s, bool reads_code)
{
    bool plain = (s->attr & SEG_PLAIN_MASK) == SEG_PLAIN;
    bool code =
        reads_code && (s->attr & SEG_PRESENT) && (s->attr & SEG_CODE) && (s->attr & SEG_READABLE);
    if (!plain && !code)
        return PAGED_OTHER;
    if (s->limit == UINT32_MAX)
        return s->base ? PAGED_BIG : PAGED_FLAT;
    return s->limit == 0xffff ? PAGED_REAL : PAGED_OTHER;
}

static uint32_t fpu_bits(const struct cpu *cpu)
{
    const struct cpu_sys *sys = &cpu->sys;
    if (!(sys->cr0 & CR0_NE) || (sys->cr0 & (CR0_EM | CR0_TS)))
        return 0;
    return sys->cr4 & CR4_OSFXSR ? PAGED_X87 | PAGED_SSE : PAGED_X87;
}

/* FS and GS differ from task to task: they are asked when they are used. */
static void note_segments(struct cpu *cpu)
{
    for (unsigned seg = ISA_FS; seg <= ISA_GS; seg++) {
        bool ok = class_of(&cpu->seg[seg], false) <= PAGED_BIG;
        cpu->slot[PAGED_SLOT_SEG_OK + seg] = ok ? (uint64_t)(uintptr_t)cpu : 0;
    }
}

struct paged_mode paged_mode_now(struct cpu *cpu)
{
    const struct cpu_seg *cs = &cpu->seg[ISA_CS];
    struct paged_mode mode = {.bits = fpu_bits(cpu)};
    if (cpu->code32)
        mode.bits |= PAGED_CODE32;
    if (cpu->seg[ISA_SS].attr & SEG_BIG)
        mode.bits |= PAGED_STACK32;
    if (cs->base == 0 && cs->limit == UINT32_MAX) {
        mode.bits |= PAGED_CS_FLAT;
    } else {
        mode.cs_base = cs->base;
        mode.cs_limit = cs->limit;
    }
    for (unsigned seg = ISA_ES; seg <= ISA_DS; seg++)
        mode.bits |= (uint32_t)class_of(&cpu->seg[seg], seg == ISA_CS) << PAGED_CLASS_SHIFT(seg);
    note_segments(cpu);
    return mode;
}
