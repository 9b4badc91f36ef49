/* SPDX-License-Identifier: MIT */
/*
 * Control transfer. cpu->eip is already the address of the next instruction.
 * With a 16-bit operand size a target is truncated to 16 bits. A target that
 * cannot be fetched faults at the next instruction, not here.
 *
 * Far transfers do on a flat machine what they say, except that a selector is
 * only remembered.
 */
#include "emu/cpu/interp/interp.h"

static void jump(struct cpu *cpu, const struct isa_insn *insn, uint32_t target)
{
    cpu->eip = insn->opsize == 2 ? target & 0xffff : target;
}

/* A near transfer on a PC stays within the code segment. */
MUST_CHECK static enum cpu_status check_target(struct cpu *cpu, const struct isa_insn *insn,
                                               uint32_t target)
{
    uint32_t offset = insn->opsize == 2 ? target & 0xffff : target;
    bool outside = !cpu->flat && offset > cpu->seg[ISA_CS].limit;
    return outside ? cpu_raise_error(cpu, CPU_GP, 0) : CPU_OK;
}

/* The target of a near transfer: relative to the next instruction, or as the operand says. */
MUST_CHECK static enum cpu_status read_target(struct cpu *cpu, const struct isa_insn *insn,
                                              uint32_t *target)
{
    enum cpu_status status = interp_read_operand(cpu, insn, 0, target);
    if (insn->row->op[0].method == ISA_M_J)
        *target += cpu->eip;
    return status ? status : check_target(cpu, insn, *target);
}

enum cpu_status interp_jmp(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t target;
    enum cpu_status status = read_target(cpu, insn, &target);
    if (status == CPU_OK)
        jump(cpu, insn, target);
    return status;
}

enum cpu_status interp_call(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t target;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &target);
    if (status)
        return status;
    if (insn->row->op[0].method == ISA_M_J)
        target += cpu->eip;
    if (check_target(cpu, insn, target)) /* after the stack's faults */
        return interp_check_push(cpu, insn->opsize, insn->opsize) ? CPU_FAULT
                                                                  : check_target(cpu, insn, target);
    status = interp_push(cpu, cpu->eip, insn->opsize);
    if (status == CPU_OK)
        jump(cpu, insn, target);
    return status;
}

/* Bytes of arguments that RET n drops. */
static int32_t dropped(const struct isa_insn *insn)
{
    return insn->row->op[0].method == ISA_M_I ? (int32_t)(insn->imm & 0xffff) : 0;
}

enum cpu_status interp_ret(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t target;
    enum cpu_status status = interp_peek(cpu, 0, insn->opsize, &target);
    if (status == CPU_OK)
        status = check_target(cpu, insn, target);
    if (status)
        return status;
    interp_move_stack(cpu, insn->opsize + dropped(insn));
    jump(cpu, insn, target);
    return CPU_OK;
}

static enum cpu_status branch_if(struct cpu *cpu, const struct isa_insn *insn, bool taken)
{
    if (!taken)
        return CPU_OK;
    enum cpu_status status = check_target(cpu, insn, cpu->eip + insn->imm);
    if (status == CPU_OK)
        jump(cpu, insn, cpu->eip + insn->imm);
    return status;
}

enum cpu_status interp_jcc(struct cpu *cpu, const struct isa_insn *insn)
{
    return branch_if(cpu, insn, flags_condition(cpu->eflags, insn->cc));
}

enum cpu_status interp_jcxz(struct cpu *cpu, const struct isa_insn *insn)
{
    return branch_if(cpu, insn, !interp_reg(cpu, ISA_ECX, insn->adsize));
}

/* Counts down (as wide as addresses are) and jumps if anything remains and `holds`. */
MUST_CHECK static enum cpu_status loop_while(struct cpu *cpu, const struct isa_insn *insn,
                                             bool holds)
{
    uint32_t count = interp_reg(cpu, ISA_ECX, insn->adsize) - 1;
    enum cpu_status status = branch_if(cpu, insn, (count & flags_mask(insn->adsize)) && holds);
    if (status == CPU_OK)
        interp_set_reg(cpu, ISA_ECX, insn->adsize, count);
    return status;
}

enum cpu_status interp_loop(struct cpu *cpu, const struct isa_insn *insn)
{
    return loop_while(cpu, insn, true);
}

enum cpu_status interp_loope(struct cpu *cpu, const struct isa_insn *insn)
{
    return loop_while(cpu, insn, cpu->eflags & ISA_F_Z);
}

enum cpu_status interp_loopne(struct cpu *cpu, const struct isa_insn *insn)
{
    return loop_while(cpu, insn, !(cpu->eflags & ISA_F_Z));
}

enum cpu_status interp_far_target(struct cpu *cpu, const struct isa_insn *insn,
                                  struct interp_far *far)
{
    if (!insn->has_mem) {
        *far = (struct interp_far){insn->imm, insn->imm2};
        return CPU_OK;
    }
    uint32_t at = interp_address(cpu, insn);
    uint32_t behind = (at + insn->opsize) & flags_mask(insn->adsize); /* 16 bits wrap */
    enum cpu_status status = cpu_read_int(cpu, insn->seg, at, insn->opsize, &far->offset);
    if (status == CPU_OK)
        status = cpu_read_int(cpu, insn->seg, behind, 2, &far->selector);
    return status;
}

static void jump_far(struct cpu *cpu, const struct isa_insn *insn, const struct interp_far *far)
{
    cpu->seg[ISA_CS].selector = (uint16_t)far->selector;
    jump(cpu, insn, far->offset);
}

enum cpu_status interp_jmp_far(struct cpu *cpu, const struct isa_insn *insn)
{
    struct interp_far far;
    enum cpu_status status = interp_far_target(cpu, insn, &far);
    if (status == CPU_OK)
        jump_far(cpu, insn, &far);
    return status;
}

enum cpu_status interp_call_far(struct cpu *cpu, const struct isa_insn *insn)
{
    struct interp_far far;
    unsigned bytes = insn->opsize;
    enum cpu_status status = interp_far_target(cpu, insn, &far);
    if (status == CPU_OK)
        status = interp_check_push(cpu, 2 * bytes, bytes);
    if (status == CPU_OK)
        status = interp_push(cpu, cpu->seg[ISA_CS].selector, bytes);
    if (status == CPU_OK)
        status = interp_push(cpu, cpu->eip, bytes);
    if (status == CPU_OK)
        jump_far(cpu, insn, &far);
    return status;
}

MUST_CHECK static enum cpu_status peek_far(struct cpu *cpu, const struct isa_insn *insn,
                                           struct interp_far *far)
{
    enum cpu_status status = interp_peek(cpu, 0, insn->opsize, &far->offset);
    if (status == CPU_OK)
        status = interp_peek(cpu, insn->opsize, insn->opsize, &far->selector);
    return status;
}

enum cpu_status interp_ret_far(struct cpu *cpu, const struct isa_insn *insn)
{
    struct interp_far far;
    enum cpu_status status = peek_far(cpu, insn, &far);
    if (status)
        return status;
    interp_move_stack(cpu, 2 * insn->opsize + dropped(insn));
    jump_far(cpu, insn, &far);
    return CPU_OK;
}

enum cpu_status interp_iret(struct cpu *cpu, const struct isa_insn *insn)
{
    struct interp_far far;
    uint32_t eflags;
    enum cpu_status status = peek_far(cpu, insn, &far);
    if (status == CPU_OK)
        status = interp_peek(cpu, 2u * insn->opsize, insn->opsize, &eflags);
    if (status)
        return status;
    interp_move_stack(cpu, 3 * insn->opsize);
    flags_load_user(cpu, eflags, insn->opsize);
    jump_far(cpu, insn, &far);
    return CPU_OK;
}

/*
 * Signed: the index must lie within [lower, upper]. The upper bound is read
 * only if the lower one holds, as the processor does it.
 */
enum cpu_status interp_bound(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned bytes = insn->opsize;
    uint32_t at = interp_address(cpu, insn), bound;
    int32_t index = flags_sign_extend(interp_reg(cpu, insn->reg, bytes), bytes);
    enum cpu_status status = cpu_read_int(cpu, insn->seg, at, bytes, &bound);
    if (status)
        return status;
    if (index < flags_sign_extend(bound, bytes))
        return cpu_raise(cpu, CPU_BR);
    at = (at + bytes) & flags_mask(insn->adsize); /* 16 bits wrap */
    status = cpu_read_int(cpu, insn->seg, at, bytes, &bound);
    if (status)
        return status;
    return index > flags_sign_extend(bound, bytes) ? cpu_raise(cpu, CPU_BR) : CPU_OK;
}

enum cpu_status interp_int3(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return cpu_raise(cpu, CPU_BP);
}

enum cpu_status interp_int1(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return cpu_raise(cpu, CPU_DB);
}

enum cpu_status interp_into(struct cpu *cpu, const struct isa_insn *insn)
{
    (void)insn;
    return cpu->eflags & ISA_F_O ? cpu_raise(cpu, CPU_OF) : CPU_OK;
}
