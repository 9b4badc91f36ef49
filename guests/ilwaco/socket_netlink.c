/* SPDX-License-Identifier: MIT */
/*
 * AF_NETLINK, as much of NETLINK_ROUTE as tells a program what interfaces, addresses
 * and routes there are (getifaddrs, `ip addr`). Nothing can be changed.
 *
 * A request is answered at once: the answer is built behind what still waits to be
 * read, and one receive takes it all. A request that does not fit behind unread
 * answers is refused with -ENOBUFS.
 */
#include "guests/ilwaco/socket.h"

#define ANSWER_ROOM 4096u

enum message_type {
    NLMSG_ERROR = 2,
    NLMSG_DONE = 3,
    RTM_NEWLINK = 16,
    RTM_GETLINK = 18,
    RTM_NEWADDR = 20,
    RTM_GETADDR = 22,
    RTM_NEWROUTE = 24,
    RTM_GETROUTE = 26,
};

enum message_flags { NLM_F_MULTI = 2, NLM_F_ACK = 4, NLM_F_DUMP = 0x300 };

struct nlmsghdr {
    uint32_t len;
    uint16_t type, flags;
    uint32_t seq, pid;
};

struct ifinfomsg {
    uint8_t family, pad;
    uint16_t type;
    int32_t index;
    uint32_t flags, change;
};

struct ifaddrmsg {
    uint8_t family, prefix, flags, scope;
    uint32_t index;
};

struct rtmsg {
    uint8_t family, dst_len, src_len, tos, table, protocol, scope, type;
    uint32_t flags;
};

struct sockaddr_nl {
    uint16_t family, pad;
    uint32_t pid, groups;
};

struct netlink {
    uint32_t used, start; /* of answer; the message under construction */
    bool full;
    uint8_t answer[ANSWER_ROOM] __attribute__((aligned(4)));
};

static struct netlink *netlink_of(struct socket *s)
{
    return s->data;
}

/* ---- building answers ---- */

static void put(struct netlink *n, const void *bytes, uint32_t len)
{
    uint32_t padded = (len + 3) & ~3u;
    if (n->full || ANSWER_ROOM - n->used < padded) {
        n->full = true;
        return;
    }
    memset(n->answer + n->used, 0, padded);
    memcpy(n->answer + n->used, bytes, len);
    n->used += padded;
}

static void message_begin(struct netlink *n, const struct nlmsghdr *request, uint16_t type,
                          const void *head, uint32_t head_len)
{
    bool dump = (request->flags & NLM_F_DUMP) == NLM_F_DUMP;
    struct nlmsghdr h = {0, type, dump ? NLM_F_MULTI : 0, request->seq, ILWACO_PID};
    n->start = n->used;
    put(n, &h, sizeof h);
    put(n, head, head_len);
}

static void message_end(struct netlink *n)
{
    uint32_t len = n->used - n->start;
    if (!n->full)
        memcpy(n->answer + n->start, &len, sizeof len);
}

static void attribute(struct netlink *n, uint16_t type, const void *value, uint32_t len)
{
    uint16_t head[2] = {(uint16_t)(4 + len), type};
    put(n, head, sizeof head);
    put(n, value, len);
}

static void attribute_word(struct netlink *n, uint16_t type, uint32_t value)
{
    attribute(n, type, &value, sizeof value);
}

static const char *interface_name(uint32_t index)
{
    return index == 1 ? "lo" : "eth0";
}

static void answer_link(struct netlink *n, const struct nlmsghdr *request, uint32_t index,
                        const struct netstack_info *info)
{
    static const uint8_t zeros[6];
    bool loop = index == 1;
    uint8_t all[6], up = loop ? 0 : 6; /* operational state: unknown, up */
    struct ifinfomsg head = {0, 0, loop ? 772 : 1, (int32_t)index, loop ? 0x49 : 0x1043, 0};
    const char *name = interface_name(index);
    memset(all, loop ? 0 : 0xff, sizeof all);
    message_begin(n, request, RTM_NEWLINK, &head, sizeof head);
    attribute(n, 3, name, (uint32_t)strlen(name) + 1);
    attribute_word(n, 13, 1000);
    attribute(n, 16, &up, 1);
    attribute_word(n, 4, loop ? 1500 : info->mtu);
    attribute(n, 1, loop ? zeros : info->mac, 6);
    attribute(n, 2, all, 6);
    message_end(n);
}

static void answer_address(struct netlink *n, const struct nlmsghdr *request, uint32_t index,
                           const struct netstack_info *info)
{
    uint32_t ip = index == 1 ? NET_LOOPBACK : info->addr;
    uint32_t mask = index == 1 ? 0xff000000u : info->mask;
    struct ifaddrmsg head = {AF_INET, (uint8_t)__builtin_popcount(mask), 0x80, index == 1 ? 254 : 0,
                             index};
    const char *name = interface_name(index);
    if (!ip)
        return;
    message_begin(n, request, RTM_NEWADDR, &head, sizeof head);
    attribute_word(n, 1, be32(ip));
    attribute_word(n, 2, be32(ip));
    if (index != 1)
        attribute_word(n, 4, be32(ip | ~mask));
    attribute(n, 3, name, (uint32_t)strlen(name) + 1);
    message_end(n);
}

static void answer_route(struct netlink *n, const struct nlmsghdr *request, uint32_t dst,
                         uint32_t bits, uint32_t gateway, const struct netstack_info *info)
{
    struct rtmsg head = {AF_INET, (uint8_t)bits, 0, 0, 254, 3, gateway ? 0 : 253, 1, 0};
    message_begin(n, request, RTM_NEWROUTE, &head, sizeof head);
    attribute_word(n, 15, 254);
    if (bits)
        attribute_word(n, 1, be32(dst));
    if (gateway)
        attribute_word(n, 5, be32(gateway));
    else
        attribute_word(n, 7, be32(info->addr));
    attribute_word(n, 4, 2);
    message_end(n);
}

static void answer_routes(struct netlink *n, const struct nlmsghdr *request,
                          const struct netstack_info *info)
{
    if (!info->addr)
        return;
    if (info->gateway)
        answer_route(n, request, 0, 0, info->gateway, info);
    answer_route(n, request, info->addr & info->mask, (uint32_t)__builtin_popcount(info->mask), 0,
                 info);
}

/* The end of a dump, or the outcome of a request that is none. */
static void answer_outcome(struct netlink *n, const struct nlmsghdr *request, uint16_t type,
                           int32_t error)
{
    message_begin(n, request, type, &error, sizeof error);
    if (type == NLMSG_ERROR)
        put(n, request, sizeof *request);
    message_end(n);
}

static void answer_dump(struct netlink *n, const struct nlmsghdr *request, uint8_t family)
{
    struct netstack_info info;
    netstack_info(net_stack(), &info);
    bool ours = !family || family == AF_INET;
    for (uint32_t index = 1; index <= (info.mtu ? 2u : 1u); index++) {
        if (request->type == RTM_GETLINK)
            answer_link(n, request, index, &info);
        else if (request->type == RTM_GETADDR && ours)
            answer_address(n, request, index, &info);
    }
    if (request->type == RTM_GETROUTE && ours)
        answer_routes(n, request, &info);
    answer_outcome(n, request, NLMSG_DONE, 0);
}

/* One link by its index, or by the name in the request's first attribute. */
static void answer_one_link(struct netlink *n, const struct nlmsghdr *request, const uint8_t *body,
                            uint32_t len)
{
    struct netstack_info info;
    struct ifinfomsg head;
    uint16_t attr[2] = {0, 0};
    netstack_info(net_stack(), &info);
    memcpy(&head, body, sizeof head);
    if (len >= sizeof head + 8)
        memcpy(attr, body + sizeof head, sizeof attr);
    for (uint32_t index = 1; index <= (info.mtu ? 2u : 1u); index++) {
        const char *name = interface_name(index);
        size_t bytes = strlen(name) + 1;
        bool named = attr[1] == 3 && attr[0] >= 4 + bytes && len >= sizeof head + 4 + bytes &&
                     !memcmp(body + sizeof head + 4, name, bytes);
        if (head.index == (int32_t)index || (!head.index && named)) {
            answer_link(n, request, index, &info);
            return;
        }
    }
    answer_outcome(n, request, NLMSG_ERROR, -ENODEV);
}

static void answer_request(struct netlink *n, const struct nlmsghdr *request, const uint8_t *body,
                           uint32_t len)
{
    bool dump = (request->flags & NLM_F_DUMP) == NLM_F_DUMP;
    bool known = request->type == RTM_GETLINK || request->type == RTM_GETADDR ||
                 request->type == RTM_GETROUTE;
    if (known && dump)
        answer_dump(n, request, len ? body[0] : 0);
    else if (request->type == RTM_GETLINK && len >= sizeof(struct ifinfomsg))
        answer_one_link(n, request, body, len);
    else
        answer_outcome(n, request, NLMSG_ERROR, known ? -EOPNOTSUPP : -EPERM);
}

/* ---- the socket ---- */

static int netlink_send(struct socket *s, struct socket_message *m)
{
    struct netlink *n = netlink_of(s);
    uint8_t bytes[512] __attribute__((aligned(4)));
    uint32_t total = m->uio->left, before = n->used;
    if (total > sizeof bytes)
        return -EMSGSIZE;
    if (uio_get(m->uio, bytes, total))
        return -EFAULT;
    n->full = false;
    for (uint32_t at = 0; total - at >= sizeof(struct nlmsghdr);) {
        struct nlmsghdr request;
        memcpy(&request, bytes + at, sizeof request);
        if (request.len < sizeof request || request.len > total - at)
            break;
        answer_request(n, &request, bytes + at + sizeof request,
                       request.len - (uint32_t)sizeof request);
        uint32_t step = (request.len + 3) & ~3u;
        if (step > total - at)
            break;
        at += step;
    }
    if (n->full) {
        n->used = before;
        return -ENOBUFS;
    }
    socket_wake(s, NET_IN);
    return (int)total;
}

static void name_put(uint32_t pid, struct socket_addr *out)
{
    struct sockaddr_nl name = {AF_NETLINK, 0, pid, 0};
    memset(out, 0, sizeof *out);
    out->len = sizeof name;
    memcpy(out->bytes, &name, sizeof name);
}

static int netlink_receive(struct socket *s, struct socket_message *m)
{
    struct netlink *n = netlink_of(s);
    uint32_t room = m->uio->left, len = n->used;
    bool wants = m->flags & MSG_TRUNC;
    if (!len)
        return -EAGAIN;
    if (uio_put(m->uio, n->answer, len < room ? len : room))
        return -EFAULT;
    name_put(0, &m->addr);
    m->flags = (m->flags & ~(uint32_t)MSG_TRUNC) | (len > room ? MSG_TRUNC : 0);
    if (!(m->flags & MSG_PEEK))
        n->used = 0;
    return (int)(wants || len < room ? len : room);
}

static void netlink_close(struct socket *s)
{
    kfree(s->data);
}

static uint32_t netlink_poll(struct socket *s)
{
    return socket_poll_events(NET_OUT | (netlink_of(s)->used ? NET_IN : 0));
}

static int netlink_bind(struct socket *s, const struct socket_addr *addr)
{
    (void)s;
    return addr->len < sizeof(struct sockaddr_nl) || addr->family != AF_NETLINK ? -EINVAL : 0;
}

static int netlink_name(struct socket *s, bool peer, struct socket_addr *out)
{
    (void)s;
    name_put(peer ? 0 : ILWACO_PID, out);
    return 0;
}

static int netlink_shutdown(struct socket *s, unsigned how)
{
    (void)s, (void)how;
    return -EOPNOTSUPP;
}

static uint32_t netlink_queued(struct socket *s)
{
    return netlink_of(s)->used;
}

static int netlink_set(struct socket *s, enum net_option option, int value)
{
    (void)s, (void)value;
    return option == NET_OPT_SNDBUF || option == NET_OPT_RCVBUF ? 0 : -ENOPROTOOPT;
}

static int netlink_get(struct socket *s, enum net_option option, int *value)
{
    (void)s;
    *value = option == NET_OPT_ERROR ? 0 : (int)ANSWER_ROOM;
    return option == NET_OPT_ERROR || option == NET_OPT_SNDBUF || option == NET_OPT_RCVBUF
               ? 0
               : -ENOPROTOOPT;
}

static const struct socket_ops netlink_ops = {
    .close = netlink_close,
    .poll = netlink_poll,
    .bind = netlink_bind,
    .connect = netlink_bind,
    .name = netlink_name,
    .send = netlink_send,
    .receive = netlink_receive,
    .shutdown = netlink_shutdown,
    .queued = netlink_queued,
    .set = netlink_set,
    .get = netlink_get,
};

int socket_netlink_create(uint32_t type, uint32_t protocol, struct socket **out)
{
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (protocol) /* 0: NETLINK_ROUTE */
        return -EPROTONOSUPPORT;
    struct netlink *n = kzalloc(sizeof *n);
    struct socket *s = n ? socket_new(&netlink_ops, AF_NETLINK, type, protocol) : NULL;
    if (!s) {
        kfree(n);
        return -ENOMEM;
    }
    s->data = n;
    *out = s;
    return 0;
}
