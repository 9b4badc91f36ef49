/* SPDX-License-Identifier: MIT */
/*
 * Cases on a PC: ring 3 of protected mode with PAE paging, in the address space
 * that case.h describes. A system of the smallest kind lies above it: tables,
 * and for every vector a HLT in ring 0, where the run ends; the frame on its
 * stack tells what the case has come to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbt/dbt.h"
#include "emu/cpu/interp/interp.h"
#include "emu/cpu/pc/sysregs.h"
#include "testsuite/insn/machine.h"
#include "testsuite/insn/runner.h"

/* The system's 2 MiB, not for ring 3. */
enum {
    SYSTEM = 0x800000,
    GDT = SYSTEM,
    IDT = SYSTEM + 0x1000,
    TSS = SYSTEM + 0x2000,
    HANDLERS = SYSTEM + 0x3000,
    STACK = SYSTEM + 0x6000,
    DIRECTORIES = SYSTEM + 0x7000, /* the four pointers */
    DIRECTORY = SYSTEM + 0x8000,
    TABLES = SYSTEM + 0x9000, /* of the 4 MiB from INSN_CODE */
    PC_RAM_BYTES = 0xc00000,
};
enum {
    CODE0 = 0x08,
    DATA0 = 0x10,
    CODE3 = 0x23,
    DATA3 = 0x2b,
    FS3 = 0x33,
    GS3 = 0x3b,
    TASK = 0x40
};

struct on_pc {
    struct runner runner;
    struct ram *ram;
    struct bus *bus;
    struct irq_pin pin;
    struct cpu *cpu;
    struct engine *engine;
};

static void put32(struct on_pc *p, uint32_t at, uint32_t value)
{
    bus_write(p->bus, at, 4, value);
}

static uint32_t get32(const struct on_pc *p, uint32_t at)
{
    return bus_read(p->bus, at, 4);
}

static void put_descriptor(struct on_pc *p, uint32_t selector, uint32_t base, uint32_t limit,
                           unsigned attr)
{
    uint32_t at = GDT + (selector & 0xfff8);
    put32(p, at, (limit & 0xffff) | base << 16);
    put32(p, at + 4,
          (base >> 16 & 0xff) | (uint32_t)attr << 8 | (limit & 0xf0000) | (base & 0xff000000u));
}

static void put_tables(struct on_pc *p)
{
    put_descriptor(p, CODE0, 0, 0xfffff, 0xc09b);
    put_descriptor(p, DATA0, 0, 0xfffff, 0xc093);
    put_descriptor(p, CODE3, 0, 0xfffff, 0xc0fb);
    put_descriptor(p, DATA3, 0, 0xfffff, 0xc0f3);
    put_descriptor(p, FS3, INSN_FS_BASE, 0xfffff, 0xc0f3);
    put_descriptor(p, GS3, INSN_GS_BASE, 0xfffff, 0xc0f3);
    put_descriptor(p, TASK, TSS, 0x67, 0x8b);
    put32(p, TSS + 4, STACK);
    put32(p, TSS + 8, DATA0);
    put32(p, TSS + 100, 0x680000);
    for (unsigned v = 0; v < 256; v++) {
        uint32_t handler = HANDLERS + v * 16;
        bool open = v == CPU_BP || v == CPU_OF;
        put32(p, IDT + v * 8, (handler & 0xffff) | CODE0 << 16);
        put32(p, IDT + v * 8 + 4, (handler & 0xffff0000u) | (open ? 0xee00 : 0x8e00));
        put32(p, handler, 0xf4);
    }
}

static void map(struct on_pc *p, uint32_t at, uint32_t len, uint32_t bits)
{
    for (uint32_t page = 0; page < len; page += INSN_PAGE)
        put32(p, TABLES + ((at + page - INSN_CODE) >> 12) * 8, (at + page) | bits);
}

static void put_pages(struct on_pc *p)
{
    put32(p, DIRECTORIES, DIRECTORY | 1);
    put32(p, DIRECTORY + (INSN_CODE >> 21) * 8, TABLES | 7);
    put32(p, DIRECTORY + (INSN_CODE >> 21) * 8 + 8, (TABLES + 0x1000) | 7);
    put32(p, DIRECTORY + (SYSTEM >> 21) * 8, SYSTEM | 0x83);
    map(p, INSN_CODE, INSN_CODE_BYTES, 7);
    map(p, INSN_DATA - INSN_PAGE, INSN_PAGE, 5);
    map(p, INSN_DATA, INSN_DATA_BYTES, 7);
    map(p, INSN_FIXED, INSN_PAGE, 7);
}

static const struct cpu_seg ring3_code = {CODE3, 0xc0fb, 0, UINT32_MAX};
static const struct cpu_seg ring3_data = {DATA3, 0xc0f3, 0, UINT32_MAX};

static void enter_ring3(struct cpu *cpu)
{
    struct cpu_sys *sys = &cpu->sys;
    cpu_reset(cpu);
    sys->cr0 = CR0_PE | CR0_PG | CR0_MP | CR0_ET | CR0_NE | CR0_WP;
    sys->cr3 = DIRECTORIES;
    sys->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    sys->efer = EFER_NXE;
    sys->pdpte[0] = DIRECTORY | 1;
    sys->gdt = (struct cpu_table){.base = GDT, .limit = 0xfff};
    sys->idt = (struct cpu_table){.base = IDT, .limit = 0x7ff};
    sys->ldt = (struct cpu_seg){0};
    sys->tr = (struct cpu_seg){TASK, 0x8b, TSS, 0x67};
    cpu->cpl = 3;
    for (unsigned i = 0; i < 6; i++)
        cpu->seg[i] = i == ISA_CS ? ring3_code : ring3_data;
    cpu->seg[ISA_FS] = (struct cpu_seg){FS3, 0xc0f3, INSN_FS_BASE, UINT32_MAX};
    cpu->seg[ISA_GS] = (struct cpu_seg){GS3, 0xc0f3, INSN_GS_BASE, UINT32_MAX};
}

static void load(struct on_pc *p, const struct insn_case *c)
{
    uint8_t bytes[INSN_DATA_BYTES] = {0};
    struct cpu *cpu = p->cpu;
    enter_ring3(cpu);
    memcpy(cpu->gpr, c->state.gpr, sizeof(cpu->gpr));
    cpu->eip = c->state.eip;
    cpu->eflags = c->state.eflags;
    memcpy(&cpu->fpu, &c->state.fpu, sizeof(cpu->fpu));
    cpu->fpu.mxcsr_mask = 0xffff;
    bus_write_bytes(p->bus, INSN_FIXED, bytes, INSN_PAGE);
    insn_fill(bytes, c->data_seed);
    memcpy(bytes + c->patch_at, c->patch, c->patch_len);
    bus_write_bytes(p->bus, INSN_DATA, bytes, INSN_DATA_BYTES);
    memset(bytes, 0xcc, INSN_CODE_BYTES);
    memcpy(bytes + c->code_at, c->code, c->code_len);
    bus_write_bytes(p->bus, INSN_CODE, bytes, INSN_CODE_BYTES);
    cpu_refresh(cpu);
}

static bool has_error(unsigned vector)
{
    return vector == CPU_DF || (vector >= CPU_TS && vector <= CPU_PF) || vector == CPU_AC;
}

/* INT3, INTO and INT1 return after themselves; elsewhere their address is told. */
static bool is_own_trap(const struct on_pc *p, unsigned vector, uint32_t eip)
{
    if (vector == CPU_DB)
        return bus_read(p->bus, eip - 1, 1) == 0xf1;
    return vector == CPU_BP || vector == CPU_OF;
}

static void store(const struct on_pc *p, enum engine_exit exit, struct insn_outcome *o)
{
    const struct cpu *cpu = p->cpu;
    uint32_t at = cpu->gpr[ISA_ESP];
    memcpy(o->state.gpr, cpu->gpr, sizeof(cpu->gpr));
    memcpy(&o->state.fpu, &cpu->fpu, sizeof(cpu->fpu));
    o->vector = INSN_NO_END + exit;
    o->error = o->address = 0;
    if (exit == ENGINE_EXIT_HALT) {
        o->vector = (cpu->eip - 1 - HANDLERS) / 16;
        if (has_error(o->vector))
            o->error = get32(p, at);
        at += has_error(o->vector) ? 4 : 0;
        o->address = o->vector == CPU_PF ? cpu->sys.cr2 : 0;
        o->state.eip = get32(p, at) - is_own_trap(p, o->vector, get32(p, at));
        o->state.eflags = get32(p, at + 8) & ~(uint32_t)EFLAGS_RF;
        o->state.gpr[ISA_ESP] = get32(p, at + 12);
    }
    bus_read_bytes(p->bus, INSN_DATA, o->data, INSN_DATA_BYTES);
}

static int run_cases(struct runner *runner, const struct insn_case *cases, unsigned count,
                     struct insn_outcome *outcomes)
{
    struct on_pc *p = (struct on_pc *)runner;
    for (unsigned i = 0; i < count; i++) {
        load(p, &cases[i]);
        enum engine_exit exit =
            engine_run(p->cpu, strcmp(p->runner.name, "pcdbt") ? MACHINE_BUDGET : ENGINE_UNLIMITED);
        if (exit == ENGINE_EXIT_DIVERGED)
            p->engine->ops->report(p->engine, p->cpu, stderr);
        store(p, exit, &outcomes[i]);
    }
    return 0;
}

static void destroy(struct runner *runner)
{
    struct on_pc *p = (struct on_pc *)runner;
    if (p->cpu && p->cpu->engine)
        p->engine->ops->detach(p->engine, p->cpu);
    if (p->engine)
        p->engine->ops->destroy(p->engine);
    if (p->cpu)
        cpu_fini_pc(p->cpu);
    if (p->bus)
        bus_destroy(p->bus);
    if (p->ram)
        ram_destroy(p->ram);
    free(p);
}

static int make_engine(const char *name, struct engine **out)
{
    struct engine_options options = {0};
    if (!strcmp(name, "pcdbt"))
        return dbt_create(&options, out);
    return strcmp(name, "pclockstep") ? interp_create(out) : lockstep_create(&options, out);
}

struct runner *runner_pc_create(const char *name)
{
    struct on_pc *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->runner = (struct runner){.name = name, .run = run_cases, .destroy = destroy, .is_pc = true};
    int err = ram_create(PC_RAM_BYTES, &p->ram);
    if (!err)
        err = bus_create(p->ram, &p->bus);
    struct cpu_config config = {.model = "max", .bus = p->bus, .pin = &p->pin};
    if (!err)
        err = cpu_init_pc(&config, &p->cpu);
    if (!err)
        err = make_engine(name, &p->engine);
    if (!err)
        err = p->engine->ops->attach(p->engine, p->cpu, 0);
    if (err) {
        destroy(&p->runner);
        return NULL;
    }
    put_tables(p);
    put_pages(p);
    return &p->runner;
}
