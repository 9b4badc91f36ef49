/* SPDX-License-Identifier: MIT */
/*
 * The policies, by virtual time: one processor, or two, that run whom the policy
 * says, for its quantum or until the one who runs idles. No clock is read.
 */
#include <check.h>
#include <stdlib.h>

#include "denali/pool/sched.h"

#define QUANTUM 5000000u
#define SECOND 1000000000u
#define MS 1000000u

struct task {
    struct sched_node node;
    uint64_t burst_ns, sleep_ns;        /* it runs so long, then sleeps; sleep 0: never */
    uint64_t left_ns, wake_ns;          /* wake_ns 0: it does not sleep */
    uint64_t ready_ns, worst_ns, wakes; /* from waking to running */
};

#define TASKS 40
#define CPUS 2

static struct sched *sched;
static struct task task[TASKS];
static uint64_t now;

struct place {
    struct task *task;
    uint64_t until_ns;
};

static void fair(void)
{
    ck_assert_int_eq(sched_fair(QUANTUM, &sched), 0);
}

static void round_robin(void)
{
    ck_assert_int_eq(sched_round_robin(QUANTUM, &sched), 0);
}

static void add(unsigned i, unsigned weight, unsigned cap, uint64_t burst_ns, uint64_t sleep_ns)
{
    task[i] = (struct task){.node = {.weight = (uint16_t)weight, .cap = (uint16_t)cap},
                            .burst_ns = burst_ns,
                            .left_ns = burst_ns,
                            .sleep_ns = sleep_ns};
    task[i].ready_ns = now;
    sched->ops->ready(sched, &task[i].node, SCHED_WOKEN, now);
}

static void spin(unsigned i, unsigned weight, unsigned cap)
{
    add(i, weight, cap, UINT64_MAX, 0);
}

static void wake_sleepers(unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++) {
        struct task *t = &task[i];
        if (!t->wake_ns || t->wake_ns > now)
            continue;
        t->ready_ns = t->wake_ns;
        t->wake_ns = 0;
        t->left_ns = t->burst_ns;
        sched->ops->ready(sched, &t->node, SCHED_WOKEN, now);
    }
}

static void begin(struct place *p)
{
    struct sched_node *node = sched->ops->next(sched, now);
    if (!node)
        return;
    struct task *t = p->task = CONTAINER_OF(node, struct task, node);
    if (t->sleep_ns && t->left_ns == t->burst_ns) {
        uint64_t waited = now - t->ready_ns;
        t->worst_ns = waited > t->worst_ns ? waited : t->worst_ns;
        t->wakes++;
    }
    p->until_ns = now + (t->left_ns < QUANTUM ? t->left_ns : QUANTUM);
}

static void end(struct place *p, uint64_t began_ns)
{
    struct task *t = p->task;
    uint64_t ran = now - began_ns;
    p->task = NULL;
    sched->ops->ran(sched, &t->node, ran, now);
    t->left_ns -= ran;
    if (t->left_ns)
        sched->ops->ready(sched, &t->node, SCHED_PREEMPTED, now);
    else
        t->wake_ns = now + t->sleep_ns;
}

/* Steps of 50 us. */
static void run(unsigned cpus, unsigned tasks, uint64_t ns)
{
    struct place place[CPUS] = {{NULL, 0}};
    uint64_t began[CPUS] = {0};
    for (uint64_t last = now + ns; now < last; now += 50000) {
        wake_sleepers(tasks);
        for (unsigned i = 0; i < cpus; i++) {
            if (place[i].task && place[i].until_ns <= now)
                end(&place[i], began[i]);
        }
        for (unsigned i = 0; i < cpus; i++) {
            if (!place[i].task) {
                began[i] = now;
                begin(&place[i]);
            }
        }
    }
    for (unsigned i = 0; i < cpus; i++) {
        if (place[i].task)
            end(&place[i], began[i]);
    }
}

static void teardown(void)
{
    sched->ops->destroy(sched);
}

static double part(unsigned i, unsigned tasks)
{
    uint64_t all = 0;
    for (unsigned k = 0; k < tasks; k++)
        all += task[k].node.ran_ns;
    return (double)task[i].node.ran_ns / (double)all;
}

#define ASSERT_NEAR(value, want, off) ck_assert_double_eq_tol((value), (want), (off))

START_TEST(equal_ones_share_equally)
{
    fair();
    for (unsigned i = 0; i < 10; i++)
        spin(i, 0, 0);
    run(_i ? 2 : 1, 10, 10 * (uint64_t)SECOND);
    for (unsigned i = 0; i < 10; i++)
        ASSERT_NEAR(part(i, 10), 0.1, 0.001);
    teardown();
}
END_TEST

START_TEST(weights_divide)
{
    fair();
    spin(0, 100, 0);
    spin(1, 300, 0);
    spin(2, 600, 0);
    run(1, 3, 20 * (uint64_t)SECOND);
    ASSERT_NEAR(part(0, 3), 0.1, 0.002);
    ASSERT_NEAR(part(1, 3), 0.3, 0.002);
    ASSERT_NEAR(part(2, 3), 0.6, 0.002);
    teardown();
}
END_TEST

/* A cap holds when nobody else wants the processor, and over every second. */
START_TEST(caps_hold)
{
    fair();
    spin(0, 0, 20);
    spin(1, 10000, 50);
    for (unsigned s = 1; s <= 5; s++) {
        run(2, 2, SECOND);
        ASSERT_NEAR((double)task[0].node.ran_ns, 0.2 * s * SECOND, 2.0 * QUANTUM);
        ASSERT_NEAR((double)task[1].node.ran_ns, 0.5 * s * SECOND, 2.0 * QUANTUM);
    }
    ck_assert_uint_ne(sched->ops->held_until_ns(sched), SCHED_NEVER);
    teardown();
}
END_TEST

/* Servers that work 0.2 ms every 10 ms, against 30 that spin: soon served, and never lose. */
START_TEST(sleepers_are_soon_served)
{
    fair();
    for (unsigned i = 0; i < 30; i++)
        spin(i, 0, 0);
    run(1, 30, SECOND);
    for (unsigned i = 30; i < 34; i++)
        add(i, 0, 0, 200000, 10 * MS);
    run(1, 34, 20 * (uint64_t)SECOND);
    for (unsigned i = 30; i < 34; i++) {
        ck_assert_uint_gt(task[i].wakes, 1000);
        ck_assert_uint_le(task[i].worst_ns, 2 * QUANTUM);
    }
    teardown();
}
END_TEST

/* A second of sleep buys at most a quantum. */
START_TEST(sleep_is_no_credit)
{
    fair();
    spin(0, 0, 0);
    run(1, 1, 10 * (uint64_t)SECOND);
    spin(1, 0, 0);
    uint64_t before = task[0].node.ran_ns;
    run(1, 2, SECOND);
    ASSERT_NEAR((double)(task[0].node.ran_ns - before), 0.5 * SECOND, 2.0 * QUANTUM);
    teardown();
}
END_TEST

/* IDLE(0) in a loop, a thousand times in a quantum: no more than its share. */
START_TEST(yielding_in_a_loop_gains_nothing)
{
    fair();
    for (unsigned i = 0; i < 9; i++)
        spin(i, 0, 0);
    add(9, 0, 0, 50000, 1);
    run(1, 10, 10 * (uint64_t)SECOND);
    for (unsigned i = 0; i < 9; i++)
        ck_assert_double_ge(part(i, 10), 0.099);
    teardown();
}
END_TEST

/* Equal claims, many more than can be met: each in its turn. */
START_TEST(nobody_starves)
{
    if (_i)
        fair();
    else
        round_robin();
    for (unsigned i = 0; i < TASKS; i++)
        add(i, 0, 0, i % 2 ? 200000 : 3 * QUANTUM, 10 * MS);
    run(2, TASKS, 20 * (uint64_t)SECOND);
    for (unsigned i = 0; i < TASKS; i++)
        ck_assert_uint_gt(task[i].wakes, 20);
    teardown();
}
END_TEST

START_TEST(urgent_ones_are_first)
{
    struct sched_node node[6] = {{0}};
    if (_i)
        fair();
    else
        round_robin();
    const struct sched_ops *ops = sched->ops;
    ops->ready(sched, &node[0], SCHED_PREEMPTED, 0);
    ops->ready(sched, &node[1], SCHED_WOKEN, 0);
    ops->ready(sched, &node[2], SCHED_URGENT, 0);
    ops->ready(sched, &node[3], SCHED_URGENT, 0);
    ck_assert_ptr_eq(ops->next(sched, 0), &node[2]);
    ck_assert_ptr_eq(ops->next(sched, 0), &node[3]);
    ops->ready(sched, &node[4], SCHED_URGENT, 0);
    ck_assert_ptr_eq(ops->next(sched, 0), &node[4]);
    ck_assert_ptr_nonnull(ops->next(sched, 0));
    ck_assert_ptr_nonnull(ops->next(sched, 0));
    ck_assert_ptr_null(ops->next(sched, 0));
    teardown();
}
END_TEST

/* Who slept takes the processor of who computes; a lead is used up by using it. */
START_TEST(leads_are_used_up)
{
    struct sched_node busy = {0}, sleeper = {0};
    unsigned times = 0;
    fair();
    const struct sched_ops *ops = sched->ops;
    for (now = 0; now < 100 * (uint64_t)MS; now += QUANTUM) {
        ops->ready(sched, &busy, SCHED_PREEMPTED, now);
        ck_assert_ptr_eq(ops->next(sched, now), &busy);
        ops->ran(sched, &busy, QUANTUM, now + QUANTUM);
    }
    ops->ready(sched, &busy, SCHED_PREEMPTED, now);
    ck_assert_ptr_eq(ops->next(sched, now), &busy);
    for (unsigned i = 0; i < 100; i++) {
        ops->ready(sched, &sleeper, SCHED_WOKEN, now);
        times += ops->preempts(sched, &sleeper, &busy, 0);
        ck_assert_ptr_eq(ops->next(sched, now), &sleeper);
        ops->ran(sched, &sleeper, MS / 2, now);
    }
    ck_assert_uint_ge(times, 5);
    ck_assert_uint_le(times, 20); /* of half a millisecond: a quantum, and one for being short */
    ck_assert(!ops->preempts(sched, &busy, &busy, 0));
    teardown();
}
END_TEST

static void turn_of(struct sched_node *node, uint64_t ran_ns)
{
    sched->ops->ready(sched, node, SCHED_WOKEN, now);
    ck_assert_ptr_eq(sched->ops->next(sched, now), node);
    sched->ops->ran(sched, node, ran_ns, now += ran_ns);
    ck_assert_ptr_null(sched->ops->next(sched, now));
}

/* One that answers, beside nobody for a second, owes nothing for it; and it stands before any
 * number that wake at once to compute. */
START_TEST(short_ones_before_long_ones)
{
    struct sched_node light = {0}, heavy[50] = {{0}};
    fair();
    now = 0;
    for (unsigned i = 0; i < 50; i++)
        turn_of(&heavy[i], QUANTUM);
    for (unsigned i = 0; i < 1000; i++, now += MS)
        turn_of(&light, MS / 10);
    for (unsigned i = 0; i < 50; i++)
        sched->ops->ready(sched, &heavy[i], SCHED_WOKEN, now);
    struct sched_node *first = sched->ops->next(sched, now);
    ck_assert_ptr_ne(first, &light);
    sched->ops->ready(sched, &light, SCHED_WOKEN, now);
    ck_assert(sched->ops->preempts(sched, &light, first, 0));
    ck_assert_ptr_eq(sched->ops->next(sched, now), &light);
    teardown();
}
END_TEST

/* The heap against a sorted model: all equal weights, random work. */
START_TEST(least_virtual_time_is_next)
{
    static struct sched_node node[500];
    fair();
    srand(3);
    for (unsigned i = 0; i < 500; i++) {
        node[i] = (struct sched_node){.weight = 100};
        sched->ops->ran(sched, &node[i], (uint64_t)rand() % SECOND, 0);
        sched->ops->ready(sched, &node[i], SCHED_PREEMPTED, 0);
    }
    uint64_t last = 0;
    for (unsigned i = 0; i < 500; i++) {
        struct sched_node *n = sched->ops->next(sched, 0);
        ck_assert_uint_ge(n->virtual_ns, last);
        last = n->virtual_ns;
    }
    ck_assert_ptr_null(sched->ops->next(sched, 0));
    teardown();
}
END_TEST

/* Out of the middle, the front and the end of their queues, whichever they are in. */
START_TEST(who_hears_something_goes_first)
{
    static const unsigned order[] = {2, 0, 5, 4, 1, 3};
    round_robin();
    for (unsigned i = 0; i < 6; i++) {
        task[i] = (struct task){.node = {.ran_ns = 0}};
        enum sched_reason reason = i < 4 ? SCHED_PREEMPTED : i == 4 ? SCHED_DISPLACED : SCHED_WOKEN;
        sched->ops->ready(sched, &task[i].node, reason, now);
    }
    sched->ops->hurry(sched, &task[2].node);
    sched->ops->hurry(sched, &task[0].node);
    sched->ops->hurry(sched, &task[5].node);
    sched->ops->hurry(sched, &task[2].node); /* it is urgent already */
    for (unsigned i = 0; i < 6; i++)
        ck_assert_ptr_eq(sched->ops->next(sched, now), &task[order[i]].node);
    ck_assert_ptr_null(sched->ops->next(sched, now));
    sched->ops->destroy(sched);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched");
    TCase *tc = tcase_create("sched");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, equal_ones_share_equally, 0, 2);
    tcase_add_test(tc, weights_divide);
    tcase_add_test(tc, caps_hold);
    tcase_add_test(tc, sleepers_are_soon_served);
    tcase_add_test(tc, sleep_is_no_credit);
    tcase_add_test(tc, yielding_in_a_loop_gains_nothing);
    tcase_add_loop_test(tc, nobody_starves, 0, 2);
    tcase_add_loop_test(tc, urgent_ones_are_first, 0, 2);
    tcase_add_test(tc, leads_are_used_up);
    tcase_add_test(tc, short_ones_before_long_ones);
    tcase_add_test(tc, least_virtual_time_is_next);
    tcase_add_test(tc, who_hears_something_goes_first);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
