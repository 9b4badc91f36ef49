/* SPDX-License-Identifier: MIT */
/*
 * FNSTENV and FLDENV in real mode, where no processor at hand can be the
 * oracle: the images of the manual (SDM volume 1, figures 8-11 and 8-12).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "testsuite/unit/dbt_rig.h"

#include "emu/cpu/interp.h"

#define AREA 0x20000u

/* An interpreter's processor as a PC in real mode with flat segments. */
static void make_real(struct rig *rig)
{
    rig_create(rig, ENGINE_INTERP, NULL);
    rig->cpu->flat = NULL;
    rig->cpu->sys.cr0 = 0;
    rig->cpu->fpu.ip = 0x000a1234;
    rig->cpu->fpu.dp = 0x000b5678;
    rig->cpu->fpu.opcode = 0x5d9;
    rig->cpu->gpr[ISA_EDI] = AREA;
}

static void execute(struct rig *rig, const char *bytes, size_t len)
{
    struct isa_insn insn;

    ck_assert_int_eq(isa_decode((const uint8_t *)bytes, len, true, &insn), ISA_OK);
    ck_assert_int_eq(interp_execute(rig->cpu, &insn), CPU_OK);
}

static void expect_pointers(const struct rig *rig)
{
    ck_assert_uint_eq(rig->cpu->fpu.ip, 0x000a1234);
    ck_assert_uint_eq(rig->cpu->fpu.dp, 0x000b5678);
    ck_assert_uint_eq(rig->cpu->fpu.opcode, 0x5d9);
}

START_TEST(image_of_32_bits)
{
    struct rig rig;

    make_real(&rig);
    execute(&rig, "\xd9\x37", 2); /* fnstenv [edi] */
    ck_assert_uint_eq(rig_peek(&rig, AREA + 12), 0xffff1234);
    ck_assert_uint_eq(rig_peek(&rig, AREA + 16), 0x0000a5d9);
    ck_assert_uint_eq(rig_peek(&rig, AREA + 20), 0xffff5678);
    ck_assert_uint_eq(rig_peek(&rig, AREA + 24), 0x0000b000);
    execute(&rig, "\xdb\xe3", 2); /* fninit */
    execute(&rig, "\xd9\x27", 2); /* fldenv [edi] */
    expect_pointers(&rig);
    rig_destroy(&rig);
}
END_TEST

START_TEST(image_of_16_bits)
{
    struct rig rig;

    make_real(&rig);
    execute(&rig, "\x66\xd9\x37", 3);
    ck_assert_uint_eq(rig_peek(&rig, AREA + 6), 0xa5d91234);
    ck_assert_uint_eq(rig_peek(&rig, AREA + 10), 0xb0005678);
    execute(&rig, "\xdb\xe3", 2);
    execute(&rig, "\x66\xd9\x27", 3);
    expect_pointers(&rig);
    rig_destroy(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("x87_real");
    TCase *tc = tcase_create("images");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, image_of_32_bits);
    tcase_add_test(tc, image_of_16_bits);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
