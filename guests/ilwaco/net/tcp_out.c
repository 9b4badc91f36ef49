/* SPDX-License-Identifier: MIT */
/*
 * What to send now: lost bytes first, then what follows snd_nxt, then an
 * acknowledgement if one is owed and nothing carried it.
 *
 * A NIC without room (-EAGAIN) changes nothing: the connection stays on the list
 * and goes on when there is room.
 */
#include "guests/ilwaco/net/tcp.h"

void tcp_output_later(struct tcp *t)
{
    if (list_empty(&t->out))
        list_append(&t->sk.ns->tcp_output, &t->out);
}

/* Books a segment that went out, or was lost on the way. */
static void sent(struct tcp *t, uint32_t seq, uint32_t len)
{
    uint32_t end = seq + len;
    bool again = seq_lt(seq, t->snd_max);
    if (again)
        t->total_retransmits++;
    else if (!t->rtt_at && len) {
        t->rtt_at = t->sk.ns->now;
        t->rtt_seq = seq;
    }
    t->snd_max = seq_max(t->snd_max, end);
    if (!t->resend_at)
        tcp_resend_arm(t);
}

/* 0: it is out (or lost); -EAGAIN: no room. */
static int send_data(struct tcp *t, uint32_t seq, uint32_t len, bool fin)
{
    uint32_t end = seq + len;
    uint8_t flags = TCP_ACK;
    if (len && end == tcp_data_end(t))
        flags |= TCP_PSH;
    if (fin)
        flags |= TCP_FIN;
    if (tcp_segment_send(t, seq, len, flags) == -EAGAIN)
        return -EAGAIN;
    t->fin_sent |= fin;
    sent(t, seq, len + fin);
    return 0;
}

/* Whether the FIN goes with the segment that ends at `end`. */
static bool fin_follows(const struct tcp *t, uint32_t end)
{
    return t->fin && end == tcp_data_end(t);
}

/* ---- lost bytes ---- */

static int send_lost(struct tcp *t)
{
    uint32_t seq, len, room = tcp_room(t);
    if (!tcp_next_lost(t, room, &seq, &len))
        return 1;
    if (!t->force && tcp_pipe(t) + len > t->cwnd)
        return 1;
    /* The last lost number may be our FIN. */
    uint32_t data = tcp_data_end(t) - seq;
    bool fin = t->fin_sent && len > data;
    int err = send_data(t, seq, fin ? data : len, fin);
    if (err)
        return err;
    t->force = false;
    t->resent_to = seq + len;
    return 0;
}

/* ---- new bytes ---- */

/* Bytes that may go out behind snd_nxt. */
static uint32_t usable(const struct tcp *t)
{
    uint32_t flight = t->snd_nxt - t->snd_una, allowed = t->cwnd;
    uint32_t window = t->snd_wnd > flight ? t->snd_wnd - flight : 0;
    if (t->recovery)
        flight = tcp_pipe(t);
    else if (t->dupacks) /* limited transmit, RFC 3042 */
        allowed += (t->dupacks < 2 ? t->dupacks : 2) * tcp_room(t);
    allowed = allowed > flight ? allowed - flight : 0;
    return allowed < window ? allowed : window;
}

/* Whether `len` of `unsent` bytes are worth a segment (Nagle; silly window avoidance, RFC 9293
 * 3.8.6.2.1). */
static bool worth_sending(const struct tcp *t, uint32_t len, uint32_t unsent, uint32_t room)
{
    if (!len)
        return false;
    if (len >= room || seq_lt(t->snd_nxt, t->snd_max))
        return true;
    if (len < unsent)
        return len >= t->max_wnd / 2;
    if (t->fin)
        return true;
    return !t->cork && !t->more && (t->nodelay || t->snd_nxt == t->snd_una);
}

static int send_new(struct tcp *t)
{
    uint32_t end = tcp_data_end(t), room = tcp_room(t);
    if (!seq_le(t->snd_nxt, end))
        return 1; /* even the FIN is out */
    uint32_t unsent = end - t->snd_nxt, len = usable(t);
    if (len > unsent)
        len = unsent;
    if (len > room)
        len = room;
    bool fin = fin_follows(t, t->snd_nxt + len);
    if (!fin && !worth_sending(t, len, unsent, room))
        return 1;
    int err = send_data(t, t->snd_nxt, len, fin);
    if (!err)
        t->snd_nxt += len + fin;
    return err;
}

/* ---- SYN ---- */

static void send_syn(struct tcp *t)
{
    uint8_t flags = t->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;
    bool owed = t->snd_nxt == t->iss || t->ack_now;
    if (!owed)
        return;
    if (tcp_segment_send(t, t->iss, 0, flags) == -EAGAIN) {
        tcp_output_later(t);
        return;
    }
    sent(t, t->iss, 1);
    t->snd_nxt = t->iss + 1;
}

/* ---- all of it ---- */

/* A window that is closed, or too small to be worth a segment, is asked for by time. */
static bool must_probe(const struct tcp *t)
{
    bool waiting = seq_lt(t->snd_nxt, tcp_data_end(t)) ||
                   (t->fin && !t->fin_sent && t->snd_nxt == tcp_data_end(t));
    return waiting && t->snd_una == t->snd_max;
}

/* A sender that rested longer than its timeout begins anew (RFC 5681 4.1). */
static void restart_idle(struct tcp *t)
{
    uint32_t first = 10 * tcp_room(t);
    if (t->snd_una == t->snd_max && t->sent_at && t->sk.ns->now - t->sent_at > t->rto &&
        t->cwnd > first)
        t->cwnd = first;
}

static bool state_sends(const struct tcp *t)
{
    return tcp_synchronized(t) && t->state != TCP_TIME_WAIT;
}

void tcp_output(struct tcp *t)
{
    int err;
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD) {
        send_syn(t);
        tcp_timer_update(t);
        return;
    }
    if (state_sends(t)) {
        restart_idle(t);
        while (!(err = send_lost(t)))
            ;
        while (err != -EAGAIN && !(err = send_new(t)))
            ;
        if (err == -EAGAIN)
            tcp_output_later(t);
        else if (!t->resend_at && must_probe(t))
            tcp_resend_arm(t);
    }
    if (t->ack_now)
        tcp_ack_now(t);
    tcp_timer_update(t);
}

void tcp_ack_now(struct tcp *t)
{
    if (!tcp_synchronized(t))
        return;
    if (tcp_segment_send(t, t->snd_nxt, 0, TCP_ACK) == -EAGAIN) {
        t->ack_now = true;
        tcp_output_later(t);
    }
}

void tcp_probe(struct tcp *t)
{
    tcp_segment_send(t, t->snd_una - 1, 0, TCP_ACK);
}

void tcp_run_output(struct netstack *ns)
{
    struct list now;
    if (ns->output_full)
        return;
    /* Those that go back to the list wait for the next round. */
    list_init(&now);
    while (!list_empty(&ns->tcp_output)) {
        struct list *first = ns->tcp_output.next;
        list_remove(first);
        list_append(&now, first);
    }
    while (!list_empty(&now)) {
        struct tcp *t = LIST_ITEM(now.next, struct tcp, out);
        list_remove(&t->out);
        tcp_output(t);
    }
}
