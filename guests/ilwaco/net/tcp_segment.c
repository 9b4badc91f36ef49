/* SPDX-License-Identifier: MIT */
/*
 * Segments on the wire. Reading believes no length: options end where the head
 * does, an option that does not fit ends their reading. Writing goes straight from
 * the send queue into the frame.
 */
#include "guests/ilwaco/net/tcp.h"

#define OPT_END 0
#define OPT_NOP 1
#define OPT_MSS 2
#define OPT_SCALE 3
#define OPT_SACK_OK 4
#define OPT_SACK 5
#define OPT_TS 8

#define TS_ROOM 12
#define SCALE_MAX 14

static uint32_t word_get(const uint8_t *p)
{
    uint32_t wire;
    memcpy(&wire, p, sizeof wire);
    return be32(wire);
}

static uint8_t *word_put(uint8_t *p, uint32_t value)
{
    uint32_t wire = be32(value);
    memcpy(p, &wire, sizeof wire);
    return p + sizeof wire;
}

/* ---- reading ---- */

static void sack_read(struct tcp_segment *seg, const uint8_t *value, unsigned len)
{
    if (len % 8)
        return;
    for (unsigned at = 0; at < len && seg->sack_count < ARRAY_LEN(seg->sack); at += 8) {
        struct range r = {word_get(value + at), word_get(value + at + 4)};
        seg->sack[seg->sack_count++] = r;
    }
}

/* One option; `len` is that of its value. */
static void option_read(struct tcp_segment *seg, uint8_t kind, const uint8_t *value, unsigned len)
{
    bool syn = seg->flags & TCP_SYN;
    if (kind == OPT_MSS && len == 2 && syn) {
        seg->mss = (uint16_t)(value[0] << 8 | value[1]);
    } else if (kind == OPT_SCALE && len == 1 && syn) {
        seg->has_scale = true;
        seg->scale = value[0] < SCALE_MAX ? value[0] : SCALE_MAX;
    } else if (kind == OPT_SACK_OK && len == 0 && syn) {
        seg->sack_ok = true;
    } else if (kind == OPT_SACK) {
        sack_read(seg, value, len);
    } else if (kind == OPT_TS && len == 8) {
        seg->has_ts = true;
        seg->ts_value = word_get(value);
        seg->ts_echo = word_get(value + 4);
    }
}

static void options_read(struct tcp_segment *seg, const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p != OPT_END) {
        if (*p == OPT_NOP) {
            p++;
            continue;
        }
        if (end - p < 2 || p[1] < 2 || p[1] > end - p)
            return;
        option_read(seg, p[0], p + 2, p[1] - 2u);
        p += p[1];
    }
}

bool tcp_segment_read(struct tcp_segment *seg, const struct ip_in *in)
{
    const struct tcp_head *head = (const struct tcp_head *)in->data;
    if (in->len < TCP_LEN)
        return false;
    uint32_t head_len = (head->offset >> 4) * 4u;
    uint32_t pseudo = wire_pseudo(in->head->src, in->head->dst, NET_TCP, in->len);
    if (head_len < TCP_LEN || head_len > in->len || wire_fold(wire_sum(in->data, in->len, pseudo)))
        return false;
    *seg = (struct tcp_segment){
        .in = in,
        .src = be16(head->src),
        .dst = be16(head->dst),
        .seq = be32(head->seq),
        .ack = be32(head->ack),
        .wnd = be16(head->window),
        .flags = head->flags,
        .data = in->data + head_len,
        .len = in->len - head_len,
    };
    options_read(seg, in->data + TCP_LEN, seg->data);
    return seg->src && seg->dst;
}

/* ---- options out ---- */

static uint32_t sack_blocks(const struct tcp *t)
{
    uint32_t most = t->ts_on ? 3 : 4;
    if (!t->sack_on || !t->early)
        return 0;
    return t->early->count < most ? t->early->count : most;
}

static uint32_t options_room(const struct tcp *t)
{
    uint32_t blocks = sack_blocks(t);
    return (t->ts_on ? TS_ROOM : 0) + (blocks ? 4 + 8 * blocks : 0);
}

uint32_t tcp_room(const struct tcp *t)
{
    return t->mss - options_room(t);
}

static uint8_t *ts_put(const struct tcp *t, uint8_t *p)
{
    static const uint8_t head[] = {OPT_NOP, OPT_NOP, OPT_TS, 10};
    memcpy(p, head, sizeof head);
    p = word_put(p + sizeof head, tcp_ts_now(t));
    return word_put(p, t->ts_recent);
}

/* The range that changed last comes first (RFC 2018), then the others. */
static uint8_t *sack_put(const struct tcp *t, uint8_t *p)
{
    uint32_t blocks = sack_blocks(t), done = 0;
    const struct range *first = blocks ? ranges_find(t->early, t->early_last) : NULL;
    if (!blocks)
        return p;
    *p++ = OPT_NOP;
    *p++ = OPT_NOP;
    *p++ = OPT_SACK;
    *p++ = (uint8_t)(2 + 8 * blocks);
    if (first) {
        p = word_put(word_put(p, first->from), first->to);
        done++;
    }
    for (uint32_t i = 0; done < blocks; i++) {
        const struct range *r = &t->early->at[i];
        if (r == first)
            continue;
        p = word_put(word_put(p, r->from), r->to);
        done++;
    }
    return p;
}

static uint16_t own_mss(const struct tcp *t)
{
    uint32_t room = ip_room(t->sk.ns, t->sk.remote.ip) - TCP_LEN;
    return (uint16_t)(t->user_mss && t->user_mss < room ? t->user_mss : room);
}

/* A SYN offers all; the answer to one, what the other side offered. */
static uint8_t *syn_options_put(const struct tcp *t, uint8_t *p)
{
    uint16_t mss = own_mss(t);
    *p++ = OPT_MSS;
    *p++ = 4;
    *p++ = (uint8_t)(mss >> 8);
    *p++ = (uint8_t)mss;
    if (t->sack_on) {
        *p++ = OPT_NOP;
        *p++ = OPT_NOP;
        *p++ = OPT_SACK_OK;
        *p++ = 2;
    }
    if (t->ts_on)
        p = ts_put(t, p);
    if (t->scale_on) {
        *p++ = OPT_NOP;
        *p++ = OPT_SCALE;
        *p++ = 3;
        *p++ = TCP_SCALE;
    }
    return p;
}

/* ---- the window that we offer ---- */

/*
 * The right edge never goes back, and goes forward in steps worth a segment
 * (silly window avoidance, RFC 9293 3.8.6.2.2).
 */
static uint32_t window_now(const struct tcp *t)
{
    uint32_t most = tcp_window_most(t), step = most / 2 < t->mss ? most / 2 : t->mss;
    uint32_t space = tcp_window_room(t);
    uint32_t offered = seq_lt(t->rcv_nxt, t->rcv_adv) ? t->rcv_adv - t->rcv_nxt : 0;
    if (space < offered || space - offered < step)
        space = offered;
    return space;
}

/* ---- writing ---- */

static void segment_finish(struct tcp *t, uint8_t *packet, size_t len)
{
    struct tcp_head *head = (struct tcp_head *)packet;
    uint32_t pseudo = wire_pseudo(be32(t->sk.local.ip), be32(t->sk.remote.ip), NET_TCP, len);
    head->checksum = 0;
    head->checksum = wire_fold(wire_sum(packet, len, pseudo));
}

static void head_put(struct tcp *t, uint8_t *packet, uint32_t seq, uint8_t flags, uint32_t options,
                     uint32_t window)
{
    *(struct tcp_head *)packet = (struct tcp_head){
        .src = be16(t->sk.local.port),
        .dst = be16(t->sk.remote.port),
        .seq = be32(seq),
        .ack = flags & TCP_ACK ? be32(t->rcv_nxt) : 0,
        .offset = (uint8_t)((TCP_LEN + options) / 4 << 4),
        .flags = flags,
        .window = be16((uint16_t)window),
    };
}

/* The acknowledgement is out: what we owe is settled. */
static void acknowledged(struct tcp *t, uint32_t window)
{
    t->ack_now = false;
    t->unacked_bytes = 0;
    t->delack_at = 0;
    t->last_ack = t->rcv_nxt;
    t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + window);
}

static int segment_out(struct tcp *t, uint8_t *packet, size_t len)
{
    struct ip_out out = {.src = t->sk.local.ip,
                         .dst = t->sk.remote.ip,
                         .protocol = NET_TCP,
                         .ttl = t->sk.ttl,
                         .tos = t->sk.tos,
                         .whole = true};
    segment_finish(t, packet, len);
    t->sent_at = t->sk.ns->now;
    return ip_send(t->sk.ns, &out, len);
}

int tcp_segment_send(struct tcp *t, uint32_t seq, uint32_t len, uint8_t flags)
{
    uint8_t *packet = frame_payload(t->sk.ns), *p = packet + TCP_LEN;
    uint32_t window = window_now(t), shown;
    if (flags & TCP_SYN) {
        p = syn_options_put(t, p);
        shown = window = window < 65535 ? window : 65535;
    } else {
        if (t->ts_on)
            p = ts_put(t, p);
        p = sack_put(t, p);
        shown = window >> t->rcv_scale;
        window = shown << t->rcv_scale;
    }
    head_put(t, packet, seq, flags, (uint32_t)(p - packet) - TCP_LEN, shown);
    if (len)
        stream_read(&t->tx, seq - t->tx_seq, p, len);
    int err = segment_out(t, packet, (size_t)(p - packet) + len);
    if (!err && flags & TCP_ACK)
        acknowledged(t, window);
    return err;
}

void tcp_send_reset(struct tcp *t)
{
    uint8_t *packet = frame_payload(t->sk.ns);
    head_put(t, packet, t->snd_nxt, TCP_RST | TCP_ACK, 0, 0);
    segment_out(t, packet, TCP_LEN);
}

void tcp_refuse(struct netstack *ns, const struct tcp_segment *seg)
{
    const struct ip_in *in = seg->in;
    if (seg->flags & TCP_RST)
        return;
    struct tcp_head *head = (struct tcp_head *)frame_payload(ns);
    uint32_t after = seg->seq + seg->len + !!(seg->flags & TCP_SYN) + !!(seg->flags & TCP_FIN);
    bool ack = seg->flags & TCP_ACK;
    *head = (struct tcp_head){
        .src = be16(seg->dst),
        .dst = be16(seg->src),
        .seq = ack ? be32(seg->ack) : 0,
        .ack = ack ? 0 : be32(after),
        .offset = TCP_LEN / 4 << 4,
        .flags = ack ? TCP_RST : TCP_RST | TCP_ACK,
    };
    uint32_t pseudo = wire_pseudo(in->head->dst, in->head->src, NET_TCP, TCP_LEN);
    head->checksum = wire_fold(wire_sum(head, TCP_LEN, pseudo));
    struct ip_out out = {.src = in->dst, .dst = in->src, .protocol = NET_TCP, .whole = true};
    ip_send(ns, &out, TCP_LEN);
}
