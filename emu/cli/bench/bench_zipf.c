/* SPDX-License-Identifier: MIT */
/*
 * bench zipf (E13 to E15): for some seconds, clones of one web server are asked in
 * a closed loop; the VM of rank r is asked in proportion to 1 / r^alpha. The memory
 * limit holds but some of them: the rest is parked and comes back when asked.
 *
 * Ranks are spread over the VMs by a fixed permutation, so that neighbours in rank
 * are none in memory. All VMs are asked once before (not counted, `warm_s`): what is
 * measured is their coming and going, not their first boot.
 */
#include "emu/base/host.h"
#include "emu/cli/bench/bench_report.h"
#include "emu/cli/bench/bench_world.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MOST_SAMPLES 4000000u

struct zipf {
    struct bench_world world;
    double *cumulative; /* of the probabilities, by rank */
    uint64_t random, end_ns;
    uint32_t vms, next_warm, warm_wrong;
    uint64_t answers, errors;
    uint32_t *took_us; /* MOST_SAMPLES */
    uint32_t samples;
    double warm_s, seconds, cpu_s;
};

static int make_ranks(struct zipf *z, double alpha)
{
    double sum = 0;
    z->cumulative = malloc(z->vms * sizeof(double));
    z->took_us = malloc(MOST_SAMPLES * sizeof(uint32_t));
    if (!z->cumulative || !z->took_us)
        return -ENOMEM;
    for (uint32_t i = 0; i < z->vms; i++)
        z->cumulative[i] = sum += pow(i + 1, -alpha);
    for (uint32_t i = 0; i < z->vms; i++)
        z->cumulative[i] /= sum;
    return 0;
}

/* xorshift64*: 0 to just under 1. */
static double draw(struct zipf *z)
{
    z->random ^= z->random >> 12;
    z->random ^= z->random << 25;
    z->random ^= z->random >> 27;
    return (double)(z->random * 0x2545f4914f6cdd1du >> 11) / 9007199254740992.0;
}

static uint32_t draw_rank(struct zipf *z)
{
    double at = draw(z);
    uint32_t low = 0, high = z->vms - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (z->cumulative[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A prime that does not divide the number of VMs makes a permutation. */
static uint32_t vm_of_rank(const struct zipf *z, uint32_t rank)
{
    uint64_t step = z->vms % 7919 ? 7919 : 7907;
    return (uint32_t)(rank * step % z->vms);
}

static bool next_by_rank(void *opaque, struct bench_request *request)
{
    struct zipf *z = opaque;
    if (host_monotonic_ns() >= z->end_ns)
        return false;
    uint32_t id = vm_of_rank(z, draw_rank(z));
    *request = (struct bench_request){bench_world_ip(id), id, "/index.html"};
    return true;
}

static void on_answer(void *opaque, uint32_t id, const char *text, size_t len, uint64_t took_ns)
{
    struct zipf *z = opaque;
    bool right = len && bench_world_is_right(&z->world, id, text, len);
    z->answers += right;
    z->errors += !right;
    if (z->samples < MOST_SAMPLES)
        z->took_us[z->samples++] = (uint32_t)(took_ns / 1000);
}

static bool next_in_turn(void *opaque, struct bench_request *request)
{
    struct zipf *z = opaque;
    uint32_t id = z->next_warm++;
    *request = (struct bench_request){bench_world_ip(id), id, "/index.html"};
    return id < z->vms;
}

static void on_warm_answer(void *opaque, uint32_t id, const char *text, size_t len,
                           uint64_t took_ns)
{
    struct zipf *z = opaque;
    (void)took_ns;
    z->warm_wrong += !len || !bench_world_is_right(&z->world, id, text, len);
}

static double percentile_ms(const struct zipf *z, unsigned percent)
{
    uint64_t at = (uint64_t)z->samples * percent / 100;
    return z->samples ? z->took_us[at] / 1e3 : 0;
}

/* Of all threads, the client's too: the measure to compare by where others use the machine. */
static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int measure(struct zipf *z, unsigned seconds, struct why *why)
{
    uint64_t start = host_monotonic_ns();
    int err = bench_client_load(z->world.client, next_in_turn, BENCH_AT_ONCE, BENCH_PATIENCE_NS,
                                on_warm_answer, z);
    z->warm_s = (double)(host_monotonic_ns() - start) / 1e9;
    if (!err && z->warm_wrong)
        return why_fail(why, -EIO, "%u VMs did not answer when first asked", z->warm_wrong);
    pool_reset_wakes(z->world.pool);
    double cpu = cpu_seconds();
    start = host_monotonic_ns();
    z->end_ns = start + seconds * (uint64_t)1000000000;
    if (!err)
        err = bench_client_load(z->world.client, next_by_rank, BENCH_AT_ONCE, BENCH_PATIENCE_NS,
                                on_answer, z);
    z->seconds = (double)(host_monotonic_ns() - start) / 1e9;
    z->cpu_s = cpu_seconds() - cpu;
    qsort(z->took_us, z->samples, sizeof(z->took_us[0]), bench_by_us);
    return err ? why_fail(why, err, "the client failed: %s", strerror(-err)) : 0;
}

static void print(const struct zipf *z)
{
    const struct bench_options *o = z->world.options;
    struct pool_counters c;
    pool_count(z->world.pool, &c);
    printf(o->json
               ? "{\"vms\":%u,\"alpha\":%g,\"memory_kib\":%llu,\"seconds\":%.2f,"
                 "\"requests_per_s\":%.1f,\"errors\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
                 "\"wake_p50_ms\":%.3f,\"wake_p99_ms\":%.3f,\"wakes\":%llu,"
                 "\"park_mean_us\":%.1f,\"warm_s\":%.2f,\"windows\":%llu,\"parked\":%llu,"
                 "\"cpu_us_per_request\":%.1f,\"swapped\":%llu,\"swap_kib\":%llu,\"used_kib\":%llu,"
                 "\"rss_kib\":%llu,\"rss_max_kib\":%llu}\n"
               : "%u VMs, alpha %g, %llu KiB of memory, %.2f s\n"
                 "%.1f requests per second, %llu errors; %.3f ms (median), %.3f ms (p99)\n"
                 "a parked VM ran again after %.3f ms (median), %.3f ms (p99); %llu did\n"
                 "parking: %.1f us; first asked in %.2f s; %llu windows, %llu parked\n"
                 "%.1f us of processor time for a request\n"
                 "swapped out %llu times, %llu KiB there now; %llu KiB in use\n"
                 "%llu KiB resident, as the host counts it (%llu at most)\n",
           z->vms, o->alpha, (unsigned long long)(o->memory_bytes / KIB), z->seconds,
           (double)z->answers / z->seconds, (unsigned long long)z->errors, percentile_ms(z, 50),
           percentile_ms(z, 99), pool_wake_ns(z->world.pool, 50) / 1e6,
           pool_wake_ns(z->world.pool, 99) / 1e6, (unsigned long long)c.wakes,
           c.parks ? (double)c.park_ns / (double)c.parks / 1e3 : 0, z->warm_s,
           (unsigned long long)c.windows, (unsigned long long)c.parked,
           z->answers ? z->cpu_s * 1e6 / (double)z->answers : 0, (unsigned long long)c.swapped,
           (unsigned long long)(c.swap_used_bytes / KIB), (unsigned long long)(c.used_bytes / KIB),
           (unsigned long long)bench_status_kib("VmRSS:"),
           (unsigned long long)bench_status_kib("VmHWM:"));
}

/* How long an answer took, by the share of answers that took no longer. */
static int draw_curve(const struct zipf *z, struct why *why)
{
    struct bench_report report = {.experiment = "zipf"};
    struct bench_chart *chart =
        bench_chart(&report, "Answers by Zipf's law", "percent of the answers", "ms");
    struct bench_series *s = bench_series(chart, "took at most");
    for (unsigned percent = 5; percent <= 95; percent += 5)
        bench_point(s, percent, percentile_ms(z, percent));
    for (unsigned percent = 96; percent <= 99; percent++)
        bench_point(s, percent, percentile_ms(z, percent));
    bench_figure(&report, "vms", z->vms, "");
    bench_figure(&report, "requests_per_s", (double)z->answers / z->seconds, "requests per second");
    return bench_report_draw(&report, z->world.options->svg, why);
}

static int run(const struct bench_options *options, struct bench_zipf_result *result, bool tells,
               struct why *why)
{
    struct zipf *z = calloc(1, sizeof(*z));
    if (!z)
        return why_fail(why, -ENOMEM, "no memory");
    z->vms = options->vms;
    z->random = 88172645463325252u;
    int err = make_ranks(z, options->alpha) ? why_fail(why, -ENOMEM, "no memory") : 0;
    if (!err)
        err = bench_world_init(&z->world, options, why);
    if (!err)
        err = bench_world_create(&z->world, why);
    if (!err)
        err = measure(z, options->seconds, why);
    if (!err)
        *result = (struct bench_zipf_result){.requests_per_s = (double)z->answers / z->seconds,
                                             .p99_ms = percentile_ms(z, 99),
                                             .errors = z->errors};
    if (!err && tells) {
        print(z);
        err = draw_curve(z, why);
    }
    bench_world_fini(&z->world);
    free(z->cumulative);
    free(z->took_us);
    free(z);
    return err;
}

int bench_zipf(const struct bench_options *options, struct why *why)
{
    struct bench_zipf_result result;
    int err = run(options, &result, true, why);
    return err ? err : result.errors != 0;
}

int bench_zipf_measure(const struct bench_options *options, struct bench_zipf_result *out,
                       struct why *why)
{
    return run(options, out, false, why);
}
