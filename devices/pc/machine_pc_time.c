/* SPDX-License-Identifier: MIT */
/*
 * A PC whose time is the host's. A host that is busy gives the machine no time for
 * a tenth of a second now and then, and one that stops the process gives none for hours; a
 * guest that measures one clock by another (Linux counts timer interrupts by the TSC, and panics
 * when there are too few) must not see it. So the board's clock waits for events that are overdue
 * (clock.h), and the TSC stands still with it; what they lag behind passes while the
 * guest sleeps.
 *
 * Most RDTSCs need not ask the clock: until `bound` nothing can be overdue.
 */
#include "devices/pc/machine_pc_private.h"

#include "emu/base/host.h"
#include "emu/cpu/interp/interp.h"

#define SLACK_NS UINT64_C(1000000)

/* The host's TSC ticks in a time. */
static uint64_t ticks_of(const struct pc_tsc *tsc, uint64_t ns)
{
    uint64_t passed_ns = host_monotonic_ns() - tsc->began_ns;
    uint64_t passed = interp_host_tsc() - tsc->began;
    return passed_ns ? (uint64_t)((unsigned __int128)ns * passed / passed_ns) : 0;
}

/* What the clock has lagged behind, or caught up, since the last look. */
static void follow_clock(struct pc *pc)
{
    struct pc_tsc *tsc = &pc->tsc;
    uint64_t lag_ns = clock_lag_ns(pc->clock);
    if (lag_ns > tsc->lag_ns) {
        tsc->lag += ticks_of(tsc, lag_ns - tsc->lag_ns);
    } else if (lag_ns < tsc->lag_ns) {
        uint64_t less = ticks_of(tsc, tsc->lag_ns - lag_ns);
        tsc->lag -= less < tsc->lag ? less : tsc->lag;
    }
    tsc->lag_ns = lag_ns;
}

void pc_time_begin(struct pc *pc)
{
    uint64_t now = clock_now_ns(pc->clock), bound = clock_bound_ns(pc->clock);
    follow_clock(pc);
    pc->tsc.bound = bound == CLOCK_NEVER ? UINT64_MAX
                    : bound > now        ? interp_host_tsc() + ticks_of(&pc->tsc, bound - now)
                                         : 0;
}

/* A lag found now is one of before `host` was read, or of moments later: never back. */
static uint64_t read_tsc(void *opaque)
{
    struct pc *pc = opaque;
    struct pc_tsc *tsc = &pc->tsc;
    uint64_t host = interp_host_tsc();
    if (host >= tsc->bound)
        pc_time_begin(pc);
    uint64_t now = host - tsc->lag;
    if (now < tsc->told || now - tsc->told > UINT64_MAX / 2)
        now = tsc->told;
    tsc->told = now;
    return now;
}

void pc_time_follow_host(struct pc *pc)
{
    pc->tsc = (struct pc_tsc){.began_ns = host_monotonic_ns(), .began = interp_host_tsc()};
    clock_wait_for_events(pc->clock, SLACK_NS);
    pc->cpu->virtual_tsc = 1;
    pc->cpu->read_tsc = read_tsc;
    pc->cpu->read_tsc_opaque = pc;
}
