/* SPDX-License-Identifier: MIT */
/*
 * Hostile frames: real ones with fields changed to values that hurt, lengths cut,
 * options and fragments made up, most of them with correct checksums so that they
 * get past the door. Whatever comes, the stack must not touch what is not its own
 * (built with ASan), must not hold more than its pages, and must still move bytes
 * afterwards. usage: net_fuzz [SECONDS [SEED]]
 */
#include "testsuite/net/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CORPUS 512
#define MOST_PAGES 4096

struct sample {
    uint32_t len;
    unsigned to;
    uint8_t bytes[1514];
};

struct fuzz {
    struct sim *sim;
    struct net_sock *listener, *client, *server, *udp[2], *raw;
    struct sample sample[CORPUS];
    unsigned samples;
    uint64_t frames;
};

static uint32_t pick(struct fuzz *f, uint32_t below)
{
    return (uint32_t)(sim_random(f->sim) % below);
}

/* ---- the corpus ---- */

static void keep_sample(void *arg, unsigned to, const uint8_t *frame, size_t len)
{
    struct fuzz *f = arg;
    struct sample *s = &f->sample[f->samples < CORPUS ? f->samples++ : pick(f, CORPUS)];
    s->to = to;
    s->len = (uint32_t)len;
    memcpy(s->bytes, frame, len);
}

/* ---- checksums, so that damage is let in ---- */

static uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return len & 1 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

static void sum_put(uint8_t *at, uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    at[0] = (uint8_t)(~sum >> 8);
    at[1] = (uint8_t)~sum;
}

static void payload_sum(uint8_t *ip, size_t head, size_t total)
{
    static const uint8_t where[256] = {[1] = 2, [6] = 16, [17] = 6};
    size_t len = total - head, at = where[ip[9]];
    uint8_t *p = ip + head;
    if (!at || len < at + 2)
        return;
    p[at] = p[at + 1] = 0;
    uint32_t sum = ip[9] == 1 ? 0 : sum_of(ip + 12, 8, ip[9] + (uint32_t)len);
    sum_put(p + at, sum_of(p, len, sum));
}

static void repair(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + 14;
    if (len < 34 || frame[12] != 8 || frame[13])
        return;
    size_t head = (ip[0] & 15u) * 4, total = (size_t)(ip[2] << 8 | ip[3]);
    if (head < 20 || head > len - 14)
        return;
    if (total >= head && total <= len - 14)
        payload_sum(ip, head, total);
    ip[10] = ip[11] = 0;
    sum_put(ip + 10, sum_of(ip, head, 0));
}

/* ---- mutations ---- */

static const uint8_t nasty[] = {0, 1, 2, 4, 5, 8, 15, 20, 40, 0x45, 0x4f, 0x7f, 0x80, 0xf0, 0xff};

static void mutate_byte(struct fuzz *f, uint8_t *frame, size_t len)
{
    size_t at = pick(f, 4) ? 12 + pick(f, 60) : pick(f, (uint32_t)len);
    if (at >= len)
        return;
    if (pick(f, 2))
        frame[at] = nasty[pick(f, sizeof nasty)];
    else
        frame[at] ^= (uint8_t)(1u << pick(f, 8));
}

static void mutate_length(struct fuzz *f, uint8_t *frame, uint32_t *len)
{
    if (pick(f, 2)) {
        *len = 1 + pick(f, *len);
    } else if (*len >= 18) {
        uint32_t total = pick(f, 2) ? pick(f, 65536) : pick(f, *len);
        frame[16] = (uint8_t)(total >> 8);
        frame[17] = (uint8_t)total;
    }
}

/* TCP options of any kind and length in place of those that are there. */
static void mutate_options(struct fuzz *f, uint8_t *frame, uint32_t len)
{
    static const uint8_t kinds[] = {0, 1, 2, 3, 4, 5, 8, 30, 255};
    if (len < 60 || frame[23] != 6)
        return;
    uint32_t end = 14 + 20 + 20 + 4 * pick(f, 11);
    frame[46] = (uint8_t)((end - 34) / 4 << 4);
    for (uint32_t at = 54; at < end && at < len;) {
        uint32_t size = pick(f, 4) ? 2 + pick(f, 12) : pick(f, 256);
        frame[at] = kinds[pick(f, sizeof kinds)];
        if (at + 1 < len)
            frame[at + 1] = (uint8_t)size;
        at += size ? size : 1;
    }
}

/* Sequence numbers and windows near those of the connection, and far from them. */
static void mutate_numbers(struct fuzz *f, uint8_t *frame, uint32_t len)
{
    static const uint32_t steps[] = {1, 2, 100, 1460, 65535, 0x10000, 0x7fffffff, 0x80000000};
    if (len < 54 || frame[23] != 6)
        return;
    uint32_t at = pick(f, 2) ? 38 : 42, number;
    number = (uint32_t)frame[at] << 24 | (uint32_t)frame[at + 1] << 16 |
             (uint32_t)frame[at + 2] << 8 | frame[at + 3];
    uint32_t step = steps[pick(f, 8)];
    number = pick(f, 2) ? number + step : number - step;
    for (unsigned i = 0; i < 4; i++)
        frame[at + i] = (uint8_t)(number >> (24 - 8 * i));
    if (!pick(f, 3))
        frame[47] = (uint8_t)pick(f, 256);
}

static void mutate_fragment(struct fuzz *f, uint8_t *frame, uint32_t len)
{
    if (len < 34)
        return;
    uint32_t field = pick(f, 3) ? pick(f, 200) : pick(f, 0x2000);
    field |= pick(f, 2) ? 0x2000 : 0;
    frame[20] = (uint8_t)(field >> 8);
    frame[21] = (uint8_t)field;
    frame[19] = (uint8_t)pick(f, 4); /* few ids, so that fragments meet */
    frame[18] = 0;
}

/* An ICMP error that quotes another sample. */
static uint32_t make_icmp_error(struct fuzz *f, uint8_t *frame, uint32_t len)
{
    static const uint8_t types[] = {3, 11, 12, 4, 5};
    const struct sample *quoted = &f->sample[pick(f, f->samples)];
    uint32_t n = quoted->len > 14 ? quoted->len - 14 : 0;
    if (len < 34 || n < 28)
        return len;
    n = n < 548 ? n : 548;
    frame[23] = 1;
    frame[34] = types[pick(f, sizeof types)];
    frame[35] = (uint8_t)pick(f, 16);
    memset(frame + 36, 0, 6);
    frame[41] = (uint8_t)pick(f, 256);
    frame[40] = (uint8_t)pick(f, 6);
    memcpy(frame + 42, quoted->bytes + 14, n);
    frame[16] = (uint8_t)((28 + n) >> 8);
    frame[17] = (uint8_t)(28 + n);
    return 42 + n;
}

static void hostile_frame(struct fuzz *f)
{
    struct sample s = f->sample[pick(f, f->samples)];
    uint8_t *frame = s.bytes;
    switch (pick(f, 8)) {
    case 0:
        mutate_length(f, frame, &s.len);
        break;
    case 1:
        mutate_options(f, frame, s.len);
        break;
    case 2:
    case 3:
        mutate_numbers(f, frame, s.len);
        break;
    case 4:
        mutate_fragment(f, frame, s.len);
        break;
    case 5:
        s.len = make_icmp_error(f, frame, s.len);
        break;
    default:
        break;
    }
    for (unsigned n = pick(f, 4); n; n--)
        mutate_byte(f, frame, s.len);
    if (pick(f, 10))
        repair(frame, s.len);
    /* An exact copy on the heap: one byte too far is seen. */
    uint8_t *exact = malloc(s.len);
    REQUIRE(exact);
    memcpy(exact, frame, s.len);
    netstack_input(sim_stack(f->sim, s.to), exact, s.len);
    free(exact);
    f->frames++;
}

/* ---- honest traffic between ---- */

static struct net_sock *sock_on(struct fuzz *f, unsigned side, enum net_type type,
                                unsigned protocol, uint16_t port)
{
    struct net_sock *sk;
    struct net_addr any = {0, port};
    REQUIRE(!net_socket(sim_stack(f->sim, side), type, protocol, &sk));
    REQUIRE(!net_bind(sk, &any));
    return sk;
}

static void drain(struct net_sock *sk)
{
    uint8_t buffer[4096];
    struct sim_io io;
    for (unsigned i = 0; sk && i < 64; i++) {
        sim_io_read(&io, buffer, sizeof buffer);
        if (net_recv(sk, &io.io, 0, NULL) <= 0)
            return;
    }
}

static void chatter(struct net_sock *sk, const struct net_addr *to)
{
    static const uint8_t bytes[3000] = {8, 0, 0, 0, 1, 2};
    struct sim_io io;
    sim_io_write(&io, bytes, sizeof bytes);
    net_send(sk, &io.io, 0, to);
}

static void client_renew(struct fuzz *f)
{
    struct net_addr to = {NET_IP(10, 0, 0, 2), 80};
    if (f->client)
        net_close(f->client);
    REQUIRE(!net_socket(sim_stack(f->sim, 0), NET_STREAM, 0, &f->client));
    net_connect(f->client, &to);
}

static void honest_round(struct fuzz *f)
{
    struct net_addr other = {NET_IP(10, 0, 0, 2), 53};
    struct net_sock *sk;
    if (!f->client || net_ready(f->client) & (NET_HUP | NET_ERR) || !pick(f, 50))
        client_renew(f);
    while (!net_accept(f->listener, &sk)) {
        if (f->server)
            net_close(f->server);
        f->server = sk;
    }
    chatter(f->client, NULL);
    if (f->server)
        chatter(f->server, NULL);
    chatter(f->udp[0], &other);
    other.port = 0;
    if (!pick(f, 4))
        chatter(f->raw, &other);
    drain(f->client);
    drain(f->server);
    drain(f->udp[0]);
    drain(f->udp[1]);
    drain(f->raw);
    for (unsigned i = 0; i < 20; i++)
        sim_step_until(f->sim, sim_now(f->sim) + 20000000);
}

static void fuzz_open(struct fuzz *f)
{
    f->listener = sock_on(f, 1, NET_STREAM, 0, 80);
    REQUIRE(!net_listen(f->listener, 8));
    f->udp[0] = sock_on(f, 0, NET_DGRAM, 0, 53);
    f->udp[1] = sock_on(f, 1, NET_DGRAM, 0, 53);
    f->raw = sock_on(f, 0, NET_RAW, NET_ICMP, 0);
}

static void fuzz_close(struct fuzz *f)
{
    struct net_sock *all[] = {f->listener, f->client, f->server, f->udp[0], f->udp[1], f->raw};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i])
            net_close(all[i]);
}

/* After all that: a new connection carries bytes. */
static void still_works(struct fuzz *f)
{
    uint8_t out[100000], in[100000];
    struct sim_io io;
    struct net_addr to = {NET_IP(10, 0, 0, 2), 81};
    struct net_sock *listener = sock_on(f, 1, NET_STREAM, 0, 81), *a, *b;
    size_t sent = 0, got = 0;
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 7 >> 3);
    REQUIRE(!net_listen(listener, 1));
    REQUIRE(!net_socket(sim_stack(f->sim, 0), NET_STREAM, 0, &a));
    REQUIRE(net_connect(a, &to) == -115);
    while (net_accept(listener, &b))
        REQUIRE(sim_step(f->sim));
    while (got < sizeof out) {
        sim_io_write(&io, out + sent, sizeof out - sent);
        int n = net_send(a, &io.io, 0, NULL);
        sent += n > 0 ? (size_t)n : 0;
        sim_io_read(&io, in + got, sizeof in - got);
        n = net_recv(b, &io.io, 0, NULL);
        REQUIRE(n == -11 || n > 0);
        got += n > 0 ? (size_t)n : 0;
        REQUIRE(sim_step(f->sim));
    }
    REQUIRE(!memcmp(in, out, sizeof out));
    net_close(a);
    net_close(b);
    net_close(listener);
}

int main(int argc, char **argv)
{
    static struct fuzz fuzz;
    static const struct sim_fault wire = {.delay_ns = 1000000, .loss = 300};
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t total = 0;
    uint32_t most = 0;
    for (; time(NULL) < end; seed++) {
        memset(&fuzz, 0, sizeof fuzz);
        fuzz.sim = sim_create(seed, &wire);
        sim_watch(fuzz.sim, keep_sample, &fuzz);
        fuzz_open(&fuzz);
        for (unsigned round = 0; round < 60; round++) {
            honest_round(&fuzz);
            for (unsigned i = 0; i < 300 && fuzz.samples; i++)
                hostile_frame(&fuzz);
            for (unsigned side = 0; side < 2; side++) {
                uint32_t pages = sim_pages(fuzz.sim, side);
                REQUIRE(pages <= MOST_PAGES);
                most = pages > most ? pages : most;
            }
        }
        sim_watch(fuzz.sim, NULL, NULL);
        still_works(&fuzz);
        fuzz_close(&fuzz);
        sim_destroy(fuzz.sim);
        total += fuzz.frames;
    }
    printf("%llu hostile frames, at most %u pages held\n", (unsigned long long)total, most);
    return 0;
}
