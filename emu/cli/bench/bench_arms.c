/* SPDX-License-Identifier: MIT */
/*
 * Two experiments of two arms each, by the number of web servers that are asked in turn
 * for a document of 100 KB:
 *
 *   bench interrupts (E7)  interrupts in batches when a VM's turn comes, against an
 *                          immediate switch to the VM for each; and the same for VMs that
 *                          compute (bench_beside.h)
 *   bench idle (E8)        idle with the next timer as timeout, against a guest that may
 *                          idle only when no timer is pending and looks again and again else
 */
#include "emu/cli/bench/bench_beside.h"
#include "emu/cli/bench/bench_load.h"
#include "emu/cli/bench/bench_report.h"
#include "guests/ilwaco/boot_params.h"

#define LARGE_BYTES 100000u

static const uint32_t counts[] = {1, 10, 50, 100, 200, 400, 800, 1600};

struct arm {
    const char *name, *param;
    bool sync;
};

static int run_arm(const struct bench_options *options, const struct arm *arm, uint32_t vms,
                   struct bench_load *out, struct why *why)
{
    struct bench_options o = *options;
    struct bench_server server = bench_httpd(o.httpd);
    o.vms = vms;
    o.sync_interrupts = arm->sync;
    server.large_bytes = LARGE_BYTES;
    server.param = arm->param;
    return bench_load(&o, &server, "/large", LARGE_BYTES, BENCH_AT_ONCE, out, why);
}

static double per_s(const struct bench_load *l)
{
    return l->seconds > 0 ? (double)l->answers / l->seconds : 0;
}

static double batch(const struct bench_load *l)
{
    uint64_t batches = l->after.batches - l->before.batches;
    return batches ? (double)(l->after.interrupts - l->before.interrupts) / (double)batches : 0;
}

static double switches(const struct bench_load *l)
{
    return l->answers ? (double)(l->after.switches - l->before.switches) / (double)l->answers : 0;
}

static double processor_us(const struct bench_load *l)
{
    double ns = (double)(l->after.worker_ns - l->before.worker_ns);
    return l->answers ? ns / 1e3 / (double)l->answers : 0;
}

static int compare(const struct bench_options *o, struct bench_report *r, const struct arm arm[2],
                   const char *paper, struct why *why)
{
    struct bench_chart *rate =
        bench_chart(r, "Web servers, documents of 100 KB", "VMs", "requests per second");
    struct bench_chart *work = bench_chart(r, "Switches between VMs", "VMs", "switches a request");
    struct bench_series *s[2], *w[2];
    struct bench_load load[2];
    double best = 0, at = 0, errors = 0;
    rate->log_x = work->log_x = true;
    for (unsigned a = 0; a < 2; a++) {
        s[a] = bench_series(rate, arm[a].name);
        w[a] = bench_series(work, arm[a].name);
    }
    for (unsigned i = 0; i < ARRAY_LEN(counts) && counts[i] <= o->vms; i++) {
        for (unsigned a = 0; a < 2; a++) {
            int err = run_arm(o, &arm[a], counts[i], &load[a], why);
            if (err)
                return err;
            bench_point(s[a], counts[i], per_s(&load[a]));
            bench_point(w[a], counts[i], switches(&load[a]));
            errors += (double)load[a].errors;
        }
        double gain = per_s(&load[1]) > 0 ? per_s(&load[0]) / per_s(&load[1]) : 0;
        if (gain > best)
            best = gain, at = counts[i];
    }
    bench_figure(r, "gain_max", best, paper);
    bench_figure(r, "gain_max_vms", at, "VMs there");
    bench_figure(r, "interrupts_a_batch", batch(&load[0]), "most VMs, first arm");
    bench_figure(r, "interrupts_a_batch_other", batch(&load[1]), "most VMs, second arm");
    bench_figure(r, "processor_us_a_request", processor_us(&load[0]), "most VMs, first arm");
    bench_figure(r, "processor_us_a_request_other", processor_us(&load[1]), "most VMs, second arm");
    bench_figure(r, "errors", errors, "answers that were missing or wrong");
    return 0;
}

/* VMs that compute, and send each other frames. */
static int compare_computing(const struct bench_options *o, struct bench_report *r, struct why *why)
{
    struct bench_chart *chart = bench_chart(r, "Computing VMs that get frames, one processor",
                                            "VMs", "thousand frames per second, sent by work done");
    struct bench_series *s[2] = {bench_series(chart, "batched"),
                                 bench_series(chart, "synchronous")};
    struct bench_beside_result got[2] = {{.batch = 0}, {.batch = 0}};
    double best = 0, at = 0;
    chart->log_x = true;
    for (unsigned i = 0; i < ARRAY_LEN(counts) && counts[i] <= o->vms; i++) {
        for (unsigned a = 0; a < 2; a++) {
            int err = bench_beside(o, counts[i], a == 1, &got[a], why);
            if (err)
                return err;
            bench_point(s[a], counts[i], got[a].frames_per_s / 1e3);
        }
        double gain = got[1].frames_per_s > 0 ? got[0].frames_per_s / got[1].frames_per_s : 0;
        if (gain > best)
            best = gain, at = counts[i];
    }
    bench_figure(r, "computing_gain_max", best, "times as much work, batched (paper: up to 1.3)");
    bench_figure(r, "computing_gain_max_vms", at, "VMs there");
    bench_figure(r, "computing_switches_a_frame", got[0].switches, "most VMs, batched");
    bench_figure(r, "computing_switches_a_frame_other", got[1].switches, "most VMs, synchronous");
    bench_figure(r, "computing_frames_a_batch", got[0].batch, "most VMs, batched");
    bench_figure(r, "computing_frames_a_batch_other", got[1].batch, "most VMs, synchronous");
    return 0;
}

int bench_interrupts(const struct bench_options *o, struct why *why)
{
    static const struct arm arms[2] = {{"batched", NULL, false}, {"synchronous", NULL, true}};
    struct bench_report report = {.experiment = "interrupts"};
    int err = compare(o, &report, arms, "times as many requests, batched (paper: up to 1.3)", why);
    if (!err)
        err = compare_computing(o, &report, why);
    return err ? err : bench_report_print(&report, o->json, o->svg, why);
}

int bench_idle(const struct bench_options *o, struct why *why)
{
    static const struct arm arms[2] = {
        {"idle with timeout", NULL, false},
        {"spins while a timer is pending", ILWACO_PARAM_IDLE "spin", false}};
    struct bench_report report = {.experiment = "idle"};
    int err = compare(o, &report, arms, "times as many requests, idling (paper: over 2)", why);
    return err ? err : bench_report_print(&report, o->json, o->svg, why);
}
