/* SPDX-License-Identifier: MIT */
/* Who waits for whom among the jobs that block. */
#include <check.h>

#include "devices/io_pool.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define JOBS 100u

struct job {
    struct io_job job;
    unsigned place;
};

static _Atomic bool gate_open;
static unsigned done;

static void wait_at_gate(struct io_job *job)
{
    (void)job;
    while (!gate_open)
        host_poll(NULL, 0, 100000);
}

static void note(struct io_job *io)
{
    CONTAINER_OF(io, struct job, job)->place = done++;
}

/* One thread, which is busy at first. */
START_TEST(queues_take_turns)
{
    static struct job hog[JOBS], small[3];
    struct io_queue first = {0}, hogs = {0}, other[3] = {{0}};
    struct io_job gate = {.run = wait_at_gate};
    struct io_pool *pool;
    gate_open = false;
    done = 0;
    ck_assert_int_eq(io_pool_create(1, &pool), 0);
    ck_assert_int_eq(io_pool_submit(pool, &first, &gate), 0);
    for (unsigned i = 0; i < JOBS; i++) {
        hog[i].job.run = note;
        ck_assert_int_eq(io_pool_submit(pool, &hogs, &hog[i].job), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        small[i].job.run = note;
        ck_assert_int_eq(io_pool_submit(pool, &other[i], &small[i].job), 0);
    }
    gate_open = true;
    io_pool_destroy(pool);
    ck_assert_uint_eq(done, JOBS + 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(small[i].place, i + 1);
    for (unsigned i = 1; i < JOBS; i++)
        ck_assert_uint_gt(hog[i].place, hog[i - 1].place);
}
END_TEST

START_TEST(queues_become_empty_and_are_used_again)
{
    static struct job job[JOBS];
    struct io_queue queue[4] = {{0}};
    struct io_pool *pool;
    done = 0;
    ck_assert_int_eq(io_pool_create(1, &pool), 0);
    for (unsigned i = 0; i < JOBS; i++) {
        job[i].job.run = note;
        ck_assert_int_eq(io_pool_submit(pool, &queue[i % 4], &job[i].job), 0);
        if (i % 7 == 0)
            host_poll(NULL, 0, 200000);
    }
    io_pool_destroy(pool);
    ck_assert_uint_eq(done, JOBS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io_pool");
    TCase *tc = tcase_create("io_pool");
    tcase_add_test(tc, queues_take_turns);
    tcase_add_test(tc, queues_become_empty_and_are_used_again);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
