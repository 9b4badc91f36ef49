/* SPDX-License-Identifier: MIT */
/*
 * Asking and telling about descriptors: LAR, LSL, VERR, VERW, ARPL, and the
 * registers of the tables. Undefined outside of protected mode where a
 * selector would have to name a descriptor.
 */
#include "emu/cpu/pc/desc.h"
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/pc/mmu.h"

/* The descriptor that an operand names, if it may be seen: within privilege, and of those types. */
MUST_CHECK static enum cpu_status look(struct cpu *cpu, const struct isa_insn *insn, unsigned n,
                                       uint32_t system_types, struct desc *d, bool *visible)
{
    uint32_t selector;
    *visible = false;
    if (!pc_uses_descriptors(cpu))
        return cpu_raise(cpu, CPU_UD);
    enum cpu_status status = interp_read_operand(cpu, insn, n, &selector);
    if (status || desc_is_null(selector))
        return status;
    bool found;
    status = desc_find(cpu, selector, d, &found);
    if (status || !found)
        return status;
    unsigned dpl = desc_dpl(d), rpl = selector & 3, type = desc_system_type(d);
    bool privileged = desc_is_conforming(d) || (dpl >= cpu->cpl && dpl >= rpl);
    *visible = privileged && (type == 16 || (system_types >> type & 1));
    return CPU_OK;
}

#define TYPES_LSL                                                                                  \
    (1u << SYS_TSS16 | 1u << SYS_LDT | 1u << SYS_TSS16_BUSY | 1u << SYS_TSS32 |                    \
     1u << SYS_TSS32_BUSY)
#define TYPES_LAR (TYPES_LSL | 1u << SYS_CALL16 | 1u << SYS_TASK_GATE | 1u << SYS_CALL32)

/* ZF, and the register if it is set. */
static void answer(struct cpu *cpu, const struct isa_insn *insn, bool visible, uint32_t value)
{
    flags_set(cpu, ISA_F_Z, visible ? ISA_F_Z : 0);
    if (visible)
        interp_set_reg(cpu, insn->reg, insn->opsize, value);
}

enum cpu_status interp_lar_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    struct desc d = {0};
    bool visible;
    enum cpu_status status = look(cpu, insn, 1, TYPES_LAR, &d, &visible);
    if (status == CPU_OK)
        answer(cpu, insn, visible, d.high & 0xffff00);
    return status;
}

enum cpu_status interp_lsl_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    struct desc d = {0};
    bool visible;
    enum cpu_status status = look(cpu, insn, 1, TYPES_LSL, &d, &visible);
    if (status == CPU_OK)
        answer(cpu, insn, visible, desc_limit(&d));
    return status;
}

enum cpu_status interp_verr_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    struct desc d = {0};
    bool visible;
    enum cpu_status status = look(cpu, insn, 0, 0, &d, &visible);
    if (status == CPU_OK)
        flags_set(cpu, ISA_F_Z, visible && desc_is_readable(&d) ? ISA_F_Z : 0);
    return status;
}

enum cpu_status interp_verw_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    struct desc d = {0};
    bool visible;
    enum cpu_status status = look(cpu, insn, 0, 0, &d, &visible);
    if (status == CPU_OK)
        flags_set(cpu, ISA_F_Z, visible && desc_is_writable(&d) ? ISA_F_Z : 0);
    return status;
}

enum cpu_status interp_arpl_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return pc_uses_descriptors(cpu) ? interp_arpl(cpu, insn) : cpu_raise(cpu, CPU_UD);
}

/* Registers of tables */

static enum cpu_status store_selector(struct cpu *cpu, const struct isa_insn *insn,
                                      uint16_t selector)
{
    if (!pc_uses_descriptors(cpu))
        return cpu_raise(cpu, CPU_UD);
    return interp_write_operand(cpu, insn, 0, selector);
}

enum cpu_status interp_sldt_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return store_selector(cpu, insn, cpu->sys.ldt.selector);
}

enum cpu_status interp_str_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return store_selector(cpu, insn, cpu->sys.tr.selector);
}

/* The operand of LLDT and LTR: a descriptor of the global table. */
MUST_CHECK static enum cpu_status read_system(struct cpu *cpu, uint32_t selector, unsigned types,
                                              struct desc *d)
{
    uint32_t error = desc_error(selector);
    if (selector & 4)
        return cpu_raise_error(cpu, CPU_GP, error);
    enum cpu_status status = desc_read(cpu, selector, CPU_GP, error, d);
    if (status)
        return status;
    if (!(types >> desc_system_type(d) & 1))
        return cpu_raise_error(cpu, CPU_GP, error);
    return desc_present(d) ? CPU_OK : cpu_raise_error(cpu, CPU_NP, error);
}

MUST_CHECK static enum cpu_status begin_load(struct cpu *cpu, const struct isa_insn *insn,
                                             uint32_t *selector)
{
    if (!pc_uses_descriptors(cpu))
        return cpu_raise(cpu, CPU_UD);
    if (cpu->cpl)
        return cpu_raise_error(cpu, CPU_GP, 0);
    return interp_read_operand(cpu, insn, 0, selector);
}

enum cpu_status interp_lldt_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t selector;
    struct desc d;
    enum cpu_status status = begin_load(cpu, insn, &selector);
    if (status)
        return status;
    if (desc_is_null(selector)) {
        cpu->sys.ldt = (struct cpu_seg){.selector = (uint16_t)selector};
        return CPU_OK;
    }
    status = read_system(cpu, selector, 1u << SYS_LDT, &d);
    if (status == CPU_OK)
        cpu->sys.ldt = desc_segment(selector, &d);
    return status;
}

enum cpu_status interp_ltr_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t selector;
    struct desc d;
    enum cpu_status status = begin_load(cpu, insn, &selector);
    if (status)
        return status;
    if (desc_is_null(selector))
        return cpu_raise_error(cpu, CPU_GP, 0);
    status = read_system(cpu, selector, 1u << SYS_TSS16 | 1u << SYS_TSS32, &d);
    if (status == CPU_OK)
        status = desc_set_type(cpu, &d, SYS_BUSY, 0);
    if (status == CPU_OK)
        cpu->sys.tr = desc_segment(selector, &d);
    return status;
}

MUST_CHECK static enum cpu_status load_table(struct cpu *cpu, const struct isa_insn *insn,
                                             struct cpu_table *table)
{
    uint32_t at = interp_address(cpu, insn), limit, base;
    enum cpu_status status = cpu_read_int(cpu, insn->seg, at, 2, &limit);
    if (status == CPU_OK)
        status = cpu_read_int(cpu, insn->seg, at + 2, 4, &base);
    if (status)
        return status;
    table->limit = (uint16_t)limit;
    table->base = insn->opsize == 2 ? base & 0xffffff : base;
    return CPU_OK;
}

enum cpu_status interp_lgdt_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_table(cpu, insn, &cpu->sys.gdt);
}

enum cpu_status interp_lidt_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_table(cpu, insn, &cpu->sys.idt);
}

static enum cpu_status store_table(struct cpu *cpu, const struct isa_insn *insn,
                                   const struct cpu_table *table)
{
    uint8_t raw[6];
    cpu_store(raw, 2, table->limit);
    cpu_store(raw + 2, 4, table->base);
    return cpu_write(cpu, insn->seg, interp_address(cpu, insn), raw, sizeof(raw));
}

enum cpu_status interp_sgdt_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return store_table(cpu, insn, &cpu->sys.gdt);
}

enum cpu_status interp_sidt_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return store_table(cpu, insn, &cpu->sys.idt);
}
