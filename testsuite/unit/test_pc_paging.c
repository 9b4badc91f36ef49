/* SPDX-License-Identifier: MIT */
/* Paging: rights, error codes, accessed and dirty bits, large pages, PAE, what the TLB may keep. */
#include "testsuite/unit/pc_rig.h"

#define PAGE 0x100000u /* the page that tests play with */
#define OTHER 0x200000u

static void set_pte(uint32_t linear, uint32_t bits)
{
    pc_poke32(pc_pte_at(linear), (linear & ~PAGE_MASK) | bits);
}

static uint32_t pte_bits(uint32_t linear)
{
    return pc_peek32(pc_pte_at(linear)) & PAGE_MASK;
}

/* mov eax,[PAGE] or mov [PAGE],eax by the present ring. */
#define READ "\xa1\x00\x00\x10\x00"
#define WRITE "\xa3\x00\x00\x10\x00"

struct right_case {
    uint32_t pte;
    bool ring3, write, wp;
    int error; /* -1: allowed */
    uint32_t after;
};

static const struct right_case right_cases[] = {
    {7, false, false, false, -1, 0x27}, {7, false, true, false, -1, 0x67},
    {5, false, true, false, -1, 0x65}, /* without WP the system writes where it likes */
    {5, false, true, true, 3, 5},       {5, true, false, false, -1, 0x25},
    {5, true, true, false, 7, 5},       {3, true, false, false, 5, 3},
    {3, true, true, false, 7, 3},       {3, false, true, true, -1, 0x63},
    {6, false, false, false, 0, 6},     {6, false, true, false, 2, 6},
    {6, true, false, false, 4, 6},      {6, true, true, false, 6, 6},
};

START_TEST(rights_and_marks)
{
    const struct right_case *c = &right_cases[_i];
    pc_enable_paging();
    set_pte(PAGE, c->pte);
    pc_cpu->sys.cr0 |= c->wp ? (uint32_t)CR0_WP : 0;
    if (c->ring3)
        pc_enter_ring3();
    pc_put(c->write ? WRITE : READ, 5);
    if (c->error < 0)
        pc_want_ok();
    else
        pc_want_error(CPU_PF, (uint32_t)c->error, CODE);
    ck_assert_uint_eq(pte_bits(PAGE), c->after);
    if (c->error >= 0)
        ck_assert_uint_eq(pc_cpu->sys.cr2, PAGE);
}
END_TEST

START_TEST(the_directory_binds_too)
{
    pc_enable_paging();
    pc_poke32(PAGE_DIRECTORY, PAGE_TABLE | 5); /* user may not write anywhere */
    pc_enter_ring3();
    PUT(WRITE);
    pc_want_error(CPU_PF, 7, CODE);
    ck_assert_uint_eq(pc_peek32(PAGE_DIRECTORY) & 0x20, 0x20);
}
END_TEST

/* An access over a page end that the second page refuses changes nothing, and CR2 is there. */
START_TEST(a_write_over_a_page_end_is_all_or_nothing)
{
    pc_enable_paging();
    set_pte(PAGE + 0x1000, 6);
    pc_poke32(PAGE + 0xffc, 0);
    pc_cpu->gpr[ISA_EAX] = 0x55555555;
    PUT("\xa3\xfe\x0f\x10\x00");
    pc_want_error(CPU_PF, 2, CODE);
    ck_assert_uint_eq(pc_cpu->sys.cr2, PAGE + 0x1000);
    ck_assert_uint_eq(pc_peek32(PAGE + 0xffc), 0);
}
END_TEST

START_TEST(a_read_modify_write_of_a_read_only_page_is_a_write)
{
    pc_enable_paging();
    set_pte(PAGE, 5);
    pc_enter_ring3();
    PUT("\xff\x05\x00\x00\x10\x00"); /* inc dword [PAGE] */
    pc_want_error(CPU_PF, 7, CODE);
}
END_TEST

START_TEST(code_over_a_page_end)
{
    pc_enable_paging();
    pc_poke(PAGE + 0xffd, "\xb8\x78\x56", 3);
    pc_poke(PAGE + 0x1000, "\x34\x12\xcd\x80", 4);
    pc_cpu->eip = PAGE + 0xffd;
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 0x12345678);
}
END_TEST

START_TEST(code_into_a_missing_page)
{
    pc_enable_paging();
    set_pte(PAGE + 0x1000, 0);
    pc_poke(PAGE + 0xffc, "\x90\xb8\x78\x56", 4);
    pc_cpu->eip = PAGE + 0xffc;
    pc_want_error(CPU_PF, 0, PAGE + 0xffd);
    ck_assert_uint_eq(pc_cpu->sys.cr2, PAGE + 0x1000);
}
END_TEST

/* What fits on its page does not look at the next one. */
START_TEST(an_instruction_at_the_end_of_its_page)
{
    pc_enable_paging();
    set_pte(PAGE + 0x1000, 7);
    pc_poke(PAGE + 0xffe, "\xcd\x80", 2);
    pc_cpu->eip = PAGE + 0xffe;
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pte_bits(PAGE + 0x1000), 7);
}
END_TEST

/* The TLB may keep what was there until INVLPG or CR3; afterwards it must not. */
START_TEST(invlpg_and_cr3_reload_forget)
{
    pc_enable_paging();
    pc_poke32(PAGE, 1);
    pc_poke32(OTHER, 2);
    pc_cpu->gpr[ISA_EBX] = OTHER | 7;
    pc_cpu->gpr[ISA_EBP] = pc_pte_at(PAGE);
    /* read; remap to OTHER; invlpg; read into ecx */
    PUT(READ "\x89\x5d\x00\x0f\x01\x3d\x00\x00\x10\x00\x8b\x0d\x00\x00\x10\x00");
    /* remap to PAGE again; reload cr3; read into edx */
    PUT("\xbb\x07\x00\x10\x00\x89\x5d\x00\x0f\x20\xdf\x0f\x22\xdf\x8b\x15\x00\x00\x10\x00");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 1);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX], 2);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX], 1);
}
END_TEST

/* After a reload of CR3 an IRET with RF to ring 3 runs one instruction by itself, so that its page
 * is there again before anybody asks what has gone. That makes it no page that stays: at the next
 * reload it goes. (What a kernel with page tables of its own does to a program that faults.) */
START_TEST(code_that_is_returned_to_after_a_reload_is_forgotten_at_the_next)
{
    pc_enable_paging();
    pc_set_gate(IDT + 0x81 * 8, 0xee, CODE0, CODE + 34, 0);
    /* nop; mov ebx,1; inc edx; int 0x81; the other: nop; mov ebx,2; inc edx; int 0x80 */
    pc_poke(PAGE, "\x90\xbb\x01\x00\x00\x00\x42\xcd\x81", 9);
    pc_poke(OTHER, "\x90\xbb\x02\x00\x00\x00\x42\xcd\x80", 9);
    pc_cpu->gpr[ISA_EDX] = 0;
    pc_cpu->gpr[ISA_EDI] = OTHER | 7;
    pc_cpu->gpr[ISA_EBP] = pc_pte_at(PAGE);
    /* mov esi,40; push DATA3; push STACK3; pushf; or dword [esp],RF; push CODE3; push PAGE */
    PUT("\xbe\x28\x00\x00\x00\x6a\x23\x68\x00\x80\x03\x00\x9c\x81\x0c\x24\x00\x00\x01\x00");
    PUT("\x6a\x1b\x68\x00\x00\x10\x00");
    /* reload cr3; iret; int 0x81 leads here: dec esi; js to the end; jnz to the first push */
    PUT("\x0f\x20\xd9\x0f\x22\xd9\xcf\x4e\x78\x1b\x75\xde");
    /* remap to OTHER; as above, without RF, to PAGE+1; the end: int 0x80 */
    PUT("\x89\x7d\x00\x6a\x23\x68\x00\x80\x03\x00\x9c\x6a\x1b\x68\x01\x00\x10\x00");
    PUT("\x0f\x20\xd9\x0f\x22\xd9\xcf\xcd\x80");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX], 2);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX], 41);
}
END_TEST

START_TEST(a_global_page_outlives_a_cr3_reload_and_not_invlpg)
{
    pc_enable_paging();
    pc_cpu->sys.cr4 |= CR4_PGE;
    set_pte(PAGE, 0x107);
    pc_poke32(PAGE, 1);
    pc_poke32(OTHER, 2);
    pc_cpu->gpr[ISA_EBX] = OTHER | 0x107;
    pc_cpu->gpr[ISA_EBP] = pc_pte_at(PAGE);
    PUT(READ "\x89\x5d\x00\x0f\x20\xdf\x0f\x22\xdf\x8b\x0d\x00\x00\x10\x00");
    PUT("\x0f\x01\x3d\x00\x00\x10\x00\x8b\x15\x00\x00\x10\x00");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 1);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX], 1);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX], 2);
}
END_TEST

START_TEST(turning_pge_off_forgets_global_pages)
{
    pc_enable_paging();
    pc_cpu->sys.cr4 |= CR4_PGE;
    set_pte(PAGE, 0x107);
    pc_poke32(OTHER, 2);
    pc_cpu->gpr[ISA_EBX] = OTHER | 0x107;
    pc_cpu->gpr[ISA_EBP] = pc_pte_at(PAGE);
    PUT(READ "\x89\x5d\x00\x31\xff\x0f\x22\xe7\x8b\x0d\x00\x00\x10\x00");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX], 2);
}
END_TEST

START_TEST(pages_of_4_mib)
{
    pc_enable_paging();
    pc_cpu->sys.cr4 |= CR4_PSE;
    pc_poke32(PAGE_DIRECTORY + 4, 0x87); /* 4 MiB at 4 MiB: the first ones again */
    pc_poke32(PAGE, 0xabcd);
    PUT("\xa1\x00\x00\x50\x00\xa3\x04\x00\x50\x00");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 0xabcd);
    ck_assert_uint_eq(pc_peek32(PAGE + 4), 0xabcd);
    ck_assert_uint_eq(pc_peek32(PAGE_DIRECTORY + 4), 0xe7);
}
END_TEST

START_TEST(a_reserved_bit_of_a_large_page)
{
    pc_enable_paging();
    pc_cpu->sys.cr4 |= CR4_PSE;
    pc_poke32(PAGE_DIRECTORY + 4, 0x200087);
    PUT("\xa1\x00\x00\x50\x00");
    pc_want_error(CPU_PF, 9, CODE);
}
END_TEST

START_TEST(without_pse_the_bit_means_nothing)
{
    pc_enable_paging();
    pc_poke32(PAGE_DIRECTORY, PAGE_TABLE | 0x87);
    PUT(READ);
    pc_want_ok();
}
END_TEST

#define PDPT 0x50000u
#define PAE_DIRECTORY 0x51000u
#define PAE_TABLE 0x52000u /* of the first 2 MiB; a large page has the second */

static void enable_pae(void)
{
    pc_poke32(PDPT, PAE_DIRECTORY | 1);
    pc_poke32(PAE_DIRECTORY, PAE_TABLE | 7);
    for (uint32_t page = 0; page < 512; page++)
        pc_poke32(PAE_TABLE + page * 8, page << 12 | 7);
    pc_poke32(PAE_DIRECTORY + 8, 0x200087);
    pc_cpu->gpr[ISA_EAX] = PDPT;
    pc_cpu->gpr[ISA_EBX] = CR4_PAE;
    /* mov cr3,eax; mov cr4,ebx; mov eax,cr0; or eax,80000000h; mov cr0,eax */
    PUT("\x0f\x22\xd8\x0f\x22\xe3\x0f\x20\xc0\x0d\x00\x00\x00\x80\x0f\x22\xc0");
}

START_TEST(pae_small_and_large_pages)
{
    enable_pae();
    pc_poke32(0x200010, 0x1111);
    PUT("\xa1\x10\x00\x20\x00\xa3\x00\x00\x10\x00");
    pc_want_ok();
    ck_assert_uint_eq(pc_peek32(PAGE), 0x1111);
    ck_assert_uint_eq(pc_peek32(PAE_DIRECTORY + 8) & 0xfff, 0xa7);
    ck_assert_uint_eq(pc_peek32(PAE_TABLE + 0x100 * 8) & 0xfff, 0x67);
}
END_TEST

START_TEST(pae_reserved_bits)
{
    enable_pae();
    pc_poke32(PAE_TABLE + 0x100 * 8 + 4, 0x10); /* bit 36 */
    PUT(READ);
    pc_want_error(CPU_PF, 9, CODE + 17);
}
END_TEST

START_TEST(nx_is_reserved_until_efer_has_it)
{
    enable_pae();
    pc_poke32(PAE_TABLE + 0x100 * 8 + 4, 0x80000000);
    PUT(READ);
    pc_want_error(CPU_PF, 9, CODE + 17);
}
END_TEST

START_TEST(nx_refuses_the_fetch_alone)
{
    pc_poke32(PAE_TABLE + 0x100 * 8 + 4, 0x80000000);
    pc_cpu->sys.efer = EFER_NXE;
    enable_pae();
    PUT(READ "\xb8\x00\x00\x10\x00\xff\xe0"); /* jmp PAGE */
    pc_want_error(CPU_PF, 17, PAGE);
}
END_TEST

START_TEST(reserved_bits_of_a_pdpte_refuse_cr0)
{
    pc_poke32(PDPT, PAE_DIRECTORY | 3);
    pc_cpu->sys.cr3 = PDPT;
    pc_cpu->sys.cr4 = CR4_PAE;
    PUT("\x0f\x20\xc0\x0d\x00\x00\x00\x80\x0f\x22\xc0");
    uint32_t table = pc_peek32(PDPT);
    pc_poke32(PDPT, (table & ~0xfffu) | 3);
    pc_want_error(CPU_GP, 0, CODE + 8);
}
END_TEST

/* Code changed through another virtual page of its frame, in a loop that has been run before. */
START_TEST(code_changed_through_an_alias)
{
    pc_enable_paging();
    pc_poke32(pc_pte_at(OTHER), PAGE | 7); /* OTHER is PAGE, too */
    /* at PAGE: mov al,1; mov byte [OTHER+8],2 ; mov al,[here patched] */
    pc_poke(PAGE, "\xc6\x05\x08\x00\x20\x00\x02\xb0\x01\xcd\x80", 11);
    pc_cpu->eip = PAGE;
    ck_assert_uint_eq(pc_run(), VEC_OK);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & 0xff, 2);
}
END_TEST

START_TEST(code_run_through_two_pages_and_changed_through_a_third)
{
    pc_enable_paging();
    pc_poke32(pc_pte_at(OTHER), PAGE | 7);
    pc_poke(PAGE, "\xb0\x01\xc3", 3); /* mov al,1; ret */
    /* call PAGE; call OTHER; inc byte [OTHER+1]; call PAGE */
    PUT("\xbb\x00\x00\x10\x00\xbd\x00\x00\x20\x00\xff\xd3\xff\xd5\xfe\x45\x01\xff\xd3");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX] & 0xff, 2);
}
END_TEST

START_TEST(a20_masks_physical_addresses)
{
    pc_poke32(0, 0x1234);
    pc_poke32(0x100000, 0x5678);
    bus_set_a20(pc_rig.bus, false);
    PUT(READ "\x89\xc3");
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX], 0x1234);
}
END_TEST

START_TEST(string_instructions_stop_where_the_page_ends)
{
    pc_enable_paging();
    set_pte(PAGE + 0x1000, 0);
    pc_cpu->gpr[ISA_EDI] = PAGE + 0xff0;
    pc_cpu->gpr[ISA_ECX] = 100;
    PUT("\xf3\xaa");
    pc_want_error(CPU_PF, 2, CODE);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_ECX], 84);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDI], PAGE + 0x1000);
}
END_TEST

/* Two spaces, all the same but for where PAGE is; the first is in force. */
#define DIRECTORY2 0x44000u
#define TABLE2 0x45000u
#define READ_INTO_EBX "\x8b\x1d\x00\x00\x10\x00"
#define TO_SECOND                                                                                  \
    "\xb8\x00\x40\x04\x00\x0f\x22\xd8"                                                             \
    "\x8b\x15\x00\x00\x10\x00"                  /* mov cr3, DIRECTORY2; mov edx, [PAGE] */
#define BACK "\xb8\x00\x00\x04\x00\x0f\x22\xd8" /* mov cr3, PAGE_DIRECTORY */
#define SET_PTE "\x89\x39"                      /* mov [ecx], edi */

static void make_two_spaces(void)
{
    pc_enable_paging();
    pc_poke32(DIRECTORY2, TABLE2 | 7);
    for (uint32_t page = 0; page < 1024; page++)
        pc_poke32(TABLE2 + page * 4, page << 12 | 7);
    pc_poke32(TABLE2 + (PAGE >> 12) * 4, OTHER | 7);
    pc_poke32(PAGE, 1);
    pc_poke32(OTHER, 2);
    pc_poke32(OTHER + 0x1000, 3);
    pc_cpu->gpr[ISA_ECX] = pc_pte_at(PAGE);
}

START_TEST(a_space_that_comes_back_is_as_it_was_left)
{
    make_two_spaces();
    PUT(READ_INTO_EBX TO_SECOND BACK READ_INTO_EBX TO_SECOND BACK READ_INTO_EBX);
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX], 1);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX], 2);
}
END_TEST

/* What the TLB knew of a space is looked for again, in the tables as they are by then. */
START_TEST(a_space_that_changed_meanwhile)
{
    make_two_spaces();
    pc_cpu->gpr[ISA_EDI] = (OTHER + 0x1000) | 7;
    PUT(READ_INTO_EBX TO_SECOND SET_PTE BACK READ_INTO_EBX);
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX], 3);
    ck_assert_uint_eq(pte_bits(PAGE), 0x27);
}
END_TEST

START_TEST(a_page_that_went_meanwhile)
{
    make_two_spaces();
    PUT(READ_INTO_EBX TO_SECOND SET_PTE BACK READ_INTO_EBX);
    pc_want_error(CPU_PF, 0, pc_rig.code_at - 6);
    ck_assert_uint_eq(pc_cpu->sys.cr2, PAGE);
}
END_TEST

/* Nobody sees that it was looked for: no accessed bit but by an access. */
START_TEST(a_page_whose_mark_was_taken_meanwhile)
{
    make_two_spaces();
    pc_cpu->gpr[ISA_EDI] = PAGE | 7;
    PUT(READ_INTO_EBX TO_SECOND SET_PTE BACK);
    pc_want_ok();
    ck_assert_uint_eq(pte_bits(PAGE), 7);
}
END_TEST

START_TEST(a_write_after_the_dirty_mark_was_taken_meanwhile)
{
    make_two_spaces();
    pc_cpu->gpr[ISA_EDI] = PAGE | 0x27;
    PUT(WRITE TO_SECOND SET_PTE BACK);
    PUT(WRITE);
    pc_want_ok();
    ck_assert_uint_eq(pte_bits(PAGE), 0x67);
}
END_TEST

static const TTest *const *const tests[] = {
    &a_space_that_comes_back_is_as_it_was_left,
    &a_space_that_changed_meanwhile,
    &a_page_that_went_meanwhile,
    &a_page_whose_mark_was_taken_meanwhile,
    &a_write_after_the_dirty_mark_was_taken_meanwhile,
    &the_directory_binds_too,
    &a_write_over_a_page_end_is_all_or_nothing,
    &a_read_modify_write_of_a_read_only_page_is_a_write,
    &code_over_a_page_end,
    &code_into_a_missing_page,
    &an_instruction_at_the_end_of_its_page,
    &invlpg_and_cr3_reload_forget,
    &code_that_is_returned_to_after_a_reload_is_forgotten_at_the_next,
    &a_global_page_outlives_a_cr3_reload_and_not_invlpg,
    &turning_pge_off_forgets_global_pages,
    &pages_of_4_mib,
    &a_reserved_bit_of_a_large_page,
    &without_pse_the_bit_means_nothing,
    &pae_small_and_large_pages,
    &pae_reserved_bits,
    &nx_is_reserved_until_efer_has_it,
    &nx_refuses_the_fetch_alone,
    &reserved_bits_of_a_pdpte_refuse_cr0,
    &code_changed_through_an_alias,
    &code_run_through_two_pages_and_changed_through_a_third,
    &a20_masks_physical_addresses,
    &string_instructions_stop_where_the_page_ends,
};

static const struct pc_rig_loop loops[] = {{&rights_and_marks, ARRAY_LEN(right_cases)}};

int main(void)
{
    return pc_rig_main("pc_paging", tests, ARRAY_LEN(tests), loops, ARRAY_LEN(loops));
}
