/* SPDX-License-Identifier: MIT */
/*
 * Where gdb meets a Linux program that has not begun: before the program's own
 * first instruction (its dynamic linker's, if it has one), as with any gdb
 * server. The kernel's boot comes before that, and is run here, without the
 * loop. Something in the way (a breakpoint of the monitor's, a fault, no end of
 * waiting) ends the trip where it happens.
 */
#include "emu/debug/gdb/gdb_private.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define PATIENCE_NS 20000000000u

static void wait_for(struct target *target, struct target_wait *wait)
{
    const uint64_t most_ns = 100000000;
    uint64_t before = host_monotonic_ns();
    int n = host_poll(wait->fd, wait->count, wait->ns < most_ns ? wait->ns : most_ns);
    for (unsigned i = 0; n <= 0 && i < wait->count; i++)
        wait->fd[i].revents = 0;
    target->ops->ready(target, wait, host_monotonic_ns() - before);
}

/* True: it stands at `eip`. Else target->stop tells where it got to. */
static bool run_to(struct target *target, uint32_t eip)
{
    struct target_wait wait;
    struct target_stop stop = {.kind = TARGET_STOP_NONE};
    enum target_slice slice = TARGET_RAN;
    uint64_t until = host_monotonic_ns() + PATIENCE_NS;
    if (cpu_debug_break(target_cpu(target), eip))
        return false;
    while ((slice == TARGET_RAN || slice == TARGET_IDLE) && host_monotonic_ns() < until) {
        slice = target->ops->run_slice(target, ENGINE_UNLIMITED, &wait, &stop);
        if (slice == TARGET_IDLE)
            wait_for(target, &wait);
    }
    cpu_debug_unbreak(target_cpu(target), eip);
    if (slice == TARGET_STOPPED || slice == TARGET_ENDED)
        target->stop = stop;
    target->ended = slice == TARGET_ENDED;
    return slice == TARGET_STOPPED && stop.kind == TARGET_STOP_BREAKPOINT && stop.eip == eip;
}

/* At the function that begins the program: where that will be. */
static bool program_eip(struct target *target, uint32_t *out)
{
    uint32_t frame;
    return !target->ops->read(target, TARGET_LINEAR, target_cpu(target)->gpr[ISA_ESP] + 4, &frame,
                              4) &&
           !target->ops->read(target, TARGET_LINEAR, frame, out, 4);
}

/* For gdb the past begins here, too: the kernel's boot is nothing that it knows. */
static void stands_at_program(struct target *target)
{
    target->stop.kind = TARGET_STOP_STEP;
    target->begin = target_cpu(target)->icount;
}

/* The monitor's: gdb has none yet. */
static bool has_breakpoints(const struct cpu *cpu)
{
    for (uint32_t i = 0; cpu->debug && i < cpu->debug->breaks_count; i++)
        if (cpu->debug->breaks[i].count)
            return true;
    return false;
}

void gdb_run_to_program(struct gdb *gdb, struct target *target)
{
    const struct cpu *cpu = target_cpu(target);
    void *opaque = gdb->config.command_opaque;
    uint32_t eip;
    if (target->stop.kind != TARGET_STOP_START || !gdb_is_linux(target) || !cpu->flat ||
        has_breakpoints(cpu) || !gdb->config.linux_word ||
        !gdb->config.linux_word(opaque, target, GDB_PROGRAM_START, &eip))
        return;
    if (target->ops->pause)
        target->ops->pause(target, false);
    if (run_to(target, eip) && program_eip(target, &eip) && run_to(target, eip))
        stands_at_program(target);
    if (target->ops->pause)
        target->ops->pause(target, true);
}
