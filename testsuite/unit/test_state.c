/* SPDX-License-Identifier: MIT */
/* Declared state: what is saved comes back, is compact, and a difference is named. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emu/cpu/cpu.h"
#include "emu/machine/state.h"

struct thing {
    uint8_t small;
    uint32_t word;
    uint16_t list[3];
    uint8_t blob[5];
    uint32_t hint;
    uint32_t undeclared;
};

static const struct state_field thing_fields[] = {
    STATE_U(struct thing, small),      STATE_U(struct thing, word),
    STATE_U_ARRAY(struct thing, list), STATE_RAW(struct thing, blob),
    STATE_LOOSE(struct thing, hint),
};
static const struct state_list thing_list = {"thing", 1, ARRAY_LEN(thing_fields), thing_fields};

static const struct thing example = {0x11,   0xa0b0c0d0, {0x0102, 0x0304, 0x0506}, {1, 2, 3, 4, 5},
                                     0xcafe, 0xdead};

START_TEST(saved_form_is_packed_little_endian)
{
    static const uint8_t want[] = {0x11, 0xd0, 0xc0, 0xb0, 0xa0, 0x02, 0x01, 0x04, 0x03, 0x06,
                                   0x05, 1,    2,    3,    4,    5,    0xfe, 0xca, 0,    0};
    uint8_t got[sizeof(want)];
    ck_assert_uint_eq(state_size(&thing_list), sizeof(want));
    state_save(&thing_list, &example, got);
    ck_assert_mem_eq(got, want, sizeof(want));
}
END_TEST

START_TEST(load_restores_declared_fields_only)
{
    uint8_t saved[64];
    struct thing other = {.undeclared = 7};
    state_save(&thing_list, &example, saved);
    state_load(&thing_list, &other, saved);
    ck_assert_ptr_null(state_compare(&thing_list, &example, &other));
    ck_assert_uint_eq(other.hint, 0xcafe);
    ck_assert_uint_eq(other.undeclared, 7);
}
END_TEST

START_TEST(compare_names_the_first_difference)
{
    struct thing other = example;
    other.hint++;
    other.undeclared++;
    ck_assert_ptr_null(state_compare(&thing_list, &example, &other));
    other.blob[4]++;
    ck_assert_str_eq(state_compare(&thing_list, &example, &other)->name, "blob");
    other.list[2]++;
    ck_assert_str_eq(state_compare(&thing_list, &example, &other)->name, "list");
}
END_TEST

/* Fields of a list must not overlap, or a load would write one over the other. */
START_TEST(cpu_fields_do_not_overlap)
{
    static uint8_t owner[sizeof(struct cpu)];
    for (unsigned i = 0; i < cpu_state_list.fields; i++) {
        const struct state_field *f = &cpu_state_list.field[i];
        for (unsigned byte = 0; byte < (unsigned)f->size * f->count; byte++)
            ck_assert_msg(!owner[f->offset + byte]++, "%s overlaps", f->name);
    }
}
END_TEST

START_TEST(cpu_round_trip)
{
    struct ram *ram;
    static const struct cpu_flat flat;
    static uint8_t saved[8192], again[8192];
    ck_assert_int_eq(ram_create(1 * MIB, &ram), 0);
    struct cpu *cpu = cpu_init_flat(ram, &flat);
    ck_assert_uint_le(state_size(&cpu_state_list), sizeof(saved));
    for (size_t i = 0; i < state_size(&cpu_state_list); i++)
        saved[i] = (uint8_t)(i * 7 + 1);
    state_load(&cpu_state_list, cpu, saved);
    state_save(&cpu_state_list, cpu, again);
    ck_assert_mem_eq(saved, again, state_size(&cpu_state_list));
    ck_assert_ptr_eq(cpu->ram, ram);
    ram_destroy(ram);
}
END_TEST

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    cpu_cpuid(NULL, leaf, 0, out);
}

START_TEST(cpuid_model)
{
    uint32_t r[4];
    char vendor[13] = {0}, brand[49] = {0};
    cpuid(0, r);
    memcpy(vendor, &r[1], 4);
    memcpy(vendor + 4, &r[3], 4);
    memcpy(vendor + 8, &r[2], 4);
    ck_assert_str_eq(vendor, "GenuineIntel");
    ck_assert_uint_ge(r[0], 1);
    cpuid(1, r);
    ck_assert_uint_eq((r[0] >> 8) & 15, 6);
    ck_assert_uint_eq(r[2], 0); /* nothing of SSE3 and later */
    ck_assert_uint_eq(r[3], 1u << 0 | 1u << 4 | 1u << 8 | 1u << 15 | 0xfu << 23);
    for (unsigned i = 0; i < 3; i++) {
        cpuid(0x80000002 + i, r);
        memcpy(brand + i * 16, r, 16);
    }
    ck_assert_str_eq(brand, "Denali virtual i686 processor");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, saved_form_is_packed_little_endian);
    tcase_add_test(tc, load_restores_declared_fields_only);
    tcase_add_test(tc, compare_names_the_first_difference);
    tcase_add_test(tc, cpu_fields_do_not_overlap);
    tcase_add_test(tc, cpu_round_trip);
    tcase_add_test(tc, cpuid_model);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
