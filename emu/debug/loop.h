/* SPDX-License-Identifier: MIT */
/*
 * One thread runs a fleet of targets in turn and listens to the debugger's
 * descriptors (gdb's socket, a terminal) meanwhile. All-stop: when one target
 * stops, all stand still, and the front ends are told.
 *
 *     loop_create, loop_add_target..., loop_add_front...
 *     loop_serve          until loop_quit, or all targets have ended and nobody is attached
 *
 * A front end resumes targets from its callbacks (a descriptor became ready, a
 * stop was told); the loop runs them when the callback has returned.
 */
#ifndef DENALI_DEBUG_LOOP_H
#define DENALI_DEBUG_LOOP_H

#include "emu/debug/target.h"

struct loop;

MUST_CHECK int loop_create(struct loop **out);
void loop_destroy(struct loop *loop);

/* Gives it the next id, and its processor a debugger. The target outlives the loop or is removed
 * before. -ENOSPC, -ENOMEM. */
MUST_CHECK int loop_add_target(struct loop *loop, struct target *target);
unsigned loop_targets(const struct loop *loop);
struct target *loop_target(struct loop *loop, unsigned n); /* n-th, from 0 */
struct target *loop_find(struct loop *loop, unsigned id);  /* NULL */

struct loop_front {
    /* A target stopped (target->stop tells why) and no target runs. */
    void (*stopped)(struct loop_front *front, struct target *target);
    /* Targets begin to run. May be NULL. */
    void (*resumed)(struct loop_front *front);
    /* Whether the person wants what is under way to end. May be NULL. See loop_is_asked. */
    bool (*asks)(struct loop_front *front);
    bool attached; /* a person is there: the loop goes on when all targets have ended */
    struct loop_front *next;
};
void loop_add_front(struct loop *loop, struct loop_front *front);
void loop_remove_front(struct loop *loop, struct loop_front *front);

/*
 * Whether a breakpoint or watchpoint is to be told: conditions, ignore counts.
 * false: the target goes on as if nothing had been. Steps that end at the same
 * place are told in any case.
 */
typedef bool (*loop_filter_fn)(void *opaque, struct target *target, struct target_stop *stop);
void loop_set_filter(struct loop *loop, loop_filter_fn filter, void *opaque);

/* Calls `ready` when poll() says so of fd. One per fd; events 0 removes it. -ENOSPC. */
typedef void (*loop_ready_fn)(void *opaque, short revents);
MUST_CHECK int loop_watch_fd(struct loop *loop, int fd, short events, loop_ready_fn ready,
                             void *opaque);
void loop_unwatch_fd(struct loop *loop, int fd);

/*
 * What is to happen when control comes back to the loop. Standing at a
 * breakpoint, a target goes on past it. Targets that are not named stay as they
 * are. `steps`: instructions, 0 for no limit.
 */
void loop_resume(struct loop *loop, struct target *target, uint64_t steps);
/* After loop_resume with steps: when they are done, it steps on while eip is in [begin, end). */
void loop_set_range(struct target *target, uint32_t begin, uint32_t end);
/* All stand, and nobody is told; not from another thread. target->stop of those that ran says
 * TARGET_STOP_ASKED. */
void loop_halt(struct loop *loop);
/* Stops all: each running one is told as TARGET_STOP_ASKED, by one stop for the first of them. Any
 * thread, signal handlers. */
void loop_interrupt(struct loop *loop);
/* Whether a person wants it to end: for what takes long without the loop, as a search of the past.
 */
bool loop_is_asked(struct loop *loop);
/* Ends it: it counts as ended from here on. */
void loop_kill(struct loop *loop, struct target *target);
/* One that has ended was put back to a place where it had not: it stands. */
void loop_revive(struct loop *loop, struct target *target);
bool loop_is_running(const struct loop *loop);

/* Runs; 0, or a negative errno of the host. */
MUST_CHECK int loop_serve(struct loop *loop);
/* Runs until no target runs: for a front end that reads its commands by itself. Descriptors are
 * served meanwhile. */
MUST_CHECK int loop_run_until_stop(struct loop *loop);
/* Serves descriptors that are ready now, for at most wait_ns. */
void loop_poll(struct loop *loop, uint64_t wait_ns);
void loop_quit(struct loop *loop);
void loop_resume_all(struct loop *loop);
/* loop_serve ends when host_monotonic_ns() has come so far; HOST_FOREVER. */
void loop_set_deadline(struct loop *loop, uint64_t deadline_ns);
bool loop_is_over(const struct loop *loop); /* the deadline has passed */

#endif
