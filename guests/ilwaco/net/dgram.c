/* SPDX-License-Identifier: MIT */
/*
 * Datagram sockets: what UDP, ping and raw sockets share. The receive queue is a
 * stream of records, so small datagrams lie close together and rcvbuf bounds bytes.
 */
#include "guests/ilwaco/net/internal.h"

#define PORT_FIRST 32768
#define PORT_COUNT 28232 /* to 60999, as Linux has it */

static struct dgram_sock *dgram_of(const struct net_sock *sk)
{
    return CONTAINER_OF(sk, struct dgram_sock, sk);
}

static struct list *dgram_list(const struct net_sock *sk)
{
    return sk->protocol == NET_UDP ? &sk->ns->udp : &sk->ns->raw;
}

/* Whether another socket of the kind has the port, so that `sk` cannot. */
static bool port_taken(const struct net_sock *sk, const struct net_addr *addr)
{
    struct list *head = dgram_list(sk);
    for (struct list *i = head->next; i != head; i = i->next) {
        const struct net_sock *other = LIST_ITEM(i, struct net_sock, node);
        bool meet = !addr->ip || !other->local.ip || addr->ip == other->local.ip;
        if (other != sk && other->type == sk->type && other->local.port == addr->port && meet &&
            !(sk->reuse && other->reuse))
            return true;
    }
    return false;
}

static int dgram_bind(struct net_sock *sk, const struct net_addr *addr)
{
    struct net_addr a = *addr;
    if (sk->local.port)
        return -EINVAL;
    if (sk->type == NET_RAW) {
        sk->local.ip = a.ip;
        return 0;
    }
    if (a.port && port_taken(sk, &a))
        return -EADDRINUSE;
    for (unsigned tries = 0; !a.port; tries++) {
        if (tries == 64)
            return -EADDRINUSE;
        a.port = (uint16_t)(PORT_FIRST + ns_random(sk->ns) % PORT_COUNT);
        if (port_taken(sk, &a))
            a.port = 0;
    }
    sk->local = a;
    return 0;
}

static int dgram_autobind(struct net_sock *sk)
{
    struct net_addr any = {sk->local.ip, 0};
    return sk->local.port || sk->type == NET_RAW ? 0 : dgram_bind(sk, &any);
}

static int dgram_disconnect(struct net_sock *sk)
{
    sk->connected = false;
    sk->remote = (struct net_addr){0};
    return 0;
}

static int dgram_connect(struct net_sock *sk, const struct net_addr *addr)
{
    uint32_t ip = addr->ip ? addr->ip : NET_LOOPBACK;
    uint32_t source = ip_source(sk->ns, ip);
    if (!source)
        return -ENETUNREACH;
    if (ip_is_broadcast(sk->ns, ip) && !sk->broadcast)
        return -EACCES;
    int err = dgram_autobind(sk);
    if (err)
        return err;
    if (!sk->local.ip)
        sk->local.ip = source;
    sk->remote = (struct net_addr){ip, addr->port};
    sk->connected = true;
    return 0;
}

/* ---- sending ---- */

/* The datagram's head and body in one buffer, for what does not fit one frame. */
static int dgram_send_big(struct net_sock *sk, struct net_io *io, const struct net_addr *from,
                          const struct net_addr *to)
{
    size_t len = io->left;
    uint8_t *copy = pool_pages(&sk->ns->pool, FRAGMENT_PAGES);
    if (!copy)
        return -ENOBUFS;
    int err = io->copy(io, copy, len);
    if (!err)
        err = udp_send_raw(sk->ns, from, to, copy, len, sk->ttl, sk->tos);
    pool_pages_free(&sk->ns->pool, copy, FRAGMENT_PAGES);
    return err;
}

static int dgram_send_small(struct net_sock *sk, struct net_io *io, const struct net_addr *from,
                            const struct net_addr *to)
{
    size_t len = io->left;
    uint8_t *body = frame_payload(sk->ns) + UDP_LEN;
    int err = io->copy(io, body, len);
    return err ? err : udp_send_raw(sk->ns, from, to, body, len, sk->ttl, sk->tos);
}

static int udp_sock_send(struct net_sock *sk, struct net_io *io, const struct net_addr *to)
{
    struct net_addr from = sk->local;
    uint32_t source = ip_source(sk->ns, to->ip);
    if (!source)
        return -ENETUNREACH;
    if (!from.ip || ip_is_broadcast(sk->ns, from.ip) || ip_is_multicast(from.ip))
        from.ip = source;
    if (!to->port)
        return -EINVAL;
    if (io->left > 65535 - IP_LEN - UDP_LEN)
        return -EMSGSIZE;
    if (io->left + UDP_LEN <= ip_room(sk->ns, to->ip))
        return dgram_send_small(sk, io, &from, to);
    return dgram_send_big(sk, io, &from, to);
}

static int dgram_send(struct net_sock *sk, struct net_io *io, unsigned flags,
                      const struct net_addr *to)
{
    size_t len = io->left;
    (void)flags;
    int err = sock_take_error(sk);
    if (!err && sk->shut & NET_SHUT_OUT)
        err = -EPIPE;
    if (!err && !to && !sk->connected)
        err = -EDESTADDRREQ;
    if (err)
        return err;
    struct net_addr peer = to ? *to : sk->remote;
    if (!peer.ip)
        peer.ip = NET_LOOPBACK;
    if (ip_is_broadcast(sk->ns, peer.ip) && !sk->broadcast)
        return -EACCES;
    err = dgram_autobind(sk);
    if (!err)
        err = sk->protocol == NET_UDP ? udp_sock_send(sk, io, &peer)
                                      : raw_send(dgram_of(sk), io, &peer);
    /* A full NIC loses a datagram, as any router may. */
    return err && err != -EAGAIN ? err : (int)len;
}

/* ---- receiving ---- */

void dgram_deliver(struct dgram_sock *d, const struct net_addr *from, const void *a, uint32_t a_len,
                   const void *b, uint32_t b_len)
{
    struct dgram_head head = {*from, a_len + b_len};
    struct stream_pool *pool = &d->sk.ns->chunks;
    uint32_t end = d->queue.len;
    uint32_t all = (uint32_t)sizeof head + a_len + b_len;
    if (d->sk.shut & NET_SHUT_IN || all > d->sk.rcvbuf || end > d->sk.rcvbuf - all) {
        d->sk.ns->info.rx_dropped++;
        return;
    }
    if (!stream_write(pool, &d->queue, end, &head, sizeof head) ||
        !stream_write(pool, &d->queue, end + (uint32_t)sizeof head, a, a_len) ||
        !stream_write(pool, &d->queue, end + (uint32_t)sizeof head + a_len, b, b_len)) {
        stream_cut(pool, &d->queue);
        d->sk.ns->info.rx_dropped++;
        return;
    }
    stream_extend(&d->queue, all);
    sock_notify(&d->sk, NET_IN);
}

static int dgram_recv(struct net_sock *sk, struct net_io *io, unsigned flags, struct net_addr *from)
{
    struct dgram_sock *d = dgram_of(sk);
    struct dgram_head head;
    int err = sock_take_error(sk);
    if (err)
        return err;
    if (!d->queue.len)
        return sk->shut & NET_SHUT_IN ? 0 : -EAGAIN;
    stream_read(&d->queue, 0, &head, sizeof head);
    uint32_t n = head.len < io->left ? head.len : (uint32_t)io->left;
    err = stream_read_io(&d->queue, sizeof head, io, n);
    if (err)
        return err;
    if (from)
        *from = head.from;
    if (!(flags & NET_PEEK)) {
        stream_drop(&sk->ns->chunks, &d->queue, (uint32_t)sizeof head + head.len);
        if (!d->queue.len)
            stream_clear(&sk->ns->chunks, &d->queue);
    }
    return (int)(flags & NET_TRUNC ? head.len : n);
}

static uint32_t dgram_queued(const struct net_sock *sk)
{
    struct dgram_sock *d = dgram_of(sk);
    struct dgram_head head;
    if (!d->queue.len)
        return 0;
    stream_read(&d->queue, 0, &head, sizeof head);
    return head.len;
}

static unsigned dgram_ready(const struct net_sock *sk)
{
    bool in = dgram_of(sk)->queue.len || sk->shut & NET_SHUT_IN;
    return NET_OUT | (in ? NET_IN : 0) | (sk->shut & NET_SHUT_IN ? NET_RDHUP : 0) |
           (sk->shut == (NET_SHUT_IN | NET_SHUT_OUT) ? NET_HUP : 0);
}

static int dgram_shutdown(struct net_sock *sk, unsigned how)
{
    if (!sk->connected)
        return -ENOTCONN;
    sk->shut |= (uint8_t)how;
    sock_notify(sk, NET_IN | NET_OUT | NET_RDHUP);
    return 0;
}

static void dgram_close(struct net_sock *sk)
{
    struct netstack *ns = sk->ns;
    list_remove(&sk->node);
    stream_clear(&ns->chunks, &dgram_of(sk)->queue);
    pool_free(&ns->pool, dgram_of(sk));
}

static const struct sock_ops dgram_ops = {
    .close = dgram_close,
    .ready = dgram_ready,
    .bind = dgram_bind,
    .connect = dgram_connect,
    .disconnect = dgram_disconnect,
    .send = dgram_send,
    .recv = dgram_recv,
    .shutdown = dgram_shutdown,
    .queued = dgram_queued,
};

int dgram_create(struct netstack *ns, unsigned type, unsigned protocol, struct net_sock **out)
{
    struct dgram_sock *d = pool_alloc(&ns->pool, &ns->dgram_kind);
    if (!d)
        return -ENOBUFS;
    memset(d, 0, sizeof *d);
    sock_init(&d->sk, ns, &dgram_ops, type, protocol);
    list_append(dgram_list(&d->sk), &d->sk.node);
    *out = &d->sk;
    return 0;
}
