/* SPDX-License-Identifier: MIT */
/*
 * bench switch (E1, E2): N VMs on one worker that idle for 20 us as soon as they run, so that with
 * 16 and more somebody is always due. The best case touches nothing between switches, the worst
 * walks a buffer of 128 KiB. What is counted is processor time for each turn: the way out of the
 * VM, the timer that wakes it, the scheduler, the way into the next, and what the caches lost.
 * The time that the walk itself takes while few VMs share the caches is taken off.
 */
#include "emu/base/host.h"
#include "emu/cli/bench/bench_guests.h"
#include "emu/cli/bench/bench_report.h"

#include <stdio.h>

#define MEASURE_NS 300000000u
#define SETTLE_NS 50000000u
#define WALK "131072"

static const uint32_t counts[] = {16, 32, 64, 128, 256, 512, 1024};

/* Until each has had a few turns. */
static void settle(struct bench_guests *g, uint32_t vms)
{
    struct pool_counters c;
    do {
        host_poll(NULL, 0, SETTLE_NS);
        pool_count(g->pool, &c);
    } while (c.slices < 4 * (uint64_t)vms);
}

/* Processor time of one turn. */
static int measure(const struct bench_options *o, const char *bytes, uint32_t vms, double *ns,
                   struct why *why)
{
    const char *const words[] = {"walk", bytes, NULL};
    struct bench_options one = *o;
    struct bench_guests g;
    struct bench_pace pace;
    one.workers = 1;
    int err = bench_guests_init(&g, &one, words, why);
    if (!err)
        err = bench_guests_add(&g, vms, why);
    if (!err) {
        settle(&g, vms);
        bench_guests_pace(&g, MEASURE_NS, &pace);
        *ns = pace.slices ? (double)pace.cpu_ns / (double)pace.slices : 0;
    }
    bench_guests_fini(&g);
    return err;
}

int bench_switch(const struct bench_options *o, struct why *why)
{
    struct bench_report report = {.experiment = "switch"};
    struct bench_chart *chart =
        bench_chart(&report, "Context switch between VMs", "VMs", "ns per switch");
    struct bench_series *best = bench_series(chart, "nothing touched");
    struct bench_series *worst = bench_series(chart, "128 KiB walked");
    double ns, alone = 0;
    int err = 0;
    chart->log_x = true;
    for (unsigned i = 0; i < ARRAY_LEN(counts) && !err; i++) {
        if (counts[i] > o->max_windows || (i && counts[i] > o->vms))
            break;
        err = measure(o, "0", counts[i], &ns, why);
        if (!err)
            bench_point(best, counts[i], ns);
        if (!err)
            err = measure(o, WALK, counts[i], &ns, why);
        if (!i)
            alone = ns - best->y[0];
        if (!err)
            bench_point(worst, counts[i], ns - alone);
    }
    if (err)
        return err;
    bench_figure(&report, "best_ns", best->y[0], "ns, 16 VMs");
    bench_figure(&report, "best_many_ns", best->y[best->points - 1], "ns, the most VMs");
    bench_figure(&report, "worst_many_ns", worst->y[worst->points - 1], "ns, the most VMs");
    bench_figure(&report, "walk_ns", alone, "ns of the walk alone, not counted");
    bench_figure(&report, "paper_best_ns", 1400, "ns (1.7 GHz Pentium 4)");
    bench_figure(&report, "paper_worst_ns", 9000, "ns, two VMs and more");
    return bench_report_print(&report, o->json, o->svg, why);
}
