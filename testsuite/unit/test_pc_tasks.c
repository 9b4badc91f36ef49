/* SPDX-License-Identifier: MIT */
/* Task switches: what is saved and loaded, busy bits and back links, and every fault. */
#include "testsuite/unit/pc_rig.h"

#define TARGET 0x12000u
#define LJMP_TASK "\xea\x00\x00\x00\x00\x30\x00"
#define LCALL_TASK "\x9a\x00\x00\x00\x00\x30\x00"
_Static_assert(TSS2_SEL == 0x30, "the code above");

static void put_task(uint32_t eip, uint32_t eflags, uint32_t esp)
{
    static const uint32_t segments[7] = {DATA0, CODE0, DATA0, DATA0, 0, 0, LDT_SEL};
    pc_poke32(TSS2 + 28, pc_cpu->sys.cr3);
    pc_poke32(TSS2 + 32, eip);
    pc_poke32(TSS2 + 36, eflags);
    for (unsigned i = 0; i < 8; i++)
        pc_poke32(TSS2 + 40 + i * 4, 0x1111 * i);
    pc_poke32(TSS2 + 56, esp);
    for (unsigned i = 0; i < 7; i++)
        pc_poke32(TSS2 + 72 + i * 4, segments[i]);
}

static unsigned type_of(uint32_t selector)
{
    return pc_peek32(GDT + selector + 4) >> 8 & 15;
}

START_TEST(a_jump_to_a_task)
{
    put_task(TARGET, 0x2, STACK3);
    pc_cpu->gpr[ISA_EBX] = 0xb0b0b0b0;
    PUT(LJMP_TASK);
    pc_poke(TARGET, "\x90", 1);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, TARGET + 1);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX], 0x3333);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK3);
    ck_assert_uint_eq(pc_cpu->sys.tr.selector, TSS2_SEL);
    ck_assert_uint_eq(pc_cpu->sys.ldt.selector, LDT_SEL);
    ck_assert_uint_eq(pc_cpu->sys.cr0 & CR0_TS, CR0_TS);
    ck_assert_uint_eq(type_of(TSS_SEL), SYS_TSS32);
    ck_assert_uint_eq(type_of(TSS2_SEL), SYS_TSS32_BUSY);
    ck_assert_uint_eq(pc_peek32(TSS + 32), CODE + 7);
    ck_assert_uint_eq(pc_peek32(TSS + 52), 0xb0b0b0b0);
    ck_assert_uint_eq(pc_peek32(TSS + 76), CODE0);
    ck_assert_uint_eq(pc_cpu->eflags & EFLAGS_NT, 0);
}
END_TEST

START_TEST(a_call_to_a_task_and_back)
{
    put_task(TARGET, 0x2, STACK3);
    PUT(LCALL_TASK "\x90");
    pc_poke(TARGET, "\xcf\x90", 2);
    pc_run_steps(1);
    ck_assert_uint_eq(pc_cpu->eflags & EFLAGS_NT, EFLAGS_NT);
    ck_assert_uint_eq(pc_peek16(TSS2), TSS_SEL);
    ck_assert_uint_eq(type_of(TSS_SEL), SYS_TSS32_BUSY);
    pc_run_steps(1);
    ck_assert_uint_eq(pc_cpu->eip, CODE + 7);
    ck_assert_uint_eq(pc_cpu->sys.tr.selector, TSS_SEL);
    ck_assert_uint_eq(type_of(TSS2_SEL), SYS_TSS32);
    ck_assert_uint_eq(pc_peek32(TSS2 + 32), TARGET + 1);
    ck_assert_uint_eq(pc_peek32(TSS2 + 36) & EFLAGS_NT, 0); /* as saved */
}
END_TEST

START_TEST(a_task_gate_jumps_too)
{
    put_task(TARGET, 0x2, STACK3);
    pc_set_gate(GDT + FREE, A_GATE | SYS_TASK_GATE, TSS2_SEL, 0, 0);
    PUT("\xea\x00\x00\x00\x00\x40\x00");
    pc_poke(TARGET, "\x90", 1);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, TARGET + 1);
}
END_TEST

START_TEST(a_286_task_state)
{
    pc_set_descriptor(GDT, TSS2_SEL, TSS2, 43, A_GATE | SYS_TSS16);
    static const uint16_t image[22] = {0, 0, 0,      0, 0, 0, 0,     0x6000, 2,     1,     2,
                                       3, 4, 0x7000, 5, 6, 7, DATA0, CODE0,  DATA0, DATA0, 0};
    pc_poke(TSS2, image, sizeof(image));
    pc_poke(0x6000, "\x90", 1);
    PUT(LJMP_TASK);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, 0x6001);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & 0xffff, 1);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDI] & 0xffff, 7);
    ck_assert_uint_eq(pc_cpu->seg[ISA_FS].selector, 0);
}
END_TEST

/* Faults before the switch: the old task's. */
static const struct {
    unsigned attr, limit;
    unsigned vector;
    uint32_t error;
} early_cases[] = {
    {A_GATE | SYS_TSS32_BUSY, 0x67, CPU_GP, TSS2_SEL},
    {SYS_TSS32, 0x67, CPU_NP, TSS2_SEL},
    {A_GATE | SYS_TSS32, 0x66, CPU_TS, TSS2_SEL},
    {A_GATE | SYS_TSS16, 42, CPU_TS, TSS2_SEL},
};

START_TEST(faults_of_the_old_task)
{
    put_task(TARGET, 2, STACK3);
    pc_set_descriptor(GDT, TSS2_SEL, TSS2, early_cases[_i].limit, early_cases[_i].attr);
    PUT(LJMP_TASK);
    pc_want_error(early_cases[_i].vector, early_cases[_i].error, CODE);
    ck_assert_uint_eq(pc_cpu->sys.tr.selector, TSS_SEL);
    ck_assert_uint_eq(type_of(TSS_SEL), SYS_TSS32_BUSY);
}
END_TEST

/* Faults in the new task: everything is switched, and its first instruction has not run. */
static const struct {
    uint32_t at, value; /* in the task state */
    unsigned attr;      /* of the descriptor FREE */
    unsigned vector;
    uint32_t error;
} late_cases[] = {
    {76, 0, 0, CPU_TS, 0},             /* CS null */
    {76, DATA0, 0, CPU_TS, DATA0},     /* CS no code */
    {76, CODE0 | 3, 0, CPU_TS, CODE0}, /* CS with another RPL */
    {76, FREE, A_CODE32 & ~SEG_PRESENT, CPU_NP, FREE},
    {80, 0, 0, CPU_TS, 0}, /* SS null */
    {80, CODE0, 0, CPU_TS, CODE0},
    {80, FREE, A_DATA32 & ~SEG_PRESENT, CPU_SS, FREE},
    {84, FREE, A_DATA32 & ~SEG_PRESENT, CPU_NP, FREE}, /* DS */
    {84, FREE, A_CODE32 & ~SEG_READABLE, CPU_TS, FREE},
    {92, 0x1000, 0, CPU_TS, 0x1000}, /* GS beyond the table */
    {96, CODE0, 0, CPU_TS, CODE0},   /* LDT is none */
    {96, 0x3c, 0, CPU_TS, 0x3c},     /* LDT in the LDT */
};

START_TEST(faults_of_the_new_task)
{
    put_task(TARGET, 2, STACK3);
    /* the handlers need a stack whatever the task has */
    for (unsigned v = CPU_TS; v <= CPU_GP; v++)
        pc_set_gate(pc_gate_at(v), A_GATE | SYS_TASK_GATE, 0x48, 0, 0);
    pc_set_descriptor(GDT, 0x48, 0x6000, 0x67, A_GATE | SYS_TSS32);
    pc_poke32(0x6000 + 32, HANDLERS + late_cases[_i].vector * 16);
    pc_poke32(0x6000 + 36, 2);
    pc_poke32(0x6000 + 56, STACK0);
    pc_poke32(0x6000 + 76, CODE0);
    pc_poke32(0x6000 + 80, DATA0);
    pc_set_descriptor(GDT, FREE, 0, 0xfffff, late_cases[_i].attr);
    pc_poke32(TSS2 + late_cases[_i].at, late_cases[_i].value);
    PUT(LJMP_TASK);
    ck_assert_uint_eq(pc_run(), late_cases[_i].vector);
    ck_assert_uint_eq(pc_frame(0), late_cases[_i].error);
    ck_assert_uint_eq(pc_peek32(TSS2 + 32), TARGET); /* where the new task stopped */
    ck_assert_uint_eq(pc_peek32(TSS + 32), CODE + 7);
    ck_assert_uint_eq(pc_peek16(0x6000), TSS2_SEL);
}
END_TEST

/* The stack is checked before the code segment is. */
START_TEST(a_new_task_with_no_stack_and_no_code)
{
    put_task(TARGET, 2, STACK3);
    pc_set_gate(pc_gate_at(CPU_TS), A_GATE | SYS_TASK_GATE, 0x48, 0, 0);
    pc_set_descriptor(GDT, 0x48, 0x6000, 0x67, A_GATE | SYS_TSS32);
    pc_poke32(0x6000 + 32, HANDLERS + CPU_TS * 16);
    pc_poke32(0x6000 + 36, 2);
    pc_poke32(0x6000 + 56, STACK0);
    pc_poke32(0x6000 + 76, CODE0);
    pc_poke32(0x6000 + 80, DATA0);
    pc_poke32(TSS2 + 76, DATA0);
    pc_poke32(TSS2 + 80, CODE0);
    PUT(LJMP_TASK);
    ck_assert_uint_eq(pc_run(), CPU_TS);
    ck_assert_uint_eq(pc_frame(0), CODE0);
}
END_TEST

START_TEST(eip_of_the_new_task_beyond_its_limit)
{
    put_task(0x2000, 2, STACK3);
    pc_set_descriptor(GDT, FREE, 0, 0xfff, A_CODE32 & ~SEG_GRANULAR);
    pc_poke32(TSS2 + 76, FREE);
    PUT(LJMP_TASK);
    pc_want_error(CPU_GP, 0, 0x2000);
}
END_TEST

START_TEST(the_t_bit_traps_before_the_first_instruction)
{
    put_task(TARGET, 2, STACK3);
    pc_poke16(TSS2 + 100, 1);
    pc_poke(TARGET, "\x90", 1);
    PUT(LJMP_TASK);
    pc_want(CPU_DB, TARGET);
    ck_assert_uint_eq(pc_cpu->sys.dr[6] & DR6_BT, DR6_BT);
}
END_TEST

START_TEST(iret_with_nt_and_a_bad_link)
{
    pc_poke16(TSS, TSS2_SEL); /* not busy */
    pc_cpu->eflags |= EFLAGS_NT;
    PUT("\xcf");
    pc_want_error(CPU_TS, TSS2_SEL, CODE);
}
END_TEST

START_TEST(a_switch_changes_the_address_space)
{
    pc_enable_paging();
    put_task(TARGET, 2, STACK3);
    /* a second directory in which TARGET is another page */
    pc_poke32(0x60000, 0x61000 | 7);
    for (uint32_t page = 0; page < 1024; page++)
        pc_poke32(0x61000 + page * 4, page << 12 | 7);
    pc_poke32(0x61000 + (TARGET >> 12) * 4, 0x13000 | 7);
    pc_poke32(TSS2 + 28, 0x60000);
    pc_poke(TARGET, "\xb0\x01\xcd\x80", 4);
    pc_poke(TARGET + 0x1000, "\xb0\x02\xcd\x80", 4);
    PUT(LJMP_TASK);
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & 0xff, 2);
    ck_assert_uint_eq(pc_cpu->sys.cr3, 0x60000);
}
END_TEST

START_TEST(an_exception_with_an_error_code_through_a_task_gate)
{
    put_task(TARGET, 2, STACK3);
    pc_set_gate(pc_gate_at(CPU_GP), A_GATE | SYS_TASK_GATE, TSS2_SEL, 0, 0);
    pc_poke(TARGET, "\x90", 1);
    PUT("\xb8\x00\x10\x00\x00\x8e\xd8");
    pc_run_steps(3); /* a fault and its delivery count as one */
    ck_assert_uint_eq(pc_cpu->eip, TARGET + 1);
    ck_assert_uint_eq(pc_frame(0), 0x1000);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK3 - 4);
    ck_assert_uint_eq(pc_cpu->eflags & EFLAGS_NT, EFLAGS_NT);
}
END_TEST

START_TEST(a_v86_task)
{
    put_task(0x10, 0x20002, 0x100);
    for (unsigned i = 0; i < 6; i++)
        pc_poke32(TSS2 + 72 + i * 4, 0x1200);
    pc_poke(TARGET + 0x10, "\x90", 1);
    PUT(LJMP_TASK);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, 0x11);
    ck_assert_uint_eq(pc_cpu->cpl, 3);
    ck_assert_uint_eq(pc_cpu->seg[ISA_CS].base, TARGET);
}
END_TEST

static const TTest *const *const tests[] = {
    &a_jump_to_a_task,
    &a_call_to_a_task_and_back,
    &a_task_gate_jumps_too,
    &a_286_task_state,
    &a_new_task_with_no_stack_and_no_code,
    &eip_of_the_new_task_beyond_its_limit,
    &the_t_bit_traps_before_the_first_instruction,
    &iret_with_nt_and_a_bad_link,
    &a_switch_changes_the_address_space,
    &an_exception_with_an_error_code_through_a_task_gate,
    &a_v86_task,
};

static const struct pc_rig_loop loops[] = {
    {&faults_of_the_old_task, ARRAY_LEN(early_cases)},
    {&faults_of_the_new_task, ARRAY_LEN(late_cases)},
};

int main(void)
{
    return pc_rig_main("pc_tasks", tests, ARRAY_LEN(tests), loops, ARRAY_LEN(loops));
}
