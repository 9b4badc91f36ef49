/* SPDX-License-Identifier: MIT */
/*
 * Far jumps, calls and returns: real mode, code segments, call gates of both
 * forms, task gates and task states (SDM volume 2, JMP, CALL, RET; volume 3,
 * 5.8). All checks and all pushes come before the first register changes.
 */
#include "emu/cpu/pc/event.h"
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/pc/stack.h"

MUST_CHECK static enum cpu_status push_return(struct cpu *cpu, struct stack *stack, unsigned bytes)
{
    enum cpu_status status = stack_push(cpu, stack, cpu->seg[ISA_CS].selector, bytes);
    return status ? status : stack_push(cpu, stack, cpu->eip, bytes);
}

/* Real and virtual-8086 mode. */
MUST_CHECK static enum cpu_status go_real(struct cpu *cpu, const struct interp_far *far, bool call,
                                          unsigned bytes)
{
    uint32_t limit = pc_v86(cpu) ? 0xffff : cpu->seg[ISA_CS].limit;
    struct stack stack = stack_present(cpu);
    enum cpu_status status = call ? push_return(cpu, &stack, bytes) : CPU_OK;
    if (status)
        return status;
    if (far->offset > limit)
        return cpu_raise_error(cpu, CPU_GP, 0);
    stack_commit(cpu, &stack);
    seg_enter_code_real(cpu, far->selector);
    cpu->eip = far->offset;
    return CPU_OK;
}

/* Same privilege: `code` has been checked; `cpl` is in the new CS. */
MUST_CHECK static enum cpu_status go_same(struct cpu *cpu, const struct interp_far *far,
                                          struct desc *code, bool call, unsigned bytes)
{
    struct stack stack = stack_present(cpu);
    enum cpu_status status = call ? push_return(cpu, &stack, bytes) : CPU_OK;
    if (status == CPU_OK && far->offset > desc_limit(code))
        status = cpu_raise_error(cpu, CPU_GP, 0);
    if (status == CPU_OK)
        status = seg_enter_code(cpu, far->selector, code, cpu->cpl);
    if (status)
        return status;
    stack_commit(cpu, &stack);
    cpu->eip = far->offset;
    return CPU_OK;
}

MUST_CHECK static enum cpu_status go_direct(struct cpu *cpu, const struct interp_far *far,
                                            struct desc *code, bool call, unsigned bytes)
{
    uint32_t error = desc_error(far->selector);
    unsigned dpl = desc_dpl(code), rpl = far->selector & 3;
    bool allowed = desc_is_conforming(code) ? dpl <= cpu->cpl : rpl <= cpu->cpl && dpl == cpu->cpl;
    if (!allowed)
        return cpu_raise_error(cpu, CPU_GP, error);
    if (!desc_present(code))
        return cpu_raise_error(cpu, CPU_NP, error);
    return go_same(cpu, far, code, call, bytes);
}

/* The code segment that a call gate names. */
MUST_CHECK static enum cpu_status check_gate_code(struct cpu *cpu, uint32_t selector, bool call,
                                                  struct desc *code)
{
    uint32_t error = desc_error(selector);
    if (desc_is_null(selector))
        return cpu_raise_error(cpu, CPU_GP, 0);
    enum cpu_status status = desc_read(cpu, selector, CPU_GP, error, code);
    if (status)
        return status;
    unsigned dpl = desc_dpl(code);
    bool allowed = call || desc_is_conforming(code) ? dpl <= cpu->cpl : dpl == cpu->cpl;
    if (!desc_is_code(code) || !allowed)
        return cpu_raise_error(cpu, CPU_GP, error);
    return desc_present(code) ? CPU_OK : cpu_raise_error(cpu, CPU_NP, error);
}

#define GATE_MAX_PARAMETERS 31

/* Parameters from the old stack to the new one, in their order. */
MUST_CHECK static enum cpu_status copy_parameters(struct cpu *cpu, struct stack *to, unsigned count,
                                                  unsigned bytes)
{
    struct stack from = stack_present(cpu);
    uint32_t word[GATE_MAX_PARAMETERS];
    enum cpu_status status = CPU_OK;
    for (unsigned i = 0; i < count && status == CPU_OK; i++)
        status = stack_pop(cpu, &from, bytes, &word[i]);
    for (unsigned i = count; i-- > 0 && status == CPU_OK;)
        status = stack_push(cpu, to, word[i], bytes);
    return status;
}

/* A call to a more privileged level. */
MUST_CHECK static enum cpu_status go_inner(struct cpu *cpu, const struct interp_far *far,
                                           struct desc *code, unsigned parameters, unsigned bytes)
{
    unsigned level = desc_dpl(code);
    struct stack stack;
    struct desc ss;
    enum cpu_status status = stack_of_level(cpu, level, 0, &stack, &ss);
    if (status == CPU_OK)
        status = stack_push(cpu, &stack, cpu->seg[ISA_SS].selector, bytes);
    if (status == CPU_OK)
        status = stack_push(cpu, &stack, cpu->gpr[ISA_ESP], bytes);
    if (status == CPU_OK)
        status = copy_parameters(cpu, &stack, parameters, bytes);
    if (status == CPU_OK)
        status = push_return(cpu, &stack, bytes);
    if (status == CPU_OK && far->offset > desc_limit(code))
        status = cpu_raise_error(cpu, CPU_GP, 0);
    if (status == CPU_OK)
        status = desc_set_type(cpu, &ss, SEG_ACCESSED, 0);
    if (status == CPU_OK)
        status = seg_enter_code(cpu, far->selector, code, level);
    if (status)
        return status;
    stack.seg.attr |= SEG_ACCESSED;
    stack_commit(cpu, &stack);
    cpu->eip = far->offset;
    pc_set_cpl(cpu, level);
    return CPU_OK;
}

MUST_CHECK static enum cpu_status go_call_gate(struct cpu *cpu, const struct desc *gate, bool call)
{
    unsigned bytes = desc_system_type(gate) == SYS_CALL32 ? 4 : 2;
    struct interp_far far = {gate_offset(gate), gate_selector(gate)};
    struct desc code;
    enum cpu_status status = check_gate_code(cpu, far.selector, call, &code);
    if (status)
        return status;
    bool inner = call && !desc_is_conforming(&code) && desc_dpl(&code) < cpu->cpl;
    if (inner)
        return go_inner(cpu, &far, &code, gate->high & 31, bytes);
    return go_same(cpu, &far, &code, call, bytes);
}

MUST_CHECK static enum cpu_status go_task(struct cpu *cpu, uint32_t selector, bool call)
{
    struct desc tss;
    enum cpu_status status = task_find(cpu, selector, 0, &tss);
    if (status)
        return status;
    return task_switch(cpu, selector, &tss, call ? TASK_CALL : TASK_JUMP, cpu->eflags, NULL);
}

/* Gates and task states. */
MUST_CHECK static enum cpu_status go_system(struct cpu *cpu, const struct interp_far *far,
                                            const struct desc *d, bool call)
{
    uint32_t error = desc_error(far->selector);
    unsigned type = desc_system_type(d), rpl = far->selector & 3, dpl = desc_dpl(d);
    bool gate = type == SYS_CALL16 || type == SYS_CALL32 || type == SYS_TASK_GATE;
    bool tss = type == SYS_TSS16 || type == SYS_TSS32;
    if ((!gate && !tss) || dpl < cpu->cpl || dpl < rpl || (tss && (far->selector & 4)))
        return cpu_raise_error(cpu, CPU_GP, error);
    if (!desc_present(d))
        return cpu_raise_error(cpu, CPU_NP, error);
    if (tss)
        return go_task(cpu, far->selector, call);
    return type == SYS_TASK_GATE ? go_task(cpu, gate_selector(d), call)
                                 : go_call_gate(cpu, d, call);
}

MUST_CHECK static enum cpu_status go_far(struct cpu *cpu, const struct isa_insn *insn, bool call)
{
    struct interp_far far;
    struct desc d;
    enum cpu_status status = interp_far_target(cpu, insn, &far);
    if (status)
        return status;
    if (!pc_uses_descriptors(cpu))
        return go_real(cpu, &far, call, insn->opsize);
    if (desc_is_null(far.selector))
        return cpu_raise_error(cpu, CPU_GP, 0);
    status = desc_read(cpu, far.selector, CPU_GP, desc_error(far.selector), &d);
    if (status)
        return status;
    if (desc_is_code(&d))
        return go_direct(cpu, &far, &d, call, insn->opsize);
    return go_system(cpu, &far, &d, call);
}

enum cpu_status interp_jmp_far_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return go_far(cpu, insn, false);
}

enum cpu_status interp_call_far_pc(struct cpu *cpu, const struct isa_insn *insn)
{
    return go_far(cpu, insn, true);
}
