/* SPDX-License-Identifier: MIT */
/*
 * What interrupts translated code: faults at every instruction, code that
 * changes, kicks, neighbours in the same image, guests that jump anywhere.
 */
#include "testsuite/unit/dbt_rig.h"

#include <stdlib.h>
#include <unistd.h>

#include "emu/base/host_thread.h"

static struct rig slow, fast;

static void setup(void)
{
    rig_create(&slow, ENGINE_INTERP, NULL);
    rig_create(&fast, ENGINE_DBT, NULL);
}

static void teardown(void)
{
    rig_destroy(&slow);
    rig_destroy(&fast);
}

#define LOAD(name) (RIG_LOAD(&slow, name), RIG_LOAD(&fast, name))

/* Both run without bound and must come to the same end. */
static enum engine_exit run_both(void)
{
    enum engine_exit a = engine_run(slow.cpu, ENGINE_UNLIMITED);
    enum engine_exit b = engine_run(fast.cpu, ENGINE_UNLIMITED);
    ck_assert_int_eq(a, b);
    rig_compare(&slow, &fast, 0);
    if (a == ENGINE_EXIT_FAULT)
        ck_assert_mem_eq(&slow.cpu->fault, &fast.cpu->fault, sizeof(struct cpu_fault));
    return a;
}

/* clang-format off */
/* Every access is through ebx, esi, edi or esp; with one of them bad, or the stack at an edge, each instruction
 * has its turn to fault, with the stack pointer pending. */
GUEST(faults,
    "push %eax\n mov %eax, (%ebx)\n push %ecx\n push $7\n add %eax, 8(%ebx)\n pop %edx\n mov (%esi), %ecx\n"
    "push (%edi)\n sub $16, %esp\n mov %edx, 4(%esp)\n pop (%esi)\n stc\n lea 4(%esp), %esp\n adcl $3, (%edi)\n"
    "call 1f\n jmp 2f\n 1: push %ebp\n mov %esp, %ebp\n mov 4(%ebx), %eax\n inc %eax\n leave\n ret\n"
    "2: mov $5, %ecx\n rep movsb\n cmpsl\n xchg %eax, (%ebx)\n push (%esi)\n pop (%ebx)\n" GUEST_END);
/* clang-format on */

static void arm_faults(struct rig *rig, uint32_t no_ebx, uint32_t no_esi, uint32_t no_edi)
{
    static const uint32_t good[] = {0x80ffe, 0x82ffe, 0x84ffe};
    rig->cpu->eip = DBT_CODE;
    rig->cpu->eflags = 2;
    rig->cpu->gpr[ISA_EBX] = no_ebx ? no_ebx : good[0];
    rig->cpu->gpr[ISA_ESI] = no_esi ? no_esi : good[1];
    rig->cpu->gpr[ISA_EDI] = no_edi ? no_edi : good[2];
}

START_TEST(faults_are_precise)
{
    static const uint32_t bad[] = {0,          1,        0x1000,   0x7fffffff, 0xfffffffc,
                                   0xffffffff, 0x300000, 0x1ffffe, 0xfffe,     0x80000000};
    LOAD(faults);
    for (unsigned which = 0; which < 3; which++) {
        for (unsigned i = 1; i < ARRAY_LEN(bad); i++) {
            for (unsigned n = 0; n < 2; n++) {
                struct rig *rig = n ? &fast : &slow;
                arm_faults(rig, which == 0 ? bad[i] : 0, which == 1 ? bad[i] : 0,
                           which == 2 ? bad[i] : 0);
                rig->cpu->gpr[ISA_ESP] = DBT_STACK;
            }
            run_both();
        }
    }
}
END_TEST

START_TEST(stack_anywhere)
{
    LOAD(faults);
    for (uint32_t esp = DBT_RAM - 64; esp < DBT_RAM + 64; esp++) {
        for (unsigned n = 0; n < 2; n++) {
            struct rig *rig = n ? &fast : &slow;
            arm_faults(rig, 0, 0, 0);
            rig->cpu->gpr[ISA_ESP] = esp;
        }
        run_both();
    }
    for (uint32_t esp = (uint32_t)-48; esp != 0x10000; esp = esp == 48 ? 0xfff0 : esp + 1) {
        slow.cpu->gpr[ISA_ESP] = fast.cpu->gpr[ISA_ESP] = esp;
        arm_faults(&slow, 0, 0, 0);
        arm_faults(&fast, 0, 0, 0);
        run_both();
    }
}
END_TEST

GUEST(divide, "mov $0x80000, %ebx\n push %eax\n xor %ecx, %ecx\n stc\n div %ecx\n" GUEST_END);
START_TEST(divide_error)
{
    LOAD(divide);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(fast.cpu->fault.vector, CPU_DE);
    ck_assert_uint_eq(fast.cpu->eip, DBT_CODE + 9);
}
END_TEST

GUEST(x87_fault,
      "mov $0x80000, %ebx\n movw $0x33f, (%ebx)\n fninit\n movw $0x37b, 2(%ebx)\n"
      "fldcw 2(%ebx)\n fldz\n fld1\n fdiv %st(1), %st\n push %eax\n fstp %st(0)\n" GUEST_END);
START_TEST(x87_error)
{
    LOAD(x87_fault);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(fast.cpu->fault.vector, CPU_MF);
}
END_TEST

GUEST(sse_fault,
      "mov $0x80000, %ebx\n movl $0x1d80, (%ebx)\n ldmxcsr (%ebx)\n movl $0x3f800000, (%ebx)\n"
      "xorps %xmm0, %xmm0\n movss (%ebx), %xmm1\n push %eax\n divss %xmm0, %xmm1\n" GUEST_END);
START_TEST(sse_error)
{
    LOAD(sse_fault);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(fast.cpu->fault.vector, CPU_XM);
}
END_TEST

GUEST(unaligned, "mov $0x80004, %ebx\n push %eax\n movaps (%ebx), %xmm0\n" GUEST_END);
START_TEST(alignment_error)
{
    LOAD(unaligned);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(fast.cpu->fault.vector, CPU_GP);
}
END_TEST

GUEST(undefined, "push %eax\n stc\n ud2\n");
START_TEST(undefined_instruction)
{
    LOAD(undefined);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(fast.cpu->fault.vector, CPU_UD);
}
END_TEST

/* Code that changes. */

GUEST(self, "mov $3, %ecx\n 1: call 3f\n 2: movb $0x45, 3f - guest_self + 0x10000\n"
            "incb 2b - guest_self + 0x10006\n loop 1b\n jmp 4f\n 3: inc %eax\n ret\n 4:" GUEST_END);
START_TEST(own_block_changes)
{
    LOAD(self);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_HYPERCALL);
}
END_TEST

/* The next instruction is changed by the one before it, in one block. */
GUEST(next, "mov $200, %edx\n 1: movb $0x43, 2f - guest_next + 0x10000\n 2: nop\n"
            "movb $0x90, 2b - guest_next + 0x10000\n dec %edx\n jnz 1b\n" GUEST_END);
START_TEST(next_instruction_changes)
{
    LOAD(next);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(fast.cpu->gpr[ISA_EBX], 200);
}
END_TEST

/* Code made anew on the stack for each call, as nested functions of C have it. */
GUEST(trampoline, "mov $20000, %ecx\n 1: sub $16, %esp\n movl $0x90c34040, (%esp)\n call *%esp\n"
                  "add $16, %esp\n loop 1b\n" GUEST_END);
START_TEST(code_on_the_stack)
{
    LOAD(trampoline);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(fast.cpu->gpr[ISA_EAX], 40000);
}
END_TEST

GUEST(add1, "1: add $1, %eax\n dec %ecx\n jnz 1b\n" GUEST_END);
/* A page that may no longer be read may no longer be executed either. */
START_TEST(code_is_taken_away)
{
    LOAD(add1);
    slow.cpu->gpr[ISA_ECX] = fast.cpu->gpr[ISA_ECX] = 10;
    ck_assert_int_eq(run_both(), ENGINE_EXIT_HYPERCALL);
    slow.cpu->eip = fast.cpu->eip = DBT_CODE;
    ck_assert_int_eq(ram_set_access(slow.ram, DBT_CODE, PAGE_SIZE, HOST_NONE), 0);
    ck_assert_int_eq(ram_set_access(fast.ram, DBT_CODE, PAGE_SIZE, HOST_NONE), 0);
    ck_assert_int_eq(run_both(), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(fast.cpu->fault.vector, CPU_PF);
}
END_TEST

START_TEST(host_changes_code)
{
    LOAD(add1);
    fast.cpu->gpr[ISA_ECX] = slow.cpu->gpr[ISA_ECX] = 10;
    run_both();
    for (unsigned n = 0; n < 2; n++) {
        struct rig *rig = n ? &fast : &slow;
        const uint8_t three = 3;
        ck_assert_int_eq(ram_write(rig->ram, DBT_CODE + 2, &three, 1), 0);
        rig->cpu->eip = DBT_CODE;
        rig->cpu->gpr[ISA_ECX] = 10;
    }
    run_both();
    ck_assert_uint_eq(fast.cpu->gpr[ISA_EAX], 40);
}
END_TEST

START_TEST(code_over_a_page_end)
{
    for (uint32_t at = 0x10ff0; at <= 0x11000; at++) {
        for (unsigned n = 0; n < 2; n++) {
            struct rig *rig = n ? &fast : &slow;
            rig_load(rig, at, guest_faults, guest_faults_end);
            arm_faults(rig, 0, 0, 0);
            rig->cpu->eip = at;
            rig->cpu->gpr[ISA_ESP] = DBT_STACK;
        }
        ck_assert_int_eq(run_both(), ENGINE_EXIT_HYPERCALL);
    }
}
END_TEST

/* Hostile jumps: into nowhere, to the ends of memory, prefixes without end. */
START_TEST(jumps_anywhere)
{
    static const uint32_t target[] = {0,          1,           0xfff,     0x1000,
                                      0xffff,     DBT_RAM - 1, DBT_RAM,   0x7fffffff,
                                      0x80000000, 0xfffffff0,  0xffffffff};
    for (unsigned i = 0; i < ARRAY_LEN(target); i++) {
        static const uint8_t jmp_eax[] = {0xff, 0xe0};
        for (unsigned n = 0; n < 2; n++) {
            struct rig *rig = n ? &fast : &slow;
            rig_load(rig, DBT_CODE, jmp_eax, jmp_eax + 2);
            rig->cpu->eip = DBT_CODE;
            rig->cpu->gpr[ISA_EAX] = target[i];
        }
        ck_assert_int_eq(run_both(), ENGINE_EXIT_FAULT);
    }
}
END_TEST

START_TEST(prefix_soup)
{
    srand(1);
    for (unsigned round = 0; round < 3000; round++) {
        uint8_t soup[32];
        static const uint8_t prefix[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e,
                                         0x36, 0x3e, 0x26, 0x64, 0x65};
        unsigned len = (unsigned)rand() % 14;
        for (unsigned i = 0; i < len; i++)
            soup[i] = prefix[(unsigned)rand() % ARRAY_LEN(prefix)];
        for (unsigned i = len; i < sizeof(soup); i++)
            soup[i] = (uint8_t)rand();
        for (unsigned n = 0; n < 2; n++) {
            struct rig *rig = n ? &fast : &slow;
            rig_load(rig, DBT_CODE, soup, soup + sizeof(soup));
            rig->cpu->eip = DBT_CODE;
            for (unsigned reg = 0; reg < 8; reg++)
                rig->cpu->gpr[reg] = 0x80000 + reg * 0x1000;
        }
        enum engine_exit a = engine_run(slow.cpu, 1), b = engine_run(fast.cpu, 1);
        ck_assert_int_eq(a, b);
        for (unsigned reg = 0; reg < 8; reg++)
            ck_assert_uint_eq(slow.cpu->gpr[reg], fast.cpu->gpr[reg]);
        ck_assert_uint_eq(slow.cpu->eip, fast.cpu->eip);
    }
}
END_TEST

/* Kicks. */

static void stop_soon(void *opaque)
{
    struct cpu *cpu = opaque;
    usleep(3000);
    engine_stop(cpu);
}

static void run_until_stopped(struct rig *rig)
{
    struct host_thread thread;
    ck_assert_int_eq(host_thread_start(&thread, "stopper", stop_soon, rig->cpu), 0);
    ck_assert_int_eq(engine_run(rig->cpu, ENGINE_UNLIMITED), ENGINE_EXIT_STOP);
    host_thread_join(&thread);
}

GUEST(self_jump, "1: jmp 1b\n");
START_TEST(stops_jump_to_itself)
{
    LOAD(self_jump);
    for (unsigned i = 0; i < 5; i++) {
        run_until_stopped(&fast);
        ck_assert_uint_eq(fast.cpu->eip, DBT_CODE);
    }
}
END_TEST

/* eax counts; ebx is eax plus carry games; after each stop the invariant of a boundary holds. */
GUEST(flags_live,
      "1: add $1, %eax\n adc $0, %ebx\n push %eax\n push %ebx\n mov %fs:0x80(%ecx), %edx\n"
      "pop %edx\n pop %esi\n sub %eax, %esi\n jz 1b\n" GUEST_END);
START_TEST(stops_with_flags_live)
{
    LOAD(flags_live);
    for (unsigned i = 0; i < 20; i++) {
        run_until_stopped(&fast);
        slow.cpu->eip = fast.cpu->eip;
        slow.cpu->eflags = fast.cpu->eflags;
        memcpy(slow.cpu->gpr, fast.cpu->gpr, sizeof(fast.cpu->gpr));
        rig_poke(&slow, DBT_STACK - 4, rig_peek(&fast, DBT_STACK - 4));
        rig_poke(&slow, DBT_STACK - 8, rig_peek(&fast, DBT_STACK - 8));
        ck_assert_int_eq(engine_run(slow.cpu, 100), ENGINE_EXIT_BUDGET);
        ck_assert_int_eq(engine_run(fast.cpu, 100), ENGINE_EXIT_BUDGET);
        rig_compare(&slow, &fast, 0);
    }
}
END_TEST

GUEST(long_rep,
      "1: mov $0x100000, %ecx\n mov $0x80000, %esi\n mov $0xc0000, %edi\n rep movsb\n jmp 1b\n");
START_TEST(stops_repetition)
{
    LOAD(long_rep);
    for (unsigned i = 0; i < 30; i++) {
        run_until_stopped(&fast);
        const struct cpu *cpu = fast.cpu;
        if (cpu->eip == DBT_CODE + 15)
            ck_assert_uint_eq(cpu->gpr[ISA_ESI] + cpu->gpr[ISA_ECX], 0x180000);
    }
}
END_TEST

START_TEST(stop_before_run)
{
    LOAD(self_jump);
    engine_stop(fast.cpu);
    ck_assert_int_eq(engine_run(fast.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_STOP);
    engine_stop(fast.cpu);
    ck_assert_int_eq(engine_run(fast.cpu, 100), ENGINE_EXIT_STOP);
    ck_assert_int_eq(engine_run(fast.cpu, 100), ENGINE_EXIT_BUDGET);
}
END_TEST

/* Neighbours. */

static uint64_t blocks(const struct rig *rig)
{
    struct engine_counters counters;
    rig->engine->ops->counters(rig->engine, &counters);
    return counters.blocks;
}

START_TEST(neighbours_share)
{
    struct rig a, b, c;
    const uint8_t seven = 7;
    rig_join(&a, &fast, 42);
    RIG_LOAD(&a, add1);
    a.cpu->gpr[ISA_ECX] = 10;
    ck_assert_int_eq(engine_run(a.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    uint64_t made = blocks(&fast);

    rig_join(&b, &fast, 42); /* its memory is still empty: no code in common */
    RIG_LOAD(&b, add1);
    rig_join(&c, &fast, 42);
    RIG_LOAD(&c, add1);
    b.cpu->gpr[ISA_ECX] = c.cpu->gpr[ISA_ECX] = 10;
    ck_assert_int_eq(engine_run(b.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    uint64_t own = blocks(&fast);
    ck_assert_uint_gt(own, made);
    ck_assert_int_eq(engine_run(c.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(blocks(&fast), own); /* b and c joined alike, so one set serves both */

    ck_assert_int_eq(ram_write(b.ram, DBT_CODE + 2, &seven, 1), 0);
    b.cpu->eip = c.cpu->eip = DBT_CODE;
    b.cpu->gpr[ISA_ECX] = c.cpu->gpr[ISA_ECX] = 10;
    ck_assert_int_eq(engine_run(b.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_int_eq(engine_run(c.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(b.cpu->gpr[ISA_EAX], 10 + 70);
    ck_assert_uint_eq(c.cpu->gpr[ISA_EAX], 10 + 10);
    rig_part(&c);
    rig_part(&b);
    rig_part(&a);
}
END_TEST

struct runner {
    struct rig rig;
    struct host_thread thread;
    unsigned rounds;
};

static void run_rounds(void *opaque)
{
    struct runner *runner = opaque;
    for (unsigned i = 0; i < runner->rounds; i++) {
        const uint8_t step = (uint8_t)(1 + i % 3);
        if (i % 7 == 6)
            ck_assert_int_eq(ram_write(runner->rig.ram, DBT_CODE + 2, &step, 1), 0);
        runner->rig.cpu->eip = DBT_CODE;
        runner->rig.cpu->gpr[ISA_ECX] = 1000;
        uint32_t before = runner->rig.cpu->gpr[ISA_EAX];
        uint32_t by = rig_peek(&runner->rig, DBT_CODE + 2) & 0xff;
        ck_assert_int_eq(engine_run(runner->rig.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
        ck_assert_uint_eq(runner->rig.cpu->gpr[ISA_EAX] - before, 1000 * by);
    }
}

START_TEST(neighbours_in_threads)
{
    static struct runner runner[4];
    for (unsigned i = 0; i < ARRAY_LEN(runner); i++) {
        rig_join(&runner[i].rig, &fast, 7);
        RIG_LOAD(&runner[i].rig, add1);
        runner[i].rounds = 200;
    }
    for (unsigned i = 0; i < ARRAY_LEN(runner); i++)
        ck_assert_int_eq(host_thread_start(&runner[i].thread, "vm", run_rounds, &runner[i]), 0);
    for (unsigned i = 0; i < ARRAY_LEN(runner); i++)
        host_thread_join(&runner[i].thread);
    for (unsigned i = 0; i < ARRAY_LEN(runner); i++)
        rig_part(&runner[i].rig);
}
END_TEST

int main(void)
{
    static const TTest *const *const tests[] = {
        &faults_are_precise,
        &stack_anywhere,
        &divide_error,
        &x87_error,
        &sse_error,
        &alignment_error,
        &undefined_instruction,
        &own_block_changes,
        &next_instruction_changes,
        &host_changes_code,
        &code_on_the_stack,
        &code_is_taken_away,
        &code_over_a_page_end,
        &jumps_anywhere,
        &prefix_soup,
        &stops_jump_to_itself,
        &stops_with_flags_live,
        &stops_repetition,
        &stop_before_run,
        &neighbours_share,
        &neighbours_in_threads,
    };
    TCase *tcase = tcase_create("events");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        tcase_add_test(tcase, *tests[i]);
    Suite *suite = suite_create("dbt-events");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
