/* SPDX-License-Identifier: MIT */
/* System calls of threads: making and ending them, their thread pointers, who runs. */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/syscall.h"
#include "guests/ilwaco/thread.h"

enum clone_flags {
    CLONE_VM = 0x100,
    CLONE_SIGHAND = 0x800,
    CLONE_THREAD = 0x10000,
    CLONE_SETTLS = 0x80000,
    CLONE_PARENT_SETTID = 0x100000,
    CLONE_CHILD_CLEARTID = 0x200000,
    CLONE_CHILD_SETTID = 0x1000000,
};
#define CLONE_NEEDED (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

/* struct user_desc, as far as it matters: which entry, and the base. */
struct user_desc {
    uint32_t entry, base, limit, bits;
};
#define TLS_ENTRY 6u
#define TLS_ENTRIES 3u
#define TLS_ENTRY_64 12u /* where a 64-bit kernel has them; programs may name either */

static uint32_t *tls_base(struct thread *thread)
{
    return thread == thread_current ? (uint32_t *)&machine_regs.gs_base : &thread->gs_base;
}

/* The base of the one segment that a program's thread pointer uses goes to GS at once: loading
 * the selector changes nothing on this machine. */
static int set_tls(struct thread *thread, uint32_t addr, bool allocate)
{
    struct user_desc desc;
    if (copy_from_user(&desc, addr, sizeof desc))
        return -EFAULT;
    if (desc.entry == UINT32_MAX && allocate) {
        desc.entry = TLS_ENTRY;
        if (put_user32(addr, desc.entry))
            return -EFAULT;
    }
    bool known = desc.entry - TLS_ENTRY < TLS_ENTRIES || desc.entry - TLS_ENTRY_64 < TLS_ENTRIES;
    if (!known)
        return -EINVAL;
    *tls_base(thread) = desc.base;
    return 0;
}

int32_t sys_set_thread_area(uint32_t desc)
{
    return set_tls(thread_current, desc, true);
}

int32_t sys_get_thread_area(uint32_t addr)
{
    struct user_desc desc;
    if (copy_from_user(&desc, addr, sizeof desc))
        return -EFAULT;
    desc.base = machine_regs.gs_base;
    desc.limit = 0xfffff;
    desc.bits = 0x51; /* 32 bits, limit in pages, usable */
    return copy_to_user(addr, &desc, sizeof desc);
}

/* Local descriptor table: entries are thread pointers too, as old thread libraries use them. */
int32_t sys_modify_ldt(uint32_t function, uint32_t addr, uint32_t bytes)
{
    struct user_desc desc;
    if (function == 0)
        return 0;
    if ((function != 1 && function != 0x11) || bytes < sizeof desc)
        return function == 1 || function == 0x11 ? -EINVAL : -ENOSYS;
    if (copy_from_user(&desc, addr, sizeof desc))
        return -EFAULT;
    machine_regs.gs_base = desc.base;
    return 0;
}

static int set_up_child(struct thread *child, uint32_t flags, uint32_t parent_tid, uint32_t tls,
                        uint32_t child_tid)
{
    struct thread *self = thread_current;
    child->gs_base = machine_regs.gs_base;
    child->fs_base = machine_regs.fs_base;
    child->blocked = self->blocked;
    child->signal_stack.flags = 2; /* SS_DISABLE */
    if ((flags & CLONE_SETTLS) && set_tls(child, tls, false))
        return -EINVAL;
    if ((flags & CLONE_PARENT_SETTID) && put_user32(parent_tid, (uint32_t)child->tid))
        return -EFAULT;
    if ((flags & CLONE_CHILD_SETTID) && put_user32(child_tid, (uint32_t)child->tid))
        return -EFAULT;
    if (flags & CLONE_CHILD_CLEARTID)
        child->clear_tid = child_tid;
    return 0;
}

static int32_t make_thread(uint32_t flags, uint32_t stack, uint32_t parent_tid, uint32_t tls,
                           uint32_t child_tid)
{
    struct denali_context frame = *thread_frame(thread_current);
    frame_unpack(&frame);
    frame.eax = 0;
    frame.reserved = SYSCALL_NONE;
    frame.intr_enabled = 1;
    if (stack)
        frame.esp = stack;
    struct thread *child = thread_create(&frame);
    if (!child)
        return -EAGAIN;
    int err = set_up_child(child, flags, parent_tid, tls, child_tid);
    if (err) {
        thread_discard(child);
        return err;
    }
    int32_t tid = child->tid;
    thread_start(child);
    return tid;
}

int32_t sys_clone(uint32_t flags, uint32_t stack, uint32_t parent_tid, uint32_t tls,
                  uint32_t child_tid)
{
    if ((flags & CLONE_NEEDED) != CLONE_NEEDED) {
        machine_unknown(120, "clone (another process)");
        return -ENOSYS;
    }
    return make_thread(flags, stack, parent_tid, tls, child_tid);
}

/* struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls. */
int32_t sys_clone3(uint32_t args, uint32_t size)
{
    uint64_t a[8];
    if (size < sizeof a)
        return -EINVAL;
    if (copy_from_user(a, args, sizeof a))
        return -EFAULT;
    if ((a[0] & CLONE_NEEDED) != CLONE_NEEDED) {
        machine_unknown(435, "clone3 (another process)");
        return -ENOSYS;
    }
    return make_thread((uint32_t)a[0], (uint32_t)(a[5] + a[6]), (uint32_t)a[3], (uint32_t)a[7],
                       (uint32_t)a[2]);
}

int32_t sys_set_tid_address(uint32_t addr)
{
    thread_current->clear_tid = addr;
    return thread_current->tid;
}

int32_t sys_gettid(void)
{
    return thread_current->tid;
}

int32_t sys_exit(uint32_t status)
{
    thread_exit((int)status);
}

int32_t sys_exit_group(uint32_t status)
{
    process_exit((int)status);
}

int32_t sys_sched_yield(void)
{
    sched_yield();
    return 0;
}

/* ---- one processor ---- */

int32_t sys_sched_getaffinity(uint32_t tid, uint32_t bytes, uint32_t mask)
{
    uint32_t one = 1;
    if (tid && !thread_by_tid((int32_t)tid))
        return -ESRCH;
    if (bytes < 4 || (bytes & 3))
        return -EINVAL;
    return copy_to_user(mask, &one, 4) ? -EFAULT : 4;
}

int32_t sys_sched_setaffinity(uint32_t tid, uint32_t bytes, uint32_t mask)
{
    uint32_t set = 0;
    if (tid && !thread_by_tid((int32_t)tid))
        return -ESRCH;
    if (copy_from_user(&set, mask, bytes < 4 ? bytes : 4))
        return -EFAULT;
    return set & 1 ? 0 : -EINVAL;
}

int32_t sys_getcpu(uint32_t cpu, uint32_t node)
{
    return (cpu && put_user32(cpu, 0)) || (node && put_user32(node, 0)) ? -EFAULT : 0;
}

int32_t sys_sched_getscheduler(uint32_t tid)
{
    return tid && !thread_by_tid((int32_t)tid) ? -ESRCH : 0;
}

int32_t sys_sched_setscheduler(uint32_t tid, uint32_t policy)
{
    if (tid && !thread_by_tid((int32_t)tid))
        return -ESRCH;
    return policy == 0 || policy == 3 || policy == 5 ? 0 : -EPERM;
}

int32_t sys_sched_getparam(uint32_t tid, uint32_t param)
{
    return tid && !thread_by_tid((int32_t)tid) ? -ESRCH : put_user32(param, 0);
}

int32_t sys_sched_setparam(uint32_t tid)
{
    return tid && !thread_by_tid((int32_t)tid) ? -ESRCH : 0;
}

int32_t sys_sched_get_priority_max(uint32_t policy)
{
    return policy == 1 || policy == 2 ? 99 : policy <= 5 ? 0 : -EINVAL;
}

int32_t sys_sched_get_priority_min(uint32_t policy)
{
    return policy == 1 || policy == 2 ? 1 : policy <= 5 ? 0 : -EINVAL;
}

enum membarrier_command { MEMBARRIER_QUERY = 0 };

/* One processor, and every switch of threads is a barrier. */
int32_t sys_membarrier(uint32_t command)
{
    return command == MEMBARRIER_QUERY ? 0x1f : 0;
}
