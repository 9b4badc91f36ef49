/* SPDX-License-Identifier: MIT */
/* AF_INET: sockets of the stack in net/. */
#include "guests/ilwaco/socket.h"

static struct net_sock *sock_of(struct socket *s)
{
    return s->data;
}

/* ---- addresses ---- */

static int address_get(const struct socket_addr *addr, struct net_addr *out)
{
    if (addr->len < SOCKET_IN_LEN)
        return -EINVAL;
    if (addr->family != AF_INET)
        return -EAFNOSUPPORT;
    *out = (struct net_addr){be32(addr->in.ip), be16(addr->in.port)};
    return 0;
}

static void address_put(const struct net_addr *addr, struct socket_addr *out)
{
    memset(out, 0, sizeof *out);
    out->len = SOCKET_IN_LEN;
    out->in.family = AF_INET;
    out->in.port = be16(addr->port);
    out->in.ip = be32(addr->ip);
}

/* Traffic that leaves the VM waits for DHCP's first answer. */
static int configured_for(uint32_t ip)
{
    return ip >> 24 == 127 || !ip ? 0 : net_wait_configured();
}

/* ---- bytes ---- */

struct uio_io {
    struct net_io io;
    struct uio *uio;
};

static int io_put(struct net_io *io, void *kernel, size_t n)
{
    io->left -= n;
    return uio_put(CONTAINER_OF(io, struct uio_io, io)->uio, kernel, (uint32_t)n);
}

static int io_get(struct net_io *io, void *kernel, size_t n)
{
    io->left -= n;
    return uio_get(CONTAINER_OF(io, struct uio_io, io)->uio, kernel, (uint32_t)n);
}

static int inet_send(struct socket *s, struct socket_message *m)
{
    struct uio_io io = {{io_get, m->uio->left}, m->uio};
    struct net_addr to;
    bool has_to = m->addr.len && s->type != SOCK_STREAM;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    int err = has_to ? address_get(&m->addr, &to) : 0;
    if (!err && has_to)
        err = configured_for(to.ip);
    if (err)
        return err;
    int n = net_send(sock_of(s), &io.io, m->flags & MSG_MORE ? NET_MORE : 0, has_to ? &to : NULL);
    net_after_call();
    return n;
}

/* A datagram that was cut: the caller hears of it in m->flags, its length only if it asked. */
static int datagram_length(struct socket_message *m, int len, uint32_t room)
{
    bool wants = m->flags & MSG_TRUNC;
    m->flags &= ~(uint32_t)MSG_TRUNC;
    if (len < 0 || (uint32_t)len <= room)
        return len;
    m->flags |= MSG_TRUNC;
    return wants ? len : (int)room;
}

static int inet_receive(struct socket *s, struct socket_message *m)
{
    struct uio_io io = {{io_put, m->uio->left}, m->uio};
    struct net_addr from;
    uint32_t room = m->uio->left;
    if (m->flags & (MSG_OOB | MSG_ERRQUEUE))
        return m->flags & MSG_OOB ? -EINVAL : -EAGAIN;
    unsigned flags = m->flags & MSG_PEEK ? NET_PEEK : 0;
    if (s->type == SOCK_STREAM) {
        int n = net_recv(sock_of(s), &io.io, flags, NULL);
        m->flags &= ~(uint32_t)MSG_TRUNC;
        net_after_call();
        return n;
    }
    int n = net_recv(sock_of(s), &io.io, flags | NET_TRUNC, &from);
    if (n >= 0)
        address_put(&from, &m->addr);
    return datagram_length(m, n, room);
}

/* ---- the rest ---- */

static void inet_close(struct socket *s)
{
    net_close(sock_of(s));
    net_after_call();
}

static uint32_t inet_poll(struct socket *s)
{
    return socket_poll_events(net_ready(sock_of(s)));
}

static int inet_bind(struct socket *s, const struct socket_addr *addr)
{
    struct net_addr a;
    int err = address_get(addr, &a);
    if (!err)
        err = configured_for(a.ip);
    return err ? err : net_bind(sock_of(s), &a);
}

static int inet_connect(struct socket *s, const struct socket_addr *addr)
{
    struct net_addr a;
    if (addr->len >= 2 && !addr->family) /* AF_UNSPEC */
        return net_disconnect(sock_of(s));
    int err = address_get(addr, &a);
    if (!err)
        err = configured_for(a.ip);
    if (!err)
        err = net_connect(sock_of(s), &a);
    net_after_call();
    return err;
}

static int inet_listen(struct socket *s, uint32_t backlog)
{
    return net_listen(sock_of(s), backlog);
}

static int inet_wrap(struct net_sock *sk, uint32_t type, uint32_t protocol, struct socket **out);

static int inet_accept(struct socket *s, struct socket **out)
{
    struct net_sock *sk;
    int err = net_accept(sock_of(s), &sk);
    return err ? err : inet_wrap(sk, SOCK_STREAM, s->protocol, out);
}

static int inet_name(struct socket *s, bool peer, struct socket_addr *out)
{
    struct net_addr addr;
    int err = 0;
    if (peer)
        err = net_remote(sock_of(s), &addr);
    else
        net_local(sock_of(s), &addr);
    if (!err)
        address_put(&addr, out);
    return err;
}

static int inet_shutdown(struct socket *s, unsigned how)
{
    int err = net_shutdown(sock_of(s), how);
    net_after_call();
    return err;
}

static uint32_t inet_queued(struct socket *s)
{
    int bytes = 0;
    net_get(sock_of(s), NET_OPT_QUEUED, &bytes);
    return (uint32_t)bytes;
}

static int inet_set(struct socket *s, enum net_option option, int value)
{
    int err = net_set(sock_of(s), option, value);
    net_after_call();
    return err;
}

static int inet_get(struct socket *s, enum net_option option, int *value)
{
    return net_get(sock_of(s), option, value);
}

int socket_inet_tcp_info(struct socket *s, struct net_tcp_info *out)
{
    if (s->family != AF_INET)
        return -EOPNOTSUPP;
    return net_tcp_info(sock_of(s), out);
}

static const struct socket_ops inet_ops = {
    .close = inet_close,
    .poll = inet_poll,
    .bind = inet_bind,
    .connect = inet_connect,
    .listen = inet_listen,
    .accept = inet_accept,
    .name = inet_name,
    .send = inet_send,
    .receive = inet_receive,
    .shutdown = inet_shutdown,
    .queued = inet_queued,
    .set = inet_set,
    .get = inet_get,
};

static void inet_notify(void *arg, unsigned events)
{
    socket_wake(arg, events);
}

/* Gives a socket of the stack its outside; on failure it is closed. */
static int inet_wrap(struct net_sock *sk, uint32_t type, uint32_t protocol, struct socket **out)
{
    struct socket *s = socket_new(&inet_ops, AF_INET, type, protocol);
    if (!s) {
        net_close(sk);
        return -ENOMEM;
    }
    s->data = sk;
    net_watch(sk, inet_notify, s);
    *out = s;
    return 0;
}

int socket_inet_create(uint32_t type, uint32_t protocol, struct socket **out)
{
    static const uint8_t usual[] = {0, NET_TCP, NET_UDP, 0};
    struct net_sock *sk;
    if (type > SOCK_RAW || type < SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    int err = net_socket(net_stack(), (enum net_type)type, protocol, &sk);
    if (err)
        return err;
    return inet_wrap(sk, type, protocol ? protocol : usual[type], out);
}

/* ---- the interfaces, for ioctl ---- */

enum interface_ioctl {
    SIOCGIFNAME = 0x8910,
    SIOCGIFCONF = 0x8912,
    SIOCGIFFLAGS = 0x8913,
    SIOCGIFADDR = 0x8915,
    SIOCGIFBRDADDR = 0x8919,
    SIOCGIFNETMASK = 0x891b,
    SIOCGIFMETRIC = 0x891d,
    SIOCGIFMTU = 0x8921,
    SIOCGIFHWADDR = 0x8927,
    SIOCGIFINDEX = 0x8933,
    SIOCGIFTXQLEN = 0x8942,
};

enum interface_flags {
    IFF_UP = 1,
    IFF_BROADCAST = 2,
    IFF_LOOPBACK = 8,
    IFF_RUNNING = 0x40,
    IFF_MULTICAST = 0x1000
};

struct ifreq {
    char name[16];
    union {
        struct {
            uint16_t family, port;
            uint32_t ip;
            uint8_t zero[8];
        } addr;
        struct {
            uint16_t family;
            uint8_t mac[14];
        } hardware;
        uint16_t flags;
        int32_t value;
        uint8_t bytes[16];
    };
};
_Static_assert(sizeof(struct ifreq) == 32, "ifreq");

/* 1: lo, 2: eth0. */
static uint32_t interface_address(unsigned index, const struct netstack_info *info)
{
    return index == 1 ? NET_LOOPBACK : info->addr;
}

static void interface_name(unsigned index, char name[16])
{
    static const char names[][16] = {"lo", "eth0"};
    memcpy(name, names[index - 1], sizeof names[0]);
}

static void ifreq_address(struct ifreq *r, uint32_t ip)
{
    memset(r->bytes, 0, sizeof r->bytes);
    r->addr.family = AF_INET;
    r->addr.ip = be32(ip);
}

static int interface_list(uint32_t arg)
{
    struct netstack_info info;
    uint32_t conf[2], done = 0; /* length, buffer */
    if (copy_from_user(conf, arg, sizeof conf))
        return -EFAULT;
    netstack_info(net_stack(), &info);
    for (unsigned i = 1; i <= (info.addr ? 2u : 1u); i++) {
        struct ifreq r;
        interface_name(i, r.name);
        ifreq_address(&r, interface_address(i, &info));
        if (conf[1] && conf[0] - done < sizeof r)
            break;
        if (conf[1] && copy_to_user(conf[1] + done, &r, sizeof r))
            return -EFAULT;
        done += sizeof r;
    }
    return copy_to_user(arg, &done, sizeof done);
}

static int interface_ask(uint32_t command, unsigned index, const struct netstack_info *info,
                         struct ifreq *r)
{
    bool loop = index == 1;
    uint32_t ip = interface_address(index, info), mask = loop ? 0xff000000u : info->mask;
    bool address = command == SIOCGIFADDR || command == SIOCGIFNETMASK || command == SIOCGIFBRDADDR;
    if (address && !ip)
        return -EADDRNOTAVAIL;
    switch (command) {
    case SIOCGIFADDR:
        ifreq_address(r, ip);
        return 0;
    case SIOCGIFNETMASK:
        ifreq_address(r, mask);
        return 0;
    case SIOCGIFBRDADDR:
        ifreq_address(r, loop ? 0 : ip | ~mask);
        return 0;
    case SIOCGIFFLAGS:
        r->flags = loop ? IFF_UP | IFF_LOOPBACK | IFF_RUNNING
                        : IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST;
        return 0;
    case SIOCGIFHWADDR:
        memset(r->bytes, 0, sizeof r->bytes);
        r->hardware.family = loop ? 772 : 1;
        if (!loop)
            memcpy(r->hardware.mac, info->mac, sizeof info->mac);
        return 0;
    case SIOCGIFMTU:
        r->value = loop ? 1500 : info->mtu;
        return 0;
    case SIOCGIFINDEX:
        r->value = (int32_t)index;
        return 0;
    case SIOCGIFMETRIC:
    case SIOCGIFTXQLEN:
        r->value = 0;
        return 0;
    default:
        return -ENOTTY;
    }
}

static int interface_index(const struct ifreq *r, const struct netstack_info *info)
{
    if (!strncmp(r->name, "lo", sizeof r->name))
        return 1;
    if (info->mtu && !strncmp(r->name, "eth0", sizeof r->name))
        return 2;
    return -ENODEV;
}

int socket_inet_ioctl(uint32_t command, uint32_t arg)
{
    struct netstack_info info;
    struct ifreq r;
    if (command < SIOCGIFNAME || command > SIOCGIFTXQLEN)
        return -ENOTTY;
    if (command == SIOCGIFCONF)
        return interface_list(arg);
    if (copy_from_user(&r, arg, sizeof r))
        return -EFAULT;
    netstack_info(net_stack(), &info);
    if (command == SIOCGIFNAME) {
        if (r.value < 1 || r.value > (info.mtu ? 2 : 1))
            return -ENODEV;
        interface_name((unsigned)r.value, r.name);
        return copy_to_user(arg, &r, sizeof r);
    }
    int index = interface_index(&r, &info);
    int err = index < 0 ? index : interface_ask(command, (unsigned)index, &info, &r);
    return err ? err : copy_to_user(arg, &r, sizeof r);
}
