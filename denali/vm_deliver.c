/* SPDX-License-Identifier: MIT */
/*
 * Interrupts and faults on their way into the guest. Both happen only between
 * instructions, while the guest stands still, so nothing here races with it.
 *
 * What is pending reaches the guest in one batch. Everything read from the
 * register page is untrusted, and harmless: addresses become eip and esp, which
 * fault like any other if they are nonsense.
 */
#include "denali/vm_private.h"

static void save_context(volatile struct denali_context *to, const struct cpu *cpu,
                         uint32_t intr_enabled)
{
    to->eip = cpu->eip;
    to->eflags = cpu->eflags;
    to->eax = cpu->gpr[ISA_EAX];
    to->ecx = cpu->gpr[ISA_ECX];
    to->edx = cpu->gpr[ISA_EDX];
    to->ebx = cpu->gpr[ISA_EBX];
    to->esp = cpu->gpr[ISA_ESP];
    to->ebp = cpu->gpr[ISA_EBP];
    to->esi = cpu->gpr[ISA_ESI];
    to->edi = cpu->gpr[ISA_EDI];
    to->intr_enabled = intr_enabled;
    to->reserved = 0;
}

#define EFLAGS_DF 0x400u
#define EFLAGS_TF 0x100u

/* Handlers start with string instructions going up and no single-stepping. */
static void enter_handler(struct cpu *cpu, uint32_t entry, uint32_t stack)
{
    cpu->eip = entry;
    if (stack)
        cpu->gpr[ISA_ESP] = stack;
    cpu->eflags &= ~(EFLAGS_DF | EFLAGS_TF);
}

/* It counts as an instruction: see vm_run. */
static void count_delivery(struct vm *vm)
{
    vm->cpu->icount++;
    if (vm->counted)
        vm_time_count(vm);
}

static void upcall(struct vm *vm, uint32_t pending, uint32_t entry)
{
    volatile struct denali_regs *regs = vm_regs_write(vm);
    uint32_t batch = vm->one_by_one ? pending & -pending : pending;
    if (!regs)
        return;
    save_context(&regs->intr_context, vm->cpu, regs->intr_enabled);
    regs->delivered = batch;
    regs->pending = pending & ~batch;
    regs->intr_enabled = 0;
    enter_handler(vm->cpu, entry, regs->upcall_stack);
    count_delivery(vm);
    if (vm->trace)
        trace_upcall(vm->trace, vm->cpu, batch);
    vm->counters.upcalls++;
}

static void console_size(struct vm *vm, volatile struct denali_regs *regs)
{
    unsigned columns, rows;
    if (vm->counted) {
        regs->console_columns = vm->window[0] ? vm->window[0] : regs->console_columns;
        regs->console_rows = vm->window[1] ? vm->window[1] : regs->console_rows;
    } else if (vm->console && vm->console->ops->size(vm->console, &columns, &rows)) {
        regs->console_columns = columns;
        regs->console_rows = rows;
    }
}

static void collect_devices(struct vm *vm)
{
    for (unsigned i = 0; i < vm->devices; i++) {
        if (vm->device[i]->ops->collect)
            vm->device[i]->ops->collect(vm->device[i]);
    }
}

void vm_raise(struct vm *vm, uint32_t irq)
{
    if (vm->counted)
        vm->raised |= irq;
    else
        atomic_fetch_or(&vm->arrived, irq);
}

/* What is to be delivered. A counted VM's comes through the gate. */
static uint32_t take_bits(struct vm *vm, uint32_t *signals)
{
    uint32_t bits = vm->raised;
    *signals = vm->raised_signals;
    vm->raised = vm->raised_signals = 0;
    if (vm->counted || !atomic_load(&vm->arrived))
        return bits;
    bits |= atomic_exchange(&vm->arrived, 0);
    if (bits & DENALI_IRQ_SIGNAL)
        *signals |= atomic_exchange(&vm->arrived_signals, 0);
    return bits;
}

/* Moves what has arrived into the guest's pending register. */
static void take_arrived(struct vm *vm)
{
    uint32_t signals, bits = take_bits(vm, &signals);
    if (!bits)
        return;
    if (bits & DENALI_IRQ_DISK)
        collect_devices(vm);
    volatile struct denali_regs *regs = vm_regs_write(vm);
    if (!regs)
        return;
    if (bits & DENALI_IRQ_CONSOLE)
        console_size(vm, regs);
    regs->signals |= signals;
    regs->pending |= bits;
    vm->counters.posted++;
}

void vm_gather(struct vm *vm)
{
    if (vm->next_event_ns != CLOCK_NEVER)
        vm->next_event_ns = clock_run_due(vm->clock);
    vm->due = vm->outside.news = false;
    take_arrived(vm);

    uint32_t pending = vm_regs(vm)->pending;
    if (!pending)
        return;
    vm->idle = false;
    uint32_t entry = vm_regs(vm)->upcall_entry;
    if (entry && vm_regs(vm)->intr_enabled)
        upcall(vm, pending, entry);
}

static void end_by_fault(struct vm *vm)
{
    vm_end_with(vm, VM_END_FAULT);
    vm->end.fault = vm->cpu->fault;
    vm->end.fault_in_handler = vm_regs(vm)->fault_entry != 0;
    vm->end.guest_vector = vm_regs(vm)->fault_vector;
    vm->end.guest_eip = vm_regs(vm)->fault_context.eip;
}

bool vm_fault_is_fatal(const struct vm *vm)
{
    return !vm_regs(vm)->fault_entry || vm_regs(vm)->fault_active;
}

void vm_fault(struct vm *vm)
{
    if (vm->trace)
        trace_fault(vm->trace, vm->cpu);
    struct cpu *cpu = vm->cpu;
    uint32_t entry = vm_regs(vm)->fault_entry;
    if (vm_fault_is_fatal(vm)) {
        end_by_fault(vm);
        return;
    }
    volatile struct denali_regs *regs = vm_regs_write(vm);
    if (!regs)
        return;
    save_context(&regs->fault_context, cpu, regs->intr_enabled);
    regs->fault_active = 1;
    regs->fault_vector = cpu->fault.vector;
    regs->fault_error = cpu->fault.has_error ? cpu->fault.error : 0;
    regs->fault_address = cpu->fault.vector == CPU_PF ? cpu->fault.address : 0;
    regs->intr_enabled = 0;
    enter_handler(cpu, entry, regs->fault_stack);
    count_delivery(vm);
    vm->counters.faults++;
}

static void raise_at_exit(struct vm *vm, uint8_t vector, bool has_error)
{
    struct cpu *cpu = vm->cpu;
    cpu->eip -= cpu->exit.length;
    cpu->icount--; /* the engine took it for done */
    cpu->fault = (struct cpu_fault){.vector = vector, .has_error = has_error};
    vm_fault(vm);
}

void vm_raise_gp(struct vm *vm)
{
    raise_at_exit(vm, CPU_GP, true);
}

void vm_raise_ud(struct vm *vm)
{
    raise_at_exit(vm, CPU_UD, false);
}
