/* SPDX-License-Identifier: MIT */
/*
 * Connections: how they come into being, are found, and end.
 *
 * A connection is held by a program (owned), by a listener (parent), or by nobody:
 * then it lives until its last byte is acknowledged or its time is over.
 * Invariants: t is on tcp_conns exactly while it has both addresses and is not
 * CLOSED; on a listener's queue exactly while parent is set; on the TIME-WAIT
 * list exactly in that state. A CLOSED one that nobody holds is on tcp_dead.
 */
#include "guests/ilwaco/net/tcp.h"

#define PORT_FIRST 32768
#define PORT_COUNT 28232
#define PORT_TRIES 256
#define KEEP_IDLE 7200
#define KEEP_INTERVAL 75
#define KEEP_COUNT 9

void tcp_init(struct netstack *ns)
{
    for (unsigned i = 0; i < PORT_BUCKETS; i++)
        list_init(&ns->tcp_ports[i]);
    for (unsigned i = 0; i < CONN_BUCKETS; i++)
        list_init(&ns->tcp_conns[i]);
    list_init(&ns->tcp_output);
    list_init(&ns->tcp_dead);
    list_init(&ns->tcp_time_wait);
    ns->tcp_kind.size = (sizeof(struct tcp) + 15u) & ~15u;
}

struct tcp *tcp_new(struct netstack *ns)
{
    struct tcp *t = pool_alloc(&ns->pool, &ns->tcp_kind);
    if (!t)
        return NULL;
    memset(t, 0, sizeof *t);
    sock_init(&t->sk, ns, &tcp_ops, NET_STREAM, NET_TCP);
    list_init(&t->conn);
    list_init(&t->out);
    list_init(&t->queue);
    list_init(&t->half_open);
    list_init(&t->waiting);
    t->state = TCP_CLOSED;
    t->mss = 536;
    t->keep_idle_s = KEEP_IDLE;
    t->keep_interval_s = KEEP_INTERVAL;
    t->keep_count = KEEP_COUNT;
    tcp_timer_init(t);
    return t;
}

int tcp_create(struct netstack *ns, struct net_sock **out)
{
    struct tcp *t = tcp_new(ns);
    if (!t)
        return -ENOBUFS;
    t->owned = true;
    *out = &t->sk;
    return 0;
}

/* ---- finding ---- */

static struct list *conn_bucket(struct netstack *ns, uint32_t local, uint16_t local_port,
                                uint32_t remote, uint16_t remote_port)
{
    uint32_t key[2];
    memcpy(key, ns->config.secret, sizeof key);
    uint32_t h = (remote ^ key[0]) * 0x9e3779b1u + (local ^ key[1]);
    h = (h ^ h >> 15) * 0x85ebca77u + ((uint32_t)local_port << 16 | remote_port);
    h = (h ^ h >> 13) * 0xc2b2ae3du;
    return &ns->tcp_conns[(h ^ h >> 16) % CONN_BUCKETS];
}

struct tcp *tcp_find(struct netstack *ns, uint32_t local, uint16_t local_port, uint32_t remote,
                     uint16_t remote_port)
{
    struct list *head = conn_bucket(ns, local, local_port, remote, remote_port);
    for (struct list *i = head->next; i != head; i = i->next) {
        struct tcp *t = LIST_ITEM(i, struct tcp, conn);
        if (t->sk.remote.port == remote_port && t->sk.local.port == local_port &&
            t->sk.remote.ip == remote && t->sk.local.ip == local)
            return t;
    }
    return NULL;
}

static struct list *port_bucket(struct netstack *ns, uint16_t port)
{
    return &ns->tcp_ports[port % PORT_BUCKETS];
}

struct tcp *tcp_find_listener(struct netstack *ns, uint32_t ip, uint16_t port)
{
    struct list *head = port_bucket(ns, port);
    struct tcp *any = NULL;
    for (struct list *i = head->next; i != head; i = i->next) {
        struct tcp *t = tcp_of(LIST_ITEM(i, struct net_sock, node));
        if (t->state != TCP_LISTEN || t->sk.local.port != port)
            continue;
        if (t->sk.local.ip == ip)
            return t;
        if (!t->sk.local.ip)
            any = t;
    }
    return any;
}

void tcp_hash(struct tcp *t)
{
    const struct net_addr *l = &t->sk.local, *r = &t->sk.remote;
    list_append(conn_bucket(t->sk.ns, l->ip, l->port, r->ip, r->port), &t->conn);
}

/* RFC 6528: a clock of about 4 us and a keyed hash of the addresses. A socket whose first connect
 * failed begins anew here. */
void tcp_start_sequence(struct tcp *t)
{
    t->fin = t->fin_sent = t->fin_come = t->recovery = false;
    t->retransmits = t->backoff = t->probes = 0;
    t->srtt = t->stuck_at = t->rtt_at = 0;
    t->rto = TCP_RTO_FIRST;
    t->sk.shut = 0;
    struct netstack *ns = t->sk.ns;
    uint64_t a = (uint64_t)t->sk.local.ip << 32 | t->sk.remote.ip;
    uint64_t b = (uint64_t)t->sk.local.port << 16 | t->sk.remote.port;
    uint64_t hash = ns_hash(ns, a, b);
    t->iss = (uint32_t)(ns->now >> 12) + (uint32_t)hash;
    t->ts_offset = (uint32_t)(hash >> 32);
    t->snd_una = t->snd_nxt = t->snd_max = t->iss;
    t->tx_seq = t->iss + 1;
    t->recover = t->iss;
    t->ssthresh = UINT32_MAX / 2;
    t->cwnd = 10 * t->mss;
}

/* ---- ending ---- */

static void queue_leave(struct tcp *t)
{
    if (t->parent && t->state == TCP_SYN_RCVD)
        t->parent->half_open_count--;
    else if (t->parent)
        t->parent->waiting_count--;
    t->parent = NULL;
    list_remove(&t->queue);
}

static void unsent_drop(struct tcp *t)
{
    stream_clear(&t->sk.ns->chunks, &t->tx);
    tcp_ranges_free(t, &t->sacked);
    tcp_ranges_free(t, &t->early);
    stream_cut(&t->sk.ns->chunks, &t->rx);
}

static void bury(struct tcp *t)
{
    list_remove(&t->out);
    list_append(&t->sk.ns->tcp_dead, &t->out);
}

/* Takes the connection off everything that would give it something to do. */
static void detach(struct tcp *t)
{
    struct netstack *ns = t->sk.ns;
    if (t->state == TCP_TIME_WAIT) {
        list_remove(&t->queue);
        ns->tcp_time_wait_count--;
    }
    if (t->state == TCP_SYN_RCVD && t->parent)
        queue_leave(t);
    list_remove(&t->conn);
    list_remove(&t->out);
    timers_cancel(&ns->timers, &t->timer);
    t->resend_at = t->delack_at = t->long_at = t->keep_at = t->starved_at = 0;
    t->starved = false;
    unsent_drop(t);
}

void tcp_end(struct tcp *t, int error)
{
    if (t->state == TCP_CLOSED)
        return;
    detach(t);
    t->state = TCP_CLOSED;
    if (error)
        t->sk.error = (uint16_t)error;
    if (t->owned)
        sock_notify(&t->sk, NET_IN | NET_OUT | NET_HUP | NET_RDHUP | (error ? NET_ERR : 0));
    else if (!t->parent)
        bury(t);
}

void tcp_abort(struct tcp *t, int error)
{
    if (tcp_synchronized(t) && t->state != TCP_TIME_WAIT)
        tcp_send_reset(t);
    tcp_end(t, error);
}

void tcp_reap(struct netstack *ns)
{
    while (!list_empty(&ns->tcp_dead)) {
        struct tcp *t = LIST_ITEM(ns->tcp_dead.next, struct tcp, out);
        list_remove(&t->out);
        list_remove(&t->sk.node);
        stream_clear(&ns->chunks, &t->rx);
        stream_clear(&ns->chunks, &t->tx);
        pool_free(&ns->pool, t);
    }
}

void tcp_fini(struct netstack *ns)
{
    for (unsigned i = 0; i < CONN_BUCKETS; i++) {
        struct list *head = &ns->tcp_conns[i];
        while (!list_empty(head)) {
            struct tcp *t = LIST_ITEM(head->next, struct tcp, conn);
            t->owned = false;
            if (t->parent)
                queue_leave(t);
            tcp_end(t, 0);
        }
    }
    tcp_reap(ns);
}

static void finish_one(struct tcp *t)
{
    t->sk.notify = NULL;
    if (t->owned)
        tcp_close(&t->sk);
}

void tcp_finish(struct netstack *ns)
{
    for (unsigned i = 0; i < PORT_BUCKETS; i++) /* listeners first: they let go of their children */
        while (!list_empty(&ns->tcp_ports[i])) {
            struct tcp *t = tcp_of(LIST_ITEM(ns->tcp_ports[i].next, struct net_sock, node));
            list_remove(&t->sk.node);
            finish_one(t);
        }
    for (unsigned i = 0; i < CONN_BUCKETS; i++) {
        struct list *head = &ns->tcp_conns[i];
        for (struct list *c = head->next, *next; c != head; c = next) {
            next = c->next;
            finish_one(LIST_ITEM(c, struct tcp, conn));
        }
    }
}

bool tcp_is_busy(const struct netstack *ns)
{
    for (unsigned i = 0; i < CONN_BUCKETS; i++) {
        const struct list *head = &ns->tcp_conns[i];
        for (const struct list *c = head->next; c != head; c = c->next) {
            unsigned state = LIST_ITEM(c, struct tcp, conn)->state;
            if (state == TCP_FIN_WAIT_1 || state == TCP_CLOSING || state == TCP_LAST_ACK)
                return true;
        }
    }
    return false;
}

/* The list is bounded; the oldest makes room. */
void tcp_time_wait(struct tcp *t)
{
    struct netstack *ns = t->sk.ns;
    unsent_drop(t);
    t->state = TCP_TIME_WAIT;
    t->resend_at = t->keep_at = 0;
    t->long_at = ns->now + TCP_TIME_WAIT_NS;
    if (ns->tcp_time_wait_count == TCP_TIME_WAIT_MAX)
        tcp_end(LIST_ITEM(ns->tcp_time_wait.next, struct tcp, queue), 0);
    if (t->parent)
        queue_leave(t); /* it was never accepted: nobody will miss it */
    list_append(&ns->tcp_time_wait, &t->queue);
    ns->tcp_time_wait_count++;
    tcp_timer_update(t);
}

/* ---- ports ---- */

/* Whether a connection (TIME-WAIT as well) uses the port. */
static bool port_has_connection(struct netstack *ns, const struct net_addr *addr)
{
    for (unsigned i = 0; i < CONN_BUCKETS; i++) {
        struct list *head = &ns->tcp_conns[i];
        for (struct list *c = head->next; c != head; c = c->next) {
            const struct net_sock *sk = &LIST_ITEM(c, struct tcp, conn)->sk;
            if (sk->local.port == addr->port && (!addr->ip || sk->local.ip == addr->ip))
                return true;
        }
    }
    return false;
}

static bool port_taken(struct tcp *t, const struct net_addr *addr)
{
    struct netstack *ns = t->sk.ns;
    struct list *head = port_bucket(ns, addr->port);
    for (struct list *i = head->next; i != head; i = i->next) {
        struct net_sock *other = LIST_ITEM(i, struct net_sock, node);
        bool meet = !addr->ip || !other->local.ip || addr->ip == other->local.ip;
        bool share = t->sk.reuse && other->reuse && tcp_of(other)->state != TCP_LISTEN;
        if (other != &t->sk && other->local.port == addr->port && meet && !share)
            return true;
    }
    return !t->sk.reuse && port_has_connection(ns, addr);
}

int tcp_bind(struct net_sock *sk, const struct net_addr *addr)
{
    struct tcp *t = tcp_of(sk);
    struct net_addr a = *addr;
    if (sk->local.port || t->state != TCP_CLOSED)
        return -EINVAL;
    if (a.port && port_taken(t, &a))
        return -EADDRINUSE;
    for (unsigned tries = 0; !a.port; tries++) {
        if (tries == PORT_TRIES)
            return -EADDRINUSE;
        a.port = (uint16_t)(PORT_FIRST + ns_random(sk->ns) % PORT_COUNT);
        if (port_taken(t, &a))
            a.port = 0;
    }
    sk->local = a;
    list_append(port_bucket(sk->ns, a.port), &sk->node);
    return 0;
}

/* ---- connecting ---- */

/* A port of our own for a connection to `to` (RFC 6056, algorithm 1): ports may be shared by
 * connections to different peers. */
static int port_choose(struct tcp *t, const struct net_addr *to)
{
    struct netstack *ns = t->sk.ns;
    for (unsigned tries = 0; tries < PORT_TRIES; tries++) {
        uint16_t port = (uint16_t)(PORT_FIRST + ns_random(ns) % PORT_COUNT);
        if (tcp_find(ns, t->sk.local.ip, port, to->ip, to->port) ||
            tcp_find_listener(ns, t->sk.local.ip, port))
            continue;
        t->sk.local.port = port;
        return 0;
    }
    return -EADDRNOTAVAIL;
}

static int connect_state(struct tcp *t)
{
    switch (t->state) {
    case TCP_CLOSED:
        return 0;
    case TCP_SYN_SENT:
    case TCP_SYN_RCVD:
        return -EALREADY;
    default:
        return -EISCONN;
    }
}

int tcp_connect(struct net_sock *sk, const struct net_addr *addr)
{
    struct tcp *t = tcp_of(sk);
    struct net_addr to = *addr;
    if (!to.ip)
        to.ip = NET_LOOPBACK;
    uint32_t source = ip_source(sk->ns, to.ip);
    int err = connect_state(t);
    if (!err)
        err = sock_take_error(sk);
    if (!err && (!source || ip_is_broadcast(sk->ns, to.ip) || ip_is_multicast(to.ip)))
        err = -ENETUNREACH;
    if (!err && sk->connected)
        err = -EISCONN; /* it was connected once; a stream has one life */
    if (err)
        return err;
    if (!sk->local.ip)
        sk->local.ip = source;
    if (!sk->local.port)
        err = port_choose(t, &to);
    else if (tcp_find(sk->ns, sk->local.ip, sk->local.port, to.ip, to.port))
        err = -EADDRNOTAVAIL;
    if (err)
        return err;
    sk->remote = to;
    t->mss = (uint16_t)(ip_room(sk->ns, to.ip) - TCP_LEN);
    tcp_start_sequence(t);
    t->sack_on = t->ts_on = t->scale_on = true;
    t->state = TCP_SYN_SENT;
    tcp_hash(t);
    tcp_output(t);
    return -EINPROGRESS;
}

int tcp_disconnect(struct net_sock *sk)
{
    struct tcp *t = tcp_of(sk);
    tcp_abort(t, 0);
    sk->connected = false;
    sk->remote = (struct net_addr){0};
    return 0;
}

/* ---- listening ---- */

int tcp_listen(struct net_sock *sk, uint32_t backlog)
{
    struct tcp *t = tcp_of(sk);
    struct net_addr any = {sk->local.ip, 0};
    if (t->state != TCP_CLOSED && t->state != TCP_LISTEN)
        return -EINVAL;
    int err = sk->local.port ? 0 : tcp_bind(sk, &any);
    if (err)
        return err;
    if (t->state != TCP_LISTEN && port_taken(t, &sk->local))
        return -EADDRINUSE;
    t->backlog = backlog < 1 ? 1 : backlog > 4096 ? 4096 : backlog;
    t->state = TCP_LISTEN;
    return 0;
}

/* A flood of SYNs pushes the oldest half-open ones out, and memory stays bounded. */
struct tcp *tcp_child_new(struct tcp *listener, const struct tcp_segment *seg)
{
    struct netstack *ns = listener->sk.ns;
    uint32_t most = listener->backlog < 128 ? 128 : listener->backlog;
    if (listener->waiting_count > listener->backlog)
        return NULL;
    if (listener->half_open_count >= (most < TCP_HALF_OPEN_MAX ? most : TCP_HALF_OPEN_MAX))
        tcp_end(LIST_ITEM(listener->half_open.next, struct tcp, queue), 0);
    struct tcp *t = tcp_new(ns);
    if (!t)
        return NULL;
    t->sk.local = (struct net_addr){seg->in->dst, seg->dst};
    t->sk.remote = (struct net_addr){seg->in->src, seg->src};
    t->sk.sndbuf = listener->sk.sndbuf;
    t->sk.rcvbuf = listener->sk.rcvbuf;
    t->sk.reuse = listener->sk.reuse;
    t->sk.ttl = listener->sk.ttl;
    t->sk.tos = listener->sk.tos;
    t->sk.linger_s = listener->sk.linger_s;
    t->nodelay = listener->nodelay;
    t->user_mss = listener->user_mss;
    t->keepalive = listener->keepalive;
    t->keep_idle_s = listener->keep_idle_s;
    t->keep_interval_s = listener->keep_interval_s;
    t->keep_count = listener->keep_count;
    t->user_timeout_ms = listener->user_timeout_ms;
    t->state = TCP_SYN_RCVD;
    t->parent = listener;
    list_append(&listener->half_open, &t->queue);
    listener->half_open_count++;
    return t;
}

void tcp_child_ready(struct tcp *t)
{
    struct tcp *listener = t->parent;
    list_remove(&t->queue);
    listener->half_open_count--;
    list_append(&listener->waiting, &t->queue);
    listener->waiting_count++;
    sock_notify(&listener->sk, NET_IN);
}

int tcp_accept(struct net_sock *sk, struct net_sock **out)
{
    struct tcp *t = tcp_of(sk);
    if (t->state != TCP_LISTEN)
        return -EINVAL;
    if (list_empty(&t->waiting))
        return -EAGAIN;
    struct tcp *child = LIST_ITEM(t->waiting.next, struct tcp, queue);
    queue_leave(child);
    child->owned = true;
    *out = &child->sk;
    return 0;
}

static void listener_end(struct tcp *t)
{
    while (!list_empty(&t->half_open))
        tcp_end(LIST_ITEM(t->half_open.next, struct tcp, queue), 0);
    while (!list_empty(&t->waiting)) {
        struct tcp *child = LIST_ITEM(t->waiting.next, struct tcp, queue);
        queue_leave(child);
        if (child->state == TCP_CLOSED)
            bury(child);
        else
            tcp_abort(child, 0);
    }
    t->state = TCP_CLOSED;
}

/* ---- closing ---- */

/* Queues our FIN; the state after it. */
static void fin_queue(struct tcp *t)
{
    t->fin = true;
    t->cork = t->more = false;
    t->state = t->state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT_1;
    tcp_output(t);
}

int tcp_shutdown(struct net_sock *sk, unsigned how)
{
    struct tcp *t = tcp_of(sk);
    if (t->state == TCP_LISTEN && how & NET_SHUT_IN) {
        listener_end(t);
        sock_notify(sk, NET_IN | NET_HUP);
        return 0;
    }
    if (!tcp_synchronized(t) && t->state != TCP_SYN_RCVD)
        return -ENOTCONN;
    sk->shut |= (uint8_t)how;
    if (how & NET_SHUT_OUT && tcp_may_send(t))
        fin_queue(t);
    sock_notify(sk, NET_IN | NET_OUT | NET_RDHUP);
    return 0;
}

/* Data that nobody will read, or a linger of 0, makes close a reset (RFC 2525, 2.17). */
static bool close_resets(const struct tcp *t)
{
    return tcp_synchronized(t) && (t->rx.len || t->early || t->sk.linger_s == 0) &&
           t->state != TCP_TIME_WAIT;
}

static void orphan(struct tcp *t)
{
    t->owned = false;
    stream_clear(&t->sk.ns->chunks, &t->rx);
    if (tcp_may_send(t))
        fin_queue(t);
    if (t->state == TCP_FIN_WAIT_2) {
        t->long_at = t->sk.ns->now + TCP_FIN_WAIT_NS;
        tcp_timer_update(t);
    }
}

void tcp_close(struct net_sock *sk)
{
    struct tcp *t = tcp_of(sk);
    if (t->state == TCP_LISTEN)
        listener_end(t);
    list_remove(&sk->node);
    if (t->state == TCP_CLOSED) {
        t->owned = false;
        bury(t);
    } else if (close_resets(t)) {
        t->owned = false;
        tcp_abort(t, 0);
    } else if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD) {
        t->owned = false;
        tcp_end(t, 0);
    } else {
        orphan(t);
    }
}

/* ---- errors from the network ---- */

/* A path with a smaller MTU (RFC 1191): what was sent in larger segments goes again. */
static void path_shrinks(struct tcp *t, uint32_t mtu)
{
    uint32_t mss = mtu >= 552 ? mtu - IP_LEN - TCP_LEN : 536;
    if (mss >= t->mss || !tcp_synchronized(t))
        return;
    t->mss = (uint16_t)mss;
    t->snd_nxt = t->snd_una;
    t->recovery = false;
    t->rtt_at = 0;
    tcp_output_later(t);
}

void tcp_failed(struct netstack *ns, uint32_t src, uint32_t dst, const uint8_t *data, int error,
                uint32_t mtu)
{
    const struct tcp_head *head = (const struct tcp_head *)data;
    struct tcp *t = tcp_find(ns, src, be16(head->src), dst, be16(head->dst));
    uint32_t seq = be32(head->seq);
    /* Who does not see our traffic cannot know a number in flight (RFC 5927). */
    if (!t || seq_lt(seq, t->snd_una) || !seq_lt(seq, t->snd_max))
        return;
    if (error == EMSGSIZE)
        path_shrinks(t, mtu);
    else if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
        tcp_end(t, error);
    /* An established connection outlives an error that may pass (RFC 1122 4.2.3.9). */
}
