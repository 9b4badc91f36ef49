/* SPDX-License-Identifier: MIT */
/* The translator's promises, one test each; the interpreter is the measure. */
#include "testsuite/unit/dbt_rig.h"

/* Runs `name` to its end under both engines and compares. */
static void run_both(const uint8_t *from, const uint8_t *end)
{
    struct rig slow, fast;
    rig_create(&slow, ENGINE_INTERP, NULL);
    rig_create(&fast, ENGINE_DBT, NULL);
    rig_load(&slow, DBT_CODE, from, end);
    rig_load(&fast, DBT_CODE, from, end);
    ck_assert_int_eq(engine_run(slow.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_int_eq(engine_run(fast.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    rig_compare(&slow, &fast, 0);
    rig_destroy(&slow);
    rig_destroy(&fast);
}
#define RUN_BOTH(name) run_both(guest_##name, guest_##name##_end)

GUEST(straight, "mov $5, %eax\n add $7, %eax\n mov $0x80000, %ebx\n mov %eax, (%ebx)\n"
                "mov %eax, 4(%ebx,%eax,8)\n sub $13, %eax\n sbb %ecx, %ecx\n" GUEST_END);
START_TEST(straight_line)
{
    RUN_BOTH(straight);
}
END_TEST

GUEST(fib, "mov $15, %eax\n call 1f\n jmp 9f\n"
           "1: cmp $2, %eax\n jb 2f\n push %ebx\n push %eax\n dec %eax\n call 1b\n mov %eax, %ebx\n"
           "pop %eax\n sub $2, %eax\n call 1b\n add %ebx, %eax\n pop %ebx\n 2: ret\n"
           "9: " GUEST_END);
START_TEST(recursion)
{
    RUN_BOTH(fib);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("dbt");
    tcase_add_test(tcase, straight_line);
    tcase_add_test(tcase, recursion);
    Suite *suite = suite_create("dbt");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
