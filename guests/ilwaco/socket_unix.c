/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX inside the VM: streams, datagrams and sequenced packets between sockets
 * of the one process. Names, abstract ones as well, live in a list of their own
 * and not in the file tree. Control messages (descriptors, credentials) do not exist.
 *
 * Each socket owns its receive queue, which the peer writes into; a queue of
 * packets holds records, a length and the bytes. A socket that dies lets go of
 * whoever names it: its peer, or those who are connected to it (datagrams).
 */
#include "guests/ilwaco/socket.h"
#include "guests/ilwaco/net/stream.h"

#define QUEUE_DEFAULT (208u << 10)
#define PACKET_MAX 65536u
#define BACKLOG_MAX 4096u
#define POOL_SHARE 8
#define NAME_ROOM 110 /* the family and 108 bytes of path */

struct unix_sock {
    struct socket *outside; /* NULL: not accepted yet */
    struct list all;        /* every UNIX socket */
    struct unix_sock *peer; /* connected to; of datagrams: one way */
    struct stream queue;
    uint32_t limit;     /* of the queue */
    struct list accept; /* a listener's children, or a place among them */
    struct unix_sock *listener;
    uint32_t backlog, waiting;
    uint32_t name_len; /* 0: none */
    uint8_t type, shut;
    bool listening, peer_gone, connected;
    char name[NAME_ROOM];
};

static struct {
    bool ready;
    struct list sockets;
    struct pool pool;
    struct stream_pool chunks;
} room;

static void room_init(void)
{
    uint64_t share = machine_regs.mem_bytes / POOL_SHARE / PAGE_SIZE;
    if (room.ready)
        return;
    room.ready = true;
    list_init(&room.sockets);
    pool_init(&room.pool, net_host(), share < UINT32_MAX ? (uint32_t)share : UINT32_MAX);
    room.chunks.pool = &room.pool;
    room.chunks.chunks.size = CHUNK_SIZE;
}

static struct unix_sock *unix_of(struct socket *s)
{
    return s->data;
}

static void unix_wake(struct unix_sock *u, unsigned events)
{
    if (u->outside)
        socket_wake(u->outside, events);
}

static bool is_stream(const struct unix_sock *u)
{
    return u->type == SOCK_STREAM;
}

/* ---- life ---- */

static struct unix_sock *unix_new(uint32_t type)
{
    room_init();
    struct unix_sock *u = kzalloc(sizeof *u);
    if (!u)
        return NULL;
    u->type = (uint8_t)type;
    u->limit = QUEUE_DEFAULT;
    list_init(&u->accept);
    list_append(&room.sockets, &u->all);
    return u;
}

/* Everybody who names `u` lets go of it. */
static void let_go(struct unix_sock *u)
{
    for (struct list *i = room.sockets.next; i != &room.sockets; i = i->next) {
        struct unix_sock *other = LIST_ITEM(i, struct unix_sock, all);
        if (other->peer != u)
            continue;
        other->peer = NULL;
        other->peer_gone = true;
        unix_wake(other, NET_IN | NET_OUT | NET_HUP | NET_RDHUP);
    }
}

static void unix_free(struct unix_sock *u)
{
    let_go(u);
    if (u->listener) {
        u->listener->waiting--;
        list_remove(&u->accept);
    }
    while (u->listening && !list_empty(&u->accept))
        unix_free(LIST_ITEM(u->accept.next, struct unix_sock, accept));
    list_remove(&u->all);
    stream_clear(&room.chunks, &u->queue);
    if (list_empty(&room.sockets))
        pool_trim(&room.pool);
    kfree(u);
}

static void unix_close(struct socket *s)
{
    unix_of(s)->outside = NULL;
    unix_free(unix_of(s));
}

/* ---- names ---- */

static int name_take(const struct socket_addr *addr, char *name, uint32_t *len)
{
    if (addr->len <= 2 || addr->len > NAME_ROOM)
        return -EINVAL;
    if (addr->family != AF_UNIX)
        return -EINVAL;
    uint32_t n = addr->len - 2;
    memcpy(name, addr->un.path, n);
    if (name[0]) /* a path ends at its NUL, an abstract name does not */
        n = (uint32_t)strnlen(name, n);
    *len = n;
    return 0;
}

static struct unix_sock *name_find(const char *name, uint32_t len)
{
    for (struct list *i = room.sockets.next; i != &room.sockets; i = i->next) {
        struct unix_sock *u = LIST_ITEM(i, struct unix_sock, all);
        if (u->name_len == len && !u->listener && !memcmp(u->name, name, len))
            return u;
    }
    return NULL;
}

/* The socket that an address leads to; NULL: *err says why not. */
static struct unix_sock *address_find(const struct socket_addr *addr, uint32_t type, int *err)
{
    char name[NAME_ROOM];
    uint32_t len;
    *err = name_take(addr, name, &len);
    if (*err)
        return NULL;
    struct unix_sock *u = name_find(name, len);
    *err = !u ? (name[0] ? -ENOENT : -ECONNREFUSED) : u->type != type ? -EPROTOTYPE : 0;
    return *err ? NULL : u;
}

static int unix_bind(struct socket *s, const struct socket_addr *addr)
{
    struct unix_sock *u = unix_of(s);
    char name[NAME_ROOM];
    uint32_t len;
    int err = name_take(addr, name, &len);
    if (!err && u->name_len)
        err = -EINVAL;
    if (!err && name_find(name, len))
        err = -EADDRINUSE;
    if (err)
        return err;
    memcpy(u->name, name, len);
    u->name_len = len;
    return 0;
}

static void name_put(const struct unix_sock *u, struct socket_addr *out)
{
    memset(out, 0, sizeof *out);
    out->family = AF_UNIX;
    out->len = 2;
    if (!u || !u->name_len)
        return;
    memcpy(out->un.path, u->name, u->name_len);
    out->len = 2 + u->name_len + (u->name[0] ? 1 : 0);
}

static int unix_name(struct socket *s, bool peer, struct socket_addr *out)
{
    struct unix_sock *u = unix_of(s);
    if (peer && !u->peer)
        return -ENOTCONN;
    name_put(peer ? u->peer : u, out);
    return 0;
}

/* ---- connecting ---- */

static void join(struct unix_sock *a, struct unix_sock *b)
{
    a->peer = b;
    b->peer = a;
    a->connected = b->connected = true;
    a->peer_gone = b->peer_gone = false;
}

/* A child of the listener that is the other end of `u`. */
static int stream_connect(struct unix_sock *u, struct unix_sock *listener)
{
    if (!listener->listening)
        return -ECONNREFUSED;
    if (listener->waiting > listener->backlog)
        return -EAGAIN;
    struct unix_sock *child = unix_new(u->type);
    if (!child)
        return -ENOMEM;
    memcpy(child->name, listener->name, sizeof child->name);
    child->name_len = listener->name_len;
    child->listener = listener;
    list_append(&listener->accept, &child->accept);
    listener->waiting++;
    join(u, child);
    unix_wake(listener, NET_IN);
    return 0;
}

static int unix_connect(struct socket *s, const struct socket_addr *addr)
{
    struct unix_sock *u = unix_of(s);
    int err;
    if (addr->len >= 2 && !addr->family && u->type == SOCK_DGRAM) {
        u->peer = NULL;
        u->connected = false;
        return 0;
    }
    if (u->listening)
        return -EINVAL;
    if (u->connected && u->type != SOCK_DGRAM)
        return -EISCONN;
    struct unix_sock *other = address_find(addr, u->type, &err);
    if (!other)
        return err;
    if (u->type != SOCK_DGRAM)
        return stream_connect(u, other);
    u->peer = other;
    u->connected = true;
    return 0;
}

static int unix_listen(struct socket *s, uint32_t backlog)
{
    struct unix_sock *u = unix_of(s);
    if (u->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (!u->name_len || u->connected)
        return -EINVAL;
    u->listening = true;
    u->backlog = backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX;
    return 0;
}

static int unix_wrap(struct unix_sock *u, uint32_t protocol, struct socket **out);

static int unix_accept(struct socket *s, struct socket **out)
{
    struct unix_sock *u = unix_of(s);
    if (!u->listening)
        return -EINVAL;
    if (list_empty(&u->accept))
        return -EAGAIN;
    struct unix_sock *child = LIST_ITEM(u->accept.next, struct unix_sock, accept);
    list_remove(&child->accept);
    child->listener = NULL;
    u->waiting--;
    return unix_wrap(child, s->protocol, out);
}

/* ---- bytes ---- */

struct uio_io {
    struct net_io io;
    struct uio *uio;
};

static int io_put(struct net_io *io, void *kernel, size_t n)
{
    return uio_put(CONTAINER_OF(io, struct uio_io, io)->uio, kernel, (uint32_t)n);
}

static int io_get(struct net_io *io, void *kernel, size_t n)
{
    return uio_get(CONTAINER_OF(io, struct uio_io, io)->uio, kernel, (uint32_t)n);
}

/* What stands before a packet in a queue. */
struct packet_head {
    uint32_t len, name_len;
    char name[NAME_ROOM + 2];
};

/* Appends bytes of the uio; on failure the queue is as it was. */
static int queue_append(struct stream *q, uint32_t at, struct uio *uio, uint32_t n)
{
    struct uio_io io = {{io_get, n}, uio};
    int err = stream_write_io(&room.chunks, q, q->len + at, &io.io, n);
    if (err)
        stream_cut(&room.chunks, q);
    return err == -ENOMEM ? -ENOBUFS : err;
}

static int stream_send(struct unix_sock *to, struct uio *uio)
{
    uint32_t space = to->limit > to->queue.len ? to->limit - to->queue.len : 0;
    uint32_t n = uio->left < space ? uio->left : space;
    if (!uio->left)
        return 0;
    if (!n)
        return -EAGAIN;
    int err = queue_append(&to->queue, 0, uio, n);
    if (err)
        return err;
    stream_extend(&to->queue, n);
    unix_wake(to, NET_IN);
    return (int)n;
}

static int packet_send(struct unix_sock *from, struct unix_sock *to, struct uio *uio)
{
    struct packet_head head = {.len = uio->left, .name_len = from->name_len};
    uint32_t n = uio->left;
    memcpy(head.name, from->name, from->name_len);
    if (n > PACKET_MAX)
        return -EMSGSIZE;
    if (to->queue.len + n + sizeof head > to->limit)
        return -EAGAIN;
    if (!stream_write(&room.chunks, &to->queue, to->queue.len, &head, sizeof head)) {
        stream_cut(&room.chunks, &to->queue);
        return -ENOBUFS;
    }
    int err = queue_append(&to->queue, sizeof head, uio, n);
    if (err)
        return err;
    stream_extend(&to->queue, (uint32_t)sizeof head + n);
    unix_wake(to, NET_IN);
    return (int)n;
}

static int unix_send(struct socket *s, struct socket_message *m)
{
    struct unix_sock *u = unix_of(s), *to = u->peer;
    int err = 0;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->addr.len && u->type == SOCK_DGRAM)
        to = address_find(&m->addr, u->type, &err);
    if (err)
        return err;
    if (u->shut & NET_SHUT_OUT || (to && to->shut & NET_SHUT_IN))
        return -EPIPE;
    if (!to)
        return !u->peer_gone ? -ENOTCONN : u->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
    return is_stream(u) ? stream_send(to, m->uio) : packet_send(u, to, m->uio);
}

/* After a read: an empty queue holds nothing, and writers may go on. */
static void queue_read(struct unix_sock *u)
{
    if (!u->queue.len)
        stream_clear(&room.chunks, &u->queue);
    if (u->type != SOCK_DGRAM && u->peer) {
        unix_wake(u->peer, NET_OUT);
        return;
    }
    for (struct list *i = room.sockets.next; i != &room.sockets; i = i->next)
        unix_wake(LIST_ITEM(i, struct unix_sock, all), NET_OUT);
}

static int stream_receive(struct unix_sock *u, struct socket_message *m)
{
    uint32_t n = m->uio->left < u->queue.len ? m->uio->left : u->queue.len;
    struct uio_io io = {{io_put, n}, m->uio};
    int err = stream_read_io(&u->queue, 0, &io.io, n);
    m->flags &= ~(uint32_t)MSG_TRUNC;
    if (err)
        return err;
    if (!(m->flags & MSG_PEEK)) {
        stream_drop(&room.chunks, &u->queue, n);
        queue_read(u);
    }
    return (int)n;
}

static int packet_receive(struct unix_sock *u, struct socket_message *m)
{
    struct packet_head head;
    bool wants = m->flags & MSG_TRUNC;
    stream_read(&u->queue, 0, &head, sizeof head);
    uint32_t n = m->uio->left < head.len ? m->uio->left : head.len;
    struct uio_io io = {{io_put, n}, m->uio};
    int err = stream_read_io(&u->queue, sizeof head, &io.io, n);
    if (err)
        return err;
    m->flags = (m->flags & ~(uint32_t)MSG_TRUNC) | (n < head.len ? MSG_TRUNC : 0);
    struct unix_sock named = {.name_len = head.name_len};
    memcpy(named.name, head.name, head.name_len);
    name_put(&named, &m->addr);
    if (!(m->flags & MSG_PEEK)) {
        stream_drop(&room.chunks, &u->queue, (uint32_t)sizeof head + head.len);
        queue_read(u);
    }
    return (int)(wants ? head.len : n);
}

static int unix_receive(struct socket *s, struct socket_message *m)
{
    struct unix_sock *u = unix_of(s);
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (u->queue.len)
        return is_stream(u) ? stream_receive(u, m) : packet_receive(u, m);
    bool ended = u->peer_gone || (u->peer && u->peer->shut & NET_SHUT_OUT);
    if (u->shut & NET_SHUT_IN || (ended && u->type != SOCK_DGRAM))
        return 0;
    return u->connected || u->type == SOCK_DGRAM ? -EAGAIN : -ENOTCONN;
}

/* ---- state ---- */

static uint32_t unix_poll(struct socket *s)
{
    struct unix_sock *u = unix_of(s);
    struct unix_sock *to = u->peer;
    bool ended = u->peer_gone || (to && to->shut & NET_SHUT_OUT) || u->shut & NET_SHUT_IN;
    unsigned events = 0;
    if (u->listening)
        return list_empty(&u->accept) ? 0 : POLLIN | POLLRDNORM;
    if (u->queue.len || (ended && u->type != SOCK_DGRAM))
        events |= NET_IN;
    if (ended && u->type != SOCK_DGRAM)
        events |= NET_RDHUP;
    if (u->type != SOCK_DGRAM && (u->peer_gone || (ended && u->shut & NET_SHUT_OUT)))
        events |= NET_HUP;
    if (!to || to->queue.len < to->limit / 3 * 2)
        events |= NET_OUT;
    return socket_poll_events(events);
}

static int unix_shutdown(struct socket *s, unsigned how)
{
    struct unix_sock *u = unix_of(s);
    if (!u->connected)
        return -ENOTCONN;
    u->shut |= (uint8_t)how;
    unix_wake(u, NET_IN | NET_OUT | NET_RDHUP);
    if (u->peer)
        unix_wake(u->peer, NET_IN | NET_OUT | NET_RDHUP);
    return 0;
}

static uint32_t unix_queued(struct socket *s)
{
    struct unix_sock *u = unix_of(s);
    struct packet_head head;
    if (is_stream(u) || !u->queue.len)
        return u->queue.len;
    stream_read(&u->queue, 0, &head, sizeof head);
    return head.len;
}

static int unix_set(struct socket *s, enum net_option option, int value)
{
    if (option == NET_OPT_RCVBUF && value >= 4096)
        unix_of(s)->limit = (uint32_t)value < 4u << 20 ? (uint32_t)value : 4u << 20;
    return option <= NET_OPT_LINGER || option == NET_OPT_KEEPALIVE ? 0 : -EOPNOTSUPP;
}

static int unix_get(struct socket *s, enum net_option option, int *value)
{
    struct unix_sock *u = unix_of(s);
    *value = 0;
    if (option == NET_OPT_SNDBUF || option == NET_OPT_RCVBUF)
        *value = (int)u->limit;
    else if (option == NET_OPT_LINGER)
        *value = -1;
    else if (option == NET_OPT_UNSENT)
        *value = u->peer ? (int)u->peer->queue.len : 0;
    return option <= NET_OPT_UNSENT || option == NET_OPT_KEEPALIVE ? 0 : -EOPNOTSUPP;
}

static const struct socket_ops unix_ops = {
    .close = unix_close,
    .poll = unix_poll,
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .name = unix_name,
    .send = unix_send,
    .receive = unix_receive,
    .shutdown = unix_shutdown,
    .queued = unix_queued,
    .set = unix_set,
    .get = unix_get,
};

static int unix_wrap(struct unix_sock *u, uint32_t protocol, struct socket **out)
{
    struct socket *s = u ? socket_new(&unix_ops, AF_UNIX, u->type, protocol) : NULL;
    if (!s) {
        if (u)
            unix_free(u);
        return -ENOMEM;
    }
    s->data = u;
    u->outside = s;
    *out = s;
    return 0;
}

int socket_unix_create(uint32_t type, uint32_t protocol, struct socket **out)
{
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return -ESOCKTNOSUPPORT;
    if (protocol > 1)
        return -EPROTONOSUPPORT;
    return unix_wrap(unix_new(type), protocol, out);
}

int socket_unix_pair(uint32_t type, uint32_t protocol, struct socket *out[2])
{
    int err = socket_unix_create(type, protocol, &out[0]);
    if (err)
        return err;
    err = socket_unix_create(type, protocol, &out[1]);
    if (err) {
        unix_close(out[0]);
        kfree(out[0]);
        return err;
    }
    join(unix_of(out[0]), unix_of(out[1]));
    return 0;
}
