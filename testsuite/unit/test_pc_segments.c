/* SPDX-License-Identifier: MIT */
/* Segments of the PC's processor: loading them, their limits and types, in every mode. */
#include "testsuite/unit/pc_rig.h"

#define SEL FREE

static void data_segment(uint32_t base, uint32_t limit, unsigned attr)
{
    pc_set_descriptor(GDT, SEL, base, limit, attr);
    pc_use_segment(ISA_DS, SEL);
}

/* mov eax,[ebx]; the last dword that a limit allows, and the first that it does not. */
START_TEST(limit_of_an_expand_up_segment)
{
    data_segment(DATA, 0xfff, A_DATA32 & ~SEG_GRANULAR);
    pc_poke32(DATA + 0xffc, 0x12345678);
    pc_cpu->gpr[ISA_EBX] = 0xffc;
    PUT("\x8b\x03");
    pc_cpu->gpr[ISA_ECX] = 0xffd;
    PUT("\x8b\x01");
    pc_want_error(CPU_GP, 0, CODE + 2);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 0x12345678);
}
END_TEST

START_TEST(limit_of_an_expand_down_segment)
{
    data_segment(DATA, 0xfff, (A_DATA32 & ~SEG_GRANULAR) | SEG_DOWN);
    pc_cpu->gpr[ISA_EBX] = 0x1000;
    PUT("\x8b\x03\x8b\x43\xff"); /* at 1000h, at 0fffh */
    pc_want_error(CPU_GP, 0, CODE + 2);
}
END_TEST

START_TEST(a_16_bit_expand_down_segment_ends_at_64k)
{
    data_segment(DATA, 0xfff, A_DATA16 | SEG_DOWN);
    pc_cpu->gpr[ISA_EBX] = 0xfffc;
    PUT("\x8b\x03\x8b\x43\x01");
    pc_want_error(CPU_GP, 0, CODE + 2);
}
END_TEST

START_TEST(pages_as_units_of_the_limit)
{
    data_segment(DATA, 1, A_DATA32);
    pc_cpu->gpr[ISA_EBX] = 0x1ffc;
    PUT("\x8b\x03\x8b\x43\x01");
    pc_want_error(CPU_GP, 0, CODE + 2);
}
END_TEST

START_TEST(read_only_data_is_not_written)
{
    data_segment(DATA, 0xfffff, A_DATA32 & ~SEG_WRITABLE);
    PUT("\x8b\x03\x89\x03");
    pc_want_error(CPU_GP, 0, CODE + 2);
}
END_TEST

START_TEST(code_is_read_if_readable_and_never_written)
{
    PUT("\x2e\x8b\x03\x2e\x89\x03");
    pc_want_error(CPU_GP, 0, CODE + 3);
}
END_TEST

START_TEST(execute_only_code_is_not_read)
{
    pc_set_descriptor(GDT, SEL, 0, 0xfffff, A_CODE32 & ~SEG_READABLE);
    pc_use_segment(ISA_CS, SEL);
    PUT("\x90\x2e\x8b\x03");
    pc_want_error(CPU_GP, 0, CODE + 1);
}
END_TEST

START_TEST(stack_segment_faults_are_ss)
{
    pc_set_descriptor(GDT, SEL, STACK3, 0xff, A_DATA32 & ~SEG_GRANULAR);
    pc_set_gate(pc_gate_at(CPU_SS), A_GATE | SYS_TASK_GATE, TSS2_SEL, 0, 0);
    pc_poke32(TSS2 + 32, HANDLERS + CPU_SS * 16);
    pc_poke32(TSS2 + 36, 2);
    pc_poke32(TSS2 + 56, STACK0);
    pc_poke32(TSS2 + 76, CODE0);
    pc_poke32(TSS2 + 80, DATA0);
    pc_use_segment(ISA_SS, SEL);
    pc_cpu->gpr[ISA_ESP] = 2;
    PUT("\x50");
    ck_assert_uint_eq(pc_run(), CPU_SS);
    ck_assert_uint_eq(pc_frame(0), 0);            /* the error code, on the new task's stack */
    ck_assert_uint_eq(pc_peek32(TSS + 32), CODE); /* where the old one stopped */
    ck_assert_uint_eq(pc_peek32(TSS + 36) >> 16 & 1, 1); /* RF: a fault */
}
END_TEST

START_TEST(bp_and_sp_address_the_stack_segment)
{
    pc_cpu->gpr[ISA_EBP] = 0xffffffff;
    pc_set_descriptor(GDT, SEL, 0, 0x3ff, A_DATA32); /* 4 MiB */
    pc_use_segment(ISA_SS, SEL);
    PUT("\x8b\x45\x00");
    pc_want_error(CPU_SS, 0, CODE);
}
END_TEST

/* mov ds,bx with various selectors and descriptors */
struct load_case {
    uint32_t selector;
    unsigned attr; /* of the descriptor at SEL */
    bool ring3;
    unsigned vector;
    uint32_t error;
};

static void try_load(const struct load_case *c, const char *code)
{
    pc_set_descriptor(GDT, SEL, 0, 0xfffff, c->attr);
    if (c->ring3)
        pc_enter_ring3();
    pc_cpu->gpr[ISA_EBX] = c->selector;
    pc_put(code, 2);
    if (c->vector == VEC_OK)
        pc_want_ok();
    else
        pc_want_error(c->vector, c->error, CODE);
}

static const struct load_case ds_cases[] = {
    {SEL, A_DATA32, false, VEC_OK, 0},
    {0, 0, false, VEC_OK, 0},
    {3, 0, true, VEC_OK, 0},
    {SEL, A_CODE32, false, VEC_OK, 0},
    {SEL, A_CODE32 & ~SEG_READABLE, false, CPU_GP, SEL},
    {SEL, A_DATA32 & ~SEG_PRESENT, false, CPU_NP, SEL},
    {SEL | 3, A_DATA32, false, CPU_GP, SEL}, /* RPL above DPL */
    {SEL, A_DATA32, true, CPU_GP, SEL},      /* CPL above DPL */
    {SEL | 3, A_DATA32 | A_RING3, true, VEC_OK, 0},
    {SEL | 3, A_CODE32 | SEG_CONFORMING, true, VEC_OK, 0}, /* conforming: no matter who */
    {SEL, 0x89, false, CPU_GP, SEL},                       /* a system descriptor */
    {0x1000, 0, false, CPU_GP, 0x1000},                    /* beyond the table */
    {0x1004, 0, false, CPU_GP, 0x1004},                    /* beyond the local one */
};

START_TEST(loads_of_ds)
{
    try_load(&ds_cases[_i], "\x8e\xdb");
}
END_TEST

static const struct load_case ss_cases[] = {
    {SEL, A_DATA32, false, VEC_OK, 0},
    {0, 0, false, CPU_GP, 0},
    {SEL, A_CODE32, false, CPU_GP, SEL},
    {SEL, A_DATA32 & ~SEG_WRITABLE, false, CPU_GP, SEL},
    {SEL | 1, A_DATA32, false, CPU_GP, SEL},
    {SEL, A_DATA32 | A_RING3, false, CPU_GP, SEL},
    {SEL, A_DATA32 & ~SEG_PRESENT, false, CPU_SS, SEL},
    {SEL | 3, A_DATA32 | A_RING3, true, VEC_OK, 0},
    {SEL | 2, A_DATA32 | A_RING3, true, CPU_GP, SEL},
};

START_TEST(loads_of_ss)
{
    try_load(&ss_cases[_i], "\x8e\xd3");
}
END_TEST

START_TEST(a_null_segment_may_be_held_but_not_used)
{
    PUT("\x31\xdb\x8e\xdb\x8b\x03"); /* xor ebx,ebx; mov ds,bx; mov eax,[ebx] */
    pc_want_error(CPU_GP, 0, CODE + 4);
    ck_assert_uint_eq(pc_cpu->seg[ISA_DS].selector, 0);
}
END_TEST

START_TEST(the_accessed_bit_is_set_by_a_load_and_only_then)
{
    pc_set_descriptor(GDT, SEL, 0, 0xfffff, A_DATA32);
    pc_set_descriptor(GDT, SEL + 8, 0, 0xfffff, A_DATA32 & ~SEG_PRESENT);
    pc_cpu->gpr[ISA_EBX] = SEL;
    pc_cpu->gpr[ISA_ECX] = SEL + 8;
    PUT("\x8e\xdb\x8e\xd9");
    pc_want_error(CPU_NP, SEL + 8, CODE + 2);
    ck_assert_uint_eq(pc_peek32(GDT + SEL + 4) >> 8 & 1, 1);
    ck_assert_uint_eq(pc_peek32(GDT + SEL + 12) >> 8 & 1, 0);
}
END_TEST

START_TEST(local_descriptors)
{
    pc_set_descriptor(LDT, 0x14, DATA, 0xfffff, A_DATA32);
    pc_poke32(DATA, 77);
    pc_cpu->gpr[ISA_EBX] = 0x14;
    PUT("\x8e\xdb\xa1\x00\x00\x00\x00");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 77);
}
END_TEST

START_TEST(without_a_local_table_its_selectors_are_refused)
{
    PUT("\x31\xc0\x0f\x00\xd0\xb8\x14\x00\x00\x00\x8e\xd8"); /* xor eax; lldt ax; mov ds,14h */
    pc_want_error(CPU_GP, 0x14, CODE + 10);
}
END_TEST

START_TEST(code_ends_at_its_limit)
{
    pc_set_descriptor(GDT, SEL, CODE, 3, A_CODE32 & ~SEG_GRANULAR);
    pc_use_segment(ISA_CS, SEL);
    pc_cpu->eip = 0;
    PUT("\x90\xb8\x01\x00\x00\x00"); /* a MOV that does not fit */
    pc_want_error(CPU_GP, 0, 1);
}
END_TEST

/* A near jump out of the segment faults itself, not its target. */
static const char *const jumps[] = {"\xe9\xfb\x0f\x00\x00",
                                    "\x0f\x84\xfa\x0f\x00\x00",
                                    "\xe8\xfb\x0f\x00\x00",
                                    "\xff\xe3",
                                    "\xff\xd3",
                                    "\xc3"};
static const uint8_t jump_bytes[] = {5, 6, 5, 2, 2, 1};

START_TEST(near_transfers_out_of_the_segment)
{
    pc_set_descriptor(GDT, SEL, CODE, 0xfff, A_CODE32 & ~SEG_GRANULAR);
    pc_use_segment(ISA_CS, SEL);
    pc_cpu->eip = 0;
    pc_cpu->gpr[ISA_EBX] = 0x1000;
    pc_cpu->eflags |= ISA_F_Z;
    pc_poke32(STACK0, 0x1000);
    pc_put(jumps[_i], jump_bytes[_i]);
    pc_want_error(CPU_GP, 0, 0);
}
END_TEST

START_TEST(loop_out_of_the_segment_keeps_its_count)
{
    pc_set_descriptor(GDT, SEL, CODE, 0x10, A_CODE32 & ~SEG_GRANULAR);
    pc_use_segment(ISA_CS, SEL);
    pc_cpu->eip = 0;
    pc_cpu->gpr[ISA_ECX] = 5;
    PUT("\xe2\x7f");
    pc_want_error(CPU_GP, 0, 0);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX], 5);
}
END_TEST

/* Real mode checks limits, too: words at FFFF. */
static const struct {
    const char *code;
    uint8_t len, vector;
} real_cases[] = {
    {"\x8b\x07", 2, CPU_GP},         /* mov ax,[bx] */
    {"\x89\x07", 2, CPU_GP},         /* mov [bx],ax */
    {"\x36\x8b\x07", 3, CPU_SS},     /* mov ax,ss:[bx] */
    {"\x66\x67\x8b\x03", 4, CPU_GP}, /* mov eax,[ebx], EBX = 0001FFFF */
    {"\xff\x37", 2, CPU_GP},         /* push word [bx] */
    {"\xff\x27", 2, CPU_GP},         /* jmp [bx] */
    {"\xc4\x07", 2, CPU_GP},         /* les ax,[bx] */
};

START_TEST(limits_in_real_mode)
{
    pc_enter_real();
    pc_cpu->gpr[ISA_EBX] = _i == 3 ? 0x1ffff : 0xffff;
    pc_put(real_cases[_i].code, real_cases[_i].len);
    ck_assert_uint_eq(pc_run(), real_cases[_i].vector);
    ck_assert_uint_eq(pc_frame(0) & 0xffff, 0); /* IP of the instruction; no error code */
    ck_assert_uint_eq(pc_frame(0) >> 16, CODE >> 4);
}
END_TEST

START_TEST(a_word_pushed_at_sp_1_is_a_stack_fault)
{
    pc_enter_real();
    pc_cpu->gpr[ISA_ESP] = 1;
    PUT("\x50");
    /* the frame cannot be pushed either, nor that of the double fault */
    ck_assert_int_eq(engine_run(pc_cpu, 100), ENGINE_EXIT_SHUTDOWN);
}
END_TEST

START_TEST(retf_wraps_sp)
{
    pc_enter_real();
    pc_cpu->gpr[ISA_ESP] = 0xfffe;
    pc_poke16(STACK0 + 0xfffe, 0x10);
    pc_poke16(STACK0, CODE >> 4);
    PUT("\xcb");
    pc_poke(CODE + 0x10, "\x90", 1);
    pc_run_steps(2);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], 2);
    ck_assert_uint_eq(pc_cpu->eip, 0x11);
}
END_TEST

START_TEST(big_real_mode_keeps_the_limit)
{
    pc_enter_real();
    pc_cpu->seg[ISA_DS].limit = UINT32_MAX;
    pc_poke32(0x120000, 99);
    pc_cpu->gpr[ISA_EBX] = 0x100000;
    PUT("\xb8\x00\x20\x8e\xd8\x66\x67\x8b\x03\x90"); /* mov ax,2000h; mov ds,ax; mov eax,[ebx] */
    pc_run_steps(4);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 99);
}
END_TEST

START_TEST(real_mode_writes_through_cs_after_a_far_jump)
{
    pc_enter_real();
    PUT("\xea\x05\x00\x00\x10\x2e\xc6\x06\x40\x00\x5a\x90");
    pc_run_steps(3);
    ck_assert_uint_eq(pc_peek16(CODE + 0x40) & 0xff, 0x5a);
}
END_TEST

static const TTest *const *const tests[] = {
    &limit_of_an_expand_up_segment,
    &limit_of_an_expand_down_segment,
    &a_16_bit_expand_down_segment_ends_at_64k,
    &pages_as_units_of_the_limit,
    &read_only_data_is_not_written,
    &code_is_read_if_readable_and_never_written,
    &execute_only_code_is_not_read,
    &stack_segment_faults_are_ss,
    &bp_and_sp_address_the_stack_segment,
    &a_null_segment_may_be_held_but_not_used,
    &the_accessed_bit_is_set_by_a_load_and_only_then,
    &local_descriptors,
    &without_a_local_table_its_selectors_are_refused,
    &code_ends_at_its_limit,
    &loop_out_of_the_segment_keeps_its_count,
    &a_word_pushed_at_sp_1_is_a_stack_fault,
    &retf_wraps_sp,
    &big_real_mode_keeps_the_limit,
    &real_mode_writes_through_cs_after_a_far_jump,
};

static const struct pc_rig_loop loops[] = {
    {&loads_of_ds, ARRAY_LEN(ds_cases)},
    {&loads_of_ss, ARRAY_LEN(ss_cases)},
    {&near_transfers_out_of_the_segment, ARRAY_LEN(jumps)},
    {&limits_in_real_mode, ARRAY_LEN(real_cases)},
};

int main(void)
{
    return pc_rig_main("pc_segments", tests, ARRAY_LEN(tests), loops, ARRAY_LEN(loops));
}
