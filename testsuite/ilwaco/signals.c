/* SPDX-License-Identifier: MIT */
/* Signals: handlers, masks, frames, faults, restarted calls, timers. */
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int count, last, code, value;

static void plain(int signal)
{
    count++;
    last = signal;
}

static void detailed(int signal, siginfo_t *info, void *context)
{
    (void)context;
    count++;
    last = signal;
    code = info->si_code;
    value = info->si_value.sival_int;
}

static void set(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    MUST(sigaction(signal, &action, NULL) == 0);
}

static void set_info(int signal, int flags)
{
    struct sigaction action = {.sa_sigaction = detailed, .sa_flags = SA_SIGINFO | flags};
    MUST(sigaction(signal, &action, NULL) == 0);
}

static void handlers(void)
{
    set(SIGUSR1, plain, 0);
    count = 0;
    SHOW(raise(SIGUSR1));
    SHOW(kill(getpid(), SIGUSR1));
    SHOW(count);
    SHOW(kill(getpid(), 0));
    SHOW(kill(999999, SIGUSR1));
    SHOW(kill(getpid(), 65));
    set_info(SIGUSR2, 0);
    union sigval v = {.sival_int = 42};
    SHOW(sigqueue(getpid(), SIGUSR2, v));
    SHOW(last == SIGUSR2);
    SHOW(code);
    SHOW(value);
    set(SIGUSR1, plain, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    SHOW(sigaction(SIGUSR1, NULL, &now));
    SHOW(now.sa_handler == SIG_DFL);
    set(SIGUSR1, SIG_IGN, 0);
    SHOW(raise(SIGUSR1));
    SHOW(sigaction(SIGKILL, &now, NULL));
}

static void masks(void)
{
    sigset_t set_, old, pending;
    set(SIGUSR1, plain, 0);
    set_info(SIGRTMIN, 0);
    sigemptyset(&set_);
    sigaddset(&set_, SIGUSR1);
    sigaddset(&set_, SIGRTMIN);
    SHOW(sigprocmask(SIG_BLOCK, &set_, &old));
    count = 0;
    raise(SIGUSR1);
    raise(SIGUSR1);
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    SHOW(count);
    SHOW(sigpending(&pending));
    SHOW(sigismember(&pending, SIGUSR1));
    SHOW(sigismember(&pending, SIGUSR2));
    SHOW(sigprocmask(SIG_SETMASK, &old, NULL));
    SHOW(count);
    sigprocmask(SIG_BLOCK, &set_, NULL);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 77});
    siginfo_t info;
    SHOW(sigwaitinfo(&set_, &info) == SIGRTMIN);
    SHOW(info.si_value.sival_int);
    struct timespec short_ = {0, 1000000};
    SHOW(sigtimedwait(&set_, &info, &short_));
    int fd = signalfd(-1, &set_, SFD_NONBLOCK);
    struct signalfd_siginfo got;
    SHOW(read(fd, &got, sizeof got));
    raise(SIGUSR1);
    SHOW(read(fd, &got, sizeof got));
    SHOW(got.ssi_signo == SIGUSR1);
    close(fd);
    count = 0;
    raise(SIGUSR1);
    sigset_t none;
    sigemptyset(&none);
    SHOW(sigsuspend(&none));
    SHOW(count);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static sigjmp_buf back;
static volatile uintptr_t address;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    last = signal;
    code = info->si_code;
    address = (uintptr_t)info->si_addr;
    siglongjmp(back, 1);
}

static void set_fault(int signal)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(signal, &action, NULL);
}

#define FAULT(what)                                                                                \
    do {                                                                                           \
        last = code = 0;                                                                           \
        address = 0;                                                                               \
        if (!sigsetjmp(back, 1)) {                                                                 \
            what;                                                                                  \
        }                                                                                          \
        printf("fault: %s: signal %d code %d\n", #what, last, code);                               \
    } while (0)

static void faults(void)
{
    volatile int zero = 0, sink = 0;
    set_fault(SIGSEGV);
    set_fault(SIGFPE);
    set_fault(SIGILL);
    set_fault(SIGTRAP);
    set_fault(SIGBUS);
    FAULT(*(volatile int *)0x10 = 1);
    printf("%#x\n", (unsigned)address);
    FAULT(sink = 1 / zero);
    FAULT(__asm__ volatile("ud2"));
    FAULT(__asm__ volatile("int3"));
    FAULT(__asm__ volatile("hlt"));
    FAULT(__asm__ volatile("int $0x21"));
    FAULT(((void (*)(void))0x20)());
    FAULT(*(volatile char *)"constant" = 1);
    FAULT(__asm__ volatile("movl $0x7fffffff, %%eax\n\taddl $1, %%eax\n\tinto" ::: "eax"));
    unsigned short control = 0x0040 | 0x033b; /* zero divide unmasked */
    FAULT(__asm__ volatile("fldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(control)));
    __asm__ volatile("fninit");
    (void)sink;
}

static void context_change(int signal, siginfo_t *info, void *p)
{
    ucontext_t *context = p;
    (void)signal;
    (void)info;
    context->uc_mcontext.gregs[REG_EAX] = 1234;
    context->uc_mcontext.gregs[REG_EIP] += 2; /* over ud2 */
}

static void contexts(void)
{
    struct sigaction action = {.sa_sigaction = context_change, .sa_flags = SA_SIGINFO};
    int eax = 5, ebx, ecx, edx;
    double d = 1.5;
    sigaction(SIGILL, &action, NULL);
    __asm__ volatile("fldl %4\n\tmovl $11, %%ebx\n\tmovl $12, %%ecx\n\tmovl $13, %%edx\n\tud2\n\t"
                     "fstpl %4"
                     : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx), "+m"(d));
    printf("%d %d %d %d %g\n", eax, ebx, ecx, edx, d);
}

static char alternate[65536];
static volatile int on_alternate;

static void where(int signal)
{
    char here;
    stack_t now;
    (void)signal;
    on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
    sigaltstack(NULL, &now);
    last = now.ss_flags;
}

static void alternate_stack(void)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;
    SHOW(sigaltstack(&stack, &old));
    SHOW(old.ss_flags);
    set(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    SHOW(on_alternate);
    SHOW(last);
    set(SIGUSR1, where, 0);
    raise(SIGUSR1);
    SHOW(on_alternate);
    stack.ss_size = 100;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_flags = SS_DISABLE;
    SHOW(sigaltstack(&stack, NULL));
}

static void alarm_in(int ms)
{
    struct itimerval timer = {.it_value = {0, ms * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void interrupted(void)
{
    int fds[2];
    char c;
    MUST(pipe(fds) == 0);
    set(SIGALRM, plain, 0);
    alarm_in(20);
    SHOW(read(fds[0], &c, 1));
    struct timespec wish = {5, 0}, rest = {0, 0};
    alarm_in(20);
    SHOW(nanosleep(&wish, &rest));
    SHOW(rest.tv_sec);
    set(SIGALRM, plain, SA_RESTART);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    count = 0;
    struct itimerval timer = {.it_value = {0, 10000}, .it_interval = {0, 10000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (count < 3)
        ;
    timer = (struct itimerval){0};
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("a loop was interrupted %d times or more\n", 3);
    SHOW(alarm(100));
    SHOW(alarm(0));
    SHOW(write(fds[1], "x", 1));
    SHOW(read(fds[0], &c, 1));
    close(fds[0]);
    set(SIGPIPE, plain, 0);
    SHOW(write(fds[1], "x", 1));
    SHOW(last == SIGPIPE);
    close(fds[1]);
}

static void posix_timers(void)
{
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 99};
    struct itimerspec spec = {.it_value = {0, 5000000}}, now;
    set_info(SIGRTMIN + 1, 0);
    count = 0;
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
    SHOW(timer_settime(timer, 0, &spec, NULL));
    while (!count)
        pause();
    SHOW(code == SI_TIMER);
    SHOW(value);
    SHOW(timer_gettime(timer, &now));
    SHOW(now.it_value.tv_sec);
    SHOW(timer_delete(timer));
    SHOW(timer_delete(timer));
}

static void nested(int signal)
{
    static volatile int depth;
    depth++;
    if (signal == SIGUSR1 && depth < 5)
        raise(SIGUSR2);
    if (signal == SIGUSR2 && depth < 5)
        raise(SIGUSR1);
    count += depth;
    depth--;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    handlers();
    masks();
    faults();
    contexts();
    alternate_stack();
    interrupted();
    posix_timers();
    count = 0;
    set(SIGUSR1, nested, SA_NODEFER);
    set(SIGUSR2, nested, SA_NODEFER);
    raise(SIGUSR1);
    SHOW(count);
    fflush(stdout);
    return 0;
}
