/* SPDX-License-Identifier: MIT */
/*
 * Entries of a small guest: the start, interrupts and faults. Upcalls come on
 * stacks of their own, with everything saved in the register page, so they
 * need save nothing: RESUME loads it all back.
 */
#define REGS_INTR_CONTEXT 0x100
#define REGS_FAULT_CONTEXT 0x130
#define REGS_FAULT_ACTIVE 0x0a8

    .section .text.start, "ax"
    .globl _start
_start:
    xor %ebp, %ebp
    mov $__stack_top, %esp
    call guest_main
    ud1 %ecx, %eax /* TERMINATE: status in EAX */

    .text
    .globl guest_upcall
guest_upcall:
    cld
    xor %ebp, %ebp
    call guest_upcall_c
    mov $REGS_INTR_CONTEXT, %eax
    ud1 %edx, %eax /* RESUME */

    .globl guest_fault_upcall
guest_fault_upcall:
    cld
    xor %ebp, %ebp
    call guest_fault_c
    movl $0, REGS_FAULT_ACTIVE
    mov $REGS_FAULT_CONTEXT, %eax
    ud1 %edx, %eax /* RESUME */

    .section .note.GNU-stack, "", @progbits
