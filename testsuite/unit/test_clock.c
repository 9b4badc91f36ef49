/* SPDX-License-Identifier: MIT */
/* The virtual clock: order of events, re-arming, and a random schedule held against sorting. */
#include <check.h>
#include <stdlib.h>

#include "emu/base/host_thread.h"
#include "emu/machine/clock.h"

#define EVENTS 200

static struct clock *clock_;
static struct clock_event *event[EVENTS];
static unsigned ran[EVENTS * 64], runs;

static void note(void *opaque, uint64_t now_ns)
{
    (void)now_ns;
    ran[runs++] = (unsigned)(uintptr_t)opaque;
}

static void setup(void)
{
    runs = 0;
    ck_assert_int_eq(clock_create(true, &clock_), 0);
    for (uintptr_t i = 0; i < EVENTS; i++)
        ck_assert_int_eq(
            clock_event_create(clock_, "e", i < 10 ? 0 : 1, note, (void *)i, &event[i]), 0);
}

static void teardown(void)
{
    for (unsigned i = 0; i < EVENTS; i++)
        clock_event_destroy(event[i]);
    clock_destroy(clock_);
}

START_TEST(order)
{
    clock_event_arm(event[20], 100);
    clock_event_arm(event[11], 100); /* armed later: runs later */
    clock_event_arm(event[3], 100);  /* lower priority number: runs first */
    clock_event_arm(event[40], 99);
    clock_event_arm(event[41], 101);
    ck_assert_uint_eq(clock_run_due(clock_), 99);
    ck_assert_uint_eq(runs, 0);
    clock_advance_ns(clock_, 100);
    ck_assert_uint_eq(clock_run_due(clock_), 101);
    ck_assert_uint_eq(runs, 4);
    static const unsigned want[] = {40, 3, 20, 11};
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(ran[i], want[i]);
    ck_assert_uint_eq(clock_event_when(event[40]), CLOCK_NEVER);
    ck_assert_uint_eq(clock_event_when(event[41]), 101);
}
END_TEST

START_TEST(disarm)
{
    clock_event_arm(event[1], 5);
    clock_event_arm(event[2], 6);
    clock_event_arm(event[1], CLOCK_NEVER);
    clock_advance_ns(clock_, 10);
    ck_assert_uint_eq(clock_run_due(clock_), CLOCK_NEVER);
    ck_assert_uint_eq(runs, 1);
    ck_assert_uint_eq(ran[0], 2);
}
END_TEST

static void again(void *opaque, uint64_t now_ns)
{
    runs++;
    clock_event_arm(*(struct clock_event **)opaque, now_ns);
}

/* An event that arms itself for now must not hold clock_run_due for ever. */
START_TEST(rearm_now)
{
    struct clock_event *self;
    ck_assert_int_eq(clock_event_create(clock_, "self", 0, again, &self, &self), 0);
    clock_event_arm(self, 0);
    ck_assert_uint_eq(clock_run_due(clock_), 0);
    ck_assert_uint_eq(runs, 1);
    ck_assert_uint_eq(clock_run_due(clock_), 0);
    ck_assert_uint_eq(runs, 2);
    clock_event_destroy(self);
}
END_TEST

START_TEST(random_schedule)
{
    uint64_t when[EVENTS];
    srand(7);
    for (unsigned round = 0; round < 50; round++) {
        uint64_t now = clock_now_ns(clock_);
        for (unsigned i = 0; i < EVENTS; i++)
            when[i] = CLOCK_NEVER;
        for (unsigned n = 0; n < 4 * EVENTS; n++) { /* armings, re-armings and disarmings */
            unsigned i = (unsigned)rand() % EVENTS;
            when[i] = rand() % 5 ? now + 1 + (unsigned)rand() % 1000 : CLOCK_NEVER;
            clock_event_arm(event[i], when[i]);
        }
        unsigned due = 0;
        for (unsigned i = 0; i < EVENTS; i++)
            due += when[i] <= now + 500;
        runs = 0;
        clock_advance_ns(clock_, 500);
        uint64_t next = clock_run_due(clock_);
        ck_assert_uint_eq(runs, due);
        for (unsigned i = 1; i < runs; i++)
            ck_assert_uint_le(when[ran[i - 1]], when[ran[i]]);
        for (unsigned i = 0; i < EVENTS; i++) {
            if (when[i] > now + 500)
                ck_assert_uint_le(next, when[i]);
            clock_event_arm(event[i], CLOCK_NEVER);
        }
    }
}
END_TEST

START_TEST(host_time)
{
    struct clock *host;
    ck_assert_int_eq(clock_create(false, &host), 0);
    uint64_t last = clock_now_ns(host);
    ck_assert_uint_lt(last, 1000000000u);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = clock_now_ns(host);
        ck_assert_uint_ge(now, last);
        last = now;
    }
    clock_destroy(host);
}
END_TEST

/* Time does not pass an event that is overdue; what it lags behind is made up for on request. */
START_TEST(time_waits_for_events)
{
    struct clock *clock;
    struct clock_event *late;
    ck_assert_int_eq(clock_create(false, &clock), 0);
    ck_assert_int_eq(clock_event_create(clock, "late", 0, note, NULL, &late), 0);
    clock_wait_for_events(clock, 1000);
    uint64_t when = clock_now_ns(clock) + 100000;
    clock_event_arm(late, when);
    ck_assert_uint_eq(clock_bound_ns(clock), when + 1000);
    host_poll(NULL, 0, 5000000);
    ck_assert_uint_eq(clock_now_ns(clock), when + 1000);
    ck_assert_uint_eq(clock_run_due(clock), CLOCK_NEVER);
    uint64_t lag = clock_lag_ns(clock);
    ck_assert_uint_ge(lag, 1000000);
    ck_assert_uint_eq(clock_repay(clock, 400), 400);
    ck_assert_uint_eq(clock_lag_ns(clock), lag - 400);
    uint64_t paid = clock_repay(clock, CLOCK_NEVER); /* all, unless it was seconds */
    ck_assert_uint_gt(paid, 0);
    ck_assert_uint_eq(clock_lag_ns(clock), lag - 400 - paid);
    ck_assert_uint_ge(clock_now_ns(clock), when + paid);
    ck_assert_uint_eq(clock_repay(clock, CLOCK_NEVER), 0);
    clock_event_destroy(late);
    clock_destroy(clock);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("clock");
    TCase *t = tcase_create("clock");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, order);
    tcase_add_test(t, disarm);
    tcase_add_test(t, rearm_now);
    tcase_add_test(t, random_schedule);
    tcase_add_test(t, host_time);
    tcase_add_test(t, time_waits_for_events);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
