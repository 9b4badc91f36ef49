/* SPDX-License-Identifier: MIT */
#include "testsuite/unit/pc_rig.h"

#include "dbt/dbt.h"

struct pc_rig pc_rig;
struct cpu *pc_cpu;

void pc_poke(uint32_t at, const void *bytes, size_t len)
{
    bus_write_bytes(pc_rig.bus, at, bytes, len);
}

void pc_poke16(uint32_t at, uint16_t value)
{
    pc_poke(at, &value, sizeof(value));
}

void pc_poke32(uint32_t at, uint32_t value)
{
    pc_poke(at, &value, sizeof(value));
}

uint32_t pc_peek16(uint32_t at)
{
    return bus_read(pc_rig.bus, at, 2);
}

uint32_t pc_peek32(uint32_t at)
{
    return bus_read(pc_rig.bus, at, 4);
}

void pc_set_descriptor(uint32_t table, uint32_t selector, uint32_t base, uint32_t limit,
                       unsigned attr)
{
    uint32_t at = table + (selector & 0xfff8);
    pc_poke32(at, (limit & 0xffff) | base << 16);
    pc_poke32(at + 4,
              (base >> 16 & 0xff) | (uint32_t)attr << 8 | (limit & 0xf0000) | (base & 0xff000000u));
}

void pc_set_gate(uint32_t at, unsigned attr, uint32_t selector, uint32_t offset, unsigned params)
{
    pc_poke32(at, (offset & 0xffff) | selector << 16);
    pc_poke32(at + 4, params | (uint32_t)attr << 8 | (offset & 0xffff0000u));
}

uint32_t pc_gate_at(unsigned vector)
{
    return IDT + vector * 8;
}

static uint32_t handler(unsigned vector)
{
    return HANDLERS + vector * 16;
}

static void make_tables(void)
{
    pc_set_descriptor(GDT, CODE0, 0, 0xfffff, A_CODE32);
    pc_set_descriptor(GDT, DATA0, 0, 0xfffff, A_DATA32);
    pc_set_descriptor(GDT, CODE3, 0, 0xfffff, A_CODE32 | A_RING3);
    pc_set_descriptor(GDT, DATA3, 0, 0xfffff, A_DATA32 | A_RING3);
    pc_set_descriptor(GDT, TSS_SEL, TSS, 0x67, 0x8b);
    pc_set_descriptor(GDT, TSS2_SEL, TSS2, 0x67, 0x89);
    pc_set_descriptor(GDT, LDT_SEL, LDT, 0xff, 0x82);
    for (unsigned v = 0; v < 256; v++) {
        bool open = v == VEC_OK || v == CPU_BP || v == CPU_OF;
        pc_set_gate(pc_gate_at(v), (open ? A_RING3 : 0) | A_GATE | SYS_INT32, CODE0, handler(v), 0);
        pc_poke(handler(v), "\xf4", 1);
    }
    pc_poke32(TSS + 4, STACK0);
    pc_poke32(TSS + 8, DATA0);
    pc_poke16(TSS + 102, 0x68);
}

void pc_use_segment(unsigned seg, uint32_t selector)
{
    uint32_t table = selector & 4 ? LDT : GDT, at = table + (selector & 0xfff8);
    uint32_t low = pc_peek32(at), high = pc_peek32(at + 4);
    uint32_t limit = (low & 0xffff) | (high & 0xf0000);
    pc_cpu->seg[seg] = (struct cpu_seg){
        .selector = (uint16_t)selector,
        .attr = (uint16_t)(high >> 8 & 0xf0ff),
        .base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000u),
        .limit = high >> 23 & 1 ? limit << 12 | 0xfff : limit,
    };
    cpu_refresh(pc_cpu);
}

static void use_flat(uint32_t code, uint32_t data, uint32_t stack)
{
    pc_cpu->cpl = code & 3;
    pc_use_segment(ISA_CS, code);
    pc_use_segment(ISA_SS, data);
    pc_use_segment(ISA_DS, data);
    pc_use_segment(ISA_ES, data);
    pc_use_segment(ISA_FS, data);
    pc_use_segment(ISA_GS, data);
    pc_cpu->gpr[ISA_ESP] = stack;
}

void pc_enter_ring3(void)
{
    use_flat(CODE3, DATA3, STACK3);
}

static void use_real_segments(uint16_t attr)
{
    const uint16_t paragraphs[6] = {DATA >> 4, CODE >> 4, STACK0 >> 4,
                                    DATA >> 4, DATA >> 4, DATA >> 4};
    for (unsigned i = 0; i < 6; i++)
        pc_cpu->seg[i] =
            (struct cpu_seg){paragraphs[i], attr, (uint32_t)paragraphs[i] << 4, 0xffff};
    pc_cpu->eip = 0;
    pc_cpu->gpr[ISA_ESP] = 0x1000;
    cpu_refresh(pc_cpu);
}

/* The vectors lie where the IDT was, at its base, so that low memory is free.
 */
void pc_enter_real(void)
{
    pc_cpu->sys.cr0 &= ~(uint32_t)CR0_PE;
    pc_cpu->cpl = 0;
    pc_cpu->sys.idt.limit = 0x3ff;
    for (unsigned v = 0; v < 256; v++)
        pc_poke32(IDT + v * 4, (HANDLERS >> 4) << 16 | v * 16);
    use_real_segments(0x93);
}

void pc_enter_v86(unsigned iopl)
{
    pc_cpu->cpl = 3;
    pc_cpu->eflags = EFLAGS_FIXED | EFLAGS_VM | iopl << EFLAGS_IOPL_SHIFT;
    use_real_segments(0xf3);
}

void pc_enable_paging(void)
{
    pc_poke32(PAGE_DIRECTORY, PAGE_TABLE | 7);
    for (uint32_t page = 0; page < 1024; page++)
        pc_poke32(PAGE_TABLE + page * 4, page << 12 | 7);
    pc_cpu->sys.cr3 = PAGE_DIRECTORY;
    pc_cpu->sys.cr0 |= CR0_PG;
    cpu_refresh(pc_cpu);
}

uint32_t pc_pte_at(uint32_t linear)
{
    return PAGE_TABLE + (linear >> 12) * 4;
}

void pc_put(const void *bytes, size_t len)
{
    pc_poke(pc_rig.code_at, bytes, len);
    pc_rig.code_at += (uint32_t)len;
}

unsigned pc_run(void)
{
    /* what has a budget is the interpreter's in any engine */
    enum engine_exit exit = engine_run(pc_cpu, pc_rig.translates ? ENGINE_UNLIMITED : 1000);
    ck_assert_msg(exit == ENGINE_EXIT_HALT, "run ended with %d at %04x:%08x", exit,
                  pc_cpu->seg[ISA_CS].selector, pc_cpu->eip);
    uint32_t at = pc_cpu->seg[ISA_CS].base + pc_cpu->eip - 1;
    ck_assert_msg(at >= HANDLERS && at < HANDLERS + 256 * 16, "halted at %08x", at);
    return (at - HANDLERS) / 16;
}

void pc_run_steps(unsigned n)
{
    ck_assert_int_eq(engine_run(pc_cpu, n), ENGINE_EXIT_BUDGET);
}

uint32_t pc_frame(unsigned i)
{
    uint32_t at = pc_cpu->seg[ISA_SS].base + pc_cpu->gpr[ISA_ESP];
    return pc_peek32(at + i * 4);
}

void pc_want(unsigned vector, uint32_t eip)
{
    ck_assert_uint_eq(pc_run(), vector);
    ck_assert_uint_eq(pc_frame(0), eip);
}

void pc_want_error(unsigned vector, uint32_t error, uint32_t eip)
{
    ck_assert_uint_eq(pc_run(), vector);
    ck_assert_uint_eq(pc_frame(0), error);
    ck_assert_uint_eq(pc_frame(1), eip);
}

void pc_want_ok(void)
{
    PUT("\xcd\x80");
    ck_assert_uint_eq(pc_run(), VEC_OK);
}

static void create(const char *model, bool translates)
{
    pc_rig = (struct pc_rig){.code_at = CODE, .translates = translates};
    ck_assert_int_eq(ram_create(RAM_BYTES, &pc_rig.ram), 0);
    ck_assert_int_eq(bus_create(pc_rig.ram, &pc_rig.bus), 0);
    struct cpu_config config = {.model = model, .bus = pc_rig.bus, .pin = &pc_rig.pin};
    ck_assert_int_eq(cpu_init_pc(&config, &pc_rig.cpu), 0);
    int err = translates ? dbt_create(NULL, &pc_rig.engine) : interp_create(&pc_rig.engine);
    ck_assert_int_eq(err, 0);
    pc_cpu = pc_rig.cpu;
    ck_assert_int_eq(pc_rig.engine->ops->attach(pc_rig.engine, pc_cpu, 0), 0);
}

static void enter_protected(void)
{
    make_tables();
    pc_cpu->sys.cr0 |= CR0_PE;
    pc_cpu->sys.cr0 &= ~(uint32_t)(CR0_CD | CR0_NW);
    pc_cpu->sys.gdt = (struct cpu_table){.base = GDT, .limit = 0xfff};
    pc_cpu->sys.idt = (struct cpu_table){.base = IDT, .limit = 0x7ff};
    pc_cpu->sys.tr = (struct cpu_seg){TSS_SEL, 0x8b, TSS, 0x67};
    pc_cpu->sys.ldt = (struct cpu_seg){LDT_SEL, 0x82, LDT, 0xff};
    pc_cpu->eip = CODE;
    use_flat(CODE0, DATA0, STACK0);
}

static void destroy(void)
{
    pc_rig.engine->ops->detach(pc_rig.engine, pc_cpu);
    pc_rig.engine->ops->destroy(pc_rig.engine);
    cpu_fini_pc(pc_cpu);
    bus_destroy(pc_rig.bus);
    ram_destroy(pc_rig.ram);
}

static void setup(void)
{
    create("max", false);
    enter_protected();
}

static void setup_translator(void)
{
    create("max", true);
    enter_protected();
}

void pc_use_model(const char *model)
{
    bool translates = pc_rig.translates;
    destroy();
    create(model, translates);
    enter_protected();
}

/* Does this host translate a PC at all? */
static bool translator_works(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

struct pc_rig_tests {
    const TTest *const *const *test;
    size_t count;
    const struct pc_rig_loop *loop;
    size_t loop_count;
};

static void add_tests(Suite *suite, const char *name, void (*before)(void),
                      const struct pc_rig_tests *tests)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, before, destroy);
    for (size_t i = 0; i < tests->count; i++)
        tcase_add_test(tcase, *tests->test[i]);
    for (size_t i = 0; i < tests->loop_count; i++)
        tcase_add_loop_test(tcase, *tests->loop[i].test, 0, tests->loop[i].count);
    suite_add_tcase(suite, tcase);
}

int pc_rig_main(const char *name, const TTest *const *const *tests, size_t count,
                const struct pc_rig_loop *loops, size_t loop_count)
{
    const struct pc_rig_tests all = {tests, count, loops, loop_count};
    Suite *suite = suite_create(name);
    add_tests(suite, "interp", setup, &all);
    if (translator_works())
        add_tests(suite, "dbt", setup_translator, &all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
