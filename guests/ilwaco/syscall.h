/* SPDX-License-Identifier: MIT */
/*
 * The system calls. A function takes up to six words (ebx, ecx, edx, esi, edi,
 * ebp) and returns what eax becomes: a result or a negative errno.
 */
#ifndef ILWACO_SYSCALL_H
#define ILWACO_SYSCALL_H

#include "guests/ilwaco/kernel.h"

/* frame.reserved when it was not a system call that entered the kernel. */
#define SYSCALL_NONE UINT32_MAX

typedef void (*syscall_fn)(void);

/* SYSCALL_TABLE_LEN entries (regs_offsets.h), from syscalls.def; called by entry.S. */
extern const syscall_fn syscall_table[];
int32_t syscall_unknown(uint32_t number);
const char *syscall_name(uint32_t number);

#endif
