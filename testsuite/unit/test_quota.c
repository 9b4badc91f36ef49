/* SPDX-License-Identifier: MIT */
/* Quotas as they are written, and buckets. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "denali/pool/quota.h"

START_TEST(words)
{
    struct quota q;
    memset(&q, 0, sizeof(q));
    ck_assert_int_eq(quota_set(&q, "weight", "250"), 0);
    ck_assert_int_eq(quota_set(&q, "cap", "150"), 0);
    ck_assert_int_eq(quota_set(&q, "disk", "1000"), 0);
    ck_assert_int_eq(quota_set(&q, "console", "65536"), 0);
    ck_assert_int_eq(quota_set(&q, "send", "rate=8;loss=50"), 0);
    ck_assert_uint_eq(q.weight, 250);
    ck_assert_uint_eq(q.cap, 150);
    ck_assert_uint_eq(q.disk_blocks_per_s, 1000);
    ck_assert_uint_eq(q.console_bytes_per_s, 65536);
    ck_assert_uint_eq(q.to_lan.bytes_per_s, 1000000);
    ck_assert_uint_eq(q.to_lan.loss, 32768);
    ck_assert_ptr_nonnull(quota_wire(&q.to_lan));
    ck_assert_ptr_null(quota_wire(&q.from_lan));
}
END_TEST

START_TEST(wrong_words)
{
    static const char *const bad[][2] = {{"weight", "-1"},    {"weight", "10001"},
                                         {"weight", ""},      {"cap", "65536"},
                                         {"cap", "5%"},       {"disk", "1e3"},
                                         {"disk", " 1"},      {"console", "4294967296"},
                                         {"send", "rate"},    {"send", ""},
                                         {"receive", "x=1"},  {"receive", "rate=1;"},
                                         {"memory", "1"},     {"", "1"},
                                         {"send", "rate=-1"}, {"disk", "99999999999999999999"}};
    struct quota q, zero;
    memset(&q, 0, sizeof(q));
    memset(&zero, 0, sizeof(zero));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(quota_set(&q, bad[i][0], bad[i][1]) == -EINVAL, "%s=%s was taken", bad[i][0],
                      bad[i][1]);
    ck_assert_mem_eq(&q, &zero, sizeof(q));
}
END_TEST

START_TEST(buckets)
{
    struct bucket none = {0}, b = bucket_of(1000, 10000000); /* 10 at once */
    ck_assert_uint_eq(bucket_take(&none, UINT32_MAX, 5), 5);
    ck_assert_uint_eq(bucket_free_at(&none), 0);
    uint64_t now = 1000000000;
    unsigned at_once = 0;
    while (bucket_take(&b, 1, now) == now)
        at_once++;
    ck_assert_uint_eq(at_once, 10 + 1);
    ck_assert_uint_eq(bucket_free_at(&b), now + 2000000);
    /* One amount above the burst goes; what follows waits as long as it costs. */
    b = bucket_of(1000, 10000000);
    ck_assert_uint_eq(bucket_take(&b, 5000, now), now);
    ck_assert_uint_eq(bucket_take(&b, 1, now), now + 4990000000u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quota");
    TCase *tc = tcase_create("quota");
    tcase_add_test(tc, words);
    tcase_add_test(tc, wrong_words);
    tcase_add_test(tc, buckets);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
