/* SPDX-License-Identifier: MIT */
/*
 * The verifier accepts the forms that docs/TRANSLATOR.md lists and refuses what
 * comes near them: an address that is not truncated, a displacement too wide,
 * another base, a jump to elsewhere, a fixed register changed, an instruction
 * that reaches the host. Then mutants: whatever byte of
 * a block is changed, the mutant is refused, or another decoder finds that it
 * reaches memory only through the window.
 */
#include <capstone/capstone.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/image.h"
#include "dbt/verify.h"

#define PLACE 0x2000u
#define STUB_LEAVE 0x40u

/* 64-bit code at PLACE; LEAVE("name") jumps to the stub as every block does. */
#define CODE(name, text)                                                                           \
    extern const uint8_t code_##name[], code_##name##_end[];                                       \
    __asm__(".pushsection .rodata\ncode_" #name ":\n" text "\ncode_" #name "_end:\n.popsection\n")
#define LEAVE(name) "\n.byte 0xe9\n.long 0x40 - 0x2000 - (. + 4 - code_" name ")\n"

static const struct stubs stubs = {
    .miss = 0x20, .leave = STUB_LEAVE, .chain = 0x60, .exact = 0x80, .enter = 0xa0};

static bool verify(const uint8_t *from, const uint8_t *end, struct verify_finding *finding)
{
    static const uint8_t nothing[PLACE];
    size_t len = (size_t)(end - from);
    uint8_t *cache = malloc(PLACE + len);
    struct verifier *verifier;
    ck_assert_int_eq(verifier_create(&verifier), 0);
    memcpy(cache, nothing, PLACE);
    memcpy(cache + PLACE, from, len);
    const struct verify_code code = {
        .cache = cache, .body = {PLACE, (uint32_t)len}, .exits = {0, 0}, .stubs = &stubs};
    bool ok = verify_block(verifier, &code, finding);
    verifier_destroy(verifier);
    free(cache);
    return ok;
}

#define ACCEPT(name, text)                                                                         \
    CODE(name, text LEAVE(#name));                                                                 \
    START_TEST(test_##name)                                                                        \
    {                                                                                              \
        struct verify_finding f;                                                                   \
        bool ok = verify(code_##name, code_##name##_end, &f);                                      \
        ck_assert_msg(ok, "%s at %u", f.what, f.at - PLACE);                                       \
    }                                                                                              \
    END_TEST

#define REFUSE_RAW(name, text)                                                                     \
    CODE(name, text);                                                                              \
    START_TEST(test_##name)                                                                        \
    {                                                                                              \
        struct verify_finding f;                                                                   \
        ck_assert_msg(!verify(code_##name, code_##name##_end, &f), "accepted");                    \
        ck_assert_ptr_nonnull(f.what);                                                             \
    }                                                                                              \
    END_TEST
#define REFUSE(name, text) REFUSE_RAW(name, text LEAVE(#name))

ACCEPT(window, "mov 8(%r15,%rbx),%eax\nmov %eax,0x12345678(%r15)\naddl $1,-16(%r15,%rcx)")
ACCEPT(truncated,
       "mov %gs:0x12345678(%ebx,%ecx,8),%eax\nmov %ah,%gs:(%edx)\nmovdqu %gs:4(%esi),%xmm0")
ACCEPT(gs_narrow, "fstpt %gs:-56(%rbp)")
ACCEPT(stack,
       "mov %eax,-4(%rsp)\nmov %ebx,-8(%rsp)\nlea -8(%rsp),%rsp\nmov (%rsp),%eax\nlea 4(%rsp),%rsp")
ACCEPT(set_stack, "lea 1(%rax),%r8d\nlea (%r15,%r8),%rsp\nlea 4(%r15,%rbp),%rsp")
ACCEPT(strings,
       "lea (%r15,%rsi),%rsi\nlea (%r15,%rdi),%rdi\nrep movsl\nmov %esi,%esi\nmov %edi,%edi")
ACCEPT(thread, "mov 0xcc(%r15),%r9d\nlea (%r9,%rcx,4),%r9d\nmov (%r15,%r9),%eax")
ACCEPT(branch, "test %eax,%eax\nje 1f\nmov %ebx,%r9d\nmov %ecx,%r10d\nmov %r9d,%ecx\njrcxz 1f\nmov "
               "%r10d,%ecx\n1: "
               "nopl (%rax)")
ACCEPT(loop_to_start, "dec %ecx\njne code_loop_to_start")
ACCEPT(units, "fldpi\nfaddp\npaddb %mm1,%mm2\nmulps %xmm1,%xmm2\nldmxcsr "
              "4(%r15,%rax)\nemms\nrdtsc\nbswap %edx")
ACCEPT(fence_any_form, ".byte 0x0f,0xae,0xf2,0x0f,0xae,0xe8,0x0f,0xae,0xff")
ACCEPT(counts,
       "movzbl -0x100000(%r14,%r12),%r11d\nlea -9(%r12),%r12\ncmp $1,%eax\nje 1f\nmov %eax,%ebx\n"
       "nop\n1: lea 9(%r12),%r12")
ACCEPT(asks, "sub $7,%r12\njl code_asks\ncmp $1,%eax")
ACCEPT(divide, "mov $3,%ecx\nxor %edx,%edx\ndiv %ecx\ncmpxchg %ecx,(%r15,%rax)")

REFUSE(host_read, "mov (%rbx),%eax")
REFUSE(host_absolute, "mov 0x1000,%eax")
REFUSE(rip_relative, "mov 0x10(%rip),%eax")
REFUSE(other_base, "mov (%r14,%rbx),%eax")
REFUSE(folded_shift_past_the_guards, "mov (%r15,%rbx,2),%eax")
REFUSE(wide_displacement, "mov 0x1000000(%r15,%rbx),%eax")
REFUSE(far_below, "mov -0x400000(%r15),%eax")
REFUSE(context, "mov %eax,-0x3fff00(%r15)")
REFUSE(no_truncation, "mov %gs:4(%rbx,%rcx,4),%eax")
REFUSE(fs_host, "mov %fs:(%rbx),%eax")
REFUSE(wide_index, "mov (%r15,%r9),%eax")
REFUSE(sign_extended_spill, "movslq %eax,%rbx\nmov (%r15,%rbx),%eax")
REFUSE(wide_add, "add $1,%rbx")
REFUSE(wide_pointer, "lea (%r15,%rsi),%rsi\nmov (%rsi),%eax\nmov %esi,%esi")
REFUSE(pointer_left, "lea (%r15,%rsi),%rsi")
REFUSE(bit_number, "bts %eax,(%r15,%rbx)")
REFUSE(stack_far, "mov 0x200000(%rsp),%eax")
REFUSE(stack_index, "mov (%rsp,%rax),%eax")
REFUSE(stack_drift, "lea 16(%rsp),%rsp")
REFUSE(stack_drift_twice, "mov (%rsp),%eax\nlea 16(%rsp),%rsp\nlea 16(%rsp),%rsp")
REFUSE(stack_drift_prefetch, "prefetchnta (%rsp)\nlea 16(%rsp),%rsp")
REFUSE(stack_drift_joined, "test %eax,%eax\nje 1f\nmov (%rsp),%eax\n1: lea 16(%rsp),%rsp")
REFUSE(stack_leap, "mov (%rsp),%eax\nlea 0x100000(%rsp),%rsp")
REFUSE(stack_add, "add $16,%rsp")
REFUSE(stack_mov, "mov %rax,%rsp")
REFUSE(stack_esp, "mov %eax,%esp")
REFUSE(push_host, "push %rax")
REFUSE(pop_host, "pop %rax")
REFUSE(window_changed, "mov %eax,%r15d")
REFUSE(table_changed, "lea (%r15,%rax),%r14")
REFUSE(call_host, "call code_call_host_end")
REFUSE(ret_host, "ret")
REFUSE(system_call, "syscall")
REFUSE(software_interrupt, "int $0x80")
REFUSE(breakpoint, "int3")
REFUSE(halt, "hlt")
REFUSE(port, "in $0x80,%al")
REFUSE(write_gs, "wrgsbase %rax")
REFUSE(load_segment, "mov %eax,%fs")
REFUSE(read_counter, "rdpmc")
REFUSE(identify, "cpuid")
REFUSE(flags_whole, "popfq")
REFUSE(interrupts_off, "cli")
REFUSE(vector, "vmovups (%r15,%rax),%ymm0")
REFUSE(transaction, "xbegin code_transaction")
REFUSE(save_state, "xsave (%r15,%rax)")
REFUSE(nop_for_now, ".byte 0x0f,0x1c,0xc0")
REFUSE(nop_hint, ".byte 0x0f,0x1a,0xc1")
REFUSE(nop_numbered, ".byte 0x0f,0x1f,0xcd")
REFUSE(reads_segment, "mov %es,0x10(%rsp)")
REFUSE(address_of_scratch, "mov %gs:4(%r11d),%r9d")
REFUSE(address_of_scratch_wide, "mov (%r15,%r11),%r9d")
REFUSE(two_segments, ".byte 0x65,0x26,0x0f,0x7f,0x41,0x10")
REFUSE(rex_twice, ".byte 0x48,0x41,0x89,0xc0")
REFUSE(prefix_after_rex, ".byte 0x41,0x66,0x89,0xc0")
REFUSE(idle_prefix, ".byte 0x26,0x89,0xc1")
REFUSE(reads_window, "mov %r15d,%eax")
REFUSE(reads_table_word, "mov %r14w,%ax")
REFUSE(reads_window_by_lea, "lea 4(%r15),%eax")
REFUSE(reads_scratch, "mov %r13d,%eax")
REFUSE(reads_scratch_by_lea, "lea (%r9,%rbx),%eax")
REFUSE(reads_stack_whole, "mov %rsp,(%r15,%rbx)")
REFUSE(budget_grows, "lea -9(%r12),%r12\nlea 10(%r12),%r12")
REFUSE(budget_grows_joined, "je 1f\nsub $9,%r12\n1: lea 9(%r12),%r12")
REFUSE(budget_grows_by_sub, "sub $-1,%r12")
REFUSE(budget_falls_far, "sub $10000,%r12")
REFUSE(budget_narrow, "lea -9(%r12d),%r12d")
REFUSE(budget_set, "mov $9,%r12d")
REFUSE(budget_read, "mov %r12d,%eax")
REFUSE(budget_elsewhere, "movzbl -0x200000(%r14,%r12),%r11d")
REFUSE(budget_kept, "movzbl -0x100000(%r14,%r12),%eax")
REFUSE(reads_vector, "movaps %xmm9,%xmm0")
REFUSE(sets_vector, "movaps %xmm0,%xmm8")
REFUSE(unit_state, "fnstenv (%r15,%rax)")
REFUSE(unit_save, "fnsave (%r15,%rax)")
REFUSE(vector_save, "fxsave (%r15,%rax)")
REFUSE(vector_load, "fxrstor (%r15,%rax)")
REFUSE(jump_register, "jmp *%rax")
REFUSE(jump_table_wide, "jmp *(%r14,%r9,8)")
REFUSE(jump_table_scale, "mov %eax,%r9d\njmp *(%r14,%r9,4)")
REFUSE(jump_table_beside, "mov %eax,%r9d\njmp *8(%r14,%r9,8)")
REFUSE(jump_memory, "jmp *(%r15,%rax)")
REFUSE(jump_nowhere, ".byte 0xe9\n.long 0x100000")
REFUSE(jump_into_enter, ".byte 0xe9\n.long 0xa0 - 0x2000 - 5")
REFUSE(jump_into_insn, "jmp 1f + 1\n1: mov $0x12345678,%eax")
REFUSE(jump_back_into, "nop\n1: mov (%r15,%rax),%eax\njmp 1b")
REFUSE(hidden_join, "test %eax,%eax\nje 1f\nmov %rax,%r9\n1: mov (%r15,%r9),%eax")
REFUSE_RAW(runs_on, "mov $1,%eax")
REFUSE_RAW(nothing, "")
REFUSE_RAW(cut_short, ".byte 0xe9, 0")

ACCEPT(jump_table, "mov (%rsp),%r9d\nlea 4(%rsp),%rsp\njmp *(%r14,%r9,8)")

/* Counters of hits: one byte of their own room (image.h), and nothing beside it. */
ACCEPT(hit, "movzbl -0x111000(%r14),%r8d\nlea 1(%r8),%r8d\nmov %r8b,-0x111000(%r14)")
ACCEPT(hit_last, "movzbl -0x101001(%r14),%r8d\nmov %r8b,-0x101001(%r14)")
REFUSE(hit_below, "movzbl -0x111001(%r14),%r8d")
REFUSE(hit_beyond, "movzbl -0x101000(%r14),%r8d")
REFUSE(hit_wide, "mov -0x111000(%r14),%r8d")
REFUSE(hit_indexed, "movzbl -0x111000(%r14,%rax),%r8d")
REFUSE(hit_by_lea, "lea -0x111000(%r14),%eax")

/* Mutants: one byte of a known-good block replaced by each other value. */

CODE(victim, "mov 8(%r15,%rbx),%eax\nmov %eax,-4(%rsp)\nlea -4(%rsp),%rsp\n"
             "mov %gs:0x1000(%ebx,%ecx,4),%edx\nadd %edx,%eax\njne 1f\n"
             "mov 0xcc(%r15),%r9d\nlea (%r9,%rcx,4),%r9d\nmov %eax,(%r15,%r9)\n"
             "1: mov (%rsp),%r9d\nlea 4(%rsp),%rsp\njmp *(%r14,%r9,8)");

/* An instruction of an accepted mutant, by Capstone's text: memory through the window, gs or rsp.
 */
static bool is_inside(const cs_insn *insn)
{
    const char *text = insn->op_str;
    bool computes = !strcmp(insn->mnemonic, "lea") || !strncmp(insn->mnemonic, "nop", 3);
    if (computes || !strchr(text, '['))
        return true;
    if (!strcmp(insn->mnemonic, "jmp"))
        return strstr(text, "[r14 + ") && strstr(text, "*8]"); /* any guest address */
    return strstr(text, "[r15") || strstr(text, "gs:[") || strstr(text, "[rsp");
}

static void check_accepted(csh handle, const uint8_t *mutant, size_t len)
{
    cs_insn *insn;
    size_t count = cs_disasm(handle, mutant, len, PLACE, 0, &insn);
    ck_assert_uint_gt(count, 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(is_inside(&insn[i]), "accepted: %s %s", insn[i].mnemonic, insn[i].op_str);
    cs_free(insn, count);
}

START_TEST(test_mutants)
{
    size_t len = (size_t)(code_victim_end - code_victim);
    unsigned accepted = 0, refused = 0;
    uint8_t mutant[256];
    struct verify_finding f;
    csh handle;
    ck_assert_uint_lt(len, sizeof(mutant));
    ck_assert(verify(code_victim, code_victim_end, &f));
    ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_64, &handle), CS_ERR_OK);
    for (size_t at = 0; at < len; at++)
        for (unsigned value = 0; value < 256; value++) {
            memcpy(mutant, code_victim, len);
            mutant[at] = (uint8_t)value;
            if (!verify(mutant, mutant + len, &f)) {
                refused++;
                continue;
            }
            accepted++;
            check_accepted(handle, mutant, len);
        }
    cs_close(&handle);
    ck_assert_uint_gt(refused, accepted);
}
END_TEST

int main(void)
{
    struct verifier *probe;
    if (verifier_create(&probe)) {
        puts("no Zydis");
        return 77;
    }
    verifier_destroy(probe);
    Suite *suite = suite_create("verify");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_window);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_gs_narrow);
    tcase_add_test(tc, test_stack);
    tcase_add_test(tc, test_set_stack);
    tcase_add_test(tc, test_strings);
    tcase_add_test(tc, test_thread);
    tcase_add_test(tc, test_branch);
    tcase_add_test(tc, test_loop_to_start);
    tcase_add_test(tc, test_units);
    tcase_add_test(tc, test_divide);
    tcase_add_test(tc, test_counts);
    tcase_add_test(tc, test_asks);
    tcase_add_test(tc, test_budget_grows);
    tcase_add_test(tc, test_budget_grows_joined);
    tcase_add_test(tc, test_budget_grows_by_sub);
    tcase_add_test(tc, test_budget_falls_far);
    tcase_add_test(tc, test_budget_narrow);
    tcase_add_test(tc, test_budget_set);
    tcase_add_test(tc, test_budget_read);
    tcase_add_test(tc, test_budget_elsewhere);
    tcase_add_test(tc, test_budget_kept);
    tcase_add_test(tc, test_host_read);
    tcase_add_test(tc, test_host_absolute);
    tcase_add_test(tc, test_rip_relative);
    tcase_add_test(tc, test_other_base);
    tcase_add_test(tc, test_folded_shift_past_the_guards);
    tcase_add_test(tc, test_wide_displacement);
    tcase_add_test(tc, test_far_below);
    tcase_add_test(tc, test_context);
    tcase_add_test(tc, test_no_truncation);
    tcase_add_test(tc, test_fs_host);
    tcase_add_test(tc, test_wide_index);
    tcase_add_test(tc, test_sign_extended_spill);
    tcase_add_test(tc, test_wide_add);
    tcase_add_test(tc, test_wide_pointer);
    tcase_add_test(tc, test_pointer_left);
    tcase_add_test(tc, test_bit_number);
    tcase_add_test(tc, test_stack_far);
    tcase_add_test(tc, test_stack_index);
    tcase_add_test(tc, test_stack_drift);
    tcase_add_test(tc, test_stack_drift_twice);
    tcase_add_test(tc, test_stack_drift_prefetch);
    tcase_add_test(tc, test_stack_drift_joined);
    tcase_add_test(tc, test_stack_leap);
    tcase_add_test(tc, test_stack_add);
    tcase_add_test(tc, test_stack_mov);
    tcase_add_test(tc, test_stack_esp);
    tcase_add_test(tc, test_push_host);
    tcase_add_test(tc, test_pop_host);
    tcase_add_test(tc, test_window_changed);
    tcase_add_test(tc, test_table_changed);
    tcase_add_test(tc, test_call_host);
    tcase_add_test(tc, test_ret_host);
    tcase_add_test(tc, test_system_call);
    tcase_add_test(tc, test_software_interrupt);
    tcase_add_test(tc, test_breakpoint);
    tcase_add_test(tc, test_halt);
    tcase_add_test(tc, test_port);
    tcase_add_test(tc, test_write_gs);
    tcase_add_test(tc, test_load_segment);
    tcase_add_test(tc, test_read_counter);
    tcase_add_test(tc, test_identify);
    tcase_add_test(tc, test_flags_whole);
    tcase_add_test(tc, test_interrupts_off);
    tcase_add_test(tc, test_vector);
    tcase_add_test(tc, test_transaction);
    tcase_add_test(tc, test_save_state);
    tcase_add_test(tc, test_nop_for_now);
    tcase_add_test(tc, test_nop_hint);
    tcase_add_test(tc, test_nop_numbered);
    tcase_add_test(tc, test_reads_segment);
    tcase_add_test(tc, test_fence_any_form);
    tcase_add_test(tc, test_address_of_scratch);
    tcase_add_test(tc, test_address_of_scratch_wide);
    tcase_add_test(tc, test_two_segments);
    tcase_add_test(tc, test_rex_twice);
    tcase_add_test(tc, test_prefix_after_rex);
    tcase_add_test(tc, test_idle_prefix);
    tcase_add_test(tc, test_reads_window);
    tcase_add_test(tc, test_reads_table_word);
    tcase_add_test(tc, test_reads_window_by_lea);
    tcase_add_test(tc, test_reads_scratch);
    tcase_add_test(tc, test_reads_scratch_by_lea);
    tcase_add_test(tc, test_reads_stack_whole);
    tcase_add_test(tc, test_reads_vector);
    tcase_add_test(tc, test_sets_vector);
    tcase_add_test(tc, test_unit_state);
    tcase_add_test(tc, test_unit_save);
    tcase_add_test(tc, test_vector_save);
    tcase_add_test(tc, test_vector_load);
    tcase_add_test(tc, test_jump_register);
    tcase_add_test(tc, test_jump_table_wide);
    tcase_add_test(tc, test_jump_table_scale);
    tcase_add_test(tc, test_jump_table_beside);
    tcase_add_test(tc, test_jump_memory);
    tcase_add_test(tc, test_jump_nowhere);
    tcase_add_test(tc, test_jump_into_enter);
    tcase_add_test(tc, test_jump_into_insn);
    tcase_add_test(tc, test_jump_back_into);
    tcase_add_test(tc, test_hidden_join);
    tcase_add_test(tc, test_hit);
    tcase_add_test(tc, test_hit_last);
    tcase_add_test(tc, test_hit_below);
    tcase_add_test(tc, test_hit_beyond);
    tcase_add_test(tc, test_hit_wide);
    tcase_add_test(tc, test_hit_indexed);
    tcase_add_test(tc, test_hit_by_lea);
    tcase_add_test(tc, test_runs_on);
    tcase_add_test(tc, test_nothing);
    tcase_add_test(tc, test_cut_short);
    tcase_add_test(tc, test_jump_table);
    tcase_add_test(tc, test_mutants);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
