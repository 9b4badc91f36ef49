/* SPDX-License-Identifier: MIT */
/*
 * The interpreter where the host processor cannot be the oracle: budgets,
 * faults at page and RAM ends, string faults midway, self-modification. Ordinary
 * instructions are held against the processor itself elsewhere.
 */
#include "testsuite/unit/interp_rig.h"

/* Budgets and stopping */

START_TEST(budget_is_exact)
{
    PUT("\x40\x40\x40\x40\xeb\xfa"); /* inc eax x 4; jmp back */
    ck_assert_int_eq(run(0), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, CODE);
    ck_assert_int_eq(run(3), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 3);
    ck_assert_uint_eq(cpu->eip, CODE + 3);
    ck_assert_int_eq(run(1000 * 5), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 4003);
    ck_assert_uint_eq(cpu->icount, 5003);
}
END_TEST

START_TEST(stop_is_seen_once)
{
    PUT("\xeb\xfe");
    engine_stop(cpu);
    ck_assert_int_eq(run(ENGINE_UNLIMITED), ENGINE_EXIT_STOP);
    ck_assert_int_eq(run(7), ENGINE_EXIT_BUDGET);
}
END_TEST

START_TEST(faulting_instruction_is_not_counted)
{
    PUT("\x90\x90\x0f\x0b"); /* nop; nop; ud2 */
    want_fault(CPU_UD, CODE + 2);
    ck_assert_uint_eq(cpu->fault.has_error, 0);
    ck_assert_uint_eq(cpu->icount, 2);
}
END_TEST

/* Fetching */

START_TEST(fetch_at_ends)
{
    cpu->eip = RAM_BYTES;
    want_page_fault(RAM_BYTES, RAM_BYTES, CPU_PF_USER | CPU_PF_FETCH);
    cpu->eip = 0xfffffffe;
    want_page_fault(0xfffffffe, 0xfffffffe, CPU_PF_USER | CPU_PF_FETCH);
    cpu->eip = RAM_BYTES - 2; /* mov eax, imm32 that RAM's end cuts */
    poke(RAM_BYTES - 2, "\xb8\x01", 2);
    want_page_fault(RAM_BYTES - 2, RAM_BYTES, CPU_PF_USER | CPU_PF_FETCH);
    poke(RAM_BYTES - 2, "\x40\x40", 2); /* two that fit are executed */
    want_page_fault(RAM_BYTES, RAM_BYTES, CPU_PF_USER | CPU_PF_FETCH);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 2);
}
END_TEST

START_TEST(fetch_from_refused_page)
{
    protect(0x30000, PAGE_SIZE, HOST_NONE);
    cpu->eip = 0x30010;
    want_page_fault(0x30010, 0x30010, CPU_PF_USER | CPU_PF_FETCH);
    poke(0x2fffd, "\x90\xc7\x00", 3); /* the second instruction crosses into it */
    cpu->eip = 0x2fffd;
    want_page_fault(0x2fffe, 0x30000, CPU_PF_USER | CPU_PF_FETCH);
}
END_TEST

START_TEST(fetch_across_readable_pages)
{
    poke(0x2fffd, "\x66\xc7\x05\x00\x00\x02\x00\x34\x12\xeb\xfe", 11);
    cpu->eip = 0x2fffd;
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(peek32(DATA), 0x1234);
    ck_assert_uint_eq(cpu->eip, 0x30006);
}
END_TEST

START_TEST(undecodable_instructions)
{
    PUT("\x0f\xff\xff"); /* ud0 */
    want_fault(CPU_UD, CODE);
    PUT("\xf0\x40"); /* lock inc eax */
    want_fault(CPU_UD, CODE);
    PUT("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90");
    want_fault(CPU_GP, CODE);
    ck_assert_uint_eq(cpu->fault.error, 0);
}
END_TEST

/* Data faults */

START_TEST(read_and_write_faults)
{
    protect(0x30000, PAGE_SIZE, HOST_R);
    protect(0x31000, PAGE_SIZE, HOST_NONE);
    poke(0x2fffc, "1234", 4);
    cpu->gpr[ISA_EBX] = 0x30ffe;
    PUT("\x8b\x03"); /* mov eax, [ebx] */
    want_page_fault(CODE, 0x31000, CPU_PF_USER);
    PUT("\x89\x03"); /* mov [ebx], eax */
    want_page_fault(CODE, 0x30ffe, CPU_PF_USER | CPU_PF_WRITE | CPU_PF_PRESENT);
    cpu->gpr[ISA_EBX] = 0x2fffe; /* the first page would take it, the second does not */
    want_page_fault(CODE, 0x30000, CPU_PF_USER | CPU_PF_WRITE | CPU_PF_PRESENT);
    ck_assert_int_eq(memcmp(ram_base(ram) + 0x2fffc, "1234", 4), 0);
    cpu->gpr[ISA_EBX] = 0xffffffff;
    want_page_fault(CODE, 0xffffffff, CPU_PF_USER | CPU_PF_WRITE);
    cpu->gpr[ISA_EBX] = RAM_BYTES - 2;
    want_page_fault(CODE, RAM_BYTES, CPU_PF_USER | CPU_PF_WRITE);
}
END_TEST

/* What is read to be written faults as a write, and changes neither flags nor registers. */
START_TEST(read_modify_write_faults)
{
    static const char *const code[] = {
        "\x01\x03",     /* add [ebx], eax */
        "\xff\x03",     /* inc dword [ebx] */
        "\xf7\x1b",     /* neg dword [ebx] */
        "\x0f\xc1\x03", /* xadd [ebx], eax */
        "\x0f\xb1\x03", /* cmpxchg [ebx], eax */
        "\x0f\xc7\x0b", /* cmpxchg8b [ebx] */
        "\x87\x03",     /* xchg [ebx], eax */
        "\xd1\x13",     /* rcl dword [ebx], 1 */
        "\x0f\xab\x03", /* bts [ebx], eax */
    };
    protect(0x30000, PAGE_SIZE, HOST_R);
    for (unsigned i = 0; i < ARRAY_LEN(code); i++) {
        cpu->gpr[ISA_EBX] = 0x30010;
        cpu->gpr[ISA_EAX] = 7;
        cpu->eflags = 0x202 | ISA_F_C | ISA_F_Z;
        struct cpu before = *cpu;
        poke(CODE, code[i], strlen(code[i]));
        want_page_fault(CODE, 0x30010, CPU_PF_USER | CPU_PF_WRITE | CPU_PF_PRESENT);
        ck_assert_ptr_null(state_compare(&cpu_state_list, &before, cpu));
    }
}
END_TEST

START_TEST(segment_bases)
{
    poke32(flat.fs_base, DATA);
    poke32(flat.gs_base, 0xfffff000);
    poke32(DATA + 8, 0x11223344);
    PUT("\x64\xa1\x08\x00\x00\x00\x65\x8b\x1d\x08\x10\x02\x00"); /* mov eax, fs:[8]; mov ebx, gs:[]
                                                                  */
    ck_assert_int_eq(run(2), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 0x11223344);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], 0x11223344); /* base + offset wraps at 4 GiB */
    cpu->eip = CODE;
    poke32(flat.fs_base, 0x80000000);
    want_page_fault(CODE, 0x80000008, CPU_PF_USER);
}
END_TEST

START_TEST(stack_faults_change_nothing)
{
    static const char code[][6] = {
        "\x50", "\x60",    "\xe8\x01\x02\x03\x04", "\xc8\x10\x00\x00", "\xc8\x00\x00\x03",
        "\x9c", "\xff\x31"};
    protect(STACK - PAGE_SIZE, PAGE_SIZE, HOST_R);
    for (unsigned i = 0; i < ARRAY_LEN(code); i++) {
        cpu->gpr[ISA_EBP] = cpu->gpr[ISA_ECX] = STACK + 0x100;
        struct cpu before = *cpu;
        poke(CODE, code[i], 5);
        want_fault(CPU_PF, CODE);
        ck_assert_ptr_null(state_compare(&cpu_state_list, &before, cpu));
    }
}
END_TEST

/* PUSHA that crosses into a refused page writes nothing. */
START_TEST(pusha_is_all_or_nothing)
{
    protect(STACK - PAGE_SIZE, PAGE_SIZE, HOST_R);
    poke32(STACK + 12, 0x55555555);
    cpu->gpr[ISA_ESP] = STACK + 16;
    PUT("\x60");
    want_page_fault(CODE, STACK - 4, CPU_PF_USER | CPU_PF_WRITE | CPU_PF_PRESENT);
    ck_assert_uint_eq(peek32(STACK + 12), 0x55555555);
    ck_assert_uint_eq(cpu->gpr[ISA_ESP], STACK + 16);
}
END_TEST

START_TEST(pop_to_refused_memory_keeps_esp)
{
    PUT("\x8f\x03"); /* pop [ebx] */
    cpu->gpr[ISA_EBX] = RAM_BYTES;
    want_page_fault(CODE, RAM_BYTES, CPU_PF_USER | CPU_PF_WRITE);
    ck_assert_uint_eq(cpu->gpr[ISA_ESP], STACK);
}
END_TEST

/* String instructions */

START_TEST(rep_movs_faults_midway)
{
    protect(0x31000, PAGE_SIZE, HOST_R);
    memcpy(ram_base(ram) + DATA, "abcdefghijkl", 12);
    cpu->gpr[ISA_ESI] = DATA;
    cpu->gpr[ISA_EDI] = 0x31000 - 6;
    cpu->gpr[ISA_ECX] = 6;
    PUT("\xf3\x66\xa5"); /* rep movsw */
    want_page_fault(CODE, 0x31000, CPU_PF_USER | CPU_PF_WRITE | CPU_PF_PRESENT);
    ck_assert_uint_eq(cpu->gpr[ISA_ECX], 3);
    ck_assert_uint_eq(cpu->gpr[ISA_ESI], DATA + 6);
    ck_assert_uint_eq(cpu->gpr[ISA_EDI], 0x31000);
    ck_assert_mem_eq(ram_base(ram) + 0x31000 - 6, "abcdef", 6);

    protect(0x31000, PAGE_SIZE, HOST_R | HOST_W); /* and it goes on where it was */
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_ECX], 0);
    ck_assert_mem_eq(ram_base(ram) + 0x31000 - 6, "abcdefghijkl", 12);
    ck_assert_uint_eq(cpu->icount, 1);
}
END_TEST

/* An element that a page end cuts is moved whole or not at all. */
START_TEST(rep_stos_element_across_refused_page)
{
    protect(0x31000, PAGE_SIZE, HOST_R);
    cpu->gpr[ISA_EAX] = 0x41414141;
    cpu->gpr[ISA_EDI] = 0x31000 - 6;
    cpu->gpr[ISA_ECX] = 3;
    PUT("\xf3\xab");
    want_page_fault(CODE, 0x31000, CPU_PF_USER | CPU_PF_WRITE | CPU_PF_PRESENT);
    ck_assert_uint_eq(cpu->gpr[ISA_ECX], 2);
    ck_assert_uint_eq(cpu->gpr[ISA_EDI], 0x31000 - 2);
    ck_assert_mem_eq(ram_base(ram) + 0x31000 - 6, "AAAA\0\0", 6);
}
END_TEST

START_TEST(repe_cmps_fault_restores_flags)
{
    cpu->gpr[ISA_ESI] = DATA;
    cpu->gpr[ISA_EDI] = RAM_BYTES - 4;
    cpu->gpr[ISA_ECX] = 100;
    cpu->eflags = 0x202 | ISA_F_O | ISA_F_S;
    PUT("\xf3\xa6");
    want_page_fault(CODE, RAM_BYTES, CPU_PF_USER);
    ck_assert_uint_eq(cpu->gpr[ISA_ECX], 96);
    ck_assert_uint_eq(cpu->gpr[ISA_ESI], DATA + 4);
    ck_assert_uint_eq(cpu->eflags, 0x202 | ISA_F_O | ISA_F_S);
}
END_TEST

START_TEST(rep_backwards_and_16_bit)
{
    cpu->gpr[ISA_EAX] = 0x58585858;
    cpu->gpr[ISA_EDI] = DATA + 3;
    cpu->gpr[ISA_ECX] = 4;
    cpu->eflags |= ISA_F_D;
    PUT("\xf3\xaa"); /* rep stosb, down */
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(peek32(DATA), 0x58585858);
    ck_assert_uint_eq(cpu->gpr[ISA_EDI], DATA - 1);

    cpu->eip = CODE; /* with 67: DI and CX, upper halves untouched */
    cpu->eflags &= ~(uint32_t)ISA_F_D;
    cpu->gpr[ISA_EDI] = 0xabcd0008;
    cpu->gpr[ISA_ECX] = 0x12340002;
    PUT("\xf3\x67\xab");
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EDI], 0xabcd0010);
    ck_assert_uint_eq(cpu->gpr[ISA_ECX], 0x12340000);
    ck_assert_uint_eq(peek32(0x0c), 0x58585858);
}
END_TEST

/* Overlapping forward moves repeat the first element, over page ends as well. */
START_TEST(rep_movs_overlap)
{
    uint32_t start = 0x2ff80;
    poke(start, "xy", 2);
    cpu->gpr[ISA_ESI] = start;
    cpu->gpr[ISA_EDI] = start + 2;
    cpu->gpr[ISA_ECX] = 5000;
    PUT("\xf3\xa4");
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    for (unsigned i = 0; i < 5000; i++)
        ck_assert_int_eq(ram_base(ram)[start + 2 + i], i % 2 ? 'y' : 'x');
    ck_assert_int_eq(ram_base(ram)[start + 5002], 0);
    ck_assert_uint_eq(cpu->gpr[ISA_EDI], start + 5002);
}
END_TEST

START_TEST(rep_with_zero_count)
{
    cpu->gpr[ISA_ECX] = 0;
    cpu->gpr[ISA_EDI] = cpu->gpr[ISA_ESI] = 0xfffffff0;
    PUT("\xf3\xa4\xf2\xae\xf3\xa6");
    uint32_t eflags = cpu->eflags;
    ck_assert_int_eq(run(3), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eflags, eflags);
    ck_assert_uint_eq(cpu->gpr[ISA_EDI], 0xfffffff0);
}
END_TEST

/* Self-modification */

START_TEST(code_that_patches_itself)
{
    /* loop: inc eax; mov byte [loop], 0x43 (inc ebx); jmp loop */
    PUT("\x40\xc6\x05\x00\x00\x01\x00\x43\xeb\xf6");
    ck_assert_int_eq(run(9), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 1);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], 2);
}
END_TEST

START_TEST(next_instruction_is_patched)
{
    PUT("\xc6\x05\x07\x00\x01\x00\x43\x40"); /* mov byte [next], 0x43; next: inc eax */
    ck_assert_int_eq(run(2), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 0);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], 1);
}
END_TEST

START_TEST(host_writes_code)
{
    PUT("\x40\xeb\xfd");
    ck_assert_int_eq(run(2000), ENGINE_EXIT_BUDGET);
    PUT("\x43");
    engine->ops->forget(engine, cpu, CODE, 1);
    ck_assert_int_eq(run(2), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 1000);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], 1);
}
END_TEST

/* Code that runs in a page whose right is then taken away. */
START_TEST(code_page_taken_away)
{
    poke(0x30000, "\x40\xeb\xfd", 3);
    cpu->eip = 0x30000;
    ck_assert_int_eq(run(2000), ENGINE_EXIT_BUDGET);
    protect(0x30000, PAGE_SIZE, HOST_NONE);
    want_page_fault(0x30000, 0x30000, CPU_PF_USER | CPU_PF_FETCH);
}
END_TEST

static void note_code_write(void *opaque, gpa_t gpa, uint64_t len)
{
    gpa_t *seen = opaque;
    seen[0]++;
    seen[1] = gpa;
    seen[2] = len;
}

START_TEST(stores_to_marked_pages_tell_the_engine)
{
    gpa_t seen[3] = {0};
    ram_on_code_write(ram, note_code_write, seen);
    ck_assert_int_eq(ram_mark_code(ram, 0x30000, true), 0);
    PUT("\xa3\xfe\xff\x02\x00"); /* mov [0x2fffe], eax: the upper half lies in the marked page */
    cpu->gpr[ISA_EAX] = 0x11223344;
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(seen[0], 1);
    ck_assert_uint_eq(seen[1], 0x30000);
    ck_assert_uint_eq(seen[2], 2);
    ck_assert_uint_eq(peek32(0x2fffe), 0x11223344);
}
END_TEST

struct log {
    struct cpu_write_log log;
    unsigned calls;
    uint32_t before;
};

static void log_write(struct cpu_write_log *log, gpa_t gpa, uint32_t len)
{
    struct log *l = CONTAINER_OF(log, struct log, log);
    ck_assert_uint_eq(len, 4);
    l->calls++;
    l->before = peek32((uint32_t)gpa);
}

START_TEST(write_log_sees_the_old_contents)
{
    struct log log = {{log_write}, 0, 0};
    poke32(DATA, 0x55);
    cpu->write_log = &log.log;
    PUT("\xa3\x00\x00\x02\x00\xa3\x00\x00\x00\xff");
    want_fault(CPU_PF, CODE + 5); /* a refused write is not logged */
    cpu->write_log = NULL;
    ck_assert_uint_eq(log.calls, 1);
    ck_assert_uint_eq(log.before, 0x55);
}
END_TEST

/* Single steps for the translator */

START_TEST(step_is_one_instruction)
{
    PUT("\x40\xcc");
    ck_assert_int_eq(interp_step(cpu), CPU_OK);
    ck_assert_uint_eq(cpu->eip, CODE + 1);
    ck_assert_uint_eq(cpu->icount, 0);
    ck_assert_int_eq(interp_step(cpu), CPU_FAULT);
    ck_assert_uint_eq(cpu->eip, CODE + 1);
}
END_TEST

static const TTest *const *const tests[] = {
    &budget_is_exact,
    &stop_is_seen_once,
    &faulting_instruction_is_not_counted,
    &fetch_at_ends,
    &fetch_from_refused_page,
    &fetch_across_readable_pages,
    &undecodable_instructions,
    &read_and_write_faults,
    &read_modify_write_faults,
    &segment_bases,
    &stack_faults_change_nothing,
    &pusha_is_all_or_nothing,
    &pop_to_refused_memory_keeps_esp,
    &rep_movs_faults_midway,
    &rep_stos_element_across_refused_page,
    &repe_cmps_fault_restores_flags,
    &rep_backwards_and_16_bit,
    &rep_movs_overlap,
    &rep_with_zero_count,
    &code_that_patches_itself,
    &next_instruction_is_patched,
    &host_writes_code,
    &code_page_taken_away,
    &stores_to_marked_pages_tell_the_engine,
    &write_log_sees_the_old_contents,
    &step_is_one_instruction,
};

int main(void)
{
    return rig_main("interp", tests, ARRAY_LEN(tests));
}
