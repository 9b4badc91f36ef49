/* SPDX-License-Identifier: MIT */
/*
 * Who runs: round robin. The kernel itself is never preempted; a thread in user
 * mode is, when its quantum is over and another is ready. There is no idle
 * thread: whoever gives the processor away and finds nobody ready sleeps on
 * everybody's behalf, handling interrupts and timers meanwhile.
 */
#include "guests/ilwaco/thread.h"

struct thread *thread_current;
uint32_t trap_stack_top, trap_user_esp, trap_work;

static struct list ready = {&ready, &ready};
static uint64_t idle_ns;
static bool spins; /* ILWACO_PARAM_IDLE */

void sched_set_spin(bool spin)
{
    spins = spin;
}

void thread_switch_stack(uint32_t *save_esp, uint32_t load_esp);

void sched_ready(struct thread *thread)
{
    if (thread->state == THREAD_READY && !list_empty(&thread->run))
        return;
    thread->state = THREAD_READY;
    list_append(&ready, &thread->run);
    trap_work |= WORK_TIMER; /* now there is a quantum to end */
}

bool sched_others_ready(void)
{
    return !list_empty(&ready);
}

uint64_t sched_idle_ns(void)
{
    return idle_ns;
}

static void sleep_until_something(void)
{
    uint64_t now = time_now(), next = timer_next();
    if (next <= now || (spins && next != TIME_NEVER))
        return;
    trap_leave_timer(next);
    machine_idle(next == TIME_NEVER ? TIME_NEVER : next - now);
    idle_ns += time_now() - now;
}

static struct thread *pick_next(void)
{
    for (;;) {
        interrupts_poll();
        timers_run();
        if (!list_empty(&ready))
            break;
        sleep_until_something();
    }
    struct thread *next = LIST_ITEM(ready.next, struct thread, run);
    list_remove(&next->run);
    return next;
}

/* Everything of the processor that is a thread's own changes here. */
static void switch_to(struct thread *next)
{
    struct thread *last = thread_current;
    uint64_t now = time_now();
    BUG_ON(*thread_memory(last) != THREAD_CANARY, "a kernel stack has overflowed");
    last->cpu_ns += now - last->run_since_ns;
    last->work = trap_work;
    last->gs_base = machine_regs.gs_base;
    last->fs_base = machine_regs.fs_base;
    __asm__ volatile("fxsave %0" : "=m"(last->fpu));
    __asm__ volatile("fxrstor %0" : : "m"(next->fpu));
    next->run_since_ns = now;
    machine_regs.gs_base = next->gs_base;
    machine_regs.fs_base = next->fs_base;
    trap_work = next->work | WORK_TIMER;
    trap_stack_top = (uint32_t)next;
    machine_regs.upcall_stack = trap_stack_top;
    thread_current = next;
    thread_switch_stack(&last->stack_pointer, next->stack_pointer);
}

void sched_wait(void)
{
    struct thread *self = thread_current;
    uint64_t idle_before = idle_ns;
    struct thread *next = pick_next();
    self->run_since_ns += idle_ns - idle_before; /* idling is nobody's work */
    if (next != self)
        switch_to(next);
}

void sched_yield(void)
{
    if (!sched_others_ready())
        return;
    sched_ready(thread_current);
    sched_wait();
}

static void wait_timed_out(struct timer *timer)
{
    struct thread *thread = CONTAINER_OF(timer, struct thread, wait_timer);
    if (thread->state != THREAD_WAITING)
        return;
    thread->wait_result = -ETIMEDOUT;
    sched_ready(thread);
}

void sched_interrupt(struct thread *thread, int result)
{
    if (thread->state != THREAD_WAITING)
        return;
    thread->wait_result = result;
    sched_ready(thread);
}

int sched_sleep(uint64_t deadline_ns)
{
    struct thread *self = thread_current;
    if (signal_is_pending(self)) {
        trap_work |= WORK_SIGNAL; /* another thread may have been told of it */
        return -ERESTARTSYS;
    }
    self->wait_result = 0;
    self->state = THREAD_WAITING;
    if (deadline_ns != TIME_NEVER) {
        self->wait_timer.fn = wait_timed_out;
        timer_arm(&self->wait_timer, deadline_ns);
    }
    sched_wait();
    timer_cancel(&self->wait_timer);
    return self->wait_result;
}

/* ---- wait queues ---- */

static void wake_thread(struct waiter *waiter)
{
    if (waiter->thread->state == THREAD_WAITING)
        sched_ready(waiter->thread);
}

void waiter_add(struct waiter *waiter, struct wait_queue *queue)
{
    struct waiter **link = &queue->first;
    while (*link)
        link = &(*link)->next;
    waiter->queue = queue;
    waiter->next = NULL;
    waiter->link = link;
    *link = waiter;
}

void waiter_remove(struct waiter *waiter)
{
    if (!waiter->queue)
        return;
    *waiter->link = waiter->next;
    if (waiter->next)
        waiter->next->link = waiter->link;
    waiter->queue = NULL;
}

int wait_on(struct wait_queue *queue, uint64_t deadline_ns)
{
    struct waiter waiter = {.fn = wake_thread, .thread = thread_current};
    waiter_add(&waiter, queue);
    int result = sched_sleep(deadline_ns);
    waiter_remove(&waiter);
    return result;
}

void wait_on_disk(struct wait_queue *queue)
{
    struct waiter waiter = {.fn = wake_thread, .thread = thread_current};
    sigset_t64 blocked = thread_current->blocked;
    thread_current->blocked = ~(sigset_t64)0;
    waiter_add(&waiter, queue);
    sched_sleep(TIME_NEVER);
    waiter_remove(&waiter);
    signal_set_blocked(blocked);
}

void wake(struct wait_queue *queue)
{
    struct waiter *next;
    for (struct waiter *waiter = queue->first; waiter; waiter = next) {
        next = waiter->next;
        waiter->fn(waiter);
    }
}

int wake_one(struct wait_queue *queue)
{
    struct waiter *next;
    int woken = 0;
    for (struct waiter *waiter = queue->first; waiter; waiter = next) {
        next = waiter->next;
        bool sleeper = waiter->fn == wake_thread;
        if (sleeper && (woken || waiter->thread->state != THREAD_WAITING))
            continue;
        waiter->fn(waiter);
        woken += sleeper;
    }
    return woken;
}
