/* SPDX-License-Identifier: MIT */
/* Gates, far transfers and returns of the PC's processor, between rings and within one. */
#include "testsuite/unit/pc_rig.h"

#define GATE FREE
#define TARGET 0x12000u

/* lcall GATE:0, with the gate as it is */
#define LCALL_GATE "\x9a\x00\x00\x00\x00\x40\x00"
#define LJMP_GATE "\xea\x00\x00\x00\x00\x40\x00"
_Static_assert(GATE == 0x40, "the code above");

static void call_gate(unsigned attr, uint32_t selector, uint32_t offset, unsigned params)
{
    pc_set_gate(GDT + GATE, attr, selector, offset, params);
}

START_TEST(call_gate_to_ring_0_copies_parameters)
{
    call_gate(A_GATE | A_RING3 | SYS_CALL32, CODE0, TARGET, 2);
    pc_enter_ring3();
    PUT("\x6a\x11\x6a\x22" LCALL_GATE "\xcd\x80"); /* push 11h; push 22h */
    pc_poke(TARGET, "\xca\x08\x00", 3);            /* retf 8 */
    pc_run_steps(3);
    ck_assert_uint_eq(pc_cpu->cpl, 0);
    ck_assert_uint_eq(pc_cpu->seg[ISA_CS].selector, CODE0);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK0 - 24);
    ck_assert_uint_eq(pc_frame(0), CODE + 11);
    ck_assert_uint_eq(pc_frame(1), CODE3);
    ck_assert_uint_eq(pc_frame(2), 0x22);
    ck_assert_uint_eq(pc_frame(3), 0x11);
    ck_assert_uint_eq(pc_frame(4), STACK3 - 8);
    ck_assert_uint_eq(pc_frame(5), DATA3);
    pc_run_steps(1);
    ck_assert_uint_eq(pc_cpu->cpl, 3);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK3);
    ck_assert_uint_eq(pc_cpu->seg[ISA_SS].selector, DATA3);
}
END_TEST

START_TEST(a_286_call_gate_ignores_the_upper_offset)
{
    call_gate(A_GATE | A_RING3 | SYS_CALL16, CODE0, 0xdead1234, 1);
    pc_enter_ring3();
    PUT("\x66\x6a\x33" LCALL_GATE);
    pc_poke(0x1234, "\x90", 1);
    pc_run_steps(3);
    ck_assert_uint_eq(pc_cpu->eip, 0x1235);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK0 - 10);
    ck_assert_uint_eq(pc_frame(0), ((CODE + 10) & 0xffff) | CODE3 << 16);
    ck_assert_uint_eq(pc_frame(1) & 0xffff, 0x33);
}
END_TEST

START_TEST(a_286_interrupt_gate_ignores_the_upper_offset)
{
    pc_set_gate(pc_gate_at(0x55), A_GATE | SYS_INT16, CODE0, 0xbeef1234, 0);
    PUT("\xcd\x55");
    pc_poke(0x1234, "\x90", 1);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->eip, 0x1235);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK0 - 6);
}
END_TEST

START_TEST(a_jump_through_a_call_gate_keeps_the_level)
{
    call_gate(A_GATE | SYS_CALL32, CODE0, HANDLERS + VEC_OK * 16, 0);
    PUT(LJMP_GATE);
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK0);
}
END_TEST

struct gate_case {
    unsigned attr;
    uint32_t selector; /* in the gate */
    bool ring3;
    unsigned vector;
    uint32_t error;
};

static const struct gate_case call_cases[] = {
    {A_GATE | SYS_CALL32, CODE0, true, CPU_GP, GATE},    /* the gate is not for ring 3 */
    {A_RING3 | SYS_CALL32, CODE0, true, CPU_NP, GATE},   /* not present */
    {A_GATE | A_RING3 | SYS_CALL32, 0, true, CPU_GP, 0}, /* null code selector */
    {A_GATE | A_RING3 | SYS_CALL32, 0x1000, true, CPU_GP, 0x1000},
    {A_GATE | A_RING3 | SYS_CALL32, DATA0, true, CPU_GP, DATA0},    /* not code */
    {A_GATE | SYS_CALL32, CODE3 & ~3u, false, CPU_GP, CODE3 & ~3u}, /* outwards */
    {A_GATE | A_RING3 | SYS_INT32, CODE0, true, CPU_GP, GATE},      /* no gate for a call */
    {A_GATE | A_RING3 | SYS_LDT, CODE0, true, CPU_GP, GATE},
};

START_TEST(refused_calls_through_gates)
{
    const struct gate_case *c = &call_cases[_i];
    call_gate(c->attr, c->selector, TARGET, 0);
    if (c->ring3)
        pc_enter_ring3();
    PUT(LCALL_GATE);
    pc_want_error(c->vector, c->error, CODE);
}
END_TEST

/* The inner stack, as the task state has it; the fault itself must find one, so it goes elsewhere.
 */
static const struct {
    uint32_t ss;
    unsigned attr;
    unsigned vector;
    uint32_t error;
} stack_cases[] = {
    {0, 0, CPU_TS, 0},
    {0x48, A_DATA32 & ~SEG_PRESENT, CPU_SS, 0x48},
    {0x48, A_DATA32 & ~SEG_WRITABLE, CPU_TS, 0x48},
    {0x48, A_DATA32 | A_RING3, CPU_TS, 0x48},
    {0x49, A_DATA32, CPU_TS, 0x48},
    {0x1000, 0, CPU_TS, 0x1000},
};

START_TEST(bad_inner_stacks)
{
    /* a call to ring 1 uses SS1; the handlers are at ring 0 */
    pc_set_descriptor(GDT, 0x50, 0, 0xfffff, A_CODE32 | 0x20);
    call_gate(A_GATE | A_RING3 | SYS_CALL32, 0x50, TARGET, 0);
    bool writable_ring1 = stack_cases[_i].vector == CPU_SS;
    pc_set_descriptor(GDT, 0x48, 0, 0xfffff, stack_cases[_i].attr | (writable_ring1 ? 0x20 : 0));
    pc_poke32(TSS + 12, 0x3f000);
    uint32_t ss = stack_cases[_i].ss;
    pc_poke32(TSS + 16, writable_ring1 ? ss | 1 : ss);
    pc_enter_ring3();
    PUT(LCALL_GATE);
    pc_want_error(stack_cases[_i].vector, stack_cases[_i].error, CODE);
    ck_assert_uint_eq(pc_frame(2), CODE3);
}
END_TEST

START_TEST(a_task_state_too_short_for_the_inner_stack)
{
    pc_set_descriptor(GDT, 0x50, 0, 0xfffff, A_CODE32 | 0x20);
    call_gate(A_GATE | A_RING3 | SYS_CALL32, 0x50, TARGET, 0);
    pc_enter_ring3();
    pc_cpu->sys.tr.limit = 14;
    PUT(LCALL_GATE);
    pc_want_error(CPU_TS, TSS_SEL, CODE);
}
END_TEST

/* Far jumps straight to code: lea target in the instruction */
static const struct {
    uint32_t selector;
    unsigned attr;
    bool ring3;
    unsigned vector;
    uint32_t error;
} jump_cases[] = {
    {0x48, A_CODE32, false, VEC_OK, 0},    {0x48, A_CODE32 | A_RING3, false, CPU_GP, 0x48},
    {0x4b, A_CODE32, true, CPU_GP, 0x48},  {0x4b, A_CODE32 | SEG_CONFORMING, true, VEC_OK, 0},
    {0x49, A_CODE32, false, CPU_GP, 0x48}, {0x48, A_CODE32 & ~SEG_PRESENT, false, CPU_NP, 0x48},
    {0x48, A_DATA32, false, CPU_GP, 0x48}, {0, 0, false, CPU_GP, 0},
    {0x1008, 0, false, CPU_GP, 0x1008},
};

START_TEST(far_jumps_to_code)
{
    uint8_t jump[7] = {0xea};
    uint32_t target = TARGET;
    memcpy(jump + 1, &target, 4);
    memcpy(jump + 5, &jump_cases[_i].selector, 2);
    pc_set_descriptor(GDT, 0x48, 0, 0xfffff, jump_cases[_i].attr);
    if (jump_cases[_i].ring3)
        pc_enter_ring3();
    pc_put(jump, sizeof(jump));
    pc_poke(TARGET, "\xcd\x80", 2);
    if (jump_cases[_i].vector != VEC_OK) {
        pc_want_error(jump_cases[_i].vector, jump_cases[_i].error, CODE);
        return;
    }
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_frame(1), 0x48u | (jump_cases[_i].ring3 ? 3 : 0));
}
END_TEST

START_TEST(a_far_jump_beyond_the_limit)
{
    pc_set_descriptor(GDT, 0x48, 0, 0xfff, A_CODE32 & ~SEG_GRANULAR);
    PUT("\xea\x00\x10\x00\x00\x48\x00");
    pc_want_error(CPU_GP, 0, CODE);
}
END_TEST

/* Pushes SS ESP (EFLAGS) CS EIP as given and returns with them. */
static void push_frame(const uint32_t *words, unsigned count)
{
    pc_cpu->gpr[ISA_ESP] = STACK0 - count * 4;
    for (unsigned i = 0; i < count; i++)
        pc_poke32(STACK0 - count * 4 + i * 4, words[i]);
}

START_TEST(iret_to_ring_3_drops_inner_segments)
{
    const uint32_t words[5] = {TARGET, CODE3, 0x3202, STACK3, DATA3};
    push_frame(words, 5);
    pc_use_segment(ISA_ES, DATA3);
    PUT("\xcf");
    pc_poke(TARGET, "\x90", 1);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->cpl, 3);
    ck_assert_uint_eq(pc_cpu->seg[ISA_ES].selector, DATA3);
    ck_assert_uint_eq(pc_cpu->seg[ISA_DS].selector, 0);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK3);
    ck_assert_uint_eq(pc_cpu->eflags, 0x3202);
}
END_TEST

static const struct {
    uint32_t cs, ss;
    unsigned vector;
    uint32_t error;
} return_cases[] = {
    {0, DATA3, CPU_GP, 0},
    {CODE3 & ~3u, DATA3, CPU_GP, CODE3 & ~3u}, /* RPL is not the segment's DPL */
    {CODE3, 0, CPU_GP, 0},                     /* null stack */
    {CODE3, DATA0, CPU_GP, DATA0},             /* not of that level */
    {CODE3, CODE3, CPU_GP, CODE3 & ~3u},       /* not writable */
    {DATA3, DATA3, CPU_GP, DATA3 & ~3u},       /* not code */
    {0x1003, DATA3, CPU_GP, 0x1000},
};

START_TEST(refused_returns)
{
    const uint32_t words[5] = {TARGET, return_cases[_i].cs, 2, STACK3, return_cases[_i].ss};
    push_frame(words, 5);
    PUT("\xcf");
    pc_want_error(return_cases[_i].vector, return_cases[_i].error, CODE);
}
END_TEST

START_TEST(a_return_inwards_is_refused)
{
    pc_enter_ring3();
    PUT("\x6a\x08\x68\x00\x20\x01\x00\xcb"); /* push 8; push TARGET; retf */
    pc_want_error(CPU_GP, CODE0, CODE + 7);
}
END_TEST

START_TEST(iret_of_ring_3_changes_neither_iopl_nor_if)
{
    pc_enter_ring3();
    pc_cpu->eflags = 2;
    /* pushfd image with everything set; push cs; push next; iretd; int 80h */
    PUT("\x68\xd5\x7e\x24\x00\x0e\x68\x0c\x00\x01\x00\xcf\xcd\x80");
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_frame(2) & 0x3200, 0);
    ck_assert_uint_eq(pc_frame(2) & 0x240cd5, 0x240cd5);
}
END_TEST

/* Gates of the interrupt table. */
static const struct {
    unsigned attr;
    uint32_t selector;
    unsigned vector;
    uint32_t error;
} int_cases[] = {
    {A_GATE | SYS_INT32, CODE0, CPU_GP, 0x55 * 8 + 2},            /* closed to ring 3 */
    {A_RING3 | SYS_INT32, CODE0, CPU_NP, 0x55 * 8 + 2},           /* not present */
    {A_GATE | A_RING3 | SYS_CALL32, CODE0, CPU_GP, 0x55 * 8 + 2}, /* another kind of gate */
    {A_GATE | A_RING3 | SYS_INT32, 0, CPU_GP, 0},
    {A_GATE | A_RING3 | SYS_INT32, DATA0, CPU_GP, DATA0},
    {A_GATE | A_RING3 | SYS_INT32, 0x1000, CPU_GP, 0x1000},
};

START_TEST(refused_software_interrupts)
{
    pc_set_gate(pc_gate_at(0x55), int_cases[_i].attr, int_cases[_i].selector, TARGET, 0);
    pc_enter_ring3();
    PUT("\xcd\x55");
    pc_want_error(int_cases[_i].vector, int_cases[_i].error, CODE);
}
END_TEST

START_TEST(an_interrupt_beyond_the_table)
{
    pc_cpu->sys.idt.limit = 0x55 * 8 + 6;
    PUT("\xcd\x55");
    pc_want_error(CPU_GP, 0x55 * 8 + 2, CODE);
}
END_TEST

START_TEST(trap_gates_keep_if_and_interrupt_gates_clear_it)
{
    pc_cpu->eflags |= ISA_F_I | EFLAGS_NT | ISA_F_T;
    pc_set_gate(pc_gate_at(0x55), A_GATE | SYS_TRAP32, CODE0, HANDLERS + 0x55 * 16, 0);
    PUT("\xcd\x55");
    ck_assert_uint_eq(pc_run(), 0x55);
    ck_assert_uint_eq(pc_cpu->eflags & (ISA_F_I | EFLAGS_NT | ISA_F_T), ISA_F_I);
}
END_TEST

START_TEST(a_conforming_handler_stays_at_its_callers_level)
{
    pc_set_descriptor(GDT, 0x48, 0, 0xfffff, A_CODE32 | SEG_CONFORMING);
    pc_set_gate(pc_gate_at(0x55), A_GATE | A_RING3 | SYS_TRAP32, 0x48, TARGET, 0);
    pc_enter_ring3();
    PUT("\xcd\x55");
    pc_poke(TARGET, "\x90", 1);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->cpl, 3);
    ck_assert_uint_eq(pc_cpu->seg[ISA_CS].selector, 0x4b);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], STACK3 - 12);
}
END_TEST

START_TEST(a_16_bit_stack_uses_sp_alone)
{
    pc_set_descriptor(GDT, 0x48, STACK0, 0xffff, A_DATA16);
    pc_use_segment(ISA_SS, 0x48);
    pc_cpu->gpr[ISA_ESP] = 0xabcd0002;
    PUT("\x66\x50\x66\x50\x66\x58\x90"); /* push ax twice: wraps; pop ax */
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], 0xabcdfffe);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], 0xabcd0000);
}
END_TEST

static const TTest *const *const tests[] = {
    &call_gate_to_ring_0_copies_parameters,
    &a_286_call_gate_ignores_the_upper_offset,
    &a_286_interrupt_gate_ignores_the_upper_offset,
    &a_jump_through_a_call_gate_keeps_the_level,
    &a_task_state_too_short_for_the_inner_stack,
    &a_far_jump_beyond_the_limit,
    &iret_to_ring_3_drops_inner_segments,
    &a_return_inwards_is_refused,
    &iret_of_ring_3_changes_neither_iopl_nor_if,
    &an_interrupt_beyond_the_table,
    &trap_gates_keep_if_and_interrupt_gates_clear_it,
    &a_conforming_handler_stays_at_its_callers_level,
    &a_16_bit_stack_uses_sp_alone,
};

static const struct pc_rig_loop loops[] = {
    {&refused_calls_through_gates, ARRAY_LEN(call_cases)},
    {&bad_inner_stacks, ARRAY_LEN(stack_cases)},
    {&far_jumps_to_code, ARRAY_LEN(jump_cases)},
    {&refused_returns, ARRAY_LEN(return_cases)},
    {&refused_software_interrupts, ARRAY_LEN(int_cases)},
};

int main(void)
{
    return pc_rig_main("pc_gates", tests, ARRAY_LEN(tests), loops, ARRAY_LEN(loops));
}
