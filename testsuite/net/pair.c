/* SPDX-License-Identifier: MIT */
/*
 * TCP of two stacks against each other over wires of every quality: each byte
 * arrives once, in order, whole; both sides end; no memory stays behind.
 */
#include "testsuite/net/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One direction of a connection: what was written and read so far, of `total` bytes. */
struct flow {
    uint64_t total, sent, received;
    uint32_t key;
    bool shut, ended;
};

struct end {
    struct net_sock *sk;
    struct flow *out, *in;
    uint64_t read_after_ns; /* a slow reader waits so long between reads */
    uint64_t next_read;
    uint32_t read_size;
};

static uint8_t byte_at(const struct flow *f, uint64_t at)
{
    uint64_t z = (at >> 3) * 0x9e3779b97f4a7c15u + f->key;
    return (uint8_t)((z ^ z >> 29) >> 8 * (at & 7));
}

static void end_write(struct end *e)
{
    uint8_t buffer[5000];
    struct flow *f = e->out;
    while (f->sent < f->total) {
        uint64_t n = f->total - f->sent < sizeof buffer ? f->total - f->sent : sizeof buffer;
        for (uint64_t i = 0; i < n; i++)
            buffer[i] = byte_at(f, f->sent + i);
        struct sim_io io;
        sim_io_write(&io, buffer, n);
        int done = net_send(e->sk, &io.io, 0, NULL);
        if (done == -11)
            return;
        REQUIRE(done > 0);
        f->sent += (uint64_t)done;
    }
    if (!f->shut) {
        REQUIRE(!net_shutdown(e->sk, NET_SHUT_OUT));
        f->shut = true;
    }
}

static void end_read(struct end *e, uint64_t now)
{
    uint8_t buffer[20000];
    struct flow *f = e->in;
    if (now < e->next_read)
        return;
    e->next_read = now + e->read_after_ns;
    while (!f->ended) {
        struct sim_io io;
        sim_io_read(&io, buffer, e->read_size ? e->read_size : sizeof buffer);
        int n = net_recv(e->sk, &io.io, 0, NULL);
        if (n == -11)
            return;
        REQUIRE(n >= 0);
        f->ended = !n;
        for (int i = 0; i < n; i++)
            REQUIRE(buffer[i] == byte_at(f, f->received + (uint64_t)i));
        f->received += (uint64_t)n;
        REQUIRE(f->received <= f->total);
        if (e->read_after_ns)
            return;
    }
}

static struct net_sock *listener_create(struct netstack *ns, uint16_t port)
{
    struct net_sock *sk;
    struct net_addr any = {0, port};
    REQUIRE(!net_socket(ns, NET_STREAM, 0, &sk));
    REQUIRE(!net_bind(sk, &any));
    REQUIRE(!net_listen(sk, 16));
    return sk;
}

static struct net_sock *client_create(struct netstack *ns, uint32_t ip, uint16_t port)
{
    struct net_sock *sk;
    struct net_addr to = {ip, port};
    REQUIRE(!net_socket(ns, NET_STREAM, 0, &sk));
    REQUIRE(net_connect(sk, &to) == -115);
    return sk;
}

static struct net_sock *accept_one(struct sim *sim, struct net_sock *listener)
{
    struct net_sock *sk;
    while (net_accept(listener, &sk) == -11)
        REQUIRE(sim_step(sim));
    return sk;
}

/* Moves `up` and `down` bytes over one connection and takes it down. */
static void transfer(struct sim *sim, uint64_t up, uint64_t down, uint64_t slow_ns)
{
    struct net_sock *listener = listener_create(sim_stack(sim, 1), 80);
    struct flow flows[2] = {{.total = up, .key = 1}, {.total = down, .key = 2}};
    struct end client = {.out = &flows[0], .in = &flows[1]};
    struct end server = {.out = &flows[1], .in = &flows[0], .read_after_ns = slow_ns};
    client.sk = client_create(sim_stack(sim, 0), NET_IP(10, 0, 0, 2), 80);
    server.sk = accept_one(sim, listener);
    server.read_size = slow_ns ? 3000 : 0;
    while (!(net_ready(client.sk) & NET_OUT))
        REQUIRE(sim_step(sim));
    uint64_t limit = sim_now(sim) + 36000ull * 1000000000u;
    while (!flows[0].ended || !flows[1].ended) {
        end_write(&client);
        end_write(&server);
        end_read(&client, sim_now(sim));
        end_read(&server, sim_now(sim));
        if (slow_ns)
            sim_step_until(sim, server.next_read);
        else
            REQUIRE(sim_step(sim));
        REQUIRE(sim_now(sim) < limit);
    }
    REQUIRE(flows[0].received == up && flows[1].received == down);
    net_close(client.sk);
    net_close(server.sk);
    net_close(listener);
    while (sim_step(sim))
        ;
}

struct wire {
    const char *name;
    struct sim_fault fault;
    uint64_t up, down, slow_ns;
};

#define MS 1000000ull
#define PERCENT 655

static const struct wire wires[] = {
    {"clean", {.delay_ns = MS, .byte_ns = 8}, 20000000, 5000000, 0},
    {"no delay at all", {.byte_ns = 8}, 5000000, 5000000, 0},
    {"1% loss", {.loss = PERCENT, .delay_ns = MS, .byte_ns = 8}, 8000000, 2000000, 0},
    {"10% loss", {.loss = 10 * PERCENT, .delay_ns = MS, .byte_ns = 8}, 1000000, 300000, 0},
    {"30% loss", {.loss = 30 * PERCENT, .delay_ns = MS, .byte_ns = 8}, 30000, 30000, 0},
    {"reordering", {.reorder = 20 * PERCENT, .delay_ns = MS, .byte_ns = 8}, 5000000, 2000000, 0},
    {"duplicates", {.duplicate = 30 * PERCENT, .delay_ns = MS, .byte_ns = 8}, 5000000, 2000000, 0},
    {"corruption", {.corrupt = 3 * PERCENT, .delay_ns = MS, .byte_ns = 8}, 3000000, 2000000, 0},
    {"everything",
     {.loss = 3 * PERCENT,
      .reorder = 10 * PERCENT,
      .duplicate = 5 * PERCENT,
      .corrupt = PERCENT,
      .delay_ns = 5 * MS,
      .byte_ns = 80},
     1000000,
     1000000,
     0},
    {"everything, no SACK",
     {.loss = 3 * PERCENT,
      .reorder = 5 * PERCENT,
      .duplicate = 5 * PERCENT,
      .corrupt = PERCENT,
      .delay_ns = 5 * MS,
      .byte_ns = 80,
      .no_sack = true},
     500000,
     500000,
     0},
    {"no options at all",
     {.loss = 2 * PERCENT,
      .delay_ns = 2 * MS,
      .byte_ns = 80,
      .no_sack = true,
      .no_timestamps = true,
      .no_scale = true},
     1000000,
     500000,
     0},
    {"SACK without timestamps",
     {.loss = 3 * PERCENT, .delay_ns = 2 * MS, .byte_ns = 80, .no_timestamps = true},
     1000000,
     500000,
     0},
    {"long and fat", {.loss = PERCENT / 10, .delay_ns = 100 * MS, .byte_ns = 8}, 8000000, 0, 0},
    {"slow reader", {.delay_ns = MS, .byte_ns = 8}, 2000000, 100000, 50 * MS},
    {"slow reader, loss",
     {.loss = 5 * PERCENT, .delay_ns = MS, .byte_ns = 8},
     1000000,
     100000,
     50 * MS},
    {"NIC of 4 frames", {.delay_ns = MS, .byte_ns = 80, .room = 4}, 1000000, 1000000, 0},
    {"NIC of 2 frames, loss",
     {.loss = 2 * PERCENT, .delay_ns = MS, .byte_ns = 80, .room = 2},
     300000,
     300000,
     0},
    {"one byte", {.delay_ns = MS, .byte_ns = 8}, 1, 1, 0},
    {"nothing", {.delay_ns = MS, .byte_ns = 8}, 0, 0, 0},
};

static void run_wire(const struct wire *w, uint64_t seed)
{
    struct sim *sim = sim_create(seed, &w->fault);
    uint64_t start = sim_now(sim), bytes = w->up + w->down;
    transfer(sim, w->up, w->down, w->slow_ns);
    uint64_t ms = (sim_now(sim) - start) / MS;
    printf("%-26s seed %llu: %8llu frames, %llu bytes, %llu ms with TIME-WAIT\n", w->name,
           (unsigned long long)seed, (unsigned long long)sim_frames(sim), (unsigned long long)bytes,
           (unsigned long long)ms);
    sim_destroy(sim);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    const char *only = argc > 2 ? argv[2] : NULL;
    for (unsigned round = 1; round <= rounds; round++)
        for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++)
            if (!only || strstr(wires[i].name, only))
                run_wire(&wires[i], round * 1000 + i);
    return 0;
}
