/* SPDX-License-Identifier: MIT */
/*
 * Copies that may meet an address that is not there. A fault at a place named
 * in the fixup table continues at the place beside it (trap.c).
 */
    .text
#define FIXUP(at, to) .pushsection .fixup_table, "a"; .long at, to; .popsection

    /* uint32_t user_copy(void *dst, const void *src, uint32_t n): bytes not copied */
    .globl user_copy
    .p2align 4
user_copy:
    movl 12(%esp), %ecx
    movl 4(%esp), %edx
    movl 8(%esp), %eax
    pushl %esi
    pushl %edi
    movl %edx, %edi
    movl %eax, %esi
    cmpl $32, %ecx              /* the string instructions are slow to start */
    jbe 7f
0:  movl %ecx, %edx
    shrl $2, %ecx
1:  rep movsl
    movl %edx, %ecx
    andl $3, %ecx
2:  rep movsb
3:  movl %ecx, %eax
    popl %edi
    popl %esi
    ret
4:  leal 1(%ecx), %ecx          /* not zero is all that counts */
    jmp 3b
7:  testl $3, %ecx
    jnz 0b
8:  subl $4, %ecx
    jb 9f
5:  movl (%esi,%ecx), %edx
6:  movl %edx, (%edi,%ecx)
    jmp 8b
9:  xorl %eax, %eax
    popl %edi
    popl %esi
    ret
    FIXUP(1b, 4b)
    FIXUP(2b, 4b)
    FIXUP(5b, 4b)
    FIXUP(6b, 4b)

    /* uint32_t user_zero(void *dst, uint32_t n): not zero after a fault */
    .globl user_zero
user_zero:
    movl 4(%esp), %edx
    movl 8(%esp), %ecx
    pushl %edi
    movl %edx, %edi
    movl %ecx, %edx
    xorl %eax, %eax
    shrl $2, %ecx
1:  rep stosl
    movl %edx, %ecx
    andl $3, %ecx
2:  rep stosb
    popl %edi
    ret
3:  movl $1, %eax
    popl %edi
    ret
    FIXUP(1b, 3b)
    FIXUP(2b, 3b)

    /* int32_t user_string(char *dst, const char *src, uint32_t room): length, -1 fault, -2 too long */
    .globl user_string
user_string:
    pushl %esi
    pushl %edi
    movl 12(%esp), %edi
    movl 16(%esp), %esi
    xorl %ecx, %ecx
1:  cmpl 20(%esp), %ecx
    jae 3f
2:  movb (%esi,%ecx), %al
    movb %al, (%edi,%ecx)
    testb %al, %al
    je 5f
    incl %ecx
    jmp 1b
3:  movl $-2, %ecx
    jmp 5f
4:  movl $-1, %ecx
5:  movl %ecx, %eax
    popl %edi
    popl %esi
    ret
    FIXUP(2b, 4b)

    /* int user_load(uint32_t *dst, const uint32_t *src); 0 or -1 */
    .globl user_load
user_load:
    movl 8(%esp), %ecx
    movl 4(%esp), %edx
1:  movl (%ecx), %ecx
    movl %ecx, (%edx)
    xorl %eax, %eax
    ret
2:  movl $-1, %eax
    ret
    FIXUP(1b, 2b)

    /* int user_store(uint32_t *dst, uint32_t value); 0 or -1 */
    .globl user_store
user_store:
    movl 4(%esp), %edx
    movl 8(%esp), %ecx
1:  movl %ecx, (%edx)
    xorl %eax, %eax
    ret
2:  movl $-1, %eax
    ret
    FIXUP(1b, 2b)

    /* int user_exchange(uint32_t *at, uint32_t *expect, uint32_t value): compare-and-swap;
     * *expect becomes what was there. 0 or -1 */
    .globl user_exchange
user_exchange:
    pushl %ebx
    movl 8(%esp), %ecx
    movl 12(%esp), %ebx
    movl 16(%esp), %edx
    movl (%ebx), %eax
1:  cmpxchgl %edx, (%ecx)
    movl %eax, (%ebx)
    xorl %eax, %eax
    popl %ebx
    ret
2:  movl $-1, %eax
    popl %ebx
    ret
    FIXUP(1b, 2b)

    .section .note.GNU-stack, "", @progbits
