/* SPDX-License-Identifier: MIT */
/*
 * What accesses of one block share (dbt/paged/paged_keep.c): what is said of registers holds for
 * every row of the table, and frames anywhere about a page's end, in pages that may be written or
 * not, or are not there, behave as the interpreter's.
 */
#include "dbt/paged/paged_place.h"
#include "testsuite/unit/pc_rig.h"

#define PAGE 0x100000u   /* linear; two pages that lie apart in memory */
#define FIRST 0x200000u  /* where the first of them lies */
#define SECOND 0x280000u /* and the second */

static uint64_t seed;

static uint32_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11);
}

/* Registers: every row, in encodings of all kinds, run by the interpreter */

static unsigned encode(const struct isa_row *row, uint8_t out[ISA_MAX_LENGTH + 1])
{
    static const uint8_t mandatory[] = {[ISA_P_66] = 0x66, [ISA_P_F3] = 0xf3, [ISA_P_F2] = 0xf2};
    unsigned n = 0;
    if (row->prefix == ISA_P_ANY && draw() % 4 == 0)
        out[n++] = 0x66;
    else if (row->prefix > ISA_P_NP)
        out[n++] = mandatory[row->prefix];
    if (row->map == ISA_MAP_0F)
        out[n++] = 0x0f;
    out[n++] = row->opcode;
    for (unsigned i = 0; i < 3; i++)
        if (row->op[i].method == ISA_M_Z)
            out[n - 1] |= (uint8_t)(draw() & 7);
    if (row->attr & ISA_T_CC)
        out[n - 1] |= (uint8_t)(draw() & 15);
    while (n <= ISA_MAX_LENGTH)
        out[n++] = (uint8_t)draw();
    return n;
}

/* Small displacements, so that memory operands lie in RAM more often than not. */
static bool draw_insn(const struct isa_row *row, struct isa_insn *insn)
{
    uint8_t bytes[ISA_MAX_LENGTH + 1];
    for (unsigned i = 0; i < 200; i++) {
        encode(row, bytes);
        if (isa_decode(bytes, sizeof(bytes), true, insn) == ISA_OK && insn->row == row &&
            insn->adsize == 4 && insn->segover == ISA_SEG_NONE && insn->disp_len < 4)
            return true;
    }
    return false;
}

static bool says_anything(const struct isa_insn *insn)
{
    struct paged_place at[8];
    bool says = false;
    paged_place_init(at);
    paged_place_step(at, insn, 0, true);
    for (unsigned reg = 0; reg < 8; reg++)
        says |= at[reg].root < 8;
    return says;
}

/* True: the instruction ran, and all that was said of the registers held. */
static bool holds(const struct isa_insn *insn)
{
    uint32_t before[8];
    struct paged_place at[8];
    for (unsigned reg = 0; reg < 8; reg++)
        before[reg] = pc_cpu->gpr[reg] = DATA + (draw() & 0xfff0);
    pc_cpu->eip = CODE;
    pc_poke(CODE, insn->bytes, insn->len);
    if (engine_run(pc_cpu, 1) != ENGINE_EXIT_BUDGET || pc_cpu->eip - CODE != insn->len)
        return false;
    paged_place_init(at);
    paged_place_step(at, insn, 0, true);
    for (unsigned reg = 0; reg < 8; reg++)
        if (at[reg].root < 8)
            ck_assert_msg(pc_cpu->gpr[reg] == before[at[reg].root] + (uint32_t)at[reg].off,
                          "%s: register %u is not what it is said to be", insn->row->mnemonic, reg);
    return true;
}

START_TEST(what_is_said_of_registers_holds_for_every_row)
{
    struct isa_insn insn;
    unsigned rows = 0;
    seed = 88172645463325252u;
    for (unsigned i = 0; i < isa_row_count; i++) {
        unsigned ran = 0;
        if (!draw_insn(&isa_rows[i], &insn) || !says_anything(&insn))
            continue;
        for (unsigned n = 0; n < 100; n++)
            if (draw_insn(&isa_rows[i], &insn))
                ran += holds(&insn);
        rows += ran > 0;
    }
    /* Integer, x87, MMX and SSE rows: nearly all of the table but what the system has. */
    ck_assert_uint_gt(rows, 400);
}
END_TEST

START_TEST(pushes_of_a_16_bit_stack_say_nothing)
{
    struct isa_insn insn;
    struct paged_place at[8];
    ck_assert_int_eq(isa_decode((const uint8_t *)"\x50", 1, true, &insn), ISA_OK);
    paged_place_init(at);
    paged_place_step(at, &insn, 0, false);
    ck_assert_uint_ge(at[ISA_ESP].root, 8);
}
END_TEST

/* Frames */

static void map(uint32_t linear, uint32_t frame, uint32_t bits)
{
    pc_poke32(pc_pte_at(linear), frame | bits);
}

static void map_two_pages(uint32_t first_bits, uint32_t second_bits)
{
    pc_enable_paging();
    map(PAGE, FIRST, first_bits);
    map(PAGE + 0x1000, SECOND, second_bits);
}

static uint32_t frame_of(uint32_t linear)
{
    return (linear & 0x1000 ? SECOND : FIRST) + (linear & 0xfff);
}

static uint32_t peek_linear(uint32_t linear)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value |= (pc_peek16(frame_of(linear + i)) & 0xff) << 8 * i;
    return value;
}

static void poke_linear(uint32_t linear, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        pc_poke(frame_of(linear + i), (const uint8_t *)&value + i, 1);
}

/* A frame that is read and written, by EBP and by ESP, in a block that runs 48 times: EBP goes from
 * one page into the next, byte by byte. */
static const char walk[] = "\x8b\x45\xf8"             /* again: mov eax, [ebp-8] */
                           "\x03\x45\xf0"             /* add eax, [ebp-16] */
                           "\x89\x45\xfc"             /* mov [ebp-4], eax */
                           "\x0f\xb6\x55\xff"         /* movzx edx, byte [ebp-1] */
                           "\x01\x55\xf4"             /* add [ebp-12], edx */
                           "\x8b\x55\xf4"             /* mov edx, [ebp-12] */
                           "\x89\xe6"                 /* mov esi, esp */
                           "\x8d\x65\xec"             /* lea esp, [ebp-20] */
                           "\x50\x52\x5f\x5b"         /* push eax; push edx; pop edi; pop ebx */
                           "\x89\xf4"                 /* mov esp, esi */
                           "\x01\xdf"                 /* add edi, ebx */
                           "\x01\x39"                 /* add [ecx], edi */
                           "\x45"                     /* inc ebp */
                           "\x81\xfd\x20\x10\x10\x00" /* cmp ebp, PAGE + 0x1020 */
                           "\x75\xd5";                /* jne again */
#define WALK_FROM (PAGE + 0xff0)
#define WALK_TO (PAGE + 0x1020)

static uint32_t walk_here(uint32_t ebp)
{
    uint32_t eax = peek_linear(ebp - 8) + peek_linear(ebp - 16), edx;
    poke_linear(ebp - 4, eax);
    poke_linear(ebp - 12, peek_linear(ebp - 12) + (peek_linear(ebp - 1) & 0xff));
    edx = peek_linear(ebp - 12);
    poke_linear(ebp - 24, eax);
    poke_linear(ebp - 28, edx);
    return eax + edx;
}

static void fill_pages(void)
{
    for (uint32_t at = 0; at < 0x1000; at += 4) {
        pc_poke32(FIRST + at, at * 2654435761u);
        pc_poke32(SECOND + at, at * 2246822519u + 7);
    }
}

START_TEST(a_frame_that_walks_over_a_page_end)
{
    uint8_t want[0x2000], have[0x2000];
    uint32_t sum = 0;
    map_two_pages(7, 7);
    fill_pages();
    for (uint32_t ebp = WALK_FROM; ebp < WALK_TO; ebp++)
        sum += walk_here(ebp);
    for (uint32_t i = 0; i < sizeof(want); i++)
        want[i] = (uint8_t)pc_peek16(frame_of(PAGE + i));
    fill_pages();
    pc_cpu->gpr[ISA_EBP] = WALK_FROM;
    pc_cpu->gpr[ISA_ECX] = DATA;
    pc_put(walk, sizeof(walk) - 1);
    pc_want_ok();
    for (uint32_t i = 0; i < sizeof(have); i++)
        have[i] = (uint8_t)pc_peek16(frame_of(PAGE + i));
    ck_assert_uint_eq(pc_peek32(DATA), sum);
    ck_assert_mem_eq(have, want, sizeof(want));
}
END_TEST

/* mov eax, [ebp-8]; mov edx, [ebp-16]; mov [ebp-4], eax; mov [ebp-12], edx */
#define TWO_READS "\x8b\x45\xf8\x8b\x55\xf0"
#define TWO_WRITES "\x89\x45\xfc\x89\x55\xf4"

START_TEST(reads_leave_a_page_clean)
{
    map_two_pages(7, 7);
    pc_cpu->gpr[ISA_EBP] = PAGE + 0x100;
    PUT(TWO_READS);
    pc_want_ok();
    ck_assert_uint_eq(pc_peek32(pc_pte_at(PAGE)) & 0x60, 0x20);
}
END_TEST

START_TEST(a_write_after_reads_marks_the_page)
{
    map_two_pages(7, 7);
    pc_cpu->gpr[ISA_EBP] = PAGE + 0x100;
    PUT(TWO_READS TWO_WRITES);
    pc_want_ok();
    ck_assert_uint_eq(pc_peek32(pc_pte_at(PAGE)) & 0x60, 0x60);
}
END_TEST

START_TEST(a_write_after_reads_of_a_page_that_may_not_be_written)
{
    map_two_pages(5, 7);
    poke_linear(PAGE + 0xf8, 0x1234);
    pc_enter_ring3();
    pc_cpu->gpr[ISA_EBP] = PAGE + 0x100;
    PUT(TWO_READS TWO_WRITES);
    pc_want_error(CPU_PF, 7, CODE + sizeof(TWO_READS) - 1);
    ck_assert_uint_eq(pc_cpu->sys.cr2, PAGE + 0xfc);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 0x1234);
}
END_TEST

/* The frame begins in a page that is there: what comes before the other is done. */
START_TEST(a_frame_whose_other_page_is_missing)
{
    map_two_pages(7, 6);
    pc_cpu->gpr[ISA_EBP] = PAGE + 0x1008;
    poke_linear(PAGE + 0xff8, 0x77);
    PUT("\x8b\x55\xf0\x8b\x45\xf8" TWO_WRITES); /* the lower one first */
    pc_want_error(CPU_PF, 0, CODE + 3);
    ck_assert_uint_eq(pc_cpu->sys.cr2, PAGE + 0x1000);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX], 0x77);
}
END_TEST

START_TEST(a_frame_about_address_0_wraps)
{
    map_two_pages(7, 7);
    pc_cpu->gpr[ISA_EBP] = 8;
    pc_poke32(0, 0x11111111);
    PUT("\x8b\x45\xf8\x8b\x55\xf0"); /* [0], then [0xfffffff8] */
    pc_want_error(CPU_PF, 0, CODE + 3);
    ck_assert_uint_eq(pc_cpu->sys.cr2, 0xfffffff8u);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 0x11111111);
}
END_TEST

/* The page is another after the call of the interpreter in between: CR3's reload ends a block,
 * INVLPG does not. */
START_TEST(a_page_that_changes_within_a_block)
{
    map_two_pages(7, 7);
    pc_poke32(FIRST + 0xf8, 1);
    pc_poke32(SECOND + 0xf8, 2);
    pc_cpu->gpr[ISA_EBP] = PAGE + 0x100;
    pc_cpu->gpr[ISA_ECX] = pc_pte_at(PAGE);
    pc_cpu->gpr[ISA_EDI] = SECOND | 7;
    PUT("\x8b\x45\xf8\x8b\x45\xf8"   /* mov eax, [ebp-8], twice */
        "\x89\x39\x0f\x01\x7d\x00"   /* mov [ecx], edi; invlpg [ebp] */
        "\x8b\x55\xf8\x03\x55\xf8"); /* mov edx, [ebp-8]; add edx, [ebp-8] */
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EAX], 1);
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EDX], 4);
}
END_TEST

/* The frame lies over the code: the write is seen by the next instruction, in the same block. */
START_TEST(a_frame_over_its_own_code)
{
    pc_enable_paging();
    pc_cpu->gpr[ISA_EBP] = CODE;
    pc_cpu->gpr[ISA_ECX] = 0x07;
    PUT("\x8b\x45\x40\x8b\x55\x44" /* two reads of the stretch */
        "\x88\x4d\x0a"             /* mov [ebp+10], cl: the immediate of the next */
        "\xb3\x00");               /* mov bl, 0 */
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[ISA_EBX] & 0xff, 7);
}
END_TEST

static const TTest *const *const tests[] = {
    &what_is_said_of_registers_holds_for_every_row,
    &pushes_of_a_16_bit_stack_say_nothing,
    &a_frame_that_walks_over_a_page_end,
    &reads_leave_a_page_clean,
    &a_write_after_reads_marks_the_page,
    &a_write_after_reads_of_a_page_that_may_not_be_written,
    &a_frame_whose_other_page_is_missing,
    &a_frame_about_address_0_wraps,
    &a_page_that_changes_within_a_block,
    &a_frame_over_its_own_code,
};

int main(void)
{
    return pc_rig_main("pc_keep", tests, ARRAY_LEN(tests), NULL, 0);
}
