/* SPDX-License-Identifier: MIT */
/*
 * Ports are found by number (an array; the number is part of the MAC) and by
 * address (a hash table of chains through the ports). A number that becomes free
 * rests behind QUARANTINE others before it is given out again, so that a late frame
 * does not reach a stranger.
 */
#include "denali/lan/switch_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024u
#define QUARANTINE 4096u
#define MAX_NUMBERS (1u << 24)

/* Locally administered; the LAN's tag and the port's number follow. */
static const uint8_t mac_prefix[2] = {0x02, 0x44};

static int init_locks(struct lan *lan)
{
    unsigned lanes = 0, stripes = 0;
    int err = 0;
    while (!err && lanes < LANES)
        err = host_lock_init(&lan->lane[lanes++].lock);
    while (!err && stripes < STRIPES)
        err = host_lock_init(&lan->stripe[stripes++].lock);
    if (!err)
        err = lan_ticks_init(&lan->ticks);
    if (!err)
        return 0;
    while (lanes)
        host_lock_fini(&lan->lane[--lanes].lock);
    while (stripes)
        host_lock_fini(&lan->stripe[--stripes].lock);
    return err;
}

int lan_create(struct lan **out)
{
    struct lan *lan = aligned_alloc(_Alignof(struct lan), sizeof(*lan));
    if (!lan)
        return -ENOMEM;
    memset(lan, 0, sizeof(*lan));
    lan->buckets = FIRST_BUCKETS;
    lan->by_ip = calloc(lan->buckets, sizeof(struct lan_port *));
    int err = lan->by_ip ? init_locks(lan) : -ENOMEM;
    if (err) {
        free(lan->by_ip);
        free(lan);
        return err;
    }
    *out = lan;
    return 0;
}

void lan_destroy(struct lan *lan)
{
    if (!lan)
        return;
    BUG_ON(lan->present, "ports are removed before their switch is destroyed");
    lan_ticks_fini(&lan->ticks);
    for (unsigned i = 0; i < LANES; i++)
        host_lock_fini(&lan->lane[i].lock);
    for (unsigned i = 0; i < STRIPES; i++)
        host_lock_fini(&lan->stripe[i].lock);
    free(lan->port);
    free(lan->rest);
    free(lan->by_ip);
    free(lan);
}

void lan_enter_all(struct lan *lan)
{
    for (unsigned i = 0; i < LANES; i++)
        host_lock_enter(&lan->lane[i].lock);
}

void lan_leave_all(struct lan *lan)
{
    for (unsigned i = LANES; i-- > 0;)
        host_lock_leave(&lan->lane[i].lock);
}

void lan_set_tag(struct lan *lan, uint8_t tag)
{
    BUG_ON(lan->present, "a LAN gets its tag before its ports");
    lan->tag = tag;
}

void lan_set_pressure(struct lan *lan, unsigned (*pressure)(const struct lan_port *port))
{
    atomic_store_explicit(&lan->pressure, pressure, memory_order_relaxed);
}

static uint32_t host_bits(const struct lan_subnet *s)
{
    return (1u << (32 - s->prefix)) - 1;
}

static bool is_inside(const struct lan_subnet *s, uint32_t ip)
{
    return (ip & ~host_bits(s)) == s->net;
}

int lan_set_subnet(struct lan *lan, const struct lan_subnet *s)
{
    BUG_ON(lan->present, "a LAN gets its subnet before its ports");
    if (s->prefix < 8 || s->prefix > 30 || (s->net & host_bits(s)) ||
        (s->gateway && !is_inside(s, s->gateway)))
        return -EINVAL;
    lan->subnet = *s;
    lan->next_ip = s->net + 1;
    return 0;
}

/* Addresses. */

static struct lan_port **bucket_at(const struct lan *lan, uint32_t ip)
{
    return &lan->by_ip[(ip * 0x9e3779b1u >> 7) & (lan->buckets - 1)];
}

struct lan_port *lan_port_by_ip(const struct lan *lan, uint32_t ip)
{
    struct lan_port *port = ip ? *bucket_at(lan, ip) : NULL;
    while (port && port->ip != ip)
        port = port->same_ip;
    return port;
}

static struct lan_port **chain_of(struct lan *lan, const struct lan_port *port)
{
    return port->ip ? bucket_at(lan, port->ip) : &lan->unnamed;
}

static void insert_ip(struct lan *lan, struct lan_port *port)
{
    struct lan_port **head = chain_of(lan, port);
    port->same_ip = *head;
    *head = port;
}

static void remove_ip(struct lan *lan, struct lan_port *port)
{
    struct lan_port **at = chain_of(lan, port);
    while (*at != port)
        at = &(*at)->same_ip;
    *at = port->same_ip;
}

/* Chains stay short; without memory they only become longer. */
static void grow_buckets(struct lan *lan)
{
    struct lan_port **bigger = calloc((size_t)lan->buckets * 4, sizeof(struct lan_port *));
    if (!bigger)
        return;
    free(lan->by_ip);
    lan->by_ip = bigger;
    lan->buckets *= 4;
    for (uint32_t i = 0; i < lan->ports; i++) {
        if (lan->port[i] && lan->port[i]->ip)
            insert_ip(lan, lan->port[i]);
    }
}

static bool is_reserved(const struct lan_subnet *s, uint32_t ip)
{
    return s->prefix &&
           (ip == s->net || ip == (s->net | host_bits(s)) || ip == s->gateway || ip == s->dns);
}

static int check_ip(const struct lan *lan, uint32_t ip)
{
    if (!ip)
        return 0;
    if (lan->subnet.prefix && !is_inside(&lan->subnet, ip))
        return -ERANGE;
    return is_reserved(&lan->subnet, ip) || lan_port_by_ip(lan, ip) ? -EEXIST : 0;
}

/* The next free one, after the one that was given out last. */
static int pick_ip(struct lan *lan, uint32_t *ip)
{
    const struct lan_subnet *s = &lan->subnet;
    for (uint32_t tries = s->prefix ? host_bits(s) : 0; tries; tries--) {
        *ip = lan->next_ip;
        lan->next_ip = s->net | ((lan->next_ip + 1) & host_bits(s));
        if (!check_ip(lan, *ip))
            return 0;
    }
    return -EADDRNOTAVAIL;
}

bool lan_find(struct lan *lan, uint32_t ip, uint8_t mac[6])
{
    host_lock_enter(&lan->lane[0].lock);
    const struct lan_port *port = lan_port_by_ip(lan, ip);
    if (port)
        lan_port_mac(port, mac);
    host_lock_leave(&lan->lane[0].lock);
    return port != NULL;
}

bool lan_is_own_mac(const struct lan *lan, const uint8_t *mac)
{
    return !memcmp(mac, mac_prefix, sizeof(mac_prefix)) && mac[2] == lan->tag;
}

struct lan_port *lan_port_by_mac(const struct lan *lan, const uint8_t *mac)
{
    uint32_t number = lan_get32(mac + 2) & (MAX_NUMBERS - 1);
    return lan_is_own_mac(lan, mac) && number < lan->ports ? lan->port[number] : NULL;
}

void lan_port_mac(const struct lan_port *port, uint8_t mac[6])
{
    memcpy(mac, mac_prefix, sizeof(mac_prefix));
    mac[2] = port->lan->tag;
    for (unsigned i = 0; i < 3; i++)
        mac[3 + i] = (uint8_t)(port->number >> (16 - 8 * i));
}

/* Ports. */

static int grow_arrays(struct lan *lan)
{
    uint32_t room = lan->room ? 2 * lan->room : 64;
    struct lan_port **port = realloc(lan->port, room * sizeof(struct lan_port *));
    lan->port = port ? port : lan->port;
    uint32_t *rest = realloc(lan->rest, room * sizeof(*rest));
    lan->rest = rest ? rest : lan->rest;
    if (!port || !rest)
        return -ENOMEM;
    /* The ring of resting numbers begins at 0 again. */
    for (uint32_t i = 0; i < lan->rest_first; i++)
        rest[lan->room + i] = rest[i];
    if (lan->rest_first)
        memmove(rest, rest + lan->rest_first, lan->room * sizeof(*rest));
    lan->rest_first = 0;
    lan->room = room;
    return 0;
}

static int take_number(struct lan *lan, uint32_t *number)
{
    if (lan->resting > QUARANTINE || (lan->ports == MAX_NUMBERS && lan->resting)) {
        *number = lan->rest[lan->rest_first];
        lan->rest_first = (lan->rest_first + 1) % lan->room;
        lan->resting--;
        return 0;
    }
    int err = lan->ports == MAX_NUMBERS ? -ENOSPC : 0;
    if (!err && lan->ports == lan->room)
        err = grow_arrays(lan);
    if (!err) {
        *number = lan->ports++;
        lan->port[*number] = NULL; /* nobody's yet, for whoever goes through all of them */
    }
    return err;
}

static void rest_number(struct lan *lan, uint32_t number)
{
    lan->rest[(lan->rest_first + lan->resting++) % lan->room] = number;
}

/* Inside all lanes. */
static int add(struct lan *lan, struct lan_port *port)
{
    int err = port->ip == LAN_ANY_IP ? pick_ip(lan, &port->ip) : check_ip(lan, port->ip);
    if (!err)
        err = take_number(lan, &port->number);
    if (err)
        return err;
    if (lan->present >= 2 * lan->buckets)
        grow_buckets(lan);
    lan->port[port->number] = port;
    lan->present++;
    insert_ip(lan, port);
    return 0;
}

int lan_port_add(struct lan *lan, struct lan_port *port, uint32_t ip, unsigned flags,
                 void (*arrived)(struct lan_port *port))
{
    *port = (struct lan_port){.lan = lan, .arrived = arrived, .ip = ip, .flags = (uint16_t)flags};
    lan_enter_all(lan);
    int err = add(lan, port);
    lan_leave_all(lan);
    return err;
}

void lan_port_remove(struct lan_port *port)
{
    struct lan *lan = port->lan;
    lan_enter_all(lan);
    lan_frames_free(port);
    remove_ip(lan, port);
    lan->port[port->number] = NULL;
    rest_number(lan, port->number);
    lan->present--;
    if (port->shape)
        lan_shape_free(port->shape);
    if (port->account)
        lan_account_free(port->account, LAN_HOLDER);
    lan_leave_all(lan);
}

void lan_port_count(const struct lan_port *port, struct lan_port_counters *out)
{
    struct lan *lan = port->lan;
    host_lock_enter(&lan_lane_of(lan, port->number)->lock);
    host_lock_enter(&lan_stripe_of(lan, port->number)->lock);
    *out = port->counters;
    host_lock_leave(&lan_stripe_of(lan, port->number)->lock);
    host_lock_leave(&lan_lane_of(lan, port->number)->lock);
}

void lan_count(struct lan *lan, struct lan_counters *out)
{
    *out = (struct lan_counters){0};
    for (unsigned i = 0; i < LANES; i++) {
        struct lan_lane *lane = &lan->lane[i];
        host_lock_enter(&lane->lock);
        out->frames += lane->counters.frames;
        out->bytes += lane->counters.bytes;
        out->dropped += lane->counters.dropped;
        out->forged += lane->counters.forged;
        out->flooded += lane->counters.flooded;
        out->quenched += lane->counters.quenched;
        out->dhcp += lane->counters.dhcp;
        out->ports = lan->present;
        host_lock_leave(&lane->lock);
    }
}
