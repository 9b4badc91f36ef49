/* SPDX-License-Identifier: MIT */
/* What the assembler sources need of denali/abi.h; trap.c holds the two together. */
#ifndef ILWACO_REGS_OFFSETS_H
#define ILWACO_REGS_OFFSETS_H

#define REGS_AT 0xf000
#define REGS_INTR_ENABLED (REGS_AT + 0x088)
#define REGS_FAULT_ACTIVE (REGS_AT + 0x0a8)
#define REGS_TRAP_EIP (REGS_AT + 0x0bc)
#define REGS_TRAP_NUMBER (REGS_AT + 0x0c0)

/* struct denali_context */
#define FRAME_EFLAGS 4
#define FRAME_EAX 8
#define FRAME_ESP 24
#define FRAME_SIZE 48

/* At the top of the boot stack: the first struct thread and its frame. */
#define BOOT_STACK_RESERVED 1024

/* syscalls.def has a row for every number below. */
#define SYSCALL_TABLE_LEN 451

#define FN_RESUME 2
#define FN_TRAPRET 3

#endif
