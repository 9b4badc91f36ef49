/* SPDX-License-Identifier: MIT */
/*
 * Ports are found by number (an array; the number is part of the MAC) and by
 * address (a hash table of chains through the ports). One lock; a frame is
 * copied once, into the queue of the port that it is for, while it is held.
 */
#include "denali/switch.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Locally administered; the port's number follows. */
static const uint8_t mac_prefix[2] = {0x02, 0x44};

struct lan_frame {
    struct lan_frame *next;
    uint32_t len;
    uint8_t bytes[];
};

struct lan {
    struct host_lock lock;
    struct lan_port **port; /* by number; NULL: free */
    uint32_t ports, room;   /* numbers given out so far, and room in the array */
    uint32_t present;
    struct lan_port **by_ip;
    uint32_t buckets; /* a power of two */
    struct lan_counters counters;
};

#define FIRST_BUCKETS 1024u
#define FRAME_MIN 14u
#define ETH_IP 0x0800u
#define ETH_ARP 0x0806u
#define ARP_REQUEST 1u

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

int lan_create(struct lan **out)
{
    struct lan *lan = calloc(1, sizeof(*lan));
    if (!lan)
        return -ENOMEM;
    lan->buckets = FIRST_BUCKETS;
    lan->by_ip = calloc(lan->buckets, sizeof(*lan->by_ip));
    int err = lan->by_ip ? host_lock_init(&lan->lock) : -ENOMEM;
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
    host_lock_fini(&lan->lock);
    free(lan->port);
    free(lan->by_ip);
    free(lan);
}

/* Addresses. */

static struct lan_port **bucket_of(const struct lan *lan, uint32_t ip)
{
    return &lan->by_ip[(ip * 0x9e3779b1u >> 7) & (lan->buckets - 1)];
}

static struct lan_port *find_ip(const struct lan *lan, uint32_t ip)
{
    struct lan_port *port = ip ? *bucket_of(lan, ip) : NULL;
    while (port && port->ip != ip)
        port = port->same_ip;
    return port;
}

static void insert_ip(struct lan *lan, struct lan_port *port)
{
    struct lan_port **head = bucket_of(lan, port->ip);
    port->same_ip = *head;
    *head = port;
}

/* Chains stay short; without memory they only become longer. */
static void grow_buckets(struct lan *lan)
{
    struct lan_port **bigger = calloc((size_t)lan->buckets * 4, sizeof(*bigger));
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

static void remove_ip(struct lan *lan, struct lan_port *port)
{
    struct lan_port **at = bucket_of(lan, port->ip);
    while (*at != port)
        at = &(*at)->same_ip;
    *at = port->same_ip;
}

bool lan_find(struct lan *lan, uint32_t ip, uint8_t mac[6])
{
    host_lock_enter(&lan->lock);
    const struct lan_port *port = find_ip(lan, ip);
    if (port)
        lan_port_mac(port, mac);
    host_lock_leave(&lan->lock);
    return port != NULL;
}

/* Ports. */

static int make_room(struct lan *lan)
{
    if (lan->ports < lan->room)
        return 0;
    uint32_t room = lan->room ? 2 * lan->room : 64;
    struct lan_port **bigger = realloc(lan->port, room * sizeof(struct lan_port *));
    if (!bigger)
        return -ENOMEM;
    lan->port = bigger;
    lan->room = room;
    return 0;
}

/* Inside the lock. Numbers are not used again: a late frame cannot reach a stranger. */
static int add(struct lan *lan, struct lan_port *port)
{
    if (find_ip(lan, port->ip))
        return -EEXIST;
    int err = make_room(lan);
    if (err)
        return err;
    if (lan->present >= 2 * lan->buckets)
        grow_buckets(lan);
    port->number = lan->ports;
    lan->port[lan->ports++] = port;
    lan->present++;
    if (port->ip)
        insert_ip(lan, port);
    return 0;
}

int lan_port_add(struct lan *lan, struct lan_port *port, uint32_t ip, unsigned flags,
                 void (*arrived)(struct lan_port *port))
{
    *port = (struct lan_port){.lan = lan, .arrived = arrived, .ip = ip, .flags = (uint16_t)flags};
    host_lock_enter(&lan->lock);
    int err = add(lan, port);
    host_lock_leave(&lan->lock);
    return err;
}

/* Inside the lock. */
static struct lan_frame *take(struct lan_port *port)
{
    struct lan_frame *frame = port->first;
    if (!frame)
        return NULL;
    port->first = frame->next;
    port->queued--;
    return frame;
}

void lan_port_remove(struct lan_port *port)
{
    struct lan *lan = port->lan;
    struct lan_frame *frame;
    host_lock_enter(&lan->lock);
    while ((frame = take(port)))
        free(frame);
    if (port->ip)
        remove_ip(lan, port);
    lan->port[port->number] = NULL;
    lan->present--;
    host_lock_leave(&lan->lock);
}

void lan_port_mac(const struct lan_port *port, uint8_t mac[6])
{
    memcpy(mac, mac_prefix, sizeof(mac_prefix));
    for (unsigned i = 0; i < 4; i++)
        mac[2 + i] = (uint8_t)(port->number >> (24 - 8 * i));
}

/* Frames. */

static void drop(struct lan *lan, struct lan_port *port)
{
    port->dropped++;
    lan->counters.dropped++;
}

static void deliver(struct lan *lan, struct lan_port *port, const void *bytes, size_t len)
{
    struct lan_frame *frame = NULL;
    if (port->queued < SWITCH_QUEUE_MAX)
        frame = malloc(sizeof(*frame) + len);
    if (!frame) {
        drop(lan, port);
        return;
    }
    frame->next = NULL;
    frame->len = (uint32_t)len;
    memcpy(frame->bytes, bytes, len);
    if (port->first)
        port->last->next = frame;
    else
        port->first = frame;
    port->last = frame;
    if (!port->queued++)
        port->arrived(port);
}

/* To every port but the sender, or to the uplinks only. */
static void flood(struct lan *lan, const struct lan_port *from, const void *frame, size_t len,
                  bool uplinks)
{
    for (uint32_t i = 0; i < lan->ports; i++) {
        struct lan_port *port = lan->port[i];
        if (port && port != from && (!uplinks || (port->flags & LAN_UPLINK)))
            deliver(lan, port, frame, len);
    }
}

struct seen {
    const uint8_t *bytes;
    size_t len;
    uint16_t type;
};

static bool is_arp(const struct seen *f)
{
    return f->type == ETH_ARP && f->len >= FRAME_MIN + 28 && get16(f->bytes + 16) == ETH_IP;
}

/* The address in whose name a frame speaks; 0: in nobody's. */
static uint32_t speaks_for(const struct seen *f)
{
    if (f->type == ETH_IP && f->len >= FRAME_MIN + 20)
        return get32(f->bytes + FRAME_MIN + 12);
    return is_arp(f) ? get32(f->bytes + FRAME_MIN + 14) : 0;
}

static bool is_honest(const struct lan_port *port, const struct seen *f)
{
    uint8_t mac[6];
    if (port->flags & LAN_UPLINK)
        return memcmp(f->bytes + 6, mac_prefix, sizeof(mac_prefix)) != 0;
    lan_port_mac(port, mac);
    if (memcmp(f->bytes + 6, mac, 6))
        return false;
    if (is_arp(f) && memcmp(f->bytes + FRAME_MIN + 8, mac, 6))
        return false;
    uint32_t ip = speaks_for(f);
    return !port->ip || !ip || ip == port->ip;
}

static struct lan_port *find_mac(const struct lan *lan, const uint8_t *mac)
{
    uint32_t number = get32(mac + 2);
    return memcmp(mac, mac_prefix, sizeof(mac_prefix)) || number >= lan->ports ? NULL
                                                                               : lan->port[number];
}

static void forward(struct lan *lan, struct lan_port *from, const struct seen *f)
{
    struct lan_port *to = NULL;
    bool all = f->bytes[0] & 1;
    if (!all)
        to = find_mac(lan, f->bytes);
    else if (is_arp(f) && get16(f->bytes + 20) == ARP_REQUEST)
        to = find_ip(lan, get32(f->bytes + FRAME_MIN + 24));
    lan->counters.frames++;
    lan->counters.bytes += f->len;
    if (to && to != from) {
        deliver(lan, to, f->bytes, f->len);
    } else if (!to) {
        lan->counters.flooded += all;
        flood(lan, from, f->bytes, f->len, !all);
    }
}

void lan_send(struct lan_port *port, const void *frame, size_t len)
{
    struct lan *lan = port->lan;
    struct seen f = {frame, len, 0};
    if (len < FRAME_MIN || len > NET_FRAME_MAX)
        return;
    f.type = get16(f.bytes + 12);
    host_lock_enter(&lan->lock);
    if (is_honest(port, &f)) {
        forward(lan, port, &f);
    } else {
        port->forged++;
        lan->counters.forged++;
    }
    host_lock_leave(&lan->lock);
}

size_t lan_receive(struct lan_port *port, void *bytes, size_t room)
{
    struct lan *lan = port->lan;
    host_lock_enter(&lan->lock);
    struct lan_frame *frame = take(port);
    host_lock_leave(&lan->lock);
    if (!frame)
        return 0;
    size_t len = frame->len < room ? frame->len : room;
    memcpy(bytes, frame->bytes, len);
    free(frame);
    return len;
}

uint32_t lan_waits(const struct lan_port *port)
{
    return __atomic_load_n(&port->queued, __ATOMIC_SEQ_CST);
}

void lan_count(const struct lan *lan, struct lan_counters *out)
{
    *out = lan->counters;
}
