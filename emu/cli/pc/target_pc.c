/* SPDX-License-Identifier: MIT */
/*
 * Slices and memory of a PC for the debugger's loop. Linear addresses go through
 * the guest's own page tables as they stand; what is no memory is asked of the
 * bus, byte by byte, as the processor would.
 */
#include "emu/cli/pc/target_pc.h"

#include "emu/base/host.h"

#include "dbt/dbt.h"
#include "emu/base/host_thread.h"
#include "emu/cli/pc/target_pc_history.h"
#include "emu/cli/pc/target_pc_snapshots.h"
#include "emu/cpu/pc/mmu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_NS 10000000u

struct target_pc {
    struct target target;
    struct target_pc_config config;
    int status;       /* of the run; negative: it goes on */
    unsigned catches; /* enum target_catch */
    char *kernel;
    struct target_pc_snapshots *snapshots;
    struct target_pc_history *history; /* NULL: none is kept */
};

static struct target_pc *of(struct target *target)
{
    return CONTAINER_OF(target, struct target_pc, target);
}

static struct cpu *get_cpu(struct target *target)
{
    return pc_processor(of(target)->config.pc);
}

/* Memory. */

static bool find(struct cpu *cpu, enum target_space space, uint64_t addr, gpa_t *gpa)
{
    *gpa = addr;
    return space == TARGET_PHYSICAL || (addr <= UINT32_MAX && mmu_peek(cpu, (uint32_t)addr, gpa));
}

static int do_read(struct target *target, enum target_space space, uint64_t addr, void *out,
                   uint64_t len)
{
    struct cpu *cpu = get_cpu(target);
    uint8_t *to = out;
    gpa_t gpa = 0;
    for (uint64_t i = 0; i < len; i++) {
        bool first = !i || !((addr + i) & PAGE_MASK);
        if (first && !find(cpu, space, addr + i, &gpa))
            return -EFAULT;
        to[i] = (uint8_t)mmu_phys_read(cpu, gpa++, 1);
    }
    return 0;
}

static int do_write(struct target *target, enum target_space space, uint64_t addr, const void *in,
                    uint64_t len)
{
    struct cpu *cpu = get_cpu(target);
    const uint8_t *from = in;
    gpa_t gpa = 0;
    for (uint64_t i = 0; i < len; i++) {
        bool first = !i || !((addr + i) & PAGE_MASK);
        if (first && !find(cpu, space, addr + i, &gpa))
            return -EFAULT;
        mmu_phys_write(cpu, gpa++, 1, from[i]);
    }
    return 0;
}

static uint64_t get_memory(struct target *target)
{
    return ram_size(get_cpu(target)->ram);
}

/* Running. */

static enum target_slice stopped(struct target *target, enum target_stop_kind kind,
                                 struct target_stop *stop)
{
    struct cpu *cpu = get_cpu(target);
    stop->kind = kind;
    stop->eip = target_eip(target);
    stop->icount = cpu->icount;
    if (kind == TARGET_STOP_WATCHPOINT)
        stop->hit = cpu->debug->now.hit;
    return TARGET_STOPPED;
}

/* A triple fault is shown before the run ends by it. */
static enum target_slice ended(struct target_pc *t, enum pc_state state, struct target_stop *stop)
{
    stop->kind = state == PC_SHUTDOWN ? TARGET_STOP_DIED : TARGET_STOP_EXITED;
    stop->status = t->status;
    stop->eip = target_eip(&t->target);
    if (state == PC_SHUTDOWN) {
        stop->fault = get_cpu(&t->target)->fault;
        stop->has_fault = true;
        snprintf(stop->text, sizeof(stop->text), "triple fault");
    }
    return TARGET_ENDED;
}

/* An interrupt was taken in place of the step's instruction, and is to be told. */
static bool was_interrupted(const struct target_pc *t, const struct cpu *cpu, uint64_t budget,
                            uint32_t interrupts, struct target_stop *stop)
{
    const struct cpu_debug_now *now = cpu->debug ? &cpu->debug->now : NULL;
    if (budget != 1 || !(t->catches & TARGET_CATCH_INTERRUPT) || !now ||
        now->interrupts == interrupts)
        return false;
    stop->from_eip = now->interrupted_eip;
    stop->from_esp = now->interrupted_esp;
    return true;
}

static enum target_slice run_slice(struct target *target, uint64_t budget, struct target_wait *wait,
                                   struct target_stop *stop)
{
    struct target_pc *t = of(target);
    const struct cpu *cpu = get_cpu(target);
    uint32_t interrupts = cpu->debug ? cpu->debug->now.interrupts : 0;
    wait->count = 0;
    wait->ns = 0;
    if (t->history)
        target_pc_history_before_run(t->history);
    enum pc_state state = budget == ENGINE_UNLIMITED ? pc_run_for(t->config.pc, TURN_NS)
                                                     : pc_run_count(t->config.pc, budget);
    if (t->history && target_pc_history_after_run(t->history, state))
        return stopped(target, TARGET_STOP_HISTORY, stop);
    if (state == PC_BREAKPOINT)
        return stopped(target, TARGET_STOP_BREAKPOINT, stop);
    if (state == PC_WATCHPOINT)
        return stopped(target, TARGET_STOP_WATCHPOINT, stop);
    if (state == PC_RUNNING && was_interrupted(t, cpu, budget, interrupts, stop))
        return stopped(target, TARGET_STOP_INTERRUPT, stop);
    t->status = t->config.turn(t->config.opaque, state);
    return t->status < 0 ? TARGET_RAN : ended(t, state, stop);
}

static void ready(struct target *target, const struct target_wait *wait, uint64_t slept_ns)
{
    (void)target, (void)wait, (void)slept_ns; /* the machine polls for itself */
}

static void do_stop(struct target *target)
{
    engine_stop(get_cpu(target));
}

static void do_kill(struct target *target)
{
    of(target)->status = 128 + 9;
}

/* Interrupts are caught where they come into single steps; other events of a PC are the guest's
 * own: break at its handlers. */
static void catch_events(struct target *target, unsigned catches)
{
    of(target)->catches = catches;
}

static unsigned count_named(const struct board_device *from, const struct board_device *to,
                            const char *name)
{
    unsigned n = 0;
    for (; from != to; from = from->next)
        n += !strcmp(from->ops->name, name);
    return n;
}

/* Devices by their names; where there are several of one, each has its number. */
static bool describe(struct target *target, unsigned n, struct target_state *out)
{
    struct board *board = pc_board(of(target)->config.pc);
    struct board_device *dev = board->first;
    for (; dev && (!dev->ops->state || n); dev = dev->next)
        n -= dev->ops->state != NULL;
    if (!dev)
        return false;
    const char *name = dev->ops->name;
    *out = (struct target_state){.list = dev->ops->state, .object = dev};
    if (count_named(board->first, NULL, name) > 1)
        snprintf(out->name, sizeof(out->name), "%s%u", name, count_named(board->first, dev, name));
    else
        snprintf(out->name, sizeof(out->name), "%s", name);
    return true;
}

static void counters(struct target *target, void *out)
{
    fprintf(out, "time          %.6f s\n", (double)pc_now_ns(of(target)->config.pc) / 1e9);
}

static void translation(struct target *target, uint32_t eip, void *out)
{
    struct cpu *cpu = get_cpu(target);
    dbt_dump_block(cpu->engine, cpu, eip, out);
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
    .counters = counters,
    .translation = translation,
};

static bool is_elf(const char *path)
{
    char magic[4] = "";
    int fd = path ? host_open_file(path) : -1;
    bool elf = fd >= 0 && read(fd, magic, 4) == 4 && !memcmp(magic, "\177ELF", 4);
    if (fd >= 0)
        close(fd);
    return elf;
}

int target_pc_create(const struct target_pc_config *config, struct target_pc **out)
{
    struct target_pc *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    if (target_pc_snapshots_create(config->pc, &t->snapshots)) {
        free(t);
        return -ENOMEM;
    }
    t->config = *config;
    t->status = -1;
    t->target.history = &target_pc_only_snapshots;
    if (config->record && !target_pc_history_create(config->pc, config->record, &t->history))
        t->target.history = &target_pc_history;
    t->target.ops = &ops;
    t->target.name = "pc";
    t->target.stop.kind = TARGET_STOP_START;
    t->target.stop.eip = target_eip(&t->target);
    if (is_elf(config->kernel))
        t->kernel = realpath(config->kernel, NULL);
    if (t->kernel)
        t->target.file[t->target.files++] = (struct target_file){.path = t->kernel};
    *out = t;
    return 0;
}

void target_pc_destroy(struct target_pc *t)
{
    if (!t)
        return;
    target_pc_history_destroy(t->history);
    target_pc_snapshots_destroy(t->snapshots);
    free(t->kernel);
    free(t);
}

struct target_pc_snapshots *target_pc_snapshots_of(struct target *target)
{
    return of(target)->snapshots;
}

struct target_pc_history *target_pc_history_of(struct target *target)
{
    return of(target)->history;
}

struct target *target_pc_target(struct target_pc *t)
{
    return &t->target;
}

int target_pc_status(const struct target_pc *t)
{
    return t->status;
}
