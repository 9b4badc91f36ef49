/* SPDX-License-Identifier: MIT */
/*
 * A virtual clock and its events in a binary heap ordered by (time, priority,
 * age), so that a run is repeatable whatever the order of arming was.
 *
 * Invariants: an event is in the heap exactly while it is armed; event->index is
 * its place there. An event is disarmed before its function runs, so that the
 * function may arm it anew, and `age` counts armings, so that equals run in the
 * order in which they were armed.
 */
#include "emu/machine/clock.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>

#define NOT_ARMED SIZE_MAX
#define MAX_OWED_NS UINT64_C(5000000000)

struct clock_event {
    struct clock *clock;
    const char *name;
    clock_fn fn;
    void *opaque;
    uint64_t when_ns;
    uint64_t age;
    size_t index;
    int priority;
    struct clock_event *next; /* created later */
};

struct clock {
    bool deterministic;
    uint64_t start_ns; /* of the host's clock; unused when deterministic */
    uint64_t count_ns; /* deterministic time */
    bool waits;        /* for events, with so much slack */
    uint64_t slack_ns;
    uint64_t owed_ns; /* of the lag, what is to be made up for */
    uint64_t lag_ns;
    uint64_t seen_ns; /* the latest time that anybody was told */
    uint64_t armings;
    struct clock_event **heap;
    size_t armed;
    size_t events, room; /* created; the heap always has room for all of them */
    struct clock_event *first;
};

int clock_create(bool deterministic, struct clock **out)
{
    struct clock *clock = calloc(1, sizeof(*clock));
    if (!clock)
        return -ENOMEM;
    clock->deterministic = deterministic;
    if (!deterministic)
        clock->start_ns = host_monotonic_ns();
    *out = clock;
    return 0;
}

void clock_destroy(struct clock *clock)
{
    if (!clock)
        return;
    BUG_ON(clock->events, "events are destroyed before their clock");
    free(clock->heap);
    free(clock);
}

uint64_t clock_bound_ns(const struct clock *clock)
{
    return clock->waits && clock->armed ? clock->heap[0]->when_ns + clock->slack_ns : CLOCK_NEVER;
}

/* An event in the past was armed late: time does not go back for it. */
static uint64_t hold(struct clock *clock, uint64_t now)
{
    uint64_t bound = clock_bound_ns(clock), to = bound > clock->seen_ns ? bound : clock->seen_ns;
    if (now > to) {
        uint64_t lag = now - to;
        clock->start_ns += lag;
        clock->lag_ns += lag;
        clock->owed_ns = clock->owed_ns + lag < MAX_OWED_NS ? clock->owed_ns + lag : MAX_OWED_NS;
        now = to;
    }
    clock->seen_ns = now;
    return now;
}

uint64_t clock_now_ns(const struct clock *clock)
{
    if (clock->deterministic)
        return clock->count_ns;
    uint64_t now = host_monotonic_ns() - clock->start_ns;
    /* Standing still is no change that anybody sees. */
    return clock->waits ? hold((struct clock *)(uintptr_t)clock, now) : now;
}

void clock_wait_for_events(struct clock *clock, uint64_t slack_ns)
{
    clock->waits = !clock->deterministic;
    clock->slack_ns = slack_ns;
    clock->seen_ns = 0;
}

uint64_t clock_repay(struct clock *clock, uint64_t most_ns)
{
    uint64_t paid = clock->owed_ns < most_ns ? clock->owed_ns : most_ns;
    clock->start_ns -= paid;
    clock->lag_ns -= paid;
    clock->owed_ns -= paid;
    return paid;
}

uint64_t clock_lag_ns(const struct clock *clock)
{
    return clock->lag_ns;
}

void clock_advance_ns(struct clock *clock, uint64_t delta_ns)
{
    BUG_ON(!clock->deterministic, "only a counted clock is advanced by its owner");
    clock->count_ns += delta_ns;
}

void clock_set_ns(struct clock *clock, uint64_t now_ns)
{
    clock->count_ns = now_ns;
    clock->start_ns = host_monotonic_ns() - now_ns; /* may wrap: so does the difference */
    clock->seen_ns = now_ns;
    clock->owed_ns = 0;
}

static bool runs_before(const struct clock_event *a, const struct clock_event *b)
{
    if (a->when_ns != b->when_ns)
        return a->when_ns < b->when_ns;
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return a->age < b->age;
}

static void place(struct clock *clock, size_t index, struct clock_event *event)
{
    clock->heap[index] = event;
    event->index = index;
}

static void sift_up(struct clock *clock, size_t index, struct clock_event *event)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!runs_before(event, clock->heap[parent]))
            break;
        place(clock, index, clock->heap[parent]);
        index = parent;
    }
    place(clock, index, event);
}

static void sift_down(struct clock *clock, size_t index, struct clock_event *event)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= clock->armed)
            break;
        if (child + 1 < clock->armed && runs_before(clock->heap[child + 1], clock->heap[child]))
            child++;
        if (!runs_before(clock->heap[child], event))
            break;
        place(clock, index, clock->heap[child]);
        index = child;
    }
    place(clock, index, event);
}

static void heap_remove(struct clock_event *event)
{
    struct clock *clock = event->clock;
    size_t hole = event->index;
    struct clock_event *last = clock->heap[--clock->armed];

    event->index = NOT_ARMED;
    if (last == event)
        return;
    if (hole > 0 && runs_before(last, clock->heap[(hole - 1) / 2]))
        sift_up(clock, hole, last);
    else
        sift_down(clock, hole, last);
}

/* Room is made when an event is created, so that arming cannot fail. */
static int make_room(struct clock *clock)
{
    if (clock->events < clock->room)
        return 0;
    size_t room = clock->room ? 2 * clock->room : 8;
    struct clock_event **heap = realloc(clock->heap, room * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    clock->heap = heap;
    clock->room = room;
    return 0;
}

int clock_event_create(struct clock *clock, const char *name, int priority, clock_fn fn,
                       void *opaque, struct clock_event **out)
{
    int err = make_room(clock);
    if (err)
        return err;
    struct clock_event *event = calloc(1, sizeof(*event));
    if (!event)
        return -ENOMEM;
    *event = (struct clock_event){.clock = clock,
                                  .name = name,
                                  .fn = fn,
                                  .opaque = opaque,
                                  .when_ns = CLOCK_NEVER,
                                  .index = NOT_ARMED,
                                  .priority = priority};
    struct clock_event **link = &clock->first;
    while (*link)
        link = &(*link)->next;
    *link = event;
    clock->events++;
    *out = event;
    return 0;
}

void clock_event_destroy(struct clock_event *event)
{
    if (!event)
        return;
    clock_event_arm(event, CLOCK_NEVER);
    struct clock_event **link = &event->clock->first;
    while (*link != event)
        link = &(*link)->next;
    *link = event->next;
    event->clock->events--;
    free(event);
}

void clock_event_arm(struct clock_event *event, uint64_t when_ns)
{
    struct clock *clock = event->clock;
    if (event->index != NOT_ARMED)
        heap_remove(event);
    event->when_ns = when_ns;
    if (when_ns == CLOCK_NEVER)
        return;
    event->age = clock->armings++;
    sift_up(clock, clock->armed++, event);
}

uint64_t clock_event_when(const struct clock_event *event)
{
    return event->when_ns;
}

unsigned clock_events(const struct clock *clock)
{
    return (unsigned)clock->events;
}

/* How many armed ones are older: two clocks that act alike are then the same. */
static uint64_t rank(const struct clock *clock, const struct clock_event *of)
{
    uint64_t older = 0;
    for (size_t i = 0; i < clock->armed; i++)
        older += clock->heap[i]->age < of->age;
    return of->index == NOT_ARMED ? 0 : older;
}

void clock_get_armed(const struct clock *clock, struct clock_armed *out)
{
    for (const struct clock_event *event = clock->first; event; event = event->next)
        *out++ = (struct clock_armed){event->when_ns, rank(clock, event)};
}

/* Ages are given anew, in their old order: the lowest that is left, again and again. */
void clock_set_armed(struct clock *clock, const struct clock_armed *in)
{
    struct clock_event *event;
    for (event = clock->first; event; event = event->next)
        clock_event_arm(event, CLOCK_NEVER);
    for (size_t done = 0; done < clock->events; done++) {
        const struct clock_armed *lowest = NULL, *at = in;
        struct clock_event *which = NULL;
        for (event = clock->first; event; event = event->next, at++) {
            if (at->when_ns != CLOCK_NEVER && event->index == NOT_ARMED &&
                (!lowest || at->age < lowest->age))
                lowest = at, which = event;
        }
        if (which)
            clock_event_arm(which, lowest->when_ns);
    }
}

uint64_t clock_run_due(struct clock *clock)
{
    if (!clock->armed)
        return CLOCK_NEVER;
    uint64_t now = clock_now_ns(clock);
    /* Functions that arm for `now` again must not hold us here: they wait for the next call. */
    uint64_t limit = clock->armings;
    while (clock->armed) {
        struct clock_event *event = clock->heap[0];
        if (event->when_ns > now || event->age >= limit)
            break;
        clock_event_arm(event, CLOCK_NEVER);
        event->fn(event->opaque, now);
    }
    return clock->armed ? clock->heap[0]->when_ns : CLOCK_NEVER;
}
