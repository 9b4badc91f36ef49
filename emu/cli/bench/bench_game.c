/* SPDX-License-Identifier: MIT */
/*
 * bench game (E16): N game servers with four players each. Each player sends a move
 * every 50 ms and gets updates; a server works out the world every 100 ms, as the paper's
 * did, or answers each move at once (then nothing hides the scheduler's delay). What is counted
 * are a server's updates per second and how old a move is when the update that knows it comes.
 */
#include "emu/base/host.h"
#include "emu/cli/bench/bench_guests.h"
#include "emu/cli/bench/bench_report.h"
#include "emu/cli/bench/bench_world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLAYERS 4u
#define MOVE_NS 50000000u
#define SERVER_PORT 27910u
#define FIRST_PORT 30000u
#define WARM_NS 1000000000u
#define SAMPLES 2000000u

struct game {
    struct bench_world world;
    struct net_sock *player[PLAYERS];
    uint32_t *age_us;
    uint64_t updates, samples, moves;
    bool counting;
};

static void take_updates(struct game *g, struct net_sock *player)
{
    char update[1500];
    uint32_t ip;
    int n;
    while ((n = bench_client_receive(player, update, sizeof(update), &ip)) >= 0) {
        uint64_t stamp;
        if (n < 12 || !g->counting)
            continue;
        memcpy(&stamp, update, 8);
        g->updates++;
        if (g->samples < SAMPLES)
            g->age_us[g->samples++] = (uint32_t)((host_monotonic_ns() - stamp) / 1000);
    }
}

/* Moves of all players of all servers, spread evenly over each MOVE_NS. */
static void play(struct game *g, uint32_t vms, uint64_t ns)
{
    uint64_t start = host_monotonic_ns(), now;
    uint64_t gap = MOVE_NS / (vms * PLAYERS), next = start;
    uint64_t turn = 0;
    while ((now = host_monotonic_ns()) < start + ns) {
        for (; next <= now; next += gap, turn++) {
            char move[32] = {0};
            uint64_t at = host_monotonic_ns();
            memcpy(move, &at, 8);
            bench_client_send(g->player[turn / vms % PLAYERS], bench_world_ip(turn % vms),
                              SERVER_PORT, move, sizeof(move));
            g->moves += g->counting;
        }
        bench_client_drive(g->world.client, next < start + ns ? next : start + ns);
        for (unsigned i = 0; i < PLAYERS; i++)
            take_updates(g, g->player[i]);
    }
}

static int open_players(struct game *g, struct why *why)
{
    for (unsigned i = 0; i < PLAYERS; i++)
        if (bench_client_datagrams(g->world.client, (uint16_t)(FIRST_PORT + i), &g->player[i]))
            return why_fail(why, -ENOMEM, "no memory for a socket");
    return 0;
}

struct point {
    double updates_per_s, p50_ms, p99_ms, answered;
};

static int measure(const struct bench_options *options, const char *pace_ms, uint32_t vms,
                   struct point *out, struct why *why)
{
    char path[4096];
    const struct bench_server server = {.program = bench_find("gamed", path, sizeof(path)),
                                        .args = {"-t", pace_ms}};
    struct bench_options o = *options;
    struct game *g = calloc(1, sizeof(*g));
    o.vms = vms;
    if (!g || !(g->age_us = malloc(SAMPLES * sizeof(uint32_t)))) {
        free(g);
        return why_fail(why, -ENOMEM, "no memory");
    }
    int err = bench_world_init_server(&g->world, &o, &server, why);
    if (!err)
        err = bench_world_create(&g->world, why);
    if (!err)
        err = open_players(g, why);
    if (!err) {
        uint64_t ns = o.seconds * (uint64_t)1000000000;
        play(g, vms, WARM_NS);
        g->counting = true;
        play(g, vms, ns);
        qsort(g->age_us, g->samples, sizeof(uint32_t), bench_by_us);
        out->updates_per_s = (double)g->updates / vms / PLAYERS / o.seconds;
        out->p50_ms = g->samples ? g->age_us[g->samples / 2] / 1e3 : 0;
        out->p99_ms = g->samples ? g->age_us[g->samples * 99 / 100] / 1e3 : 0;
        out->answered = g->moves ? (double)g->updates / (double)g->moves : 0;
    }
    for (unsigned i = 0; i < PLAYERS; i++)
        if (g->player[i])
            bench_client_close(g->player[i]);
    bench_world_fini(&g->world);
    free(g->age_us);
    free(g);
    return err;
}

int bench_game(const struct bench_options *o, struct why *why)
{
    static const uint32_t counts[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
    struct bench_report report = {.experiment = "game"};
    struct bench_chart *rate =
        bench_chart(&report, "Updates that a player gets", "game servers", "updates per second");
    struct bench_chart *age =
        bench_chart(&report, "Age of a move when its update comes", "game servers", "ms");
    struct bench_series *paced = bench_series(rate, "a tick each 100 ms");
    struct bench_series *unpaced = bench_series(rate, "moves answered at once");
    struct bench_series *paced99 = bench_series(age, "100 ms ticks, p99");
    struct bench_series *unpaced50 = bench_series(age, "at once, median");
    struct bench_series *unpaced99 = bench_series(age, "at once, p99");
    struct point p = {0}, q = {0};
    int err = 0;
    rate->log_x = age->log_x = true;
    for (unsigned i = 0; i < ARRAY_LEN(counts) && counts[i] <= o->vms && !err; i++) {
        err = measure(o, "100", counts[i], &p, why);
        if (!err)
            err = measure(o, "0", counts[i], &q, why);
        if (err)
            return err;
        bench_point(paced, counts[i], p.updates_per_s);
        bench_point(unpaced, counts[i], q.updates_per_s);
        bench_point(paced99, counts[i], p.p99_ms);
        bench_point(unpaced50, counts[i], q.p50_ms);
        bench_point(unpaced99, counts[i], q.p99_ms);
    }
    bench_figure(&report, "servers", paced->x[paced->points - 1], "at most");
    bench_figure(&report, "updates_per_s", p.updates_per_s, "a player, paced, most servers (10)");
    bench_figure(&report, "unpaced_answered", q.answered, "of the moves, most servers");
    bench_figure(&report, "unpaced_p99_ms", q.p99_ms, "ms, most servers");
    return bench_report_print(&report, o->json, o->svg, why);
}
