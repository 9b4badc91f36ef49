/* SPDX-License-Identifier: MIT */
/*
 * A piece of hostile code with a way back, whatever it does to its stack and
 * registers: a fault comes back by the handler (main.c), INT of any number by
 * trap_entry, a return by itself.
 */
#define REGS_TRAP_ENABLED 0x0c4
#define REGS_INTR_ENABLED 0x088

    .bss
    .globl try_esp, try_target, try_out
try_esp:
    .zero 4
try_target:
    .zero 4
try_out:                        /* struct registers */
    .zero 40
try_in:
    .zero 4

    .text
/* uint32_t try_function(void (*fn)(uint32_t), uint32_t argument): 0, or 1 + the fault's vector. */
    .globl try_function
try_function:
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, try_esp
    pushl 24(%esp)
    call *24(%esp)
    xor %eax, %eax
    .globl try_landed
try_landed:                     /* ESP may be anything, EAX is the answer */
    mov try_esp, %esp
    cld
    fninit
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

/* uint32_t try_registers(const struct registers *in, uint32_t eip): 0 it came back by INT, or 1 +
 * the fault's vector. */
    .globl try_registers
try_registers:
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov %esp, try_esp
    mov 24(%esp), %eax
    mov %eax, try_target
    mov 20(%esp), %eax
    pushl 32(%eax)
    popf
    mov 4(%eax), %ecx
    mov 8(%eax), %edx
    mov 12(%eax), %ebx
    mov 16(%eax), %esp
    mov 20(%eax), %ebp
    mov 24(%eax), %esi
    mov 28(%eax), %edi
    mov (%eax), %eax
    jmp *try_target

    .globl try_trapped
try_trapped:
    mov %eax, try_out
    mov %ecx, try_out + 4
    mov %edx, try_out + 8
    mov %ebx, try_out + 12
    mov %esp, try_out + 16
    mov %ebp, try_out + 20
    mov %esi, try_out + 24
    mov %edi, try_out + 28
    mov try_esp, %esp
    pushf
    popl try_out + 32
    pushl $2
    popf
    mov REGS_TRAP_ENABLED, %eax
    mov %eax, REGS_INTR_ENABLED
    xor %eax, %eax
    jmp try_landed

    .section .note.GNU-stack, "", @progbits
