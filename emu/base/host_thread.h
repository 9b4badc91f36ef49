/* SPDX-License-Identifier: MIT */
/*
 * Threads, locks, descriptors that wake, and the person's signals, of the
 * host. Errors are negative errnos.
 */
#ifndef DENALI_HOST_THREAD_H
#define DENALI_HOST_THREAD_H

#include "emu/base/base.h"

#include <poll.h>
#include <pthread.h>

struct host_thread {
    pthread_t id;
};

/* Starts fn(opaque). `name` is what the host's tools show (15 bytes at most). */
MUST_CHECK int host_thread_start(struct host_thread *thread, const char *name,
                                 void (*fn)(void *opaque), void *opaque);
void host_thread_join(struct host_thread *thread);
/* What it has had of processors, ns; it has not been joined. From any thread. */
uint64_t host_thread_cpu_ns(const struct host_thread *thread);

/* A lock with one condition, "something behind it changed". */
struct host_lock {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

MUST_CHECK int host_lock_init(struct host_lock *lock);
void host_lock_fini(struct host_lock *lock);
void host_lock_enter(struct host_lock *lock);
void host_lock_leave(struct host_lock *lock);
void host_lock_wait(struct host_lock *lock); /* inside the lock; may return for no reason */
/* The same, but not beyond that time of host_monotonic_ns (HOST_FOREVER: as host_lock_wait). */
void host_lock_wait_until(struct host_lock *lock, uint64_t end_ns);
void host_lock_wake(struct host_lock *lock); /* inside the lock: all who wait */

/* A descriptor that polls readable from wake to clear. wake is safe in a signal handler. */
MUST_CHECK int host_waker_create(void);
void host_waker_wake(int fd);
void host_waker_clear(int fd);

#define HOST_FOREVER UINT64_MAX

/* poll() with nanoseconds: number of ready entries, 0 after the time, or a negative errno
 * (-EINTR among them). */
int host_poll(struct pollfd *fds, unsigned count, uint64_t wait_ns);

/*
 * The person's signals (INT, QUIT, TERM, HUP, WINCH, TSTP, CONT) as a descriptor instead of
 * handlers. Blocks them in the calling thread, so call it before others start. Signals that were
 * ignored when the program started stay so. SIGPIPE is ignored from then on.
 */
MUST_CHECK int host_signals_open(void);
int host_signals_next(int fd); /* a signal's number, or -EAGAIN */
/* Ends the process as the signal does by default. Returns if it does not. */
void host_signal_die(int number);
/* Stops the process as Ctrl-Z does; returns when it goes on. */
void host_signal_stop(void);
/* For children: what a program expects to find. */
void host_signals_reset(void);

/* The host's time stamp counter, where a guest's RDTSC would read it, and whether it counts at one
 * rate on all processors. Hosts that have none give 0 and false. */
uint64_t host_tsc(void);
bool host_tsc_steady(void);
/* Whether the processor has SHRX and its like (x86-64). */
bool host_has_bmi2(void);

#endif
