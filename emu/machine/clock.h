/* SPDX-License-Identifier: MIT */
/*
 * One virtual clock with one event queue. Time is nanoseconds since the
 * machine started. Two sources: the host's monotonic clock, or (deterministic)
 * a count that the owner advances. Not thread-safe: one owner at a time.
 */
#ifndef DENALI_CLOCK_H
#define DENALI_CLOCK_H

#include "emu/base/base.h"

#define CLOCK_NEVER UINT64_MAX

struct clock;
struct clock_event;
typedef void (*clock_fn)(void *opaque, uint64_t now_ns);

MUST_CHECK int clock_create(bool deterministic, struct clock **out);
void clock_destroy(struct clock *clock);

uint64_t clock_now_ns(const struct clock *clock);
/* Deterministic clocks only: moves time forward. */
void clock_advance_ns(struct clock *clock, uint64_t delta_ns);

/*
 * Clocks of the host only. From now on time stands still when the next event is overdue by
 * `slack_ns`, until clock_run_due has run it: who looks at the clock never sees that the host gave
 * no time, or stopped the process. What time lags behind for that reason is owed, and clock_repay,
 * called when nobody looks, lets up to `most_ns` of it pass at once; returns how much. More than a
 * few seconds are not made up for.
 */
void clock_wait_for_events(struct clock *clock, uint64_t slack_ns);
uint64_t clock_repay(struct clock *clock, uint64_t most_ns);
/* How far time lags behind the host's in all, from clock_wait_for_events on. */
uint64_t clock_lag_ns(const struct clock *clock);
/* When it will stand still; CLOCK_NEVER: nothing is armed. */
uint64_t clock_bound_ns(const struct clock *clock);

/* From now on it is this time, whatever it was; armed events keep theirs. */
void clock_set_ns(struct clock *clock, uint64_t now_ns);

/* An event is created once and armed many times; events due at one instant run by priority, low
 * first. */
MUST_CHECK int clock_event_create(struct clock *clock, const char *name, int priority, clock_fn fn,
                                  void *opaque, struct clock_event **out);
void clock_event_destroy(struct clock_event *event);
void clock_event_arm(struct clock_event *event, uint64_t when_ns); /* CLOCK_NEVER disarms */
uint64_t clock_event_when(const struct clock_event *event);

/* For snapshots: what is armed, for all events in the order in which they were created. Setting it
 * arms and disarms all of them, with the order of those due at one instant as it was. */
struct clock_armed {
    uint64_t when_ns, age; /* age: how many armed ones are older */
};
unsigned clock_events(const struct clock *clock);
void clock_get_armed(const struct clock *clock, struct clock_armed *out);
void clock_set_armed(struct clock *clock, const struct clock_armed *in);

/* Runs what is due; returns the time of the next event or CLOCK_NEVER. */
uint64_t clock_run_due(struct clock *clock);

#endif
