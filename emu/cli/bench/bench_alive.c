/* SPDX-License-Identifier: MIT */
/*
 * bench alive (E17): many clones of one web server, each under its own address
 * and name; each is asked for a document over TCP through the switch, and its
 * answer must be whole, right, and name the VM that was asked.
 *
 * Memory is what the host says that this process has: its private pages and its
 * page tables. What a VM costs idle is the growth from before to after the
 * first VMs were asked, with none parked meanwhile; what it costs parked, the
 * same after all of them were parked. Of what it costs idle, the pages are those
 * whose bytes differ from the snapshot's; what remains beside them and the page
 * tables is the kernel's own: processor, rights, devices, pages that only look changed.
 */
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cli/bench/bench_report.h"
#include "emu/cli/bench/bench_world.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BATCH 1000u

struct alive {
    const struct bench_options *options;
    struct bench_world world;
    struct bench_request *request;
    uint32_t asked, answered, wrong;
    uint64_t took_max_ns, took_ns;
    uint32_t parked_asked, parked_lost;
    uint64_t parked_took_ns[FIRST_BATCH]; /* ascending */
    double ask_s, kib_idle, kib_tables, kib_parked;
};

static uint64_t tables_kib(void)
{
    return bench_status_kib("VmPTE:");
}

static uint64_t own_kib(void)
{
    malloc_trim(0);
    return bench_status_kib("RssAnon:") + tables_kib();
}

static double grown(uint64_t from, uint64_t to, uint32_t vms)
{
    return (double)((int64_t)to - (int64_t)from) / vms;
}

/* Asking. */

static void on_answer(void *opaque, uint32_t id, const char *text, size_t len, uint64_t took_ns)
{
    struct alive *a = opaque;
    a->asked++;
    a->took_ns += took_ns;
    if (took_ns > a->took_max_ns)
        a->took_max_ns = took_ns;
    if (len && bench_world_is_right(&a->world, id, text, len))
        a->answered++;
    else if (len)
        a->wrong++;
}

/* Asks `count` VMs, evenly spread over those from `first` to `end`. */
static int ask(struct alive *a, uint32_t first, uint32_t end, uint32_t count, unsigned at_once,
               struct why *why)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = first + (uint32_t)((uint64_t)(end - first) * i / count);
        a->request[i] = (struct bench_request){bench_world_ip(id), id, "/index.html"};
    }
    int err = bench_client_ask(a->world.client, a->request, count, at_once, BENCH_PATIENCE_NS,
                               on_answer, a);
    return err ? why_fail(why, err, "the client failed: %s", strerror(-err)) : 0;
}

/* Until the last VM that was asked has come to rest. */
static void settle(struct alive *a, uint32_t idle)
{
    struct pool_counters c;
    for (unsigned i = 0; i < 200; i++) {
        pool_count(a->world.pool, &c);
        if (c.idle >= idle)
            return;
        host_poll(NULL, 0, 5000000);
    }
}

/* Until all are parked: who has just answered may still close its connection. */
static void park_all(struct alive *a)
{
    struct pool_counters c;
    for (unsigned i = 0; i < 400; i++) {
        pool_park_idle(a->world.pool);
        pool_count(a->world.pool, &c);
        if (c.parked + c.ended == c.vms)
            return;
        host_poll(NULL, 0, 5000000);
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void on_parked_answer(void *opaque, uint32_t id, const char *text, size_t len,
                             uint64_t took_ns)
{
    struct alive *a = opaque;
    a->parked_took_ns[a->parked_asked++] = took_ns;
    if (!bench_world_is_right(&a->world, id, text, len))
        a->parked_lost++;
}

/* The same VMs again, one at a time, all parked: how long a caller waits for one. */
static int ask_parked(struct alive *a, uint32_t count, struct why *why)
{
    for (uint32_t id = 0; id < count; id++)
        a->request[id] = (struct bench_request){bench_world_ip(id), id, "/index.html"};
    int err = bench_client_ask(a->world.client, a->request, count, 1, BENCH_PATIENCE_NS,
                               on_parked_answer, a);
    if (err)
        return why_fail(why, err, "the client failed: %s", strerror(-err));
    qsort(a->parked_took_ns, a->parked_asked, sizeof(uint64_t), by_size);
    return 0;
}

static int first_batch(struct alive *a, uint64_t before_kib, struct why *why)
{
    uint32_t batch = a->options->vms < FIRST_BATCH ? a->options->vms : FIRST_BATCH;
    if (batch > a->options->max_windows / 2)
        batch = a->options->max_windows / 2;
    /* What one VM makes everybody need (translations, the client) is not the others'. */
    int err = ask(a, 0, 1, 1, BENCH_AT_ONCE, why);
    settle(a, 1);
    uint64_t one_kib = own_kib(), one_tables = tables_kib();
    if (!err && batch > 1)
        err = ask(a, 1, batch, batch - 1, BENCH_AT_ONCE, why);
    if (err || batch < 2)
        return err;
    settle(a, batch);
    double own = (double)before_kib / a->options->vms;
    a->kib_idle = own + grown(one_kib, own_kib(), batch - 1);
    a->kib_tables = grown(one_tables, tables_kib(), batch - 1);
    park_all(a);
    a->kib_parked = own + grown(one_kib, own_kib(), batch - 1);
    return err ? err : ask_parked(a, batch, why);
}

static int ask_all(struct alive *a, uint64_t created_kib, struct why *why)
{
    uint32_t vms = a->options->vms;
    int err = first_batch(a, created_kib, why);
    uint32_t done = a->asked;
    uint32_t most = a->options->sample < vms ? a->options->sample : vms;
    if (!err && most > done)
        err = ask(a, done, vms, most - done, BENCH_AT_ONCE, why);
    return err;
}

static double mean(uint64_t sum, uint64_t n)
{
    return n ? (double)sum / (double)n : 0;
}

static double parked_ms(const struct alive *a, unsigned percent)
{
    uint32_t n = a->parked_asked;
    return n ? (double)a->parked_took_ns[(uint64_t)n * percent / 100] / 1e6 : 0;
}

static void print(struct alive *a)
{
    struct pool_counters c;
    struct lan_counters l;
    pool_count(a->world.pool, &c);
    double kib_pages = mean(c.page_bytes, c.parks) / KIB;
    lan_count(a->world.lan, &l);
    printf(a->options->json
               ? "{\"vms\":%llu,\"asked\":%u,\"answered\":%u,\"wrong\":%u,\"create_s\":%.4f,"
                 "\"kib_per_idle_vm\":%.1f,\"kib_idle_pages\":%.1f,\"kib_idle_tables\":%.1f,"
                 "\"kib_idle_beyond\":%.1f,\"kib_per_parked_vm\":%.1f,\"rss_kib\":%llu,"
                 "\"parked_p50_ms\":%.3f,\"parked_p99_ms\":%.3f,\"parked_lost\":%u,"
                 "\"ask_s\":%.2f,\"answer_mean_ms\":%.3f,\"answer_max_ms\":%.1f,"
                 "\"wake_mean_us\":%.1f,\"wake_max_us\":%.1f,\"park_mean_us\":%.1f,"
                 "\"changed_pages\":%.1f,\"windows\":%llu,\"parked\":%llu,\"ended\":%llu,"
                 "\"frames_dropped\":%llu,\"frames_forged\":%llu}\n"
               : "%llu VMs alive, %u asked, %u answered, %u wrong; made in %.4f s\n"
                 "memory: %.1f KiB idle (%.1f pages, %.1f page tables, %.1f beyond), %.1f KiB "
                 "parked, %llu KiB resident in all\n"
                 "a parked VM answered in %.3f ms (median), %.3f ms (p99); %u did not\n"
                 "asked in %.2f s; an answer took %.3f ms (longest %.1f)\n"
                 "waking: %.1f us (longest %.1f); parking: %.1f us, %.1f pages changed\n"
                 "%llu windows, %llu parked, %llu ended; %llu frames dropped, %llu forged\n",
           (unsigned long long)(c.vms - c.ended), a->asked, a->answered, a->wrong,
           a->world.create_s, a->kib_idle, kib_pages, a->kib_tables,
           a->kib_idle - kib_pages - a->kib_tables, a->kib_parked,
           (unsigned long long)bench_status_kib("VmRSS:"), parked_ms(a, 50), parked_ms(a, 99),
           a->parked_lost, a->ask_s, mean(a->took_ns, a->asked) / 1e6, (double)a->took_max_ns / 1e6,
           mean(c.wake_ns, c.wakes) / 1e3, (double)c.wake_max_ns / 1e3,
           mean(c.park_ns, c.parks) / 1e3, mean(c.page_bytes, c.parks) / PAGE_SIZE,
           (unsigned long long)c.windows, (unsigned long long)c.parked, (unsigned long long)c.ended,
           (unsigned long long)l.dropped, (unsigned long long)l.forged);
}

/* How long a parked VM's answer took, by the share of them that took no longer. */
static int draw_curve(const struct alive *a, struct why *why)
{
    struct bench_report report = {.experiment = "alive"};
    struct bench_chart *chart =
        bench_chart(&report, "Answers of parked VMs", "percent of the answers", "ms");
    struct bench_series *s = bench_series(chart, "took at most");
    for (unsigned percent = 5; percent <= 95 && a->parked_asked; percent += 5)
        bench_point(s, percent, parked_ms(a, percent));
    for (unsigned percent = 96; percent <= 99 && a->parked_asked; percent++)
        bench_point(s, percent, parked_ms(a, percent));
    bench_figure(&report, "vms", a->options->vms, "");
    bench_figure(&report, "answered", a->answered, "");
    bench_figure(&report, "kib_per_idle_vm", a->kib_idle, "KiB");
    bench_figure(&report, "kib_per_parked_vm", a->kib_parked, "KiB");
    return bench_report_draw(&report, a->options->svg, why);
}

int bench_alive(const struct bench_options *options, struct why *why)
{
    uint32_t room = options->vms < options->sample ? options->vms : options->sample;
    struct alive *a = calloc(1, sizeof(*a));
    if (!a)
        return why_fail(why, -ENOMEM, "no memory");
    a->options = options;
    a->request = calloc((size_t)room + FIRST_BATCH + 1, sizeof(*a->request));
    int err = a->request ? bench_world_init(&a->world, options, why)
                         : why_fail(why, -ENOMEM, "no memory");
    uint64_t before = err ? 0 : own_kib();
    if (!err)
        err = bench_world_create(&a->world, why);
    uint64_t start = host_monotonic_ns();
    if (!err)
        err = ask_all(a, own_kib() - before, why);
    a->ask_s = (double)(host_monotonic_ns() - start) / 1e9;
    if (!err) {
        print(a);
        err = draw_curve(a, why);
    }
    if (!err)
        err = a->answered != a->asked || a->parked_lost;
    bench_world_fini(&a->world);
    free(a->request);
    free(a);
    return err;
}
