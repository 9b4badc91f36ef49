/* SPDX-License-Identifier: MIT */
/*
 * bench packet (E4, E9): what one frame costs in the VM that takes or sends it, in the
 * host's time of its slices. A bare driver (guests/load) shows the kernel's and the
 * driver's part; a UDP program under Ilwaco adds the guest's IP, UDP, socket and system
 * call. A driver padded with as many more port instructions as one of an emulated
 * pcnet32 has (10 to take, 12 to send, says the paper) shows what one-instruction
 * devices save.
 */
#include "emu/base/host.h"
#include "emu/cli/bench/bench_guests.h"
#include "emu/cli/bench/bench_report.h"
#include "emu/cli/bench/bench_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAMES 20000u
#define BURST 64u /* under what a port's queue holds */
#define SEND_NS 300000000u
#define UDP_PORT 27910u
#define UDP_HEADS 42u /* Ethernet, IPv4, UDP */

static uint64_t run_ns(struct pool_vm *vm)
{
    struct pool_figures f;
    pool_figures(vm, &f);
    return f.run_ns;
}

/* Until the VM has taken all that was sent and sleeps. */
static void wait_taken(struct pool_vm *vm)
{
    struct pool_figures f;
    for (unsigned i = 0; i < 20000; i++) {
        pool_figures(vm, &f);
        if (f.state != POOL_RUNNING && f.state != POOL_READY && !lan_waits(pool_vm_port(vm)))
            return;
        host_poll(NULL, 0, 20000);
    }
}

static double per_frame(struct pool_vm *vm, uint64_t ran_before, uint64_t frames)
{
    return frames ? (double)(run_ns(vm) - ran_before) / (double)frames : 0;
}

/* A bare driver that takes frames of `len` bytes. */
static int driver_takes(const struct bench_options *o, size_t len, const char *pads, double *ns,
                        struct why *why)
{
    const char *const words[] = {"sink", pads, NULL};
    struct bench_guests g;
    int err = bench_guests_init(&g, o, words, why);
    if (!err)
        err = bench_guests_add(&g, 1, why);
    uint64_t before = 0;
    for (unsigned sent = 0; !err && sent < 2 * FRAMES; sent += BURST) {
        if (sent >= FRAMES && !before)
            before = run_ns(g.vm[0]); /* warm by now */
        for (unsigned i = 0; i < BURST; i++)
            bench_guests_send(&g, 0, len);
        wait_taken(g.vm[0]);
    }
    if (!err)
        *ns = per_frame(g.vm[0], before, FRAMES / BURST * BURST);
    bench_guests_fini(&g);
    return err;
}

static void drain_for(struct bench_guests *g, uint64_t ns)
{
    uint64_t end = host_monotonic_ns() + ns;
    while (host_monotonic_ns() < end)
        bench_guests_receive(g, 1000000);
}

/* A bare driver that sends. */
static int driver_sends(const struct bench_options *o, const char *len, const char *pads,
                        double *ns, struct why *why)
{
    const char *const words[] = {"source", len, pads, NULL};
    struct bench_guests g;
    int err = bench_guests_init(&g, o, words, why);
    if (!err)
        err = bench_guests_add(&g, 1, why);
    if (!err) {
        struct pool_figures f;
        bench_guests_send(&g, 0, 60);
        drain_for(&g, SEND_NS / 2);
        pool_figures(g.vm[0], &f);
        uint64_t before = f.run_ns, sent = f.port.sent;
        drain_for(&g, SEND_NS);
        pool_figures(g.vm[0], &f);
        *ns = per_frame(g.vm[0], before, f.port.sent - sent);
    }
    bench_guests_fini(&g);
    return err;
}

/* The UDP program, waiting in its VM. */
static int make_program(struct bench_world *w, const struct bench_options *o,
                        const struct bench_server *server, struct net_sock **sock, struct why *why)
{
    int err = bench_world_init_server(w, o, server, why);
    if (!err)
        err = bench_world_create(w, why);
    if (!err && bench_client_datagrams(w->client, UDP_PORT, sock))
        err = why_fail(why, -ENOMEM, "no memory for a socket");
    return err;
}

static void drive_for(struct bench_world *w, uint64_t ns)
{
    uint64_t end = host_monotonic_ns() + ns;
    while (host_monotonic_ns() < end)
        bench_client_drive(w->client, end);
}

static int program_takes(const struct bench_options *o, size_t len, double *ns, struct why *why)
{
    char path[4096], data[1472] = {0};
    const struct bench_server server = {.program = bench_find("gamed", path, sizeof(path)),
                                        .args = {"-s"}};
    struct bench_world w = {.ended = NULL};
    struct net_sock *sock = NULL;
    int err = make_program(&w, o, &server, &sock, why);
    uint64_t before = 0;
    unsigned sent = 0;
    for (; !err && sent < 2 * FRAMES; sent += BURST) {
        if (sent >= FRAMES && !before)
            before = run_ns(w.vm[0]);
        for (unsigned i = 0; i < BURST; i++)
            bench_client_send(sock, bench_world_ip(0), UDP_PORT, data, len - UDP_HEADS);
        bench_client_drive(w.client, 0);
        wait_taken(w.vm[0]);
    }
    if (!err)
        *ns = per_frame(w.vm[0], before, FRAMES / BURST * BURST);
    if (sock)
        bench_client_close(sock);
    bench_world_fini(&w);
    return err;
}

static int program_sends(const struct bench_options *o, unsigned len, double *ns, struct why *why)
{
    char path[4096], bytes[16];
    snprintf(bytes, sizeof(bytes), "%u", len - UDP_HEADS);
    const struct bench_server server = {.program = bench_find("gamed", path, sizeof(path)),
                                        .args = {"-f", bytes}};
    struct bench_world w = {.ended = NULL};
    struct net_sock *sock = NULL;
    int err = make_program(&w, o, &server, &sock, why);
    if (!err) {
        struct pool_figures f;
        bench_client_send(sock, bench_world_ip(0), UDP_PORT, "go", 2);
        drive_for(&w, SEND_NS);
        pool_figures(w.vm[0], &f);
        uint64_t before = f.run_ns, sent = f.port.sent;
        drive_for(&w, SEND_NS);
        pool_figures(w.vm[0], &f);
        *ns = per_frame(w.vm[0], before, f.port.sent - sent);
    }
    if (sock)
        bench_client_close(sock);
    bench_world_fini(&w);
    return err;
}

struct costs {
    double driver_in, driver_out, program_in, program_out, padded_in, padded_out;
};

static int measure(const struct bench_options *o, unsigned len, struct costs *c, struct why *why)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", len);
    int err = driver_takes(o, len, "0", &c->driver_in, why);
    if (!err)
        err = driver_sends(o, text, "0", &c->driver_out, why);
    if (!err)
        err = driver_takes(o, len, "9", &c->padded_in, why);
    if (!err)
        err = driver_sends(o, text, "11", &c->padded_out, why);
    if (!err)
        err = program_takes(o, len, &c->program_in, why);
    return err ? err : program_sends(o, len, &c->program_out, why);
}

static void report_costs(struct bench_report *r, const struct costs *small,
                         const struct costs *large)
{
    struct bench_chart *chart =
        bench_chart(r, "A frame's cost in its VM", "bytes of UDP data", "ns a frame");
    const struct {
        const char *name;
        double at100, at1400;
    } rows[] = {{"driver, receive", small->driver_in, large->driver_in},
                {"driver, send", small->driver_out, large->driver_out},
                {"program, receive", small->program_in, large->program_in},
                {"program, send", small->program_out, large->program_out}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench_series *s = bench_series(chart, rows[i].name);
        bench_point(s, 100, rows[i].at100);
        bench_point(s, 1400, rows[i].at1400);
    }
    bench_figure(r, "driver_share_rx_100", 100 * small->driver_in / small->program_in,
                 "% of receiving 100 bytes is kernel and driver (paper, physical driver: 43.3)");
    bench_figure(r, "driver_share_rx_1400", 100 * large->driver_in / large->program_in,
                 "% of 1400 bytes (paper: 38.4)");
    bench_figure(r, "emulated_rx_extra_ns", small->padded_in - small->driver_in,
                 "ns more to receive with 10 port instructions (paper: 10,900)");
    bench_figure(r, "emulated_tx_extra_ns", small->padded_out - small->driver_out,
                 "ns more to send with 12 (paper: 13,700)");
    bench_figure(r, "emulated_rx_percent",
                 100 * (small->padded_in - small->driver_in) / small->program_in,
                 "% more for receiving 100 bytes of UDP (paper: 42)");
}

int bench_packet(const struct bench_options *options, struct why *why)
{
    struct bench_report report = {.experiment = "packet"};
    struct bench_options o = *options;
    struct costs small, large;
    o.vms = 1;
    o.workers = 1;
    int err = measure(&o, 100 + UDP_HEADS, &small, why);
    if (!err)
        err = measure(&o, 1400 + UDP_HEADS, &large, why);
    if (err)
        return err;
    report_costs(&report, &small, &large);
    return bench_report_print(&report, o.json, o.svg, why);
}
