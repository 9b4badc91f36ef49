/* SPDX-License-Identifier: MIT */
/*
 * A game in a boot sector, as DOS ones are: mode 13h, its own timer and keyboard
 * interrupts. A square flies over a field of colours; the space bar fires upwards; Esc ends
 * (status 1) if something was fired, else 3.
 */
        .code16
        .globl _start
_start: ljmp $0, $begin
begin:  xor %ax, %ax
        mov %ax, %ds
        mov %ax, %ss
        mov $0x7c00, %sp
        mov $0x13, %ax
        int $0x10
        mov $0xa000, %ax
        mov %ax, %es
        cli
        movw $tick, 0x20
        movw %ds, 0x22
        movw $key, 0x24
        movw %ds, 0x26
        mov $0x34, %al          # 100 Hz
        out %al, $0x43
        mov $0x9c, %al
        out %al, $0x40
        mov $0x2e, %al
        out %al, $0x40
        sti
        xor %di, %di            # the field: a colour for each line
        mov $200, %dx
1:      mov %dl, %al
        and $31, %al
        add $32, %al
        mov $320, %cx
        rep stosb
        dec %dx
        jnz 1b
loop:   hlt
        cmpb $0, quit
        jne over
        mov place, %di
        mov $0, %al             # away, and one step on
        call square
        add $3, %di
        cmp $320 * 100 + 300, %di
        jb 2f
        mov $320 * 100, %di
2:      mov %di, place
        mov $15, %al
        call square
        cmpb $0, fired
        je loop
        mov shot, %bx
        movb $40, %es:(%bx)
        sub $320, %bx
        jc 3f
        mov %bx, shot
        jmp loop
3:      mov place, %bx
        mov %bx, shot
        jmp loop
square: push %di
        mov $8, %dx
1:      mov $8, %cx
        rep stosb
        add $312, %di
        dec %dx
        jnz 1b
        pop %di
        ret
over:   mov fired, %al
        xor $1, %al
        out %al, $0xf4
        hlt
tick:   push %ax
        mov $0x20, %al
        out %al, $0x20
        pop %ax
        iret
key:    push %ax
        in $0x60, %al
        cmp $0x39, %al
        jne 1f
        movb $1, fired
1:      cmp $0x01, %al
        jne 2f
        movb $1, quit
2:      mov $0x20, %al
        out %al, $0x20
        pop %ax
        iret
place:  .word 320 * 100
shot:   .word 320 * 100
fired:  .byte 0
quit:   .byte 0
        .org 510
        .word 0xaa55
        .org 1024
