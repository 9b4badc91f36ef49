/* SPDX-License-Identifier: MIT */
/* Frames are built where they wait. Offsets are those of the headers' own drawings: RFC 826, 791,
 * 768, 9293; no header has options. */
#include "emu/fuzz/peer.h"

#include "emu/fuzz/way.h"

#include <errno.h>
#include <string.h>

#define ETH 14u
#define IP ETH
#define UPPER (IP + 20u)
#define UDP_DATA (UPPER + 8u)
#define TCP_DATA (UPPER + 20u)
#define TCP_MSS 1400u
#define ARP_BYTES (ETH + 28u)
#define OUR_PORT 40000u
#define FIRST_SEQ 0x10000000u

enum { TYPE_IP = 0x800, TYPE_ARP = 0x806, PROTO_TCP = 6, PROTO_UDP = 17 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static const uint8_t our_mac[6] = {0x02, 0x44, 0x6e, 0x6c, 0x66, 0x02};

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value);
}

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

static uint32_t sum(uint32_t sofar, const uint8_t *p, size_t len)
{
    for (; len > 1; p += 2, len -= 2)
        sofar += get16(p);
    return len ? sofar + ((uint32_t)*p << 8) : sofar;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* The next free frame; NULL: none. It waits once its length is set by push(). */
static uint8_t *room(struct peer *p)
{
    return p->frames < PEER_FRAMES ? p->frame[(p->first + p->frames) % PEER_FRAMES] : NULL;
}

static void push(struct peer *p, size_t len)
{
    p->len[(p->first + p->frames++) % PEER_FRAMES] = (uint16_t)len;
}

static void put_ethernet(const struct peer *p, uint8_t *f, unsigned type)
{
    memcpy(f, p->guest_mac, 6);
    memcpy(f + 6, our_mac, 6);
    put16(f + 12, type);
}

/* Around `len` bytes of an upper protocol that lie at UPPER already. */
static void put_ip(const struct peer *p, uint8_t *f, unsigned protocol, size_t len)
{
    uint8_t *ip = f + IP;
    put_ethernet(p, f, TYPE_IP);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(20 + len));
    put16(ip + 6, 0x4000); /* not to be fragmented */
    ip[8] = 64;
    ip[9] = (uint8_t)protocol;
    put32(ip + 12, PEER_IP);
    put32(ip + 16, FUZZ_GUEST_IP);
    put16(ip + 10, fold(sum(0, ip, 20)));
}

static uint16_t upper_checksum(const uint8_t *f, unsigned protocol, size_t len)
{
    uint32_t pseudo = sum(0, f + IP + 12, 8) + protocol + (uint32_t)len;
    return fold(sum(pseudo, f + UPPER, len));
}

bool peer_frame(struct peer *p, const uint8_t *frame, size_t len)
{
    uint8_t *f = room(p);
    if (!f || len < ETH || len > NET_FRAME_MAX)
        return false;
    memcpy(f, frame, len);
    push(p, len);
    return true;
}

bool peer_datagram(struct peer *p, const uint8_t *data, size_t len)
{
    uint8_t *f = room(p);
    if (!f || len > NET_FRAME_MAX - UDP_DATA)
        return false;
    memcpy(f + UDP_DATA, data, len);
    put16(f + UPPER, OUR_PORT);
    put16(f + UPPER + 2, p->guest_port);
    put16(f + UPPER + 4, (uint32_t)(8 + len));
    put16(f + UPPER + 6, 0);
    put_ip(p, f, PROTO_UDP, 8 + len);
    put16(f + UPPER + 6, upper_checksum(f, PROTO_UDP, 8 + len));
    push(p, UDP_DATA + len);
    return true;
}

static bool send_segment(struct peer *p, unsigned flags, const uint8_t *data, size_t len)
{
    uint8_t *f = room(p);
    if (!f)
        return false;
    uint8_t *tcp = f + UPPER;
    memset(tcp, 0, 20);
    put16(tcp, OUR_PORT);
    put16(tcp + 2, p->guest_port);
    put32(tcp + 4, p->tcp.next);
    put32(tcp + 8, flags & ACK ? p->tcp.expected : 0);
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, 0xffff);
    if (len)
        memcpy(f + TCP_DATA, data, len);
    put_ip(p, f, PROTO_TCP, 20 + len);
    put16(tcp + 16, upper_checksum(f, PROTO_TCP, 20 + len));
    push(p, TCP_DATA + len);
    p->tcp.next += (uint32_t)len + ((flags & (SYN | FIN)) != 0);
    return true;
}

void peer_connect(struct peer *p)
{
    p->tcp = (struct peer_tcp){.next = FIRST_SEQ, .acked = FIRST_SEQ};
    (void)send_segment(p, SYN, NULL, 0);
}

void peer_say(struct peer *p, const uint8_t *data, size_t len)
{
    p->data = data;
    p->data_len = len;
    p->data_seq = p->tcp.next;
}

bool peer_go_on(struct peer *p)
{
    struct peer_tcp *t = &p->tcp;
    bool any = false;
    while (!t->finished && !t->reset) {
        size_t at = t->next - p->data_seq, left = p->data_len - at;
        uint32_t in_flight = t->next - t->acked;
        size_t n = left < TCP_MSS ? left : TCP_MSS;
        if (in_flight + n > t->window)
            break;
        bool last = n == left;
        if (!send_segment(p, ACK | PSH | (last ? FIN : 0), p->data ? p->data + at : NULL, n))
            break;
        t->finished = last;
        any = true;
    }
    return any;
}

/* What the guest sends. */

static void answer_arp(struct peer *p, const uint8_t *question, size_t len)
{
    const uint8_t *arp = question + ETH;
    uint8_t *f = room(p);
    if (!f || len < ARP_BYTES || get16(arp + 6) != 1 || get32(arp + 24) != PEER_IP)
        return;
    put_ethernet(p, f, TYPE_ARP);
    memcpy(f + ETH, arp, 6); /* of hardware and protocol */
    put16(f + ETH + 6, 2);
    memcpy(f + ETH + 8, our_mac, 6);
    put32(f + ETH + 14, PEER_IP);
    memcpy(f + ETH + 18, arp + 8, 10);
    push(p, ARP_BYTES);
}

static void hear_tcp(struct peer *p, const uint8_t *tcp, size_t len)
{
    struct peer_tcp *t = &p->tcp;
    size_t head = len >= 20 ? (size_t)(tcp[12] >> 4) * 4 : 0;
    if (head < 20 || head > len || get16(tcp) != p->guest_port || get16(tcp + 2) != OUR_PORT)
        return;
    unsigned flags = tcp[13];
    uint32_t length = (uint32_t)(len - head) + ((flags & (SYN | FIN)) != 0);
    t->reset |= (flags & RST) != 0;
    if (flags & ACK)
        t->acked = get32(tcp + 8);
    t->window = get16(tcp + 14);
    if (!t->answered && (flags & SYN))
        t->expected = get32(tcp + 4);
    t->answered |= (flags & SYN) != 0;
    if (get32(tcp + 4) != t->expected || !length || t->reset)
        return;
    t->expected += length;
    (void)send_segment(p, ACK, NULL, 0);
}

static struct peer *of(const struct net_backend *base)
{
    return CONTAINER_OF((struct net_backend *)(uintptr_t)base, struct peer, base);
}

static int hear(struct net_backend *base, const void *frame, size_t len)
{
    struct peer *p = of(base);
    const uint8_t *f = frame;
    if (len < UPPER)
        return 0;
    if (get16(f + 12) == TYPE_ARP)
        answer_arp(p, f, len);
    size_t whole = get16(f + IP + 2);
    if (get16(f + 12) == TYPE_IP && f[IP] == 0x45 && f[IP + 9] == PROTO_TCP && whole >= 20 &&
        IP + whole <= len)
        hear_tcp(p, f + UPPER, whole - 20);
    return 0;
}

static int give(struct net_backend *base, void *frame, size_t size)
{
    struct peer *p = of(base);
    if (!p->frames)
        return -EAGAIN;
    size_t len = p->len[p->first] < size ? p->len[p->first] : size;
    memcpy(frame, p->frame[p->first], len);
    p->first = (p->first + 1) % PEER_FRAMES;
    p->frames--;
    return (int)len;
}

/* Nobody polls it. But a VM with nothing to poll, whose time counts instructions, passes over its
 * idle times by itself, and would not be heard of until its timers have closed the connection. */
static int some_fd(const struct net_backend *base)
{
    (void)base;
    return 0;
}

static void nothing(struct net_backend *base)
{
    (void)base;
}

static const struct net_backend_ops ops = {
    .name = "fuzz", .send = hear, .receive = give, .fd = some_fd, .destroy = nothing};

void peer_init(struct peer *p, const uint8_t guest_mac[6], uint16_t guest_port)
{
    memset(p, 0, sizeof(*p));
    p->base.ops = &ops;
    memcpy(p->guest_mac, guest_mac, 6);
    p->guest_port = guest_port;
}

void peer_flush(struct peer *p)
{
    p->first = p->frames = 0;
}
