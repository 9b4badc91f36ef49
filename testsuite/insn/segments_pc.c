/* SPDX-License-Identifier: MIT */
/*
 * A PC in protected mode without paging: what lies at a linear address in the native process
 * lies at the same physical one here. Every vector leads to a HLT in ring 0, whose stack tells
 * what the case came to.
 */
#include "testsuite/insn/segments_pc.h"

#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/pc/sysregs.h"

enum {
    GDT = 0x100000,
    IDT = 0x101000,
    TSS = 0x102000,
    LDT = 0x103000,
    HANDLERS = 0x104000,
    STACK = 0x108000,
    RAM_SIZE = 0x1200000,
    CODE0 = 0x08,
    DATA0 = 0x10,
    LDT_BYTES = (1 + SEGMENTS_REGIONS * KINDS) * 8,
    GDT_BYTES = 128, /* as many as Linux has: what is beyond is refused alike */
};

struct segments_pc {
    struct ram *ram;
    struct bus *bus;
    struct irq_pin pin;
    struct cpu *cpu;
    struct engine *engine;
    uint64_t budget;
};

static void put32(struct segments_pc *p, uint32_t at, uint32_t value)
{
    bus_write(p->bus, at, 4, value);
}

static uint32_t get32(const struct segments_pc *p, uint32_t at)
{
    return bus_read(p->bus, at, 4);
}

static uint16_t attributes(const struct segments_desc *d)
{
    unsigned attr = SEG_S | SEG_DPL | SEG_ACCESSED | SEG_AVL;
    attr |= d->code ? SEG_CODE : 0;
    attr |= d->narrow ? 0 : SEG_WRITABLE;
    attr |= d->down ? SEG_DOWN : 0;
    attr |= d->wide ? SEG_BIG : 0;
    return (uint16_t)(attr | (d->absent ? 0 : SEG_PRESENT));
}

static void put_descriptor(struct segments_pc *p, uint32_t at, uint32_t base, uint32_t limit,
                           unsigned attr)
{
    put32(p, at, (limit & 0xffff) | base << 16);
    put32(p, at + 4,
          (base >> 16 & 0xff) | (uint32_t)attr << 8 | (limit & 0xf0000) | (base & 0xff000000u));
}

static void put_tables(struct segments_pc *p)
{
    put_descriptor(p, GDT + CODE0, 0, 0xfffff, 0xc09b);
    put_descriptor(p, GDT + DATA0, 0, 0xfffff, 0xc093);
    put32(p, TSS + 4, STACK);
    put32(p, TSS + 8, DATA0);
    put32(p, TSS + 100, 0x680000);
    for (unsigned region = 0; region < SEGMENTS_REGIONS; region++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            struct segments_desc d = segments_describe(region, kind);
            put_descriptor(p, LDT + (segments_selector(region, kind) & 0xfff8u), d.base, d.limit,
                           attributes(&d));
        }
    }
    for (unsigned v = 0; v < 256; v++) {
        uint32_t handler = HANDLERS + v * 16;
        bool open = v == CPU_BP || v == CPU_OF;
        put32(p, IDT + v * 8, (handler & 0xffff) | CODE0 << 16);
        put32(p, IDT + v * 8 + 4, (handler & 0xffff0000u) | (open ? 0xee00 : 0x8e00));
        put32(p, handler, 0xf4);
    }
}

static void load_segment(struct cpu *cpu, unsigned seg, uint16_t selector)
{
    cpu->seg[seg] = (struct cpu_seg){.selector = selector};
    if (!(selector & 0xfff8))
        return;
    unsigned index = (selector >> 3) - 1u;
    struct segments_desc d = segments_describe(index / KINDS, index % KINDS);
    cpu->seg[seg] = (struct cpu_seg){selector, attributes(&d), d.base, d.limit};
}

static void load(struct segments_pc *p, const struct segments_state *s)
{
    struct cpu *cpu = p->cpu;
    struct cpu_sys *sys = &cpu->sys;
    cpu_reset(cpu);
    sys->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP;
    sys->gdt = (struct cpu_table){.base = GDT, .limit = GDT_BYTES - 1};
    sys->idt = (struct cpu_table){.base = IDT, .limit = 0x7ff};
    sys->ldt = (struct cpu_seg){0x18, 0x82, LDT, LDT_BYTES - 1};
    sys->tr = (struct cpu_seg){0x20, 0x8b, TSS, 0x67};
    cpu->cpl = 3;
    for (unsigned i = 0; i < 6; i++)
        load_segment(cpu, i, s->seg[i]);
    memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
    cpu->eip = s->eip;
    cpu->eflags = s->eflags;
    cpu_refresh(cpu);
}

static bool has_error(unsigned vector)
{
    return vector == CPU_DF || (vector >= CPU_TS && vector <= CPU_PF) || vector == CPU_AC;
}

static void store(const struct segments_pc *p, struct segments_state *s, uint32_t vector,
                  uint32_t *error)
{
    uint32_t at = p->cpu->gpr[ISA_ESP];
    memcpy(s->gpr, p->cpu->gpr, sizeof(s->gpr));
    for (unsigned i = 0; i < 6; i++)
        s->seg[i] = p->cpu->seg[i].selector;
    *error = has_error(vector) ? get32(p, at) : 0;
    at += has_error(vector) ? 4 : 0;
    s->eip = get32(p, at);
    s->seg[ISA_CS] = (uint16_t)get32(p, at + 4);
    s->eflags = get32(p, at + 8);
    s->gpr[ISA_ESP] = get32(p, at + 12);
    s->seg[ISA_SS] = (uint16_t)get32(p, at + 16);
}

void segments_pc_run(struct segments_pc *pc, struct segments_state *state, uint32_t *vector,
                     uint32_t *error)
{
    load(pc, state);
    enum engine_exit exit = engine_run(pc->cpu, pc->budget);
    *vector = 0x1000u + exit;
    *error = 0;
    if (exit == ENGINE_EXIT_HALT) {
        *vector = (pc->cpu->eip - 1 - HANDLERS) / 16;
        store(pc, state, *vector, error);
    }
}

const uint8_t *segments_pc_region(const struct segments_pc *pc, unsigned region)
{
    return ram_base(pc->ram) + segments_base(region);
}

void segments_pc_put(struct segments_pc *pc, unsigned region, uint32_t at, const void *bytes,
                     uint32_t len)
{
    bus_write_bytes(pc->bus, segments_base(region) + at, bytes, len);
}

struct segments_pc *segments_pc_create(const char *engine)
{
    struct engine_options options = {0};
    bool translates = !strcmp(engine, "dbt");
    struct segments_pc *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->budget = translates ? ENGINE_UNLIMITED : 100000;
    int err = ram_create(RAM_SIZE, &p->ram);
    if (!err)
        err = bus_create(p->ram, &p->bus);
    struct cpu_config config = {.model = "max", .bus = p->bus, .pin = &p->pin};
    if (!err)
        err = cpu_init_pc(&config, &p->cpu);
    if (!err)
        err = translates ? dbt_create(&options, &p->engine) : interp_create(&p->engine);
    if (!err)
        err = p->engine->ops->attach(p->engine, p->cpu, 0);
    if (err) {
        segments_pc_destroy(p);
        return NULL;
    }
    put_tables(p);
    return p;
}

void segments_pc_destroy(struct segments_pc *pc)
{
    if (pc->cpu && pc->cpu->engine)
        pc->engine->ops->detach(pc->engine, pc->cpu);
    if (pc->engine)
        pc->engine->ops->destroy(pc->engine);
    if (pc->cpu)
        cpu_fini_pc(pc->cpu);
    if (pc->bus)
        bus_destroy(pc->bus);
    if (pc->ram)
        ram_destroy(pc->ram);
    free(pc);
}
