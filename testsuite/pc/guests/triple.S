/* SPDX-License-Identifier: MIT */
/* Multiboot: has no interrupt table and divides by zero. */
        .section .multiboot, "a"
        .align 4
        .long 0x1badb002, 0x00000003, -(0x1badb002 + 3)
        .text
        .globl _start
_start: lidt none
        xor %ecx, %ecx
        div %ecx
        .data
none:   .word 0
        .long 0
