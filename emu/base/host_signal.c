/* SPDX-License-Identifier: MIT */
/*
 * Why this exists: translated code lets the processor find its faults, and is
 * preempted without polling, so both arrive as signals while the stack pointer
 * is a guest's. Hence alternate stacks, one per thread.
 *
 * What is global here is global in the process by nature: signal dispositions
 * (installed once, never changed again) and the thread's own scope.
 */
#define _GNU_SOURCE
#include "emu/base/host_signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <asm/prctl.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESSES_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESSES_SANITIZED 1
#endif
#endif

/*
 * What sanitizers must know of this program: the alternate stacks are ours; an allocation may fail;
 * what a process has not freed when it ends, it leaves to the host. ASAN_OPTIONS and TSAN_OPTIONS
 * say otherwise.
 */
#ifdef ADDRESSES_SANITIZED
__attribute__((weak)) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "use_sigaltstack=0:detect_leaks=0:allocator_may_return_null=1";
}
#endif
#if HOST_THREADS_SANITIZED
__attribute__((weak)) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "use_sigaltstack=0:report_signal_unsafe=0:allocator_may_return_null=1";
}
#endif

/* Ignored by default, so a kick that comes too late does no harm. */
#define KICK_SIGNAL SIGURG

#define ALTSTACK_BYTES (64 * KIB)
#define HWCAP2_FSGSBASE (1u << 1)

static __thread struct host_signal_scope *current_scope;
static __thread int32_t thread_id; /* 0: no alternate stack yet */

static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGILL};

/* REG_* index of each hardware register number. */
static const uint8_t greg_of[HOST_GPRS] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

HOST_SIGNAL_PLAIN static void frame_load(struct host_frame *frame, const greg_t *greg)
{
    for (unsigned i = 0; i < HOST_GPRS; i++)
        frame->gpr[i] = (uint64_t)greg[greg_of[i]];
    frame->rip = (uint64_t)greg[REG_RIP];
    frame->rflags = (uint64_t)greg[REG_EFL];
    frame->trap = (uint32_t)greg[REG_TRAPNO];
    frame->error = (uint32_t)greg[REG_ERR];
    frame->address = (uint64_t)greg[REG_CR2];
}

HOST_SIGNAL_PLAIN static void frame_store(const struct host_frame *frame, greg_t *greg)
{
    for (unsigned i = 0; i < HOST_GPRS; i++)
        greg[greg_of[i]] = (greg_t)frame->gpr[i];
    greg[REG_RIP] = (greg_t)frame->rip;
    greg[REG_EFL] = (greg_t)frame->rflags;
}

struct process_setup {
    pthread_once_t once;
    pthread_key_t stack_key;
    int error;
    struct sigaction before[ARRAY_LEN(fault_signals)]; /* a sanitizer's, or the default */
};
static struct process_setup setup = {.once = PTHREAD_ONCE_INIT};

/*
 * Nobody's fault: the instruction runs again, and whoever was there before us (a sanitizer, which
 * reports it) takes it, or it kills the process the usual way.
 */
static void take_default(int signo, const siginfo_t *info)
{
    for (size_t i = 0; i < ARRAY_LEN(fault_signals); i++)
        if (fault_signals[i] == signo)
            sigaction(signo, &setup.before[i], NULL);
    if (info->si_code <= 0) /* sent by a process, would not come again */
        raise(signo);
}

HOST_SIGNAL_PLAIN static void on_signal(int signo, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    greg_t *greg = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct host_signal_scope *scope = current_scope;
    struct host_frame frame;
    bool kick = signo == KICK_SIGNAL;
    bool handled = false;

    if (scope) {
        frame_load(&frame, greg);
        if (kick)
            frame.trap = HOST_TRAP_KICK;
        if (kick || info->si_code > 0)
            handled = scope->on_trap(scope, &frame);
    }
    if (handled)
        frame_store(&frame, greg);
    else if (!kick)
        take_default(signo, info);
    errno = saved_errno;
}

static void stack_free(void *stack)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    munmap(stack, ALTSTACK_BYTES);
}

#if HOST_THREADS_SANITIZED
/*
 * ThreadSanitizer keeps a signal back until the thread calls one of its functions, which a guest's
 * loop never does. So it hears nothing of this one: the kernel's call, with a way back of our own.
 */
void host_signal_return(void);
__asm__(".text\n.type host_signal_return, @function\nhost_signal_return:\n\tmov $15, "
        "%eax\n\tsyscall\n");

static int kick_install(void)
{
    const struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {on_signal, SA_SIGINFO | SA_ONSTACK | SA_RESTART | 0x04000000, host_signal_return,
                UINT64_MAX};
    return syscall(SYS_rt_sigaction, KICK_SIGNAL, &action, NULL, sizeof(action.mask)) ? -errno : 0;
}
#else
static int kick_install(void)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&action.sa_mask);
    return sigaction(KICK_SIGNAL, &action, NULL) ? -errno : 0;
}
#endif

static void process_install(void)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&action.sa_mask);
    setup.error = -pthread_key_create(&setup.stack_key, stack_free);
    for (size_t i = 0; !setup.error && i < ARRAY_LEN(fault_signals); i++)
        if (sigaction(fault_signals[i], &action, &setup.before[i]))
            setup.error = -errno;
    if (!setup.error)
        setup.error = kick_install();
}

static int thread_install(void)
{
    sigset_t ours;
    void *stack = mmap(NULL, ALTSTACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    stack_t alt = {.ss_sp = stack, .ss_size = ALTSTACK_BYTES};
    if (sigaltstack(&alt, NULL)) {
        int err = -errno;
        munmap(stack, ALTSTACK_BYTES);
        return err;
    }
    pthread_setspecific(setup.stack_key, stack);
    sigemptyset(&ours);
    sigaddset(&ours, KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    thread_id = (int32_t)syscall(SYS_gettid);
    return 0;
}

int host_signal_prepare(void)
{
    if (thread_id)
        return 0;
    pthread_once(&setup.once, process_install);
    return setup.error ? setup.error : thread_install();
}

void host_signal_enter(struct host_signal_scope *scope)
{
    scope->outer = current_scope;
    current_scope = scope;
    __atomic_store_n(&scope->tid, thread_id, __ATOMIC_SEQ_CST);
}

void host_signal_leave(struct host_signal_scope *scope)
{
    __atomic_store_n(&scope->tid, 0, __ATOMIC_SEQ_CST);
    current_scope = scope->outer;
}

void host_signal_kick(const struct host_signal_scope *scope)
{
    int32_t tid = __atomic_load_n(&scope->tid, __ATOMIC_SEQ_CST);
    if (tid)
        syscall(SYS_tgkill, getpid(), tid, KICK_SIGNAL);
}

void host_set_gs_base(uint64_t base)
{
    syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

bool host_has_wrgsbase(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}
#endif
