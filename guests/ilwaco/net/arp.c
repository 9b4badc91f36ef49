/* SPDX-License-Identifier: MIT */
/*
 * Neighbours (RFC 826) and the way out to them.
 *
 * Invariants: the table is fixed; entries that are being asked for hold at most
 * ARP_PENDING packets together (a burst of SYNs from one router must find room);
 * strangers' ARP packets refresh entries but make none unless they ask for us. A known address that
 * is past its time is still used while it is asked for again, so that traffic does not stop every
 * minute.
 */
#include "guests/ilwaco/net/internal.h"

#define ARP_TRUST (60 * NET_SECOND)
#define ARP_RETRY NET_SECOND
#define ARP_TRIES 3

static const uint8_t mac_all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t mac_none[6];

static int frame_out(struct netstack *ns, const void *frame, size_t len)
{
    int err = ns->host.output(ns->host.arg, frame, len);
    if (err) {
        ns->info.tx_dropped++;
        ns->output_full |= err == -EAGAIN;
        return err;
    }
    ns->info.tx_frames++;
    ns->info.tx_bytes += len;
    return 0;
}

static void arp_packet_out(struct netstack *ns, uint16_t op, const uint8_t *dst_mac,
                           const uint8_t *target_mac, uint32_t target_ip)
{
    struct {
        struct eth_head eth;
        struct arp_packet arp;
    } WIRE frame = {0};
    memcpy(frame.eth.dst, dst_mac, 6);
    memcpy(frame.eth.src, ns->info.mac, 6);
    frame.eth.type = be16(ETH_ARP);
    frame.arp.hardware = be16(1);
    frame.arp.protocol = be16(ETH_IP);
    frame.arp.hardware_len = 6;
    frame.arp.protocol_len = 4;
    frame.arp.op = be16(op);
    memcpy(frame.arp.sender_mac, ns->info.mac, 6);
    frame.arp.sender_ip = be32(ns->info.addr);
    memcpy(frame.arp.target_mac, target_mac, 6);
    frame.arp.target_ip = be32(target_ip);
    frame_out(ns, &frame, sizeof frame);
}

void arp_announce(struct netstack *ns)
{
    arp_packet_out(ns, ARP_REQUEST, mac_all, mac_none, ns->info.addr);
}

static struct arp_entry *arp_find(struct netstack *ns, uint32_t ip)
{
    for (unsigned i = 0; i < ARP_ENTRIES; i++)
        if (ns->arp[i].state != ARP_FREE && ns->arp[i].ip == ip)
            return &ns->arp[i];
    return NULL;
}

/* Takes the packet that waits longest, or NULL. */
static struct chunk *arp_take(struct netstack *ns, struct arp_entry *entry)
{
    struct chunk *packet = entry->first;
    if (!packet)
        return NULL;
    entry->first = packet->next;
    ns->arp_pending--;
    return packet;
}

/* Frees an entry; what waited for it is told if `error` is not 0. */
static void arp_release(struct netstack *ns, struct arp_entry *entry, int error)
{
    struct arp_entry old = *entry;
    struct chunk *packet;
    memset(entry, 0, sizeof *entry);
    while ((packet = arp_take(ns, &old))) {
        if (error)
            ip_failed(ns, packet->data, packet->number, error, 0);
        pool_free(&ns->pool, packet);
    }
}

/* A free entry, or the one that rests longest. */
static struct arp_entry *arp_new(struct netstack *ns, uint32_t ip)
{
    struct arp_entry *best = &ns->arp[0];
    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *e = &ns->arp[i];
        if (e->state == ARP_FREE || (best->state != ARP_FREE && e->used < best->used))
            best = e;
    }
    if (best->state != ARP_FREE)
        arp_release(ns, best, EHOSTUNREACH);
    best->ip = ip;
    best->used = ns->now;
    return best;
}

static void arp_ask(struct netstack *ns, struct arp_entry *entry)
{
    const uint8_t *to = entry->state == ARP_STALE && !entry->tries ? entry->mac : mac_all;
    entry->tries++;
    entry->until = ns->now + ARP_RETRY;
    arp_packet_out(ns, ARP_REQUEST, to, mac_none, entry->ip);
    timers_arm_by(&ns->timers, &ns->arp_timer, entry->until);
}

static bool arp_is_asked(const struct arp_entry *entry)
{
    return entry->state == ARP_ASKING || entry->state == ARP_STALE;
}

static void arp_turn(struct net_timer *timer)
{
    struct netstack *ns = CONTAINER_OF(timer, struct netstack, arp_timer);
    for (unsigned i = 0; i < ARP_ENTRIES; i++) {
        struct arp_entry *e = &ns->arp[i];
        if (!arp_is_asked(e))
            continue;
        if (e->until > ns->now)
            timers_arm_by(&ns->timers, timer, e->until);
        else if (e->tries >= ARP_TRIES)
            arp_release(ns, e, EHOSTUNREACH);
        else
            arp_ask(ns, e);
    }
}

void arp_init(struct netstack *ns)
{
    ns->arp_timer.fire = arp_turn;
}

void arp_forget(struct netstack *ns)
{
    for (unsigned i = 0; i < ARP_ENTRIES; i++)
        arp_release(ns, &ns->arp[i], 0);
    timers_cancel(&ns->timers, &ns->arp_timer);
}

static int arp_frame_out(struct netstack *ns, const uint8_t *mac, size_t len)
{
    struct eth_head *eth = (struct eth_head *)(ns->frame + 2);
    memcpy(eth->dst, mac, 6);
    memcpy(eth->src, ns->info.mac, 6);
    eth->type = be16(ETH_IP);
    return frame_out(ns, eth, ETH_LEN + len);
}

static void arp_wait(struct netstack *ns, struct arp_entry *entry, size_t len)
{
    struct chunk *packet = NULL;
    if (ns->arp_pending < ARP_PENDING)
        packet = pool_alloc(&ns->pool, &ns->chunks.chunks);
    if (!packet) {
        ns->info.tx_dropped++;
        return;
    }
    packet->number = (uint32_t)len;
    packet->next = NULL;
    memcpy(packet->data, frame_ip(ns), len);
    *(entry->first ? entry->last : &entry->first) = packet;
    entry->last = &packet->next;
    ns->arp_pending++;
}

/* Nobody is woken for an answer that has come. */
static void arp_rest(struct netstack *ns)
{
    for (unsigned i = 0; i < ARP_ENTRIES; i++)
        if (arp_is_asked(&ns->arp[i]))
            return;
    timers_cancel(&ns->timers, &ns->arp_timer);
}

static void arp_learn(struct netstack *ns, struct arp_entry *entry, const uint8_t *mac)
{
    struct chunk *packet;
    bool asked = arp_is_asked(entry);
    entry->state = ARP_KNOWN;
    entry->until = ns->now + ARP_TRUST;
    entry->tries = 0;
    memcpy(entry->mac, mac, 6);
    while ((packet = arp_take(ns, entry))) {
        memcpy(frame_ip(ns), packet->data, packet->number);
        arp_frame_out(ns, entry->mac, packet->number);
        pool_free(&ns->pool, packet);
    }
    if (asked)
        arp_rest(ns);
}

static bool arp_valid(const struct arp_packet *arp, size_t len)
{
    return len >= sizeof *arp && arp->hardware == be16(1) && arp->protocol == be16(ETH_IP) &&
           arp->hardware_len == 6 && arp->protocol_len == 4 && !(arp->sender_mac[0] & 1);
}

void arp_input(struct netstack *ns, const uint8_t *data, size_t len)
{
    const struct arp_packet *arp = (const struct arp_packet *)data;
    if (!arp_valid(arp, len) || !ns->info.addr)
        return;
    uint32_t sender = be32(arp->sender_ip);
    bool for_us = be32(arp->target_ip) == ns->info.addr;
    bool usable = sender && sender != ns->info.addr && !ip_is_broadcast(ns, sender) &&
                  (sender & ns->info.mask) == (ns->info.addr & ns->info.mask);
    struct arp_entry *entry = usable ? arp_find(ns, sender) : NULL;
    if (!entry && usable && for_us && arp->op == be16(ARP_REQUEST))
        entry = arp_new(ns, sender);
    if (entry)
        arp_learn(ns, entry, arp->sender_mac);
    if (for_us && arp->op == be16(ARP_REQUEST))
        arp_packet_out(ns, ARP_REPLY, arp->sender_mac, arp->sender_mac, sender);
}

void arp_doubt(struct netstack *ns, uint32_t hop)
{
    struct arp_entry *entry = arp_find(ns, hop);
    if (entry && entry->state == ARP_KNOWN)
        entry->until = ns->now;
}

static int arp_multicast(struct netstack *ns, uint32_t group, size_t len)
{
    uint8_t mac[6] = {0x01, 0x00, 0x5e, group >> 16 & 0x7f, group >> 8 & 0xff, group & 0xff};
    return arp_frame_out(ns, mac, len);
}

int arp_send(struct netstack *ns, uint32_t hop, bool broadcast, size_t len)
{
    if (broadcast)
        return arp_frame_out(ns, mac_all, len);
    if (ip_is_multicast(hop))
        return arp_multicast(ns, hop, len);
    struct arp_entry *entry = arp_find(ns, hop);
    if (!entry) {
        entry = arp_new(ns, hop);
        entry->state = ARP_ASKING;
        arp_wait(ns, entry, len);
        arp_ask(ns, entry);
        return 0;
    }
    entry->used = ns->now;
    if (entry->state == ARP_ASKING) {
        arp_wait(ns, entry, len);
        return 0;
    }
    if (entry->state == ARP_KNOWN && entry->until <= ns->now) {
        entry->state = ARP_STALE;
        arp_ask(ns, entry);
    }
    return arp_frame_out(ns, entry->mac, len);
}
