/* SPDX-License-Identifier: MIT */
/*
 * The image's start from reset, the ways of every vector back to the program, and the way into a
 * case: see machine.c.
 */
        .section .boot, "ax"
        .code16
boot:   cli
        cld
        mov     %cs, %ax
        mov     %ax, %ds
        mov     $0x1000, %ax
        mov     %ax, %es
        xor     %si, %si
        xor     %di, %di
        mov     $0xfe00 / 2, %cx
        rep movsw
        mov     $0x1, %al
        mov     $0x190, %dx
        out     %al, %dx
        lgdtl   %cs:first_gdtr - boot + 0xfe00
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $8, $start
        .align 8
first_gdt:
        .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff
first_gdtr:
        .word   23
        .long   first_gdt - boot + 0xffe00
        .org    0x1f0
        ljmp    $0xf000, $0xfe00
        .ascii  "07/17/26"
        .org    0x1fe
        .byte   0xfc, 0

        .section .start, "ax"
        .code32
start:  mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        mov     $0x5f000, %esp
        mov     $0x30000, %edi
        xor     %eax, %eax
        mov     $0x1000, %ecx
        rep stosl
        call    run
stop:   cli
        hlt
        jmp     stop

/* Each vector's entry: an error code if there is none, the vector; 16 bytes each. */
        .text
        .globl  entries, double_fault
        .align 16
entries:
        .set    v, 0
        .rept   32
        .align 16
        .if     v != 8 && v != 10 && v != 11 && v != 12 && v != 13 && v != 14 && v != 17
        push    $0
        .endif
        push    $v
        jmp     arrive
        .set    v, v + 1
        .endr

/* Keeps what the case was left with, wherever its stack is, and goes back to enter_case's caller. */
arrive: cld
        push    %ds
        push    %es
        push    %fs
        push    %gs
        pushal
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %ss, seen_ss
        mov     %esp, seen_esp
        mov     %ss, %eax
        lar     %eax, %eax
        mov     %esp, %ebp
        bt      $22, %eax
        jc      1f
        movzwl  %bp, %ebp
1:      mov     $seen, %edi
        mov     $24, %ecx
2:      mov     %ss:(%ebp), %eax
        stosl
        add     $4, %ebp
        loop    2b
back:   mov     $0x10, %eax
        mov     %eax, %ss
        mov     kept_esp, %esp
        mov     %eax, %fs
        mov     %eax, %gs
        pushl   $2
        popfl
        popal
        ret

/* A task of its own. */
double_fault:
        movl    $8, seen + 48
        pop     %eax
        mov     %eax, seen + 52
        jmp     back

/* void enter_case(void): by the frame in `frame`, with the registers in `regs`. */
        .globl  enter_case
enter_case:
        pushal
        mov     %esp, kept_esp
        lss     frame_stack, %esp
        mov     regs + 0, %eax
        mov     %eax, %fs
        mov     regs + 4, %eax
        mov     %eax, %gs
        mov     regs + 8, %eax
        mov     %eax, %es
        pushl   regs + 12
        mov     regs + 16, %eax
        mov     regs + 20, %ecx
        mov     regs + 24, %edx
        mov     regs + 28, %ebx
        mov     regs + 32, %ebp
        mov     regs + 36, %esi
        mov     regs + 40, %edi
        pop     %ds
        iretl

        .bss
        .globl  seen, seen_ss, seen_esp, frame_stack, regs
kept_esp: .space 4
seen:   .space 128
seen_ss: .space 4
seen_esp: .space 4
frame_stack: .space 8
regs:   .space 64
