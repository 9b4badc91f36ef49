/* SPDX-License-Identifier: MIT */
/* System calls of signals. */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/signal_actions.h"
#include "guests/ilwaco/sys.h"
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/user_time.h"

#define SS_ONSTACK 1u
#define SS_DISABLE 2u
#define SS_AUTODISARM (1u << 31)
#define MINSIGSTKSZ 2048u

static bool valid(uint32_t signal)
{
    return signal >= 1 && signal <= SIGNALS;
}

static bool settable(uint32_t signal)
{
    return valid(signal) && signal != SIGKILL && signal != SIGSTOP;
}

/* ---- handlers ---- */

int32_t sys_rt_sigaction(uint32_t signal, uint32_t in, uint32_t out, uint32_t size)
{
    struct signal_action fresh;
    _Static_assert(sizeof fresh == 20, "struct sigaction");
    if (size != sizeof(sigset_t64) || !valid(signal) || (in && !settable(signal)))
        return -EINVAL;
    if (in && copy_from_user(&fresh, in, sizeof fresh))
        return -EFAULT;
    struct signal_action *action = signal_action((int)signal);
    if (out && copy_to_user(out, action, sizeof *action))
        return -EFAULT;
    if (in)
        *action = fresh;
    return 0;
}

/* The old form: handler, 32-bit mask, flags, restorer. */
int32_t sys_sigaction(uint32_t signal, uint32_t in, uint32_t out)
{
    uint32_t old[4], fresh[4];
    if (!valid(signal) || (in && !settable(signal)))
        return -EINVAL;
    struct signal_action *action = signal_action((int)signal);
    old[0] = action->handler;
    old[1] = (uint32_t)action->mask;
    old[2] = action->flags;
    old[3] = action->restorer;
    if (in && copy_from_user(fresh, in, sizeof fresh))
        return -EFAULT;
    if (out && copy_to_user(out, old, sizeof old))
        return -EFAULT;
    if (in)
        *action = (struct signal_action){fresh[0], fresh[2], fresh[3], fresh[1]};
    return 0;
}

int32_t sys_signal(uint32_t signal, uint32_t handler)
{
    if (!settable(signal))
        return -EINVAL;
    struct signal_action *action = signal_action((int)signal);
    uint32_t old = action->handler;
    *action = (struct signal_action){handler, (uint32_t)(SA_RESETHAND | SA_NODEFER), 0, 0};
    return (int32_t)old;
}

/* ---- masks ---- */

static int change_mask(uint32_t how, sigset_t64 set)
{
    sigset_t64 blocked = thread_current->blocked;
    switch (how) {
    case 0:
        signal_set_blocked(blocked | set);
        return 0;
    case 1:
        signal_set_blocked(blocked & ~set);
        return 0;
    case 2:
        signal_set_blocked(set);
        return 0;
    default:
        return -EINVAL;
    }
}

int32_t sys_rt_sigprocmask(uint32_t how, uint32_t in, uint32_t out, uint32_t size)
{
    sigset_t64 set, old = thread_current->blocked;
    if (size != sizeof set)
        return -EINVAL;
    if (in) {
        int err = copy_from_user(&set, in, sizeof set);
        if (!err)
            err = change_mask(how, set);
        if (err)
            return err;
    }
    return out ? copy_to_user(out, &old, sizeof old) : 0;
}

int32_t sys_sigprocmask(uint32_t how, uint32_t in, uint32_t out)
{
    uint32_t set, old = (uint32_t)thread_current->blocked;
    if (in) {
        int err = get_user32(&set, in);
        sigset_t64 wide =
            how == 2 ? (thread_current->blocked & ~(sigset_t64)UINT32_MAX) | set : set;
        if (!err)
            err = change_mask(how, wide);
        if (err)
            return err;
    }
    return out ? put_user32(out, old) : 0;
}

int32_t sys_rt_sigpending(uint32_t out, uint32_t size)
{
    sigset_t64 set = signal_pending_set() & thread_current->blocked;
    return size > sizeof set ? -EINVAL : copy_to_user(out, &set, size);
}

int32_t sys_sigpending(uint32_t out)
{
    return sys_rt_sigpending(out, 4);
}

static int32_t wait_for_signal(void)
{
    while (sched_sleep(TIME_NEVER) != -ERESTARTSYS)
        ;
    return -EINTR;
}

int32_t sys_rt_sigsuspend(uint32_t mask, uint32_t size)
{
    if (!mask)
        return -EFAULT;
    int err = signal_block_for_call(mask, size);
    return err ? err : wait_for_signal();
}

int32_t sys_sigsuspend(uint32_t unused0, uint32_t unused1, uint32_t mask)
{
    (void)unused0;
    (void)unused1;
    thread_current->saved_blocked = thread_current->blocked;
    thread_current->restore_blocked = true;
    signal_set_blocked(mask);
    trap_work |= WORK_SIGNAL;
    return wait_for_signal();
}

int32_t sys_pause(void)
{
    return wait_for_signal();
}

/* ---- waiting for one ---- */

static int32_t sigtimedwait(uint32_t user_set, uint32_t out, uint32_t timeout, uint32_t size,
                            bool wide)
{
    sigset_t64 set, blocked = thread_current->blocked;
    struct siginfo info;
    uint64_t deadline;
    if (size != sizeof set)
        return -EINVAL;
    int err = copy_from_user(&set, user_set, sizeof set);
    if (!err)
        err = user_deadline(timeout, wide, &deadline);
    if (err)
        return err;
    int signal = signal_take(set, &info);
    while (!signal && !err) {
        thread_current->blocked = blocked & ~set; /* so that they wake us */
        err = sched_sleep(deadline);
        thread_current->blocked = blocked;
        signal = signal_take(set, &info);
    }
    if (!signal)
        return err == -ETIMEDOUT ? -EAGAIN : -EINTR;
    return out && copy_to_user(out, &info, sizeof info) ? -EFAULT : signal;
}

int32_t sys_rt_sigtimedwait(uint32_t set, uint32_t info, uint32_t timeout, uint32_t size)
{
    return sigtimedwait(set, info, timeout, size, false);
}

int32_t sys_rt_sigtimedwait_time64(uint32_t set, uint32_t info, uint32_t timeout, uint32_t size)
{
    return sigtimedwait(set, info, timeout, size, true);
}

/* ---- sending ---- */

static int32_t send(struct thread *thread, uint32_t signal, int code)
{
    struct siginfo info = {
        .signo = (int)signal, .code = code, .kill = {.pid = ILWACO_PID, .uid = 0}};
    if (signal > SIGNALS)
        return -EINVAL;
    if (signal)
        signal_send(thread, &info);
    return 0;
}

/* The process is its own group, and everybody. */
static bool is_us(int32_t pid)
{
    return pid == ILWACO_PID || pid == 0 || pid == -ILWACO_PID || pid == -1;
}

int32_t sys_kill(uint32_t pid, uint32_t signal)
{
    return is_us((int32_t)pid) ? send(NULL, signal, SI_USER) : -ESRCH;
}

int32_t sys_tkill(uint32_t tid, uint32_t signal)
{
    struct thread *thread = thread_by_tid((int32_t)tid);
    return thread ? send(thread, signal, SI_TKILL) : -ESRCH;
}

int32_t sys_tgkill(uint32_t pid, uint32_t tid, uint32_t signal)
{
    return pid == ILWACO_PID ? sys_tkill(tid, signal) : -ESRCH;
}

static int32_t send_info(struct thread *thread, uint32_t signal, uint32_t user_info)
{
    struct siginfo info;
    if (!valid(signal))
        return -EINVAL;
    if (copy_from_user(&info, user_info, sizeof info))
        return -EFAULT;
    info.signo = (int)signal;
    signal_send(thread, &info);
    return 0;
}

int32_t sys_rt_sigqueueinfo(uint32_t pid, uint32_t signal, uint32_t info)
{
    return is_us((int32_t)pid) ? send_info(NULL, signal, info) : -ESRCH;
}

int32_t sys_rt_tgsigqueueinfo(uint32_t pid, uint32_t tid, uint32_t signal, uint32_t info)
{
    struct thread *thread = thread_by_tid((int32_t)tid);
    return pid == ILWACO_PID && thread ? send_info(thread, signal, info) : -ESRCH;
}

/* ---- the alternate stack ---- */

int32_t sys_sigaltstack(uint32_t in, uint32_t out)
{
    struct signal_stack fresh, *stack = &thread_current->signal_stack, old = *stack;
    uint32_t esp = thread_frame(thread_current)->esp;
    bool on = !(old.flags & SS_DISABLE) && esp - old.base < old.size;
    if (!old.size)
        old.flags = SS_DISABLE;
    else if (on)
        old.flags |= SS_ONSTACK;
    if (in) {
        if (copy_from_user(&fresh, in, sizeof fresh))
            return -EFAULT;
        if (on)
            return -EPERM;
        if (fresh.flags & ~(SS_DISABLE | SS_ONSTACK | SS_AUTODISARM))
            return -EINVAL;
        if (!(fresh.flags & SS_DISABLE) && fresh.size < MINSIGSTKSZ)
            return -ENOMEM;
        fresh.flags &= SS_DISABLE;
        *stack = fresh.flags ? (struct signal_stack){0, SS_DISABLE, 0} : fresh;
    }
    return out ? copy_to_user(out, &old, sizeof old) : 0;
}
