/* SPDX-License-Identifier: MIT */
/*
 * What the stack does when things go wrong, in virtual time: refusals, silence,
 * floods, forgeries, closed windows, leases. Each test is a promise of
 * guests/ilwaco/net; its name says which.
 */
#include "testsuite/net/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ull

static const struct sim_fault clean = {.delay_ns = 1000000};

static struct net_sock *stream_on(struct sim *sim, unsigned side)
{
    struct net_sock *sk;
    REQUIRE(!net_socket(sim_stack(sim, side), NET_STREAM, 0, &sk));
    return sk;
}

static struct net_sock *listener_on(struct sim *sim, unsigned side, uint16_t port, uint32_t backlog)
{
    struct net_addr any = {0, port};
    struct net_sock *sk = stream_on(sim, side);
    REQUIRE(!net_set(sk, NET_OPT_REUSEADDR, 1));
    REQUIRE(!net_bind(sk, &any) && !net_listen(sk, backlog));
    return sk;
}

static void run_for(struct sim *sim, uint64_t ns)
{
    uint64_t end = sim_now(sim) + ns;
    while (sim_now(sim) < end)
        sim_step_until(sim, end);
}

/* Runs until `sk` has one of `events`; false: not within `ns`. */
static bool wait_for(struct sim *sim, struct net_sock *sk, unsigned events, uint64_t ns)
{
    uint64_t end = sim_now(sim) + ns;
    while (!(net_ready(sk) & events) && sim_now(sim) < end)
        sim_step_until(sim, end);
    return net_ready(sk) & events;
}

static int error_of(struct net_sock *sk)
{
    int error = 0;
    net_get(sk, NET_OPT_ERROR, &error);
    return error;
}

static int write_some(struct net_sock *sk, size_t len)
{
    static uint8_t bytes[200000];
    struct sim_io io;
    sim_io_write(&io, bytes, len);
    return net_send(sk, &io.io, 0, NULL);
}

static int read_some(struct net_sock *sk, size_t room)
{
    static uint8_t bytes[200000];
    struct sim_io io;
    sim_io_read(&io, bytes, room);
    return net_recv(sk, &io.io, 0, NULL);
}

static void pair_open(struct sim *sim, struct net_sock *pair[2])
{
    struct net_addr to = {NET_IP(10, 0, 0, 2), 1000};
    struct net_sock *listener = listener_on(sim, 1, 1000, 4);
    pair[0] = stream_on(sim, 0);
    REQUIRE(net_connect(pair[0], &to) == -EINPROGRESS);
    REQUIRE(wait_for(sim, listener, NET_IN, 10 * SECOND));
    REQUIRE(!net_accept(listener, &pair[1]));
    REQUIRE(wait_for(sim, pair[0], NET_OUT, SECOND));
    net_close(listener);
}

static int connect_result(struct sim *sim, uint32_t ip, uint16_t port, uint64_t limit)
{
    struct net_addr to = {ip, port};
    struct net_sock *sk = stream_on(sim, 0);
    int err = net_connect(sk, &to);
    if (err == -EINPROGRESS) {
        REQUIRE(wait_for(sim, sk, NET_OUT | NET_ERR, limit));
        err = -error_of(sk);
    }
    net_close(sk);
    return err;
}

static void test_connects_fail_clearly(void)
{
    struct sim *sim = sim_create(1, &clean);
    REQUIRE(connect_result(sim, NET_IP(10, 0, 0, 2), 9, SECOND) == -ECONNREFUSED);
    REQUIRE(connect_result(sim, NET_IP(10, 0, 0, 99), 9, 5 * SECOND) == -EHOSTUNREACH);
    REQUIRE(connect_result(sim, NET_IP(8, 8, 8, 8), 9, SECOND) == -ENETUNREACH);
    REQUIRE(connect_result(sim, NET_IP(10, 0, 0, 255), 9, SECOND) == -ENETUNREACH);
    REQUIRE(connect_result(sim, NET_LOOPBACK, 9, SECOND) == -ECONNREFUSED);
    sim_destroy(sim);
}

static void test_silence_ends_a_connection(void)
{
    struct sim *sim = sim_create(2, &clean);
    struct net_sock *pair[2];
    pair_open(sim, pair);
    REQUIRE(!net_set(pair[0], NET_OPT_USER_TIMEOUT, 10000));
    sim_cut(sim, true);
    REQUIRE(write_some(pair[0], 100) == 100);
    run_for(sim, 9 * SECOND);
    REQUIRE(!(net_ready(pair[0]) & NET_ERR));
    REQUIRE(wait_for(sim, pair[0], NET_ERR, 30 * SECOND));
    REQUIRE(error_of(pair[0]) == ETIMEDOUT);
    /* Without a limit of its own it is patient for minutes, not for ever. */
    REQUIRE(write_some(pair[1], 100) == 100);
    REQUIRE(!wait_for(sim, pair[1], NET_ERR, 100 * SECOND));
    REQUIRE(wait_for(sim, pair[1], NET_ERR, 3000 * SECOND));
    net_close(pair[0]);
    net_close(pair[1]);
    sim_destroy(sim);
}

static void test_keepalive(void)
{
    struct sim *sim = sim_create(3, &clean);
    struct net_sock *pair[2];
    pair_open(sim, pair);
    net_set(pair[0], NET_OPT_KEEPIDLE, 10);
    net_set(pair[0], NET_OPT_KEEPINTVL, 2);
    net_set(pair[0], NET_OPT_KEEPCNT, 3);
    net_set(pair[0], NET_OPT_KEEPALIVE, 1);
    run_for(sim, 1000 * SECOND);
    REQUIRE(!(net_ready(pair[0]) & (NET_ERR | NET_HUP)));
    sim_cut(sim, true);
    run_for(sim, 5 * SECOND);
    REQUIRE(!(net_ready(pair[0]) & NET_ERR));
    REQUIRE(wait_for(sim, pair[0], NET_ERR, 20 * SECOND));
    REQUIRE(error_of(pair[0]) == ETIMEDOUT);
    /* The other side was never asked to look: it stays. */
    run_for(sim, 1000 * SECOND);
    REQUIRE(!(net_ready(pair[1]) & (NET_ERR | NET_HUP)));
    net_close(pair[0]);
    net_close(pair[1]);
    sim_destroy(sim);
}

/* An idle connection costs nobody a wake-up. */
static void test_idle_is_idle(void)
{
    struct sim *sim = sim_create(4, &clean);
    struct net_sock *pair[2];
    pair_open(sim, pair);
    REQUIRE(write_some(pair[0], 10) == 10);
    run_for(sim, 5 * SECOND);
    REQUIRE(read_some(pair[1], 100) == 10);
    uint64_t frames = sim_frames(sim);
    run_for(sim, 5 * SECOND);
    REQUIRE(netstack_deadline(sim_stack(sim, 0)) == UINT64_MAX);
    REQUIRE(netstack_deadline(sim_stack(sim, 1)) == UINT64_MAX);
    REQUIRE(sim_frames(sim) == frames);
    net_close(pair[0]);
    net_close(pair[1]);
    sim_destroy(sim);
}

static void test_closed_window_stays_open_for_a_reader(void)
{
    struct sim *sim = sim_create(5, &clean);
    struct net_sock *pair[2];
    int total = 0, got = 0, n;
    pair_open(sim, pair);
    while ((n = write_some(pair[0], 100000)) > 0 || wait_for(sim, pair[0], NET_OUT, SECOND))
        total += n > 0 ? n : 0;
    run_for(sim, 4000 * SECOND);
    REQUIRE(!(net_ready(pair[0]) & (NET_ERR | NET_HUP)));
    while (got < total) {
        n = read_some(pair[1], 100000);
        REQUIRE(n > 0 || n == -EAGAIN);
        got += n > 0 ? n : 0;
        run_for(sim, SECOND);
    }
    net_close(pair[0]);
    net_close(pair[1]);
    sim_destroy(sim);
}

/* ... but a peer that never reads cannot hold what a program left behind. */
static void test_orphans_are_not_held_by_a_closed_window(void)
{
    struct sim *sim = sim_create(6, &clean);
    struct net_sock *pair[2];
    pair_open(sim, pair);
    while (write_some(pair[0], 100000) > 0 || wait_for(sim, pair[0], NET_OUT, SECOND))
        ;
    net_close(pair[0]);
    REQUIRE(sim_pages(sim, 0) > 40);
    run_for(sim, 2000 * SECOND);
    REQUIRE(sim_pages(sim, 0) < 16);
    net_close(pair[1]);
    sim_destroy(sim);
}

static void test_unread_data_resets(void)
{
    struct sim *sim = sim_create(7, &clean);
    struct net_sock *pair[2];
    pair_open(sim, pair);
    REQUIRE(write_some(pair[0], 100) == 100);
    run_for(sim, SECOND);
    net_close(pair[1]);
    REQUIRE(wait_for(sim, pair[0], NET_ERR, SECOND));
    REQUIRE(error_of(pair[0]) == ECONNRESET);
    net_close(pair[0]);
    sim_destroy(sim);
}

static void test_nagle(void)
{
    struct sim *sim = sim_create(8, &clean);
    struct net_sock *pair[2];
    pair_open(sim, pair);
    run_for(sim, SECOND);
    uint64_t frames = sim_frames(sim);
    for (unsigned i = 0; i < 100; i++)
        REQUIRE(write_some(pair[0], 10) == 10);
    run_for(sim, SECOND);
    REQUIRE(sim_frames(sim) - frames <= 4); /* the first, the rest together, their answers */
    net_set(pair[0], NET_OPT_NODELAY, 1);
    frames = sim_frames(sim);
    for (unsigned i = 0; i < 8; i++)
        REQUIRE(write_some(pair[0], 10) == 10);
    run_for(sim, SECOND);
    REQUIRE(sim_frames(sim) - frames >= 8);
    REQUIRE(read_some(pair[1], 10000) == 1080);
    net_close(pair[0]);
    net_close(pair[1]);
    sim_destroy(sim);
}

static void test_loopback(void)
{
    struct sim *sim = sim_create(9, &clean);
    struct net_sock *listener = listener_on(sim, 0, 7, 4), *a = stream_on(sim, 0), *b;
    struct net_addr to = {NET_LOOPBACK, 7};
    int sent = 0, got = 0, n;
    REQUIRE(net_connect(a, &to) == -EINPROGRESS);
    REQUIRE(wait_for(sim, listener, NET_IN, SECOND) && !net_accept(listener, &b));
    REQUIRE(wait_for(sim, a, NET_OUT, SECOND));
    uint64_t frames = sim_frames(sim);
    while (got < 3000000) {
        n = sent < 3000000 ? write_some(a, 100000) : 0;
        sent += n > 0 ? n : 0;
        n = read_some(b, 100000);
        got += n > 0 ? n : 0;
        sim_step_until(sim, sim_now(sim) + 1000000);
    }
    REQUIRE(sim_frames(sim) == frames); /* nothing of it is on the wire */
    net_close(a);
    net_close(b);
    net_close(listener);
    sim_destroy(sim);
}

/* ---- forgeries ---- */

struct forger {
    uint8_t last[1514]; /* the last frame to side 0 with a payload */
    size_t len;
};

static void remember(void *arg, unsigned to, const uint8_t *frame, size_t len)
{
    struct forger *f = arg;
    if (to || len < 60 || frame[23] != 6)
        return;
    memcpy(f->last, frame, len);
    f->len = len;
}

static uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return len & 1 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

/* A segment to side 0 like the last one, but with these flags, `ahead` of it, and no payload. */
static void forge(struct sim *sim, struct forger *f, uint8_t flags, uint32_t ahead)
{
    uint8_t frame[54], *ip = frame + 14, *tcp = ip + 20;
    size_t old_head = (f->last[46] >> 4) * 4u, payload = f->len - 34 - old_head;
    memcpy(frame, f->last, sizeof frame);
    uint32_t seq = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7];
    seq += (uint32_t)payload + ahead;
    for (unsigned i = 0; i < 4; i++)
        tcp[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
    tcp[12] = 0x50;
    tcp[13] = flags;
    ip[2] = 0;
    ip[3] = 40;
    ip[10] = ip[11] = tcp[16] = tcp[17] = 0;
    uint32_t sum = sum_of(ip, 20, 0);
    sum = (sum & 0xffff) + (sum >> 16);
    ip[10] = (uint8_t)(~sum >> 8);
    ip[11] = (uint8_t)~sum;
    sum = sum_of(tcp, 20, sum_of(ip + 12, 8, 26));
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    tcp[16] = (uint8_t)(~sum >> 8);
    tcp[17] = (uint8_t)~sum;
    netstack_input(sim_stack(sim, 0), frame, sizeof frame);
    run_for(sim, SECOND);
}

static void test_blind_resets_do_nothing(void)
{
    struct sim *sim = sim_create(10, &clean);
    struct forger f = {.len = 0};
    struct net_sock *pair[2];
    pair_open(sim, pair);
    sim_watch(sim, remember, &f);
    REQUIRE(write_some(pair[1], 100) == 100);
    run_for(sim, SECOND);
    sim_watch(sim, NULL, NULL);
    REQUIRE(f.len);
    for (uint32_t ahead = 1; ahead < 100000; ahead *= 7)
        forge(sim, &f, 0x04, ahead); /* RST inside the window, and beyond */
    forge(sim, &f, 0x02, 0);         /* SYN */
    REQUIRE(!(net_ready(pair[0]) & (NET_ERR | NET_HUP)));
    forge(sim, &f, 0x04, 0); /* the one number that counts */
    REQUIRE(net_ready(pair[0]) & NET_ERR && error_of(pair[0]) == ECONNRESET);
    net_close(pair[0]);
    net_close(pair[1]);
    sim_destroy(sim);
}

/* A SYN from a stranger behind the same MAC address. */
static void strange_syn(struct sim *sim, uint32_t number)
{
    static const uint8_t plain[58] = {2,  0,    0,  0, 0, 2, 2, 0,  0, 0, 0, 1,  8,   0, 0x45,
                                      0,  0,    44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 1,   0, 0,
                                      10, 0,    0,  2, 0, 0, 0, 80, 1, 2, 3, 4,  0,   0, 0,
                                      0,  0x60, 2,  1, 0, 0, 0, 0,  0, 2, 4, 5,  0xb4};
    uint8_t frame[58], *ip = frame + 14, *tcp = ip + 20;
    memcpy(frame, plain, sizeof frame);
    ip[14] = (uint8_t)(number >> 16);
    ip[13] = (uint8_t)(1 + (number >> 24));
    ip[15] = 7;
    tcp[0] = (uint8_t)(number >> 8 | 0x80);
    tcp[1] = (uint8_t)number;
    uint32_t sum = sum_of(ip, 20, 0);
    sum = (sum & 0xffff) + (sum >> 16);
    ip[10] = (uint8_t)(~sum >> 8);
    ip[11] = (uint8_t)~sum;
    sum = sum_of(tcp, 24, sum_of(ip + 12, 8, 30));
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    tcp[16] = (uint8_t)(~sum >> 8);
    tcp[17] = (uint8_t)~sum;
    netstack_input(sim_stack(sim, 1), frame, sizeof frame);
    netstack_poll(sim_stack(sim, 1));
}

static void test_syn_flood(void)
{
    struct sim *sim = sim_create(11, &clean);
    struct net_sock *listener = listener_on(sim, 1, 80, 100), *child;
    struct net_addr to = {NET_IP(10, 0, 0, 2), 80};
    uint32_t most = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        strange_syn(sim, i);
        most = sim_pages(sim, 1) > most ? sim_pages(sim, 1) : most;
        if (i % 1000 == 0)
            run_for(sim, 1000000);
    }
    REQUIRE(most >= 4 && most < 100);
    /* An honest client gets through while the flood goes on. */
    struct net_sock *client = stream_on(sim, 0);
    REQUIRE(net_connect(client, &to) == -EINPROGRESS);
    for (uint32_t i = 0; !(net_ready(client) & NET_OUT); i++) {
        REQUIRE(i < 100000);
        strange_syn(sim, 200000 + i);
        if (i % 20 == 0)
            run_for(sim, 1000000);
    }
    REQUIRE(wait_for(sim, listener, NET_IN, SECOND) && !net_accept(listener, &child));
    net_close(client);
    net_close(child);
    net_close(listener);
    run_for(sim, 100 * SECOND);
    REQUIRE(sim_pages(sim, 1) < 16);
    sim_destroy(sim);
}

static void test_time_wait_is_bounded(void)
{
    struct sim *sim = sim_create(12, &clean);
    struct net_sock *pair[2];
    uint32_t most = 0;
    for (unsigned i = 0; i < 3000; i++) {
        pair_open(sim, pair);
        net_close(pair[1]);
        net_close(pair[0]);
        most = sim_pages(sim, 1) > most ? sim_pages(sim, 1) : most;
    }
    REQUIRE(most < 150);
    run_for(sim, 200 * SECOND);
    REQUIRE(sim_pages(sim, 0) < 16 && sim_pages(sim, 1) < 16);
    sim_destroy(sim);
}

/* ---- DHCP ---- */

/* The server's answer to a message in `m`; its length, 0: none. */
static size_t dhcp_answer(uint8_t *m, size_t len, uint32_t lease, bool refuse)
{
    static const uint8_t tail[] = {54, 4,  10, 0, 0, 2, 1, 4,  255, 255, 255, 0,  3,
                                   4,  10, 0,  0, 2, 6, 4, 10, 0,   0,   3,   51, 4};
    uint8_t type = m[242];
    if (len < 243 || m[240] != 53)
        return 0;
    memset(m + 243, 0, 300 - 243);
    m[0] = 2;
    memcpy(m + 16, (uint8_t[]){10, 0, 0, 77}, 4);
    m[242] = refuse ? 6 : type == 1 ? 2 : 5;
    memcpy(m + 243, tail, sizeof tail);
    for (unsigned i = 0; i < 4; i++)
        m[243 + sizeof tail + i] = (uint8_t)(lease >> (24 - 8 * i));
    m[243 + sizeof tail + 4] = 255;
    return 300;
}

struct dhcp_rig {
    struct sim *sim;
    struct net_sock *server;
    unsigned asked;
    uint32_t lease;
    bool silent, refuse;
};

static void dhcp_run(struct dhcp_rig *rig, uint64_t ns)
{
    static const struct net_addr all = {0xffffffff, 68};
    uint64_t end = sim_now(rig->sim) + ns;
    uint8_t m[600];
    struct sim_io io;
    while (sim_now(rig->sim) < end) {
        sim_step_until(rig->sim, end);
        sim_io_read(&io, m, sizeof m);
        int n = net_recv(rig->server, &io.io, 0, NULL);
        rig->asked += n > 0;
        size_t len = n > 0 && !rig->silent ? dhcp_answer(m, (size_t)n, rig->lease, rig->refuse) : 0;
        if (!len)
            continue;
        sim_io_write(&io, m, len);
        REQUIRE(net_send(rig->server, &io.io, 0, &all) == (int)len);
    }
}

static uint32_t address_of(struct sim *sim)
{
    struct netstack_info info;
    netstack_info(sim_stack(sim, 0), &info);
    return info.addr;
}

static void test_dhcp_leases(void)
{
    static const struct sim_fault fault = {.delay_ns = 1000000, .dhcp = true};
    struct dhcp_rig rig = {.sim = sim_create(13, &fault), .lease = 1000};
    struct net_addr any = {0, 67};
    struct netstack_info info;
    REQUIRE(!net_socket(sim_stack(rig.sim, 1), NET_DGRAM, 0, &rig.server));
    REQUIRE(!net_bind(rig.server, &any) && !net_set(rig.server, NET_OPT_BROADCAST, 1));
    dhcp_run(&rig, SECOND);
    netstack_info(sim_stack(rig.sim, 0), &info);
    REQUIRE(info.addr == NET_IP(10, 0, 0, 77) && info.mask == 0xffffff00 && !info.waiting);
    REQUIRE(info.gateway == NET_IP(10, 0, 0, 2) && info.dns[0] == NET_IP(10, 0, 0, 3));
    REQUIRE(rig.asked == 2);
    dhcp_run(&rig, 490 * SECOND);
    REQUIRE(rig.asked == 2);
    dhcp_run(&rig, 20 * SECOND); /* half of the lease: renewed */
    REQUIRE(rig.asked == 3 && address_of(rig.sim) == NET_IP(10, 0, 0, 77));
    rig.silent = true;
    dhcp_run(&rig, 900 * SECOND);
    REQUIRE(rig.asked >= 5 && address_of(rig.sim) == NET_IP(10, 0, 0, 77));
    dhcp_run(&rig, 200 * SECOND); /* the lease is over */
    REQUIRE(!address_of(rig.sim));
    rig.silent = false;
    dhcp_run(&rig, 100 * SECOND);
    REQUIRE(address_of(rig.sim) == NET_IP(10, 0, 0, 77));
    rig.refuse = true;
    rig.asked = 0;
    dhcp_run(&rig,
             600 *
                 SECOND); /* refused at renewal: it asks anew, and takes no refusal for an offer */
    REQUIRE(!address_of(rig.sim) && rig.asked < 100);
    net_close(rig.server);
    sim_destroy(rig.sim);
}

int main(void)
{
    test_connects_fail_clearly();
    test_silence_ends_a_connection();
    test_keepalive();
    test_idle_is_idle();
    test_closed_window_stays_open_for_a_reader();
    test_orphans_are_not_held_by_a_closed_window();
    test_unread_data_resets();
    test_nagle();
    test_loopback();
    test_blind_resets_do_nothing();
    test_syn_flood();
    test_time_wait_is_bounded();
    test_dhcp_leases();
    puts("13 promises kept");
    return 0;
}
