/* SPDX-License-Identifier: MIT */
/*
 * What time does to a connection. It has several times and one timer, armed for
 * the first of them. A time that moved on a little leaves the timer where it was: it
 * fires, finds nothing due and is armed anew, which is cheaper than to move it with
 * every segment. One that moved on far, or is gone, takes the timer along: a VM that
 * is parked would be brought back only to find nothing due.
 */
#include "guests/ilwaco/net/tcp.h"

#define LEFT_BEHIND (20 * NET_MS)

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return b && b < a ? b : a;
}

void tcp_timer_update(struct tcp *t)
{
    uint64_t first = earlier(UINT64_MAX, t->resend_at);
    first = earlier(first, t->delack_at);
    first = earlier(first, t->long_at);
    first = earlier(first, t->keep_at);
    first = earlier(first, t->starved_at);
    if (first == UINT64_MAX)
        timers_cancel(&t->sk.ns->timers, &t->timer);
    else if (t->timer.link && first > t->timer.due + LEFT_BEHIND)
        timers_arm(&t->sk.ns->timers, &t->timer, first);
    else
        timers_arm_by(&t->sk.ns->timers, &t->timer, first);
}

void tcp_resend_arm(struct tcp *t)
{
    uint64_t wait = t->rto << (t->backoff < 10 ? t->backoff : 10);
    t->resend_at = t->sk.ns->now + (wait < TCP_RTO_MAX ? wait : TCP_RTO_MAX);
    tcp_timer_update(t);
}

/* Whether what is not acknowledged was sent again for too long. */
static bool given_up(const struct tcp *t)
{
    uint64_t now = t->sk.ns->now;
    if (t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD)
        return t->retransmits >= TCP_SYN_TRIES;
    if (t->user_timeout_ms && t->stuck_at)
        return now - t->stuck_at >= t->user_timeout_ms * NET_MS;
    return t->retransmits >= (t->owned ? TCP_TRIES : TCP_ORPHAN_TRIES);
}

static void resend(struct tcp *t)
{
    bool syn = t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD;
    if (!t->stuck_at)
        t->stuck_at = t->sk.ns->now;
    if (given_up(t)) {
        tcp_end(t, ETIMEDOUT);
        return;
    }
    if (syn)
        t->snd_nxt = t->iss;
    else
        tcp_timeout_loss(t);
    if (t->retransmits == 1) /* twice in vain: is the neighbour still who it was? */
        ip_doubt(t->sk.ns, t->sk.remote.ip);
    t->rtt_at = 0;
    t->retransmits++;
    t->backoff++;
    tcp_resend_arm(t);
    tcp_output(t);
}

/* The window is closed, or too small: asks again, more and more rarely. An open socket asks for
 * ever as long as it is answered (RFC 9293 3.8.6.1), an orphan does not. */
static void probe(struct tcp *t)
{
    if (t->probes >= (t->owned ? TCP_TRIES : TCP_ORPHAN_TRIES)) {
        tcp_abort(t, ETIMEDOUT);
        return;
    }
    t->probes++;
    if (t->backoff < 10)
        t->backoff++;
    if (t->snd_wnd && t->snd_una == t->snd_max) {
        /* A window below half of the largest: fill it (the override timeout). */
        uint32_t largest = t->max_wnd;
        t->max_wnd = 0;
        tcp_output(t);
        t->max_wnd = largest;
    } else {
        tcp_probe(t);
    }
    tcp_resend_arm(t);
}

static void resend_turn(struct tcp *t)
{
    t->resend_at = 0;
    bool syn = t->state == TCP_SYN_SENT || t->state == TCP_SYN_RCVD;
    if (!syn && (!t->snd_wnd || t->snd_una == t->snd_max)) {
        if (t->snd_una != t->snd_max || seq_lt(t->snd_nxt, tcp_data_end(t)) ||
            (t->fin && !t->fin_sent))
            probe(t);
        return;
    }
    if (t->snd_una != t->snd_max)
        resend(t);
}

/* ---- keep-alive ---- */

void tcp_keep_arm(struct tcp *t)
{
    t->keep_at =
        t->keepalive && tcp_synchronized(t) ? t->sk.ns->now + t->keep_idle_s * NET_SECOND : 0;
    tcp_timer_update(t);
}

static void keep_turn(struct tcp *t)
{
    struct netstack *ns = t->sk.ns;
    uint64_t quiet = ns->now - t->heard_at, idle = t->keep_idle_s * NET_SECOND;
    t->keep_at = 0;
    if (!t->keepalive || !tcp_synchronized(t) || t->state == TCP_TIME_WAIT)
        return;
    if (quiet < idle || t->snd_una != t->snd_max) {
        t->keep_sent = 0;
        t->keep_at = ns->now + (quiet < idle ? idle - quiet : idle);
        return;
    }
    if (t->keep_sent >= t->keep_count) {
        tcp_abort(t, ETIMEDOUT);
        return;
    }
    t->keep_sent++;
    tcp_probe(t);
    t->keep_at = ns->now + t->keep_interval_s * NET_SECOND;
}

/* ---- the timer ---- */

/* The end of a TIME-WAIT, or of an orphan in FIN-WAIT-2. */
static bool long_due(struct tcp *t)
{
    if (!t->long_at || t->long_at > t->sk.ns->now)
        return false;
    tcp_end(t, 0);
    return true;
}

static void tcp_turn(struct net_timer *timer)
{
    struct tcp *t = CONTAINER_OF(timer, struct tcp, timer);
    uint64_t now = t->sk.ns->now;
    if (long_due(t))
        return;
    if (t->delack_at && t->delack_at <= now) {
        t->delack_at = 0;
        tcp_ack_now(t);
    }
    if (t->starved_at && t->starved_at <= now) {
        t->starved_at = 0;
        t->starved = false;
        sock_notify(&t->sk, NET_OUT);
    }
    if (t->keep_at && t->keep_at <= now) {
        keep_turn(t);
    }
    if (t->resend_at && t->resend_at <= now)
        resend_turn(t);
    if (t->state != TCP_CLOSED)
        tcp_timer_update(t);
}

void tcp_timer_init(struct tcp *t)
{
    t->timer.fire = tcp_turn;
    t->rto = TCP_RTO_FIRST;
}
