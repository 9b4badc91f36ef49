/* SPDX-License-Identifier: MIT */
/*
 * FNSTENV and FLDENV in real mode, where no processor at hand can be the
 * oracle: the images of the manual (SDM volume 1, figures 8-11 and 8-12).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "testsuite/unit/pc_rig.h"

/* In real mode, DS at DATA's paragraph. */
static void make_real(void)
{
    pc_enter_real();
    pc_cpu->fpu.ip = 0x000a1234;
    pc_cpu->fpu.dp = 0x000b5678;
    pc_cpu->fpu.opcode = 0x5d9;
    pc_cpu->gpr[ISA_EDI] = 0;
}

static void execute(const char *bytes, size_t len)
{
    struct isa_insn insn;

    ck_assert_int_eq(isa_decode((const uint8_t *)bytes, len, true, &insn), ISA_OK);
    ck_assert_int_eq(interp_execute(pc_cpu, &insn), CPU_OK);
}

static uint32_t stored(uint32_t offset)
{
    return pc_peek32(pc_cpu->seg[ISA_DS].base + offset);
}

static void expect_pointers(void)
{
    ck_assert_uint_eq(pc_cpu->fpu.ip, 0x000a1234);
    ck_assert_uint_eq(pc_cpu->fpu.dp, 0x000b5678);
    ck_assert_uint_eq(pc_cpu->fpu.opcode, 0x5d9);
}

/* Under the translator they are 0, whatever is loaded (docs/QUIRKS.md). */
static bool has_pointers(void)
{
    make_real();
    return !pc_cpu->no_fpu_pointers;
}

START_TEST(image_of_32_bits)
{
    if (!has_pointers())
        return;
    execute("\xd9\x37", 2); /* fnstenv [edi] */
    ck_assert_uint_eq(stored(12), 0xffff1234);
    ck_assert_uint_eq(stored(16), 0x0000a5d9);
    ck_assert_uint_eq(stored(20), 0xffff5678);
    ck_assert_uint_eq(stored(24), 0x0000b000);
    execute("\xdb\xe3", 2); /* fninit */
    execute("\xd9\x27", 2); /* fldenv [edi] */
    expect_pointers();
}
END_TEST

START_TEST(image_of_16_bits)
{
    if (!has_pointers())
        return;
    execute("\x66\xd9\x37", 3);
    ck_assert_uint_eq(stored(6), 0xa5d91234);
    ck_assert_uint_eq(stored(10), 0xb0005678);
    execute("\xdb\xe3", 2);
    execute("\x66\xd9\x27", 3);
    expect_pointers();
}
END_TEST

static const TTest *const *const tests[] = {&image_of_32_bits, &image_of_16_bits};

int main(void)
{
    return pc_rig_main("x87_real", tests, ARRAY_LEN(tests), NULL, 0);
}
