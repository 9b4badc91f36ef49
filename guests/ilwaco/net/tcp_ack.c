/* SPDX-License-Identifier: MIT */
/*
 * What an acknowledgement tells: bytes that arrived, how long the way is (RFC
 * 6298), how much the network holds (RFC 5681), what it lost (RFC 6582 and 6675).
 *
 * Recovery is one for peers with SACK and without. Everything before lost_to that
 * was not sacked is taken for lost; what of it lies before resent_to was sent
 * again. tcp_pipe counts what may still be on the way, and tcp_out.c sends lost
 * bytes, then new ones, while the pipe is shorter than the congestion window.
 * Without SACK a duplicate acknowledgement stands for one segment that arrived.
 */
#include "guests/ilwaco/net/tcp.h"

#define INITIAL_SEGMENTS 10 /* RFC 6928 */

static uint32_t segment_size(const struct tcp *t)
{
    return t->mss - (t->ts_on ? 12u : 0u);
}

void tcp_ranges_free(struct tcp *t, struct ranges **set)
{
    if (*set)
        pool_free(&t->sk.ns->pool, *set);
    *set = NULL;
}

void tcp_congestion_init(struct tcp *t)
{
    t->cwnd = INITIAL_SEGMENTS * segment_size(t);
    if (t->retransmits) /* the SYN was lost: RFC 5681 3.1 */
        t->cwnd = segment_size(t);
    t->ssthresh = UINT32_MAX / 2;
    t->recover = t->snd_una;
}

/* ---- round-trip time ---- */

void tcp_rtt_sample(struct tcp *t, uint64_t rtt)
{
    if (!t->srtt) {
        t->srtt = rtt ? rtt : 1;
        t->rttvar = rtt / 2;
    } else {
        uint64_t off = t->srtt > rtt ? t->srtt - rtt : rtt - t->srtt;
        t->rttvar += (off >> 2) - (t->rttvar >> 2);
        t->srtt += (rtt >> 3) - (t->srtt >> 3);
    }
    uint64_t rto = t->srtt + 4 * t->rttvar;
    t->rto = rto < TCP_RTO_MIN ? TCP_RTO_MIN : rto > TCP_RTO_MAX ? TCP_RTO_MAX : rto;
}

static void rtt_measure(struct tcp *t, const struct tcp_segment *seg)
{
    uint64_t now = t->sk.ns->now;
    if (t->ts_on && seg->has_ts && seg->ts_echo) {
        uint32_t ticks = tcp_ts_now(t) - seg->ts_echo;
        if (ticks < 1u << 17) /* two minutes: no honest echo is older */
            tcp_rtt_sample(t, ((uint64_t)ticks << 20) + NET_MS / 2);
    } else if (t->rtt_at && seq_lt(t->rtt_seq, seg->ack)) {
        tcp_rtt_sample(t, now - t->rtt_at);
        t->rtt_at = 0;
    }
}

/* ---- what the network holds ---- */

static uint32_t sacked_end(const struct tcp *t)
{
    return t->sacked && t->sacked->count ? t->sacked->at[t->sacked->count - 1].to : t->snd_una;
}

/* The first byte at `seq` or behind that was not sacked; *end: where the next sacked byte is, or
 * `limit`. */
static uint32_t hole_at(const struct tcp *t, uint32_t seq, uint32_t limit, uint32_t *end)
{
    *end = limit;
    for (uint32_t i = 0; t->sacked && i < t->sacked->count; i++) {
        const struct range *r = &t->sacked->at[i];
        if (seq_le(r->to, seq))
            continue;
        if (seq_lt(seq, r->from)) {
            *end = seq_min(limit, r->from);
            break;
        }
        seq = r->to;
    }
    return seq;
}

uint32_t tcp_pipe(const struct tcp *t)
{
    uint32_t lost_to = seq_max(t->lost_to, t->snd_una), pipe = t->snd_max - lost_to;
    uint32_t resent = seq_min(t->resent_to, lost_to), end;
    for (uint32_t seq = hole_at(t, t->snd_una, resent, &end); seq_lt(seq, resent);
         seq = hole_at(t, end, resent, &end))
        pipe += end - seq;
    uint32_t arrived = t->sack_on ? 0 : t->dupacks * segment_size(t);
    return pipe > arrived ? pipe - arrived : 0;
}

bool tcp_next_lost(const struct tcp *t, uint32_t room, uint32_t *seq, uint32_t *len)
{
    uint32_t end, at;
    if (!t->recovery)
        return false;
    at = hole_at(t, seq_max(t->resent_to, t->snd_una), t->lost_to, &end);
    if (!seq_lt(at, t->lost_to) || !seq_lt(at, end))
        return false;
    *seq = at;
    *len = end - at < room ? end - at : room;
    return true;
}

/* ---- SACK from the peer ---- */

/* Adds the segment's blocks to the scoreboard; whether that told anything new. */
static bool sack_take(struct tcp *t, const struct tcp_segment *seg)
{
    uint32_t before = t->sacked ? ranges_total(t->sacked) : 0;
    if (!t->sack_on)
        return false;
    for (uint32_t i = 0; i < seg->sack_count; i++) {
        uint32_t from = seg->sack[i].from, to = seg->sack[i].to;
        if (!seq_lt(t->snd_una, from) || !seq_lt(from, to) || !seq_le(to, t->snd_max))
            continue; /* a duplicate's report, or nonsense */
        if (!t->sacked) {
            t->sacked = pool_alloc(&t->sk.ns->pool, &t->sk.ns->ranges_kind);
            if (!t->sacked)
                return false;
            t->sacked->count = 0;
        }
        ranges_add(t->sacked, from, to);
    }
    return t->sacked && ranges_total(t->sacked) > before;
}

static void sack_drop(struct tcp *t)
{
    if (!t->sacked)
        return;
    ranges_drop_before(t->sacked, t->snd_una);
    if (!t->sacked->count)
        tcp_ranges_free(t, &t->sacked);
}

/* ---- congestion ---- */

static uint32_t half_of_flight(const struct tcp *t)
{
    uint32_t half = (t->snd_max - t->snd_una) / 2, least = 2 * segment_size(t);
    return half > least ? half : least;
}

/* Appropriate byte counting (RFC 3465) with its limit of two segments in slow start. */
static void window_grow(struct tcp *t, uint32_t bytes)
{
    uint32_t mss = segment_size(t);
    if (t->cwnd < t->ssthresh) {
        t->cwnd += bytes < 2 * mss ? bytes : 2 * mss;
        return;
    }
    t->acked += bytes;
    if (t->acked >= t->cwnd) {
        t->acked -= t->cwnd;
        t->cwnd += mss;
    }
    if (t->cwnd > 1u << 30)
        t->cwnd = 1u << 30;
}

/* Moves the border of what is taken for lost: behind every sacked byte, and one segment at least
 * after the first hole is known to be one. */
static void lost_update(struct tcp *t, bool first_is_lost)
{
    uint32_t lost = seq_max(t->lost_to, sacked_end(t));
    if (first_is_lost)
        lost = seq_max(lost, seq_min(t->snd_una + segment_size(t), t->snd_max));
    t->lost_to = lost;
}

static void recovery_begin(struct tcp *t)
{
    t->ssthresh = half_of_flight(t);
    t->cwnd = t->ssthresh;
    t->recovery = t->force = true;
    t->recover = t->snd_max;
    t->lost_to = t->resent_to = t->snd_una;
    t->rtt_at = 0;
    lost_update(t, true);
}

static void recovery_end(struct tcp *t)
{
    t->recovery = t->force = false;
    t->dupacks = 0;
    t->acked = 0;
    t->cwnd = t->ssthresh;
}

void tcp_timeout_loss(struct tcp *t)
{
    if (!t->retransmits)
        t->ssthresh = half_of_flight(t);
    t->cwnd = segment_size(t);
    t->recovery = t->force = false;
    t->dupacks = t->acked = 0;
    t->recover = t->snd_max;
    t->rtt_at = 0;
    tcp_ranges_free(t, &t->sacked); /* the peer may have forgotten it (RFC 2018, section 8) */
    t->snd_nxt = t->snd_una;
}

/* Enough arrived behind the first hole to call it lost? */
static bool loss_is_likely(const struct tcp *t)
{
    if (t->dupacks >= TCP_DUP_THRESHOLD)
        return true;
    return t->sacked && ranges_total(t->sacked) > (TCP_DUP_THRESHOLD - 1) * segment_size(t);
}

static void duplicate_ack(struct tcp *t)
{
    t->dupacks++;
    if (t->recovery) {
        lost_update(t, false);
        return;
    }
    if (loss_is_likely(t) && seq_le(t->recover, t->snd_una))
        recovery_begin(t);
}

/* New bytes were acknowledged while losses are repaired. */
static void partial_ack(struct tcp *t, uint32_t bytes)
{
    uint32_t segments = bytes / segment_size(t);
    t->dupacks -= segments < t->dupacks ? segments : t->dupacks;
    t->resent_to = seq_max(t->resent_to, t->snd_una);
    /* The byte behind a repaired hole is the next hole (RFC 6582), even if SACK says nothing. */
    lost_update(t, !t->sacked);
    if (!t->sack_on)
        t->force = true;
}

/* ---- the acknowledgement ---- */

static bool is_duplicate(const struct tcp *t, const struct tcp_segment *seg, uint32_t wnd)
{
    return seg->ack == t->snd_una && !seg->len && wnd == t->snd_wnd && t->snd_una != t->snd_max &&
           !(seg->flags & (TCP_SYN | TCP_FIN));
}

/* Gives the acknowledged bytes' memory back; whether the program has new room to write. */
static void sent_drop(struct tcp *t)
{
    uint32_t done = t->snd_una - t->tx_seq;
    uint32_t limit = tcp_send_limit(t);
    if (done > t->tx.len)
        done = t->tx.len; /* the rest is our FIN */
    stream_drop(&t->sk.ns->chunks, &t->tx, done);
    t->tx_seq += done;
    if (!t->tx.len)
        stream_clear(&t->sk.ns->chunks, &t->tx);
    /* The limit moves with the memory, so below its usual value everybody hears of room. */
    if ((t->want_out || limit < t->sk.sndbuf) && t->tx.len < limit / 3 * 2) {
        t->want_out = false;
        sock_notify(&t->sk, NET_OUT);
    }
}

static void new_ack(struct tcp *t, const struct tcp_segment *seg)
{
    uint32_t bytes = seg->ack - t->snd_una;
    bool limited = t->snd_max - t->snd_una + segment_size(t) >= t->cwnd;
    t->snd_una = seg->ack;
    t->snd_nxt = seq_max(t->snd_nxt, t->snd_una);
    rtt_measure(t, seg);
    t->retransmits = t->backoff = t->probes = 0;
    t->stuck_at = 0;
    sack_take(t, seg);
    sack_drop(t);
    if (t->recovery && seq_le(t->recover, t->snd_una)) {
        recovery_end(t);
    } else if (t->recovery) {
        partial_ack(t, bytes);
    } else {
        t->dupacks = 0;
        t->recover = seq_max(t->recover, t->snd_una);
        if (limited)
            window_grow(t, bytes);
    }
    sent_drop(t);
    if (t->snd_una == t->snd_max)
        t->resend_at = 0;
    else
        tcp_resend_arm(t);
}

static void window_update(struct tcp *t, const struct tcp_segment *seg, uint32_t wnd)
{
    if (!seq_lt(t->snd_wl1, seg->seq) && !(t->snd_wl1 == seg->seq && seq_le(t->snd_wl2, seg->ack)))
        return;
    t->snd_wnd = wnd;
    t->snd_wl1 = seg->seq;
    t->snd_wl2 = seg->ack;
    if (wnd > t->max_wnd)
        t->max_wnd = wnd;
    if (wnd)
        t->probes = 0;
}

void tcp_ack(struct tcp *t, const struct tcp_segment *seg)
{
    uint32_t wnd = seg->flags & TCP_SYN ? seg->wnd : seg->wnd << t->snd_scale;
    bool duplicate = is_duplicate(t, seg, wnd);
    if (seq_lt(t->snd_una, seg->ack)) {
        new_ack(t, seg);
    } else {
        bool news = sack_take(t, seg);
        if (t->sack_on ? news : duplicate)
            duplicate_ack(t);
    }
    window_update(t, seg, wnd);
}
