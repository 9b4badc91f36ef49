/* SPDX-License-Identifier: MIT */
/* The table of system calls, made of syscalls.def. */
#include "guests/ilwaco/regs_offsets.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/syscall.h"
#include "guests/ilwaco/thread.h"

static int32_t absent(void)
{
    return syscall_unknown(thread_frame(thread_current)->reserved);
}

#define SYSCALL(number, name, fn) [number] = (syscall_fn)fn,
#define SYSCALL_ABSENT(number, name) [number] = (syscall_fn)absent,
const syscall_fn syscall_table[] = {
#include "guests/ilwaco/syscalls.def"
};
#undef SYSCALL
#undef SYSCALL_ABSENT
_Static_assert(ARRAY_LEN(syscall_table) == SYSCALL_TABLE_LEN, "entry.S");

#define SYSCALL(number, name, fn) [number] = name,
#define SYSCALL_ABSENT(number, name) [number] = name,
static const char *const names[] = {
#include "guests/ilwaco/syscalls.def"
};

const char *syscall_name(uint32_t number)
{
    return number < ARRAY_LEN(names) ? names[number] : "unknown";
}

int32_t syscall_unknown(uint32_t number)
{
    machine_unknown(number, syscall_name(number));
    return -ENOSYS;
}
