/* SPDX-License-Identifier: MIT */
/*
 * One slice of a VM: gather and deliver, run the engine, act on why it came
 * back, until something concerns the caller.
 */
#include "denali/vm_private.h"

#define CONTINUE ((enum vm_slice) - 1)

/* One run of a counted VM: to its next event, and short enough for the guest's time formula. */
#define MAX_COUNTED_NS 100000000u

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
    if (status == VDEV_NO_PORT)
        vm_raise_gp(vm);
}

static enum vm_slice act_on(struct vm *vm, enum engine_exit exit)
{
    switch (exit) {
    case ENGINE_EXIT_HYPERCALL:
        vm_hypercall(vm);
        return CONTINUE;
    case ENGINE_EXIT_PORT:
        do_port(vm);
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

/* How far the engine may go at once. */
static uint64_t limit(const struct vm *vm, uint64_t budget)
{
    if (!vm->deterministic)
        return budget;
    uint64_t now = clock_now_ns(vm->clock);
    uint64_t left = vm->next_event_ns > now ? vm->next_event_ns - now : 1;
    if (left > MAX_COUNTED_NS)
        left = MAX_COUNTED_NS;
    return left < budget ? left : budget;
}

static enum engine_exit run_engine(struct vm *vm, uint64_t *budget)
{
    struct cpu *cpu = vm->cpu;
    uint64_t before = cpu->icount;
    vm_time_refresh(vm);
    if (vm->deterministic) {
        vm->time.run_ns = clock_now_ns(vm->clock);
        vm->time.run_icount = before;
    }
    enum engine_exit exit = engine_run(cpu, limit(vm, *budget));
    uint64_t ran = cpu->icount - before;
    if (vm->deterministic)
        clock_advance_ns(vm->clock, ran);
    if (*budget != ENGINE_UNLIMITED)
        *budget -= ran < *budget ? ran : *budget;
    vm->counters.exits[exit]++;
    return exit;
}

/* A counted VM that waits for nothing but its own clock need not sleep. */
static bool skip_idle(struct vm *vm)
{
    struct vm_poll poll;
    if (!vm->deterministic)
        return false;
    vm_poll(vm, &poll);
    uint64_t ns = vm_wait_ns(vm);
    if (poll.count || ns == UINT64_MAX)
        return false;
    clock_advance_ns(vm->clock, ns);
    return true;
}

/* Whether an idle VM goes on. */
static bool idle_is_over(struct vm *vm)
{
    if (vm->idle && vm->idle_until_ns <= clock_now_ns(vm->clock))
        vm->idle = false;
    return !vm->idle;
}

static enum vm_slice prepare(struct vm *vm)
{
    if (vm->blocked) {
        if (vm->blocked->ops->resume(vm->blocked) == VDEV_BLOCK)
            return VM_BLOCKED;
        vm->blocked = NULL;
    }
    vm_gather(vm);
    while (!idle_is_over(vm)) {
        if (!skip_idle(vm))
            return VM_IDLE;
        vm_gather(vm);
    }
    return CONTINUE;
}

enum vm_slice vm_run(struct vm *vm, uint64_t budget)
{
    while (vm->end.reason == VM_END_NONE) {
        enum vm_slice slice = prepare(vm);
        if (slice != CONTINUE)
            return slice;
        if (vm->end.reason != VM_END_NONE)
            break;
        if (!budget)
            return VM_BUDGET;
        slice = act_on(vm, run_engine(vm, &budget));
        if (slice != CONTINUE)
            return slice;
    }
    return VM_ENDED;
}
