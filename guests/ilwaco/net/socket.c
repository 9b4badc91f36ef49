/* SPDX-License-Identifier: MIT */
/* The calls of netstack.h: what is the same for every kind of socket, and dispatch for the rest. */
#include "guests/ilwaco/net/internal.h"

#define BUFFER_MIN 2048
#define BUFFER_MAX (4 << 20)
#define BUFFER_DEFAULT (208 << 10)

void sock_init(struct net_sock *sk, struct netstack *ns, const struct sock_ops *ops, unsigned type,
               unsigned protocol)
{
    memset(sk, 0, sizeof *sk);
    sk->ns = ns;
    sk->ops = ops;
    sk->type = (uint8_t)type;
    sk->protocol = (uint8_t)protocol;
    sk->sndbuf = sk->rcvbuf = BUFFER_DEFAULT;
    sk->linger_s = -1;
    list_init(&sk->node);
}

void sock_notify(struct net_sock *sk, unsigned events)
{
    if (sk->notify && events)
        sk->notify(sk->notify_arg, events);
}

void sock_error(struct net_sock *sk, int error)
{
    sk->error = (uint16_t)error;
    sock_notify(sk, NET_ERR | NET_IN | NET_OUT);
}

int sock_take_error(struct net_sock *sk)
{
    int error = sk->error;
    sk->error = 0;
    return -error;
}

int net_socket(struct netstack *ns, enum net_type type, unsigned protocol, struct net_sock **out)
{
    ns_enter(ns);
    if (type == NET_STREAM && (!protocol || protocol == NET_TCP))
        return tcp_create(ns, out);
    if (type == NET_DGRAM && (!protocol || protocol == NET_UDP))
        return dgram_create(ns, type, NET_UDP, out);
    if (protocol == NET_ICMP && (type == NET_DGRAM || type == NET_RAW))
        return dgram_create(ns, type, protocol, out);
    return -EPROTONOSUPPORT;
}

void net_close(struct net_sock *sk)
{
    struct netstack *ns = sk->ns;
    ns_enter(ns);
    sk->notify = NULL;
    sk->ops->close(sk);
}

void net_watch(struct net_sock *sk, void (*notify)(void *arg, unsigned events), void *arg)
{
    sk->notify = notify;
    sk->notify_arg = arg;
}

unsigned net_ready(const struct net_sock *sk)
{
    return sk->ops->ready(sk) | (sk->error ? NET_ERR | NET_IN | NET_OUT : 0);
}

static bool address_can_be_ours(const struct netstack *ns, uint32_t ip)
{
    return !ip || ip_is_local(ns, ip) || ip_is_broadcast(ns, ip) || ip_is_multicast(ip);
}

int net_bind(struct net_sock *sk, const struct net_addr *addr)
{
    ns_enter(sk->ns);
    if (!address_can_be_ours(sk->ns, addr->ip))
        return -EADDRNOTAVAIL;
    return sk->ops->bind(sk, addr);
}

int net_connect(struct net_sock *sk, const struct net_addr *addr)
{
    ns_enter(sk->ns);
    return sk->ops->connect(sk, addr);
}

int net_disconnect(struct net_sock *sk)
{
    ns_enter(sk->ns);
    return sk->ops->disconnect(sk);
}

int net_listen(struct net_sock *sk, uint32_t backlog)
{
    ns_enter(sk->ns);
    return sk->ops->listen ? sk->ops->listen(sk, backlog) : -EOPNOTSUPP;
}

int net_accept(struct net_sock *sk, struct net_sock **out)
{
    ns_enter(sk->ns);
    return sk->ops->accept ? sk->ops->accept(sk, out) : -EOPNOTSUPP;
}

int net_send(struct net_sock *sk, struct net_io *io, unsigned flags, const struct net_addr *to)
{
    ns_enter(sk->ns);
    return sk->ops->send(sk, io, flags, to);
}

int net_recv(struct net_sock *sk, struct net_io *io, unsigned flags, struct net_addr *from)
{
    ns_enter(sk->ns);
    return sk->ops->recv(sk, io, flags, from);
}

int net_shutdown(struct net_sock *sk, unsigned how)
{
    ns_enter(sk->ns);
    return sk->ops->shutdown(sk, how);
}

void net_local(const struct net_sock *sk, struct net_addr *out)
{
    *out = sk->local;
}

int net_remote(const struct net_sock *sk, struct net_addr *out)
{
    if (!sk->connected)
        return -ENOTCONN;
    *out = sk->remote;
    return 0;
}

static uint32_t buffer_size(int value)
{
    return value < BUFFER_MIN ? BUFFER_MIN : value > BUFFER_MAX ? BUFFER_MAX : (uint32_t)value;
}

int net_set(struct net_sock *sk, enum net_option option, int value)
{
    ns_enter(sk->ns);
    switch (option) {
    case NET_OPT_REUSEADDR:
        sk->reuse = value;
        return 0;
    case NET_OPT_BROADCAST:
        sk->broadcast = value;
        return 0;
    case NET_OPT_SNDBUF:
        sk->sndbuf = buffer_size(value);
        return 0;
    case NET_OPT_RCVBUF:
        sk->rcvbuf = buffer_size(value);
        return 0;
    case NET_OPT_TTL:
        if (value != -1 && (value < 1 || value > 255))
            return -EINVAL;
        sk->ttl = value == -1 ? 0 : (uint8_t)value;
        return 0;
    case NET_OPT_TOS:
        sk->tos = (uint8_t)value;
        return 0;
    case NET_OPT_LINGER:
        sk->linger_s = value;
        return 0;
    default:
        return sk->ops->set ? sk->ops->set(sk, option, value) : -ENOPROTOOPT;
    }
}

int net_get(struct net_sock *sk, enum net_option option, int *value)
{
    ns_enter(sk->ns);
    switch (option) {
    case NET_OPT_ERROR:
        *value = -sock_take_error(sk);
        return 0;
    case NET_OPT_REUSEADDR:
        *value = sk->reuse;
        return 0;
    case NET_OPT_BROADCAST:
        *value = sk->broadcast;
        return 0;
    case NET_OPT_SNDBUF:
        *value = (int)sk->sndbuf;
        return 0;
    case NET_OPT_RCVBUF:
        *value = (int)sk->rcvbuf;
        return 0;
    case NET_OPT_TTL:
        *value = sk->ttl ? sk->ttl : 64;
        return 0;
    case NET_OPT_TOS:
        *value = sk->tos;
        return 0;
    case NET_OPT_LINGER:
        *value = sk->linger_s;
        return 0;
    case NET_OPT_QUEUED:
        *value = (int)sk->ops->queued(sk);
        return 0;
    default:
        return sk->ops->get ? sk->ops->get(sk, option, value) : -ENOPROTOOPT;
    }
}

int net_tcp_info(const struct net_sock *sk, struct net_tcp_info *out)
{
    return sk->protocol == NET_TCP ? tcp_get_info(sk, out) : -EOPNOTSUPP;
}
