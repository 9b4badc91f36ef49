/* SPDX-License-Identifier: MIT */
/*
 * TCP's inside.
 *
 *     tcp.c           connections: making, finding, ending; listeners
 *     tcp_socket.c    what a program does with one
 *     tcp_segment.c   segments: reading, writing, options
 *     tcp_in.c        what a segment does to a connection
 *     tcp_ack.c       acknowledgements, round-trip times, congestion, loss recovery
 *     tcp_out.c       what to send now
 *     tcp_timer.c     what time does to a connection
 *
 * Names follow RFC 9293: snd_una is the oldest byte not acknowledged, snd_nxt the
 * next to send (it goes back after a timeout), snd_max the end of what was ever
 * sent, rcv_nxt the next to come.
 */
#ifndef ILWACO_TCP_H
#define ILWACO_TCP_H

#include "guests/ilwaco/net/internal.h"

/* Linux's numbers, as TCP_INFO tells them. */
enum tcp_state {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT,
    TCP_SYN_RCVD,
    TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2,
    TCP_TIME_WAIT,
    TCP_CLOSED,
    TCP_CLOSE_WAIT,
    TCP_LAST_ACK,
    TCP_LISTEN,
    TCP_CLOSING,
};

#define TCP_RTO_MIN (200 * NET_MS)
#define TCP_RTO_MAX (120 * NET_SECOND)
#define TCP_RTO_FIRST NET_SECOND
#define TCP_DELACK (40 * NET_MS)
#define TCP_TIME_WAIT_NS (60 * NET_SECOND)
#define TCP_FIN_WAIT_NS (60 * NET_SECOND)
#define TCP_TIME_WAIT_MAX 512
#define TCP_HALF_OPEN_MAX 1024
#define TCP_SYN_TRIES 6
#define TCP_TRIES 15
#define TCP_ORPHAN_TRIES 8
#define TCP_SCALE 7 /* windows up to 8 MB */
#define TCP_DUP_THRESHOLD 3

struct tcp {
    struct net_sock sk; /* sk.node: on tcp_ports when bound or listening */
    struct list conn;   /* on tcp_conns */
    struct list out;    /* on tcp_output, or tcp_dead */
    struct list queue;  /* of the listener (parent), or TIME-WAIT's */
    struct tcp *parent;
    struct net_timer timer; /* the first of the times below */

    uint8_t state;
    bool owned; /* a program holds it */
    bool fin;   /* our FIN follows the data in tx */
    bool fin_sent;

    /* Listener. */
    struct list half_open, waiting; /* children: before and after the handshake */
    uint32_t backlog, half_open_count, waiting_count;

    /* Sending. */
    uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd, snd_wl1, snd_wl2, max_wnd;
    uint32_t tx_seq; /* of the first byte in tx */
    struct stream tx;
    uint16_t mss; /* the largest segment with options, without the heads */
    uint16_t user_mss;
    bool nodelay, cork, more;
    bool want_out; /* the program met a full queue: it hears of room */
    bool starved;  /* ... or the end of memory: it hears of the next try */

    /* Congestion and recovery. */
    uint32_t cwnd, ssthresh, acked; /* acked: bytes towards the next step of congestion avoidance */
    uint32_t dupacks;
    bool recovery;
    bool force;         /* the first retransmission of a recovery does not ask the window */
    uint32_t recover;   /* end of the recovery, or of the last one */
    uint32_t lost_to;   /* what is not sacked before this is taken for lost */
    uint32_t resent_to; /* what was lost before this has been sent again */
    struct ranges *sacked;

    /* Round-trip time and retransmission. */
    uint64_t srtt, rttvar, rto; /* ns; srtt 0: not measured */
    uint32_t rtt_seq;
    uint64_t rtt_at; /* 0: no segment is timed */
    uint8_t retransmits, backoff, probes;
    uint32_t total_retransmits;

    /* Receiving. */
    uint32_t irs, rcv_nxt, rcv_adv; /* rcv_adv: the end of the window as the peer knows it */
    uint32_t last_ack;              /* the last acknowledgement that we sent */
    struct stream rx;
    struct ranges *early; /* behind a gap, in rx */
    uint32_t early_last;  /* in the range that SACK names first */
    bool fin_come;        /* a FIN is known at fin_at */
    uint32_t fin_at;
    uint16_t rcv_mss; /* the largest segment seen */
    uint32_t unacked_bytes;
    bool ack_now, quick;
    uint8_t quick_left; /* segments to acknowledge at once, at the beginning */

    /* Options. */
    bool ts_on, sack_on, scale_on;
    uint8_t snd_scale, rcv_scale;
    uint32_t ts_offset, ts_recent;
    uint64_t ts_recent_at;

    /* Times, 0: off. */
    uint64_t resend_at; /* retransmission, or a probe of a closed window */
    uint64_t delack_at;
    uint64_t long_at; /* FIN-WAIT-2 of an orphan, TIME-WAIT */
    uint64_t keep_at;
    uint64_t starved_at;
    uint64_t heard_at, sent_at;
    uint64_t stuck_at; /* the first retransmission of what is still not acknowledged */

    bool keepalive;
    uint8_t keep_count, keep_sent;
    uint16_t keep_idle_s, keep_interval_s;
    uint32_t user_timeout_ms;
    int16_t linger2_s;
};

struct tcp_segment {
    const struct ip_in *in;
    uint16_t src, dst;
    uint32_t seq, ack, wnd; /* wnd as on the wire */
    uint8_t flags;
    const uint8_t *data;
    uint32_t len;
    /* Options. */
    bool has_ts, has_scale, sack_ok;
    uint8_t scale;
    uint16_t mss; /* 0: not told */
    uint32_t ts_value, ts_echo;
    uint32_t sack_count;
    struct range sack[4];
};

static inline struct tcp *tcp_of(const struct net_sock *sk)
{
    return CONTAINER_OF(sk, struct tcp, sk);
}

/* Both FINs apart, data may flow. */
static inline bool tcp_synchronized(const struct tcp *t)
{
    return t->state != TCP_CLOSED && t->state != TCP_LISTEN && t->state != TCP_SYN_SENT &&
           t->state != TCP_SYN_RCVD;
}

static inline bool tcp_may_send(const struct tcp *t)
{
    return t->state == TCP_ESTABLISHED || t->state == TCP_CLOSE_WAIT;
}

/* Sequence number behind the data in tx: where our FIN is. */
static inline uint32_t tcp_data_end(const struct tcp *t)
{
    return t->tx_seq + t->tx.len;
}

/* The largest window that we can offer. */
static inline uint32_t tcp_window_most(const struct tcp *t)
{
    uint32_t field = 65535u << t->rcv_scale;
    uint32_t share = pool_share(&t->sk.ns->pool, t->sk.rcvbuf);
    return share < field ? share : field;
}

/* The window that there is room for now. */
static inline uint32_t tcp_window_room(const struct tcp *t)
{
    uint32_t share = pool_share(&t->sk.ns->pool, t->sk.rcvbuf), most = tcp_window_most(t);
    uint32_t space = share > t->rx.len ? share - t->rx.len : 0;
    return space < most ? space : most;
}

/* Bytes that may wait to be sent; a socket takes more when two thirds of it are free. */
static inline uint32_t tcp_send_limit(const struct tcp *t)
{
    return pool_share(&t->sk.ns->pool, t->sk.sndbuf);
}

static inline uint32_t tcp_ts_now(const struct tcp *t)
{
    return (uint32_t)(t->sk.ns->now >> 20) + t->ts_offset;
}

/* tcp.c */
struct tcp *tcp_new(struct netstack *ns);
struct tcp *tcp_find(struct netstack *ns, uint32_t local, uint16_t local_port, uint32_t remote,
                     uint16_t remote_port);
struct tcp *tcp_find_listener(struct netstack *ns, uint32_t ip, uint16_t port);
void tcp_hash(struct tcp *t);
void tcp_start_sequence(struct tcp *t);
/* Ends the connection with an error for its owner (0: none). What nobody holds is freed by
 * tcp_reap, later, so that callers may still look at t->state. */
void tcp_end(struct tcp *t, int error);
void tcp_abort(struct tcp *t, int error); /* the same, after a RST to the peer */
void tcp_time_wait(struct tcp *t);
/* Leaves the listener's queue of half-open children for that of those who wait for accept. */
void tcp_child_ready(struct tcp *t);
struct tcp *tcp_child_new(struct tcp *listener, const struct tcp_segment *seg);
int tcp_bind(struct net_sock *sk, const struct net_addr *addr);
int tcp_connect(struct net_sock *sk, const struct net_addr *addr);
int tcp_disconnect(struct net_sock *sk);
int tcp_listen(struct net_sock *sk, uint32_t backlog);
int tcp_accept(struct net_sock *sk, struct net_sock **out);
void tcp_close(struct net_sock *sk);
int tcp_shutdown(struct net_sock *sk, unsigned how);

/* tcp_socket.c */
extern const struct sock_ops tcp_ops;

/* tcp_segment.c */
bool tcp_segment_read(struct tcp_segment *seg, const struct ip_in *in);
/* The payload that fits a segment sent now. */
uint32_t tcp_room(const struct tcp *t);
/* Sends `len` bytes of tx from `seq`. 0, -EAGAIN (no room), or another error: then it is as lost.
 */
int tcp_segment_send(struct tcp *t, uint32_t seq, uint32_t len, uint8_t flags);
/* Answers a segment of no connection. */
void tcp_refuse(struct netstack *ns, const struct tcp_segment *seg);
void tcp_send_reset(struct tcp *t);

/* tcp_in.c */
void tcp_segment_input(struct tcp *t, struct tcp_segment *seg);

/* tcp_ack.c */
/* Takes the acknowledgement in; snd_una <= ack <= snd_max. */
void tcp_ack(struct tcp *t, const struct tcp_segment *seg);
void tcp_congestion_init(struct tcp *t);
void tcp_timeout_loss(struct tcp *t); /* what a retransmission timeout means for them */
void tcp_rtt_sample(struct tcp *t, uint64_t rtt_ns);
/* Bytes that the network holds, as well as one can know. */
uint32_t tcp_pipe(const struct tcp *t);
/* The next lost bytes to send again, at most `room`; false: none. */
bool tcp_next_lost(const struct tcp *t, uint32_t room, uint32_t *seq, uint32_t *len);
void tcp_ranges_free(struct tcp *t, struct ranges **set);

/* tcp_out.c */
void tcp_output(struct tcp *t);       /* sends what can be sent now */
void tcp_output_later(struct tcp *t); /* ... at the end of the batch */
void tcp_ack_now(struct tcp *t);      /* a pure acknowledgement, at once */
void tcp_probe(struct tcp *t);        /* a segment that must be answered */

/* tcp_timer.c */
void tcp_timer_init(struct tcp *t);
void tcp_timer_update(struct tcp *t); /* after a time above changed */
void tcp_resend_arm(struct tcp *t);   /* from now */
void tcp_keep_arm(struct tcp *t);

#endif
