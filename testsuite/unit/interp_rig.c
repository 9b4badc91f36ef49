/* SPDX-License-Identifier: MIT */
/* See interp_rig.h. */
#include "testsuite/unit/interp_rig.h"

/* Where the flat machine's words are; any place will do. */
const struct cpu_flat flat = {
    .fs_base = 0x40,
    .gs_base = 0x44,
    .trap_entry = 0x48,
    .trap_eip = 0x4c,
    .trap_number = 0x50,
    .trap_enabled = 0x54,
    .intr_enabled = 0x58,
    .pending = 0x5c,
    .trapret_code = 3,
    .resume_code = 2,
};

struct ram *ram;
struct cpu *cpu;
struct engine *engine;

static void setup(void)
{
    ck_assert_int_eq(ram_create(RAM_BYTES, &ram), 0);
    ck_assert_int_eq(interp_create(&engine), 0);
    cpu = cpu_init_flat(ram, &flat);
    ck_assert_int_eq(engine->ops->attach(engine, cpu, 0), 0);
    cpu->eip = CODE;
    cpu->gpr[ISA_ESP] = STACK;
}

static void teardown(void)
{
    engine->ops->detach(engine, cpu);
    engine->ops->destroy(engine);
    ram_destroy(ram);
}

void poke(uint32_t at, const void *bytes, size_t len)
{
    ck_assert_int_eq(ram_write(ram, at, bytes, len), 0);
}

void poke32(uint32_t at, uint32_t value)
{
    poke(at, &value, 4);
}

uint32_t peek32(uint32_t at)
{
    uint32_t value = 0;
    ck_assert_int_eq(ram_read(ram, at, &value, 4), 0);
    return value;
}

enum engine_exit run(uint64_t budget)
{
    return engine_run(cpu, budget);
}

void want_fault(unsigned vector, uint32_t eip)
{
    ck_assert_int_eq(run(100), ENGINE_EXIT_FAULT);
    ck_assert_uint_eq(cpu->fault.vector, vector);
    ck_assert_uint_eq(cpu->eip, eip);
}

void want_page_fault(uint32_t eip, uint32_t address, uint32_t error)
{
    want_fault(CPU_PF, eip);
    ck_assert_uint_eq(cpu->fault.address, address);
    ck_assert_uint_eq(cpu->fault.error, error);
    ck_assert_uint_eq(cpu->fault.has_error, 1);
}

void protect(uint32_t at, uint32_t len, unsigned prot)
{
    ck_assert_int_eq(ram_set_access(ram, at, len, prot), 0);
}

int rig_main(const char *name, const TTest *const *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tc, *tests[i]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
