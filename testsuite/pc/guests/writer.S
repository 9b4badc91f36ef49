/* SPDX-License-Identifier: MIT */
/*
 * A boot sector that takes a while, writes to its disk, says "ready", waits for a key, writes that, too, and ends
 * through F4h: what a machine has done to a disk before it was kept, and after.
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
        mov $60, %dx            # some millions of instructions
1:      xor %cx, %cx
2:      nop
        loop 2b
        dec %dx
        jnz 1b
        mov $text, %bx
        mov $0x0002, %cx
        call write
        mov $text, %si
3:      lodsb
        test %al, %al
        jz 4f
        mov $0x0e, %ah
        mov $7, %bx
        int $0x10
        jmp 3b
4:      xor %ah, %ah
        int $0x16
        mov %al, key
        mov $key, %bx
        mov $0x0003, %cx
        call write
        xor %ax, %ax
        jnc 5f
        inc %ax
5:      out %al, $0xf4
        hlt

write:  mov $0x0301, %ax
        xor %dh, %dh
        mov drive, %dl
        int $0x13
        ret

text:   .asciz "ready"
key:    .byte 0
drive:  .byte 0
        .org 510
        .word 0xaa55
