/* SPDX-License-Identifier: MIT */
/* See machine.h. */
#include "testsuite/insn/machine.h"

#include <string.h>

#include "emu/base/host.h"

_Static_assert(sizeof(struct insn_fpu) == sizeof(struct cpu_fpu), "both are FXSAVE images");

/* The flat machine's words. Not page 0, which is as absent here as in the native process. */
#define FLAT_PAGE 0x00640000u

static const struct cpu_flat flat = {
    .fs_base = FLAT_PAGE + 0x00,
    .gs_base = FLAT_PAGE + 0x04,
    .trap_entry = FLAT_PAGE + 0x08,
    .trap_eip = FLAT_PAGE + 0x0C,
    .trap_number = FLAT_PAGE + 0x10,
    .trap_enabled = FLAT_PAGE + 0x14,
    .intr_enabled = FLAT_PAGE + 0x18,
    .pending = FLAT_PAGE + 0x1C,
    .trapret_code = 62,
    .resume_code = 63,
};

static int set_rights(struct ram *ram)
{
    int err = ram_set_access(ram, 0, INSN_MEM_BYTES, HOST_NONE);
    if (!err)
        err = ram_set_access(ram, FLAT_PAGE, PAGE_SIZE, HOST_R | HOST_W);
    if (!err)
        err = ram_set_access(ram, INSN_CODE, INSN_CODE_BYTES, HOST_R | HOST_W);
    if (!err)
        err = ram_set_access(ram, INSN_DATA - INSN_PAGE, INSN_PAGE, HOST_R);
    if (!err)
        err = ram_set_access(ram, INSN_DATA, INSN_DATA_BYTES, HOST_R | HOST_W);
    if (!err)
        err = ram_set_access(ram, INSN_FIXED, INSN_PAGE, HOST_R | HOST_W);
    return err;
}

int machine_create(struct machine *m)
{
    const uint32_t bases[2] = {INSN_FS_BASE, INSN_GS_BASE};
    *m = (struct machine){.engine = NULL};
    int err = ram_create(INSN_MEM_BYTES, &m->ram);
    if (!err)
        err = ram_write(m->ram, FLAT_PAGE, bases, sizeof(bases));
    if (!err)
        err = set_rights(m->ram);
    if (!err)
        m->cpu = cpu_init_flat(m->ram, &flat);
    return err;
}

int machine_attach(struct machine *m, struct engine *engine, uint64_t image)
{
    m->engine = m->cpu->engine = engine;
    int err = engine->ops->attach(engine, m->cpu, image);
    m->attached = !err;
    return err;
}

void machine_destroy(struct machine *m)
{
    if (m->attached)
        m->engine->ops->detach(m->engine, m->cpu);
    if (m->ram)
        ram_destroy(m->ram);
}

static int write_memory(struct ram *ram, const struct insn_case *c)
{
    uint8_t page[INSN_DATA_BYTES] = {0};
    _Static_assert(INSN_CODE_BYTES <= INSN_DATA_BYTES, "the buffer serves both");
    int err = ram_write(ram, INSN_FIXED, page, INSN_PAGE);
    insn_fill(page, c->data_seed);
    memcpy(page + c->patch_at, c->patch, c->patch_len);
    if (!err)
        err = ram_write(ram, INSN_DATA, page, INSN_DATA_BYTES);
    memset(page, 0xCC, INSN_CODE_BYTES);
    memcpy(page + c->code_at, c->code, c->code_len);
    return err ? err : ram_write(ram, INSN_CODE, page, INSN_CODE_BYTES);
}

static void load_state(struct cpu *cpu, const struct insn_state *s)
{
    memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
    cpu->eip = s->eip;
    cpu->eflags = s->eflags;
    memcpy(&cpu->fpu, &s->fpu, sizeof(cpu->fpu));
    cpu->fpu.mxcsr_mask = 0xFFFF;
}

int machine_load(struct machine *m, const struct insn_case *c)
{
    load_state(m->cpu, &c->state);
    return write_memory(m->ram, c);
}

int machine_store(const struct machine *m, enum engine_exit exit, struct insn_outcome *o)
{
    const struct cpu *cpu = m->cpu;
    bool fault = exit == ENGINE_EXIT_FAULT;
    memcpy(o->state.gpr, cpu->gpr, sizeof(cpu->gpr));
    o->state.eip = cpu->eip;
    o->state.eflags = cpu->eflags;
    memcpy(&o->state.fpu, &cpu->fpu, sizeof(cpu->fpu));
    o->vector = fault ? cpu->fault.vector : INSN_NO_END + exit;
    o->error = fault && cpu->fault.has_error ? cpu->fault.error : 0;
    o->address = fault && cpu->fault.vector == CPU_PF ? cpu->fault.address : 0;
    return ram_read(m->ram, INSN_DATA, o->data, INSN_DATA_BYTES);
}

enum engine_exit machine_run_slices(struct machine *m, uint32_t *seed)
{
    enum engine_exit exit = ENGINE_EXIT_BUDGET;
    for (unsigned n = 0; n < MACHINE_BUDGET && exit == ENGINE_EXIT_BUDGET; n++) {
        *seed = *seed * 1664525u + 1013904223u;
        exit = engine_run(m->cpu, 1 + (*seed >> 27));
    }
    return exit;
}
