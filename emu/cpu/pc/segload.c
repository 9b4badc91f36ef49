/* SPDX-License-Identifier: MIT */
/*
 * Loading segment registers (SDM volume 3, chapter 5; volume 2, MOV). The
 * order of the checks is the order of the faults: table, type and privilege,
 * presence. The accessed bit is written after the last of them.
 */
#include "emu/cpu/pc/desc.h"
#include "emu/cpu/pc/mmu.h"

#define REAL_TYPE (SEG_PRESENT | SEG_S | SEG_WRITABLE | SEG_ACCESSED)

/* Real mode leaves limit and size as they are; virtual-8086 mode sets them. */
void seg_load_real(struct cpu *cpu, unsigned seg, uint32_t selector)
{
    struct cpu_seg *s = &cpu->seg[seg];
    s->selector = (uint16_t)selector;
    s->base = (selector & 0xffff) << 4;
    if (pc_v86(cpu)) {
        s->attr = REAL_TYPE | SEG_DPL;
        s->limit = 0xffff;
    } else {
        s->attr = (uint16_t)((s->attr & 0xff00) | REAL_TYPE);
    }
}

void seg_load_null(struct cpu *cpu, unsigned seg, uint32_t selector)
{
    cpu->seg[seg].selector = (uint16_t)selector;
    cpu->seg[seg].attr &= 0xff00;
}

enum cpu_status seg_check_data(struct cpu *cpu, uint32_t selector, unsigned cpl,
                               enum cpu_vector vector, struct desc *out)
{
    uint32_t error = desc_error(selector), rpl = selector & 3;
    enum cpu_status status = desc_read(cpu, selector, vector, error, out);
    if (status)
        return status;
    unsigned dpl = desc_dpl(out), asked = rpl > cpl ? rpl : cpl;
    bool refused = !desc_is_conforming(out) && asked > dpl;
    if (!desc_is_readable(out) || refused)
        return cpu_raise_error(cpu, vector, error);
    return desc_present(out) ? CPU_OK : cpu_raise_error(cpu, CPU_NP, error);
}

enum cpu_status seg_check_stack(struct cpu *cpu, uint32_t selector, unsigned cpl,
                                enum cpu_vector vector, uint32_t ext, struct desc *out)
{
    uint32_t error = desc_error(selector) | ext;
    if (desc_is_null(selector))
        return cpu_raise_error(cpu, vector, ext);
    enum cpu_status status = desc_read(cpu, selector, vector, error, out);
    if (status)
        return status;
    if ((selector & 3) != cpl || !desc_is_writable(out) || desc_dpl(out) != cpl)
        return cpu_raise_error(cpu, vector, error);
    return desc_present(out) ? CPU_OK : cpu_raise_error(cpu, CPU_SS, error);
}

enum cpu_status seg_load(struct cpu *cpu, unsigned seg, uint32_t selector)
{
    if (!pc_uses_descriptors(cpu)) {
        seg_load_real(cpu, seg, selector);
        return CPU_OK;
    }
    struct desc d;
    enum cpu_status status;
    if (seg == ISA_SS) {
        status = seg_check_stack(cpu, selector, cpu->cpl, CPU_GP, 0, &d);
    } else if (desc_is_null(selector)) {
        seg_load_null(cpu, seg, selector);
        return CPU_OK;
    } else {
        status = seg_check_data(cpu, selector, cpu->cpl, CPU_GP, &d);
    }
    if (status == CPU_OK)
        status = desc_set_type(cpu, &d, SEG_ACCESSED, 0);
    if (status == CPU_OK)
        cpu->seg[seg] = desc_segment(selector, &d);
    return status;
}

enum cpu_status seg_enter_code(struct cpu *cpu, uint32_t selector, struct desc *d, unsigned rpl)
{
    enum cpu_status status = desc_set_type(cpu, d, SEG_ACCESSED, 0);
    if (status)
        return status;
    cpu->seg[ISA_CS] = desc_segment((selector & 0xfffc) | rpl, d);
    cpu->code32 = (desc_attr(d) & SEG_BIG) != 0;
    return CPU_OK;
}

void seg_enter_code_real(struct cpu *cpu, uint32_t selector)
{
    seg_load_real(cpu, ISA_CS, selector);
    cpu->code32 = (cpu->seg[ISA_CS].attr & SEG_BIG) != 0;
}
