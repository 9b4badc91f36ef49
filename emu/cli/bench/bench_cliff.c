/* SPDX-License-Identifier: MIT */
/*
 * bench cliff (E13 to E15): the load of bench zipf on more and more web servers with one
 * memory limit, for two exponents. The paper's system fell off a cliff where the VMs that are
 * asked no longer fitted into memory, at about 1,000.
 */
#include "emu/cli/bench/bench.h"
#include "emu/cli/bench/bench_report.h"

int bench_cliff(const struct bench_options *options, struct why *why)
{
    static const uint32_t counts[] = {100, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
    static const struct {
        const char *name;
        double alpha;
    } laws[] = {{"alpha 1", 1}, {"alpha 0.6", 0.6}};
    struct bench_report report = {.experiment = "cliff"};
    struct bench_chart *rate =
        bench_chart(&report, "Web servers by Zipf's law", "VMs", "requests per second");
    struct bench_chart *wait = bench_chart(&report, "The slowest of 100 answers", "VMs", "ms");
    double at_1000 = 0, last = 0, errors = 0;
    rate->log_x = wait->log_x = true;
    for (unsigned law = 0; law < ARRAY_LEN(laws); law++) {
        struct bench_series *r = bench_series(rate, laws[law].name);
        struct bench_series *w = bench_series(wait, laws[law].name);
        for (unsigned i = 0; i < ARRAY_LEN(counts) && counts[i] <= options->vms; i++) {
            struct bench_options o = *options;
            struct bench_zipf_result z;
            o.vms = counts[i];
            o.alpha = laws[law].alpha;
            int err = bench_zipf_measure(&o, &z, why);
            if (err)
                return err;
            bench_point(r, counts[i], z.requests_per_s);
            bench_point(w, counts[i], z.p99_ms);
            errors += (double)z.errors;
            at_1000 = !law && counts[i] == 1000 ? z.requests_per_s : at_1000;
            last = law ? last : z.requests_per_s;
        }
    }
    bench_figure(&report, "memory_kib", (double)options->memory_bytes / KIB, "KiB for all");
    bench_figure(&report, "ratio_to_1000", at_1000 > 0 ? last / at_1000 : 0,
                 "of the requests at 1,000 VMs, with the most VMs, alpha 1");
    bench_figure(&report, "errors", errors, "answers that were missing or wrong");
    return bench_report_print(&report, options->json, options->svg, why);
}
