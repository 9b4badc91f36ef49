/* SPDX-License-Identifier: MIT */
/*
 * Interrupts, faults and the long way back to the program. The kernel runs with
 * interrupts off, so "intr_enabled" in a saved context tells whether the
 * program (on) or the kernel (off) was running.
 */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/regs_offsets.h"
#include "guests/ilwaco/syscall.h"
#include "guests/ilwaco/thread.h"

_Static_assert(REGS_AT + offsetof(struct denali_regs, intr_enabled) == REGS_INTR_ENABLED,
               "entry.S");
_Static_assert(REGS_AT + offsetof(struct denali_regs, fault_active) == REGS_FAULT_ACTIVE,
               "entry.S");
_Static_assert(REGS_AT + offsetof(struct denali_regs, trap_eip) == REGS_TRAP_EIP, "entry.S");
_Static_assert(REGS_AT + offsetof(struct denali_regs, trap_number) == REGS_TRAP_NUMBER, "entry.S");
_Static_assert(offsetof(struct denali_context, eflags) == FRAME_EFLAGS, "entry.S");
_Static_assert(offsetof(struct denali_context, eax) == FRAME_EAX, "entry.S");
_Static_assert(offsetof(struct denali_context, esp) == FRAME_ESP, "entry.S");
_Static_assert(sizeof(struct denali_context) == FRAME_SIZE, "entry.S");

#define QUANTUM_NS (4 * (uint64_t)NS_PER_MS)
#define EFLAGS_ALWAYS 0x2u
#define EFLAGS_OF 0x800u
#define EFLAGS_TF 0x100u
#define EFLAGS_IF 0x200u

extern char trap_entry[], upcall_entry[], fault_entry[], fault_stack_top[];

struct fixup {
    uint32_t at, to;
};
extern const struct fixup fixup_table_start[], fixup_table_end[];

static void (*irq_handlers[8])(void);
static uint64_t timer_set_for = TIME_NEVER;
static uint16_t timer_port;

void irq_attach(uint32_t bit, void (*fn)(void))
{
    irq_handlers[__builtin_ctz(bit)] = fn;
}

static void timer_interrupt(void)
{
    timer_set_for = TIME_NEVER;
    timers_run();
    if (sched_others_ready())
        trap_work |= WORK_YIELD;
    trap_work |= WORK_TIMER;
}

void trap_init(void)
{
    const volatile struct denali_device *timer = machine_device(DENALI_DEV_TIMER, NULL);
    timer_port = timer ? timer->port : 0;
    machine_regs.trap_entry = (uint32_t)trap_entry;
    machine_regs.trap_enabled = 1;
    machine_regs.upcall_entry = (uint32_t)upcall_entry;
    machine_regs.fault_entry = (uint32_t)fault_entry;
    machine_regs.fault_stack = (uint32_t)fault_stack_top;
    irq_attach(DENALI_IRQ_TIMER, timer_interrupt);
}

void trap_set_timer(void)
{
    uint64_t want = timer_next();
    if (sched_others_ready()) {
        uint64_t quantum_end = time_now() + QUANTUM_NS;
        want = want < quantum_end ? want : quantum_end;
    }
    if (want >= timer_set_for || !timer_port)
        return;
    timer_set_for = want;
    machine_timer(timer_port, want);
}

/* The timer is for who computes; an idle VM has its timeout, and is parked more cheaply until then
 * than brought back for a timer that nobody needs any more. */
void trap_leave_timer(uint64_t next)
{
    if (timer_set_for >= next)
        return;
    timer_set_for = TIME_NEVER;
    machine_timer(timer_port, TIME_NEVER);
}

/* This VM is a clone from here on; before anything else, or the batch's frames meet the old
 * address. */
static void identity_interrupt(void)
{
    boot_identity_changed();
    random_renew();
    time_init();
    net_identity_changed();
}

void interrupts_run(uint32_t batch)
{
    if (batch & DENALI_IRQ_IDENTITY)
        identity_interrupt();
    while (batch) {
        uint32_t bit = (uint32_t)__builtin_ctz(batch);
        batch &= batch - 1;
        if (bit < ARRAY_LEN(irq_handlers) && irq_handlers[bit])
            irq_handlers[bit]();
    }
}

void interrupts_poll(void)
{
    if (machine_regs.pending)
        interrupts_run(__atomic_exchange_n(&machine_regs.pending, 0, __ATOMIC_SEQ_CST));
}

void frame_unpack(struct denali_context *frame)
{
    uint32_t packed = frame->eflags;
    if (packed & EFLAGS_ALWAYS)
        return;
    frame->eflags = (packed >> 8 & 0xd5) | (packed & 1 ? EFLAGS_OF : 0) | EFLAGS_ALWAYS | EFLAGS_IF;
}

/* On the way to the program: all that was put off. The frame is resumed as a whole afterwards. */
void trap_finish(struct denali_context *frame);
void trap_finish(struct denali_context *frame)
{
    frame_unpack(frame);
    if (trap_work & WORK_STEP)
        frame->eflags |= EFLAGS_TF;
    while (trap_work & (WORK_SIGNAL | WORK_YIELD)) {
        if (trap_work & WORK_YIELD) {
            trap_work &= ~(uint32_t)WORK_YIELD;
            sched_yield();
        }
        if (trap_work & WORK_SIGNAL) {
            trap_work &= ~(uint32_t)WORK_SIGNAL;
            signal_deliver(frame);
        }
    }
    trap_set_timer();
    trap_work = 0;
    frame->intr_enabled = 1;
}

void trap_interrupt(struct denali_context *frame);
void trap_interrupt(struct denali_context *frame)
{
    memcpy(frame, (const void *)&machine_regs.intr_context, sizeof *frame);
    frame->reserved = SYSCALL_NONE;
    interrupts_run(machine_regs.delivered);
}

/* An INT n that is not the system call's. */
void trap_stray(struct denali_context *frame);
void trap_stray(struct denali_context *frame)
{
    frame_unpack(frame);
    frame->eip -= 2;
    frame->reserved = SYSCALL_NONE;
    signal_force(SIGSEGV, SI_KERNEL, 0, 13);
}

static NORETURN void kernel_fault(const struct denali_context *context)
{
    klog("fault %u in the kernel at %x (address %x, error %x)", machine_regs.fault_vector,
         context->eip, machine_regs.fault_address, machine_regs.fault_error);
    machine_regs.fault_entry = 0; /* the host reports it and ends the VM */
    machine_regs.fault_active = 0;
    __asm__ volatile(MACHINE_FN(2) : : "a"(context) : "memory");
    __builtin_unreachable();
}

enum {
    FAULT_DEBUG = 1,
    FAULT_OVERFLOW = 4,
    FAULT_BOUND = 5,
    FAULT_BREAKPOINT = 3,
    FAULT_PAGE = 14,
    FAULT_X87 = 16,
    FAULT_SIMD = 19
};

/* A program that steps itself made a system call: INT leaves TF set. The call runs without, and the
 * program's first instruction after it is the next step. */
static void step_over_kernel(struct denali_context *context)
{
    if (machine_regs.fault_vector != FAULT_DEBUG || !(context->eflags & EFLAGS_TF))
        return;
    context->eflags &= ~EFLAGS_TF;
    trap_work |= WORK_STEP;
    machine_regs.fault_active = 0;
    __asm__ volatile(MACHINE_FN(2) : : "a"(context) : "memory");
}

/* A kernel's copy that met a bad address goes on at its fixup. Otherwise the program's frame. */
struct denali_context *trap_fault(void);
struct denali_context *trap_fault(void)
{
    struct denali_context *context = (struct denali_context *)&machine_regs.fault_context;
    if (context->intr_enabled) {
        struct denali_context *frame = thread_frame(thread_current);
        *frame = *context;
        frame->reserved = SYSCALL_NONE;
        machine_regs.fault_active = 0;
        return frame;
    }
    step_over_kernel(context);
    for (const struct fixup *fixup = fixup_table_start; fixup < fixup_table_end; fixup++) {
        if (fixup->at != context->eip)
            continue;
        context->eip = fixup->to;
        machine_regs.fault_active = 0;
        __asm__ volatile(MACHINE_FN(2) : : "a"(context) : "memory");
    }
    kernel_fault(context);
}

struct fault_signal {
    uint8_t signal, code;
};

static struct fault_signal fault_signal(uint32_t vector, uint32_t address)
{
    switch (vector) {
    case 0:
        return (struct fault_signal){SIGFPE, 1};
    case FAULT_DEBUG:
        return (struct fault_signal){SIGTRAP, 2};
    case FAULT_BREAKPOINT:
        return (struct fault_signal){SIGTRAP, SI_KERNEL};
    case 6:
        return (struct fault_signal){SIGILL, 2};
    case FAULT_PAGE:
        return (struct fault_signal){SIGSEGV, vma_find(address) ? 2 : 1};
    case 17:
        return (struct fault_signal){SIGBUS, 1};
    default:
        return (struct fault_signal){SIGSEGV, SI_KERNEL};
    }
}

/* FPE_... code of what is raised and not masked, in Linux's order. */
static int float_code(uint32_t raised)
{
    static const struct {
        uint8_t bits, code;
    } order[] = {{1, 7}, {4, 3}, {8, 4}, {18 /* denormal, underflow */, 5}, {32, 6}};
    for (uint32_t i = 0; i < ARRAY_LEN(order); i++)
        if (raised & order[i].bits)
            return order[i].code;
    return 0;
}

static int float_fault_code(uint32_t vector)
{
    uint8_t area[512] __attribute__((aligned(16)));
    __asm__ volatile("fxsave %0" : "=m"(area));
    uint16_t control, status;
    uint32_t mxcsr;
    memcpy(&control, area, 2);
    memcpy(&status, area + 2, 2);
    memcpy(&mxcsr, area + 24, 4);
    return float_code(vector == FAULT_SIMD ? mxcsr & ~(mxcsr >> 7) & 0x3f
                                           : status & ~control & 0x3fu);
}

void trap_user_fault(struct denali_context *frame);
void trap_user_fault(struct denali_context *frame)
{
    uint32_t vector = machine_regs.fault_vector, address = machine_regs.fault_address;
    if (vector == FAULT_X87 || vector == FAULT_SIMD) {
        signal_force(SIGFPE, float_fault_code(vector), frame->eip, (int)vector);
        return;
    }
    struct fault_signal signal = fault_signal(vector, address);
    uint32_t shown = vector == FAULT_PAGE ? address : vector == 0 || vector == 6 ? frame->eip : 0;
    signal_force(signal.signal, signal.code, shown, (int)vector);
}
