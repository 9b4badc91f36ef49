/* SPDX-License-Identifier: MIT */
/* Descriptors in memory: reading, taking apart, marking. */
#include "emu/cpu/pc/desc.h"

uint32_t desc_base(const struct desc *d)
{
    return d->low >> 16 | (d->high & 0xff) << 16 | (d->high & 0xff000000u);
}

uint32_t desc_limit(const struct desc *d)
{
    uint32_t limit = (d->low & 0xffff) | (d->high & 0xf0000);
    return desc_attr(d) & SEG_GRANULAR ? limit << 12 | 0xfff : limit;
}

struct cpu_seg desc_segment(uint32_t selector, const struct desc *d)
{
    return (struct cpu_seg){(uint16_t)selector, desc_attr(d), desc_base(d), desc_limit(d)};
}

uint32_t gate_offset(const struct desc *d)
{
    bool is_386 = desc_attr(d) & 8;
    return (d->low & 0xffff) | (is_386 ? d->high & 0xffff0000u : 0);
}

enum cpu_status desc_find(struct cpu *cpu, uint32_t selector, struct desc *out, bool *found)
{
    const struct cpu_sys *sys = &cpu->sys;
    bool local = selector & 4, usable = !local || (sys->ldt.attr & SEG_PRESENT);
    uint32_t at = selector & 0xfff8, limit = local ? sys->ldt.limit : sys->gdt.limit;
    *found = usable && at + 7 <= limit;
    if (!*found)
        return CPU_OK;
    uint32_t words[2] = {0, 0};
    out->linear = (local ? sys->ldt.base : sys->gdt.base) + at;
    enum cpu_status status = cpu_linear_read(cpu, out->linear, false, words, sizeof(words));
    out->low = words[0];
    out->high = words[1];
    return status;
}

enum cpu_status desc_read(struct cpu *cpu, uint32_t selector, enum cpu_vector vector,
                          uint32_t error, struct desc *out)
{
    bool found;
    enum cpu_status status = desc_find(cpu, selector, out, &found);
    if (status == CPU_OK && !found)
        return cpu_raise_error(cpu, vector, error);
    return status;
}

enum cpu_status desc_set_type(struct cpu *cpu, struct desc *d, uint32_t set, uint32_t clear)
{
    uint32_t high = (d->high & ~(clear << 8)) | set << 8;
    if (high == d->high)
        return CPU_OK;
    uint8_t byte = (uint8_t)(high >> 8);
    enum cpu_status status = cpu_linear_write(cpu, d->linear + 5, false, &byte, 1);
    if (status == CPU_OK)
        d->high = high;
    return status;
}
