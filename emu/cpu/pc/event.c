/* SPDX-License-Identifier: MIT */
/*
 * Delivery of events: the serial ones, double faults and shutdown; real mode's
 * vectors and protected mode's gates. Everything is checked and pushed before
 * the first register changes.
 */
#include "emu/cpu/pc/event.h"

#include "emu/cpu/engine.h"
#include "emu/cpu/pc/stack.h"

static uint32_t ext_of(const struct event *event)
{
    return event->kind != EVENT_SOFTWARE;
}

/* EFLAGS as the handler finds them on its stack. An instruction that interrupts has ended RF's
 * force before (SDM volume 3, 18.3.1.1). */
static uint32_t flags_image(const struct cpu *cpu, const struct event *event)
{
    uint32_t rf = event->kind == EVENT_SOFTWARE ? 0 : cpu->eflags & EFLAGS_RF;
    if (event->kind == EVENT_FAULT)
        rf = EFLAGS_RF;
    return (cpu->eflags & ~(uint32_t)EFLAGS_RF) | rf;
}

MUST_CHECK static enum cpu_status enter_real(struct cpu *cpu, const struct event *event)
{
    uint32_t at = event->vector * 4u, vector = 0;
    if (at + 3 > cpu->sys.idt.limit)
        return cpu_raise_error(cpu, CPU_GP, event->vector * 8u + 2 + ext_of(event));
    enum cpu_status status = cpu_linear_read(cpu, cpu->sys.idt.base + at, false, &vector, 4);
    struct stack stack = stack_present(cpu);
    if (status == CPU_OK)
        status = stack_push(cpu, &stack, cpu->eflags, 2);
    if (status == CPU_OK)
        status = stack_push(cpu, &stack, cpu->seg[ISA_CS].selector, 2);
    if (status == CPU_OK)
        status = stack_push(cpu, &stack, cpu->eip, 2);
    if (status)
        return status;
    stack_commit(cpu, &stack);
    seg_enter_code_real(cpu, vector >> 16);
    cpu->eip = vector & 0xffff;
    pc_set_eflags(cpu, 0, ISA_F_T | ISA_F_I | EFLAGS_AC | EFLAGS_RF);
    return CPU_OK;
}

/* A way through an interrupt or trap gate. */
struct way {
    const struct event *event;
    uint32_t ext, selector, offset;
    unsigned bytes, cpl; /* width of what is pushed; level of the handler */
    bool keeps_if;
    struct desc code, ss;
    struct stack stack;
};

MUST_CHECK static enum cpu_status check_handler(struct cpu *cpu, struct way *w)
{
    uint32_t error = desc_error(w->selector) | w->ext;
    if (desc_is_null(w->selector))
        return cpu_raise_error(cpu, CPU_GP, w->ext);
    enum cpu_status status = desc_read(cpu, w->selector, CPU_GP, error, &w->code);
    if (status)
        return status;
    unsigned dpl = desc_dpl(&w->code);
    if (!desc_is_code(&w->code) || dpl > cpu->cpl)
        return cpu_raise_error(cpu, CPU_GP, error);
    if (!desc_present(&w->code))
        return cpu_raise_error(cpu, CPU_NP, error);
    w->cpl = desc_is_conforming(&w->code) ? cpu->cpl : dpl;
    if (pc_v86(cpu) && w->cpl != 0)
        return cpu_raise_error(cpu, CPU_GP, error);
    return CPU_OK;
}

MUST_CHECK static enum cpu_status push_all(struct cpu *cpu, struct way *w, const uint32_t *words,
                                           unsigned count)
{
    enum cpu_status status = CPU_OK;
    for (unsigned i = 0; i < count && status == CPU_OK; i++)
        status = stack_push(cpu, &w->stack, words[i], w->bytes);
    return status;
}

MUST_CHECK static enum cpu_status push_old_stack(struct cpu *cpu, struct way *w)
{
    const struct cpu_seg *seg = cpu->seg;
    const uint32_t data[4] = {seg[ISA_GS].selector, seg[ISA_FS].selector, seg[ISA_DS].selector,
                              seg[ISA_ES].selector};
    const uint32_t stack[2] = {seg[ISA_SS].selector, cpu->gpr[ISA_ESP]};
    enum cpu_status status = CPU_OK;
    if (pc_v86(cpu))
        status = push_all(cpu, w, data, 4);
    return status ? status : push_all(cpu, w, stack, 2);
}

MUST_CHECK static enum cpu_status push_frame(struct cpu *cpu, struct way *w)
{
    const uint32_t frame[4] = {flags_image(cpu, w->event), cpu->seg[ISA_CS].selector, cpu->eip,
                               w->event->error};
    bool inner = w->cpl != cpu->cpl;
    enum cpu_status status = CPU_OK;
    w->stack = stack_present(cpu);
    w->stack.error = 0;
    if (inner)
        status = stack_of_level(cpu, w->cpl, w->ext, &w->stack, &w->ss);
    if (status == CPU_OK && inner)
        status = push_old_stack(cpu, w);
    if (status == CPU_OK)
        status = push_all(cpu, w, frame, w->event->has_error ? 4 : 3);
    if (status == CPU_OK && w->offset > desc_limit(&w->code))
        status = cpu_raise_error(cpu, CPU_GP, w->ext);
    if (status == CPU_OK && inner) {
        status = desc_set_type(cpu, &w->ss, SEG_ACCESSED, 0);
        w->stack.seg.attr |= SEG_ACCESSED;
    }
    return status;
}

static void commit(struct cpu *cpu, const struct way *w)
{
    if (pc_v86(cpu)) {
        static const uint8_t data[4] = {ISA_ES, ISA_DS, ISA_FS, ISA_GS};
        for (unsigned i = 0; i < 4; i++)
            seg_load_null(cpu, data[i], 0);
    }
    stack_commit(cpu, &w->stack);
    cpu->eip = w->offset;
    uint32_t clear = ISA_F_T | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM;
    cpu->eflags &= ~(w->keeps_if ? clear : clear | ISA_F_I);
    pc_set_cpl(cpu, w->cpl);
}

MUST_CHECK static enum cpu_status enter_gate(struct cpu *cpu, const struct event *event,
                                             const struct desc *gate)
{
    unsigned type = desc_system_type(gate);
    struct way w = {.event = event,
                    .ext = ext_of(event),
                    .selector = gate_selector(gate),
                    .offset = gate_offset(gate),
                    .bytes = type >= SYS_INT32 ? 4 : 2,
                    .keeps_if = type & 1};
    enum cpu_status status = check_handler(cpu, &w);
    if (status == CPU_OK)
        status = push_frame(cpu, &w);
    if (status == CPU_OK)
        status = seg_enter_code(cpu, w.selector, &w.code, w.cpl);
    if (status == CPU_OK)
        commit(cpu, &w);
    return status;
}

MUST_CHECK static enum cpu_status enter_task(struct cpu *cpu, const struct event *event,
                                             const struct desc *gate)
{
    struct desc tss;
    struct task_error error = {event->has_error, event->error};
    uint32_t selector = gate_selector(gate);
    enum cpu_status status = task_find(cpu, selector, ext_of(event), &tss);
    if (status)
        return status;
    enum task_cause cause = event->kind == EVENT_SOFTWARE ? TASK_CALL : TASK_EVENT;
    return task_switch(cpu, selector, &tss, cause, flags_image(cpu, event), &error);
}

static bool is_gate(unsigned type)
{
    return type == SYS_TASK_GATE || type == SYS_INT16 || type == SYS_TRAP16 || type == SYS_INT32 ||
           type == SYS_TRAP32;
}

MUST_CHECK static enum cpu_status enter_protected(struct cpu *cpu, const struct event *event)
{
    uint32_t at = event->vector * 8u, error = at + 2 + ext_of(event), words[2] = {0, 0};
    if (at + 7 > cpu->sys.idt.limit)
        return cpu_raise_error(cpu, CPU_GP, error);
    enum cpu_status status = cpu_linear_read(cpu, cpu->sys.idt.base + at, false, words, 8);
    if (status)
        return status;
    struct desc gate = {.low = words[0], .high = words[1]};
    bool barred = event->kind == EVENT_SOFTWARE && desc_dpl(&gate) < cpu->cpl;
    if (!is_gate(desc_system_type(&gate)) || barred)
        return cpu_raise_error(cpu, CPU_GP, error);
    if (!desc_present(&gate))
        return cpu_raise_error(cpu, CPU_NP, error);
    if (desc_system_type(&gate) == SYS_TASK_GATE)
        return enter_task(cpu, event, &gate);
    return enter_gate(cpu, event, &gate);
}

enum cpu_status event_enter(struct cpu *cpu, const struct event *event)
{
    if (cpu->pc.hooks && cpu->pc.hooks->event)
        cpu->pc.hooks->event(cpu->pc.hooks->opaque, event);
    enum cpu_status status =
        pc_protected(cpu) ? enter_protected(cpu, event) : enter_real(cpu, event);
    if (status == CPU_OK)
        cpu->pc.single_step = 0;
    return status;
}

/* Serial and double faults */

enum severity { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum severity severity_of(const struct event *event)
{
    if (event->kind == EVENT_INTERRUPT || event->kind == EVENT_SOFTWARE)
        return BENIGN;
    switch (event->vector) {
    case CPU_DE:
    case CPU_TS:
    case CPU_NP:
    case CPU_SS:
    case CPU_GP:
        return CONTRIBUTORY;
    case CPU_PF:
        return PAGE_FAULT;
    case CPU_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

/* SDM volume 3, table 6-5. */
static bool doubles(enum severity first, enum severity second)
{
    return (first == CONTRIBUTORY && second == CONTRIBUTORY) ||
           (first == PAGE_FAULT && second != BENIGN);
}

static struct event event_of_fault(struct cpu *cpu)
{
    const struct cpu_fault *fault = &cpu->fault;
    if (fault->vector == CPU_PF)
        cpu->sys.cr2 = fault->address;
    cpu->pc.committed = 0;
    return (struct event){EVENT_FAULT, fault->vector, fault->has_error, fault->error};
}

static enum cpu_status shut_down(struct cpu *cpu)
{
    cpu->pc.shutdown = 1;
    cpu->exit.reason = ENGINE_EXIT_SHUTDOWN;
    return CPU_EXIT;
}

enum cpu_status event_deliver(struct cpu *cpu, const struct event *event)
{
    struct event now = *event;
    cpu->pc.halted = 0;
    cpu->pc.shadow = 0;
    while (event_enter(cpu, &now) != CPU_OK) {
        enum severity first = severity_of(&now);
        now = event_of_fault(cpu);
        enum severity second = severity_of(&now);
        if (first == DOUBLE_FAULT && second != BENIGN)
            return shut_down(cpu);
        if (doubles(first, second))
            now = (struct event){EVENT_FAULT, CPU_DF, true, 0};
    }
    return CPU_OK;
}

enum cpu_status event_deliver_fault(struct cpu *cpu)
{
    if (cpu_has(cpu, CPU_F_286) && !pc_protected(cpu))
        event_as_286(cpu);
    struct event event = event_of_fault(cpu);
    if (event.vector == CPU_DB)
        cpu->sys.dr[7] &= ~DR7_GD;
    return event_deliver(cpu, &event);
}
