/* SPDX-License-Identifier: MIT */
/* Stacks of transfers, and the inner stacks that a task state names. */
#include "emu/cpu/pc/stack.h"

static uint32_t width_mask(const struct stack *stack)
{
    return stack->seg.attr & SEG_BIG ? UINT32_MAX : 0xffff;
}

static uint32_t moved(const struct stack *stack, uint32_t delta)
{
    uint32_t mask = width_mask(stack);
    return (stack->esp & ~mask) | ((stack->esp + delta) & mask);
}

struct stack stack_present(const struct cpu *cpu)
{
    return (struct stack){.seg = cpu->seg[ISA_SS], .esp = cpu->gpr[ISA_ESP], .user = cpu->cpl == 3};
}

void stack_commit(struct cpu *cpu, const struct stack *stack)
{
    uint32_t mask = width_mask(stack);
    cpu->seg[ISA_SS] = stack->seg;
    cpu->gpr[ISA_ESP] = (cpu->gpr[ISA_ESP] & ~mask) | (stack->esp & mask);
}

void stack_drop(struct stack *stack, uint32_t bytes)
{
    stack->esp = moved(stack, bytes);
}

/* The linear address of `bytes` at an offset, within the segment. */
MUST_CHECK static enum cpu_status locate(struct cpu *cpu, const struct stack *stack,
                                         uint32_t offset, unsigned bytes, uint32_t *linear)
{
    uint32_t last = offset + bytes - 1, limit = stack->seg.limit;
    bool down = stack->seg.attr & SEG_DOWN;
    bool inside = down ? offset > limit && last >= offset && last <= width_mask(stack)
                       : limit == UINT32_MAX || (last >= offset && last <= limit);
    *linear = stack->seg.base + offset;
    return inside ? CPU_OK : cpu_raise_error(cpu, CPU_SS, stack->error);
}

enum cpu_status stack_push(struct cpu *cpu, struct stack *stack, uint32_t value, unsigned bytes)
{
    uint32_t linear, esp = moved(stack, 0u - bytes);
    enum cpu_status status = locate(cpu, stack, esp & width_mask(stack), bytes, &linear);
    if (status == CPU_OK)
        status = cpu_linear_write(cpu, linear, stack->user, &value, bytes);
    if (status == CPU_OK)
        stack->esp = esp;
    return status;
}

enum cpu_status stack_pop(struct cpu *cpu, struct stack *stack, unsigned bytes, uint32_t *value)
{
    uint32_t linear;
    *value = 0;
    enum cpu_status status = locate(cpu, stack, stack->esp & width_mask(stack), bytes, &linear);
    if (status == CPU_OK)
        status = cpu_linear_read(cpu, linear, stack->user, value, bytes);
    if (status == CPU_OK)
        stack_drop(stack, bytes);
    return status;
}

/* SSn:eSPn of the task state. */
MUST_CHECK static enum cpu_status read_inner(struct cpu *cpu, unsigned level, uint32_t ext,
                                             uint32_t *ss, uint32_t *esp)
{
    const struct cpu_seg *tr = &cpu->sys.tr;
    unsigned bytes = (tr->attr & SEG_TYPE) >= SYS_TSS32 ? 4 : 2;
    uint32_t at = bytes == 4 ? 4 + level * 8 : 2 + level * 4;
    *ss = *esp = 0;
    if (at + bytes + 1 > tr->limit)
        return cpu_raise_error(cpu, CPU_TS, desc_error(tr->selector) | ext);
    enum cpu_status status = cpu_linear_read(cpu, tr->base + at, false, esp, bytes);
    return status ? status : cpu_linear_read(cpu, tr->base + at + bytes, false, ss, 2);
}

enum cpu_status stack_of_level(struct cpu *cpu, unsigned level, uint32_t ext, struct stack *out,
                               struct desc *ss)
{
    uint32_t selector, esp;
    enum cpu_status status = read_inner(cpu, level, ext, &selector, &esp);
    if (status == CPU_OK)
        status = seg_check_stack(cpu, selector, level, CPU_TS, ext, ss);
    if (status)
        return status;
    *out = (struct stack){.seg = desc_segment(selector, ss),
                          .esp = esp,
                          .user = level == 3,
                          .error = desc_error(selector) | ext};
    return CPU_OK;
}
