/* SPDX-License-Identifier: MIT */
/* The switch: who hears what, who may say what, and what happens when nobody listens. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "denali/lan/switch.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define IP(n) (0x0a000000u + (n))

static struct lan *lan;
static struct lan_port a, b, c, up;
static _Atomic unsigned bells;

static void bell(struct lan_port *port)
{
    (void)port;
    bells++;
}

static void setup(void)
{
    ck_assert_int_eq(lan_create(&lan), 0);
    ck_assert_int_eq(lan_port_add(lan, &a, IP(1), 0, bell), 0);
    ck_assert_int_eq(lan_port_add(lan, &b, IP(2), 0, bell), 0);
    ck_assert_int_eq(lan_port_add(lan, &c, 0, 0, bell), 0);
    ck_assert_int_eq(lan_port_add(lan, &up, 0, LAN_UPLINK, bell), 0);
    bells = 0;
}

static void teardown(void)
{
    lan_port_remove(&a);
    lan_port_remove(&b);
    lan_port_remove(&c);
    lan_port_remove(&up);
    lan_destroy(lan);
}

static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t outside[6] = {0x00, 0x16, 0x3e, 1, 2, 3};

static void put_ip(uint8_t *p, uint32_t ip)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(ip >> (24 - 8 * i));
}

/* An IPv4 frame of 60 bytes from a port to a MAC, in the name of an address. */
static void make(uint8_t frame[60], const uint8_t dst[6], const uint8_t src[6], uint32_t ip)
{
    memset(frame, 0, 60);
    memcpy(frame, dst, 6);
    memcpy(frame + 6, src, 6);
    frame[12] = 8;
    put_ip(frame + 26, ip);
}

static void send_to(struct lan_port *from, const uint8_t dst[6], uint32_t ip)
{
    uint8_t frame[60], src[6];
    lan_port_mac(from, src);
    make(frame, dst, src, ip);
    lan_send(from, frame, sizeof(frame));
}

static unsigned drain(struct lan_port *port)
{
    uint8_t frame[NET_FRAME_MAX];
    unsigned n = 0;
    while (lan_receive(port, frame, sizeof(frame)))
        n++;
    return n;
}

START_TEST(unicast)
{
    uint8_t mac[6], frame[60];
    lan_port_mac(&b, mac);
    send_to(&a, mac, IP(1));
    ck_assert_uint_eq(bells, 1);
    ck_assert(lan_waits(&b));
    ck_assert(!lan_waits(&c));
    ck_assert_uint_eq(lan_receive(&b, frame, 20), 20);
    ck_assert_mem_eq(frame, mac, 6);
    lan_port_mac(&a, mac);
    ck_assert_mem_eq(frame + 6, mac, 6);
    ck_assert_uint_eq(drain(&b), 0);
}
END_TEST

START_TEST(strangers_and_broadcast)
{
    send_to(&a, outside, IP(1));
    ck_assert_uint_eq(drain(&up), 1);
    ck_assert_uint_eq(drain(&b) + drain(&c), 0);
    send_to(&a, all, IP(1));
    ck_assert_uint_eq(drain(&b), 1);
    ck_assert_uint_eq(drain(&c), 1);
    ck_assert_uint_eq(drain(&up), 1);
    ck_assert_uint_eq(drain(&a), 0);
}
END_TEST

static void ask(struct lan_port *from, uint32_t sender, uint32_t target)
{
    uint8_t frame[60] = {0}, mac[6];
    static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    lan_port_mac(from, mac);
    memcpy(frame, all, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, arp, sizeof(arp));
    memcpy(frame + 22, mac, 6);
    put_ip(frame + 28, sender);
    put_ip(frame + 38, target);
    lan_send(from, frame, sizeof(frame));
}

START_TEST(arp_reaches_its_owner_only)
{
    uint8_t mac[6], want[6];
    ask(&a, IP(1), IP(2));
    ck_assert_uint_eq(drain(&b), 1);
    ck_assert_uint_eq(drain(&c) + drain(&up), 0);
    ask(&a, IP(1), IP(99));
    ck_assert_uint_eq(drain(&c) + drain(&up), 2); /* who has another address is not asked */
    ck_assert_uint_eq(drain(&b), 0);
    ck_assert(lan_find(lan, IP(2), mac));
    lan_port_mac(&b, want);
    ck_assert_mem_eq(mac, want, 6);
    ck_assert(!lan_find(lan, IP(99), mac));
}
END_TEST

START_TEST(no_forgery)
{
    uint8_t frame[60], mac_a[6], mac_b[6];
    lan_port_mac(&a, mac_a);
    lan_port_mac(&b, mac_b);
    make(frame, mac_b, mac_b, IP(1)); /* another's MAC */
    lan_send(&a, frame, sizeof(frame));
    make(frame, mac_b, mac_a, IP(7)); /* another's address */
    lan_send(&a, frame, sizeof(frame));
    ask(&a, IP(2), IP(2));            /* another's address in ARP */
    make(frame, mac_b, mac_a, IP(1)); /* a port's MAC from outside */
    lan_send(&up, frame, sizeof(frame));
    ck_assert_uint_eq(drain(&b) + drain(&c) + drain(&up), 0);
    ck_assert_uint_eq(a.counters.forged, 3);
    ck_assert_uint_eq(up.counters.forged, 1);
    make(frame, mac_b, outside, IP(7)); /* what an uplink is for */
    lan_send(&up, frame, sizeof(frame));
    lan_send(&a, frame, 13); /* too short for a frame */
    ck_assert_uint_eq(drain(&b), 1);
}
END_TEST

START_TEST(overload_costs_only_the_slow)
{
    struct lan_counters counters;
    uint8_t mac[6];
    lan_port_mac(&b, mac);
    for (unsigned i = 0; i < SWITCH_QUEUE_MAX + 50; i++)
        send_to(&a, mac, IP(1));
    ck_assert_uint_eq(b.counters.dropped, 50);
    lan_port_mac(&c, mac);
    send_to(&a, mac, IP(1));
    ck_assert_uint_eq(drain(&c), 1);
    ck_assert_uint_eq(drain(&b), SWITCH_QUEUE_MAX);
    lan_count(lan, &counters);
    ck_assert_uint_eq(counters.dropped, 50);
    ck_assert_uint_eq(bells, 2);
}
END_TEST

START_TEST(many_ports)
{
    static struct lan_port port[5000];
    for (unsigned i = 0; i < 5000; i++)
        ck_assert_int_eq(lan_port_add(lan, &port[i], IP(1000 + i), 0, bell), 0);
    ck_assert_int_eq(lan_port_add(lan, &(struct lan_port){0}, IP(1000), 0, bell), -EEXIST);
    for (unsigned i = 0; i < 5000; i++) {
        ask(&a, IP(1), IP(1000 + i));
        ck_assert_uint_eq(drain(&port[i]), 1);
    }
    ck_assert_uint_eq(drain(&b), 0);
    for (unsigned i = 0; i < 5000; i++)
        lan_port_remove(&port[i]);
}
END_TEST

/* Whatever is neither ARP nor IPv4 could speak in somebody's name. */
START_TEST(no_other_protocols)
{
    static const uint16_t types[] = {0x86dd, 0x8100, 0x88a8, 0x0806, 0x0042, 0x0800};
    uint8_t frame[60], mac_a[6], mac_b[6];
    lan_port_mac(&a, mac_a);
    lan_port_mac(&b, mac_b);
    for (unsigned i = 0; i < 6; i++) {
        make(frame, mac_b, mac_a, IP(1));
        frame[12] = (uint8_t)(types[i] >> 8);
        frame[13] = (uint8_t)types[i];
        lan_send(&a, frame, i == 5 ? 33 : 60); /* the last: an IPv4 header cut short */
    }
    ck_assert_uint_eq(drain(&b), 0);
    ck_assert_uint_eq(a.counters.forged, 6);
    make(frame, mac_b, outside, IP(1)); /* a VM's address from outside */
    lan_send(&up, frame, sizeof(frame));
    ask(&c, IP(2), IP(1)); /* a port without an address, in the name of one that has it */
    ck_assert_uint_eq(drain(&a) + drain(&b), 0);
    ck_assert_uint_eq(up.counters.forged + c.counters.forged, 2);
}
END_TEST

/* One sender cannot fill the host's memory by way of others' queues. */
START_TEST(what_one_sender_holds_is_bounded)
{
    static struct lan_port port[50];
    uint8_t frame[NET_FRAME_MAX] = {0}, mac[6], mac_a[6];
    unsigned got = 0;
    lan_port_mac(&a, mac_a);
    for (unsigned i = 0; i < 50; i++)
        ck_assert_int_eq(lan_port_add(lan, &port[i], IP(1000 + i), 0, bell), 0);
    for (unsigned i = 0; i < 50; i++) {
        lan_port_mac(&port[i], mac);
        make(frame, mac, mac_a, IP(1));
        for (unsigned k = 0; k < 100; k++)
            lan_send(&a, frame, sizeof(frame));
    }
    lan_port_mac(&port[49], mac);
    send_to(&b, mac, IP(2)); /* another one still may */
    for (unsigned i = 0; i < 50; i++)
        got += drain(&port[i]);
    ck_assert_uint_eq(got, LAN_HELD_MAX / NET_FRAME_MAX + 1);
    ck_assert_uint_eq(a.counters.refused, 5000 + 1 - got);
    send_to(&a, mac, IP(1)); /* and what was taken is free again */
    ck_assert_uint_eq(drain(&port[49]), 1);
    for (unsigned i = 0; i < 50; i++)
        lan_port_remove(&port[i]);
}
END_TEST

/* Whoever floods a port that does not keep up: others still reach it. */
START_TEST(a_full_queue_is_shared)
{
    static struct lan_port port[4];
    struct lan_counters counters;
    uint8_t frame[60], mac[6], src[6];
    unsigned from[5] = {0};
    lan_port_mac(&b, mac);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(lan_port_add(lan, &port[i], IP(1000 + i), 0, bell), 0);
    for (unsigned i = 0; i < 1000; i++)
        send_to(&a, mac, IP(1));
    for (unsigned k = 0; k < 200; k++) {
        for (unsigned i = 0; i < 3; i++)
            send_to(&port[i], mac, IP(1000 + i));
        send_to(&a, mac, IP(1));
    }
    send_to(&port[3], mac, IP(1003));
    while (lan_receive(&b, frame, sizeof(frame))) {
        for (unsigned i = 0; i < 5; i++) {
            lan_port_mac(i < 4 ? &port[i] : &a, src);
            from[i] += !memcmp(frame + 6, src, 6);
        }
    }
    ck_assert_uint_eq(from[3], 1);
    for (unsigned i = 0; i < 5; i++)
        ck_assert(i == 3 || (from[i] >= 30 && from[i] <= 34));
    lan_count(lan, &counters);
    ck_assert_uint_eq(counters.dropped, 1801 - SWITCH_QUEUE_MAX);
    send_to(&a, mac, IP(1)); /* the queue is in order */
    ck_assert_uint_eq(drain(&b), 1);
    for (unsigned i = 0; i < 4; i++)
        lan_port_remove(&port[i]);
}
END_TEST

static unsigned pressed_by; /* of the test's only receiver */

static unsigned by(const struct lan_port *port)
{
    (void)port;
    return pressed_by;
}

/* Sends until 20,000 frames have gone; no more of them are heard than the rate allows. */
static void flood_is_cut(struct lan_port *busy, const uint8_t *mac, unsigned per_s)
{
    unsigned heard = 0;
    uint64_t begin = host_monotonic_ns();
    for (unsigned i = 0; i < 20000; i++) {
        send_to(&a, mac, IP(1));
        heard += drain(busy);
    }
    uint64_t took_ns = host_monotonic_ns() - begin;
    ck_assert_uint_ge(heard, 1);
    ck_assert_uint_le(heard, per_s / 100 + took_ns / (1000000000u / per_s) + 1);
}

/* A receiver that has used up part of its share hears no more of who floods it than a rate, of
 * which half is left where little of the share is, and all of who does not; neither of one who
 * leaves it what it has taken. */
START_TEST(a_flood_does_not_use_up_a_share)
{
    struct lan_port busy;
    uint8_t mac[6];
    ck_assert_int_eq(lan_port_add(lan, &busy, IP(9), LAN_PRESSED, bell), 0);
    lan_port_mac(&busy, mac);
    lan_set_pressure(lan, by);
    for (pressed_by = 1; pressed_by <= LAN_PRESSURES; pressed_by++) {
        flood_is_cut(&busy, mac, LAN_HOT_PER_S >> (pressed_by - 1));
        send_to(&b, mac, IP(2));
        ck_assert_uint_eq(drain(&busy), 1);
    }
    pressed_by = 1;
    for (unsigned i = 0; i < 2 * LAN_PRESSED_QUEUE; i++)
        send_to(&b, mac, IP(2));
    ck_assert_uint_le(drain(&busy), LAN_PRESSED_QUEUE);
    pressed_by = 0;
    for (unsigned i = 0; i < 100; i++)
        send_to(&a, mac, IP(1));
    ck_assert_uint_eq(drain(&busy), 100);
    lan_set_pressure(lan, NULL);
    for (unsigned i = 0; i < 100; i++)
        send_to(&a, mac, IP(1));
    ck_assert_uint_eq(drain(&busy), 100);
    lan_port_remove(&busy);
}
END_TEST

START_TEST(floods_are_rationed)
{
    static struct lan_port port[2000];
    struct lan_counters counters;
    unsigned got = 0;
    for (unsigned i = 0; i < 2000; i++)
        ck_assert_int_eq(lan_port_add(lan, &port[i], IP(1000 + i), 0, bell), 0);
    for (unsigned k = 0; k < 50; k++)
        send_to(&a, all, IP(1));
    for (unsigned i = 0; i < 2000; i++)
        got += drain(&port[i]);
    lan_count(lan, &counters);
    ck_assert_uint_eq(counters.flooded + counters.quenched, 50);
    ck_assert_uint_ge(counters.flooded, 1);
    ck_assert_uint_eq(got, 2000 * counters.flooded);
    ck_assert_uint_le(counters.flooded, 3);
    send_to(&b, all, IP(2)); /* each has its own */
    ck_assert_uint_eq(drain(&port[0]), 1);
    for (unsigned i = 0; i < 2000; i++)
        lan_port_remove(&port[i]);
}
END_TEST

START_TEST(uplinks_do_not_lead_to_uplinks)
{
    struct lan_port other;
    static const uint8_t elsewhere[6] = {0x00, 0x16, 0x3e, 9, 9, 9};
    uint8_t frame[60], mac[6];
    ck_assert_int_eq(lan_port_add(lan, &other, 0, LAN_UPLINK, bell), 0);
    make(frame, elsewhere, outside, IP(900));
    lan_send(&up, frame, sizeof(frame));
    make(frame, all, outside, IP(900));
    lan_send(&up, frame, sizeof(frame));
    ck_assert_uint_eq(drain(&other), 0);
    ck_assert_uint_eq(drain(&a), 1);
    lan_port_mac(&a, mac);
    mac[2] ^= 1; /* another LAN's */
    send_to(&a, mac, IP(1));
    ck_assert_uint_eq(drain(&other) + drain(&up), 2);
    lan_port_remove(&other);
}
END_TEST

/* A number rests before it is somebody else's; then it is used again. */
START_TEST(numbers_come_back)
{
    struct lan_port port;
    uint32_t first = 0, most = 0;
    for (unsigned i = 0; i < 20000; i++) {
        ck_assert_int_eq(lan_port_add(lan, &port, IP(1000), 0, bell), 0);
        first = i ? first : port.number;
        ck_assert(!i || port.number != first || i > 4000);
        most = port.number > most ? port.number : most;
        lan_port_remove(&port);
    }
    ck_assert_uint_lt(most, 5000);
}
END_TEST

/* Wires. */

static unsigned wait_for(struct lan_port *port, unsigned want, uint64_t ns)
{
    uint64_t end = host_monotonic_ns() + ns;
    unsigned got = 0;
    while ((got += drain(port)) < want && host_monotonic_ns() < end)
        host_poll(NULL, 0, 500000);
    return got;
}

START_TEST(delay_both_ways)
{
    struct wire_config slow = {.delay_ns = 30000000};
    uint8_t mac[6];
    lan_port_mac(&b, mac);
    ck_assert_int_eq(lan_port_shape(&a, &slow, NULL), 0);
    ck_assert_int_eq(lan_port_shape(&b, NULL, &slow), 0);
    uint64_t before = host_monotonic_ns();
    for (unsigned i = 0; i < 10; i++)
        send_to(&a, mac, IP(1));
    ck_assert_uint_eq(wait_for(&b, 10, 5000000000u), 10);
    ck_assert_uint_ge(host_monotonic_ns() - before, 60000000);
    lan_port_mac(&a, mac);
    send_to(&b, mac, IP(2)); /* the other directions are perfect */
    ck_assert_uint_eq(drain(&a), 1);
}
END_TEST

START_TEST(a_rate_loses_what_is_too_much)
{
    struct wire_config slow = {.frames_per_s = 500, .queue = 10};
    uint8_t mac[6];
    lan_port_mac(&b, mac);
    ck_assert_int_eq(lan_port_shape(&a, &slow, NULL), 0);
    uint64_t before = host_monotonic_ns(), took;
    unsigned got = 0, sent = 0;
    while ((took = host_monotonic_ns() - before) < 300000000) {
        send_to(&a, mac, IP(1));
        got += drain(&b);
        sent++;
    }
    got += wait_for(&b, 1000, 200000000);
    ck_assert_uint_gt(sent, 2000);
    ck_assert_uint_ge(got, 75);
    ck_assert_uint_le(got, (took + 250000000) / 2000000 + 20);
}
END_TEST

/* A port is removed, or changes its wires, with frames on the way. */
START_TEST(wires_end_with_their_port)
{
    struct wire_config slow = {.delay_ns = 2000000, .jitter_ns = 1000000};
    struct lan_port port;
    uint8_t mac[6];
    for (unsigned i = 0; i < 200; i++) {
        ck_assert_int_eq(lan_port_add(lan, &port, IP(1000), 0, bell), 0);
        ck_assert_int_eq(lan_port_shape(&port, &slow, &slow), 0);
        lan_port_mac(&port, mac);
        for (unsigned k = 0; k < 20; k++)
            send_to(&a, mac, IP(1));
        lan_port_mac(&a, mac);
        for (unsigned k = 0; k < 20; k++)
            send_to(&port, mac, IP(1000));
        host_poll(NULL, 0, i % 3 * 1000000);
        if (i % 2)
            ck_assert_int_eq(lan_port_shape(&port, NULL, NULL), 0);
        lan_port_remove(&port);
    }
    drain(&a);
}
END_TEST

/* Threads: each frame arrives once, or is counted. */

struct sender {
    struct host_thread thread;
    struct lan_port port;
    uint8_t to[6];
    unsigned got;
};

#define ROUNDS 200000u

static void exchange(void *opaque)
{
    struct sender *s = opaque;
    for (unsigned i = 0; i < ROUNDS; i++) {
        send_to(&s->port, s->to, s->port.ip);
        if (i % 16 == 0)
            s->got += drain(&s->port);
    }
}

START_TEST(nothing_is_lost_between_threads)
{
    static struct sender s[4];
    struct lan_counters counters;
    unsigned got = 0;
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(lan_port_add(lan, &s[i].port, IP(1000 + i), 0, bell), 0);
    for (unsigned i = 0; i < 4; i++) {
        s[i].got = 0;
        lan_port_mac(&s[(i + 1) % 4].port, s[i].to);
        ck_assert_int_eq(host_thread_start(&s[i].thread, "sender", exchange, &s[i]), 0);
    }
    for (unsigned i = 0; i < 300; i++) { /* meanwhile ports come and go */
        struct lan_port port;
        ck_assert_int_eq(lan_port_add(lan, &port, IP(2000), 0, bell), 0);
        send_to(&port, s[0].to, IP(2000));
        lan_port_remove(&port);
    }
    for (unsigned i = 0; i < 4; i++)
        host_thread_join(&s[i].thread);
    for (unsigned i = 0; i < 4; i++)
        got += s[i].got + drain(&s[i].port);
    lan_count(lan, &counters);
    ck_assert_uint_eq(counters.frames, 4 * ROUNDS + 300);
    ck_assert_uint_eq(got + counters.dropped, 4 * ROUNDS + 300);
    for (unsigned i = 0; i < 4; i++)
        lan_port_remove(&s[i].port);
}
END_TEST

/* DHCP. */

#define DHCP_BYTES 300u

static void dhcp_ask(struct lan_port *from, uint8_t type, uint32_t wanted)
{
    uint8_t frame[14 + 28 + DHCP_BYTES] = {0}, mac[6];
    static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63, 0, 53, 1};
    lan_port_mac(from, mac);
    make(frame, all, mac, 0);
    frame[14] = 0x45;
    frame[23] = 17;
    put_ip(frame + 30, UINT32_MAX);
    frame[35] = 68;
    frame[37] = 67;
    uint8_t *bootp = frame + 42;
    bootp[0] = bootp[1] = 1;
    bootp[2] = 6;
    put_ip(bootp + 4, 0x12345678);
    memcpy(bootp + 28, mac, 6);
    memcpy(bootp + 236, cookie, sizeof(cookie));
    bootp[243] = type;
    bootp[244] = 50;
    bootp[245] = 4;
    put_ip(bootp + 246, wanted);
    bootp[250] = 255;
    lan_send(from, frame, sizeof(frame));
}

/* Type of the answer that waits, 0: none; the address that it gives. */
static unsigned dhcp_hear(struct lan_port *port, uint32_t *ip)
{
    uint8_t frame[NET_FRAME_MAX], mac[6];
    size_t len = lan_receive(port, frame, sizeof(frame));
    if (!len)
        return 0;
    lan_port_mac(port, mac);
    ck_assert_mem_eq(frame, mac, 6);
    ck_assert_uint_ge(len, 42 + DHCP_BYTES);
    ck_assert_uint_eq(frame[42 + 4] << 8 | frame[42 + 5], 0x1234);
    *ip = (uint32_t)frame[58] << 24 | (uint32_t)frame[59] << 16 | (uint32_t)frame[60] << 8 |
          frame[61];
    ck_assert_uint_eq(frame[42 + 240], 53);
    return frame[42 + 242];
}

START_TEST(dhcp)
{
    struct lan *net;
    struct lan_port port, second, out;
    uint32_t ip = 0;
    const struct lan_subnet subnet = {IP(0x100), IP(0x101), IP(0x102), 24};
    const struct lan_subnet bad[] = {{IP(1), 0, 0, 24}, {IP(0), IP(0x200), 0, 24}, {0, 0, 0, 31}};
    ck_assert_int_eq(lan_create(&net), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(lan_set_subnet(net, &bad[i]), -EINVAL);
    ck_assert_int_eq(lan_set_subnet(net, &subnet), 0);
    ck_assert_int_eq(lan_port_add(net, &out, 0, LAN_UPLINK, bell), 0);
    ck_assert_int_eq(lan_port_add(net, &port, IP(0x101), 0, bell), -EEXIST);
    ck_assert_int_eq(lan_port_add(net, &port, IP(0x1ff), 0, bell), -EEXIST);
    ck_assert_int_eq(lan_port_add(net, &port, IP(0x201), 0, bell), -ERANGE);
    ck_assert_int_eq(lan_port_add(net, &port, LAN_ANY_IP, 0, bell), 0);
    ck_assert_int_eq(lan_port_add(net, &second, LAN_ANY_IP, 0, bell), 0);
    ck_assert_uint_eq(port.ip, IP(0x103));
    ck_assert_uint_eq(second.ip, IP(0x104));
    dhcp_ask(&port, 1, 0);
    ck_assert_uint_eq(dhcp_hear(&port, &ip), 2);
    ck_assert_uint_eq(ip, port.ip);
    dhcp_ask(&port, 3, port.ip);
    ck_assert_uint_eq(dhcp_hear(&port, &ip), 5);
    dhcp_ask(&port, 3, second.ip); /* another's address is not to be had */
    ck_assert_uint_eq(dhcp_hear(&port, &ip), 6);
    ck_assert_uint_eq(ip, 0);
    ck_assert_uint_eq(drain(&out) + drain(&second), 0);
    lan_port_remove(&port);
    lan_port_remove(&second);
    for (unsigned i = 0; i < 300; i++) { /* all addresses of a small net, again and again */
        ck_assert_int_eq(lan_port_add(net, &port, LAN_ANY_IP, 0, bell), 0);
        lan_port_remove(&port);
    }
    lan_port_remove(&out);
    lan_destroy(net);
}
END_TEST

/* Whatever a guest sends: nothing but itself suffers. */
START_TEST(random_frames)
{
    struct lan *net;
    struct lan_port port, second, out;
    const struct lan_subnet subnet = {IP(0x100), IP(0x101), IP(0x102), 24};
    uint8_t frame[NET_FRAME_MAX], got[NET_FRAME_MAX];
    ck_assert_int_eq(lan_create(&net), 0);
    ck_assert_int_eq(lan_set_subnet(net, &subnet), 0);
    ck_assert_int_eq(lan_port_add(net, &out, 0, LAN_UPLINK, bell), 0);
    ck_assert_int_eq(lan_port_add(net, &port, LAN_ANY_IP, 0, bell), 0);
    ck_assert_int_eq(lan_port_add(net, &second, LAN_ANY_IP, 0, bell), 0);
    srand(9);
    for (unsigned i = 0; i < 300000; i++) {
        size_t len = 14 + (size_t)rand() % (i % 4 ? 320 : NET_FRAME_MAX - 13);
        for (size_t k = 0; k < len; k++)
            frame[k] = (uint8_t)rand();
        lan_port_mac(i % 3 ? &port : &second, frame); /* mostly what gets far */
        if (i % 5)
            memset(frame, 0xff, 6);
        lan_port_mac(&port, frame + 6);
        static const uint8_t head[] = {8, 0, 0x45};
        memcpy(frame + 12, head, sizeof(head));
        if (i % 2 && len >= 282) {
            frame[20] = frame[21] = frame[34] = frame[36] = 0;
            frame[23] = 17;
            frame[35] = 68;
            frame[37] = 67;
            memset(frame + 26, 0, 4);
            static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63, 53, 1};
            frame[42] = frame[43] = 1;
            frame[44] = 6;
            memcpy(frame + 278, cookie, len >= 284 ? 6 : 4);
            if (len > 284)
                frame[284] = (uint8_t)(rand() % 10);
        } else if (len >= 42) {
            static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
            memcpy(frame + 12, arp, i % 7 ? sizeof(arp) : 2);
        }
        lan_send(&port, frame, len);
        len = lan_receive(&second, got, sizeof(got));
        ck_assert(!len || !memcmp(got + 6, frame + 6, 6));
        drain(&port);
        drain(&out);
    }
    struct lan_counters counters;
    lan_count(net, &counters);
    ck_assert_uint_gt(counters.dhcp, 1000);
    ck_assert_uint_gt(counters.forged, 10000);
    lan_port_remove(&port);
    lan_port_remove(&second);
    lan_port_remove(&out);
    lan_destroy(net);
}
END_TEST

/* Tables grow on the way; each port is found by its address and by its MAC. */
START_TEST(ports_in_thousands)
{
    enum { PORTS = 10000 };
    struct lan_port *port = calloc(PORTS, sizeof(*port));
    uint8_t mac[6], found[6];
    ck_assert_ptr_nonnull(port);
    for (uint32_t i = 0; i < PORTS; i++)
        ck_assert_int_eq(lan_port_add(lan, &port[i], IP(100 + i), 0, bell), 0);
    for (uint32_t i = 0; i < PORTS; i++) {
        lan_port_mac(&port[i], mac);
        ck_assert(lan_find(lan, IP(100 + i), found));
        ck_assert_mem_eq(mac, found, 6);
    }
    for (uint32_t i = 0; i < PORTS; i++)
        lan_port_remove(&port[i]);
    free(port);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switch");
    TCase *tc = tcase_create("switch");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, unicast);
    tcase_add_test(tc, ports_in_thousands);
    tcase_add_test(tc, strangers_and_broadcast);
    tcase_add_test(tc, arp_reaches_its_owner_only);
    tcase_add_test(tc, no_forgery);
    tcase_add_test(tc, overload_costs_only_the_slow);
    tcase_add_test(tc, many_ports);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, no_other_protocols);
    tcase_add_test(tc, what_one_sender_holds_is_bounded);
    tcase_add_test(tc, a_full_queue_is_shared);
    tcase_add_test(tc, a_flood_does_not_use_up_a_share);
    tcase_add_test(tc, floods_are_rationed);
    tcase_add_test(tc, uplinks_do_not_lead_to_uplinks);
    tcase_add_test(tc, numbers_come_back);
    tcase_add_test(tc, delay_both_ways);
    tcase_add_test(tc, a_rate_loses_what_is_too_much);
    tcase_add_test(tc, wires_end_with_their_port);
    tcase_add_test(tc, nothing_is_lost_between_threads);
    tcase_add_test(tc, dhcp);
    tcase_add_test(tc, random_frames);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
