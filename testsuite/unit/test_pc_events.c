/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts of the PC's processor: order, double faults, traps, shadows, HLT. */
#include "testsuite/unit/pc_rig.h"

static uint8_t next_vector;

static uint8_t acknowledge(void *opaque)
{
    (void)opaque;
    pc_rig.pin.intr = false;
    return next_vector;
}

static void interrupt_with(uint8_t vector)
{
    next_vector = vector;
    pc_rig.pin.ack = acknowledge;
    pc_rig.pin.intr = true;
}

static void break_gate(unsigned vector)
{
    pc_set_gate(pc_gate_at(vector), SYS_INT32, CODE0, 0, 0); /* not present */
}

START_TEST(contributory_twice_is_a_double_fault)
{
    break_gate(CPU_GP);
    PUT("\xb8\x00\x10\x00\x00\x8e\xd8"); /* mov ds,1000h */
    pc_want_error(CPU_DF, 0, CODE + 5);
}
END_TEST

START_TEST(divide_error_then_not_present_is_a_double_fault)
{
    break_gate(CPU_DE);
    PUT("\x31\xc9\xf7\xf1");
    pc_want_error(CPU_DF, 0, CODE + 2);
}
END_TEST

/* Benign first: what comes second is delivered by itself. */
START_TEST(invalid_opcode_then_not_present)
{
    break_gate(CPU_UD);
    PUT("\x0f\x0b");
    pc_want_error(CPU_NP, CPU_UD * 8 + 3, CODE);
}
END_TEST

START_TEST(a_software_interrupt_is_benign_and_not_external)
{
    break_gate(0x55);
    PUT("\xcd\x55");
    pc_want_error(CPU_NP, 0x55 * 8 + 2, CODE);
}
END_TEST

START_TEST(an_outside_interrupt_tells_ext)
{
    break_gate(0x55);
    pc_cpu->eflags |= ISA_F_I;
    interrupt_with(0x55);
    PUT("\x90");
    pc_want_error(CPU_NP, 0x55 * 8 + 3, CODE);
}
END_TEST

START_TEST(page_fault_then_page_fault_is_a_double_fault)
{
    pc_enable_paging();
    /* the gate's table lies on a page of its own: the fault's gate is there, its stack is not */
    pc_poke32(pc_pte_at(0x100000), 0);
    pc_poke32(pc_pte_at(0x200000), 0);
    pc_set_gate(pc_gate_at(CPU_DF), A_GATE | SYS_TASK_GATE, TSS2_SEL, 0, 0);
    pc_poke32(TSS2 + 28, PAGE_DIRECTORY);
    pc_poke32(TSS2 + 32, HANDLERS + CPU_DF * 16);
    pc_poke32(TSS2 + 36, 2);
    pc_poke32(TSS2 + 56, STACK0);
    pc_poke32(TSS2 + 76, CODE0);
    pc_poke32(TSS2 + 80, DATA0);
    pc_cpu->gpr[ISA_ESP] = 0x201000;
    PUT("\xa1\x00\x00\x10\x00");
    ck_assert_uint_eq(pc_run(), CPU_DF);
    ck_assert_uint_eq(pc_frame(0), 0);
    ck_assert_uint_eq(pc_cpu->sys.cr2, 0x200ffc);
    ck_assert_uint_eq(pc_peek32(TSS + 32), CODE);
}
END_TEST

START_TEST(a_page_fault_while_a_general_protection_fault_is_delivered)
{
    pc_enable_paging();
    pc_set_gate(pc_gate_at(CPU_PF), A_GATE | SYS_TASK_GATE, TSS2_SEL, 0, 0);
    pc_poke32(TSS2 + 28, PAGE_DIRECTORY);
    pc_poke32(TSS2 + 32, HANDLERS + CPU_PF * 16);
    pc_poke32(TSS2 + 36, 2);
    pc_poke32(TSS2 + 56, STACK0);
    pc_poke32(TSS2 + 76, CODE0);
    pc_poke32(TSS2 + 80, DATA0);
    pc_poke32(pc_pte_at(0x200000), 0);
    pc_cpu->gpr[ISA_ESP] = 0x201000;
    PUT("\xb8\x00\x10\x00\x00\x8e\xd8");
    ck_assert_uint_eq(pc_run(), CPU_PF); /* serial, no double fault */
    ck_assert_uint_eq(pc_frame(0), 2);
}
END_TEST

START_TEST(a_triple_fault_shuts_down)
{
    break_gate(CPU_GP);
    break_gate(CPU_DF);
    PUT("\xb8\x00\x10\x00\x00\x8e\xd8");
    ck_assert_int_eq(engine_run(pc_cpu, 100), ENGINE_EXIT_SHUTDOWN);
    ck_assert_int_eq(engine_run(pc_cpu, 100), ENGINE_EXIT_SHUTDOWN);
    cpu_reset(pc_cpu);
    ck_assert_uint_eq(pc_cpu->eip, 0xfff0);
    ck_assert_uint_eq(pc_cpu->seg[ISA_CS].base, 0xffff0000);
}
END_TEST

START_TEST(faults_set_rf_and_traps_do_not)
{
    PUT("\x0f\x0b");
    pc_want(CPU_UD, CODE);
    ck_assert_uint_eq(pc_frame(2) >> 16 & 1, 1);
}
END_TEST

START_TEST(int3_and_into_return_after_themselves)
{
    PUT("\x90\xcc");
    pc_want(CPU_BP, CODE + 2);
    ck_assert_uint_eq(pc_frame(2) >> 16 & 1, 0);
}
END_TEST

/* It ends before the instruction interrupts. */
START_TEST(rf_is_not_in_the_frame_of_int3)
{
    /* pushfd; or dword [esp],10000h; push cs; push CODE + 15; iretd; int3 */
    PUT("\x9c\x81\x0c\x24\x00\x00\x01\x00\x0e\x68\x0f\x00\x01\x00\xcf\xcc");
    pc_want(CPU_BP, CODE + 16);
    ck_assert_uint_eq(pc_frame(2) >> 16 & 1, 0);
}
END_TEST

/* Single step */

START_TEST(tf_traps_after_the_next_instruction)
{
    /* pushfd; or dword [esp],100h; popfd; nop; nop */
    PUT("\x9c\x81\x0c\x24\x00\x01\x00\x00\x9d\x90\x90");
    pc_want(CPU_DB, CODE + 10);
    ck_assert_uint_eq(pc_frame(2) & ISA_F_T, ISA_F_T);
    ck_assert_uint_eq(pc_cpu->eflags & ISA_F_T, 0);
    ck_assert_uint_eq(pc_cpu->sys.dr[6], 0xffff4ff0);
}
END_TEST

START_TEST(tf_is_held_off_after_mov_ss)
{
    pc_cpu->eflags |= ISA_F_T;
    pc_cpu->gpr[ISA_EBX] = DATA0;
    PUT("\x8e\xd3\x90\x90");
    pc_want(CPU_DB, CODE + 3);
}
END_TEST

START_TEST(tf_is_held_off_after_pop_ss)
{
    pc_cpu->gpr[ISA_ESP] = STACK0 - 4;
    pc_poke32(STACK0 - 4, DATA0);
    pc_cpu->eflags |= ISA_F_T;
    PUT("\x17\x90\x90");
    pc_want(CPU_DB, CODE + 2);
}
END_TEST

START_TEST(tf_takes_each_element_of_a_repeated_string_instruction)
{
    pc_cpu->eflags |= ISA_F_T;
    pc_cpu->gpr[ISA_EDI] = DATA;
    pc_cpu->gpr[ISA_ECX] = 3;
    PUT("\xf3\xaa");
    pc_want(CPU_DB, CODE);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX], 2);
}
END_TEST

START_TEST(tf_does_not_trap_an_instruction_that_faults)
{
    pc_cpu->eflags |= ISA_F_T;
    PUT("\x0f\x0b");
    pc_want(CPU_UD, CODE);
    ck_assert_uint_eq(pc_cpu->sys.dr[6], DR6_FIXED);
}
END_TEST

START_TEST(tf_does_not_trap_int_n)
{
    pc_cpu->eflags |= ISA_F_T;
    PUT("\xcd\x55\x90");
    ck_assert_uint_eq(pc_run(), 0x55);
    ck_assert_uint_eq(pc_frame(2) & ISA_F_T, ISA_F_T);
}
END_TEST

/* Interrupts */

START_TEST(an_interrupt_waits_for_if)
{
    interrupt_with(0x55);
    PUT("\x90\xfb\x90\x90"); /* nop; sti; nop; nop */
    pc_want(0x55, CODE + 3); /* the instruction after STI is run first */
}
END_TEST

START_TEST(sti_hlt_does_not_lose_an_interrupt)
{
    interrupt_with(0x55);
    PUT("\xfb\xf4\x90");
    pc_want(0x55, CODE + 2);
}
END_TEST

START_TEST(sti_when_already_set_casts_no_shadow)
{
    pc_cpu->eflags |= ISA_F_I;
    PUT("\x90\xfb\x90");
    pc_run_steps(1);
    pc_run_steps(1);
    interrupt_with(0x55);
    pc_want(0x55, CODE + 2);
}
END_TEST

START_TEST(interrupts_are_held_off_after_mov_ss)
{
    pc_cpu->gpr[ISA_EBX] = DATA0;
    PUT("\x8e\xd3\x90\x90");
    pc_run_steps(1);
    pc_cpu->eflags |= ISA_F_I;
    interrupt_with(0x55);
    pc_want(0x55, CODE + 3);
}
END_TEST

START_TEST(the_second_mov_ss_holds_nothing_off)
{
    pc_cpu->eflags |= ISA_F_I;
    pc_cpu->gpr[ISA_EBX] = DATA0;
    PUT("\x8e\xd3\x8e\xd3\x90\x90");
    pc_run_steps(1);
    interrupt_with(0x55);
    pc_want(0x55, CODE + 4);
}
END_TEST

START_TEST(lss_holds_nothing_off)
{
    pc_poke32(DATA, STACK0);
    pc_poke16(DATA + 4, DATA0);
    pc_cpu->eflags |= ISA_F_I;
    pc_cpu->gpr[ISA_EBX] = DATA;
    PUT("\x0f\xb2\x23\x90");
    pc_run_steps(1);
    interrupt_with(0x55);
    pc_want(0x55, CODE + 3);
}
END_TEST

START_TEST(nmi_ignores_if_and_waits_for_iret)
{
    pc_rig.pin.nmi = true;
    pc_set_gate(pc_gate_at(2), A_GATE | SYS_INT32, CODE0, 0x12000, 0);
    pc_poke(0x12000, "\x90\xcf", 2);
    PUT("\x90\x90");
    pc_run_steps(1);
    ck_assert_uint_eq(pc_cpu->eip, 0x12000);
    pc_rig.pin.nmi = true;
    pc_run_steps(1);
    ck_assert_uint_eq(pc_cpu->eip, 0x12001); /* not again yet */
    pc_run_steps(1);
    ck_assert_uint_eq(pc_cpu->eip, CODE);
    pc_run_steps(1);
    ck_assert_uint_eq(pc_cpu->eip, 0x12000);
}
END_TEST

START_TEST(hlt_waits_and_interrupts_end_it)
{
    pc_cpu->eflags |= ISA_F_I;
    PUT("\xf4\x90");
    ck_assert_int_eq(engine_run(pc_cpu, 100), ENGINE_EXIT_HALT);
    ck_assert_int_eq(engine_run(pc_cpu, 100), ENGINE_EXIT_HALT);
    ck_assert_uint_eq(pc_cpu->eip, CODE + 1);
    interrupt_with(0x55);
    pc_want(0x55, CODE + 1);
}
END_TEST

START_TEST(a_repeated_instruction_lets_interrupts_in)
{
    pc_cpu->eflags |= ISA_F_I;
    pc_cpu->gpr[ISA_EDX] = 0x55;
    pc_cpu->gpr[ISA_ECX] = 1000;
    pc_cpu->gpr[ISA_EDI] = DATA + 1000;
    pc_cpu->eflags |= ISA_F_D; /* backwards: element by element */
    PUT("\xf3\xaa");
    interrupt_with(0x55);
    pc_want(0x55, CODE);
}
END_TEST

/* Debug registers */

START_TEST(a_code_breakpoint_is_a_fault_and_rf_passes_it)
{
    pc_cpu->sys.dr[0] = CODE + 1;
    pc_cpu->sys.dr[7] = DR7_FIXED | 2;
    cpu_refresh(pc_cpu);
    pc_set_gate(pc_gate_at(CPU_DB), A_GATE | SYS_INT32, CODE0, 0x12000, 0);
    pc_poke(0x12000, "\x81\x4c\x24\x08\x00\x00\x01\x00\xcf", 9); /* or dword [esp+8],RF; iret */
    PUT("\x90\x90\x90\xcd\x80");
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_cpu->sys.dr[6] & 0xf, 1);
    ck_assert_uint_eq(pc_frame(2) >> 16 & 1, 0); /* RF is gone again */
}
END_TEST

START_TEST(a_data_breakpoint_is_a_trap)
{
    pc_cpu->sys.dr[1] = DATA;
    pc_cpu->sys.dr[7] = DR7_FIXED | 8 | 0xd << 20; /* write, 4 bytes */
    cpu_refresh(pc_cpu);
    pc_cpu->gpr[ISA_EBX] = DATA;
    PUT("\x8b\x03\x90\x88\x43\x03\x90"); /* a read, and a write of the last byte */
    pc_want(CPU_DB, CODE + 6);
    ck_assert_uint_eq(pc_cpu->sys.dr[6] & 0xf, 2);
}
END_TEST

START_TEST(a_data_breakpoint_is_held_off_after_mov_ss)
{
    pc_poke16(DATA, DATA0);
    pc_cpu->sys.dr[0] = DATA;
    pc_cpu->sys.dr[7] = DR7_FIXED | 1 | 7 << 16; /* access, 2 bytes */
    cpu_refresh(pc_cpu);
    pc_cpu->gpr[ISA_EBX] = DATA;
    PUT("\x8e\x13\x90\x90"); /* mov ss,[ebx] */
    pc_want(CPU_DB, CODE + 3);
}
END_TEST

START_TEST(general_detect)
{
    PUT("\xb8\x00\x20\x00\x00\x0f\x23\xf8\x0f\x21\xc3"); /* mov dr7,GD; mov ebx,dr0 */
    pc_want(CPU_DB, CODE + 8);
    ck_assert_uint_eq(pc_cpu->sys.dr[6] & DR6_BD, DR6_BD);
    ck_assert_uint_eq(pc_cpu->sys.dr[7] & DR7_GD, 0);
}
END_TEST

START_TEST(dr4_and_dr5_are_6_and_7_unless_cr4_de)
{
    PUT("\x0f\x21\xe0\x0f\x21\xeb\x6a\x08\x59\x0f\x22\xe1\x0f\x21\xe0"); /* ..; mov cr4,8; .. */
    pc_want(CPU_UD, CODE + 12);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], DR6_FIXED);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX], DR7_FIXED);
}
END_TEST

/* Real mode */

START_TEST(real_mode_interrupts)
{
    pc_enter_real();
    pc_cpu->eflags |= ISA_F_I | ISA_F_C;
    PUT("\xcd\x55");
    ck_assert_uint_eq(pc_run(), 0x55);
    ck_assert_uint_eq(pc_frame(0), 2 | (CODE >> 4) << 16);
    ck_assert_uint_eq(pc_frame(1) & 0xffff, 0x203);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ESP], 0x1000 - 6);
    ck_assert_uint_eq(pc_cpu->eflags & ISA_F_I, 0);
}
END_TEST

START_TEST(a_real_mode_vector_beyond_the_table)
{
    pc_enter_real();
    pc_cpu->sys.idt.limit = 0x55 * 4 + 2;
    PUT("\xcd\x55");
    ck_assert_uint_eq(pc_run(), CPU_GP);
    ck_assert_uint_eq(pc_frame(0) & 0xffff, 0);
}
END_TEST

static const TTest *const *const tests[] = {
    &contributory_twice_is_a_double_fault,
    &divide_error_then_not_present_is_a_double_fault,
    &invalid_opcode_then_not_present,
    &a_software_interrupt_is_benign_and_not_external,
    &an_outside_interrupt_tells_ext,
    &page_fault_then_page_fault_is_a_double_fault,
    &a_page_fault_while_a_general_protection_fault_is_delivered,
    &a_triple_fault_shuts_down,
    &faults_set_rf_and_traps_do_not,
    &int3_and_into_return_after_themselves,
    &rf_is_not_in_the_frame_of_int3,
    &tf_traps_after_the_next_instruction,
    &tf_is_held_off_after_mov_ss,
    &tf_is_held_off_after_pop_ss,
    &tf_takes_each_element_of_a_repeated_string_instruction,
    &tf_does_not_trap_an_instruction_that_faults,
    &tf_does_not_trap_int_n,
    &an_interrupt_waits_for_if,
    &sti_hlt_does_not_lose_an_interrupt,
    &sti_when_already_set_casts_no_shadow,
    &interrupts_are_held_off_after_mov_ss,
    &the_second_mov_ss_holds_nothing_off,
    &lss_holds_nothing_off,
    &nmi_ignores_if_and_waits_for_iret,
    &hlt_waits_and_interrupts_end_it,
    &a_repeated_instruction_lets_interrupts_in,
    &a_code_breakpoint_is_a_fault_and_rf_passes_it,
    &a_data_breakpoint_is_a_trap,
    &a_data_breakpoint_is_held_off_after_mov_ss,
    &general_detect,
    &dr4_and_dr5_are_6_and_7_unless_cr4_de,
    &real_mode_interrupts,
    &a_real_mode_vector_beyond_the_table,
};

int main(void)
{
    return pc_rig_main("pc_events", tests, ARRAY_LEN(tests), NULL, 0);
}
