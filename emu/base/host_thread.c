/* SPDX-License-Identifier: MIT */
/* Threads, locks and wake-ups of a Linux host: pthreads, eventfd, signalfd. */
#include "emu/base/host_thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

struct start {
    void (*fn)(void *opaque);
    void *opaque;
    char name[16];
};

/* A thread names itself: from outside that takes a file of /proc. */
static void *run_start(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    pthread_setname_np(pthread_self(), start.name);
    start.fn(start.opaque);
    return NULL;
}

/* Small stacks: a process may have many threads, and none of ours recurses. */
static int create_small(pthread_t *id, void *arg)
{
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);
    if (err)
        return -err;
    pthread_attr_setstacksize(&attr, 256 * KIB);
    err = pthread_create(id, &attr, run_start, arg);
    pthread_attr_destroy(&attr);
    return -err;
}

int host_thread_start(struct host_thread *thread, const char *name, void (*fn)(void *opaque),
                      void *opaque)
{
    struct start *start = calloc(1, sizeof(*start));
    if (!start)
        return -ENOMEM;
    start->fn = fn;
    start->opaque = opaque;
    snprintf(start->name, sizeof(start->name), "%s", name);
    int err = create_small(&thread->id, start);
    if (err)
        free(start);
    return err;
}

void host_thread_join(struct host_thread *thread)
{
    int err = pthread_join(thread->id, NULL);
    BUG_ON(err, "a thread is joined once");
}

uint64_t host_thread_cpu_ns(const struct host_thread *thread)
{
    clockid_t clock;
    struct timespec ts = {0};
    if (!pthread_getcpuclockid(thread->id, &clock))
        clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int host_lock_init(struct host_lock *lock)
{
    int err = pthread_mutex_init(&lock->mutex, NULL);
    if (err)
        return -err;
    pthread_condattr_t attr;
    err = pthread_condattr_init(&attr);
    if (!err) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        err = pthread_cond_init(&lock->changed, &attr);
        pthread_condattr_destroy(&attr);
    }
    if (err)
        pthread_mutex_destroy(&lock->mutex);
    return -err;
}

void host_lock_fini(struct host_lock *lock)
{
    pthread_cond_destroy(&lock->changed);
    pthread_mutex_destroy(&lock->mutex);
}

void host_lock_enter(struct host_lock *lock)
{
    int err = pthread_mutex_lock(&lock->mutex);
    BUG_ON(err, "a lock is initialised and not held by its taker");
}

void host_lock_leave(struct host_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

void host_lock_wait(struct host_lock *lock)
{
    pthread_cond_wait(&lock->changed, &lock->mutex);
}

void host_lock_wait_until(struct host_lock *lock, uint64_t end_ns)
{
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000u),
                           .tv_nsec = (long)(end_ns % 1000000000u)};
    if (end_ns == HOST_FOREVER)
        pthread_cond_wait(&lock->changed, &lock->mutex);
    else
        pthread_cond_timedwait(&lock->changed, &lock->mutex, &end);
}

void host_lock_wake(struct host_lock *lock)
{
    pthread_cond_broadcast(&lock->changed);
}

int host_waker_create(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* The only failure of an eventfd's write, a full counter, means that it is awake already. */
void host_waker_wake(int fd)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof(one));
    (void)n;
    errno = saved;
}

void host_waker_clear(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n;
}

int host_poll(struct pollfd *fds, unsigned count, uint64_t wait_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                          .tv_nsec = (long)(wait_ns % 1000000000u)};
    int n = ppoll(fds, count, wait_ns == HOST_FOREVER ? NULL : &ts, NULL);
    return n < 0 ? -errno : n;
}

static const int person_signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT};

static void signals_set(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LEN(person_signals); i++) {
        struct sigaction old;
        bool ignored = sigaction(person_signals[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN;
        if (!ignored)
            sigaddset(set, person_signals[i]);
    }
}

int host_signals_open(void)
{
    sigset_t set;
    signals_set(&set);
    signal(SIGPIPE, SIG_IGN);
    int err = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (err)
        return -err;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int host_signals_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n = read(fd, &info, sizeof(info));
    return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : -EAGAIN;
}

static void unblock(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void host_signal_die(int number)
{
    signal(number, SIG_DFL);
    raise(number);
    unblock(number);
}

void host_signal_stop(void)
{
    raise(SIGSTOP);
}

void host_signals_reset(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

#if defined(__x86_64__)

uint64_t host_tsc(void)
{
    return __rdtsc();
}

/* CPUID 80000007h, EDX bit 8: "invariant TSC". */
bool host_tsc_steady(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 0x100);
}

/* CPUID 7, EBX bit 8. */
bool host_has_bmi2(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 0x100);
}

#else

bool host_has_bmi2(void)
{
    return false;
}

uint64_t host_tsc(void)
{
    return 0;
}

bool host_tsc_steady(void)
{
    return false;
}

#endif
