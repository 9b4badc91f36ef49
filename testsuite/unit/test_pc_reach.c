/* SPDX-License-Identifier: MIT */
/*
 * Escape classes of the window, held against the paged policy: an address that is more than 32
 * bits somewhere on its way would reach beyond the tables of the TLB, where no page tells what is
 * guest and what is host. Every sum here is one that wraps, or has its top bit set, and must come
 * out at a word in DATA's page; where it does not, the word is wrong or there is a page fault.
 */
#include "testsuite/unit/pc_rig.h"

#define WORDS 64u
#define MARK 0x80c0ffeeu     /* sign-extended it is another number */
#define TOP_PAGE 0xfffff000u /* linear */
#define TOP_TABLE 0x42000u
#define TOP_FRAME 0x50000u

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

static uint64_t seed;

static uint32_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11);
}

static void put_byte(unsigned byte)
{
    uint8_t b = (uint8_t)byte;
    pc_put(&b, 1);
}

static void put_word(uint32_t word)
{
    pc_put(&word, sizeof(word));
}

static void put_load(unsigned reg, uint32_t value)
{
    put_byte(0xb8 + reg);
    put_word(value);
}

/* mov [base + index << scale + disp], edx, or with opcode 0x8b the other way */
static void put_access(unsigned opcode, unsigned base, unsigned index, unsigned scale,
                       uint32_t disp)
{
    put_byte(opcode);
    put_byte(0x94);
    put_byte(scale << 6 | index << 3 | base);
    put_word(disp);
}

static uint32_t word_at(unsigned i)
{
    return DATA + 8 * i;
}

/* The last page of the 4 GiB and the first are there. */
static void map_both_ends(void)
{
    pc_enable_paging();
    pc_poke32(TOP_TABLE + 0xffc, TOP_FRAME | 7);
    pc_poke32(PAGE_DIRECTORY + 0xffc, TOP_TABLE | 7);
    cpu_refresh(pc_cpu);
}

static void check_words(unsigned count)
{
    for (unsigned i = 0; i < WORDS; i++)
        ck_assert_msg(pc_peek32(word_at(i)) == (i < count ? MARK + i : 0), "word %u: %08x", i,
                      pc_peek32(word_at(i)));
}

/* An index of any size, shifted by 0 to 3: bits are pushed out, and base and displacement carry. */
START_TEST(folded_shift_past_the_guards_paged)
{
    static const uint32_t edge[] = {0x20000001, 0x40000002, 0x80000001, 0xe0000000,
                                    0xffffffff, 0x1fffffff, 0x7fffffff, 0xc0000000};
    seed = 0x9e3779b97f4a7c15u + (uint64_t)_i;
    map_both_ends();
    for (unsigned i = 0; i < WORDS; i++) {
        unsigned scale = draw() & 3;
        uint32_t index = draw() & 1 ? draw() * 2 + 1 : edge[draw() % ARRAY_LEN(edge)];
        uint32_t disp = draw() * 2 + 1;
        put_load(ESI, index);
        put_load(EBX, word_at(i) - (index << scale) - disp);
        put_load(EDX, MARK + i);
        put_access(0x89, EBX, ESI, scale, disp);
    }
    pc_want_ok();
    check_words(WORDS);
}
END_TEST

/* The shift is the guest's own, by SHL or LEA, and the translator may know what comes out. */
START_TEST(shift_before_the_address_paged)
{
    seed = 0x2545f4914f6cdd1du + (uint64_t)_i;
    map_both_ends();
    for (unsigned i = 0; i < WORDS; i++) {
        unsigned by = 1 + (draw() & 1);
        uint32_t index = draw() * 2 + 1;
        put_load(ECX, index);
        put_load(EDX, MARK + i);
        if (i & 1) {
            put_byte(0xc1); /* shl ecx, by */
            put_byte(0xe1);
            put_byte(by);
        } else {
            put_byte(0x8d); /* lea ecx, [ecx << by] */
            put_byte(0x0c);
            put_byte(by << 6 | ECX << 3 | 5);
            put_word(0);
        }
        put_load(EBX, word_at(i) - (index << by));
        put_access(0x89, EBX, ECX, 0, 0);
    }
    pc_want_ok();
    check_words(WORDS);
}
END_TEST

static void put_pushed(unsigned reg)
{
    put_byte(0x50 + reg);
    put_byte(0x58 + EDI);
}

static void put_stored(unsigned reg)
{
    put_byte(0x89); /* mov [DATA + 0xf00], reg; mov edi, [...] */
    put_byte(reg << 3 | 5);
    put_word(DATA + 0xf00);
    put_byte(0x8b);
    put_byte(EDI << 3 | 5);
    put_word(DATA + 0xf00);
}

/* SGDT is the interpreter's: all registers go to their places and come back. */
static void put_interpreted(unsigned reg)
{
    put_byte(0x89); /* mov edi, reg */
    put_byte(0xc0 | reg << 3 | EDI);
    put_byte(0x0f);
    put_byte(0x01);
    put_byte(0x05);
    put_word(DATA + 0xf80);
}

/* A register whose top bit is set goes to memory and back before it is part of an address. */
START_TEST(sign_extended_spill_paged)
{
    void (*const spill[])(unsigned) = {put_pushed, put_stored, put_interpreted};
    seed = 0xd1342543de82ef95u + (uint64_t)_i;
    map_both_ends();
    for (unsigned i = 0; i < WORDS; i++) {
        uint32_t value = 0x80000000u | draw(), index = 0x80000000u | draw();
        put_load(EBX, value);
        put_load(ESI, index);
        put_load(EDX, MARK + i);
        spill[i % ARRAY_LEN(spill)](EBX);
        put_access(0x89, EDI, ESI, 0, word_at(i) - value - index);
    }
    pc_want_ok();
    check_words(WORDS);
}
END_TEST

/* MOVSX, CDQ and PUSH of a byte make the sign bits themselves: 32 of them, not 64. */
START_TEST(sign_extended_operand_paged)
{
    map_both_ends();
    for (unsigned i = 0; i < WORDS; i++) {
        uint32_t small = 0x80u | i;
        put_load(EAX, small);
        if (i & 1) {
            PUT("\x0f\xbe\xf8"); /* movsx edi, al */
        } else {
            put_byte(0x6a); /* push small; pop edi */
            put_byte(small);
            put_byte(0x58 + EDI);
        }
        put_load(EDX, MARK + i);
        put_load(ESI, 0x80000000u);
        put_access(0x89, EDI, ESI, 0, word_at(i) - (small | 0xffffff00u) - 0x80000000u);
    }
    pc_want_ok();
    check_words(WORDS);
}
END_TEST

/* Accesses at known distances share one look into the TLB: here some lie before the end of the 4
 * GiB and some behind it. */
START_TEST(frame_across_the_end_of_memory_paged)
{
    map_both_ends();
    uint32_t low = pc_peek32(0x20);
    put_load(EBX, 0xffffffe0u);
    for (unsigned i = 0; i < 16; i++) {
        put_load(EDX, MARK + i);
        put_byte(0x89); /* mov [ebx + 4 * i], edx */
        put_byte(0x53);
        put_byte(4 * i);
    }
    pc_want_ok();
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_uint_eq(pc_peek32(TOP_FRAME + 0xfe0 + 4 * i), MARK + i);
        ck_assert_uint_eq(pc_peek32(4 * i), MARK + 8 + i);
    }
    ck_assert_uint_eq(pc_peek32(0x20), low);
}
END_TEST

/* One access over the end: both halves, and no byte elsewhere. */
START_TEST(access_across_the_end_of_memory_paged)
{
    map_both_ends();
    put_load(EDX, MARK);
    put_load(EBX, 0x80000001u);
    put_load(ESI, 0x7ffffffdu);
    put_access(0x89, EBX, ESI, 0, 0); /* at 0xfffffffe */
    put_load(EDX, 0);
    put_access(0x8b, EBX, ESI, 0, 0);
    pc_want_ok();
    ck_assert_uint_eq(pc_cpu->gpr[EDX], MARK);
    ck_assert_uint_eq(pc_peek16(TOP_FRAME + 0xffe), MARK & 0xffff);
    ck_assert_uint_eq(pc_peek16(0), MARK >> 16);
}
END_TEST

/* And where no page is, the fault names the 32-bit address. */
START_TEST(fault_of_a_wrapped_address_paged)
{
    pc_enable_paging();
    put_load(EBX, 0xfffff000u);
    put_load(ESI, 0x40000000u);
    put_access(0x8b, EBX, ESI, 3, 0x80000ff0u); /* 0xfffff000 + 0 + 0x80000ff0 = 0x7ffffff0 */
    ck_assert_uint_eq(pc_run(), CPU_PF);
    ck_assert_uint_eq(pc_cpu->sys.cr2, 0x7ffffff0u);
}
END_TEST

static const TTest *const *const tests[] = {
    &sign_extended_operand_paged, &frame_across_the_end_of_memory_paged,
    &access_across_the_end_of_memory_paged, &fault_of_a_wrapped_address_paged};
static const struct pc_rig_loop loops[] = {{&folded_shift_past_the_guards_paged, 8},
                                           {&shift_before_the_address_paged, 8},
                                           {&sign_extended_spill_paged, 8}};

int main(void)
{
    return pc_rig_main("pc_reach", tests, ARRAY_LEN(tests), loops, ARRAY_LEN(loops));
}
