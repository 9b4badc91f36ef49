/* SPDX-License-Identifier: MIT */
/*
 * bench hostile (what the paper lacks): how long a victim takes to answer a frame,
 * alone and beside N neighbours that all do the same bad thing: compute for ever, idle for
 * no time in a loop, flood the victim with frames, flood their consoles, set timers in the
 * past. One worker, so that they share one processor; shares (sched_fair).
 */
#include "emu/base/host.h"
#include "emu/cli/bench/bench_guests.h"
#include "emu/cli/bench/bench_report.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES 20000u
#define PAUSE_NS 1000000u /* between questions: the victim idles */
#define LOST_NS 1000000000u

static const struct attack {
    char mode;
    const char *key, *name;
} attacks[] = {
    {'i', "alone", "idle neighbours"},   {'s', "spin", "compute for ever"},
    {'z', "yield", "idle(0) in a loop"}, {'f', "flood", "frames to the victim"},
    {'c', "console", "console floods"},  {'t', "timers", "timers in the past"},
};

struct answers {
    uint32_t took_us[SAMPLES];
    unsigned count, lost;
};

/* Ethernet type 88b5, what to do, and whom to flood (guests/neighbour). */
static void order(struct bench_guests *g, uint32_t vm, char mode)
{
    uint8_t bytes[10] = {0x88, 0xb5, (uint8_t)mode};
    lan_port_mac(pool_vm_port(g->vm[0]), bytes + 4);
    bench_guests_tell(g, vm, bytes, sizeof(bytes));
}

static void question(struct bench_guests *g, struct answers *a)
{
    uint64_t start = host_monotonic_ns();
    order(g, 0, 'e');
    unsigned came = bench_guests_receive(g, LOST_NS);
    a->lost += !came;
    if (came)
        a->took_us[a->count++] = (uint32_t)((host_monotonic_ns() - start) / 1000);
    host_poll(NULL, 0, PAUSE_NS);
    bench_guests_receive(g, 0);
}

static int measure(const struct bench_options *o, const struct attack *attack, struct answers *a,
                   struct why *why)
{
    struct bench_options one = *o;
    struct bench_guests g;
    one.workers = 1;
    memset(a, 0, sizeof(*a));
    int err = bench_guests_init(&g, &one, NULL, why);
    if (!err)
        err = bench_guests_add(&g, o->vms + 1, why);
    if (!err) {
        for (uint32_t i = 1; i <= o->vms; i++)
            order(&g, i, attack->mode);
        order(&g, 0, 'i');
        host_poll(NULL, 0, 100000000);
        bench_guests_receive(&g, 0);
        uint64_t end = host_monotonic_ns() + o->seconds * (uint64_t)1000000000;
        while (host_monotonic_ns() < end && a->count < SAMPLES)
            question(&g, a);
        qsort(a->took_us, a->count, sizeof(uint32_t), bench_by_us);
    }
    bench_guests_fini(&g);
    return err;
}

static double percentile_ms(const struct answers *a, unsigned percent)
{
    return a->count ? a->took_us[(uint64_t)a->count * percent / 100] / 1e3 : 0;
}

int bench_hostile(const struct bench_options *o, struct why *why)
{
    char key[ARRAY_LEN(attacks)][32];
    struct bench_report report = {.experiment = "hostile"};
    struct bench_chart *chart =
        bench_chart(&report, "A victim's answer beside bad neighbours", "attack (0: none)", "ms");
    struct bench_series *median = bench_series(chart, "median");
    struct bench_series *p99 = bench_series(chart, "p99");
    struct answers *a = malloc(sizeof(*a));
    unsigned lost = 0;
    int err = a ? 0 : why_fail(why, -12, "no memory");
    for (unsigned i = 0; i < ARRAY_LEN(attacks) && !err; i++) {
        err = measure(o, &attacks[i], a, why);
        if (err)
            break;
        strcat(strcpy(key[i], attacks[i].key), "_p99_ms");
        bench_point(median, i, percentile_ms(a, 50));
        bench_point(p99, i, percentile_ms(a, 99));
        bench_figure(&report, key[i], percentile_ms(a, 99), attacks[i].name);
        lost += a->lost;
    }
    free(a);
    if (err)
        return err;
    bench_figure(&report, "lost", lost, "questions without an answer");
    return bench_report_print(&report, o->json, o->svg, why);
}
