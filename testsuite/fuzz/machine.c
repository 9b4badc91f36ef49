/* SPDX-License-Identifier: MIT */
#include "testsuite/fuzz/machine.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/machine/ram.h"
#include "testsuite/fuzz/fuzz.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#define MEMORY (1 * MIB)
#define SLICES 40u
#define SLICE 200u

static const struct cpu_flat flat = {
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

static struct fuzz_machine *of(struct target *target)
{
    return CONTAINER_OF(target, struct fuzz_machine, target);
}

static struct cpu *get_cpu(struct target *target)
{
    return of(target)->cpu;
}

static int do_read(struct target *target, enum target_space space, uint64_t addr, void *out,
                   uint64_t len)
{
    (void)space;
    return ram_read(of(target)->ram, addr, out, len);
}

static int do_write(struct target *target, enum target_space space, uint64_t addr, const void *in,
                    uint64_t len)
{
    (void)space;
    return ram_write(of(target)->ram, addr, in, len);
}

static uint64_t get_memory(struct target *target)
{
    return ram_size(of(target)->ram);
}

static enum target_slice run_slice(struct target *target, uint64_t budget, struct target_wait *wait,
                                   struct target_stop *stop)
{
    struct fuzz_machine *m = of(target);
    wait->count = 0;
    wait->ns = HOST_FOREVER;
    enum engine_exit exit = m->slices++ < SLICES
                                ? engine_run(m->cpu, budget < SLICE ? budget : SLICE)
                                : ENGINE_EXIT_HYPERCALL;
    stop->eip = m->cpu->eip;
    switch (exit) {
    case ENGINE_EXIT_BREAKPOINT:
        stop->kind = TARGET_STOP_BREAKPOINT;
        return TARGET_STOPPED;
    case ENGINE_EXIT_WATCHPOINT:
        stop->kind = TARGET_STOP_WATCHPOINT;
        stop->hit = m->cpu->debug->now.hit;
        return TARGET_STOPPED;
    case ENGINE_EXIT_FAULT:
        stop->kind = TARGET_STOP_FAULT;
        stop->fault = m->cpu->fault;
        return TARGET_STOPPED;
    case ENGINE_EXIT_BUDGET:
    case ENGINE_EXIT_STOP:
        return TARGET_RAN;
    default:
        stop->kind = TARGET_STOP_EXITED;
        stop->status = 42;
        return TARGET_ENDED;
    }
}

static void ready(struct target *target, const struct target_wait *wait, uint64_t slept_ns)
{
    (void)target, (void)wait, (void)slept_ns;
}

static void do_stop(struct target *target)
{
    engine_stop(get_cpu(target));
}

static void do_kill(struct target *target)
{
    of(target)->slices = SLICES;
}

static void catch_events(struct target *target, unsigned catches)
{
    (void)target, (void)catches;
}

static bool describe(struct target *target, unsigned n, struct target_state *out)
{
    static const struct state_field fields[] = {{"word", 0x60, 4, 1, STATE_UINT, 0},
                                                {"bytes", 0x70, 16, 1, STATE_BYTES, 0}};
    static const struct state_list list = {"regs", 1, 2, fields};
    *out = (struct target_state){
        .name = "regs", .list = &list, .object = ram_base(of(target)->ram), .writable = true};
    return n == 0;
}

static bool thread(struct target *target, unsigned n, struct target_thread *out)
{
    *out = (struct target_thread){.number = n + 1, .running = n == 0, .eip = MACHINE_CODE + n};
    out->gpr[ISA_ESP] = 0x60000 + n;
    snprintf(out->name, sizeof(out->name), "t%u", n);
    (void)target;
    return n < 3;
}

static const struct target_ops ops = {
    .cpu = get_cpu,
    .read = do_read,
    .write = do_write,
    .memory = get_memory,
    .run_slice = run_slice,
    .ready = ready,
    .stop = do_stop,
    .kill = do_kill,
    .catch_events = catch_events,
    .describe = describe,
    .thread = thread,
};

static struct engine *the_engine(void)
{
    static struct engine *engine;
    if (!engine)
        FUZZ_REQUIRE(interp_create(&engine) == 0);
    return engine;
}

/* Counts in memory, calls and returns, for ever. */
static const uint8_t program[] = {0x55, 0x89, 0xe5, 0x31, 0xc0, 0x40, 0xa3, 0,
                                  0,    8,    0,    0xe8, 0x02, 0,    0,    0,
                                  0xeb, 0xf3, 0x55, 0x89, 0xe5, 0x5d, 0xc3};

void fuzz_machine_make(struct fuzz_machine *m, struct loop *loop, const char *name)
{
    memset(m, 0, sizeof(*m));
    FUZZ_REQUIRE(ram_create(MEMORY, &m->ram) == 0);
    m->cpu = cpu_init_flat(m->ram, &flat);
    FUZZ_REQUIRE(the_engine()->ops->attach(the_engine(), m->cpu, 0) == 0);
    FUZZ_REQUIRE(ram_write(m->ram, MACHINE_CODE, program, sizeof(program)) == 0);
    m->cpu->eip = MACHINE_CODE;
    m->cpu->gpr[ISA_ESP] = 0x60000;
    m->target.ops = &ops;
    m->target.name = name;
    m->target.stop.kind = TARGET_STOP_START;
    FUZZ_REQUIRE(loop_add_target(loop, &m->target) == 0);
}

void fuzz_machine_load(struct fuzz_machine *m, const uint8_t *elf, size_t len)
{
    Elf32_Ehdr eh;
    Elf32_Phdr ph;
    if (len < sizeof(eh))
        return;
    memcpy(&eh, elf, sizeof(eh));
    for (unsigned i = 0; i < eh.e_phnum && i < 8; i++) {
        uint64_t at = (uint64_t)eh.e_phoff + i * sizeof(ph);
        if (at + sizeof(ph) > len)
            return;
        memcpy(&ph, elf + at, sizeof(ph));
        if ((uint64_t)ph.p_offset + ph.p_filesz <= len)
            (void)!ram_write(m->ram, ph.p_vaddr, elf + ph.p_offset, ph.p_filesz);
    }
    m->cpu->eip = eh.e_entry;
}

void fuzz_machine_end(struct fuzz_machine *m)
{
    the_engine()->ops->detach(the_engine(), m->cpu);
    ram_destroy(m->ram);
}
