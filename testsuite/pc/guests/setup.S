/* SPDX-License-Identifier: MIT */
/*
 * What looks like a Linux kernel but has real-mode code alone: tells at port E9h its command line,
 * what its loader put at 1 MiB and where the initrd was said to be, and that firmware answers.
 * Its status by port F4h is 1 when all was there. Assembled with OLD it is of protocol 2.00.
 */
        .code16
        .text
        .globl _start
_start: .org    0x1f1
        .byte   2                       /* sectors of setup code */
        .org    0x1fe
        .word   0xaa55
        jmp     go
        .ascii  "HdrS"
#ifdef OLD
        .word   0x200
#else
        .word   0x203
#endif
        .org    0x211
        .byte   1                       /* loaded at 1 MiB */
        .org    0x214
        .long   0x100000
initrd: .long   0, 0
        .org    0x22c
        .long   0x7fffff                /* the initrd must end below 8 MiB */

go:     mov     $0x0e2b, %ax
        xor     %bx, %bx
        int     $0x10                   /* firmware is there, or this does not come back */
        mov     $0xe820, %eax
        mov     $0x534d4150, %edx
        xor     %ebx, %ebx
        mov     $20, %ecx
        mov     $map, %di
        push    %ds
        pop     %es
        int     $0x15
        jc      bad
        cmp     $0x534d4150, %eax
        jne     bad
        testb   $0x80, 0x211            /* the loader gives a heap, but not to the oldest */
#ifdef OLD
        jnz     bad
        cmpw    $0xa33f, 0x20
        jne     bad
        movzwl  0x22, %esi
        push    %ds
        pop     %fs
#else
        jz      bad
        mov     0x228, %esi
        mov     %esi, %eax
        shr     $4, %eax
        mov     %ax, %fs
        and     $15, %esi
#endif
        mov     $'@', %al             /* SeaBIOS has written there before */
        out     %al, $0xe9
1:      mov     %fs:(%esi), %al
        inc     %esi
        out     %al, $0xe9
        test    %al, %al
        jnz     1b
        cli                             /* a data segment of 4 GiB, kept in real mode */
        xor     %eax, %eax
        mov     %ds, %ax
        shl     $4, %eax
        add     $gdt, %eax
        mov     %eax, gdtr + 2
        lgdtl   gdtr
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        mov     $8, %bx
        mov     %bx, %gs
        and     $0xfe, %al
        mov     %eax, %cr0
        mov     $0x100000, %esi
        mov     $5, %ecx
        call    tell
        mov     initrd, %esi
        mov     initrd + 4, %ecx
        call    tell
        xor     %al, %al
        out     %al, $0xf4
bad:    mov     $1, %al
        out     %al, $0xf4
2:      hlt
        jmp     2b

tell:   jecxz   3f
        mov     %gs:(%esi), %al
        inc     %esi
        out     %al, $0xe9
        loopl   tell
3:      ret

        .align  8
gdt:    .quad   0, 0x00cf93000000ffff
gdtr:   .word   15
        .long   0
map:    .fill   20
        .org    0x600
        .ascii  "code\n"
        .org    0x800
