/* SPDX-License-Identifier: MIT */
/*
 * Turns, polling, and the ticker: a thread that ends the slice of a target
 * which computes for long, so that descriptors are looked at and the others
 * have their turn. It costs nothing while nobody computes.
 *
 * Against lost wake-ups of the ticker: it says that it is parked before it
 * looks for a running target, the loop names the target before it looks
 * whether the ticker is parked.
 */
#include "emu/debug/loop.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TARGETS 128u
#define MAX_FDS 32u
#define MAX_POLL (1 + MAX_FDS + MAX_TARGETS * TARGET_WAIT_FDS)
#define TICK_NS 8000000u
#define TICKS_TO_PARK 5u

struct watched_fd {
    int fd;
    short events;
    loop_ready_fn ready;
    void *opaque;
};

struct loop {
    struct target *target[MAX_TARGETS];
    struct target_wait wait[MAX_TARGETS];
    bool idle[MAX_TARGETS];
    unsigned targets, next; /* whose turn it is */
    struct watched_fd fd[MAX_FDS];
    unsigned fds;
    struct loop_front *fronts;
    loop_filter_fn filter;
    void *filter_opaque;
    uint64_t deadline_ns;
    bool quit, announce;
    int waker;
    _Atomic bool interrupt;

    struct host_thread ticker;
    int ticker_waker;
    _Atomic bool ticker_quit, ticker_parked;
    _Atomic(struct target *) current; /* in its slice */
    _Atomic uint64_t turns;
};

/* The ticker. */

static void nap(struct loop *loop, uint64_t ns)
{
    struct pollfd p = {.fd = loop->ticker_waker, .events = POLLIN};
    if (host_poll(&p, 1, ns) > 0)
        host_waker_clear(loop->ticker_waker);
}

static void park(struct loop *loop)
{
    atomic_store(&loop->ticker_parked, true);
    if (!atomic_load(&loop->current) && !atomic_load(&loop->ticker_quit))
        nap(loop, HOST_FOREVER);
    atomic_store(&loop->ticker_parked, false);
}

static void tick(void *opaque)
{
    struct loop *loop = opaque;
    unsigned quiet = 0;
    while (!atomic_load(&loop->ticker_quit)) {
        uint64_t before = atomic_load(&loop->turns);
        nap(loop, TICK_NS);
        struct target *target = atomic_load(&loop->current);
        quiet = target || atomic_load(&loop->turns) != before ? 0 : quiet + 1;
        if (target && atomic_load(&loop->turns) == before)
            target->ops->stop(target);
        else if (quiet >= TICKS_TO_PARK)
            park(loop);
    }
}

static void begin_slice(struct loop *loop, struct target *target)
{
    atomic_fetch_add(&loop->turns, 1);
    atomic_store(&loop->current, target);
    if (atomic_load(&loop->ticker_parked))
        host_waker_wake(loop->ticker_waker);
}

static void end_slice(struct loop *loop)
{
    atomic_store(&loop->current, NULL);
}

/* Life. */

int loop_create(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return -ENOMEM;
    loop->deadline_ns = HOST_FOREVER;
    loop->waker = host_waker_create();
    loop->ticker_waker = host_waker_create();
    int err = loop->waker < 0 ? loop->waker : loop->ticker_waker < 0 ? loop->ticker_waker : 0;
    if (!err)
        err = host_thread_start(&loop->ticker, "denali-tick", tick, loop);
    if (err) {
        if (loop->waker >= 0)
            close(loop->waker);
        if (loop->ticker_waker >= 0)
            close(loop->ticker_waker);
        free(loop);
        return err;
    }
    *out = loop;
    return 0;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    atomic_store(&loop->ticker_quit, true);
    host_waker_wake(loop->ticker_waker);
    host_thread_join(&loop->ticker);
    for (unsigned i = 0; i < loop->targets; i++)
        cpu_debug_close(target_cpu(loop->target[i]));
    close(loop->waker);
    close(loop->ticker_waker);
    free(loop);
}

static bool is_asked(void *opaque)
{
    return loop_is_asked(opaque);
}

int loop_add_target(struct loop *loop, struct target *target)
{
    if (loop->targets == MAX_TARGETS)
        return -ENOSPC;
    int err = cpu_debug_open(target_cpu(target));
    if (err)
        return err;
    loop->target[loop->targets++] = target;
    target->id = loop->targets;
    target->run = TARGET_HALTED;
    target->asked = is_asked;
    target->asked_opaque = loop;
    if (target->ops->pause)
        target->ops->pause(target, true);
    return 0;
}

unsigned loop_targets(const struct loop *loop)
{
    return loop->targets;
}

struct target *loop_target(struct loop *loop, unsigned n)
{
    return n < loop->targets ? loop->target[n] : NULL;
}

struct target *loop_find(struct loop *loop, unsigned id)
{
    return id ? loop_target(loop, id - 1) : NULL;
}

void loop_add_front(struct loop *loop, struct loop_front *front)
{
    front->next = loop->fronts;
    loop->fronts = front;
}

void loop_remove_front(struct loop *loop, struct loop_front *front)
{
    for (struct loop_front **at = &loop->fronts; *at; at = &(*at)->next) {
        if (*at == front) {
            *at = front->next;
            return;
        }
    }
}

void loop_set_filter(struct loop *loop, loop_filter_fn filter, void *opaque)
{
    loop->filter = filter;
    loop->filter_opaque = opaque;
}

void loop_set_deadline(struct loop *loop, uint64_t deadline_ns)
{
    loop->deadline_ns = deadline_ns;
}

bool loop_is_over(const struct loop *loop)
{
    return loop->deadline_ns != HOST_FOREVER && host_monotonic_ns() >= loop->deadline_ns;
}

int loop_watch_fd(struct loop *loop, int fd, short events, loop_ready_fn ready, void *opaque)
{
    unsigned i = 0;
    while (i < loop->fds && loop->fd[i].fd != fd)
        i++;
    if (i == MAX_FDS)
        return -ENOSPC;
    if (!events) {
        if (i < loop->fds)
            loop->fd[i] = loop->fd[--loop->fds];
        return 0;
    }
    loop->fd[i] = (struct watched_fd){fd, events, ready, opaque};
    if (i == loop->fds)
        loop->fds++;
    return 0;
}

void loop_unwatch_fd(struct loop *loop, int fd)
{
    if (loop_watch_fd(loop, fd, 0, NULL, NULL))
        return; /* there was none */
}

/* Resuming and stopping. */

static struct target_stop stop_of(struct target *target, enum target_stop_kind kind)
{
    return (struct target_stop){
        .kind = kind, .eip = target_eip(target), .icount = target_cpu(target)->icount};
}

bool loop_is_running(const struct loop *loop)
{
    for (unsigned i = 0; i < loop->targets; i++)
        if (loop->target[i]->run != TARGET_HALTED)
            return true;
    return false;
}

void loop_resume(struct loop *loop, struct target *target, uint64_t steps)
{
    if (target->ended)
        return;
    if (target->run == TARGET_HALTED && target->ops->pause)
        target->ops->pause(target, false);
    loop->announce |= !loop_is_running(loop);
    loop->idle[target->id - 1] = false;
    target->run = steps ? TARGET_STEPS : TARGET_RUNS;
    target->steps = steps;
    target->range_begin = target->range_end = 0;
    target->resumed = true;
}

void loop_set_range(struct target *target, uint32_t begin, uint32_t end)
{
    target->range_begin = begin;
    target->range_end = end;
}

void loop_resume_all(struct loop *loop)
{
    for (unsigned i = 0; i < loop->targets; i++)
        loop_resume(loop, loop->target[i], 0);
}

void loop_kill(struct loop *loop, struct target *target)
{
    (void)loop;
    if (target->ended)
        return;
    target->ops->kill(target);
    target->ended = true;
    target->run = TARGET_HALTED;
    target->stop = stop_of(target, TARGET_STOP_DIED);
    snprintf(target->stop.text, sizeof(target->stop.text), "killed");
}

void loop_revive(struct loop *loop, struct target *target)
{
    target->ended = false;
    target->run = TARGET_HALTED;
    loop->idle[target->id - 1] = false;
    if (target->ops->pause)
        target->ops->pause(target, true);
}

void loop_interrupt(struct loop *loop)
{
    atomic_store(&loop->interrupt, true);
    struct target *target = atomic_load(&loop->current);
    if (target)
        target->ops->stop(target);
    host_waker_wake(loop->waker);
}

bool loop_is_asked(struct loop *loop)
{
    for (struct loop_front *front = loop->fronts; front; front = front->next)
        if (front->asks && front->asks(front))
            return true;
    return false;
}

void loop_quit(struct loop *loop)
{
    loop->quit = true;
}

/* All stand; `target` has told why, if it is one. */
static void halt_all(struct loop *loop, const struct target *target)
{
    for (unsigned i = 0; i < loop->targets; i++) {
        struct target *t = loop->target[i];
        if (t->run == TARGET_HALTED)
            continue;
        t->run = TARGET_HALTED;
        if (t->ops->pause)
            t->ops->pause(t, true);
        if (t != target)
            t->stop = stop_of(t, TARGET_STOP_ASKED);
    }
}

void loop_halt(struct loop *loop)
{
    halt_all(loop, NULL);
}

/* All stand; the fronts hear of `target`. */
static void stop_all(struct loop *loop, struct target *target)
{
    halt_all(loop, target);
    struct loop_front *next;
    for (struct loop_front *front = loop->fronts; front; front = next) {
        next = front->next;
        front->stopped(front, target);
    }
}

static void stop_for(struct loop *loop, struct target *target, enum target_stop_kind kind)
{
    target->stop = stop_of(target, kind);
    stop_all(loop, target);
}

static void take_interrupt(struct loop *loop)
{
    if (!atomic_exchange(&loop->interrupt, false))
        return;
    for (unsigned i = 0; i < loop->targets; i++) {
        if (loop->target[i]->run != TARGET_HALTED) {
            stop_for(loop, loop->target[i], TARGET_STOP_ASKED);
            return;
        }
    }
}

/* Turns. */

static void pass_breakpoint(struct target *target)
{
    struct cpu *cpu = target_cpu(target);
    if (target->resumed && cpu_debug_has_break(cpu, target_eip(target)))
        cpu_debug_pass(cpu);
    target->resumed = false;
}

/* A stop that the engine made is told, or passed over. */
static void on_stop(struct loop *loop, struct target *target, struct target_stop *stop)
{
    if (loop->filter && !loop->filter(loop->filter_opaque, target, stop)) {
        target->resumed = true;
        return;
    }
    target->stop = *stop;
    stop_all(loop, target);
}

static void on_end(struct loop *loop, struct target *target, const struct target_stop *stop)
{
    target->ended = true;
    target->stop = *stop;
    stop_all(loop, target);
}

static void on_stepped(struct loop *loop, struct target *target)
{
    uint32_t eip = target_eip(target);
    target->steps = eip >= target->range_begin && eip < target->range_end;
    if (!target->steps)
        stop_for(loop, target, TARGET_STOP_STEP);
}

/* Steps in a range are cheap to take and dear to poll between. */
#define STEPS_PER_TURN 500u

static void take_turn(struct loop *loop, unsigned n)
{
    struct target *target = loop->target[n];
    struct target_stop stop = {.kind = TARGET_STOP_NONE};
    uint64_t before = target_cpu(target)->icount;
    bool steps = target->run == TARGET_STEPS;
    pass_breakpoint(target);
    begin_slice(loop, target);
    enum target_slice slice = target->ops->run_slice(
        target, steps ? target->steps : ENGINE_UNLIMITED, &loop->wait[n], &stop);
    end_slice(loop);
    uint64_t done = target_cpu(target)->icount - before;
    if (steps)
        target->steps -= done < target->steps ? done : target->steps;
    loop->idle[n] = slice == TARGET_IDLE;
    if (slice == TARGET_ENDED)
        on_end(loop, target, &stop);
    else if (slice == TARGET_STOPPED)
        on_stop(loop, target, &stop);
    if (steps && !target->steps && target->run == TARGET_STEPS)
        on_stepped(loop, target);
}

/* Who comes after the last one that had a turn is the first: also after a stop. */
static void take_turns(struct loop *loop)
{
    for (unsigned i = 0; i < loop->targets; i++) {
        unsigned n = loop->next % loop->targets, most = STEPS_PER_TURN;
        loop->next = n + 1;
        while (loop->target[n]->run != TARGET_HALTED && !loop->idle[n] && most--) {
            take_turn(loop, n);
            if (loop->target[n]->run != TARGET_STEPS)
                break;
        }
        if (!loop_is_running(loop))
            break;
    }
}

/* Polling. */

static uint64_t time_to_wait(const struct loop *loop, uint64_t most)
{
    uint64_t wait = most;
    for (unsigned n = 0; n < loop->targets; n++) {
        if (loop->target[n]->run == TARGET_HALTED)
            continue;
        uint64_t ns = loop->idle[n] ? loop->wait[n].ns : 0;
        wait = ns < wait ? ns : wait;
    }
    if (loop->deadline_ns != HOST_FOREVER) {
        uint64_t now = host_monotonic_ns();
        uint64_t left = loop->deadline_ns > now ? loop->deadline_ns - now : 0;
        wait = left < wait ? left : wait;
    }
    return wait;
}

/* Where each part of the array of poll() begins. */
struct poll_set {
    unsigned count, fds;
    unsigned first[MAX_TARGETS]; /* UINT_MAX: the target is not in it */
    struct watched_fd watched[MAX_FDS];
    struct pollfd fd[MAX_POLL];
};
#define NOT_POLLED UINT32_MAX

static void fill_set(const struct loop *loop, struct poll_set *set)
{
    set->fd[0] = (struct pollfd){.fd = loop->waker, .events = POLLIN};
    set->count = 1;
    set->fds = loop->fds;
    for (unsigned i = 0; i < loop->fds; i++) {
        set->watched[i] = loop->fd[i];
        set->fd[set->count++] = (struct pollfd){.fd = loop->fd[i].fd, .events = loop->fd[i].events};
    }
    for (unsigned n = 0; n < loop->targets; n++) {
        const struct target_wait *wait = &loop->wait[n];
        bool in = loop->target[n]->run != TARGET_HALTED;
        set->first[n] = in ? set->count : NOT_POLLED;
        for (unsigned i = 0; in && i < wait->count; i++)
            set->fd[set->count++] = wait->fd[i];
    }
}

static void tell_targets(struct loop *loop, const struct poll_set *set, uint64_t slept_ns)
{
    for (unsigned n = 0; n < loop->targets; n++) {
        struct target_wait *wait = &loop->wait[n];
        struct target *target = loop->target[n];
        bool any = false;
        if (set->first[n] == NOT_POLLED || target->run == TARGET_HALTED)
            continue;
        for (unsigned i = 0; i < wait->count; i++) {
            wait->fd[i].revents = set->fd[set->first[n] + i].revents;
            any |= wait->fd[i].revents != 0;
        }
        uint64_t slept = loop->idle[n] ? slept_ns : 0;
        if (any || slept)
            target->ops->ready(target, wait, slept);
        if (any || slept >= wait->ns)
            loop->idle[n] = false;
        else if (wait->ns != HOST_FOREVER)
            wait->ns -= slept;
    }
}

static bool still_watched(const struct loop *loop, const struct watched_fd *w)
{
    for (unsigned i = 0; i < loop->fds; i++)
        if (loop->fd[i].fd == w->fd && loop->fd[i].opaque == w->opaque)
            return true;
    return false;
}

static void tell_watchers(struct loop *loop, const struct poll_set *set)
{
    for (unsigned i = 0; i < set->fds; i++) {
        short revents = set->fd[1 + i].revents;
        if (revents && still_watched(loop, &set->watched[i]))
            set->watched[i].ready(set->watched[i].opaque, revents);
    }
}

void loop_poll(struct loop *loop, uint64_t wait_ns)
{
    struct poll_set set;
    fill_set(loop, &set);
    uint64_t wait = time_to_wait(loop, wait_ns);
    uint64_t before = wait ? host_monotonic_ns() : 0;
    int n = host_poll(set.fd, set.count, wait);
    for (unsigned i = 0; n <= 0 && i < set.count; i++)
        set.fd[i].revents = 0;
    if (set.fd[0].revents)
        host_waker_clear(loop->waker);
    tell_targets(loop, &set, wait ? host_monotonic_ns() - before : 0);
    tell_watchers(loop, &set);
}

/* Running. */

static void announce(struct loop *loop)
{
    if (!loop->announce)
        return;
    loop->announce = false;
    for (struct loop_front *front = loop->fronts; front; front = front->next)
        if (front->resumed)
            front->resumed(front);
}

static void go_round(struct loop *loop)
{
    announce(loop);
    take_turns(loop);
    take_interrupt(loop);
}

static bool anything_to_do(const struct loop *loop)
{
    if (loop->quit || loop_is_over(loop))
        return false;
    for (const struct loop_front *front = loop->fronts; front; front = front->next)
        if (front->attached)
            return true;
    for (unsigned i = 0; i < loop->targets; i++)
        if (!loop->target[i]->ended)
            return true;
    return false;
}

int loop_serve(struct loop *loop)
{
    loop->quit = false;
    while (anything_to_do(loop)) {
        go_round(loop);
        if (anything_to_do(loop))
            loop_poll(loop, HOST_FOREVER);
    }
    return 0;
}

int loop_run_until_stop(struct loop *loop)
{
    while (loop_is_running(loop) && !loop->quit && !loop_is_over(loop)) {
        go_round(loop);
        if (loop_is_running(loop))
            loop_poll(loop, HOST_FOREVER);
    }
    return 0;
}
