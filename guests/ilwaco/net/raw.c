/* SPDX-License-Identifier: MIT */
/*
 * ICMP for programs. A raw socket hears every ICMP packet, IP head included; a
 * ping socket hears the echo replies with its id (its port).
 */
#include "guests/ilwaco/net/internal.h"

static bool raw_wants(const struct net_sock *sk, const struct ip_in *in)
{
    const struct icmp_head *head = (const struct icmp_head *)in->data;
    if (sk->connected && sk->remote.ip != in->src)
        return false;
    if (sk->local.ip && sk->local.ip != in->dst)
        return false;
    if (sk->type == NET_RAW)
        return true;
    return head->type == ICMP_ECHO_REPLY && be16(head->id) == sk->local.port;
}

void raw_input(struct netstack *ns, const struct ip_in *in)
{
    struct net_addr from = {in->src, 0};
    uint32_t head_len = (in->head->version_ihl & 15u) * 4;
    if (in->len < ICMP_LEN || wire_fold(wire_sum(in->data, in->len, 0)))
        return;
    for (struct list *i = ns->raw.next; i != &ns->raw; i = i->next) {
        struct net_sock *sk = LIST_ITEM(i, struct net_sock, node);
        struct dgram_sock *d = CONTAINER_OF(sk, struct dgram_sock, sk);
        if (raw_wants(sk, in))
            dgram_deliver(d, &from, in->head, sk->type == NET_RAW ? head_len : 0, in->data,
                          in->len);
    }
}

int raw_send(struct dgram_sock *d, struct net_io *io, const struct net_addr *to)
{
    struct net_sock *sk = &d->sk;
    struct netstack *ns = sk->ns;
    struct ip_out out = {.src = sk->local.ip ? sk->local.ip : ip_source(ns, to->ip),
                         .dst = to->ip,
                         .protocol = NET_ICMP,
                         .ttl = sk->ttl,
                         .tos = sk->tos};
    size_t len = io->left;
    if (!out.src)
        return -ENETUNREACH;
    if (len > 65535 - IP_LEN)
        return -EMSGSIZE;
    if (len < ICMP_LEN)
        return -EINVAL;
    uint8_t *packet = pool_pages(&ns->pool, FRAGMENT_PAGES);
    if (!packet)
        return -ENOBUFS;
    struct icmp_head *head = (struct icmp_head *)packet;
    int err = io->copy(io, packet, len);
    if (!err && sk->type == NET_DGRAM) {
        err = head->type == ICMP_ECHO ? 0 : -EINVAL;
        head->id = be16(sk->local.port);
        head->checksum = 0;
        head->checksum = wire_fold(wire_sum(packet, len, 0));
    }
    if (!err)
        err = ip_send_bytes(ns, &out, packet, len);
    pool_pages_free(&ns->pool, packet, FRAGMENT_PAGES);
    return err;
}
