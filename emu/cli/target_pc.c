/* SPDX-License-Identifier: MIT */
/*
 * Slices and memory of a PC for the debugger's loop. Linear addresses go through
 * the guest's own page tables as they stand; what is no memory is asked of the
 * bus, byte by byte, as the processor would.
 */
#include "emu/cli/target_pc.h"

#include "emu/base/host_thread.h"
#include "emu/cpu/mmu.h"
#include "emu/debug/gdb.h"
#include "emu/debug/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TURN_NS 10000000u

struct target_pc {
    struct target target;
    struct target_pc_config config;
    int status; /* of the run; negative: it goes on */
    bool killed;
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

static enum target_slice run_slice(struct target *target, uint64_t budget, struct target_wait *wait,
                                   struct target_stop *stop)
{
    struct target_pc *t = of(target);
    wait->count = 0;
    wait->ns = 0;
    enum pc_state state = budget == ENGINE_UNLIMITED ? pc_run_for(t->config.pc, TURN_NS)
                                                     : pc_run_count(t->config.pc, budget);
    if (state == PC_BREAKPOINT)
        return stopped(target, TARGET_STOP_BREAKPOINT, stop);
    if (state == PC_WATCHPOINT)
        return stopped(target, TARGET_STOP_WATCHPOINT, stop);
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
    of(target)->killed = true;
}

static void catch_events(struct target *target, unsigned catches)
{
    (void)target, (void)catches; /* a PC's events are the guest's own: break at its handlers */
}

/* The processor's system registers are gdb's by their own names; devices tell nothing yet. */
static bool describe(struct target *target, unsigned n, struct target_state *out)
{
    (void)target, (void)n, (void)out;
    return false;
}

static void counters(struct target *target, void *out)
{
    fprintf(out, "instructions %llu\n", (unsigned long long)get_cpu(target)->icount);
}

static void translation(struct target *target, uint32_t eip, void *out)
{
    (void)target, (void)eip;
    fputs("a PC under the debugger is interpreted\n", out);
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

/* The run. */

static int serve(struct target_pc *t, struct loop *loop, struct session *session, struct why *why)
{
    const struct gdb_config config = {
        .listen = t->config.gdb, .command = monitor_gdb_command, .command_opaque = session};
    struct gdb *gdb;
    int err = gdb_create(loop, &config, &gdb, why);
    if (err)
        return err;
    fprintf(stderr, "denali: for gdb: target remote %s\n", gdb_address(gdb));
    if (!t->config.stands)
        loop_resume_all(loop);
    err = loop_serve(loop);
    gdb_destroy(gdb);
    return err ? why_fail(why, err, "the loop failed: %s", strerror(-err)) : 0;
}

int target_pc_run(const struct target_pc_config *config, int *status, struct why *why)
{
    struct target_pc t = {.config = *config, .status = -1};
    struct loop *loop = NULL;
    struct session *session = NULL;
    t.target.ops = &ops;
    t.target.name = "pc";
    t.target.stop.kind = TARGET_STOP_START;
    int err = loop_create(&loop);
    if (!err)
        err = loop_add_target(loop, &t.target);
    if (!err)
        err = session_create(loop, &session);
    if (err)
        why_fail(why, err, "no memory for the debugger");
    else
        err = serve(&t, loop, session, why);
    session_destroy(session);
    loop_destroy(loop);
    *status = t.killed ? 128 + 9 : t.status;
    return err;
}
