/* SPDX-License-Identifier: MIT */
/* Wires and buckets, in a time of the test's own. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "devices/wire.h"

#define MS 1000000u
#define SECOND 1000000000u

static struct wire wire;

static void start(const char *words)
{
    struct wire_config config = {.seed = 7};
    if (*words)
        ck_assert_int_eq(wire_config_parse(&config, words), 0);
    wire_init(&wire, &config);
}

static void put(uint8_t tag, size_t len, uint64_t now)
{
    uint8_t frame[NET_FRAME_MAX] = {tag};
    wire_put(&wire, frame, len, now);
}

/* The tag of the next frame, or -1. */
static int take(uint64_t now)
{
    uint8_t frame[NET_FRAME_MAX];
    return wire_take(&wire, frame, sizeof(frame), now) ? frame[0] : -1;
}

START_TEST(a_perfect_wire)
{
    start("");
    ck_assert(wire_due_ns(&wire) == WIRE_NEVER);
    put(1, 60, 5);
    put(2, 60, 5);
    ck_assert_int_eq(take(5), 1);
    ck_assert_int_eq(take(5), 2);
    ck_assert_int_eq(take(5), -1);
    ck_assert(wire_lets_pass(&wire, 60, 5));
    ck_assert_uint_eq(wire.passed, 3);
}
END_TEST

START_TEST(delay_and_jitter_keep_the_order)
{
    start("delay=10,jitter=5");
    for (unsigned i = 0; i < 100; i++)
        put((uint8_t)i, 60, i * 100000);
    ck_assert(!wire_lets_pass(&wire, 60, 0));
    ck_assert_uint_ge(wire_due_ns(&wire), 10 * MS);
    uint64_t now = 0;
    for (int next = 0; next < 100; now += 50000) {
        int tag = take(now);
        ck_assert_int_le(tag, next);
        if (tag < 0)
            continue;
        ck_assert_int_eq(tag, next++);
        ck_assert_uint_ge(now, (uint64_t)tag * 100000 + 10 * MS);
    }
    ck_assert_uint_le(now, 26 * MS);
}
END_TEST

/* Exact in the long run, whatever is offered. */
START_TEST(rates)
{
    start(_i ? "frames=1000,queue=8" : "rate=8,queue=8"); /* 1,000,000 bytes a second */
    uint64_t taken = 0;
    for (uint64_t now = 0; now < 5 * (uint64_t)SECOND; now += 100000) {
        put(1, 1000, now);
        while (take(now) >= 0)
            taken++;
    }
    ck_assert_uint_ge(taken, 5000);
    ck_assert_uint_le(taken, 5000 + 20 + 8); /* the burst at the start, and the queue */
    ck_assert_uint_ge(wire.dropped, 44000);
    wire_fini(&wire);
}
END_TEST

START_TEST(an_unused_rate_is_no_treasure)
{
    start("frames=1000");
    unsigned passed = 0;
    while (wire_lets_pass(&wire, 60, 100 * (uint64_t)SECOND))
        passed++;
    ck_assert_uint_ge(passed, 20);
    ck_assert_uint_le(passed, 21);
    ck_assert(wire_lets_pass(&wire, 60, 100 * (uint64_t)SECOND + MS));
}
END_TEST

static void count(const char *words, unsigned tags[256], unsigned *out_of_order)
{
    int last = -1;
    start(words);
    memset(tags, 0, 256 * sizeof(tags[0]));
    *out_of_order = 0;
    for (unsigned i = 0; i < 200; i++)
        put((uint8_t)i, 60, i * 100000);
    for (int tag; (tag = take(SECOND)) >= 0; last = tag) {
        tags[tag]++;
        *out_of_order += tag < last;
    }
}

START_TEST(luck)
{
    unsigned tags[256], again[256], disorder, lost = 0, twice = 0;
    count("loss=20,duplicate=10", tags, &disorder);
    for (unsigned i = 0; i < 200; i++) {
        lost += tags[i] == 0;
        twice += tags[i] == 2;
    }
    ck_assert(lost > 20 && lost < 60 && twice > 5 && twice < 35 && !disorder);
    count("loss=20,duplicate=10", again, &disorder);
    ck_assert_mem_eq(tags, again, sizeof(tags));
    count("reorder=20", tags, &disorder);
    ck_assert_uint_gt(disorder, 5);
    for (unsigned i = 0; i < 200; i++)
        ck_assert_uint_eq(tags[i], 1);
}
END_TEST

START_TEST(bounded)
{
    start("delay=1000");
    for (unsigned i = 0; i < 2 * WIRE_QUEUE; i++)
        put(1, 60, 0);
    ck_assert_uint_eq(wire.queued, WIRE_QUEUE);
    ck_assert_uint_eq(wire.dropped, WIRE_QUEUE);
    put(1, NET_FRAME_MAX + 1, 0);
    put(1, 0, 0);
    ck_assert_uint_eq(wire.lost, 2);
    wire_fini(&wire);
    ck_assert_uint_eq(wire.queued, 0);
}
END_TEST

START_TEST(words)
{
    struct wire_config c = {0};
    static const char *const bad[] = {
        "",        "loss",      "loss=",   "loss=101", "loss=1,",   "speed=1", "loss=nan",
        "rate=-1", "queue=1e9", ",loss=1", "loss=1x",  "delay=inf", "=1",      "loss=1,,delay=1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(wire_config_parse(&c, bad[i]) == -EINVAL, "%s was taken", bad[i]);
    ck_assert_int_eq(wire_config_parse(&c, "loss=50,delay=1.5,rate=10,frames=7,queue=3"), 0);
    ck_assert_uint_eq(c.loss, 32768);
    ck_assert_uint_eq(c.delay_ns, 1500000);
    ck_assert_uint_eq(c.bytes_per_s, 1250000);
    ck_assert_uint_eq(c.frames_per_s, 7);
    ck_assert_uint_eq(c.queue, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tc = tcase_create("wire");
    tcase_add_test(tc, a_perfect_wire);
    tcase_add_test(tc, delay_and_jitter_keep_the_order);
    tcase_add_loop_test(tc, rates, 0, 2);
    tcase_add_test(tc, an_unused_rate_is_no_treasure);
    tcase_add_test(tc, luck);
    tcase_add_test(tc, bounded);
    tcase_add_test(tc, words);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
