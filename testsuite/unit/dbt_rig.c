/* SPDX-License-Identifier: MIT */
/* See dbt_rig.h. */
#include "testsuite/unit/dbt_rig.h"

const struct cpu_flat rig_flat = {
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

static void make_machine(struct rig *rig, uint64_t image)
{
    ck_assert_int_eq(ram_create(DBT_RAM, &rig->ram), 0);
    rig->cpu = cpu_init_flat(rig->ram, &rig_flat);
    ck_assert_int_eq(rig->engine->ops->attach(rig->engine, rig->cpu, image), 0);
    rig->cpu->eip = DBT_CODE;
    rig->cpu->gpr[ISA_ESP] = DBT_STACK;
    ck_assert_int_eq(ram_set_access(rig->ram, 0x1000, 0xf000, HOST_NONE), 0);
}

void rig_create(struct rig *rig, enum engine_kind kind, const struct engine_options *options)
{
    static const struct engine_options none;
    int err = kind == ENGINE_INTERP ? interp_create(&rig->engine)
              : kind == ENGINE_DBT  ? dbt_create(options, &rig->engine)
                                    : lockstep_create(options ? options : &none, &rig->engine);
    ck_assert_int_eq(err, 0);
    make_machine(rig, 0);
}

void rig_join(struct rig *rig, const struct rig *first, uint64_t image)
{
    rig->engine = first->engine;
    make_machine(rig, image);
}

void rig_part(struct rig *rig)
{
    rig->engine->ops->detach(rig->engine, rig->cpu);
    ram_destroy(rig->ram);
}

void rig_destroy(struct rig *rig)
{
    rig_part(rig);
    rig->engine->ops->destroy(rig->engine);
}

void rig_load(struct rig *rig, uint32_t at, const uint8_t *from, const uint8_t *end)
{
    ck_assert_int_eq(ram_write(rig->ram, at, from, (uint64_t)(end - from)), 0);
}

uint32_t rig_peek(const struct rig *rig, uint32_t at)
{
    uint32_t value = 0;
    ck_assert_int_eq(ram_read(rig->ram, at, &value, 4), 0);
    return value;
}

void rig_poke(struct rig *rig, uint32_t at, uint32_t value)
{
    ck_assert_int_eq(ram_write(rig->ram, at, &value, 4), 0);
}

static void compare_page(const struct rig *a, const struct rig *b, uint32_t page)
{
    const void *left = ram_span(a->ram, page, PAGE_SIZE);
    const void *right = ram_span(b->ram, page, PAGE_SIZE);
    ck_assert_msg(!left == !right, "page %x is readable in one only", page);
    if (left)
        ck_assert_msg(!memcmp(left, right, PAGE_SIZE), "memory differs in page %x", page);
}

void rig_compare(const struct rig *a, const struct rig *b, uint32_t undefined)
{
    const uint32_t user = ISA_F_C | ISA_F_P | ISA_F_A | ISA_F_Z | ISA_F_S | ISA_F_O | ISA_F_D;
    for (unsigned i = 0; i < 8; i++)
        ck_assert_msg(a->cpu->gpr[i] == b->cpu->gpr[i], "register %u: %x, %x", i, a->cpu->gpr[i],
                      b->cpu->gpr[i]);
    ck_assert_uint_eq(a->cpu->eip, b->cpu->eip);
    ck_assert_uint_eq(a->cpu->eflags & user & ~undefined, b->cpu->eflags & user & ~undefined);
    ck_assert_mem_eq(a->cpu->fpu.xmm, b->cpu->fpu.xmm, sizeof(a->cpu->fpu.xmm));
    ck_assert_uint_eq(a->cpu->fpu.control, b->cpu->fpu.control);
    ck_assert_uint_eq(a->cpu->fpu.status, b->cpu->fpu.status);
    ck_assert_uint_eq(a->cpu->fpu.tag, b->cpu->fpu.tag);
    ck_assert_uint_eq(a->cpu->fpu.mxcsr, b->cpu->fpu.mxcsr);
    for (uint32_t page = 0; page < DBT_RAM; page += PAGE_SIZE)
        compare_page(a, b, page);
}
