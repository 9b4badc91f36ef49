/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints, watchpoints and the trap flag, in every engine. What a guest
 * computes must not depend on who looks on: each program is run straight, then
 * with stops, and both must come to the same end.
 */
#include "testsuite/unit/dbt_rig.h"

#include <errno.h>
#include <stdlib.h>

#include "emu/cpu/debug.h"

static const struct {
    enum engine_kind kind;
    struct engine_options options;
} engines[] = {
    {ENGINE_INTERP, {0}},          {ENGINE_DBT, {0}},
    {ENGINE_DBT, {.count = true}}, {ENGINE_DBT, {.count = true, .verify = true}},
    {ENGINE_LOCKSTEP, {0}},
};

static struct rig rig;

static void make(int which)
{
    rig_create(&rig, engines[which].kind, &engines[which].options);
    ck_assert_int_eq(cpu_debug_open(rig.cpu), 0);
}

static void unmake(void)
{
    cpu_debug_close(rig.cpu);
    rig_destroy(&rig);
}

/* clang-format off */
/* Sums 1 to 100 in eax: the loop's body at offset 9. */
GUEST(loop,
    "xor %eax, %eax\n mov $100, %ecx\n nop\n nop\n"
    "1: add %ecx, %eax\n mov %eax, 0x80000\n dec %ecx\n jnz 1b\n" GUEST_END);
#define LOOP_BODY (DBT_CODE + 9)

GUEST(watched,
    "mov $0x80000, %ebx\n mov $0x81004, %edi\n mov $7, %ecx\n mov $0x55, %eax\n cld\n"
    "movl $1, (%ebx)\n movl $2, 4(%ebx)\n incl 8(%ebx)\n movb $9, 11(%ebx)\n mov 8(%ebx), %edx\n"
    "rep stosb\n movl $0x11223344, 0x80ffe\n mov %eax, 12(%ebx)\n push %eax\n" GUEST_END);
/* clang-format on */

static enum engine_exit go(void)
{
    return engine_run(rig.cpu, ENGINE_UNLIMITED);
}

static enum engine_exit go_past(void)
{
    cpu_debug_pass(rig.cpu);
    return go();
}

START_TEST(stops_at_each_arrival)
{
    make(_i);
    RIG_LOAD(&rig, loop);
    ck_assert_int_eq(cpu_debug_break(rig.cpu, LOOP_BODY), 0);
    for (uint32_t left = 100; left; left--) {
        ck_assert_int_eq(left == 100 ? go() : go_past(), ENGINE_EXIT_BREAKPOINT);
        ck_assert_uint_eq(rig.cpu->eip, LOOP_BODY);
        ck_assert_uint_eq(rig.cpu->gpr[ISA_ECX], left);
        ck_assert_int_eq(go(), ENGINE_EXIT_BREAKPOINT); /* not passed: nothing happens */
        ck_assert_uint_eq(rig.cpu->gpr[ISA_ECX], left);
    }
    ck_assert_int_eq(go_past(), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(rig.cpu->gpr[ISA_EAX], 5050);
    unmake();
}
END_TEST

START_TEST(set_and_removed_while_code_is_hot)
{
    make(_i);
    RIG_LOAD(&rig, loop);
    for (int round = 0; round < 200; round++) {
        rig.cpu->eip = DBT_CODE;
        ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
        ck_assert_int_eq(cpu_debug_break(rig.cpu, LOOP_BODY), 0);
        ck_assert_int_eq(cpu_debug_break(rig.cpu, LOOP_BODY), 0);
        rig.cpu->eip = DBT_CODE;
        ck_assert_int_eq(go(), ENGINE_EXIT_BREAKPOINT);
        ck_assert_int_eq(cpu_debug_unbreak(rig.cpu, LOOP_BODY), 0);
        ck_assert_int_eq(go(), ENGINE_EXIT_BREAKPOINT); /* it was set twice */
        ck_assert_int_eq(cpu_debug_unbreak(rig.cpu, LOOP_BODY), 0);
        ck_assert_int_eq(cpu_debug_unbreak(rig.cpu, LOOP_BODY), -ENOENT);
        ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
        ck_assert_uint_eq(rig.cpu->gpr[ISA_EAX], 5050);
    }
    unmake();
}
END_TEST

/* Every address of the code has one: as good as single-stepping. */
START_TEST(everywhere)
{
    make(_i);
    RIG_LOAD(&rig, loop);
    for (uint32_t at = 0; at < (uint32_t)(guest_loop_end - guest_loop); at++)
        ck_assert_int_eq(cpu_debug_break(rig.cpu, DBT_CODE + at), 0);
    unsigned stops = 1;
    enum engine_exit exit = go();
    for (; exit == ENGINE_EXIT_BREAKPOINT; stops++)
        exit = go_past();
    ck_assert_int_eq(exit, ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(stops, 4 + 4 * 100 + 1 + 1);
    ck_assert_uint_eq(rig.cpu->gpr[ISA_EAX], 5050);
    unmake();
}
END_TEST

START_TEST(steps_are_exact_around_one)
{
    make(_i);
    RIG_LOAD(&rig, loop);
    ck_assert_int_eq(cpu_debug_break(rig.cpu, LOOP_BODY), 0);
    ck_assert_int_eq(engine_run(rig.cpu, 4), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(rig.cpu->eip, LOOP_BODY);
    ck_assert_int_eq(engine_run(rig.cpu, 1), ENGINE_EXIT_BREAKPOINT);
    cpu_debug_pass(rig.cpu);
    ck_assert_int_eq(engine_run(rig.cpu, 1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(rig.cpu->eip, LOOP_BODY + 2);
    ck_assert_int_eq(engine_run(rig.cpu, 1000), ENGINE_EXIT_BREAKPOINT);
    ck_assert_uint_eq(rig.cpu->gpr[ISA_ECX], 99);
    if (engines[_i].kind != ENGINE_DBT || engines[_i].options.count)
        ck_assert_uint_eq(rig.cpu->icount, 8);
    unmake();
}
END_TEST

static void expect_hit(uint32_t linear, uint32_t len, unsigned access, uint64_t before,
                       uint64_t after)
{
    const struct cpu_watch_hit *hit = &rig.cpu->debug->now.hit;
    uint64_t a = 0, b = 0;
    memcpy(&a, hit->before, hit->values < 8 ? hit->values : 8);
    memcpy(&b, hit->after, hit->values < 8 ? hit->values : 8);
    ck_assert_uint_eq(hit->linear, linear);
    ck_assert_uint_eq(hit->len, len);
    ck_assert_uint_eq(hit->access, access);
    ck_assert_uint_eq(a, before);
    ck_assert_uint_eq(b, after);
    ck_assert_uint_lt(hit->eip, rig.cpu->eip);
    ck_assert_uint_ge(hit->eip + 15, rig.cpu->eip);
}

START_TEST(writes_are_told)
{
    make(_i);
    RIG_LOAD(&rig, watched);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA + 8, 4, CPU_WATCH_WRITE), 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT); /* incl */
    expect_hit(DBT_DATA + 8, 4, CPU_WATCH_WRITE, 0, 1);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT); /* movb */
    expect_hit(DBT_DATA + 11, 1, CPU_WATCH_WRITE, 1, 0x09000001);
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(rig.cpu->gpr[ISA_EDX], 0x09000001);
    ck_assert_int_eq(cpu_debug_unwatch(rig.cpu, DBT_DATA + 8, 4, CPU_WATCH_WRITE), 0);
    rig.cpu->eip = DBT_CODE;
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

START_TEST(reads_are_told)
{
    make(_i);
    RIG_LOAD(&rig, watched);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA + 8, 1, CPU_WATCH_READ), 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT); /* incl */
    expect_hit(DBT_DATA + 8, 1, CPU_WATCH_READ, 0, 1);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT); /* mov */
    expect_hit(DBT_DATA + 8, 1, CPU_WATCH_READ, 1, 1);
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

START_TEST(accesses_are_told)
{
    make(_i);
    RIG_LOAD(&rig, watched);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA + 9, 2, CPU_WATCH_ACCESS), 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT);
    expect_hit(DBT_DATA + 9, 2, CPU_WATCH_ACCESS, 0, 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT);
    expect_hit(DBT_DATA + 9, 2, CPU_WATCH_READ, 0, 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

START_TEST(strings_and_page_ends_are_told)
{
    make(_i);
    RIG_LOAD(&rig, watched);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, 0x81000, 8, CPU_WATCH_WRITE), 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT); /* rep stosb */
    expect_hit(0x81004, 1, CPU_WATCH_WRITE, 0, 0x5555555500000000);
    ck_assert_uint_eq(rig.cpu->gpr[ISA_ECX], 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT); /* over the page end */
    expect_hit(0x81000, 2, CPU_WATCH_WRITE, 0x5555555500000000, 0x5555555500001122);
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

START_TEST(the_stack_is_told)
{
    make(_i);
    RIG_LOAD(&rig, watched);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_STACK - 4, 4, CPU_WATCH_WRITE), 0);
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT);
    expect_hit(DBT_STACK - 4, 4, CPU_WATCH_WRITE, 0, 0x55);
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

/* Code and what is watched share a page; what watches is also read by the host. */
START_TEST(code_pages_can_be_watched)
{
    make(_i);
    RIG_LOAD(&rig, loop);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_CODE + 0x100, 4, CPU_WATCH_ACCESS), 0);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA, 4, CPU_WATCH_ACCESS), 0);
    for (uint32_t left = 100; left; left--) {
        ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT);
        ck_assert_uint_eq(rig_peek(&rig, DBT_DATA), rig.cpu->gpr[ISA_EAX]);
        ck_assert_uint_eq(rig.cpu->gpr[ISA_ECX], left);
    }
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

START_TEST(nonsense_is_refused)
{
    make(_i);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA, 0, CPU_WATCH_WRITE), -EINVAL);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, UINT32_MAX, 2, CPU_WATCH_WRITE), -EINVAL);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, 0, 1u << 30, CPU_WATCH_WRITE), -EINVAL);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, UINT32_MAX, 1, CPU_WATCH_WRITE), 0); /* no RAM */
    ck_assert_int_eq(cpu_debug_unwatch(rig.cpu, 5, 1, CPU_WATCH_READ), -ENOENT);
    RIG_LOAD(&rig, loop);
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

/* clang-format off */
/* Every kind of write beside what is watched, many times; then a write to it by each kind. */
GUEST(hot,
    "mov $1000, %ecx\n mov $0x80000, %ebx\n mov $0x80100, %edi\n mov $0x80800, %esp\n cld\n"
    "1: mov %ecx, 0x40(%ebx)\n addl $3, 0x44(%ebx)\n movb %cl, 0x48(%ebx)\n xchg %eax, 0x4c(%ebx)\n"
    "movw $5, 0x50(%ebx,%ecx,2)\n mov %eax, 0x80060\n fld1\n fstpt 0x70(%ebx)\n movdqu %xmm0, 0x90(%ebx)\n"
    "push %ecx\n push $7\n popl 0x64(%ebx)\n pop %edx\n call 3f\n stosl\n sub $4, %edi\n stc\n"
    "sbbl $0, 0xa68(%ebx)\n dec %ecx\n jnz 1b\n jmp 4f\n 3: ret\n"
    "4: mov %ecx, 0x20(%ebx)\n movb $1, 0x23(%ebx)\n addl $0x55, 0x20(%ebx)\n movdqu %xmm0, 0x14(%ebx)\n"
    "fld1\n fstpt 0x1a(%ebx)\n mov $0x80024, %esp\n push %ebx\n mov $0x80024, %esp\n call 5f\n"
    "5: mov $0x80020, %edi\n stosb\n mov $8, %ecx\n mov %ecx, -8(%edi,%ecx)\n lea 8(%edi), %ecx\n" GUEST_END);
/* clang-format on */

START_TEST(hot_pages_are_exact)
{
    /* Of each hit: the first watched byte that was written. */
    static const uint32_t at[] = {0x20, 0x23, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x21};
    make(_i);
    RIG_LOAD(&rig, hot);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA + 0x20, 4, CPU_WATCH_WRITE), 0);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA + 0x900, 4, CPU_WATCH_WRITE), 0);
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT);
        ck_assert_uint_eq(rig.cpu->debug->now.hit.linear, DBT_DATA + at[i]);
        if (engines[_i].kind == ENGINE_DBT)
            ck_assert(rig.cpu->debug->looked_for);
        if (i == 0)
            ck_assert_uint_eq(rig_peek(&rig, DBT_DATA + 0xa68), (uint32_t)-1000);
    }
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

/* clang-format off */
/* The same for every kind of read. */
GUEST(hot_reads,
    "mov $1000, %ecx\n mov $0x80000, %ebx\n mov $0x80800, %esp\n cld\n"
    "1: mov 0x40(%ebx), %eax\n cmpl $3, 0x44(%ebx)\n movzbl 0x48(%ebx), %edx\n push 0x4c(%ebx)\n pop %eax\n"
    "push %ecx\n call 3f\n pop %ecx\n fldt 0x70(%ebx)\n fstp %st(0)\n movdqu 0x90(%ebx), %xmm0\n btl $1, 0x40(%ebx)\n"
    "dec %ecx\n jnz 1b\n jmp 4f\n 3: push %ebp\n mov %esp, %ebp\n leave\n ret\n"
    "4: mov 0x20(%ebx), %eax\n mov 0x23(%ebx), %al\n mov 0x1f(%ebx), %ax\n cmp %al, 0x22(%ebx)\n mov 0x80021, %al\n"
    "addl $0x10000, 0x20(%ebx)\n test %eax, 0x1d(%ebx)\n movdqu 0x11(%ebx), %xmm1\n fldt 0x17(%ebx)\n fstp %st(0)\n"
    "push 0x20(%ebx)\n pop %edx\n mov $0x80020, %esp\n pop %eax\n mov $0x80020, %ebp\n mov $0x80800, %esp\n xlat\n"
    "mov $0x80020, %esi\n lodsl\n mov $0x80020, %edi\n scasb\n mov $0x80010, %edi\n mov $17, %edx\n btl %edx, 0x10(%edi)\n"
    "movl $6f - guest_hot_reads + 0x10000, 0x20(%ebx)\n mov $0x80020, %esp\n ret\n 6: mov %ebx, 0x1c(%ebx)\n leave\n"
    "movl $7f - guest_hot_reads + 0x10000, 0x20(%ebx)\n jmp *0x20(%ebx)\n 7: mov 0x24(%ebx), %eax\n mov 0x1c(%ebx), %eax\n" GUEST_END);
/* clang-format on */

START_TEST(hot_reads_are_exact)
{
    /* Of each hit: the first watched byte that was read. */
    static const uint8_t at[] = {0x20, 0x23, 0x20, 0x22, 0x21, 0x20, 0x20, 0x20, 0x20,
                                 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20};
    make(_i);
    RIG_LOAD(&rig, hot_reads);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA + 0x20, 4, CPU_WATCH_READ), 0);
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT);
        ck_assert_uint_eq(rig.cpu->debug->now.hit.linear, DBT_DATA + at[i]);
        if (engines[_i].kind == ENGINE_DBT)
            ck_assert(rig.cpu->debug->looked_for);
    }
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

/* clang-format off */
/* Sets TF by POPF; clears it by POPF. */
GUEST(trapping,
    "mov $0xb0000, %esp\n mov $3, %ecx\n mov $0x80000, %edi\n cld\n pushf\n orl $0x100, (%esp)\n popf\n"
    "nop\n inc %eax\n rep stosl\n mov %ss, %eax\n mov %eax, %ss\n nop\n"
    "pushf\n andl $~0x100, (%esp)\n popf\n nop\n nop\n" GUEST_END);
/* clang-format on */

START_TEST(the_trap_flag_traps)
{
    /* Offsets of eip at each trap: after nop, inc, three times at and after stosl, after the MOV
     * from SS and after the nop behind the MOV to SS; pushf, andl, popf. */
    static const uint8_t at[] = {26, 27, 27, 27, 29, 31, 34, 35, 42, 43};
    make(_i);
    RIG_LOAD(&rig, trapping);
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        ck_assert_int_eq(go(), ENGINE_EXIT_FAULT);
        ck_assert_uint_eq(rig.cpu->fault.vector, CPU_DB);
        ck_assert_uint_eq(rig.cpu->eip - DBT_CODE, at[i]);
    }
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

/* A watchpoint and a trap after one instruction: both are told, the watchpoint first. */
START_TEST(watchpoint_and_trap)
{
    make(_i);
    RIG_LOAD(&rig, watched);
    ck_assert_int_eq(cpu_debug_watch(rig.cpu, DBT_DATA, 4, CPU_WATCH_WRITE), 0);
    ck_assert_int_eq(engine_run(rig.cpu, 5), ENGINE_EXIT_BUDGET);
    rig.cpu->eflags |= CPU_EFLAGS_TF;
    ck_assert_int_eq(go(), ENGINE_EXIT_WATCHPOINT);
    uint32_t eip = rig.cpu->eip;
    ck_assert_int_eq(go(), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(rig.cpu->eip, eip);
    rig.cpu->eflags &= ~CPU_EFLAGS_TF;
    ck_assert_int_eq(go(), ENGINE_EXIT_HYPERCALL);
    unmake();
}
END_TEST

static Suite *suite(void)
{
    const TTest **const tests[] = {
        &stops_at_each_arrival,
        &set_and_removed_while_code_is_hot,
        &everywhere,
        &steps_are_exact_around_one,
        &writes_are_told,
        &reads_are_told,
        &accesses_are_told,
        &strings_and_page_ends_are_told,
        &the_stack_is_told,
        &code_pages_can_be_watched,
        &hot_pages_are_exact,
        &hot_reads_are_exact,
        &nonsense_is_refused,
        &the_trap_flag_traps,
        &watchpoint_and_trap,
    };
    Suite *s = suite_create("debug");
    TCase *tc = tcase_create("debug");
    for (unsigned i = 0; i < ARRAY_LEN(tests); i++)
        tcase_add_loop_test(tc, *tests[i], 0, (int)ARRAY_LEN(engines));
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
