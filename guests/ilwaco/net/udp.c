/* SPDX-License-Identifier: MIT */
/* UDP (RFC 768): which socket a datagram is for, and datagrams out. */
#include "guests/ilwaco/net/internal.h"

/* How well a socket fits a datagram; 0: not at all. */
static unsigned udp_match(const struct net_sock *sk, const struct net_addr *to,
                          const struct net_addr *from)
{
    if (sk->local.port != to->port)
        return 0;
    if (sk->local.ip && sk->local.ip != to->ip)
        return 0;
    if (sk->connected && (sk->remote.ip != from->ip || sk->remote.port != from->port))
        return 0;
    return 1 + (sk->local.ip ? 1 : 0) + (sk->connected ? 2 : 0);
}

static struct net_sock *udp_find(struct netstack *ns, const struct net_addr *to,
                                 const struct net_addr *from)
{
    struct net_sock *best = NULL;
    unsigned best_match = 0;
    for (struct list *i = ns->udp.next; i != &ns->udp; i = i->next) {
        struct net_sock *sk = LIST_ITEM(i, struct net_sock, node);
        unsigned match = udp_match(sk, to, from);
        if (match > best_match) {
            best_match = match;
            best = sk;
        }
    }
    return best;
}

static void udp_deliver(struct net_sock *sk, const struct net_addr *from, const struct ip_in *in,
                        uint32_t len)
{
    dgram_deliver(CONTAINER_OF(sk, struct dgram_sock, sk), from, in->data + UDP_LEN, len, NULL, 0);
}

static void udp_deliver_all(struct netstack *ns, const struct net_addr *to,
                            const struct net_addr *from, const struct ip_in *in, uint32_t len)
{
    for (struct list *i = ns->udp.next; i != &ns->udp; i = i->next) {
        struct net_sock *sk = LIST_ITEM(i, struct net_sock, node);
        if (udp_match(sk, to, from))
            udp_deliver(sk, from, in, len);
    }
}

static bool udp_valid(const struct ip_in *in)
{
    const struct udp_head *head = (const struct udp_head *)in->data;
    if (in->len < UDP_LEN || be16(head->len) < UDP_LEN || be16(head->len) > in->len)
        return false;
    uint32_t len = be16(head->len);
    uint32_t pseudo = wire_pseudo(in->head->src, in->head->dst, NET_UDP, len);
    return !head->checksum || !wire_fold(wire_sum(in->data, len, pseudo));
}

void udp_input(struct netstack *ns, const struct ip_in *in)
{
    const struct udp_head *head = (const struct udp_head *)in->data;
    if (!udp_valid(in))
        return;
    struct net_addr from = {in->src, be16(head->src)}, to = {in->dst, be16(head->dst)};
    uint32_t len = be16(head->len) - UDP_LEN;
    if (to.port == 68 && from.port == 67 && ns->dhcp.state != DHCP_OFF && !in->loop) {
        dhcp_input(ns, in->data + UDP_LEN, len);
        return;
    }
    if (!ns->info.addr && !in->loop)
        return;
    if (in->broadcast) {
        udp_deliver_all(ns, &to, &from, in, len);
        return;
    }
    struct net_sock *sk = udp_find(ns, &to, &from);
    if (sk)
        udp_deliver(sk, &from, in, len);
    else
        icmp_unreachable(ns, in, 3);
}

void udp_failed(struct netstack *ns, uint32_t src, uint32_t dst, const uint8_t *data, int error)
{
    const struct udp_head *head = (const struct udp_head *)data;
    struct net_addr ours = {src, be16(head->src)}, theirs = {dst, be16(head->dst)};
    struct net_sock *sk = udp_find(ns, &ours, &theirs);
    if (sk && sk->connected)
        sock_error(sk, error);
}

int udp_send_raw(struct netstack *ns, const struct net_addr *from, const struct net_addr *to,
                 const void *data, size_t len, uint8_t ttl, uint8_t tos)
{
    struct ip_out out = {
        .src = from->ip, .dst = to->ip, .protocol = NET_UDP, .ttl = ttl, .tos = tos};
    size_t all = UDP_LEN + len;
    bool big = all > ip_room(ns, to->ip);
    uint8_t *packet = big ? pool_pages(&ns->pool, FRAGMENT_PAGES) : frame_payload(ns);
    if (!packet)
        return -ENOBUFS;
    struct udp_head *head = (struct udp_head *)packet;
    if (data != packet + UDP_LEN)
        memmove(packet + UDP_LEN, data, len);
    *head = (struct udp_head){be16(from->port), be16(to->port), be16((uint16_t)all), 0};
    uint32_t pseudo = wire_pseudo(be32(from->ip), be32(to->ip), NET_UDP, all);
    uint16_t sum = wire_fold(wire_sum(packet, all, pseudo));
    head->checksum = sum ? sum : 0xffff;
    int err = big ? ip_send_bytes(ns, &out, packet, all) : ip_send(ns, &out, all);
    if (big)
        pool_pages_free(&ns->pool, packet, FRAGMENT_PAGES);
    return err;
}
