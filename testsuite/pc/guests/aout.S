/* SPDX-License-Identifier: MIT */
/* Multiboot by the header's own addresses (flag 16), at 300000h, with a cleared end. */
        .code32
        .globl _start
_start:
header: .long 0x1badb002, 0x00010003, -(0x1badb002 + 0x00010003)
        .long header, header, loaded, loaded + 4096, enter
enter:  cmpl $0, loaded
        jne bad
        cmpl $0x77777777, last
        jne bad
        cmp $0x2badb002, %eax
        jne bad
        mov $'F', %al
        out %al, $0xe9
        xor %al, %al
        out %al, $0xf4
bad:    mov $1, %al
        out %al, $0xf4
        hlt
        .align 4
last:   .long 0x77777777
loaded: .long 0x11111111        # not part of what is loaded
