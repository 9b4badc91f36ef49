/* SPDX-License-Identifier: MIT */
/* Bases of pages: the nearest one is found, what is far from all is learnt, and there is an end. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "denali/pool/pool_base.h"

static uint8_t snapshot[PAGE_SIZE], page[PAGE_SIZE];
static struct pool_bases *bases;

static void start(void)
{
    memset(snapshot, 0, sizeof(snapshot));
    memset(page, 0, sizeof(page));
    ck_assert_int_eq(pool_bases_create(&bases), 0);
}

static uint32_t nearest(uint32_t number, bool learn, const uint8_t **bytes)
{
    uint32_t base;
    *bytes = pool_bases_nearest(bases, number, page, snapshot, learn, &base);
    ck_assert_ptr_eq(*bytes, base ? pool_bases_get(bases, base) : snapshot);
    return base;
}

START_TEST(the_nearest_is_found)
{
    const uint8_t *bytes;
    start();
    page[8] = 1; /* near the snapshot: not worth learning */
    ck_assert_uint_eq(nearest(5, true, &bytes), 0);
    memset(page, 1, sizeof(page));
    ck_assert_uint_eq(nearest(5, false, &bytes), 0);
    ck_assert_uint_eq(nearest(5, true, &bytes), 0); /* learnt for the next one */
    page[100] = 9;
    uint32_t first = nearest(5, true, &bytes);
    ck_assert_uint_ne(first, 0);
    ck_assert_uint_eq(bytes[100], 1); /* a base never changes */
    ck_assert_uint_eq(nearest(6, false, &bytes), 0);
    ck_assert_uint_eq(nearest(5 + 64, false, &bytes), 0); /* another page of its bucket */
    memset(page, 2, sizeof(page));
    nearest(5, true, &bytes);
    ck_assert_uint_ne(nearest(5, false, &bytes), first);
    ck_assert_int_eq(memcmp(bytes, page, PAGE_SIZE), 0);
    ck_assert_ptr_null(pool_bases_get(bases, 0));
    ck_assert_ptr_null(pool_bases_get(bases, 3));
    pool_bases_destroy(bases);
}
END_TEST

/* Pages that are other ones in each VM do not fill memory, and are still kept rightly. */
START_TEST(there_is_an_end)
{
    const uint8_t *bytes;
    uint32_t most = 0;
    start();
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t number = 0; number < 200; number++) {
            for (size_t i = 0; i < PAGE_SIZE; i++)
                page[i] = (uint8_t)rand();
            uint32_t base = nearest(number, true, &bytes);
            most = base > most ? base : most;
        }
    }
    ck_assert_uint_le(most, POOL_BASES_MAX);
    ck_assert_ptr_nonnull(pool_bases_get(bases, POOL_BASES_MAX));
    ck_assert_ptr_null(pool_bases_get(bases, POOL_BASES_MAX + 1));
    pool_bases_destroy(bases);
    pool_bases_destroy(NULL);
}
END_TEST

/* Once nobody is packed with them, others learn from the beginning. */
START_TEST(they_go_with_the_last_vm)
{
    const uint8_t *bytes;
    start();
    memset(page, 1, sizeof(page));
    nearest(5, true, &bytes);
    ck_assert_uint_ne(nearest(5, false, &bytes), 0);
    pool_bases_clear(bases);
    ck_assert_ptr_null(pool_bases_get(bases, 1));
    ck_assert_uint_eq(nearest(5, true, &bytes), 0);
    ck_assert_uint_eq(nearest(5, false, &bytes), 1);
    pool_bases_destroy(bases);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bases of pages");
    TCase *tc = tcase_create("bases");
    tcase_add_test(tc, the_nearest_is_found);
    tcase_add_test(tc, there_is_an_end);
    tcase_add_test(tc, they_go_with_the_last_vm);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
