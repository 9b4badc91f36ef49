/* SPDX-License-Identifier: MIT */
/*
 * Ilwaco's TCP/IP against a peer that does what the input says: segments near those that the
 * connection waits for, with any flags, options and windows; fragments; ICMP errors that quote
 * what was sent; ARP and DHCP; raw frames. Meanwhile the program connects, listens, sends,
 * receives and closes. The stack keeps its bounds of memory and gives back every page.
 * fuzz: max_len=2048
 */
#include "guests/ilwaco/net/netstack.h"
#include "testsuite/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 512u
#define FLOWS 8u
#define SOCKS 12u
#define FRAME 1514u
#define OPS 300u
#define HERE NET_IP(10, 0, 0, 1)
#define THERE NET_IP(10, 0, 0, 2)

/* A connection as its last segment from the stack shows it. */
struct flow {
    uint16_t here, there;
    uint32_t next, wants; /* what the stack sends next, and expects next */
};

struct world {
    struct netstack *ns;
    uint64_t now;
    uint32_t pages;
    struct flow flow[FLOWS];
    unsigned flows, newest;
    uint8_t last[FRAME]; /* the last IP frame that the stack sent */
    uint32_t last_len;
    uint8_t asked[42]; /* an ARP question that waits */
    bool is_asked, mute, full;
    struct net_sock *sock[SOCKS];
};

NORETURN void kernel_bug(const char *file, int line, const char *message);
void kernel_bug(const char *file, int line, const char *message)
{
    fuzz_fail(file, line, message);
}

static uint32_t get(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static void put(uint8_t *p, unsigned n, uint32_t v)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

/* The host of the stack. */

static uint64_t host_clock(void *arg)
{
    return ((struct world *)arg)->now;
}

static void *host_pages(void *arg, uint32_t pages)
{
    struct world *w = arg;
    void *p = aligned_alloc(4096, pages * 4096u);
    FUZZ_REQUIRE(p);
    memset(p, 0, pages * 4096u);
    w->pages += pages;
    FUZZ_REQUIRE(w->pages <= PAGES);
    return p;
}

static void host_pages_free(void *arg, void *p, uint32_t pages)
{
    struct world *w = arg;
    w->pages -= pages;
    free(p);
}

static void note_flow(struct world *w, const uint8_t *ip, size_t len)
{
    size_t head = (ip[0] & 15u) * 4, total = get(ip + 2, 2);
    FUZZ_REQUIRE(total <= len && head >= 20 && head <= total);
    const uint8_t *tcp = ip + head;
    if (ip[9] != 6 || total < head + 20 || get(ip + 16, 4) != THERE)
        return;
    struct flow f = {(uint16_t)get(tcp, 2), (uint16_t)get(tcp + 2, 2), get(tcp + 4, 4),
                     get(tcp + 8, 4)};
    f.next += (uint32_t)(total - head) - (tcp[12] >> 4) * 4u + !!(tcp[13] & 3);
    unsigned i = 0;
    while (i < w->flows && (w->flow[i].here != f.here || w->flow[i].there != f.there))
        i++;
    if (i == w->flows)
        i = w->flows < FLOWS ? w->flows++ : (w->newest + 1) % FLOWS;
    w->flow[i] = f;
    w->newest = i;
}

static int host_output(void *arg, const void *frame, size_t len)
{
    struct world *w = arg;
    const uint8_t *bytes = frame;
    FUZZ_REQUIRE(len >= 14 && len <= FRAME);
    if (w->full)
        return -11;
    if (get(bytes + 12, 2) == 0x806 && len >= 42 && !w->mute) {
        memcpy(w->asked, bytes, 42);
        w->is_asked = true;
    } else if (get(bytes + 12, 2) == 0x800) {
        memcpy(w->last, bytes, len);
        w->last_len = (uint32_t)len;
        note_flow(w, bytes + 14, len - 14);
    }
    return 0;
}

/* Frames to the stack. */

static uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += get(p + i, 2);
    return len & 1 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    put(at, 2, ~sum & 0xffff);
}

static void deliver(struct world *w, const uint8_t *frame, size_t len)
{
    uint8_t *exact = fuzz_exact(frame, len);
    netstack_input(w->ns, exact, len);
    free(exact);
}

static void answer_arp(struct world *w)
{
    uint8_t frame[42];
    w->is_asked = false;
    memcpy(frame, w->asked, 42);
    memcpy(frame, w->asked + 6, 6);
    memset(frame + 6, 0x22, 6);
    frame[21] = 2;
    memset(frame + 22, 0x22, 6);
    memcpy(frame + 28, w->asked + 38, 4);
    memcpy(frame + 32, w->asked + 22, 10);
    deliver(w, frame, sizeof(frame));
}

/* Ethernet and IP heads before `len` bytes of payload at frame + 34; sums made; delivered. */
static void deliver_ip(struct world *w, uint8_t *frame, size_t len, uint8_t protocol,
                       uint16_t fragment)
{
    static const uint8_t sum_at[256] = {[1] = 2, [6] = 16, [17] = 6};
    uint8_t *ip = frame + 14, *p = ip + 20;
    memset(frame, 0x11, 6);
    memset(frame + 6, 0x22, 6);
    put(frame + 12, 2, 0x800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put(ip + 2, 2, (uint32_t)len + 20);
    put(ip + 6, 2, fragment);
    ip[8] = 64;
    ip[9] = protocol;
    put(ip + 12, 4, THERE);
    put(ip + 16, 4, HERE);
    put_sum(ip + 10, sum_of(ip, 20, 0));
    unsigned at = sum_at[protocol];
    if (at && len >= at + 2 && !(fragment & 0x3fff)) {
        put(p + at, 2, 0);
        put_sum(p + at,
                sum_of(p, len, protocol == 1 ? 0 : sum_of(ip + 12, 8, protocol + (uint32_t)len)));
    }
    deliver(w, frame, 34 + len);
}

/* A small number, or one that hurts. */
static uint32_t delta(struct fuzz_in *in)
{
    static const uint32_t far[] = {1460,   2920,     32767,      65535,      65536,
                                   262144, 1u << 30, 0x7fffffff, 0x80000000, 0xfffffa4c};
    uint8_t v = fuzz_u8(in);
    return v < 200 ? (uint32_t)(v % 2 ? -(int)(v / 2) : v / 2) : far[v % ARRAY_LEN(far)];
}

static void op_segment(struct world *w, struct fuzz_in *in)
{
    uint8_t frame[FRAME] = {0}, *tcp = frame + 34;
    uint8_t which = fuzz_u8(in), flags = fuzz_u8(in);
    const struct flow *f = w->flows && which < 240 ? &w->flow[which % w->flows] : NULL;
    put(tcp, 2, f ? f->there : 1000u + which);
    put(tcp + 2, 2, f ? f->here : 80u);
    put(tcp + 4, 4, (f ? f->wants : 7u) + delta(in));
    put(tcp + 8, 4, (f ? f->next : 9u) + delta(in));
    tcp[13] = flags;
    put(tcp + 14, 2, fuzz_u16(in));
    uint8_t sizes = fuzz_u8(in);
    size_t options = (sizes & 15) > 10 ? 0 : (sizes & 15u) * 4, got;
    const uint8_t *bytes = fuzz_bytes(in, options, &got);
    memcpy(tcp + 20, bytes, got);
    tcp[12] = (uint8_t)((5 + options / 4) << 4);
    static const uint16_t payloads[16] = {0, 0, 0, 0, 1, 2, 5, 10, 100, 536, 1000, 1400};
    size_t payload = payloads[sizes >> 4];
    memset(tcp + 20 + options, 'p', payload);
    deliver_ip(w, frame, 20 + options + payload, 6, 0);
}

static void op_datagram(struct world *w, struct fuzz_in *in)
{
    uint8_t frame[FRAME] = {0}, *udp = frame + 34;
    uint8_t kind = fuzz_u8(in);
    uint16_t fragment = kind & 1 ? fuzz_u16(in) : 0;
    size_t len = fuzz_u8(in), got;
    const uint8_t *bytes = fuzz_bytes(in, len, &got);
    memcpy(udp + 8, bytes, got);
    len = kind & 2 ? 8 + len * 5 : 8 + got;
    put(udp, 2, kind & 4 ? 67 : 1053);
    put(udp + 2, 2, kind & 4 ? 68 : 53);
    put(udp + 4, 2, (uint32_t)len);
    deliver_ip(w, frame, len, kind & 8 ? 1 : 17, fragment);
}

/* An ICMP error about what the stack sent last. */
static void op_error(struct world *w, struct fuzz_in *in)
{
    uint8_t frame[FRAME] = {0}, *icmp = frame + 34;
    icmp[0] = fuzz_u8(in);
    icmp[1] = fuzz_u8(in);
    put(icmp + 4, 4, fuzz_u16(in));
    size_t n = w->last_len > 14 ? w->last_len - 14 : 0, most = fuzz_u8(in);
    n = n < most ? n : most;
    memcpy(icmp + 8, w->last + 14, n);
    deliver_ip(w, frame, 8 + n, 1, 0);
}

static void op_raw(struct world *w, struct fuzz_in *in)
{
    size_t got;
    const uint8_t *bytes = fuzz_bytes(in, fuzz_u8(in), &got);
    deliver(w, bytes, got);
}

/* The program. */

struct io {
    struct net_io io;
    uint8_t bytes[4096];
    size_t at;
};

static int copy_in(struct net_io *base, void *kernel, size_t n)
{
    struct io *io = CONTAINER_OF(base, struct io, io);
    memset(kernel, 'w', n);
    io->io.left -= n;
    return 0;
}

static int copy_out(struct net_io *base, void *kernel, size_t n)
{
    struct io *io = CONTAINER_OF(base, struct io, io);
    FUZZ_REQUIRE(n <= sizeof(io->bytes) - io->at);
    memcpy(io->bytes + io->at, kernel, n);
    io->at += n;
    io->io.left -= n;
    return 0;
}

static void sock_open(struct world *w, unsigned i, struct fuzz_in *in)
{
    static const struct {
        enum net_type type;
        unsigned protocol;
    } kind[] = {{NET_STREAM, 0}, {NET_DGRAM, 0}, {NET_RAW, NET_ICMP}, {NET_DGRAM, NET_ICMP}};
    unsigned k = fuzz_u8(in) % 4;
    struct net_addr any = {0, (uint16_t)(k ? 53 : 80)}, to = {THERE, (uint16_t)(1000 + i)};
    if (net_socket(w->ns, kind[k].type, kind[k].protocol, &w->sock[i])) {
        w->sock[i] = NULL;
        return;
    }
    if (k == 0 && i & 1)
        (void)net_connect(w->sock[i], &to);
    else if (net_bind(w->sock[i], &any) == 0 && k == 0)
        (void)net_listen(w->sock[i], fuzz_u8(in));
}

static void sock_accept(struct world *w, struct net_sock *sk)
{
    unsigned i = 0;
    while (i < SOCKS && w->sock[i])
        i++;
    if (i < SOCKS && net_accept(sk, &w->sock[i]))
        w->sock[i] = NULL;
}

static void sock_move(struct net_sock *sk, bool out, struct fuzz_in *in)
{
    struct io io = {.io = {out ? copy_in : copy_out, fuzz_u16(in) % 4096u}};
    struct net_addr to = {THERE, 1053};
    uint8_t flags = fuzz_u8(in);
    if (out)
        (void)net_send(sk, &io.io, flags & 2, flags & 8 ? &to : NULL);
    else
        (void)net_recv(sk, &io.io, flags & 5, flags & 8 ? &to : NULL);
}

static void sock_option(struct net_sock *sk, struct fuzz_in *in)
{
    int value;
    enum net_option option = (enum net_option)(fuzz_u8(in) % (NET_OPT_LINGER2 + 1));
    (void)net_set(sk, option, (int16_t)fuzz_u16(in));
    (void)net_get(sk, option, &value);
}

static void op_sock(struct world *w, struct fuzz_in *in)
{
    uint8_t op = fuzz_u8(in);
    unsigned i = (op >> 3) % SOCKS;
    struct net_tcp_info info;
    if (!w->sock[i]) {
        sock_open(w, i, in);
        return;
    }
    switch (op & 7) {
    case 0:
        net_close(w->sock[i]);
        w->sock[i] = NULL;
        break;
    case 1:
        sock_accept(w, w->sock[i]);
        break;
    case 2:
        (void)net_shutdown(w->sock[i], 1 + fuzz_u8(in) % 3);
        break;
    case 3:
        sock_option(w->sock[i], in);
        break;
    case 4:
        (void)net_tcp_info(w->sock[i], &info);
        (void)net_ready(w->sock[i]);
        break;
    default:
        sock_move(w->sock[i], op & 1, in);
    }
}

static void op_time(struct world *w, struct fuzz_in *in)
{
    uint8_t v = fuzz_u8(in);
    uint64_t deadline = netstack_deadline(w->ns);
    if (v & 1 && deadline != UINT64_MAX && deadline > w->now)
        w->now = deadline;
    else
        w->now += (uint64_t)v << (v % 28);
    w->full = (v & 0xf0) == 0xf0;
    w->mute = (v & 0xf0) == 0xe0;
    if (!w->full)
        netstack_output_ready(w->ns);
}

static void one(struct world *w, struct fuzz_in *in)
{
    switch (fuzz_u8(in) & 15) {
    case 0:
        op_raw(w, in);
        break;
    case 1:
        op_datagram(w, in);
        break;
    case 2:
        op_error(w, in);
        break;
    case 3:
    case 4:
        op_time(w, in);
        break;
    case 5:
    case 6:
    case 7:
        op_sock(w, in);
        break;
    default:
        op_segment(w, in);
    }
    if (w->is_asked)
        answer_arp(w);
    netstack_poll(w->ns);
}

static void finish(struct world *w)
{
    for (unsigned i = 0; i < SOCKS; i++)
        if (w->sock[i])
            net_close(w->sock[i]);
    netstack_finish(w->ns);
    netstack_poll(w->ns);
    netstack_fini(w->ns);
    FUZZ_REQUIRE(w->pages == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz_in in = {data, len};
    struct world w = {.now = 1000000000};
    struct netstack_config config = {.mac = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11},
                                     .mtu = 1500,
                                     .addr = HERE,
                                     .mask = 0xffffff00,
                                     .gateway = NET_IP(10, 0, 0, 254),
                                     .max_pages = PAGES,
                                     .secret = "fifteen letters"};
    const struct netstack_host host = {&w,          host_clock, host_pages, host_pages_free,
                                       host_output, NULL,       NULL};
    if (fuzz_u8(&in) & 1)
        config.addr = 0; /* DHCP */
    w.ns = aligned_alloc(16, (netstack_bytes() + 15) & ~(size_t)15);
    FUZZ_REQUIRE(w.ns);
    netstack_init(w.ns, &config, &host);
    netstack_poll(w.ns);
    for (unsigned n = 0; in.left && n < OPS; n++)
        one(&w, &in);
    finish(&w);
    free(w.ns);
    return 0;
}
