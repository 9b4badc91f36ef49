/* SPDX-License-Identifier: MIT */
/*
 * IPv4 (RFC 791, 1122) for one interface and loopback; a host, not a router.
 *
 * A packet that claims to come from where it cannot (ourselves, a broadcast
 * address, 127/8 on the wire) or that carries a source route is dropped before
 * anybody looks at its payload.
 */
#include "guests/ilwaco/net/internal.h"

#define IP_TTL 64
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LSRR 131
#define OPTION_SSRR 137

bool ip_is_local(const struct netstack *ns, uint32_t ip)
{
    return ip_is_loopback(ip) || (ip && ip == ns->info.addr);
}

bool ip_is_broadcast(const struct netstack *ns, uint32_t ip)
{
    return ip == 0xffffffffu ||
           (ns->info.addr && ns->info.mask < 0xfffffffeu && ip == (ns->info.addr | ~ns->info.mask));
}

/* The neighbour that leads to `dst`; 0: none. */
static uint32_t ip_hop(const struct netstack *ns, uint32_t dst)
{
    if (ip_is_broadcast(ns, dst) || ip_is_multicast(dst))
        return ns->info.mtu ? dst : 0;
    if (!ns->info.addr)
        return 0;
    return (dst & ns->info.mask) == (ns->info.addr & ns->info.mask) ? dst : ns->info.gateway;
}

uint32_t ip_source(const struct netstack *ns, uint32_t dst)
{
    if (ip_is_local(ns, dst))
        return dst;
    return ip_hop(ns, dst) ? ns->info.addr : 0;
}

void ip_doubt(struct netstack *ns, uint32_t dst)
{
    if (!ip_is_local(ns, dst))
        arp_doubt(ns, ip_hop(ns, dst));
}

uint32_t ip_room(const struct netstack *ns, uint32_t dst)
{
    return (ip_is_local(ns, dst) ? NET_MTU_MAX : ns->info.mtu) - IP_LEN;
}

/* ---- out ---- */

/* Sends what lies at frame_payload; `fragment` and `id` are as the head has them. */
static int ip_emit(struct netstack *ns, const struct ip_out *out, size_t len, uint16_t fragment,
                   uint16_t id)
{
    struct ip_head *head = (struct ip_head *)frame_ip(ns);
    *head = (struct ip_head){
        .version_ihl = 0x45,
        .tos = out->tos,
        .total_len = be16((uint16_t)(IP_LEN + len)),
        .id = be16(id),
        .fragment = be16(fragment),
        .ttl = out->ttl ? out->ttl : IP_TTL,
        .protocol = out->protocol,
        .src = be32(out->src),
        .dst = be32(out->dst),
    };
    head->checksum = wire_fold(wire_sum(head, sizeof *head, 0));
    if (ip_is_local(ns, out->dst))
        return loopback_send(ns, IP_LEN + len);
    uint32_t hop = ip_hop(ns, out->dst);
    if (!hop)
        return -ENETUNREACH;
    return arp_send(ns, hop, ip_is_broadcast(ns, out->dst), IP_LEN + len);
}

int ip_send(struct netstack *ns, const struct ip_out *out, size_t len)
{
    if (len > ip_room(ns, out->dst))
        return -EMSGSIZE;
    return ip_emit(ns, out, len, out->whole ? IP_DF : 0, ns->ip_id++);
}

int ip_send_bytes(struct netstack *ns, const struct ip_out *out, const void *payload, size_t len)
{
    const uint8_t *from = payload;
    size_t room = ip_room(ns, out->dst), at = 0;
    if (len > 65535 - IP_LEN || (out->whole && len > room))
        return -EMSGSIZE;
    if (len <= room) {
        memcpy(frame_payload(ns), from, len);
        return ip_send(ns, out, len);
    }
    uint16_t id = ns->ip_id++;
    int err = 0;
    room &= ~(size_t)7;
    while (!err && at < len) {
        size_t part = len - at < room ? len - at : room;
        uint16_t more = at + part < len ? IP_MF : 0;
        memcpy(frame_payload(ns), from + at, part);
        err = ip_emit(ns, out, part, (uint16_t)(more | at / 8), id);
        at += part;
    }
    return err;
}

/* ---- in ---- */

static bool option_is_route(const uint8_t *option, size_t len)
{
    while (len && *option != OPTION_END) {
        size_t step = *option == OPTION_NOP ? 1 : len > 1 ? option[1] : 0;
        if (*option == OPTION_LSRR || *option == OPTION_SSRR)
            return true;
        if (!step || step > len || (step == 1 && *option != OPTION_NOP))
            return true; /* malformed: no better */
        option += step;
        len -= step;
    }
    return false;
}

static bool source_is_possible(const struct netstack *ns, const struct ip_in *in)
{
    if (ip_is_broadcast(ns, in->src) || ip_is_multicast(in->src) || in->src >> 28 == 15)
        return false;
    if (in->loop)
        return true;
    if (ip_is_local(ns, in->src) || ip_is_loopback(in->dst))
        return false;
    return in->src || in->protocol == NET_UDP;
}

static bool destination_is_us(const struct netstack *ns, struct ip_in *in)
{
    in->broadcast = ip_is_broadcast(ns, in->dst) || ip_is_multicast(in->dst);
    if (in->loop || in->broadcast || in->dst == ns->info.addr)
        return true;
    /* A DHCP server may use the address that it is about to give. */
    return !ns->info.addr && in->protocol == NET_UDP && ns->dhcp.state != DHCP_OFF;
}

void ip_deliver(struct netstack *ns, struct ip_in *in)
{
    if (in->protocol == NET_ICMP)
        raw_input(ns, in);
    if (in->protocol == NET_TCP)
        tcp_input(ns, in);
    else if (in->protocol == NET_UDP)
        udp_input(ns, in);
    else if (in->protocol == NET_ICMP)
        icmp_input(ns, in);
    else
        icmp_unreachable(ns, in, 2);
}

void ip_input(struct netstack *ns, const uint8_t *data, size_t len, bool loop)
{
    const struct ip_head *head = (const struct ip_head *)data;
    if (len < IP_LEN || head->version_ihl >> 4 != 4)
        return;
    size_t head_len = (head->version_ihl & 15u) * 4, total = be16(head->total_len);
    if (head_len < IP_LEN || total < head_len || total > len)
        return;
    if (wire_fold(wire_sum(data, head_len, 0)) || option_is_route(data + IP_LEN, head_len - IP_LEN))
        return;
    struct ip_in in = {
        .head = head,
        .src = be32(head->src),
        .dst = be32(head->dst),
        .data = data + head_len,
        .len = (uint32_t)(total - head_len),
        .protocol = head->protocol,
        .ttl = head->ttl,
        .tos = head->tos,
        .loop = loop,
    };
    if (!destination_is_us(ns, &in) || !source_is_possible(ns, &in))
        return;
    if (be16(head->fragment) & (IP_MF | IP_OFFSET))
        fragments_input(ns, &in);
    else
        ip_deliver(ns, &in);
}

void ip_failed(struct netstack *ns, const uint8_t *packet, size_t len, int error, uint32_t mtu)
{
    const struct ip_head *head = (const struct ip_head *)packet;
    if (len < IP_LEN + 8 || head->version_ihl >> 4 != 4)
        return;
    size_t head_len = (head->version_ihl & 15u) * 4;
    if (head_len < IP_LEN || len < head_len + 8 || be16(head->fragment) & IP_OFFSET)
        return;
    uint32_t src = be32(head->src), dst = be32(head->dst);
    if (!ip_is_local(ns, src))
        return;
    if (head->protocol == NET_TCP)
        tcp_failed(ns, src, dst, packet + head_len, error, mtu);
    else if (head->protocol == NET_UDP)
        udp_failed(ns, src, dst, packet + head_len, error);
}
