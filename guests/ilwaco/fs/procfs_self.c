/* SPDX-License-Identifier: MIT */
/* /proc about the process and its threads. */
#include "guests/ilwaco/exec.h"
#include "guests/ilwaco/fd.h"
#include "guests/ilwaco/fs/procfs.h"
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/signal_actions.h"
#include "guests/ilwaco/thread.h"

#define NS_PER_TICK 10000000u

void proc_self(struct text *text)
{
    text_put(text, "%u", ILWACO_PID);
}

void proc_thread_self(struct text *text)
{
    text_put(text, "%u/task/%d", ILWACO_PID, thread_current->tid);
}

void proc_mounts_link(struct text *text)
{
    text_put(text, "self/mounts");
}

static void put_path(struct text *text, const struct dentry *dentry)
{
    char *path = kmalloc(PATH_MAX);
    int len = path ? dentry_path(dentry, path, PATH_MAX) : -ENOMEM;
    if (len > 0)
        text_bytes(text, path, (uint32_t)len);
    kfree(path);
    if (len > 0 && dentry->unlinked)
        text_put(text, " (deleted)");
}

void proc_exe(struct text *text)
{
    put_path(text, exec_info()->dentry);
}

void proc_cwd(struct text *text)
{
    put_path(text, vfs_cwd());
}

void proc_root(struct text *text)
{
    text_put(text, "/");
}

struct dentry *proc_jump_target(proc_text_fn fn)
{
    if (fn == proc_exe)
        return exec_info()->dentry;
    if (fn == proc_cwd)
        return vfs_cwd();
    return fn == proc_root ? vfs_root() : NULL;
}

static const char *region_name(const struct vma *vma)
{
    return vma->kind == VMA_HEAP ? "[heap]" : vma->kind == VMA_STACK ? "[stack]" : "";
}

void proc_maps(struct text *text)
{
    const struct vma *vma;
    for (uint32_t i = 0; (vma = vma_at(i)); i++) {
        if (vma->kind == VMA_KERNEL)
            continue;
        uint32_t ino = vma->dentry ? vma->dentry->inode->ino : 0;
        uint32_t before = text->len;
        text_put(text, "%08x-%08x %c%c%c%c %08x %s %u ", vma->start, vma->end,
                 vma->prot & PROT_READ ? 'r' : '-', vma->prot & PROT_WRITE ? 'w' : '-',
                 vma->prot & PROT_EXEC ? 'x' : '-', vma->shared ? 's' : 'p', (uint32_t)vma->offset,
                 vma->dentry ? "00:15" : "00:00", ino);
        bool named = vma->dentry || vma->kind == VMA_HEAP || vma->kind == VMA_STACK;
        while (named && text->len - before < 73)
            text_put(text, " ");
        if (vma->dentry)
            put_path(text, vma->dentry);
        text_put(text, "%s\n", vma->dentry ? "" : region_name(vma));
    }
}

static struct thread *subject(const struct text *text)
{
    struct thread *thread = thread_by_tid(text->tid);
    return thread ? thread : thread_current;
}

static uint32_t ticks(const struct thread *thread)
{
    return (uint32_t)div_u64(thread_cpu_ns(thread), NS_PER_TICK, NULL);
}

void proc_self_stat(struct text *text)
{
    const struct memory_layout *layout = memory_layout();
    const struct thread *thread = subject(text);
    uint32_t pages = (uint32_t)(vma_bytes() / PAGE_SIZE);
    text_put(text, "%d (%s) R 1 %u %u 0 %u 4194304 0 0 0 0 %u 0 0 0 20 0 %u 0 0 ", thread->tid,
             thread->name, ILWACO_PID, ILWACO_PID, ILWACO_PID, ticks(thread), thread_count());
    text_put(text, "%u %u 4294967295 %u %u %u 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 %u ",
             pages * PAGE_SIZE, pages, layout->code_start, layout->code_end, layout->stack_top,
             layout->brk_start);
    const struct exec_info *info = exec_info();
    text_put(text, "%u %u %u %u 0\n", info->args_start, info->args_end, info->env_start,
             info->env_end);
}

void proc_statm(struct text *text)
{
    uint32_t pages = (uint32_t)(vma_bytes() / PAGE_SIZE);
    text_put(text, "%u %u 0 0 0 %u 0\n", pages, pages, pages);
}

static void put_mask(struct text *text, const char *name, sigset_t64 set)
{
    text_put(text, "%s:\t%08x%08x\n", name, (uint32_t)(set >> 32), (uint32_t)set);
}

static sigset_t64 actions_with(bool ignored)
{
    sigset_t64 set = 0;
    for (int i = 1; i <= SIGNALS; i++) {
        uint32_t handler = signal_action(i)->handler;
        if (ignored ? handler == SIG_IGN : handler > SIG_IGN)
            set |= SIGNAL_BIT(i);
    }
    return set;
}

void proc_status(struct text *text)
{
    const struct thread *thread = subject(text);
    uint32_t kib = (uint32_t)(vma_bytes() / 1024);
    text_put(text, "Name:\t%s\nUmask:\t%04o\nState:\tR (running)\nTgid:\t%u\nNgid:\t0\nPid:\t%d\n",
             thread->name, vfs_umask(), ILWACO_PID, thread->tid);
    text_put(text, "PPid:\t1\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t%u\n",
             fd_room());
    text_put(text, "Groups:\t \nVmPeak:\t%8u kB\nVmSize:\t%8u kB\nVmLck:\t       0 kB\n", kib, kib);
    text_put(text, "VmHWM:\t%8u kB\nVmRSS:\t%8u kB\nThreads:\t%u\n", kib, kib, thread_count());
    put_mask(text, "SigPnd", thread->signals.pending);
    put_mask(text, "SigBlk", thread->blocked);
    put_mask(text, "SigIgn", actions_with(true));
    put_mask(text, "SigCgt", actions_with(false));
    text_put(text, "CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\n"
                   "CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n");
    text_put(text, "NoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n");
}

static void put_range(struct text *text, uint32_t start, uint32_t end)
{
    if (vma_covered(start & ~PAGE_MASK, PAGE_UP(end)))
        text_bytes(text, (const void *)start, end - start);
}

void proc_args(struct text *text)
{
    put_range(text, exec_info()->args_start, exec_info()->args_end);
}

void proc_environ(struct text *text)
{
    put_range(text, exec_info()->env_start, exec_info()->env_end);
}

void proc_auxv(struct text *text)
{
    put_range(text, exec_info()->auxv_start, exec_info()->auxv_end);
}

void proc_comm(struct text *text)
{
    text_put(text, "%s\n", subject(text)->name);
}

void proc_mounts(struct text *text)
{
    text_put(text, "root / tmpfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\n");
    text_put(text, "sysfs /sys sysfs rw,relatime 0 0\n");
}

void proc_mountinfo(struct text *text)
{
    text_put(text, "1 0 0:21 / / rw,relatime - tmpfs root rw\n");
    text_put(text, "2 1 0:22 / /proc rw,relatime - proc proc rw\n");
    text_put(text, "3 1 0:23 / /sys rw,relatime - sysfs sysfs rw\n");
}

void proc_limits(struct text *text)
{
    text_put(text, "%-25s %-20s %-20s %s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    text_put(text, "%-25s %-20u %-20s %s\n", "Max stack size", STACK_BYTES, "unlimited", "bytes");
    text_put(text, "%-25s %-20u %-20u %s\n", "Max open files", fd_limit(), FD_MAX, "files");
}

void proc_cgroup(struct text *text)
{
    text_put(text, "0::/\n");
}
