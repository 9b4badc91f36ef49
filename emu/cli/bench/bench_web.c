/* SPDX-License-Identifier: MIT */
/*
 * bench http (E6) and bench tcp (E5): the same web server as a process of the host and in
 * a VM behind its NAT, under the same client over loopback: requests per second by the
 * document's size over eight connections; bytes per second of one bulk transfer after another over
 * one. Both servers are measured in turn, in rounds, and each figure is the middle of its rounds.
 * The host's loopback moves 64 KB at a time and has no frames; so bench tcp has a third figure, the
 * VM to Ilwaco's own TCP on a port of the switch, with frames of 1,500 bytes as in the paper.
 */
#include "emu/cli/bench/bench_load.h"
#include "emu/cli/bench/bench_peers.h"
#include "emu/cli/bench/bench_report.h"

#include <stdlib.h>

#define ROUNDS 3u
#define BULK_BYTES 100000000u
#define SWITCH_BYTES 4000000u

struct pair {
    double native, vm, errors;
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double middle(double *rounds)
{
    qsort(rounds, ROUNDS, sizeof(double), by_size);
    return rounds[ROUNDS / 2];
}

static int measure(const struct bench_peers *p, uint32_t size, unsigned connections, double seconds,
                   bool bytes, struct pair *out, struct why *why)
{
    double per_s[2][ROUNDS];
    const uint16_t port[2] = {p->native_port, p->vm_port};
    out->errors = 0;
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < 2; i++) {
            struct bench_fetches f;
            int err = bench_peers_load(port[i], size, connections, seconds, &f, why);
            if (err)
                return err;
            per_s[i][round] = (double)(bytes ? f.bytes : f.answers) / f.seconds;
            out->errors += (double)f.errors;
        }
    out->native = middle(per_s[0]);
    out->vm = middle(per_s[1]);
    return 0;
}

static double ratio(const struct pair *p)
{
    return p->native > 0 ? p->vm / p->native : 0;
}

int bench_http(const struct bench_options *o, struct why *why)
{
    static const uint32_t sizes[] = {1000,   2258,   5000,   10000,   20000, 50000,
                                     100000, 200000, 500000, 1000000, 0};
    struct bench_report report = {.experiment = "http"};
    struct bench_chart *chart =
        bench_chart(&report, "One web server by document size", "bytes", "requests per second");
    struct bench_series *native = bench_series(chart, "process of the host");
    struct bench_series *vm = bench_series(chart, "VM behind NAT");
    struct bench_peers peers;
    double small = 0, large = 0, errors = 0;
    chart->log_x = chart->log_y = true;
    int err = bench_peers_init(&peers, o->httpd, sizes, why);
    for (unsigned i = 0; sizes[i] && !err; i++) {
        struct pair p;
        err = measure(&peers, sizes[i], 8, o->seconds / 10.0, false, &p, why);
        if (err)
            break;
        bench_point(native, sizes[i], p.native);
        bench_point(vm, sizes[i], p.vm);
        small = sizes[i] == 2258 ? ratio(&p) : small;
        large = sizes[i] == 100000 ? ratio(&p) : large;
        errors += p.errors;
    }
    bench_peers_fini(&peers);
    if (err)
        return err;
    bench_figure(&report, "ratio_2258", small, "of the host's process (paper: close to 1)");
    bench_figure(&report, "ratio_100000", large, "of it (paper: BSD up to 40% faster, 0.71)");
    bench_figure(&report, "errors", errors, "connections that failed");
    return bench_report_print(&report, o->json, o->svg, why);
}

/* Mb/s from a VM to the client on the switch. */
static int through_switch(const struct bench_options *options, double *mbit_s, struct why *why)
{
    struct bench_options o = *options;
    struct bench_server server = bench_httpd(o.httpd);
    struct bench_load load;
    o.vms = 1;
    server.large_bytes = SWITCH_BYTES;
    int err = bench_load(&o, &server, "/large", SWITCH_BYTES, BENCH_AT_ONCE, &load, why);
    if (!err)
        *mbit_s = (double)load.answers * SWITCH_BYTES * 8e-6 / load.seconds;
    return err;
}

int bench_tcp(const struct bench_options *o, struct why *why)
{
    static const uint32_t sizes[] = {BULK_BYTES, 0};
    struct bench_report report = {.experiment = "tcp"};
    struct bench_chart *chart =
        bench_chart(&report, "Bulk TCP", "1 host, 2 VM behind NAT, 3 VM on the switch", "Mb/s");
    struct bench_peers peers;
    double direct = 0;
    struct pair p = {0};
    int err = bench_peers_init(&peers, o->httpd, sizes, why);
    if (!err)
        err = measure(&peers, BULK_BYTES, 1, o->seconds / 3.0, true, &p, why);
    bench_peers_fini(&peers);
    if (!err)
        err = through_switch(o, &direct, why);
    if (err)
        return err;
    struct bench_series *s = bench_series(chart, "sends");
    bench_point(s, 1, p.native * 8e-6);
    bench_point(s, 2, p.vm * 8e-6);
    bench_point(s, 3, direct);
    bench_figure(&report, "native_mbit_s", p.native * 8e-6, "Mb/s (paper: BSD 607)");
    bench_figure(&report, "vm_mbit_s", p.vm * 8e-6, "Mb/s behind NAT");
    bench_figure(&report, "vm_switch_mbit_s", direct, "Mb/s on the switch (paper: Denali 569)");
    bench_figure(&report, "ratio", ratio(&p), "(paper: 0.94, bound by a gigabit NIC)");
    bench_figure(&report, "errors", p.errors, "connections that failed");
    return bench_report_print(&report, o->json, o->svg, why);
}
