/* SPDX-License-Identifier: MIT */
/*
 * bench create (E11, and what the paper lacks): how fast clones are made and unmade, by
 * how many there are, and what bytes of the host's one takes that has not run.
 */
#include "emu/base/host.h"
#include "emu/cli/bench/bench_guests.h"
#include "emu/cli/bench/bench_report.h"

#include <malloc.h>

static double made_per_s(struct bench_guests *g, uint32_t count, int *err, struct why *why)
{
    uint64_t start = host_monotonic_ns();
    *err = bench_guests_add(g, count, why);
    return count * 1e9 / (double)(host_monotonic_ns() - start);
}

static size_t heap_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static double removed_per_s(struct bench_guests *g, int *err)
{
    uint64_t start = host_monotonic_ns();
    uint32_t count = g->vms;
    for (uint32_t i = 0; i < count; i++)
        pool_kill(g->vm[i]);
    while (g->vms && !*err) {
        if (!pool_wait(g->vm[g->vms - 1], 1000000000))
            *err = -1;
        else if (!pool_remove(g->vm[g->vms - 1]))
            g->vms--;
    }
    return count * 1e9 / (double)(host_monotonic_ns() - start);
}

int bench_create(const struct bench_options *o, struct why *why)
{
    const char *const words[] = {"sink", "0", NULL};
    struct bench_report report = {.experiment = "create"};
    struct bench_chart *chart =
        bench_chart(&report, "Clones made", "VMs there already", "clones per second");
    struct bench_series *rate = bench_series(chart, "made");
    struct bench_guests g;
    uint32_t step = o->vms / 20 ? o->vms / 20 : 1;
    int err = bench_guests_init(&g, o, words, why);
    size_t before = heap_bytes();
    while (!err && g.vms < o->vms) {
        double at = g.vms, per_s = made_per_s(&g, step, &err, why);
        if (!err)
            bench_point(rate, at, per_s);
    }
    double sum = 0;
    for (unsigned i = 0; i < rate->points; i++)
        sum += 1 / rate->y[i];
    uint32_t made = g.vms ? g.vms : 1;
    double bytes = (double)(heap_bytes() - before) / made;
    if (!err) {
        bench_figure(&report, "vms", g.vms, "");
        bench_figure(&report, "create_per_s", rate->points / sum, "clones per second");
        bench_figure(&report, "bytes_per_vm", bytes, "bytes of the kernel's, not yet run");
        bench_figure(&report, "paper_bytes_per_vm", 8472, "bytes, swapped out");
        bench_figure(&report, "remove_per_s", removed_per_s(&g, &err), "ended and removed");
    }
    bench_guests_fini(&g);
    if (err)
        return why->text[0] ? err : why_fail(why, -5, "a VM did not end when it was told to");
    return bench_report_print(&report, o->json, o->svg, why);
}
