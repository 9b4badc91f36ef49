/* SPDX-License-Identifier: MIT */
/*
 * The stack. Memory is touched first and eSP moves last, so a stack fault
 * leaves everything as it was.
 */
#include "emu/cpu/interp/interp.h"

enum cpu_status interp_push_value(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_read_operand(cpu, insn, 0, &value);
    return status ? status : interp_push(cpu, value, insn->opsize);
}

/* A destination addressed through eSP sees it after the pop; POP ESP keeps what was popped. */
enum cpu_status interp_pop_value(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value, esp = cpu->gpr[ISA_ESP];
    enum cpu_status status = interp_peek(cpu, 0, insn->opsize, &value);
    if (status)
        return status;
    interp_move_stack(cpu, insn->opsize);
    status = interp_write_operand(cpu, insn, 0, value);
    if (status)
        cpu->gpr[ISA_ESP] = esp;
    return status;
}

/* The selector is zero-extended to the operand size. */
enum cpu_status interp_push_sreg(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_push_value(cpu, insn);
}

enum cpu_status interp_pop_sreg(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_peek(cpu, 0, insn->opsize, &value);
    if (status)
        return status;
    interp_move_stack(cpu, insn->opsize);
    cpu->seg[insn->row->op[0].fixed].selector = (uint16_t)value;
    return CPU_OK;
}

/*
 * Eight words, EAX first, with eSP as it was before. All are checked first; on a
 * PC one can still fault, if the stack lies over its own page table.
 */
enum cpu_status interp_pusha(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned bytes = insn->opsize;
    uint32_t esp = cpu->gpr[ISA_ESP];
    enum cpu_status status = CPU_OK;
    for (unsigned i = 0; i < 8 && status == CPU_OK; i++)
        status = interp_check_push(cpu, (i + 1) * bytes, bytes);
    for (unsigned i = 0; i < 8 && status == CPU_OK; i++)
        status = interp_push(cpu, i == ISA_ESP ? esp : cpu->gpr[i], bytes);
    if (status)
        cpu->gpr[ISA_ESP] = esp;
    return status;
}

enum cpu_status interp_popa(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned bytes = insn->opsize;
    uint32_t value[8];
    for (unsigned i = 0; i < 8; i++) {
        enum cpu_status status = interp_peek(cpu, i * bytes, bytes, &value[7 - i]);
        if (status)
            return status;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i != ISA_ESP)
            interp_set_reg(cpu, i, bytes, value[i]);
    }
    interp_move_stack(cpu, (int32_t)(8 * bytes));
    return CPU_OK;
}

enum cpu_status interp_pushf(struct cpu *cpu, const struct isa_insn *insn)
{
    return interp_push(cpu, cpu->eflags, insn->opsize);
}

enum cpu_status interp_popf(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value;
    enum cpu_status status = interp_peek(cpu, 0, insn->opsize, &value);
    if (status)
        return status;
    interp_move_stack(cpu, insn->opsize);
    flags_load_user(cpu, value, insn->opsize);
    return CPU_OK;
}

enum cpu_status interp_leave(struct cpu *cpu, const struct isa_insn *insn)
{
    uint32_t value, esp = cpu->gpr[ISA_ESP];
    interp_set_stack(cpu, cpu->gpr[ISA_EBP]);
    enum cpu_status status = interp_peek(cpu, 0, insn->opsize, &value);
    if (status) {
        cpu->gpr[ISA_ESP] = esp;
        return status;
    }
    interp_move_stack(cpu, insn->opsize);
    interp_set_reg(cpu, ISA_EBP, insn->opsize, value);
    return CPU_OK;
}

/* Copies the frame pointers of the `level - 1` enclosing frames, then pushes the new one. */
MUST_CHECK static enum cpu_status enter_display(struct cpu *cpu, unsigned level, unsigned bytes,
                                                uint32_t frame)
{
    for (unsigned i = 1; i < level; i++) {
        uint32_t value, offset = interp_stack_offset(cpu, cpu->gpr[ISA_EBP] - i * bytes);
        enum cpu_status status = cpu_read_int(cpu, ISA_SS, offset, bytes, &value);
        if (status == CPU_OK)
            status = interp_push(cpu, value, bytes);
        if (status)
            return status;
    }
    return level ? interp_push(cpu, frame, bytes) : CPU_OK;
}

/*
 * The pushes go below eSP, where nothing lives, so undoing eSP is enough when
 * a later step faults. The last step that can is a write at the final eSP.
 */
enum cpu_status interp_enter(struct cpu *cpu, const struct isa_insn *insn)
{
    unsigned bytes = insn->opsize, level = insn->imm2 & 31;
    uint32_t esp = cpu->gpr[ISA_ESP], size = insn->imm & 0xffff;
    enum cpu_status status = interp_push(cpu, interp_reg(cpu, ISA_EBP, bytes), bytes);
    uint32_t frame =
        esp - bytes; /* eSP as it was counts down, even where the stack wraps SP alone */
    if (status == CPU_OK)
        status = enter_display(cpu, level, bytes, frame);
    if (status == CPU_OK) {
        interp_move_stack(cpu, -(int32_t)size);
        uint32_t top = interp_stack_offset(cpu, cpu->gpr[ISA_ESP]);
        status = cpu_check_write(cpu, ISA_SS, top, bytes);
    }
    if (status) {
        cpu->gpr[ISA_ESP] = esp;
        return status;
    }
    interp_set_reg(cpu, ISA_EBP, bytes, frame);
    return CPU_OK;
}
