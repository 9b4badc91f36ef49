/* SPDX-License-Identifier: MIT */
/*
 * Many VMs that want more memory than there is. Each fills its pages with numbers
 * of its own and checks them (guests/canary.c): whatever is parked, squeezed,
 * swapped out, or refused meanwhile, none may find another number, and the process
 * stays under its limit.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dbt/dbt.h"
#include "denali/pool/pool.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define PATIENCE_NS 60000000000u
#define VMS 40u

struct world {
    struct engine *engine;
    struct pool *pool;
    struct pool_origin *origin;
    struct pool_vm *vm[VMS];
    char swap[64];
    _Atomic unsigned good, bad;
    char report[200];
};

static struct world w;

static void on_end(void *opaque, struct pool_vm *vm, const struct pool_end *end)
{
    struct world *world = opaque;
    (void)vm;
    if (end->reason == VM_END_EXIT && end->status == 0) {
        world->good++;
        return;
    }
    world->bad++;
    snprintf(world->report, sizeof(world->report), "reason %d, status %u: %s", (int)end->reason,
             end->status, end->report);
}

static void start_with(uint64_t memory_bytes, const char *swap, uint64_t swap_bytes,
                       const char *pages, const char *rounds, uint32_t max_mappings)
{
    char path[512];
    struct image *image;
    struct why why = {""};
    const char *args[] = {"canary", pages, rounds, "3000", NULL};
    memset(&w, 0, sizeof(w));
    if (dbt_create(NULL, &w.engine))
        ck_assert_int_eq(interp_create(&w.engine), 0);
    struct pool_config config = {.engine = w.engine,
                                 .workers = 2,
                                 .memory_bytes = memory_bytes,
                                 .max_windows = 1000,
                                 .max_mappings = max_mappings,
                                 .swap_path = swap,
                                 .swap_bytes = swap_bytes,
                                 .seed = 1,
                                 .ended = on_end,
                                 .opaque = &w};
    ck_assert_int_eq(sched_round_robin(2000000, &config.sched), 0);
    ck_assert_msg(!pool_create(&config, &w.pool, &why), "%s", why.text);
    snprintf(path, sizeof(path), "%s/guests/canary", getenv("BUILD"));
    ck_assert_msg(!image_open(path, &image, &why), "%s", why.text);
    const struct pool_origin_config from = {.image = image, .args = args};
    ck_assert_msg(!pool_origin_add(w.pool, &from, &w.origin, &why), "%s", why.text);
    image_close(image);
}

static void start(uint64_t memory_bytes, const char *swap, uint64_t swap_bytes, const char *pages,
                  const char *rounds)
{
    start_with(memory_bytes, swap, swap_bytes, pages, rounds, 0);
}

static void stop(void)
{
    pool_destroy(w.pool);
    w.engine->ops->destroy(w.engine);
    unlink(w.swap);
}

static int add(unsigned i)
{
    const struct pool_vm_config config = {.origin = w.origin, .id = i};
    return pool_add(w.pool, &config, &w.vm[i]);
}

static void say_who_is_left(unsigned vms)
{
    for (unsigned i = 0; i < vms; i++) {
        struct pool_figures f;
        pool_figures(w.vm[i], &f);
        if (f.state != POOL_ENDED)
            printf("VM %u: %s (%d), %llu slices, %llu parked, %llu swapped\n", i,
                   pool_state_name(f.state), (int)f.state, (unsigned long long)f.slices,
                   (unsigned long long)f.parked_bytes, (unsigned long long)f.swapped_bytes);
    }
    fflush(stdout);
}

/* The most that the process had at any time that was looked at. */
static uint64_t wait_for_all(unsigned vms)
{
    uint64_t most = 0, own = 0, end = host_monotonic_ns() + PATIENCE_NS;
    while (w.good + w.bad < vms) {
        if (host_monotonic_ns() >= end)
            say_who_is_left(vms);
        ck_assert_msg(host_monotonic_ns() < end, "%u of %u have ended", w.good + w.bad, vms);
        host_poll(NULL, 0, 1000000);
        ck_assert_int_eq(host_own_memory(&own), 0);
        most = own > most ? own : most;
    }
    ck_assert_msg(!w.bad, "%u are bad; %s", w.bad, w.report);
    return most;
}

static const char *swap_path(void)
{
    snprintf(w.swap, sizeof(w.swap), "/tmp/denali-memory-%d", (int)getpid());
    return w.swap;
}

/* 40 VMs with 4 MB of numbers that do not compress, in 64 MiB; and what the worker and a VM that it
 * has just let in may write on a busy host before the next measurement. */
#define BETWEEN_MEASUREMENTS (8 * MIB)
START_TEST(hungry_ones_stay_under_the_limit)
{
    char path[64];
    struct pool_counters c;
    uint64_t before;
    if (host_own_memory(&before))
        return; /* this host cannot tell */
    strcpy(path, swap_path());
    start(64 * MIB, path, 0, "1000", "12");
    strcpy(w.swap, path);
    for (unsigned i = 0; i < VMS; i++)
        ck_assert_int_eq(add(i), 0);
    uint64_t most = wait_for_all(VMS);
    pool_count(w.pool, &c);
    ck_assert_uint_gt(c.swapped, VMS / 2);
    ck_assert_uint_eq(c.failed, 0);
    ck_assert_msg(most < 64 * MIB + BETWEEN_MEASUREMENTS, "%llu KiB",
                  (unsigned long long)(most / KIB));
    stop();
}
END_TEST

/* The swap file holds a few of them. The others stay in memory, nobody is lost, and
 * new ones are refused until there is room. */
START_TEST(a_full_swap_file_loses_nobody)
{
    char path[64];
    int err = 0;
    unsigned vms = 0;
    strcpy(path, _i && !access("/dev/full", W_OK) ? "/dev/full" : swap_path());
    start(32 * MIB, path, 8 * MIB, "400", "60");
    strcpy(w.swap, _i ? "" : path);
    for (; vms < VMS; vms++) {
        err = add(vms);
        if (err)
            break;
        host_poll(NULL, 0, 10000000);
    }
    ck_assert_msg(err == -ENOSPC || err == -ENOMEM, "%d after %u", err, vms);
    ck_assert_uint_gt(vms, 3);
    wait_for_all(vms);
    for (unsigned i = 0; i < vms; i++)
        ck_assert_int_eq(pool_remove(w.vm[i]), 0);
    uint64_t end = host_monotonic_ns() + PATIENCE_NS;
    while ((err = add(0))) { /* there is room again */
        ck_assert(host_monotonic_ns() < end);
        host_poll(NULL, 0, 10000000);
    }
    stop();
}
END_TEST

/* One that alone wants more than all may have ends, and says why; its neighbour does not notice. */
START_TEST(too_large_a_vm_ends)
{
    char path[64];
    strcpy(path, swap_path());
    start(12 * MIB, path, 0, "3400", "60");
    strcpy(w.swap, path);
    ck_assert_int_eq(add(0), 0);
    ck_assert(pool_wait(w.vm[0], PATIENCE_NS));
    ck_assert_uint_eq(w.bad, 1);
    ck_assert_msg(strstr(w.report, "more memory"), "%s", w.report);
    stop();
}
END_TEST

/* The host refuses memory, or descriptors: who is there goes on, and nobody is lost. */
static void squeeze(int resource, rlim_t *had, rlim_t limit)
{
    struct rlimit r;
    ck_assert_int_eq(getrlimit(resource, &r), 0);
    *had = r.rlim_cur;
    r.rlim_cur = limit < r.rlim_max ? limit : r.rlim_max;
    ck_assert_int_eq(setrlimit(resource, &r), 0);
}

START_TEST(no_address_space_for_windows)
{
    rlim_t had;
    struct pool_counters c;
    start(256 * MIB, NULL, 0, "16", "30");
    /* Each window reserves more than 4 GiB: from here on there are none but the first. */
    squeeze(_i ? RLIMIT_NOFILE : RLIMIT_AS, &had, _i ? 3 : 64 * GIB);
    for (unsigned i = 0; i < VMS; i++)
        ck_assert_int_eq(add(i), 0);
    host_poll(NULL, 0, 50000000);
    squeeze(_i ? RLIMIT_NOFILE : RLIMIT_AS, &had, had);
    wait_for_all(VMS);
    pool_count(w.pool, &c);
    ck_assert_uint_eq(c.failed, 0);
    stop();
}
END_TEST

/* Every second page of a range has other rights: takes all mappings that the host has left, or as
 * many of them. */
#define CRUMBS 70000u
static uint8_t *eat_mappings(unsigned most)
{
    void *at;
    ck_assert_int_eq(host_reserve(CRUMBS * 2 * (uint64_t)PAGE_SIZE, PAGE_SIZE, &at), 0);
    for (unsigned i = 0; i < most && i < CRUMBS; i++) {
        if (host_protect((uint8_t *)at + 2 * i * (uint64_t)PAGE_SIZE, PAGE_SIZE, HOST_R))
            break;
    }
    return at;
}

static unsigned count_mappings(void)
{
    unsigned lines = 0;
    int c;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && (c = getc(f)) != EOF)
        lines += c == '\n';
    if (f)
        fclose(f);
    return lines;
}

/* The host has no mappings left while VMs come and go: nobody is lost, and nobody's memory is
 * another than it was. */
START_TEST(no_mappings)
{
    struct pool_counters c;
    if (host_max_mappings() > CRUMBS)
        return;
    start(256 * MIB, NULL, 0, "16", "60");
    for (unsigned i = 0; i < VMS / 2; i++)
        ck_assert_int_eq(add(i), 0);
    for (unsigned round = 0; round < 5; round++) {
        uint8_t *crumbs = eat_mappings(CRUMBS);
        for (unsigned i = 0; i < VMS / 10; i++)
            ck_assert_int_eq(add(VMS / 2 + round * VMS / 10 + i), 0);
        pool_park_idle(w.pool);
        host_poll(NULL, 0, 20000000);
        pool_park_idle(w.pool);
        host_release(crumbs, CRUMBS * 2 * (uint64_t)PAGE_SIZE);
    }
    wait_for_all(VMS);
    pool_count(w.pool, &c);
    ck_assert_uint_eq(c.failed, 0);
    stop();
}
END_TEST

/* Windows are not made where that would use mappings up: those who run need some. */
START_TEST(mappings_are_set_aside)
{
    start_with(256 * MIB, NULL, 0, "16", "60", 200);
    unsigned before = count_mappings(), most = 0;
    for (unsigned i = 0; i < VMS; i++)
        ck_assert_int_eq(add(i), 0);
    while (w.good + w.bad < VMS) {
        unsigned now = count_mappings();
        most = now > most ? now : most;
        host_poll(NULL, 0, 1000000);
    }
    wait_for_all(VMS);
    ck_assert_msg(most < before + 300, "%u mappings, %u before", most, before);
    stop();
}
END_TEST

int main(void)
{
    if (!getenv("BUILD")) {
        printf("BUILD does not say where the guests are\n");
        return 77;
    }
    if (getenv("MEMORY_IS_THE_SANITIZERS")) {
        printf("limits of memory count what the sanitizer takes for itself\n");
        return 77;
    }
    Suite *suite = suite_create("pool and memory");
    TCase *tc = tcase_create("memory");
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, hungry_ones_stay_under_the_limit);
    tcase_add_loop_test(tc, a_full_swap_file_loses_nobody, 0, 2);
    tcase_add_test(tc, too_large_a_vm_ends);
    tcase_add_loop_test(tc, no_address_space_for_windows, 0, 2);
    tcase_add_test(tc, no_mappings);
    tcase_add_test(tc, mappings_are_set_aside);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
