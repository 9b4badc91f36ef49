/* SPDX-License-Identifier: MIT */
/* What a program does with a connection: reads, writes, asks, sets. */
#include "guests/ilwaco/net/tcp.h"

/* ---- readiness ---- */

static bool has_ended(const struct tcp *t)
{
    return t->fin_come && t->rcv_nxt == t->fin_at + 1;
}

static unsigned connection_ready(const struct tcp *t)
{
    unsigned events = 0;
    bool closed = t->state == TCP_CLOSED;
    if (t->rx.len || has_ended(t) || closed || t->sk.shut & NET_SHUT_IN)
        events |= NET_IN;
    if (has_ended(t) || closed || t->sk.shut & NET_SHUT_IN)
        events |= NET_RDHUP;
    if (closed || (has_ended(t) && !tcp_may_send(t)))
        events |= NET_HUP;
    if ((t->tx.len < tcp_send_limit(t) / 3 * 2 && !t->starved) || !tcp_may_send(t))
        events |= NET_OUT;
    return events;
}

static unsigned tcp_ready(const struct net_sock *sk)
{
    const struct tcp *t = tcp_of(sk);
    if (t->state == TCP_LISTEN)
        return list_empty(&t->waiting) ? 0 : NET_IN;
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
        return 0;
    return connection_ready(t);
}

/* ---- writing ---- */

#define TCP_STARVED (20 * NET_MS)

static int send_state(struct tcp *t)
{
    int err = sock_take_error(&t->sk);
    if (err)
        return err;
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
        return -EAGAIN;
    if (tcp_may_send(t))
        return 0;
    return t->sk.connected ? -EPIPE : -ENOTCONN;
}

/* Copies in steps of a chunk, so that what was copied before a fault is sent. */
static int queue_bytes(struct tcp *t, struct net_io *io, uint32_t n)
{
    uint32_t done = 0;
    int err = 0;
    while (done < n) {
        uint32_t step = n - done < CHUNK_DATA ? n - done : CHUNK_DATA;
        err = stream_write_io(&t->sk.ns->chunks, &t->tx, t->tx.len, io, step);
        if (err)
            break;
        stream_extend(&t->tx, step);
        done += step;
    }
    if (done || !err)
        return (int)done;
    stream_cut(&t->sk.ns->chunks, &t->tx);
    if (err != -ENOMEM)
        return err;
    /* No acknowledgement may come to tell of room: time does. */
    t->starved = true;
    t->starved_at = t->sk.ns->now + TCP_STARVED;
    tcp_timer_update(t);
    return -EAGAIN;
}

static int tcp_send(struct net_sock *sk, struct net_io *io, unsigned flags,
                    const struct net_addr *to)
{
    struct tcp *t = tcp_of(sk);
    (void)to;
    int err = send_state(t);
    if (err || !io->left)
        return err;
    uint32_t limit = tcp_send_limit(t);
    uint32_t room = limit > t->tx.len ? limit - t->tx.len : 0;
    t->want_out |= io->left >= room / 3;
    if (!room)
        return -EAGAIN;
    int n = queue_bytes(t, io, io->left < room ? (uint32_t)io->left : room);
    t->more = flags & NET_MORE;
    tcp_output(t);
    return n;
}

/* ---- reading ---- */

/* Tells the peer of new room if that is worth a segment. */
static void window_opened(struct tcp *t)
{
    uint32_t most = tcp_window_most(t);
    uint32_t space = tcp_window_room(t);
    uint32_t offered = seq_lt(t->rcv_nxt, t->rcv_adv) ? t->rcv_adv - t->rcv_nxt : 0;
    if (!tcp_synchronized(t) || has_ended(t))
        return;
    uint32_t gain = space > offered ? space - offered : 0;
    /* Acknowledgements carry small gains. */
    if (gain >= most / 2 || (offered < most / 4 && gain >= 2u * t->rcv_mss))
        tcp_ack_now(t);
}

static int recv_empty(struct tcp *t)
{
    int err = sock_take_error(&t->sk);
    if (err)
        return err;
    if (has_ended(t) || t->sk.shut & NET_SHUT_IN)
        return 0;
    if (t->state == TCP_LISTEN || (t->state == TCP_CLOSED && !t->sk.connected))
        return -ENOTCONN;
    return t->state == TCP_CLOSED ? 0 : -EAGAIN;
}

static int tcp_recv(struct net_sock *sk, struct net_io *io, unsigned flags, struct net_addr *from)
{
    struct tcp *t = tcp_of(sk);
    if (from)
        *from = sk->remote;
    if (!io->left)
        return 0;
    if (!t->rx.len)
        return recv_empty(t);
    uint32_t n = t->rx.len < io->left ? t->rx.len : (uint32_t)io->left;
    int err = stream_read_io(&t->rx, 0, io, n);
    if (err)
        return err;
    if (flags & NET_PEEK)
        return (int)n;
    stream_drop(&sk->ns->chunks, &t->rx, n);
    if (!t->rx.len && !t->early)
        stream_clear(&sk->ns->chunks, &t->rx);
    window_opened(t);
    return (int)n;
}

static uint32_t tcp_queued(const struct net_sock *sk)
{
    return tcp_of(sk)->rx.len;
}

/* ---- options ---- */

static int limited(int value, int least, int most, int *out)
{
    if (value < least || value > most)
        return -EINVAL;
    *out = value;
    return 0;
}

static int keep_set(struct tcp *t, enum net_option option, int value)
{
    int err = limited(value, 1, option == NET_OPT_KEEPCNT ? 127 : 32767, &value);
    if (err)
        return err;
    if (option == NET_OPT_KEEPIDLE)
        t->keep_idle_s = (uint16_t)value;
    else if (option == NET_OPT_KEEPINTVL)
        t->keep_interval_s = (uint16_t)value;
    else
        t->keep_count = (uint8_t)value;
    tcp_keep_arm(t);
    return 0;
}

static int tcp_set(struct net_sock *sk, enum net_option option, int value)
{
    struct tcp *t = tcp_of(sk);
    int err = 0;
    switch (option) {
    case NET_OPT_NODELAY:
        t->nodelay = value;
        tcp_output(t);
        break;
    case NET_OPT_CORK:
        t->cork = value;
        tcp_output(t);
        break;
    case NET_OPT_QUICKACK:
        t->quick = value;
        break;
    case NET_OPT_MAXSEG:
        err = limited(value, 88, 32767, &value);
        if (!err)
            t->user_mss = (uint16_t)value;
        break;
    case NET_OPT_KEEPALIVE:
        t->keepalive = value;
        t->keep_sent = 0;
        tcp_keep_arm(t);
        break;
    case NET_OPT_KEEPIDLE:
    case NET_OPT_KEEPINTVL:
    case NET_OPT_KEEPCNT:
        return keep_set(t, option, value);
    case NET_OPT_USER_TIMEOUT:
        err = value < 0 ? -EINVAL : 0;
        if (!err)
            t->user_timeout_ms = (uint32_t)value;
        break;
    case NET_OPT_LINGER2:
        t->linger2_s = (int16_t)value;
        break;
    default:
        err = -ENOPROTOOPT;
    }
    return err;
}

static int tcp_get(struct net_sock *sk, enum net_option option, int *value)
{
    const struct tcp *t = tcp_of(sk);
    switch (option) {
    case NET_OPT_NODELAY:
        *value = t->nodelay;
        return 0;
    case NET_OPT_CORK:
        *value = t->cork;
        return 0;
    case NET_OPT_QUICKACK:
        *value = t->quick;
        return 0;
    case NET_OPT_MAXSEG:
        *value = t->mss - (t->ts_on && tcp_synchronized(t) ? 12 : 0);
        return 0;
    case NET_OPT_KEEPALIVE:
        *value = t->keepalive;
        return 0;
    case NET_OPT_KEEPIDLE:
        *value = t->keep_idle_s;
        return 0;
    case NET_OPT_KEEPINTVL:
        *value = t->keep_interval_s;
        return 0;
    case NET_OPT_KEEPCNT:
        *value = t->keep_count;
        return 0;
    case NET_OPT_USER_TIMEOUT:
        *value = (int)t->user_timeout_ms;
        return 0;
    case NET_OPT_LINGER2:
        *value = t->linger2_s ? t->linger2_s : 60;
        return 0;
    case NET_OPT_UNSENT:
        *value = (int)t->tx.len;
        return 0;
    case NET_OPT_LISTENING:
        *value = t->state == TCP_LISTEN;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int tcp_get_info(const struct net_sock *sk, struct net_tcp_info *out)
{
    const struct tcp *t = tcp_of(sk);
    *out = (struct net_tcp_info){
        .state = t->state,
        .retransmits = t->retransmits,
        .backoff = t->backoff,
        .snd_wscale = t->snd_scale,
        .rcv_wscale = t->rcv_scale,
        .timestamps = t->ts_on,
        .sack = t->sack_on,
        .wscale = t->scale_on,
        .rto_us = (uint32_t)(t->rto >> 10),
        .rtt_us = (uint32_t)(t->srtt >> 10),
        .rttvar_us = (uint32_t)(t->rttvar >> 10),
        .snd_mss = tcp_room(t),
        .rcv_mss = t->rcv_mss,
        .snd_cwnd = t->cwnd / tcp_room(t),
        .snd_ssthresh = t->ssthresh / tcp_room(t),
        .unacked = (t->snd_max - t->snd_una + tcp_room(t) - 1) / tcp_room(t),
        .total_retrans = t->total_retransmits,
        .rcv_space = t->sk.rcvbuf,
    };
    return 0;
}

const struct sock_ops tcp_ops = {
    .close = tcp_close,
    .ready = tcp_ready,
    .bind = tcp_bind,
    .connect = tcp_connect,
    .disconnect = tcp_disconnect,
    .listen = tcp_listen,
    .accept = tcp_accept,
    .send = tcp_send,
    .recv = tcp_recv,
    .shutdown = tcp_shutdown,
    .queued = tcp_queued,
    .set = tcp_set,
    .get = tcp_get,
};
