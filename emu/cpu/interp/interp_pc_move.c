/* SPDX-License-Identifier: MIT */
/* The PC machine's moves to and from segment registers and EFLAGS, and software interrupts. */
#include "emu/cpu/pc/event.h"
#include "emu/cpu/interp/interp.h"

/* MOV SS and POP SS hold off what might use the stack before eSP is there, too; the second of two
 * in a row does not. */
static void cast_shadow(struct cpu *cpu, unsigned seg)
{
    if (seg == ISA_SS && !(cpu->pc.shadow_now & CPU_SHADOW_SS))
        cpu->pc.shadow |= CPU_SHADOW_SS;
}

enum cpu_status interp_mov_sreg_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 1, &value);
    if (status)
        return status;
    if (insn->row->op[0].method != ISA_M_S)
        return interp_write_operand(cpu, insn, 0, value);
    status = seg_load(cpu, insn->reg, value);
    if (status == CPU_OK)
        cast_shadow(cpu, insn->reg);
    return status;
}

/* With 32-bit operands, too, only the selector's 16 bits are read, and checked. */
enum cpu_status interp_pop_sreg_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned seg = insn->row->op[0].fixed;
    uint32_t value, mask = cpu->seg[ISA_SS].attr & SEG_BIG ? UINT32_MAX : 0xffff;
    enum cpu_status status = interp_peek(cpu, 0, 2, &value);
    if (status == CPU_OK)
        status = seg_load(cpu, seg, value & 0xffff);
    if (status)
        return status;
    /* as wide as the stack was before POP SS */
    uint32_t esp = cpu->gpr[ISA_ESP];
    cpu->gpr[ISA_ESP] = (esp & ~mask) | ((esp + insn->opsize) & mask);
    cast_shadow(cpu, seg);
    return CPU_OK;
}

/* With 32-bit operands eSP moves by 4, but 16 bits are written, and checked. */
enum cpu_status interp_push_sreg_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t selector = cpu->seg[insn->row->op[0].fixed].selector, bytes = insn->opsize;
    uint32_t offset = interp_stack_offset(cpu, cpu->gpr[ISA_ESP] - bytes);
    enum cpu_status status = cpu_write_int(cpu, ISA_SS, offset, 2, selector);
    if (status == CPU_OK)
        interp_move_stack(cpu, -(int32_t)bytes);
    return status;
}

/* LDS and its kin: offset to a register, selector to the segment register. */
MUST_CHECK static enum cpu_status load_far(struct cpu *cpu, const struct isa_insn *insn,
                                           unsigned seg)
{
    struct interp_far far;
    enum cpu_status status = interp_far_target(cpu, insn, &far);
    if (status == CPU_OK)
        status = seg_load(cpu, seg, far.selector);
    if (status == CPU_OK)
        interp_set_reg(cpu, insn->reg, insn->opsize, far.offset);
    return status;
}

enum cpu_status interp_les_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_ES);
}

enum cpu_status interp_lds_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_DS);
}

enum cpu_status interp_lss_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_SS);
}

enum cpu_status interp_lfs_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_FS);
}

enum cpu_status interp_lgs_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return load_far(cpu, insn, ISA_GS);
}

/* EFLAGS */

/* In virtual-8086 mode with IOPL below 3 the flags are the monitor's, unless CR4.VME lends VIF. */
static bool flags_are_barred(const struct cpu *cpu)
{
    return pc_v86(cpu) && pc_iopl(cpu) < 3;
}

static bool lends_vif(const struct cpu *cpu, const struct isa_insn *insn)
{
    return (cpu->sys.cr4 & CR4_VME) && insn->opsize == 2;
}

enum cpu_status interp_pushf_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value = cpu->eflags & ~(uint32_t)(EFLAGS_VM | EFLAGS_RF);
    if (flags_are_barred(cpu)) {
        if (!lends_vif(cpu, insn))
            return cpu_raise_error(cpu, CPU_GP, 0);
        value = (value & ~(uint32_t)ISA_F_I) | EFLAGS_IOPL;
        value |= cpu->eflags & EFLAGS_VIF ? ISA_F_I : 0;
    }
    return interp_push(cpu, value, insn->opsize);
}

MUST_CHECK static enum cpu_status popf_vif(struct cpu *cpu, const struct isa_insn *insn,
                                           uint32_t value)
{
    bool enables = (value & ISA_F_I) && (cpu->eflags & EFLAGS_VIP);
    if (enables || (value & ISA_F_T))
        return cpu_raise_error(cpu, CPU_GP, 0);
    interp_move_stack(cpu, insn->opsize);
    value |= value & ISA_F_I ? EFLAGS_VIF : 0;
    pc_set_eflags(cpu, value, FLAGS_STATUS | ISA_F_T | ISA_F_D | EFLAGS_NT | EFLAGS_VIF);
    return CPU_OK;
}

/* IOPL only at ring 0, IF only with its privilege; RF is cleared, VM, VIF and VIP stay. */
enum cpu_status interp_popf_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value, mask = FLAGS_STATUS | ISA_F_T | ISA_F_D | EFLAGS_NT;
    if (flags_are_barred(cpu) && !lends_vif(cpu, insn))
        return cpu_raise_error(cpu, CPU_GP, 0);
    enum cpu_status status = interp_peek(cpu, 0, insn->opsize, &value);
    if (status)
        return status;
    if (flags_are_barred(cpu))
        return popf_vif(cpu, insn, value);
    if (insn->opsize == 4) {
        mask |= EFLAGS_AC | EFLAGS_ID | EFLAGS_RF;
        value &= ~(uint32_t)EFLAGS_RF;
    }
    if (cpu->cpl == 0)
        mask |= EFLAGS_IOPL;
    if (cpu->cpl <= pc_iopl(cpu))
        mask |= ISA_F_I;
    interp_move_stack(cpu, insn->opsize);
    pc_set_eflags(cpu, value, mask);
    return CPU_OK;
}

/* CLI and STI where IOPL does not allow them: VIF, in two cases (SDM volume 3, 20.3 and 20.4). */
MUST_CHECK static enum cpu_status change_vif(struct cpu *cpu, bool enable)
{
    bool vme = pc_v86(cpu) && (cpu->sys.cr4 & CR4_VME);
    bool pvi = pc_uses_descriptors(cpu) && cpu->cpl == 3 && (cpu->sys.cr4 & CR4_PVI);
    bool waits = enable && (cpu->eflags & EFLAGS_VIP);
    if ((!vme && !pvi) || waits)
        return cpu_raise_error(cpu, CPU_GP, 0);
    pc_set_eflags(cpu, enable ? EFLAGS_VIF : 0, EFLAGS_VIF);
    return CPU_OK;
}

enum cpu_status interp_cli_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    if (cpu->cpl > pc_iopl(cpu))
        return change_vif(cpu, false);
    cpu->eflags &= ~(uint32_t)ISA_F_I;
    return CPU_OK;
}

enum cpu_status interp_sti_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    if (cpu->cpl > pc_iopl(cpu))
        return change_vif(cpu, true);
    if (!(cpu->eflags & ISA_F_I))
        cpu->pc.shadow |= CPU_SHADOW_STI;
    cpu->eflags |= ISA_F_I;
    return CPU_OK;
}

/* Software interrupts */

MUST_CHECK static enum cpu_status software(struct cpu *cpu, uint8_t vector)
{
    struct event event = {.kind = EVENT_SOFTWARE, .vector = vector};
    return event_enter(cpu, &event);
}

#define TSS32_IO_MAP 102

/* Does the task state redirect INT n of virtual-8086 mode to that mode's own vectors? The 32 bytes
 * of that map lie below the map of ports. */
MUST_CHECK static enum cpu_status find_redirection(struct cpu *cpu, uint8_t vector, bool *redirects)
{
    const struct cpu_seg *tr = &cpu->sys.tr;
    uint16_t map;
    uint8_t bits = 0xff;
    *redirects = false;
    if (tr->limit < TSS32_IO_MAP + 1)
        return CPU_OK;
    enum cpu_status status = cpu_linear_read(cpu, tr->base + TSS32_IO_MAP, false, &map, 2);
    if (status)
        return status;
    uint32_t at = map - 32u + vector / 8;
    if (map < 32 || at > tr->limit)
        return CPU_OK;
    status = cpu_linear_read(cpu, tr->base + at, false, &bits, 1);
    *redirects = !(bits >> vector % 8 & 1);
    return status;
}

/* As real mode does it, but the IF that is kept is VIF when IOPL is below 3. */
MUST_CHECK static enum cpu_status redirect(struct cpu *cpu, uint8_t vector)
{
    uint32_t target, flags = cpu->eflags, bar = ISA_F_I;
    if (pc_iopl(cpu) < 3) {
        bar = EFLAGS_VIF;
        flags = (flags & ~(uint32_t)ISA_F_I) | EFLAGS_IOPL;
        flags |= cpu->eflags & EFLAGS_VIF ? ISA_F_I : 0;
    }
    const uint32_t frame[3] = {flags, cpu->seg[ISA_CS].selector, cpu->eip};
    uint32_t esp = cpu->gpr[ISA_ESP];
    enum cpu_status status = cpu_linear_read(cpu, vector * 4u, true, &target, 4);
    for (unsigned i = 0; i < 3 && status == CPU_OK; i++)
        status = interp_push(cpu, frame[i], 2);
    if (status) {
        cpu->gpr[ISA_ESP] = esp;
        return status;
    }
    seg_enter_code_real(cpu, target >> 16);
    cpu->eip = target & 0xffff;
    pc_set_eflags(cpu, 0, ISA_F_T | bar);
    return CPU_OK;
}

enum cpu_status interp_int_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    uint8_t vector = (uint8_t)insn->imm;
    if (pc_v86(cpu) && (cpu->sys.cr4 & CR4_VME)) {
        bool redirects;
        enum cpu_status status = find_redirection(cpu, vector, &redirects);
        if (status)
            return status;
        if (redirects)
            return redirect(cpu, vector);
    }
    if (pc_v86(cpu) && pc_iopl(cpu) < 3)
        return cpu_raise_error(cpu, CPU_GP, 0);
    return software(cpu, vector);
}

enum cpu_status interp_int3_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return software(cpu, CPU_BP);
}

enum cpu_status interp_into_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return cpu->eflags & ISA_F_O ? software(cpu, CPU_OF) : CPU_OK;
}

/* Not bound by the gate's privilege. */
enum cpu_status interp_int1_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    struct event event = {.kind = EVENT_TRAP, .vector = CPU_DB};
    cpu->sys.dr[7] &= ~(uint32_t)DR7_GD;
    return event_enter(cpu, &event);
}
