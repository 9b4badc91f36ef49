/* SPDX-License-Identifier: MIT */
/* The switch: who hears what, who may say what, and what happens when nobody listens. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "denali/switch.h"

#define IP(n) (0x0a000000u + (n))

static struct lan *lan;
static struct lan_port a, b, c, up;
static unsigned bells;

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
    ck_assert_uint_eq(drain(&b) + drain(&c) + drain(&up), 3);
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
    ck_assert_uint_eq(a.forged, 3);
    ck_assert_uint_eq(up.forged, 1);
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
    ck_assert_uint_eq(b.dropped, 50);
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

int main(void)
{
    Suite *suite = suite_create("switch");
    TCase *tc = tcase_create("switch");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, unicast);
    tcase_add_test(tc, strangers_and_broadcast);
    tcase_add_test(tc, arp_reaches_its_owner_only);
    tcase_add_test(tc, no_forgery);
    tcase_add_test(tc, overload_costs_only_the_slow);
    tcase_add_test(tc, many_ports);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
