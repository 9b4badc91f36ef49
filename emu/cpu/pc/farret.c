/* SPDX-License-Identifier: MIT */
/*
 * Far returns (SDM volume 2, RET and IRET): to the same level or outwards. An
 * outward return takes away what the outer level may not have in DS, ES, FS and
 * GS.
 */
#include "emu/cpu/pc/farret.h"

#include "emu/cpu/pc/event.h"
#include "emu/cpu/interp/interp.h"

MUST_CHECK static enum cpu_status check_code(struct cpu *cpu, struct farret *ret)
{
    uint32_t error = desc_error(ret->cs);
    if (desc_is_null(ret->cs))
        return cpu_raise_error(cpu, CPU_GP, 0);
    enum cpu_status status = desc_read(cpu, ret->cs, CPU_GP, error, &ret->code);
    if (status)
        return status;
    unsigned rpl = ret->cs & 3, dpl = desc_dpl(&ret->code);
    bool fits = desc_is_conforming(&ret->code) ? dpl <= rpl : dpl == rpl;
    if (!desc_is_code(&ret->code) || rpl < cpu->cpl || !fits)
        return cpu_raise_error(cpu, CPU_GP, error);
    return desc_present(&ret->code) ? CPU_OK : cpu_raise_error(cpu, CPU_NP, error);
}

MUST_CHECK static enum cpu_status check_offset(struct cpu *cpu, const struct farret *ret)
{
    return ret->eip > desc_limit(&ret->code) ? cpu_raise_error(cpu, CPU_GP, 0) : CPU_OK;
}

/* The new level may keep a segment if it could have loaded it. */
static void drop_segments(struct cpu *cpu)
{
    static const uint8_t data[4] = {ISA_ES, ISA_DS, ISA_FS, ISA_GS};
    for (unsigned i = 0; i < 4; i++) {
        const struct cpu_seg *s = &cpu->seg[data[i]];
        bool conforming = (s->attr & SEG_CODE) && (s->attr & SEG_CONFORMING);
        unsigned dpl = (s->attr & SEG_DPL) >> SEG_DPL_SHIFT;
        if ((s->attr & SEG_PRESENT) && !conforming && dpl < cpu->cpl)
            seg_load_null(cpu, data[i], 0);
    }
}

MUST_CHECK static enum cpu_status go_outer(struct cpu *cpu, struct farret *ret)
{
    unsigned level = ret->cs & 3;
    uint32_t esp, selector = 0;
    struct desc ss;
    stack_drop(&ret->stack, ret->drop);
    enum cpu_status status = stack_pop(cpu, &ret->stack, ret->bytes, &esp);
    if (status == CPU_OK)
        status = stack_pop(cpu, &ret->stack, ret->bytes, &selector);
    selector &= 0xffff;
    if (status == CPU_OK)
        status = seg_check_stack(cpu, selector, level, CPU_GP, 0, &ss);
    if (status == CPU_OK)
        status = check_offset(cpu, ret);
    if (status == CPU_OK)
        status = desc_set_type(cpu, &ss, SEG_ACCESSED, 0);
    if (status == CPU_OK)
        status = seg_enter_code(cpu, ret->cs, &ret->code, level);
    if (status)
        return status;
    struct stack outer = {.seg = desc_segment(selector, &ss), .esp = esp};
    stack_drop(&outer, ret->drop);
    stack_commit(cpu, &outer);
    cpu->eip = ret->eip;
    pc_set_cpl(cpu, level);
    drop_segments(cpu);
    return CPU_OK;
}

enum cpu_status farret_go(struct cpu *cpu, struct farret *ret)
{
    ret->cs &= 0xffff;
    enum cpu_status status = check_code(cpu, ret);
    if (status)
        return status;
    if ((ret->cs & 3) > cpu->cpl)
        return go_outer(cpu, ret);
    status = check_offset(cpu, ret);
    if (status == CPU_OK)
        status = seg_enter_code(cpu, ret->cs, &ret->code, cpu->cpl);
    if (status)
        return status;
    stack_drop(&ret->stack, ret->drop);
    stack_commit(cpu, &ret->stack);
    cpu->eip = ret->eip;
    return CPU_OK;
}

MUST_CHECK static enum cpu_status return_real(struct cpu *cpu, struct farret *ret)
{
    uint32_t limit = pc_v86(cpu) ? 0xffff : cpu->seg[ISA_CS].limit;
    if (ret->eip > limit)
        return cpu_raise_error(cpu, CPU_GP, 0);
    stack_drop(&ret->stack, ret->drop);
    stack_commit(cpu, &ret->stack);
    seg_enter_code_real(cpu, ret->cs);
    cpu->eip = ret->eip;
    return CPU_OK;
}

enum cpu_status interp_ret_far_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    bool drops = insn->row->op[0].method == ISA_M_I;
    struct farret ret = {
        .bytes = insn->opsize, .drop = drops ? insn->imm & 0xffff : 0, .stack = stack_present(cpu)};
    enum cpu_status status = stack_pop(cpu, &ret.stack, ret.bytes, &ret.eip);
    if (status == CPU_OK)
        status = stack_pop(cpu, &ret.stack, ret.bytes, &ret.cs);
    if (status)
        return status;
    return pc_uses_descriptors(cpu) ? farret_go(cpu, &ret) : return_real(cpu, &ret);
}

/* IRET */

/* Flags that IRET may change at the privilege before it. */
static uint32_t iret_flags(const struct cpu *cpu, unsigned bytes)
{
    uint32_t mask = FLAGS_STATUS | ISA_F_T | ISA_F_D | EFLAGS_NT;
    if (bytes == 4)
        mask |= EFLAGS_RF | EFLAGS_AC | EFLAGS_ID;
    if (cpu->cpl == 0)
        mask |= EFLAGS_IOPL | (bytes == 4 && pc_protected(cpu) ? EFLAGS_VIF | EFLAGS_VIP : 0);
    if (cpu->cpl <= pc_iopl(cpu))
        mask |= ISA_F_I;
    return mask;
}

MUST_CHECK static enum cpu_status return_to_v86(struct cpu *cpu, struct farret *ret, uint32_t flags)
{
    static const uint8_t order[6] = {ISA_SS, ISA_ES, ISA_DS, ISA_FS, ISA_GS, ISA_CS};
    uint32_t esp, selector[6];
    enum cpu_status status = stack_pop(cpu, &ret->stack, 4, &esp);
    for (unsigned i = 0; i < 5 && status == CPU_OK; i++)
        status = stack_pop(cpu, &ret->stack, 4, &selector[i]);
    if (status)
        return status;
    if (ret->eip > 0xffff)
        return cpu_raise_error(cpu, CPU_GP, 0);
    selector[5] = ret->cs;
    pc_set_eflags(cpu, flags, UINT32_MAX);
    pc_set_cpl(cpu, 3);
    for (unsigned i = 0; i < 6; i++)
        seg_load_real(cpu, order[i], selector[i]);
    cpu->code32 = 0;
    cpu->gpr[ISA_ESP] = esp;
    cpu->eip = ret->eip;
    return CPU_OK;
}

/* NT: back to the task that the back link names. */
MUST_CHECK static enum cpu_status return_to_task(struct cpu *cpu)
{
    uint16_t link;
    struct desc tss;
    enum cpu_status status = cpu_linear_read(cpu, cpu->sys.tr.base, false, &link, 2);
    if (status)
        return status;
    uint32_t error = desc_error(link);
    if (link & 4)
        return cpu_raise_error(cpu, CPU_TS, error);
    status = desc_read(cpu, link, CPU_TS, error, &tss);
    if (status)
        return status;
    unsigned type = desc_system_type(&tss);
    if (type != SYS_TSS16_BUSY && type != SYS_TSS32_BUSY)
        return cpu_raise_error(cpu, CPU_TS, error);
    if (!desc_present(&tss))
        return cpu_raise_error(cpu, CPU_NP, error);
    return task_switch(cpu, link, &tss, TASK_RETURN, cpu->eflags, NULL);
}

MUST_CHECK static enum cpu_status return_protected(struct cpu *cpu, struct farret *ret,
                                                   uint32_t flags)
{
    uint32_t mask = iret_flags(cpu, ret->bytes);
    bool to_v86 = ret->bytes == 4 && (flags & EFLAGS_VM) && cpu->cpl == 0;
    if (to_v86)
        return return_to_v86(cpu, ret, flags);
    enum cpu_status status = farret_go(cpu, ret);
    if (status == CPU_OK)
        pc_set_eflags(cpu, flags, mask);
    return status;
}

/* Real mode, and virtual-8086 mode with IOPL 3. */
MUST_CHECK static enum cpu_status iret_real(struct cpu *cpu, struct farret *ret, uint32_t flags)
{
    uint32_t mask = iret_flags(cpu, ret->bytes);
    enum cpu_status status = return_real(cpu, ret);
    if (status == CPU_OK)
        pc_set_eflags(cpu, flags, mask);
    return status;
}

/* Virtual-8086 mode with CR4.VME and IOPL below 3: IF is VIF, 16 bits only. */
MUST_CHECK static enum cpu_status iret_vme(struct cpu *cpu, struct farret *ret, uint32_t flags)
{
    bool enables = (flags & ISA_F_I) && (cpu->eflags & EFLAGS_VIP);
    if (ret->bytes == 4 || !(cpu->sys.cr4 & CR4_VME) || enables || (flags & ISA_F_T))
        return cpu_raise_error(cpu, CPU_GP, 0);
    uint32_t mask = FLAGS_STATUS | ISA_F_T | ISA_F_D | EFLAGS_NT | EFLAGS_VIF;
    enum cpu_status status = return_real(cpu, ret);
    if (status == CPU_OK)
        pc_set_eflags(cpu, flags | (flags & ISA_F_I ? (uint32_t)EFLAGS_VIF : 0), mask);
    return status;
}

MUST_CHECK static enum cpu_status iret(struct cpu *cpu, const struct isa_insn *insn)
{
    struct farret ret = {.bytes = insn->opsize, .stack = stack_present(cpu)};
    uint32_t flags;
    if (pc_v86(cpu) && pc_iopl(cpu) < 3 && !(cpu->sys.cr4 & CR4_VME))
        return cpu_raise_error(cpu, CPU_GP, 0);
    if (pc_uses_descriptors(cpu) && (cpu->eflags & EFLAGS_NT))
        return return_to_task(cpu);
    enum cpu_status status = stack_pop(cpu, &ret.stack, ret.bytes, &ret.eip);
    if (status == CPU_OK)
        status = stack_pop(cpu, &ret.stack, ret.bytes, &ret.cs);
    if (status == CPU_OK)
        status = stack_pop(cpu, &ret.stack, ret.bytes, &flags);
    if (status)
        return status;
    if (pc_uses_descriptors(cpu))
        return return_protected(cpu, &ret, flags);
    bool vme = pc_v86(cpu) && pc_iopl(cpu) < 3;
    return vme ? iret_vme(cpu, &ret, flags) : iret_real(cpu, &ret, flags);
}

enum cpu_status interp_iret_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    enum cpu_status status = iret(cpu, insn);
    if (status == CPU_OK || cpu->pc.committed) {
        cpu->pc.nmi_blocked = 0;
        cpu->pc.loaded_flags = 1;
    }
    return status;
}
