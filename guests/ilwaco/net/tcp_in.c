/* SPDX-License-Identifier: MIT */
/*
 * What a segment does to a connection: RFC 9293 3.10.7, in its order, with the
 * checks of RFC 7323 (old duplicates) and RFC 5961 (blind resets).
 *
 * Bytes that arrive early are written to their place in the receive stream at once;
 * `early` says where. What the window does not cover is cut off before anybody
 * looks at it, so the stream never grows past rcvbuf.
 */
#include "guests/ilwaco/net/tcp.h"

#define MSS_LEAST 88
#define MSS_DEFAULT 536
#define QUICK_SEGMENTS 8
#define TS_OLD (24ull * 24 * 3600 * NET_SECOND) /* a timestamp is believed for 24 days */

/* ---- the handshake ---- */

static void options_agree(struct tcp *t, const struct tcp_segment *seg)
{
    uint32_t room = ip_room(t->sk.ns, t->sk.remote.ip) - TCP_LEN;
    uint32_t mss = seg->mss ? seg->mss : MSS_DEFAULT;
    if (t->user_mss && t->user_mss < mss)
        mss = t->user_mss;
    if (mss < MSS_LEAST)
        mss = MSS_LEAST;
    t->mss = (uint16_t)(mss < room ? mss : room);
    t->rcv_mss = MSS_DEFAULT;
    t->ts_on &= seg->has_ts;
    t->sack_on &= seg->sack_ok;
    t->scale_on &= seg->has_scale;
    t->snd_scale = t->scale_on ? seg->scale : 0;
    t->rcv_scale = t->scale_on ? TCP_SCALE : 0;
    if (t->ts_on) {
        t->ts_recent = seg->ts_value;
        t->ts_recent_at = t->sk.ns->now;
    }
}

static void syn_take(struct tcp *t, const struct tcp_segment *seg)
{
    t->irs = seg->seq;
    t->rcv_nxt = t->last_ack = seg->seq + 1;
    t->rcv_adv = t->rcv_nxt + (t->sk.rcvbuf < 65535 ? t->sk.rcvbuf : 65535);
    t->snd_wnd = t->max_wnd = seg->wnd;
    t->snd_wl1 = seg->seq;
    t->snd_wl2 = seg->ack;
    t->quick_left = QUICK_SEGMENTS;
    options_agree(t, seg);
    t->heard_at = t->sk.ns->now;
}

static void listen_input(struct tcp *listener, const struct tcp_segment *seg)
{
    if (seg->flags & TCP_RST)
        return;
    if (seg->flags & TCP_ACK) {
        tcp_refuse(listener->sk.ns, seg);
        return;
    }
    if (!(seg->flags & TCP_SYN) || seg->flags & TCP_FIN)
        return;
    struct tcp *t = tcp_child_new(listener, seg);
    if (!t)
        return;
    tcp_start_sequence(t);
    t->sack_on = t->ts_on = t->scale_on = true;
    syn_take(t, seg);
    tcp_hash(t);
    tcp_output(t);
}

static void established(struct tcp *t)
{
    t->state = TCP_ESTABLISHED;
    t->sk.connected = true;
    tcp_congestion_init(t);
    t->retransmits = t->backoff = 0;
    t->stuck_at = 0;
    tcp_keep_arm(t);
    if (t->parent)
        tcp_child_ready(t);
    else
        sock_notify(&t->sk, NET_OUT);
}

static void syn_sent_input(struct tcp *t, struct tcp_segment *seg)
{
    bool ack = seg->flags & TCP_ACK;
    if (ack && (seq_le(seg->ack, t->iss) || seq_lt(t->snd_max, seg->ack))) {
        tcp_refuse(t->sk.ns, seg);
        return;
    }
    if (seg->flags & TCP_RST) {
        if (ack)
            tcp_end(t, ECONNREFUSED);
        return;
    }
    if (!(seg->flags & TCP_SYN))
        return;
    syn_take(t, seg);
    if (!ack) { /* both called at once */
        t->state = TCP_SYN_RCVD;
        t->snd_nxt = t->iss;
        tcp_output(t);
        return;
    }
    tcp_ack(t, seg);
    established(t);
    /* What came with the SYN comes again; it is rare (RFC 9293 lets us queue it). */
    tcp_ack_now(t);
    tcp_output(t);
}

/* ---- checks ---- */

/* A challenge (RFC 5961): the honest peer answers, the forger does not see it. */
static void challenge(struct tcp *t)
{
    if (ns_token_challenge(t->sk.ns))
        tcp_ack_now(t);
}

static uint32_t window_end(const struct tcp *t)
{
    return seq_max(t->rcv_adv, t->rcv_nxt);
}

/* RFC 9293, table 6. */
static bool sequence_fits(const struct tcp *t, const struct tcp_segment *seg)
{
    uint32_t len = seg->len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);
    uint32_t end = window_end(t), last = seg->seq + len - 1;
    bool starts = seq_le(t->rcv_nxt, seg->seq) && seq_lt(seg->seq, end);
    if (!len)
        return starts || seg->seq == t->rcv_nxt;
    return end != t->rcv_nxt && (starts || (seq_le(t->rcv_nxt, last) && seq_lt(last, end)));
}

/* An old duplicate, by its timestamp (PAWS). */
static bool is_old(const struct tcp *t, const struct tcp_segment *seg)
{
    if (!t->ts_on || seg->flags & TCP_RST)
        return false;
    if (!seg->has_ts)
        return true;
    return seq_lt(seg->ts_value, t->ts_recent) && t->sk.ns->now - t->ts_recent_at < TS_OLD;
}

static void timestamp_take(struct tcp *t, const struct tcp_segment *seg)
{
    if (t->ts_on && seg->has_ts && seq_le(t->ts_recent, seg->ts_value) &&
        seq_le(seg->seq, t->last_ack)) {
        t->ts_recent = seg->ts_value;
        t->ts_recent_at = t->sk.ns->now;
    }
}

static void reset_input(struct tcp *t, const struct tcp_segment *seg)
{
    if (seg->seq != t->rcv_nxt) {
        challenge(t);
        return;
    }
    switch (t->state) {
    case TCP_SYN_RCVD:
        tcp_end(t, ECONNREFUSED);
        break;
    case TCP_CLOSE_WAIT:
        tcp_end(t, EPIPE);
        break;
    case TCP_TIME_WAIT: /* RFC 1337: nobody shortens it */
        break;
    default:
        tcp_end(t, ECONNRESET);
    }
}

/* Cuts off what lies before rcv_nxt and behind the window. */
static void trim(const struct tcp *t, struct tcp_segment *seg)
{
    uint32_t end = window_end(t);
    if (seq_lt(seg->seq, t->rcv_nxt)) {
        uint32_t old = t->rcv_nxt - seg->seq;
        if (old > seg->len) /* then even the FIN is old */
            seg->flags &= (uint8_t)~TCP_FIN;
        old = old < seg->len ? old : seg->len;
        seg->data += old;
        seg->len -= old;
        seg->seq += old;
    }
    if (seg->len && seq_lt(end, seg->seq + seg->len)) {
        seg->len = seq_lt(seg->seq, end) ? end - seg->seq : 0;
        seg->flags &= (uint8_t)~TCP_FIN;
    }
}

/* ---- data ---- */

static void acknowledge_soon(struct tcp *t)
{
    if (t->delack_at)
        return;
    t->delack_at = t->sk.ns->now + TCP_DELACK;
    tcp_timer_update(t);
}

/* Every second full segment is acknowledged at the end of the batch (RFC 5681 4.2), a single one
 * after a while. */
static void data_acknowledge(struct tcp *t, uint32_t len)
{
    t->unacked_bytes += len;
    if (t->quick_left && len >= t->rcv_mss)
        t->quick_left--;
    if (t->unacked_bytes >= 2u * t->rcv_mss || t->quick || (t->quick_left && len >= t->rcv_mss)) {
        t->ack_now = true;
        tcp_output_later(t);
    } else {
        acknowledge_soon(t);
    }
}

/* The gap is closed: early bytes become the stream's. */
static void early_join(struct tcp *t)
{
    struct ranges *early = t->early;
    while (early && early->count && seq_le(early->at[0].from, t->rcv_nxt)) {
        if (seq_lt(t->rcv_nxt, early->at[0].to)) {
            stream_extend(&t->rx, early->at[0].to - t->rcv_nxt);
            t->rcv_nxt = early->at[0].to;
        }
        ranges_drop_before(early, t->rcv_nxt);
    }
    if (early && !early->count)
        tcp_ranges_free(t, &t->early);
}

/* Keeps bytes that came before their time; the answer is a duplicate acknowledgement at once. */
static void data_early(struct tcp *t, const struct tcp_segment *seg)
{
    struct netstack *ns = t->sk.ns;
    uint32_t pos = t->rx.len + (seg->seq - t->rcv_nxt);
    if (!t->early) {
        t->early = pool_alloc(&ns->pool, &ns->ranges_kind);
        if (t->early)
            t->early->count = 0;
    }
    if (t->early && stream_write(&ns->chunks, &t->rx, pos, seg->data, seg->len) &&
        ranges_add(t->early, seg->seq, seg->seq + seg->len))
        t->early_last = seg->seq;
    if (t->early && !t->early->count)
        tcp_ranges_free(t, &t->early);
    tcp_ack_now(t);
}

static void data_take(struct tcp *t, const struct tcp_segment *seg)
{
    struct netstack *ns = t->sk.ns;
    bool gap = t->early != NULL;
    if (t->sk.shut & NET_SHUT_IN) { /* nobody reads it */
        t->rcv_nxt += seg->len;
        data_acknowledge(t, seg->len);
        return;
    }
    if (!stream_write(&ns->chunks, &t->rx, t->rx.len, seg->data, seg->len))
        return; /* no memory: it comes again */
    stream_extend(&t->rx, seg->len);
    t->rcv_nxt += seg->len;
    early_join(t);
    if (gap)
        t->ack_now = true, tcp_output_later(t);
    else
        data_acknowledge(t, seg->len);
    sock_notify(&t->sk, NET_IN);
}

/* Data behind our close: nobody will read it (RFC 9293 3.10.7.4, RFC 1122 4.2.2.13). */
static bool data_is_unwanted(const struct tcp *t, const struct tcp_segment *seg)
{
    return seg->len && !t->owned && !t->parent && seq_lt(t->rcv_nxt, seg->seq + seg->len);
}

static void data_input(struct tcp *t, const struct tcp_segment *seg)
{
    if (!seg->len)
        return;
    if (t->fin_come && seq_lt(t->fin_at, seg->seq + seg->len))
        return; /* bytes behind a FIN */
    if (seg->len > t->rcv_mss)
        t->rcv_mss = (uint16_t)seg->len;
    if (seg->seq == t->rcv_nxt)
        data_take(t, seg);
    else
        data_early(t, seg);
}

/* ---- the end ---- */

static void fin_input(struct tcp *t, const struct tcp_segment *seg)
{
    if (seg->flags & TCP_FIN && !t->fin_come) {
        t->fin_come = true;
        t->fin_at = seg->seq + seg->len;
    }
    if (!t->fin_come || t->rcv_nxt != t->fin_at)
        return;
    t->rcv_nxt++;
    t->ack_now = true;
    tcp_output_later(t);
    if (t->state == TCP_ESTABLISHED)
        t->state = TCP_CLOSE_WAIT;
    else if (t->state == TCP_FIN_WAIT_1)
        t->state = TCP_CLOSING;
    else if (t->state == TCP_FIN_WAIT_2)
        tcp_time_wait(t);
    sock_notify(&t->sk, NET_IN | NET_RDHUP | (tcp_may_send(t) ? 0 : NET_HUP));
}

static bool fin_is_acknowledged(const struct tcp *t)
{
    return t->fin_sent && t->snd_una == tcp_data_end(t) + 1;
}

/* Our FIN arrived. */
static void closing_advance(struct tcp *t)
{
    if (!fin_is_acknowledged(t))
        return;
    if (t->state == TCP_FIN_WAIT_1) {
        t->state = TCP_FIN_WAIT_2;
        if (!t->owned)
            t->long_at = t->sk.ns->now + TCP_FIN_WAIT_NS;
        tcp_timer_update(t);
    } else if (t->state == TCP_CLOSING) {
        tcp_time_wait(t);
    } else if (t->state == TCP_LAST_ACK) {
        tcp_end(t, 0);
    }
}

/* ---- the rest of the states ---- */

/* The third part of the handshake; whether the segment may go on. */
static bool syn_received_ack(struct tcp *t, const struct tcp_segment *seg)
{
    if (seq_le(seg->ack, t->snd_una) || seq_lt(t->snd_max, seg->ack)) {
        tcp_refuse(t->sk.ns, seg);
        return false;
    }
    /* A full queue: the peer's next try may find room. */
    if (t->parent && t->parent->waiting_count > t->parent->backlog)
        return false;
    t->snd_wnd = seg->wnd << t->snd_scale;
    established(t);
    return true;
}

static bool ack_input(struct tcp *t, const struct tcp_segment *seg)
{
    if (!(seg->flags & TCP_ACK))
        return false;
    if (t->state == TCP_SYN_RCVD && !syn_received_ack(t, seg))
        return false;
    if (seq_lt(t->snd_max, seg->ack) || seq_lt(seg->ack, t->snd_una - t->max_wnd)) {
        challenge(t);
        return false;
    }
    if (t->owned)
        t->probes = 0; /* a closed window that is answered may stay closed */
    if (seq_lt(seg->ack, t->snd_una))
        return true; /* old: its data may be new */
    tcp_ack(t, seg);
    closing_advance(t);
    return t->state != TCP_CLOSED;
}

static void unacceptable(struct tcp *t, const struct tcp_segment *seg)
{
    if (seg->flags & TCP_RST)
        return;
    if (t->state == TCP_SYN_RCVD) {
        t->ack_now = true; /* our SYN was lost: once more */
        tcp_output_later(t);
        return;
    }
    if (t->state == TCP_TIME_WAIT && seg->flags & TCP_FIN) {
        t->long_at = t->sk.ns->now + TCP_TIME_WAIT_NS;
        tcp_ack_now(t);
        return;
    }
    /* Data and FINs that came twice are honest; the rest is rationed, or two confused stacks would
     * answer each other for ever. */
    if (seg->len || seg->flags & TCP_FIN)
        tcp_ack_now(t);
    else
        challenge(t);
}

void tcp_segment_input(struct tcp *t, struct tcp_segment *seg)
{
    if (t->state == TCP_SYN_SENT) {
        syn_sent_input(t, seg);
        return;
    }
    bool old = is_old(t, seg);
    if (old || !sequence_fits(t, seg)) {
        if (!old || seg->has_ts)
            unacceptable(t, seg);
        return;
    }
    timestamp_take(t, seg);
    if (seg->flags & TCP_RST) {
        reset_input(t, seg);
        return;
    }
    if (seg->flags & TCP_SYN) {
        if (t->state == TCP_SYN_RCVD)
            unacceptable(t, seg);
        else
            challenge(t);
        return;
    }
    trim(t, seg);
    if (!ack_input(t, seg))
        return;
    t->heard_at = t->sk.ns->now;
    t->keep_sent = 0;
    if (data_is_unwanted(t, seg)) {
        tcp_abort(t, 0);
        return;
    }
    if (t->state == TCP_ESTABLISHED || t->state == TCP_FIN_WAIT_1 || t->state == TCP_FIN_WAIT_2)
        data_input(t, seg);
    fin_input(t, seg);
    tcp_output_later(t);
}

/* ---- entry ---- */

/* A new connection may take an old one's place in TIME-WAIT if its numbers are beyond the old ones
 * (RFC 1122 4.2.2.13, RFC 6191). */
static bool may_reuse(const struct tcp *t, const struct tcp_segment *seg)
{
    if (t->state != TCP_TIME_WAIT || (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    if (t->ts_on && seg->has_ts && seq_lt(t->ts_recent, seg->ts_value))
        return true;
    return seq_lt(t->rcv_nxt, seg->seq);
}

void tcp_input(struct netstack *ns, const struct ip_in *in)
{
    struct tcp_segment seg;
    if (in->broadcast || !in->src || !tcp_segment_read(&seg, in))
        return;
    struct tcp *t = tcp_find(ns, in->dst, seg.dst, in->src, seg.src);
    if (t && may_reuse(t, &seg) && tcp_find_listener(ns, in->dst, seg.dst)) {
        tcp_end(t, 0);
        t = NULL;
    }
    if (t) {
        tcp_segment_input(t, &seg);
        return;
    }
    struct tcp *listener = tcp_find_listener(ns, in->dst, seg.dst);
    if (listener)
        listen_input(listener, &seg);
    else
        tcp_refuse(ns, &seg);
}
