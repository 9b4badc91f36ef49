/* SPDX-License-Identifier: MIT */
/*
 * The interpreter where the host processor cannot be the oracle: the flat
 * machine's virtual instructions and traps, ports, budgets, faults at page and
 * RAM ends, string faults midway, self-modification, hostile contexts.
 * Ordinary instructions are held against the processor itself elsewhere.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/base/host.h"
#include "emu/cpu/engine.h"
#include "emu/cpu/interp.h"

#define RAM_BYTES (1 * MIB)
#define CODE 0x10000u
#define DATA 0x20000u
#define STACK 0x40000u

/* Where the flat machine's words are; any place will do. */
static const struct cpu_flat flat = {
    .fs_base = 0x40,
    .gs_base = 0x44,
    .trap_entry = 0x48,
    .trap_eip = 0x4c,
    .trap_number = 0x50,
    .trap_enabled = 0x54,
    .intr_enabled = 0x58,
    .pending = 0x5c,
    .trapret_code = 3,
    .resume_code = 2,
};

static struct ram *ram;
static struct cpu *cpu;
static struct engine *engine;

static void setup(void)
{
    ck_assert_int_eq(ram_create(RAM_BYTES, &ram), 0);
    ck_assert_int_eq(interp_create(&engine), 0);
    cpu = cpu_init_flat(ram, &flat);
    ck_assert_int_eq(engine->ops->attach(engine, cpu, 0), 0);
    cpu->eip = CODE;
    cpu->gpr[ISA_ESP] = STACK;
}

static void teardown(void)
{
    engine->ops->detach(engine, cpu);
    engine->ops->destroy(engine);
    ram_destroy(ram);
}

static void poke(uint32_t at, const void *bytes, size_t len)
{
    ck_assert_int_eq(ram_write(ram, at, bytes, len), 0);
}

static void poke32(uint32_t at, uint32_t value)
{
    poke(at, &value, 4);
}

static uint32_t peek32(uint32_t at)
{
    uint32_t value = 0;
    ck_assert_int_eq(ram_read(ram, at, &value, 4), 0);
    return value;
}

/* Code at CODE, from a string of bytes. */
#define PUT(text) poke(CODE, (text), sizeof(text) - 1)

static enum engine_exit run(uint64_t budget)
{
    return engine_run(cpu, budget);
}

/* Runs and wants a fault at `eip`. */
static void want_fault(unsigned vector, uint32_t eip)
{
    ck_assert_int_eq(run(100), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(cpu->fault.vector, vector);
    ck_assert_uint_eq(cpu->eip, eip);
}

static void want_page_fault(uint32_t eip, uint32_t address, uint32_t error)
{
    want_fault(CPU_PF, eip);
    ck_assert_uint_eq(cpu->fault.address, address);
    ck_assert_uint_eq(cpu->fault.error, error);
    ck_assert_uint_eq(cpu->fault.has_error, 1);
}

static void protect(uint32_t at, uint32_t len, unsigned prot)
{
    ck_assert_int_eq(ram_set_access(ram, at, len, prot), 0);
}

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
    ck_assert_int_eq(run(5), ENGINE_EXIT_BUDGET);
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

static Suite *suite(void)
{
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
        &code_that_patches_itself,
        &next_instruction_is_patched,
        &host_writes_code,
        &code_page_taken_away,
        &stores_to_marked_pages_tell_the_engine,
        &write_log_sees_the_old_contents,
        &step_is_one_instruction,
    };
    Suite *s = suite_create("interp");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    for (unsigned i = 0; i < ARRAY_LEN(tests); i++)
        tcase_add_test(tc, *tests[i]);
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
