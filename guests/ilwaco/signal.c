/* SPDX-License-Identifier: MIT */
/*
 * Signals: who gets one, what waits, what happens on the way to the program.
 * A signal that would be ignored is dropped when it arrives, unless it is
 * blocked, so a wait that a signal ends always leads to a handler or to death.
 */
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/signal_actions.h"
#include "guests/ilwaco/syscall.h"
#include "guests/ilwaco/thread.h"

#define ALWAYS_OPEN (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define FIRST_REALTIME 32
#define QUEUE_MAX 1024

struct pending_signal {
    struct pending_signal *next;
    struct siginfo info;
};

static struct signal_action actions[SIGNALS + 1] SELDOM_WRITTEN;
static struct signal_queue shared;
static uint32_t queued;
struct wait_queue signal_arrival;

struct signal_action *signal_action(int signal)
{
    return &actions[signal];
}

static bool default_ignores(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT ||
           signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static bool is_ignored(int signal)
{
    uint32_t handler = actions[signal].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && default_ignores(signal));
}

bool signal_is_pending(const struct thread *thread)
{
    return (thread->signals.pending | shared.pending) & ~thread->blocked;
}

sigset_t64 signal_pending_set(void)
{
    return thread_current->signals.pending | shared.pending;
}

static void queue_put(struct signal_queue *queue, const struct siginfo *info)
{
    sigset_t64 bit = SIGNAL_BIT(info->signo);
    if ((queue->pending & bit) && info->signo < FIRST_REALTIME)
        return;
    queue->pending |= bit;
    struct pending_signal *entry = queued < QUEUE_MAX ? kmalloc(sizeof *entry) : NULL;
    if (!entry)
        return; /* it arrives without its details */
    queued++;
    entry->info = *info;
    entry->next = NULL;
    struct pending_signal **link = &queue->first;
    while (*link)
        link = &(*link)->next;
    *link = entry;
}

static bool queue_has(const struct signal_queue *queue, int signal)
{
    for (struct pending_signal *entry = queue->first; entry; entry = entry->next)
        if (entry->info.signo == signal)
            return true;
    return false;
}

/* Takes the oldest instance of the lowest signal in `set`; its number, or 0. */
static int queue_take(struct signal_queue *queue, sigset_t64 set, struct siginfo *info)
{
    set &= queue->pending;
    if (!set)
        return 0;
    int signal = __builtin_ctzll(set) + 1;
    struct pending_signal **link = &queue->first;
    while (*link && (*link)->info.signo != signal)
        link = &(*link)->next;
    *info = (struct siginfo){.signo = signal, .code = SI_KERNEL};
    if (*link) {
        struct pending_signal *entry = *link;
        *info = entry->info;
        *link = entry->next;
        kfree(entry);
        queued--;
    }
    if (!queue_has(queue, signal))
        queue->pending &= ~SIGNAL_BIT(signal);
    return signal;
}

int signal_take(sigset_t64 set, struct siginfo *info)
{
    int signal = queue_take(&thread_current->signals, set, info);
    return signal ? signal : queue_take(&shared, set, info);
}

static void tell(struct thread *thread)
{
    if (thread == thread_current)
        trap_work |= WORK_SIGNAL;
    thread->work |= WORK_SIGNAL;
    sched_interrupt(thread, -ERESTARTSYS);
}

/* A thread that takes the signal now; the calling one if it can. */
static struct thread *choose_thread(sigset_t64 bit)
{
    if (!(thread_current->blocked & bit) && thread_current->state != THREAD_DEAD)
        return thread_current;
    for (struct thread *t = thread_next(NULL); t; t = thread_next(t))
        if (!(t->blocked & bit))
            return t;
    return NULL;
}

void signal_send(struct thread *thread, const struct siginfo *info)
{
    sigset_t64 bit = SIGNAL_BIT(info->signo);
    struct thread *taker = thread ? thread : choose_thread(bit);
    bool blocked = !taker || (taker->blocked & bit);
    if (!blocked && is_ignored(info->signo))
        return;
    queue_put(thread ? &thread->signals : &shared, info);
    if (!blocked)
        tell(taker);
    wake(&signal_arrival);
}

void signal_send_number(int signal, int code)
{
    struct siginfo info = {.signo = signal, .code = code, .kill = {.pid = ILWACO_PID}};
    signal_send(NULL, &info);
}

void signal_raise_pipe(void)
{
    struct siginfo info = {.signo = SIGPIPE, .code = SI_USER, .kill = {.pid = ILWACO_PID}};
    signal_send(thread_current, &info);
}

void signal_force(int signal, int code, uint32_t address, int trap)
{
    struct thread *self = thread_current;
    sigset_t64 bit = SIGNAL_BIT(signal);
    if ((self->blocked & bit) || actions[signal].handler == SIG_IGN)
        actions[signal].handler = SIG_DFL;
    self->blocked &= ~bit;
    struct siginfo info = {.signo = signal, .code = code, .fault = {address, trap}};
    queue_put(&self->signals, &info);
    trap_work |= WORK_SIGNAL;
}

void signal_set_blocked(sigset_t64 set)
{
    thread_current->blocked = set & ~ALWAYS_OPEN;
    if (signal_is_pending(thread_current))
        trap_work |= WORK_SIGNAL;
}

int signal_block_for_call(uint32_t user_set, uint32_t size)
{
    sigset_t64 set;
    if (!user_set)
        return 0;
    if (size != sizeof set)
        return -EINVAL;
    if (copy_from_user(&set, user_set, sizeof set))
        return -EFAULT;
    thread_current->saved_blocked = thread_current->blocked;
    thread_current->restore_blocked = true;
    signal_set_blocked(set);
    trap_work |= WORK_SIGNAL; /* the way back restores the set */
    return 0;
}

/* The call that a signal interrupted: again, or EINTR. */
static void settle_call(struct denali_context *frame, const struct signal_action *action)
{
    if (frame->reserved == SYSCALL_NONE || frame->eax != (uint32_t)-ERESTARTSYS)
        return;
    if (action && !(action->flags & SA_RESTART)) {
        frame->eax = (uint32_t)-EINTR;
        return;
    }
    frame->eax = frame->reserved;
    frame->eip -= 2;
}

static void run_handler(struct denali_context *frame, int signal, const struct siginfo *info)
{
    struct thread *self = thread_current;
    struct signal_action action = actions[signal];
    settle_call(frame, &action);
    frame->reserved = SYSCALL_NONE;
    sigset_t64 mask = self->restore_blocked ? self->saved_blocked : self->blocked;
    self->restore_blocked = false;
    if (action.flags & (uint32_t)SA_RESETHAND)
        actions[signal].handler = SIG_DFL;
    if (signal_push_frame(frame, &action, info, mask))
        process_die(SIGSEGV);
    self->blocked |= action.mask & ~ALWAYS_OPEN;
    if (!(action.flags & SA_NODEFER))
        self->blocked |= SIGNAL_BIT(signal);
}

void signal_deliver(struct denali_context *frame)
{
    struct thread *self = thread_current;
    struct siginfo info;
    int signal;
    while ((signal = signal_take(~self->blocked, &info))) {
        if (is_ignored(signal))
            continue;
        if (actions[signal].handler == SIG_DFL)
            process_die(signal);
        run_handler(frame, signal, &info);
    }
    settle_call(frame, NULL);
    if (self->restore_blocked) {
        self->restore_blocked = false;
        self->blocked = self->saved_blocked;
    }
}

void signal_reset_for_exec(void)
{
    for (int i = 1; i <= SIGNALS; i++)
        if (actions[i].handler != SIG_IGN)
            actions[i] = (struct signal_action){0};
    thread_current->signal_stack = (struct signal_stack){.flags = 2};
}
