/* SPDX-License-Identifier: MIT */
/* Host memory and clocks: what the headers promise. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "emu/base/host.h"

START_TEST(reservation_is_aligned)
{
    void *p;
    ck_assert_int_eq(host_reserve(16 * MIB, 4 * GIB, &p), 0);
    ck_assert_uint_eq((uintptr_t)p % (4 * GIB), 0);
    host_release(p, 16 * MIB);
}
END_TEST

START_TEST(committed_memory_is_zero_and_writable)
{
    char *p;
    ck_assert_int_eq(host_reserve(MIB, PAGE_SIZE, (void **)&p), 0);
    ck_assert_int_eq(host_commit(p, 64 * KIB, HOST_R | HOST_W), 0);
    for (size_t i = 0; i < 64 * KIB; i++)
        ck_assert_int_eq(p[i], 0);
    p[0] = 1;
    ck_assert_int_eq(host_decommit(p, 64 * KIB), 0);
    ck_assert_int_eq(host_commit(p, 64 * KIB, HOST_R | HOST_W), 0);
    ck_assert_int_eq(p[0], 0);
    host_release(p, MIB);
}
END_TEST

START_TEST(one_object_seen_twice)
{
    char *p;
    int fd = host_memobj_create("test", 64 * KIB);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(host_reserve(128 * KIB, PAGE_SIZE, (void **)&p), 0);
    ck_assert_int_eq(host_map_fd(p, 64 * KIB, HOST_R | HOST_W, fd, 0, true), 0);
    ck_assert_int_eq(host_map_fd(p + 64 * KIB, 64 * KIB, HOST_R, fd, 0, true), 0);
    p[5] = 'x';
    ck_assert_int_eq(p[64 * KIB + 5], 'x');
    host_release(p, 128 * KIB);
    close(fd);
}
END_TEST

START_TEST(clock_does_not_go_back)
{
    uint64_t last = host_monotonic_ns();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = host_monotonic_ns();
        ck_assert_uint_ge(now, last);
        last = now;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host");
    TCase *tcase = tcase_create("host");
    tcase_add_test(tcase, reservation_is_aligned);
    tcase_add_test(tcase, committed_memory_is_zero_and_writable);
    tcase_add_test(tcase, one_object_seen_twice);
    tcase_add_test(tcase, clock_does_not_go_back);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
