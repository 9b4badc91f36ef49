/* SPDX-License-Identifier: MIT */
/*
 * A boot sector for the BIOS: prints, reads sector 2 by INT 13h, waits for two
 * ticks, goes to protected mode and back, ends through F4h. The letters at E9h tell how far it came.
 */
        .code16
        .globl _start
_start: ljmp $0, $begin
begin:  xor %ax, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov $0x7c00, %sp
        mov %dl, drive
        mov $'A', %al
        out %al, $0xe9
        mov $text, %si
1:      lodsb
        test %al, %al
        jz 2f
        mov $0x0e, %ah
        mov $7, %bx
        int $0x10
        jmp 1b
2:      mov $0x0201, %ax
        mov $0x0002, %cx
        xor %dh, %dh
        mov drive, %dl
        mov $0x8000, %bx
        int $0x13
        jc fail
        cmpw $0x1234, 0x8000
        jne fail
        mov $'B', %al
        out %al, $0xe9
        sti
        mov 0x46c, %bx
        add $2, %bx
3:      hlt
        cmp %bx, 0x46c
        jb 3b
        mov $'C', %al
        out %al, $0xe9
        cli
        lgdt table
        mov %cr0, %eax
        or $1, %al
        mov %eax, %cr0
        ljmp $8, $flat
        .code32
flat:   mov $16, %ax
        mov %ax, %ds
        movl $0x5a5a5a5a, 0x200000
        cmpl $0x5a5a5a5a, 0x200000
        jne 4f
        mov $'D', %al
        out %al, $0xe9
4:      ljmp $24, $back
        .code16
back:   mov $32, %ax
        mov %ax, %ds
        mov %cr0, %eax
        and $0xfe, %al
        mov %eax, %cr0
        ljmp $0, $real
real:   xor %ax, %ax
        mov %ax, %ds
        mov $'E', %al
        out %al, $0xe9
        xor %al, %al
        out %al, $0xf4
fail:   mov $1, %al
        out %al, $0xf4
        hlt
text:   .asciz "sector is here"
drive:  .byte 0
        .align 8
gdt:    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff
table:  .word 39
        .long gdt
        .org 510
        .word 0xaa55
        .word 0x1234
        .org 1024
