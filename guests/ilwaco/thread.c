/* SPDX-License-Identifier: MIT */
/* Threads come and go. A dead thread's memory is freed by the next one that is created or dies,
 * because nobody can free the stack he stands on. */
#include "guests/ilwaco/thread.h"
#include "guests/ilwaco/boot_params.h"
#include "guests/ilwaco/memory.h"
#include "guests/ilwaco/regs_offsets.h"

extern uint32_t boot_thread[];

_Static_assert(sizeof(struct thread) + sizeof(struct denali_context) <= BOOT_STACK_RESERVED,
               "the boot stack begins below the first thread and its frame");
_Static_assert(sizeof(struct thread) % 16 == 0, "stacks are aligned");
void trap_slow_start(void);

static struct list all = {&all, &all};
static struct thread *buried; /* dead, its stack not in use any more once another runs */
static int32_t next_tid = ILWACO_PID;

/* The new thread in its memory, which is zero. */
static struct thread *thread_setup(uint32_t *memory)
{
    struct thread *thread = (struct thread *)((char *)memory + THREAD_PAGES * PAGE_SIZE) - 1;
    *memory = THREAD_CANARY;
    list_init(&thread->run);
    list_append(&all, &thread->all);
    thread->tid = next_tid++;
    return thread;
}

void thread_init(void)
{
    struct thread *thread = thread_setup(boot_thread);
    memcpy(thread->name, "ilwaco", 7);
    thread_current = thread;
    trap_stack_top = (uint32_t)thread;
    machine_regs.upcall_stack = trap_stack_top;
}

static void bury(void)
{
    if (buried && buried != thread_current && thread_memory(buried) != boot_thread)
        page_free(thread_memory(buried), THREAD_PAGES);
    buried = NULL;
}

struct thread *thread_create(const struct denali_context *frame)
{
    bury();
    uint32_t *memory = page_alloc(THREAD_PAGES);
    if (!memory)
        return NULL;
    struct thread *thread = thread_setup(memory);
    *thread_frame(thread) = *frame;
    /* thread_switch_stack pops four registers and returns to trap_first_return. */
    uint32_t *stack = (uint32_t *)thread_frame(thread) - 5;
    stack[4] = (uint32_t)trap_slow_start;
    thread->stack_pointer = (uint32_t)stack;
    thread->work = WORK_FRAME;
    memcpy(thread->name, thread_current->name, sizeof thread->name);
    __asm__ volatile("fxsave %0" : "=m"(thread->fpu));
    return thread;
}

void thread_start(struct thread *thread)
{
    sched_ready(thread);
}

void thread_discard(struct thread *thread)
{
    list_remove(&thread->all);
    page_free(thread_memory(thread), THREAD_PAGES);
}

uint32_t thread_count(void)
{
    uint32_t n = 0;
    for (struct list *at = all.next; at != &all; at = at->next)
        n++;
    return n;
}

struct thread *thread_next(struct thread *thread)
{
    struct list *at = thread ? thread->all.next : all.next;
    return at == &all ? NULL : LIST_ITEM(at, struct thread, all);
}

struct thread *thread_by_tid(int32_t tid)
{
    for (struct thread *t = thread_next(NULL); t; t = thread_next(t))
        if (t->tid == tid)
            return t;
    return NULL;
}

uint64_t thread_cpu_ns(const struct thread *thread)
{
    uint64_t running = thread == thread_current ? time_now() - thread->run_since_ns : 0;
    return thread->cpu_ns + running;
}

void thread_exit(int status)
{
    struct thread *self = thread_current;
    futex_thread_exit(self);
    if (self->clear_tid && !put_user32(self->clear_tid, 0))
        futex_wake_address(self->clear_tid, 1);
    if (thread_count() == 1)
        process_exit(status);
    list_remove(&self->all);
    bury();
    buried = self;
    self->state = THREAD_DEAD;
    sched_wait();
    BUG_ON(true, "a dead thread runs");
    for (;;)
        ;
}

void process_exit(int status)
{
    status &= 0xff;
    net_finish(3ull * NS_PER_SEC);
    if (status > ILWACO_STATUS_MAX) {
        klog("the program ended with status %d", status);
        status = ILWACO_STATUS_MAX;
    }
    machine_terminate((uint32_t)status);
}

static const char *const signal_names[] = {
    "",
    "hangup",
    "interrupt",
    "quit",
    "illegal instruction",
    "trace trap",
    "aborted",
    "bus error",
    "floating point exception",
    "killed",
    "user signal 1",
    "segmentation fault",
    "user signal 2",
    "broken pipe",
    "alarm clock",
    "terminated",
};

void process_die(int signal)
{
    const char *name =
        (uint32_t)signal < ARRAY_LEN(signal_names) ? signal_names[signal] : "killed by a signal";
    net_finish(NS_PER_SEC / 2);
    klog("the program was ended by signal %d (%s), status %d", signal, name, 128 + signal);
    machine_terminate(ILWACO_STATUS_MAX);
}
