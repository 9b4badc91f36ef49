/* SPDX-License-Identifier: MIT */
/*
 * Virtual instructions, interrupts and faults. The two handlers are the only
 * state of the library: a guest is one VM, so they may be globals here.
 */
#include "guests/lib/guest.h"

#define STACK_BYTES 16384

void guest_upcall(void);
void guest_fault_upcall(void);
void guest_upcall_c(void);
void guest_fault_c(void);

static guest_interrupt_fn interrupt_handler;
static guest_fault_fn fault_handler;
static char interrupt_stack[STACK_BYTES] __attribute__((aligned(16)));
static char fault_stack[STACK_BYTES] __attribute__((aligned(16)));

void guest_idle(uint64_t ns_at_most)
{
    __asm__ volatile("ud1 %%eax, %%eax"
                     :
                     : "a"((uint32_t)ns_at_most), "d"((uint32_t)(ns_at_most >> 32))
                     : "memory", "cc");
}

void guest_terminate(unsigned status)
{
    __asm__ volatile("ud1 %%ecx, %%eax" : : "a"(status) : "memory");
    __builtin_unreachable();
}

void guest_poll(void)
{
    __asm__ volatile("ud1 %%esp, %%eax" : : : "memory", "cc");
}

void guest_upcall_c(void)
{
    interrupt_handler(guest_regs.delivered);
}

void guest_interrupts_on(guest_interrupt_fn handler)
{
    interrupt_handler = handler;
    guest_regs.upcall_stack = (uint32_t)(interrupt_stack + STACK_BYTES);
    guest_regs.upcall_entry = (uint32_t)guest_upcall;
    guest_regs.intr_enabled = 1;
    guest_poll();
}

void guest_interrupts_off(void)
{
    guest_regs.intr_enabled = 0;
}

void guest_fault_c(void)
{
    struct denali_context *context = (struct denali_context *)(uintptr_t)&guest_regs.fault_context;
    fault_handler(context, guest_regs.fault_vector, guest_regs.fault_error,
                  guest_regs.fault_address);
}

void guest_faults_to(guest_fault_fn handler)
{
    fault_handler = handler;
    guest_regs.fault_stack = (uint32_t)(fault_stack + STACK_BYTES);
    guest_regs.fault_active = 0;
    guest_regs.fault_entry = (uint32_t)guest_fault_upcall;
}
