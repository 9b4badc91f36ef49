/* SPDX-License-Identifier: MIT */
/* Threads of the one process, their signals, and the way between program and kernel. */
#ifndef ILWACO_THREAD_H
#define ILWACO_THREAD_H

#include "guests/ilwaco/kernel.h"

typedef uint64_t sigset_t64; /* bit n - 1: signal n */

enum signal_number {
    SIGHUP = 1,
    SIGINT = 2,
    SIGQUIT = 3,
    SIGILL = 4,
    SIGTRAP = 5,
    SIGABRT = 6,
    SIGBUS = 7,
    SIGFPE = 8,
    SIGKILL = 9,
    SIGSEGV = 11,
    SIGPIPE = 13,
    SIGALRM = 14,
    SIGTERM = 15,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGTSTP = 20,
    SIGTTIN = 21,
    SIGTTOU = 22,
    SIGURG = 23,
    SIGVTALRM = 26,
    SIGPROF = 27,
    SIGWINCH = 28,
    SIGIO = 29,
    SIGNALS = 64,
};

/* Linux's siginfo_t: 128 bytes. */
struct siginfo {
    int32_t signo, errno_, code;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            uint32_t value;
        } kill;
        struct {
            int32_t timer, overrun;
            uint32_t value;
        } timer;
        struct {
            uint32_t address;
            int32_t trap;
        } fault;
        int32_t pad[29];
    };
};
enum siginfo_code { SI_USER = 0, SI_KERNEL = 128, SI_QUEUE = -1, SI_TIMER = -2, SI_TKILL = -6 };

/* Signals that wait: one siginfo per standard signal, a queue for real-time ones. */
struct signal_queue {
    sigset_t64 pending;
    struct pending_signal *first; /* oldest first */
};

struct signal_stack {
    uint32_t base, flags, size;
};

enum thread_state { THREAD_READY, THREAD_WAITING, THREAD_DEAD };

/* Bits of trap_work: why the short way back to the program must not be taken. */
enum thread_work {
    WORK_SIGNAL = 1, /* a signal may have to be delivered */
    WORK_FRAME = 2,  /* the frame was changed */
    WORK_TIMER = 4,  /* the machine's timer must be set */
    WORK_YIELD = 8,  /* another thread's turn */
    WORK_STEP = 16,  /* the program steps itself: TF is set again */
};

/* Lies at the high end of the memory of its kernel stack, which begins below it: both are written
 * whenever the thread runs. A canary lies at the low end. */
struct thread {
    uint32_t stack_pointer; /* while another runs */
    struct list run, all;
    enum thread_state state;
    int32_t tid;
    uint32_t work;             /* enum thread_work, while another runs */
    uint32_t gs_base, fs_base; /* while another runs */
    bool woken;
    int wait_result;
    struct timer wait_timer;

    sigset_t64 blocked, saved_blocked;
    bool restore_blocked; /* saved_blocked comes back when the call ends (sigsuspend, ppoll) */
    struct signal_queue signals;
    struct signal_stack signal_stack;

    uint32_t clear_tid;   /* user address, 0: none */
    uint32_t robust_list; /* user address */
    uint64_t cpu_ns, run_since_ns;
    char name[16];
    uint8_t fpu[512] __attribute__((aligned(16)));
};

/* sched.c: the top of the running thread's kernel stack, for entry.S. */
extern uint32_t trap_stack_top, trap_user_esp;

#define THREAD_PAGES 4u
#define THREAD_CANARY 0x6b636174u

extern struct thread *thread_current;
extern uint32_t trap_work;

/* The program's registers of a thread that is in the kernel. */
static inline struct denali_context *thread_frame(struct thread *thread)
{
    return (struct denali_context *)thread - 1;
}

/* The low end of its memory, with the canary. */
static inline uint32_t *thread_memory(struct thread *thread)
{
    return (uint32_t *)((uint32_t)(thread + 1) - THREAD_PAGES * PAGE_SIZE);
}

/* thread.c */
void thread_init(void); /* the boot stack becomes the first thread */
/* A thread that begins in user mode with `frame`; NULL: no memory. It is not yet ready. */
struct thread *thread_create(const struct denali_context *frame);
void thread_start(struct thread *thread);
void thread_discard(struct thread *thread); /* one that was not started */
NORETURN void thread_exit(int status);      /* the calling one; the last one ends the VM */
struct thread *thread_by_tid(int32_t tid);
struct thread *thread_next(struct thread *thread); /* NULL begins; NULL ends */
uint32_t thread_count(void);
uint64_t thread_cpu_ns(const struct thread *thread);
NORETURN void process_exit(int status);
NORETURN void process_die(int signal);

/* sched.c */
void sched_ready(struct thread *thread);
/* Gives the processor away until the thread is ready again. */
void sched_wait(void);
void sched_yield(void);
bool sched_others_ready(void);
/* Ends a thread's wait with a result, if it waits interruptibly. */
void sched_interrupt(struct thread *thread, int result);
/* Waits without a queue: until sched_ready, the deadline or a signal. As wait_on. */
int sched_sleep(uint64_t deadline_ns);
uint64_t sched_idle_ns(void); /* time that nobody ran */
/* With a timer armed it looks again and again instead of idling (ILWACO_PARAM_IDLE). */
void sched_set_spin(bool spin);

/* time.c */
void time_init(void);
void timers_run(void);
uint64_t timer_next(void); /* TIME_NEVER: none */
void time_set_wall(int64_t unix_ns);

/* trap.c */
void trap_init(void);
void interrupts_poll(void); /* handles what is pending now */
void interrupts_run(uint32_t batch);
/* Programs the machine's timer for the next timer and the quantum. */
void trap_set_timer(void);
void trap_leave_timer(uint64_t next); /* before idling until then */
/* A frame's flags as the processor has them. */
void frame_unpack(struct denali_context *frame);

/* signal.c */
void signal_send(struct thread *thread, const struct siginfo *info); /* NULL: to the process */
void signal_send_number(int signal, int code);
/* A fault: cannot be blocked or ignored. */
void signal_force(int signal, int code, uint32_t address, int trap);
bool signal_is_pending(const struct thread *thread); /* one that is not blocked */
/* Takes one of `set` that waits; 0: none. */
int signal_take(sigset_t64 set, struct siginfo *info);
sigset_t64 signal_pending_set(void);
extern struct wait_queue signal_arrival; /* woken at every signal that arrives (signalfd) */
void signal_set_blocked(sigset_t64 set);
/* For ppoll and the like: until the call has ended. */
int signal_block_for_call(uint32_t user_set, uint32_t size);
/* On the way to the program: delivers what there is. */
void signal_deliver(struct denali_context *frame);
void signal_reset_for_exec(void);

/* signal_frame.c */
struct signal_action;
int signal_push_frame(struct denali_context *frame, const struct signal_action *action,
                      const struct siginfo *info, sigset_t64 mask);

struct signal_action {
    uint32_t handler, flags, restorer;
    sigset_t64 mask;
};
enum { SIG_DFL = 0, SIG_IGN = 1 };
enum signal_action_flags {
    SA_NOCLDSTOP = 1,
    SA_SIGINFO = 4,
    SA_RESTORER = 0x04000000,
    SA_ONSTACK = 0x08000000,
    SA_RESTART = 0x10000000,
    SA_NODEFER = 0x40000000,
    SA_RESETHAND = (int)0x80000000,
};

#define SIGNAL_BIT(n) ((sigset_t64)1 << ((n)-1))

/* futex.c */
void futex_thread_exit(struct thread *thread);
int32_t futex_wake_address(uint32_t addr, uint32_t count);

#endif
