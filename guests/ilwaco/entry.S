/* SPDX-License-Identifier: MIT */
/*
 * The ways into the kernel: start, int $0x80, interrupt, fault.
 *
 * Every way leaves the program's registers as a struct denali_context at the
 * top of the thread's kernel stack (the frame). A system call's frame is
 * written by pushes; its `eflags` hold the five status flags as LAHF gives
 * them in bits 8-15 and the overflow flag in bit 0 ("packed", recognised by
 * bit 1 being clear, which real eflags never show), because PUSHF costs more
 * than the whole of the rest; its `reserved` holds the call's number. The
 * short way back (TRAPRET) trusts that C code kept ebx, esi, edi, ebp. Whoever
 * changes the frame sets a bit of trap_work, and the long way (RESUME) is
 * taken.
 */
#include "guests/ilwaco/regs_offsets.h"

    /* Frames are aligned to 16, as the stack must be where C code is called. */
    .macro CALL_WITH_FRAME function
    movl %esp, %eax
    subl $12, %esp
    pushl %eax
    call \function
    addl $16, %esp
    .endm

    .text
    .globl ilwaco_start
ilwaco_start:
    movl $boot_thread_end - BOOT_STACK_RESERVED, %esp
    xorl %ebp, %ebp
    call boot_main

    .globl trap_entry
    .p2align 4
trap_entry:
    movl %esp, trap_user_esp
    movl trap_stack_top, %esp
    pushl %eax
    pushl $1
    pushl %edi
    pushl %esi
    pushl %ebp
    pushl trap_user_esp
    pushl %ebx
    pushl %edx
    pushl %ecx
    pushl %eax
    lahf
    seto %al
    pushl %eax
    pushl REGS_TRAP_EIP
    cmpl $0x80, REGS_TRAP_NUMBER
    jne trap_other
    movl FRAME_EAX(%esp), %eax
    cmpl $SYSCALL_TABLE_LEN, %eax
    jae trap_unknown
    subl $8, %esp
    pushl %ebp
    pushl %edi
    pushl %esi
    pushl %edx
    pushl %ecx
    pushl %ebx
    cld
    call *syscall_table(,%eax,4)
    addl $32, %esp
trap_leave:
    movl %eax, FRAME_EAX(%esp)
    cmpl $0, trap_work
    jne trap_slow
    popl REGS_TRAP_EIP
    popl %eax
    addb $0x7f, %al
    sahf
    popl %eax
    popl %ecx
    popl %edx
    movl 4(%esp), %esp
    .byte 0x0f, 0xb9, 0xc0 + FN_TRAPRET

trap_unknown:
    cld
    subl $12, %esp
    pushl %eax
    call syscall_unknown
    addl $16, %esp
    jmp trap_leave

trap_other:
    cld
    CALL_WITH_FRAME trap_stray

trap_slow:
    CALL_WITH_FRAME trap_finish
    movl %esp, %eax             /* the frame */
    .byte 0x0f, 0xb9, 0xc0 + FN_RESUME

    /* void trap_resume_frame(const struct denali_context *frame), does not return */
    .globl trap_resume_frame
trap_resume_frame:
    movl 4(%esp), %eax
    .byte 0x0f, 0xb9, 0xc0 + FN_RESUME

    /* esp = the top of the running thread's kernel stack. */
    .globl upcall_entry
upcall_entry:
    cld
    subl $FRAME_SIZE, %esp
    CALL_WITH_FRAME trap_interrupt
    jmp trap_slow

    /* esp = a small stack of its own, as the kernel's own copies fault too. */
    .globl fault_entry
fault_entry:
    cld
    movl $0, REGS_INTR_ENABLED
    call trap_fault             /* -> the program's frame; does not return for a kernel's fault */
    movl %eax, %esp
    CALL_WITH_FRAME trap_user_fault
    jmp trap_slow

    /* Where a new thread's first switch returns to: esp = its frame. */
    .globl trap_slow_start
trap_slow_start:
    jmp trap_slow

    /* void thread_switch_stack(uint32_t *save_esp, uint32_t load_esp) */
    .globl thread_switch_stack
thread_switch_stack:
    movl 4(%esp), %eax
    movl 8(%esp), %edx
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, (%eax)
    movl %edx, %esp
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    ret

    .section .bss.STACK, "aw", @nobits
    .p2align 12
    .globl boot_thread, boot_thread_end
boot_thread:
    .skip 16384
boot_thread_end:
    .globl fault_stack_top
    .skip 1024
fault_stack_top:

    .section .note.GNU-stack, "", @progbits
