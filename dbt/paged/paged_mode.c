/* SPDX-License-Identifier: MIT */
/* The mode word: what of the processor's state a translation takes for granted. */
#include "dbt/paged/paged.h"

#include "emu/cpu/pc/pc.h"

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
static void note_segment(struct cpu *cpu, unsigned seg)
{
    bool ok = class_of(&cpu->seg[seg], false) <= PAGED_BIG;
    cpu->slot[PAGED_SLOT_SEG_OK + seg] = ok ? (uint64_t)(uintptr_t)cpu : 0;
}

struct paged_mode paged_mode_now(struct cpu *cpu)
{
    const struct cpu_seg *cs = &cpu->seg[ISA_CS];
    struct paged_mode mode = {.bits = fpu_bits(cpu)};
    if (cpu->code32)
        mode.bits |= PAGED_CODE32;
    if (cpu->eflags & ISA_F_D)
        mode.bits |= PAGED_DOWN;
    if (!cpu->cpl)
        mode.bits |= PAGED_RING0;
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
    note_segment(cpu, ISA_FS);
    note_segment(cpu, ISA_GS);
    return mode;
}

/* The segment register that an instruction loads; ISA_SEG_NONE: none, or not just one. */
static unsigned loaded_segment(const struct isa_insn *insn)
{
    const struct isa_operand_spec *op = &insn->row->op[0];
    if (insn->row->sem == ISA_SEM_MOV_SREG && op->method == ISA_M_S)
        return insn->reg;
    return insn->row->sem == ISA_SEM_POP_SREG ? op->fixed : ISA_SEG_NONE;
}

enum paged_change paged_change_of(const struct isa_insn *insn)
{
    switch (insn->row->sem) {
    case ISA_SEM_BT:
    case ISA_SEM_BTC:
    case ISA_SEM_BTR:
    case ISA_SEM_BTS:
    case ISA_SEM_CLI:
    case ISA_SEM_CMPS:
    case ISA_SEM_FXRSTOR:
    case ISA_SEM_FXSAVE:
    case ISA_SEM_IN:
    case ISA_SEM_INVLPG:
    case ISA_SEM_LODS:
    case ISA_SEM_MOVS:
    case ISA_SEM_OUT:
    case ISA_SEM_RDTSC:
    case ISA_SEM_SCAS:
    case ISA_SEM_STI:
    case ISA_SEM_STOS:
    case ISA_SEM_VERW:
        return PAGED_KEEPS;
    default:
        break;
    }
    unsigned seg = loaded_segment(insn);
    return seg == ISA_SEG_NONE || seg == ISA_SS ? PAGED_CHANGES : PAGED_CHANGES_SEGMENT;
}

bool paged_mode_kept(struct cpu *cpu, const struct paged_mode *mode, const struct isa_insn *insn,
                     enum paged_change change)
{
    if (change == PAGED_KEEPS)
        return true;
    unsigned seg = loaded_segment(insn);
    if (change == PAGED_CHANGES) {
        struct paged_mode now = paged_mode_now(cpu);
        return paged_mode_same(&now, mode);
    }
    if (seg < ISA_FS)
        return class_of(&cpu->seg[seg], false) == paged_class(mode, seg);
    note_segment(cpu, seg);
    return true;
}
