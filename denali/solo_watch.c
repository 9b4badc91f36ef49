/* SPDX-License-Identifier: MIT */
/*
 * The watcher: polls the VM's descriptors while its own thread cannot, because
 * the guest computes. It costs nothing when it is not needed:
 *
 *   naps     looks every millisecond (every eighth while the guest pauses in
 *            between, for then it polls for itself) whether it still runs;
 *   deep     it did not pause since the last look: polls its descriptors, its
 *            timer and the time limit, and stops the engine when one is due;
 *   parked   it has been waiting for a while: sleeps until it runs again.
 *
 * Against lost wake-ups: the watcher publishes its state before it looks at
 * the VM's phase, the VM its phase before it looks at the watcher's state.
 */
#include "denali/solo_private.h"

#define NAP_NS 1000000u
#define LONG_NAP_NS 8000000u
#define NAPS_TO_PARK 4u
/* The guest's time registers want to be refreshed (vm_time.c). */
#define LONGEST_DEEP_NS 250000000u

/* Sleeps; true: somebody woke us. */
static bool sleep_for(struct solo *s, uint64_t ns)
{
    struct pollfd p = {.fd = s->watch_waker, .events = POLLIN};
    if (host_poll(&p, 1, ns) <= 0)
        return false;
    host_waker_clear(s->watch_waker);
    return true;
}

static void park(struct solo *s)
{
    atomic_store(&s->watch, WATCH_PARKED);
    if (atomic_load(&s->phase) == SOLO_WAITING && !atomic_load(&s->quit))
        sleep_for(s, HOST_FOREVER);
    atomic_store(&s->watch, WATCH_NAPS);
}

static uint64_t deep_time(const struct solo *s)
{
    uint64_t wait = vm_next_event_in_ns(s->vm), left = solo_time_left(s);
    wait = wait < left ? wait : left;
    return wait < LONGEST_DEEP_NS ? wait : LONGEST_DEEP_NS;
}

/* Polls for the VM; true: its thread has to look. */
static bool poll_deep(struct solo *s)
{
    struct vm_poll poll;
    vm_poll(s->vm, &poll);
    struct pollfd fds[VM_POLL_MAX + 2];
    fds[0] = (struct pollfd){.fd = s->watch_waker, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = s->config.signals, .events = POLLIN};
    for (unsigned i = 0; i < poll.count; i++)
        fds[i + 2] = poll.fd[i];
    int n = host_poll(fds, poll.count + 2, deep_time(s));
    if (n > 0 && fds[0].revents) {
        host_waker_clear(s->watch_waker);
        return n > 1;
    }
    return true;
}

static void deep(struct solo *s)
{
    atomic_store(&s->watch, WATCH_DEEP);
    bool look = atomic_load(&s->phase) == SOLO_RUNNING && !atomic_load(&s->quit) && poll_deep(s);
    atomic_store(&s->watch, WATCH_NAPS);
    if (look && atomic_load(&s->phase) == SOLO_RUNNING)
        vm_stop(s->vm);
}

/* A nap does not miss the guest's timer by more than the shortest one. */
static uint64_t nap_time(const struct solo *s, uint64_t nap)
{
    uint64_t event = vm_next_event_in_ns(s->vm);
    uint64_t least = event > NAP_NS ? event : NAP_NS;
    return nap < least ? nap : least;
}

static void watch(void *opaque)
{
    struct solo *s = opaque;
    uint64_t seen = UINT64_MAX, nap = NAP_NS;
    unsigned quiet = 0;
    while (!atomic_load(&s->quit)) {
        sleep_for(s, nap_time(s, nap));
        uint64_t run = atomic_load(&s->run);
        bool waiting = atomic_load(&s->phase) == SOLO_WAITING;
        bool computes = !waiting && run == seen;
        quiet = waiting && run == seen ? quiet + 1 : 0;
        nap = computes ? NAP_NS : 2 * nap < LONG_NAP_NS ? 2 * nap : LONG_NAP_NS;
        if (quiet >= NAPS_TO_PARK)
            park(s);
        else if (computes)
            deep(s);
        seen = run;
    }
}

int solo_watch_start(struct solo *s)
{
    int err = host_thread_start(&s->watcher, "denali-watch", watch, s);
    s->watched = !err;
    return err;
}

void solo_watch_stop(struct solo *s)
{
    if (!s->watched)
        return;
    atomic_store(&s->quit, true);
    host_waker_wake(s->watch_waker);
    host_thread_join(&s->watcher);
    s->watched = false;
}

void solo_watch_running(struct solo *s)
{
    atomic_fetch_add(&s->run, 1);
    atomic_store(&s->phase, SOLO_RUNNING);
    if (atomic_load(&s->watch) == WATCH_PARKED)
        host_waker_wake(s->watch_waker);
}

void solo_watch_waiting(struct solo *s)
{
    atomic_store(&s->phase, SOLO_WAITING);
    if (atomic_load(&s->watch) == WATCH_DEEP)
        host_waker_wake(s->watch_waker);
}

void solo_watch_changed(struct solo *s)
{
    if (atomic_load(&s->watch) == WATCH_DEEP)
        host_waker_wake(s->watch_waker);
}
