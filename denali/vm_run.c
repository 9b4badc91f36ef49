/* SPDX-License-Identifier: MIT */
/*
 * One slice of a VM: gather and deliver, run the engine, act on why it came
 * back, until something concerns the caller.
 */
#include "denali/vm_private.h"

#include "emu/cpu/debug.h"

#define CONTINUE ((enum vm_slice) - 1)

static void do_port(struct vm *vm)
{
    const struct cpu_exit *e = &vm->cpu->exit;
    unsigned index = (e->port - (unsigned)DENALI_PORT_BASE) / DENALI_PORT_STRIDE;
    unsigned port = e->port % DENALI_PORT_STRIDE;
    enum vdev_status status = VDEV_NO_PORT;
    if (e->port >= DENALI_PORT_BASE && index < vm->devices && e->port_size == 4) {
        struct vdev *dev = vm->device[index];
        if (e->port_write && dev->ops->out)
            status = dev->ops->out(dev, port);
        else if (!e->port_write && dev->ops->in)
            status = dev->ops->in(dev, port);
        if (status == VDEV_BLOCK)
            vm->blocked = dev;
    }
    if (vm->trace)
        trace_port(vm->trace, vm->cpu);
    if (status == VDEV_NO_PORT)
        vm_raise_gp(vm);
}

/* The single-step trap of an instruction that left the engine. None comes where the guest waits
 * now, or where a handler was entered: that cleared TF. */
static void trap_after(struct vm *vm)
{
    struct cpu *cpu = vm->cpu;
    bool traps = cpu->exit.trap && (cpu->eflags & CPU_EFLAGS_TF);
    cpu->exit.trap = 0;
    vm->trap_due = traps && !vm->idle && !vm->blocked && vm->end.reason == VM_END_NONE;
}

static enum vm_slice act_on(struct vm *vm, enum engine_exit exit)
{
    vm->due = vm->due || exit == ENGINE_EXIT_HYPERCALL || exit == ENGINE_EXIT_PORT ||
              exit == ENGINE_EXIT_FAULT;
    switch (exit) {
    case ENGINE_EXIT_HYPERCALL:
        vm_hypercall(vm);
        trap_after(vm);
        return CONTINUE;
    case ENGINE_EXIT_PORT:
        do_port(vm);
        trap_after(vm);
        return CONTINUE;
    case ENGINE_EXIT_FAULT:
        vm_fault(vm);
        return CONTINUE;
    case ENGINE_EXIT_BUDGET:
        return CONTINUE;
    case ENGINE_EXIT_STOP:
        return VM_STOPPED;
    case ENGINE_EXIT_BREAKPOINT:
        return VM_BREAKPOINT;
    case ENGINE_EXIT_WATCHPOINT:
        vm->trap_due = vm->cpu->debug->now.trap;
        vm->cpu->debug->now.trap = false;
        return VM_WATCHPOINT;
    case ENGINE_EXIT_DIVERGED:
        vm_end_with(vm, VM_END_DIVERGED);
        return CONTINUE;
    case ENGINE_EXIT_REJECTED:
        vm_end_with(vm, VM_END_REJECTED);
        return CONTINUE;
    case ENGINE_EXIT_HALT:
    case ENGINE_EXIT_SHUTDOWN:
    case ENGINE_EXITS:
        break;
    }
    BUG_ON(true, "a flat machine does not halt");
    return VM_ENDED;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How far the engine may go at once: a counted VM to its next event, to where its time registers
 * are refreshed, and to where the tape has something. */
static uint64_t limit(const struct vm *vm, uint64_t budget)
{
    if (!vm->counted)
        return budget;
    uint64_t when = least(vm->next_event_ns, vm_time_refresh_at(vm));
    return least(least(vm_time_until(vm, when), outside_limit(vm)), budget);
}

/*
 * A stop may have come in the middle of a repeated string instruction. A counted VM finishes it:
 * the count alone says where it stands.
 */
static enum engine_exit finish_insn(struct vm *vm, uint64_t budget)
{
    enum engine_exit exit = ENGINE_EXIT_STOP;
    while (exit == ENGINE_EXIT_STOP && limit(vm, budget))
        exit = engine_run(vm->cpu, 1);
    vm->stopping = true;
    return exit == ENGINE_EXIT_BUDGET ? ENGINE_EXIT_STOP : exit;
}

void vm_set_trace(struct vm *vm, struct trace *trace)
{
    vm->trace = trace;
}

static unsigned fetch(const struct vm *vm, uint32_t eip, uint8_t bytes[ISA_MAX_LENGTH])
{
    unsigned n = 0;
    uint8_t page[PAGE_SIZE];
    while (n < ISA_MAX_LENGTH && (uint64_t)eip + n < vm->mem_bytes) {
        uint32_t at = eip + n;
        const uint8_t *from = ram_peek(vm->ram, at & ~(uint64_t)PAGE_MASK, page);
        if (!from)
            break;
        do
            bytes[n++] = from[at++ & PAGE_MASK];
        while (n < ISA_MAX_LENGTH && (at & PAGE_MASK));
    }
    return n;
}

/* Each instruction is looked at before it runs. */
static enum engine_exit run_traced(struct vm *vm, uint64_t budget)
{
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    uint8_t bytes[ISA_MAX_LENGTH];
    for (; budget && exit == ENGINE_EXIT_BUDGET; budget--) {
        trace_step(vm->trace, vm->cpu, bytes, fetch(vm, vm->cpu->eip, bytes));
        exit = engine_run(vm->cpu, 1);
    }
    return exit;
}

static enum engine_exit run_engine(struct vm *vm, uint64_t budget)
{
    struct cpu *cpu = vm->cpu;
    uint64_t before = cpu->icount;
    vm_time_refresh(vm);
    enum engine_exit exit = vm->trace && trace_steps(vm->trace)
                                ? run_traced(vm, limit(vm, budget))
                                : engine_run(cpu, limit(vm, budget));
    if (exit == ENGINE_EXIT_STOP && vm->counted) {
        uint64_t ran = cpu->icount - before;
        exit = finish_insn(vm, budget == ENGINE_UNLIMITED ? budget : budget - ran);
    }
    if (vm->counted)
        vm_time_count(vm);
    vm->counters.exits[exit]++;
    return exit;
}

/* A counted VM that waits for nothing but its own clock need not sleep. */
static bool skip_idle(struct vm *vm)
{
    struct vm_poll poll;
    if (!vm->counted || vm->outside.follows || vm->outside.mode == OUTSIDE_REPLAY)
        return false;
    vm_poll(vm, &poll);
    uint64_t ns = vm_wait_ns(vm);
    uint64_t now_ns = clock_now_ns(vm->clock);
    if (poll.count || ns >= TIME_MAX_NS || now_ns >= TIME_MAX_NS)
        return false;
    if (now_ns + ns > vm->horizon_ns)
        return false;
    outside_skip(vm, ns);
    return true;
}

/* Whether an idle VM goes on. */
static bool idle_is_over(struct vm *vm)
{
    if (vm->idle && vm->idle_until_ns <= clock_now_ns(vm->clock))
        vm->idle = false;
    return !vm->idle;
}

static enum vm_slice resume_blocked(struct vm *vm)
{
    if (vm->blocked && vm->blocked->ops->resume(vm->blocked) == VDEV_BLOCK)
        return vm->outside.over ? VM_REPLAYED : VM_BLOCKED;
    vm->blocked = NULL;
    return CONTINUE;
}

static enum vm_slice prepare(struct vm *vm)
{
    enum vm_slice slice = resume_blocked(vm);
    if (slice != CONTINUE)
        return slice;
    vm_gather(vm);
    while (!idle_is_over(vm)) {
        if (!skip_idle(vm))
            return VM_IDLE;
        vm_gather(vm);
    }
    return CONTINUE;
}

/* Where a counted VM's pending interrupts are delivered without anything new: after what the guest
 * asked for, when its clock's event is due, and whenever its time registers are refreshed. */
static bool delivery_is_due(struct vm *vm)
{
    uint64_t now = clock_now_ns(vm->clock);
    if (now >= vm_time_refresh_at(vm)) {
        vm_time_refresh(vm);
        vm->due = true;
    }
    return vm->due || vm->next_event_ns <= now;
}

static enum vm_slice wait_counted(struct vm *vm)
{
    if (skip_idle(vm))
        return CONTINUE;
    if (vm->outside.mode != OUTSIDE_REPLAY)
        return VM_IDLE;
    return outside_waits(vm) ? VM_REPLAYED : CONTINUE;
}

static enum vm_slice prepare_counted(struct vm *vm)
{
    enum vm_slice slice = resume_blocked(vm);
    while (slice == CONTINUE && vm->end.reason == VM_END_NONE) {
        uint64_t before = vm->cpu->icount;
        bool news = outside_let_in(vm);
        if (delivery_is_due(vm) || news)
            vm_gather(vm);
        if (vm->cpu->icount != before || idle_is_over(vm))
            break;
        slice = wait_counted(vm);
    }
    return slice;
}

/* Replaying, before the engine goes in: whether the tape lets it. */
static bool tape_is_silent(struct vm *vm)
{
    return vm->outside.mode == OUTSIDE_REPLAY && !outside_limit(vm) && outside_waits(vm);
}

static enum vm_slice catch_event(struct vm *vm, enum vm_event event)
{
    if (!(vm->catches & event))
        return CONTINUE;
    vm->caught = event;
    return VM_CAUGHT;
}

/* What the engine came back for, unless somebody wants to see it first. */
static enum vm_slice catch_exit(struct vm *vm, enum engine_exit exit)
{
    static const enum vm_event events[ENGINE_EXITS] = {
        [ENGINE_EXIT_FAULT] = VM_EVENT_FAULT,
        [ENGINE_EXIT_HYPERCALL] = VM_EVENT_HYPERCALL,
        [ENGINE_EXIT_PORT] = VM_EVENT_PORT,
    };
    enum vm_slice slice = catch_event(vm, events[exit]);
    if (slice == VM_CAUGHT)
        vm->held = exit;
    return slice;
}

static enum vm_slice act_on_held(struct vm *vm)
{
    enum engine_exit exit = vm->held;
    vm->held = ENGINE_EXIT_BUDGET;
    return act_on(vm, exit);
}

/* A step of its own. */
static enum vm_slice deliver_trap(struct vm *vm)
{
    vm->trap_due = false;
    vm->cpu->fault = (struct cpu_fault){.vector = CPU_DB};
    enum vm_slice slice = catch_exit(vm, ENGINE_EXIT_FAULT);
    return slice == CONTINUE ? act_on(vm, ENGINE_EXIT_FAULT) : slice;
}

static enum vm_slice run_once(struct vm *vm, uint64_t end)
{
    uint64_t upcalls = vm->counters.upcalls;
    if (vm->held != ENGINE_EXIT_BUDGET)
        return act_on_held(vm);
    if (vm->trap_due)
        return deliver_trap(vm);
    enum vm_slice slice = vm->counted ? prepare_counted(vm) : prepare(vm);
    if (slice == CONTINUE && vm->counters.upcalls != upcalls)
        slice = catch_event(vm, VM_EVENT_INTERRUPT);
    if (slice != CONTINUE || vm->end.reason != VM_END_NONE)
        return slice;
    if (vm->cpu->icount >= end)
        return VM_BUDGET;
    if (tape_is_silent(vm))
        return VM_REPLAYED;
    uint64_t budget = end == ENGINE_UNLIMITED ? end : end - vm->cpu->icount;
    if (!limit(vm, budget)) {
        outside_check_progress(vm);
        return CONTINUE;
    }
    vm->stopping = false;
    enum engine_exit exit = run_engine(vm, budget);
    if (exit == ENGINE_EXIT_FAULT && vm->cpu->icount >= end) {
        vm->trap_due = true; /* of the last instruction, which is done: no other fault is then */
        return CONTINUE;
    }
    slice = catch_exit(vm, exit);
    if (slice == CONTINUE)
        slice = act_on(vm, exit);
    return slice == CONTINUE && vm->stopping ? VM_STOPPED : slice;
}

enum vm_slice vm_run(struct vm *vm, uint64_t budget)
{
    uint64_t end =
        budget < ENGINE_UNLIMITED - vm->cpu->icount ? vm->cpu->icount + budget : ENGINE_UNLIMITED;
    while (vm->end.reason == VM_END_NONE) {
        if (vm->counted && budget && vm->cpu->icount >= end)
            return VM_BUDGET;
        enum vm_slice slice = run_once(vm, end);
        if (slice != CONTINUE)
            return slice;
    }
    return VM_ENDED;
}
