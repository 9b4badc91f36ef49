/* SPDX-License-Identifier: MIT */
/*
 * The flat machine in the interpreter: traps, virtual instructions, ports,
 * privileged and ambiguous instructions, hostile contexts.
 */
#include "testsuite/unit/interp_rig.h"

/* Traps and virtual instructions */

START_TEST(int_n_without_entry_is_gp)
{
    PUT("\xcd\x80");
    want_fault(CPU_GP, CODE);
    ck_assert_uint_eq(cpu->fault.error, 0x80 * 8 + 2);
    PUT("\xcd\x03");
    poke32(flat.trap_entry, 0x18000);
    want_fault(CPU_BP, CODE); /* INT 3 in two bytes is INT3 */
}
END_TEST

START_TEST(int_n_jumps_to_the_trap_entry)
{
    poke32(flat.trap_entry, 0x18000);
    poke32(flat.intr_enabled, 5);
    PUT("\xcd\x80");
    poke(0x18000, "\x0f\xb9\xc3", 3); /* trapret */
    struct cpu before = *cpu;
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, 0x18000);
    ck_assert_uint_eq(peek32(flat.trap_eip), CODE + 2);
    ck_assert_uint_eq(peek32(flat.trap_number), 0x80);
    ck_assert_uint_eq(peek32(flat.trap_enabled), 5);
    ck_assert_uint_eq(peek32(flat.intr_enabled), 0);
    ck_assert_uint_eq(cpu->eflags, before.eflags);
    ck_assert_mem_eq(cpu->gpr, before.gpr, sizeof(cpu->gpr));

    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, CODE + 2);
    ck_assert_uint_eq(peek32(flat.intr_enabled), 5);
}
END_TEST

START_TEST(trapret_exits_when_something_is_pending)
{
    poke32(flat.trap_eip, 0x19000);
    poke32(flat.pending, 4);
    PUT("\x0f\xb9\xc3");
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET); /* not enabled: no exit */
    ck_assert_uint_eq(cpu->eip, 0x19000);
    cpu->eip = CODE;
    poke32(flat.trap_enabled, 1);
    ck_assert_int_eq(run(1), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(cpu->exit.hypercall, 3);
    ck_assert_uint_eq(cpu->eip, 0x19000);
    ck_assert_uint_eq(cpu->icount, 2);
}
END_TEST

START_TEST(resume_loads_everything)
{
    uint32_t context[12] = {0x12345, 0xffffffff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xdead};
    poke(DATA, context, sizeof(context));
    cpu->gpr[ISA_EAX] = DATA;
    PUT("\x0f\xb9\xc2");
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, 0x12345);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(cpu->gpr[i], i + 1);
    ck_assert_uint_eq(peek32(flat.intr_enabled), 9);
    ck_assert_uint_eq(cpu->eflags, 0x202 | FLAGS_USER); /* no IOPL, NT, VM, RF */
    context[1] = 0;
    context[11] = 0;
    poke(DATA, context, sizeof(context));
    poke32(flat.pending, 1);
    cpu->eip = CODE;
    cpu->gpr[ISA_EAX] = DATA;
    ck_assert_int_eq(run(1), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(cpu->exit.hypercall, 2);
    ck_assert_uint_eq(cpu->eflags, 0x202);
    ck_assert_uint_eq(cpu->eip, 0x12345);
}
END_TEST

START_TEST(resume_of_hostile_contexts)
{
    static const uint32_t at[] = {RAM_BYTES - 44, RAM_BYTES, 0xffffffff, 0xfffffff0, 0x80000000};
    PUT("\x0f\xb9\xc2");
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        cpu->gpr[ISA_EAX] = at[i];
        struct cpu before = *cpu;
        uint32_t refused = at[i] == RAM_BYTES - 44 ? RAM_BYTES : at[i];
        want_page_fault(CODE, refused, CPU_PF_USER);
        ck_assert_ptr_null(state_compare(&cpu_state_list, &before, cpu));
    }
    cpu->gpr[ISA_EAX] = RAM_BYTES - 48; /* the last that fits */
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, 0);
}
END_TEST

/* The guest takes its own register page away: the host must not mind. */
START_TEST(words_in_refused_memory)
{
    protect(0, PAGE_SIZE, HOST_NONE);
    PUT("\xcd\x80");
    want_fault(CPU_GP, CODE);
    PUT("\x0f\xb9\xc3");
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, 0);
    protect(0, PAGE_SIZE, HOST_R);
    cpu->eip = CODE;
    poke(DATA, "\0", 1);
    PUT("\x64\xa1\x00\x00\x02\x00"); /* mov eax, fs:[DATA] */
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
}
END_TEST

START_TEST(hypercalls)
{
    PUT("\x0f\xb9\xc0\x0f\xb9\xff"); /* functions 0 and 63 */
    ck_assert_int_eq(run(9), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(cpu->exit.hypercall, 0);
    ck_assert_uint_eq(cpu->exit.length, 3);
    ck_assert_uint_eq(cpu->eip, CODE + 3);
    ck_assert_int_eq(run(9), ENGINE_EXIT_HYPERCALL);
    ck_assert_uint_eq(cpu->exit.hypercall, 63);
    ck_assert_uint_eq(cpu->icount, 2);
    PUT("\x0f\xb9\x03"); /* with memory it stays undefined */
    cpu->eip = CODE;
    want_fault(CPU_UD, CODE);
}
END_TEST

struct port_case {
    const char *code;
    uint16_t port;
    uint8_t size, write, length;
};

START_TEST(ports)
{
    static const struct port_case cases[] = {
        {"\xed\x90", 0x1234, 4, 0, 1}, {"\x66\xed", 0x1234, 2, 0, 2}, {"\xec\x90", 0x1234, 1, 0, 1},
        {"\xef\x90", 0x1234, 4, 1, 1}, {"\x66\xef", 0x1234, 2, 1, 2}, {"\xee\x90", 0x1234, 1, 1, 1},
        {"\xe5\x80", 0x80, 4, 0, 2},   {"\xe6\xf4", 0xf4, 1, 1, 2},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        cpu->eip = CODE;
        cpu->gpr[ISA_EDX] = 0xffff1234;
        poke(CODE, cases[i].code, 2);
        ck_assert_int_eq(run(5), ENGINE_EXIT_PORT);
        ck_assert_uint_eq(cpu->exit.port, cases[i].port);
        ck_assert_uint_eq(cpu->exit.port_size, cases[i].size);
        ck_assert_uint_eq(cpu->exit.port_write, cases[i].write);
        ck_assert_uint_eq(cpu->exit.length, cases[i].length);
        ck_assert_uint_eq(cpu->eip, CODE + cases[i].length);
    }
}
END_TEST

START_TEST(privileged_and_traps)
{
    static const struct {
        const char *code;
        unsigned vector;
    } cases[] = {
        {"\xf4", CPU_GP},         {"\xfa", CPU_GP},         {"\xfb", CPU_GP},
        {"\x0f\x01\x13", CPU_GP}, {"\x0f\x20\xc0", CPU_GP}, {"\x0f\x22\xc0", CPU_GP},
        {"\x0f\x21\xc0", CPU_GP}, {"\x0f\x32", CPU_GP},     {"\x0f\x06", CPU_GP},
        {"\x6c", CPU_GP},         {"\x6f", CPU_GP},         {"\x0f\x34", CPU_GP},
        {"\xcc", CPU_BP},         {"\xf1", CPU_DB},         {"\x0f\x0b", CPU_UD},
        {"\xd4\x00", CPU_DE},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        cpu->eip = CODE;
        poke(CODE, cases[i].code, strlen(cases[i].code) + 1);
        want_fault(cases[i].vector, CODE);
    }
}
END_TEST

START_TEST(into_and_bound)
{
    int32_t bounds[2] = {-5, 10};
    poke(DATA, bounds, sizeof(bounds));
    cpu->gpr[ISA_EBX] = DATA;
    PUT("\xce\x62\x03\x90"); /* into; bound eax, [ebx] */
    cpu->gpr[ISA_EAX] = (uint32_t)-5;
    ck_assert_int_eq(run(3), ENGINE_EXIT_BUDGET);
    cpu->eip = CODE;
    cpu->gpr[ISA_EAX] = 11;
    want_fault(CPU_BR, CODE + 1);
    cpu->eip = CODE;
    cpu->eflags |= ISA_F_O;
    want_fault(CPU_OF, CODE);
}
END_TEST

START_TEST(divide_errors_do_not_kill_the_host)
{
    static const char *const code[] = {"\xf7\xfb", "\xf7\xf3", "\x66\xf7\xfb", "\xf6\xfb",
                                       "\xf6\xf3"};
    static const uint32_t divisor[] = {0, 1, 0xffffffff};
    for (unsigned i = 0; i < ARRAY_LEN(code); i++) {
        for (unsigned d = 0; d < ARRAY_LEN(divisor); d++) {
            cpu->eip = CODE;
            poke(CODE, code[i], strlen(code[i]));
            cpu->gpr[ISA_EAX] = 0x8000;
            cpu->gpr[ISA_EDX] = i == 1 && divisor[d] > 1 ? 0xffffffff : 0x80000000;
            if (i == 2)
                cpu->gpr[ISA_EDX] = 0x8000;
            cpu->gpr[ISA_EBX] = divisor[d];
            if (i > 2 && divisor[d] > 1) /* AX fits these quotients or not, but must not crash */
                ck_assert(run(1) == ENGINE_EXIT_FAULT || cpu->eip == CODE + 2);
            else
                want_fault(CPU_DE, CODE);
        }
    }
    cpu->gpr[ISA_EAX] = 0;
    cpu->gpr[ISA_EDX] = 0x80000000; /* the most negative dividend by -1 */
    cpu->gpr[ISA_EBX] = 0xffffffff;
    cpu->eip = CODE;
    PUT("\xf7\xfb");
    want_fault(CPU_DE, CODE);
}
END_TEST

/* Flags as the flat machine shows them */

START_TEST(pushf_and_popf)
{
    PUT("\x9c\x58\x9d\x9c\x5b"); /* pushf; pop eax; popf; pushf; pop ebx */
    poke32(STACK, 0xffffffff & ~(uint32_t)ISA_F_I);
    ck_assert_int_eq(run(3), ENGINE_EXIT_BUDGET);
    want_fault(CPU_DB, CODE + 4); /* TF is among them: a trap after the second PUSHF, */
    want_fault(CPU_DB, CODE + 5); /* and one after the last */
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 0x202);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], 0x202 | FLAGS_USER);
}
END_TEST

START_TEST(popf_of_16_bits_keeps_the_upper_half)
{
    PUT("\x66\x9d");
    cpu->eflags |= FLAGS_ID | FLAGS_AC;
    poke32(STACK, 0);
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eflags, 0x202 | FLAGS_ID | FLAGS_AC);
    ck_assert_uint_eq(cpu->gpr[ISA_ESP], STACK + 2);
}
END_TEST

/* Ambiguous instructions */

START_TEST(segment_registers_only_remember)
{
    /* mov ds, eax; mov ebx, ds; mov ecx, [DATA] */
    PUT("\x8e\xd8\x8c\xdb\x8b\x0d\x00\x00\x02\x00");
    poke32(DATA, 77);
    cpu->gpr[ISA_EAX] = 0xffff1237;
    ck_assert_int_eq(run(3), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EBX], 0x1237);
    ck_assert_uint_eq(cpu->gpr[ISA_ECX], 77);
}
END_TEST

START_TEST(far_transfers)
{
    /* lcall 0x77:CODE+9; nop; nop -- at CODE+9: lret */
    PUT("\x9a\x09\x00\x01\x00\x77\x00\x90\x90\xcb");
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, CODE + 9);
    ck_assert_uint_eq(cpu->seg[ISA_CS].selector, 0x77);
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->eip, CODE + 7);
    ck_assert_uint_eq(cpu->gpr[ISA_ESP], STACK);
}
END_TEST

START_TEST(tables_are_empty)
{
    poke(DATA, "\xff\xff\xff\xff\xff\xff\xff", 7);
    cpu->gpr[ISA_EBX] = DATA;
    cpu->gpr[ISA_EAX] = 0x10;
    cpu->eflags |= ISA_F_Z;
    PUT("\x0f\x01\x0b\x0f\x00\xc9\x0f\x02\xd0"); /* sidt [ebx]; str ecx; lar edx, eax */
    cpu->gpr[ISA_EDX] = 3;
    ck_assert_int_eq(run(3), ENGINE_EXIT_BUDGET);
    ck_assert_mem_eq(ram_base(ram) + DATA, "\0\0\0\0\0\0\xff", 7);
    ck_assert_uint_eq(cpu->gpr[ISA_ECX], 0);
    ck_assert_uint_eq(cpu->gpr[ISA_EDX], 3);
    ck_assert(!(cpu->eflags & ISA_F_Z));
}
END_TEST

/* Time and identity */

static uint64_t fixed_tsc(void *opaque)
{
    return ++*(uint64_t *)opaque;
}

START_TEST(rdtsc_from_the_clock)
{
    uint64_t tsc = 0x123456789a;
    cpu->virtual_tsc = 1;
    cpu->read_tsc = fixed_tsc;
    cpu->read_tsc_opaque = &tsc;
    PUT("\x0f\x31");
    ck_assert_int_eq(run(1), ENGINE_EXIT_BUDGET);
    ck_assert_uint_eq(cpu->gpr[ISA_EAX], 0x3456789b);
    ck_assert_uint_eq(cpu->gpr[ISA_EDX], 0x12);
}
END_TEST

static const TTest *const *const tests[] = {
    &int_n_without_entry_is_gp,
    &int_n_jumps_to_the_trap_entry,
    &trapret_exits_when_something_is_pending,
    &resume_loads_everything,
    &resume_of_hostile_contexts,
    &words_in_refused_memory,
    &hypercalls,
    &ports,
    &privileged_and_traps,
    &into_and_bound,
    &divide_errors_do_not_kill_the_host,
    &pushf_and_popf,
    &popf_of_16_bits_keeps_the_upper_half,
    &segment_registers_only_remember,
    &far_transfers,
    &tables_are_empty,
    &rdtsc_from_the_clock,
};

int main(void)
{
    return rig_main("interp_flat", tests, ARRAY_LEN(tests));
}
