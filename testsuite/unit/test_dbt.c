/* SPDX-License-Identifier: MIT */
/*
 * The translator does what the interpreter does: guests of every shape that
 * the rewriters know, run to their end, in single steps, and in pieces.
 */
#include "dbt/image.h"
#include "testsuite/unit/dbt_rig.h"

#include <stdio.h>
#include <stdlib.h>

static void load_both_with(struct rig *slow, struct rig *fast, const uint8_t *from,
                           const uint8_t *end, const struct engine_options *options)
{
    rig_create(slow, ENGINE_INTERP, NULL);
    rig_create(fast, ENGINE_DBT, options);
    rig_load(slow, DBT_CODE, from, end);
    rig_load(fast, DBT_CODE, from, end);
}

static void load_both(struct rig *slow, struct rig *fast, const uint8_t *from, const uint8_t *end)
{
    load_both_with(slow, fast, from, end, NULL);
}

static void destroy_both(struct rig *slow, struct rig *fast)
{
    rig_destroy(slow);
    rig_destroy(fast);
}

/* Both engines with `budget` at a time, compared after each piece, until they exit. */
static void run_pieces_with(const uint8_t *from, const uint8_t *end, uint64_t budget,
                            uint32_t undefined, const struct engine_options *options)
{
    struct rig slow, fast;
    enum engine_exit a, b;
    load_both_with(&slow, &fast, from, end, options);
    do {
        a = engine_run(slow.cpu, budget);
        b = engine_run(fast.cpu, budget);
        ck_assert_int_eq(a, b);
        rig_compare(&slow, &fast, undefined);
        ck_assert_uint_eq(slow.cpu->icount, fast.cpu->icount);
    } while (a == ENGINE_EXIT_BUDGET);
    ck_assert_int_eq(a, ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(fast.cpu->exit.hypercall, 1);
    destroy_both(&slow, &fast);
}

static void run_pieces(const uint8_t *from, const uint8_t *end, uint64_t budget, uint32_t undefined)
{
    run_pieces_with(from, end, budget, undefined, NULL);
}

/* The same in blocks that count their instructions. */
static void run_counted(const uint8_t *from, const uint8_t *end, uint32_t undefined)
{
    static const uint64_t budget[] = {
        1, 5, 7, 11, 19, 37, 64, 67, 71, 83, 100, 1000, ENGINE_UNLIMITED};
    const struct engine_options options = {.count = true};
    for (unsigned i = 0; i < ARRAY_LEN(budget); i++)
        run_pieces_with(from, end, budget[i], undefined, &options);
}

static void run_whole(const uint8_t *from, const uint8_t *end, uint32_t undefined)
{
    struct rig slow, fast;
    load_both(&slow, &fast, from, end);
    ck_assert_int_eq(engine_run(slow.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_int_eq(engine_run(fast.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    rig_compare(&slow, &fast, undefined);
    ck_assert_uint_eq(fast.cpu->exit.hypercall, slow.cpu->exit.hypercall);
    ck_assert_uint_eq(fast.cpu->exit.length, slow.cpu->exit.length);
    destroy_both(&slow, &fast);
}

#define UNDEFINED (ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O)

/* A guest and its test; `undefined`: flags that its instructions leave undefined. */
#define BOTH(name, undefined, text)                                                                \
    GUEST(name, text GUEST_END);                                                                   \
    START_TEST(test_##name)                                                                        \
    {                                                                                              \
        run_whole(guest_##name, guest_##name##_end, undefined);                                    \
        run_pieces(guest_##name, guest_##name##_end, 1, undefined);                                \
        run_pieces(guest_##name, guest_##name##_end, 3, undefined);                                \
        run_pieces(guest_##name, guest_##name##_end, 1000, undefined);                             \
        run_counted(guest_##name, guest_##name##_end, undefined);                                  \
    }                                                                                              \
    END_TEST

/* clang-format off */
BOTH(straight, 0,
    "mov $5, %eax\n add $7, %eax\n mov $0x80000, %ebx\n mov %eax, (%ebx)\n"
    "mov %eax, 4(%ebx,%eax,8)\n sub $13, %eax\n sbb %ecx, %ecx\n")

BOTH(fib, 0,
    "mov $9, %eax\n call 1f\n jmp 9f\n"
    "1: cmp $2, %eax\n jb 2f\n push %ebx\n push %eax\n dec %eax\n call 1b\n mov %eax, %ebx\n"
    "pop %eax\n sub $2, %eax\n call 1b\n add %ebx, %eax\n pop %ebx\n 2: ret\n 9:\n")

/* Ways out that are short: by return, by an indirect jump, with branches and memory in them. */
BOTH(returns, 0,
    "mov $24, %ecx\n mov $0x80000, %ebx\n 1: call 2f\n add %eax, %edx\n dec %ecx\n jnz 1b\n jmp 9f\n"
    "2: test $1, %cl\n jnz 5f\n test $2, %cl\n jnz 6f\n test $4, %cl\n jz 7f\n"
    "push %ecx\n call 4f\n pop %ecx\n mov %ecx, %eax\n ret\n 4: inc %edi\n ret\n"
    "5: mov %ecx, (%ebx)\n sub (%ebx), %edx\n ret\n"
    "6: push %edx\n cmp $20, %ecx\n ja 8f\n pop %edi\n inc %esi\n ret\n 8: pop %esi\n xor %esi, %eax\n ret\n"
    "7: pop %ebp\n 3: lea 1(%eax), %eax\n test $3, %al\n jnz 3b\n jmp *%ebp\n 9:\n")

BOTH(memory, 0,
    "mov $0x80010, %ebx\n mov $3, %ecx\n mov $0xa1b2c3d4, %eax\n mov $-8, %edx\n"
    "mov %eax, (%ebx)\n mov %al, 5(%ebx)\n mov %ah, 6(%ebx)\n mov %ax, 8(%ebx)\n"
    "mov %eax, 0x80100\n mov 0x80100, %esi\n mov %al, 0x80104\n mov 0x80010, %al\n mov 0x80011, %ax\n"
    "mov %ah, 0x80110\n mov %ch, 0x80000(,%ecx,4)\n mov %eax, 0x80200(%edx,%ecx,4)\n"
    "mov %ecx, 0x81000(%edx)\n mov %bh, (%ebx,%edx)\n add %eax, 0x10(%ebx)\n adcb $3, 0x11(%ebx)\n"
    "movzbl 5(%ebx), %edi\n movsbl 6(%ebx), %ebp\n movzwl 8(%ebx), %esi\n xchg %eax, (%ebx)\n"
    "lea 0x40(%ebx,%ecx,2), %ebp\n lea -4(%edx), %edi\n lea 0x12345, %esi\n lea 8(%esp), %eax\n"
    "lea (%ebx,%ecx), %dx\n mov %ebp, (%ebp)\n mov %ebp, (%ebp,%ecx,8)\n mov %esp, 4(%ebp)\n"
    "mov $0x80000000, %edx\n mov %cl, 0x80080000(%edx)\n notl (%ebx)\n negb 3(%ebx)\n"
    "cmpxchg %ecx, (%ebx)\n lock xadd %esi, (%ebx)\n lock incl (%ebx)\n btsl $5, (%ebx)\n"
    "bt %ecx, (%ebx)\n mov $40, %ecx\n btc %ecx, (%ebx)\n mov $-40, %ecx\n bts %ecx, (%ebx)\n")

BOTH(based, 0,
    "movl $0x80000, 0x40\n movl $0x81000, 0x44\n mov $0x10, %ebx\n mov $2, %ecx\n mov $77, %eax\n"
    "mov %eax, %fs:0\n mov %eax, %gs:4(%ebx)\n mov %al, %gs:(%ebx,%ecx,8)\n mov %ah, %gs:0x20\n"
    "mov %gs:0x14, %edx\n addl $5, %fs:0(,%ecx,4)\n push %gs:4\n pop %fs:8\n mov %eax, %fs:0x90000(%ebx)\n"
    "call 1f\n 1: movl $0x80000 - 0xc0000, %fs:0x10\n mov %gs:0x2000(%ecx), %edi\n"
    "mov %eax, %es:0x80300\n mov %eax, %ds:0x80304(%ebx)\n mov %fs:-0x10(%ebx), %esi\n")

BOTH(stack, 0,
    "mov $0x11112222, %eax\n mov $7, %ebp\n push %eax\n push %esp\n push $0x1234\n push $-5\n pushw $9\n"
    "pushw %ax\n popw %dx\n popw %cx\n pop %esi\n pop (%esp)\n mov 4(%esp), %edi\n mov %esp, %ebx\n"
    "add $4, %esp\n adc $0, %ecx\n sub $0x100, %esp\n setc %cl\n and $-16, %esp\n mov %esp, %ebp\n"
    "lea 0x20(%esp), %esp\n push 4(%esp)\n pop 8(%esp)\n push %ebp\n mov %esp, %ebp\n sub $0x48, %esp\n"
    "mov %eax, -4(%ebp)\n mov %eax, (%esp)\n movb $9, 3(%esp,%edx)\n leave\n inc %esp\n dec %esp\n"
    "xchg %esp, %ebp\n xchg %esp, %ebp\n mov %esp, 0x80000\n add %esp, %eax\n cmp %esp, %ebp\n"
    "pusha\n popa\n pushf\n pop %eax\n push %eax\n popf\n sub $0x20000, %esp\n add $0x20000, %esp\n"
    "xadd %eax, %esp\n mov $0xbff00, %esp\n push %esp\n pop %esp\n movw $0x1230, %sp\n enter $16, $0\n leave\n mov %sp, %ax\n")

BOTH(frames, 0,
    "mov $3, %ecx\n 1: push $1\n push $2\n call 2f\n add $8, %esp\n loop 1b\n jmp 3f\n"
    "2: push %ebp\n mov %esp, %ebp\n sub $24, %esp\n mov 8(%ebp), %eax\n add 12(%ebp), %eax\n"
    "mov %eax, (%esp)\n call 4f\n leave\n ret\n 4: mov 4(%esp), %edx\n lea (%edx,%edx,2), %eax\n"
    "push %eax\n call 5f\n ret\n 5: mov 4(%esp), %ebx\n ret $4\n"
    "3: mov $6f - 7f, %eax\n call 7f\n 7: pop %edx\n add %edx, %eax\n call *%eax\n push %eax\n"
    "call *(%esp)\n jmp 8f\n 6: inc %esi\n ret\n 8: add $4, %esp\n")

BOTH(branches, 0,
    "mov $20, %ecx\n xor %eax, %eax\n 1: add %ecx, %eax\n test $3, %al\n jnz 2f\n inc %ebx\n"
    "2: dec %ecx\n jns 1b\n mov $5, %ecx\n 3: add $3, %edx\n loop 3b\n mov $9, %ecx\n"
    "4: cmp $4, %ecx\n loopne 4b\n mov $9, %ecx\n 5: cmp $9, %ecx\n loope 5b\n jecxz 6f\n inc %esi\n"
    "xor %ecx, %ecx\n jecxz 6f\n inc %edi\n 6: jmp 7f\n .skip 5, 0xf4\n 7: cmp %eax, %edx\n setg %al\n"
    "cmovl %ecx, %ebx\n jo 8f\n jp 8f\n jl 8f\n jbe 8f\n 8: nop\n nopw 0(%eax,%eax,1)\n pause\n")

BOTH(strings, 0,
    "mov $0x80000, %edi\n mov $0x5a, %al\n mov $37, %ecx\n rep stosb\n mov $0x1badb002, %eax\n"
    "mov $9, %ecx\n rep stosl\n stosw\n mov $0x80000, %esi\n mov $0x81000, %edi\n mov $50, %ecx\n"
    "rep movsb\n movsl\n movsw\n mov $0x80000, %esi\n mov $0x81000, %edi\n mov $20, %ecx\n repe cmpsb\n"
    "cmpsl\n mov $0x1b, %al\n mov $0x80000, %edi\n mov $100, %ecx\n repne scasb\n scasw\n std\n"
    "mov $0x8100f, %edi\n mov $0x8000f, %esi\n mov $6, %ecx\n rep movsb\n lodsl\n lodsb\n cld\n"
    "mov $3, %ecx\n rep lodsb\n xor %ecx, %ecx\n rep movsl\n mov $0x80000, %ebx\n mov $3, %al\n xlat\n"
    "mov $4, %ecx\n repe scasb\n mov $0x80000, %esi\n mov $0x80005, %edi\n mov $64, %ecx\n rep movsb\n")

BOTH(bcd, UNDEFINED,
    "mov $0x1279, %eax\n add $0x35, %al\n daa\n aaa\n sub $0x18, %al\n das\n aam\n aad\n"
    "lahf\n xor %ah, %ah\n sahf\n cbw\n cwde\n cdq\n cwd\n bswap %eax\n stc\n cmc\n setc %bl\n clc\n"
    ".byte 0xd6\n .byte 0x82,0xc0,0x05\n .byte 0x83,0xc0,0xfb\n mov $100, %eax\n mov $7, %ecx\n"
    "xor %edx, %edx\n div %ecx\n neg %eax\n cdq\n idiv %ecx\n imul $-3, %eax, %ebx\n mul %ebx\n"
    "shld $3, %eax, %edx\n shrd %cl, %eax, %edx\n rcl $1, %eax\n ror %cl, %ebx\n")

BOTH(floating, 0,
    "fninit\n mov $0x80000, %ebx\n movl $0x40490fdb, (%ebx)\n flds (%ebx)\n fld1\n faddp\n fstpl 8(%ebx)\n"
    "fildl (%ebx)\n fsqrt\n fstpt 16(%ebx)\n fnstcw 32(%ebx)\n fldcw 32(%ebx)\n fldpi\n fnstsw %ax\n"
    "fucomi %st(0), %st\n movss (%ebx), %xmm0\n mulss %xmm0, %xmm0\n movups %xmm0, 64(%ebx)\n"
    "cvttss2si %xmm0, %ecx\n movd %esp, %xmm1\n movdqa %xmm1, 80(%ebx)\n paddd 64(%ebx), %xmm1\n"
    "emms\n movq 64(%ebx), %mm0\n paddw %mm0, %mm0\n movq %mm0, 96(%ebx,%ecx)\n pmovmskb %xmm0, %edx\n"
    "stmxcsr 112(%ebx)\n ldmxcsr 112(%ebx)\n mov $0x80200, %edi\n maskmovdqu %xmm1, %xmm0\n emms\n")

BOTH(traps, 0,
    "movl $" "0x10000 + (2f - guest_traps), 0x48\n movl $1, 0x58\n mov $9, %eax\n stc\n int $0x80\n"
    "sbb %ebx, %ebx\n int $0x33\n jmp 3f\n 2: mov 0x50, %ecx\n mov 0x4c, %edx\n mov 0x54, %esi\n"
    "add $2, %eax\n mov 0x58, %edi\n .byte 0x0f,0xb9,0xc3\n 3: cpuid\n")
/* clang-format on */

GUEST(single, "mov $0x80000, %ebx\n" GUEST_END);
START_TEST(exit_is_told)
{
    struct rig fast;
    rig_create(&fast, ENGINE_DBT, NULL);
    RIG_LOAD(&fast, single);
    ck_assert_int_eq(engine_run(fast.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(fast.cpu->exit.hypercall, 1);
    ck_assert_uint_eq(fast.cpu->exit.length, 3);
    ck_assert_uint_eq(fast.cpu->eip, DBT_CODE + 8);
    rig_destroy(&fast);
}
END_TEST

/* A million instructions and a fault: all counted, and none too many. */
GUEST(count_fault, "mov $300000, %ecx\n 1: add %ecx, %eax\n test $1, %al\n jz 2f\n inc %edx\n"
                   "2: dec %ecx\n jnz 1b\n push %eax\n mov %eax, (%ebx)\n div %ecx\n");
GUEST(tail_fault, "mov $300000, %ecx\n 1: call 2f\n dec %ecx\n jnz 1b\n 2: cmp $1, %ecx\n je 3f\n "
                  "inc %eax\n ret\n"
                  "3: inc %edx\n xchg %eax, (%ebx)\n xor %ecx, %ecx\n div %ecx\n inc %eax\n ret\n");

static void count_to_faults(const uint8_t *from, const uint8_t *end)
{
    const struct engine_options options = {.count = true};
    struct rig slow, fast;
    load_both_with(&slow, &fast, from, end, &options);
    slow.cpu->gpr[ISA_EBX] = fast.cpu->gpr[ISA_EBX] = DBT_DATA;
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(engine_run(slow.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_FAULT);
        ck_assert_int_eq(engine_run(fast.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_FAULT);
        rig_compare(&slow, &fast, 0);
        ck_assert_uint_gt(slow.cpu->icount, 1000000);
        ck_assert_uint_eq(slow.cpu->icount, fast.cpu->icount);
        slow.cpu->eip = fast.cpu->eip = DBT_CODE;
        slow.cpu->gpr[ISA_EBX] = fast.cpu->gpr[ISA_EBX] = 0x2000; /* another fault, earlier */
    }
    destroy_both(&slow, &fast);
}

START_TEST(counts_to_a_fault)
{
    count_to_faults(guest_count_fault, guest_count_fault_end);
    count_to_faults(guest_tail_fault, guest_tail_fault_end);
}
END_TEST

/*
 * Where counting blocks ask: within, before branches and behind them, in tails and in pieces that
 * only jump, at their start because no instruction lets them, in loops that never fall through,
 * with values pending on the stack; and unwinding that only returns. Whatever the budget, it ends
 * there to the instruction, with the flags of there.
 */
GUEST(asks_everywhere,
      "mov $60, %ecx\n mov $0x80000, %ebx\n"
      "1: call 2f\n push %eax\n sub %edx, %eax\n pop %eax\n call 4f\n test $3, %cl\n jz 6f\n"
      "7: mov $5, %esi\n 8: dec %esi\n jnz 8b\n mov %ecx, %edi\n mov $3, %ecx\n 9: loop 9b\n"
      "mov %edi, %ecx\n mov $7, %eax\n call 10f\n dec %ecx\n jnz 1b\n jmp 99f\n"
      "2: jc 3f\n cmp $30, %ecx\n ja 5f\n stc\n ret\n 3: mov %ecx, %edx\n jmp 4f\n"
      "5: lea 1(%edx), %edx\n ret\n"
      "4: incl (%ebx)\n jp 5b\n js 3f\n jecxz 5b\n 3: ret\n"
      "6: xor %esi, %esi\n 11: add $1, %esi\n cmp $9, %esi\n je 7b\n jmp 11b\n"
      "10: test %eax, %eax\n jz 12f\n dec %eax\n call 10b\n 12: ret\n 99:\n" GUEST_END);

START_TEST(asks_exactly)
{
    const struct engine_options options = {.count = true};
    for (uint64_t budget = IMAGE_BUDGET_MIN - 3; budget < IMAGE_BUDGET_MIN + 130; budget++)
        run_pieces_with(guest_asks_everywhere, guest_asks_everywhere_end, budget, 0, &options);
}
END_TEST

/* Small caches: everything is evicted again and again, and nothing changes. */
START_TEST(tiny_cache)
{
    const struct engine_options options = {.cache_bytes = 1};
    struct engine_counters counters;
    struct rig slow, fast;
    rig_create(&slow, ENGINE_INTERP, NULL);
    rig_create(&fast, ENGINE_DBT, &options);
    for (uint32_t i = 0; i < 3000; i++) { /* a chain of small pieces: inc eax; jmp +1; int3 */
        static const uint8_t piece[] = {0x40, 0xeb, 0x01, 0xcc, 0x85, 0xc0, 0x74, 0xf8};
        rig_load(&slow, DBT_CODE + i * 8, piece, piece + 8);
        rig_load(&fast, DBT_CODE + i * 8, piece, piece + 8);
    }
    static const uint8_t again[] = {0x49, 0x0f, 0x85, 0x39, 0xa2, 0xff, 0xff, 0x0f, 0xb9, 0xc1};
    rig_load(&slow, DBT_CODE + 24000, again, again + sizeof(again));
    rig_load(&fast, DBT_CODE + 24000, again, again + sizeof(again));
    slow.cpu->gpr[ISA_ECX] = fast.cpu->gpr[ISA_ECX] = 5;
    ck_assert_int_eq(engine_run(slow.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    ck_assert_int_eq(engine_run(fast.cpu, ENGINE_UNLIMITED), ENGINE_EXIT_HYPERCALL);
    rig_compare(&slow, &fast, 0);
    ck_assert_uint_eq(fast.cpu->gpr[ISA_EAX], 15000);
    fast.engine->ops->counters(fast.engine, &counters);
    ck_assert_uint_gt(counters.evictions, 8);
    rig_destroy(&slow);
    rig_destroy(&fast);
}
END_TEST

int main(void)
{
    static const TTest *const *const tests[] = {
        &test_straight, &test_fib,      &test_memory,       &test_based,
        &test_stack,    &test_frames,   &test_branches,     &test_strings,
        &test_bcd,      &test_floating, &test_traps,        &test_returns,
        &exit_is_told,  &tiny_cache,    &counts_to_a_fault, &asks_exactly,
    };
    TCase *tcase = tcase_create("dbt");
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        tcase_add_test(tcase, *tests[i]);
    Suite *suite = suite_create("dbt");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
