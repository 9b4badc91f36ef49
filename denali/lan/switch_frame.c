/* SPDX-License-Identifier: MIT */
/*
 * What happens to a frame: may its sender say this, who is it for, is there room.
 * A frame is copied once, into the queue of the port that it is for.
 *
 * Memory: a port's queue is bounded, and so is what one sender has in all queues
 * together, so neither one slow receiver nor one eager sender fills the host. A full
 * queue takes a frame of somebody who has few there instead of the last one of whoever
 * has most: who floods a port does not keep others away from it.
 *
 * Turns: a frame's round is one more than that of its sender's last in the queue, and
 * the queue is in the order of rounds. With one sender that is a plain queue.
 */
#include "denali/lan/switch_private.h"

#include "emu/base/host.h"

#include <stdlib.h>
#include <string.h>

#define ARP_BYTES 28u
#define ARP_REQUEST 1u
#define HOT_BURST_NS 5000000u
#define HOT_BURST_LEAST 16u /* frames */

/* Accounts. */

static struct lan_account *account_of(struct lan_port *port)
{
    if (port->account)
        return port->account;
    struct lan_account *account = calloc(1, sizeof(*account));
    if (!account)
        return NULL;
    account->held = LAN_HOLDER;
    account->floods = bucket_of(LAN_FLOOD_PER_S, 1000000000u);
    for (unsigned i = 0; i < LAN_PRESSURES; i++) {
        uint64_t per_s = LAN_HOT_PER_S >> i, least_ns = HOT_BURST_LEAST * 1000000000u / per_s;
        account->hot[i] = bucket_of(per_s, least_ns > HOT_BURST_NS ? least_ns : HOT_BURST_NS);
    }
    return port->account = account;
}

void lan_account_free(struct lan_account *account, uint64_t held)
{
    if (atomic_fetch_sub(&account->held, held) == held)
        free(account);
}

static bool may_hold(struct lan_port *from, size_t len)
{
    uint32_t most = from->flags & LAN_UPLINK ? LAN_UPLINK_HELD_MAX : LAN_HELD_MAX;
    struct lan_account *account = account_of(from);
    return account && (atomic_load(&account->held) & (LAN_HOLDER - 1)) + len <= most;
}

static void free_frame(struct lan_frame *frame)
{
    lan_account_free(frame->account, LAN_HOLDER + frame->len);
    free(frame);
}

/* Queues. */

/* Inside the stripe. */
static struct lan_frame *take(struct lan_port *port)
{
    struct lan_frame *frame = port->first;
    if (!frame)
        return NULL;
    port->first = frame->next;
    port->round = frame->round;
    __atomic_store_n(&port->queued, port->queued - 1, __ATOMIC_SEQ_CST);
    return frame;
}

void lan_frames_free(struct lan_port *port)
{
    struct lan_frame *frame;
    while ((frame = take(port)))
        free_frame(frame);
}

static struct lan_frame *make_frame(struct lan_port *from, const void *bytes, size_t len)
{
    struct lan_frame *frame = may_hold(from, len) ? malloc(sizeof(*frame) + len) : NULL;
    if (!frame)
        return NULL;
    frame->next = NULL;
    frame->account = from->account;
    frame->len = (uint32_t)len;
    memcpy(frame->bytes, bytes, len);
    atomic_fetch_add(&frame->account->held, LAN_HOLDER + len);
    return frame;
}

/* Rounds wrap; those in a queue are less than half of all apart. */
static bool is_later(uint16_t round, uint16_t than)
{
    return (int16_t)(round - than) > 0;
}

/* The account's last frame in the queue; NULL: there is none. */
static const struct lan_frame *last_of(const struct lan_port *to, const struct lan_account *account)
{
    const struct lan_frame *last = NULL;
    if (to->first && to->last->account == account)
        return to->last;
    if (atomic_load(&account->held) < 3 * LAN_HOLDER)
        return NULL; /* the port itself and the new frame: nothing of it waits anywhere */
    for (const struct lan_frame *f = to->first; f; f = f->next)
        last = f->account == account ? f : last;
    return last;
}

static void insert(struct lan_port *to, struct lan_frame *frame)
{
    const struct lan_frame *last = last_of(to, frame->account);
    struct lan_frame **at = &to->first;
    frame->round = (uint16_t)(last ? last->round + 1 : to->round);
    if (to->first && !is_later(to->last->round, frame->round))
        at = &to->last->next;
    while (*at && !is_later((*at)->round, frame->round))
        at = &(*at)->next;
    frame->next = *at;
    *at = frame;
    if (!frame->next)
        to->last = frame;
}

static void append(struct lan_port *to, struct lan_frame *frame)
{
    insert(to, frame);
    to->counters.received++;
    to->counters.received_bytes += frame->len;
    uint32_t before = to->queued;
    __atomic_store_n(&to->queued, before + 1, __ATOMIC_SEQ_CST);
    if (!before)
        to->arrived(to);
}

/* Senders in a queue, by a table of as many places as frames, open addressing. */
#define TALLY (2 * SWITCH_QUEUE_MAX)
struct tally {
    const struct lan_account *of[TALLY];
    uint16_t frames[TALLY];
};

static uint16_t *tally_at(struct tally *t, const struct lan_account *account)
{
    size_t i = ((uintptr_t)account >> 4) % TALLY;
    while (t->of[i] && t->of[i] != account)
        i = (i + 1) % TALLY;
    t->of[i] = account;
    return &t->frames[i];
}

/* Who has most frames in the queue, if that is more than one more than `account` has. */
static const struct lan_account *who_has_most(const struct lan_port *to,
                                              const struct lan_account *account)
{
    struct tally t;
    const struct lan_account *who = NULL;
    uint16_t most = 0;
    memset(&t, 0, sizeof(t));
    for (const struct lan_frame *f = to->first; f; f = f->next) {
        uint16_t n = ++*tally_at(&t, f->account);
        if (n > most) {
            most = n;
            who = f->account;
        }
    }
    return most > *tally_at(&t, account) + 1 ? who : NULL;
}

/* Takes the last frame of `account` out of the queue. */
static void push_out(struct lan_port *to, const struct lan_account *account)
{
    struct lan_frame *before = NULL, *prev = NULL, *victim;
    for (struct lan_frame *f = to->first; f; prev = f, f = f->next) {
        if (f->account == account)
            before = prev;
    }
    victim = before ? before->next : to->first;
    if (before)
        before->next = victim->next;
    else
        to->first = victim->next;
    if (to->last == victim)
        to->last = before;
    __atomic_store_n(&to->queued, to->queued - 1, __ATOMIC_SEQ_CST);
    free_frame(victim);
}

/*
 * The least pressure under which a receiver does not hear this frame; over LAN_PRESSURES: there is
 * none. Of all the sender's frames, whatever they are for, counted by what a receiver has to do.
 */
static unsigned unheard_from(struct lan_port *from, size_t len)
{
    uint64_t now = host_monotonic_ns();
    struct lan_account *account = account_of(from);
    unsigned least = account ? LAN_PRESSURES + 1 : 1;
    for (unsigned i = account ? LAN_PRESSURES : 0; i-- > 0;) {
        if (bucket_free_at(&account->hot[i]) > now)
            least = i + 1;
        else
            bucket_take(&account->hot[i], 1 + len / LAN_HOT_BYTES, now);
    }
    return least;
}

/* In the queue. */
static bool has_many(const struct lan_port *from, const struct lan_port *to)
{
    unsigned n = 0;
    if (to->queued < LAN_PRESSED_QUEUE)
        return false;
    for (const struct lan_frame *f = to->first; f && n < LAN_PRESSED_QUEUE; f = f->next)
        n += f->account == from->account;
    return n == LAN_PRESSED_QUEUE;
}

static bool is_too_much(struct lan_port *from, const struct lan_port *to, size_t len)
{
    if (!(to->flags & LAN_PRESSED) || (from->flags & LAN_UPLINK))
        return false;
    unsigned (*pressure)(const struct lan_port *port) =
        atomic_load_explicit(&from->lan->pressure, memory_order_relaxed);
    if (!pressure)
        return false;
    unsigned least = unheard_from(from, len);
    if (has_many(from, to))
        least = 1;
    return least <= LAN_PRESSURES && pressure(to) >= least;
}

/* Inside the stripe: whether a frame of `from` fits, perhaps instead of another's. */
static bool make_place(struct lan_lane *lane, struct lan_port *from, struct lan_port *to,
                       size_t len)
{
    uint32_t most =
        to->flags & (LAN_UPLINK | LAN_WIDE) ? SWITCH_UPLINK_QUEUE_MAX : SWITCH_QUEUE_MAX;
    if (is_too_much(from, to, len))
        return false;
    if (to->queued < most)
        return true;
    to->counters.dropped++;
    const struct lan_account *account = account_of(from), *other = NULL;
    if (account && !(to->flags & LAN_UPLINK))
        other = who_has_most(to, account);
    if (!other)
        return false;
    push_out(to, other);
    lane->counters.dropped++;
    return true;
}

void lan_enqueue(struct lan_lane *lane, struct lan_port *from, struct lan_port *to,
                 const void *bytes, size_t len)
{
    struct lan_frame *frame = make_place(lane, from, to, len) ? make_frame(from, bytes, len) : NULL;
    if (frame) {
        append(to, frame);
        return;
    }
    from->counters.refused++;
    lane->counters.dropped++;
}

void lan_deliver(struct lan_lane *lane, struct lan_port *from, struct lan_port *to,
                 const void *bytes, size_t len)
{
    struct lan_stripe *stripe = lan_stripe_of(to->lan, to->number);
    host_lock_enter(&stripe->lock);
    if (!to->shape || lan_wire_passes(to, LAN_FROM, bytes, len))
        lan_enqueue(lane, from, to, bytes, len);
    host_lock_leave(&stripe->lock);
}

size_t lan_receive(struct lan_port *port, void *bytes, size_t room)
{
    struct lan_stripe *stripe = lan_stripe_of(port->lan, port->number);
    host_lock_enter(&stripe->lock);
    struct lan_frame *frame = take(port);
    host_lock_leave(&stripe->lock);
    if (!frame)
        return 0;
    size_t len = frame->len < room ? frame->len : room;
    memcpy(bytes, frame->bytes, len);
    free_frame(frame);
    return len;
}

uint32_t lan_waits(const struct lan_port *port)
{
    return __atomic_load_n(&port->queued, __ATOMIC_SEQ_CST);
}

/* Who may say what. */

static bool is_arp(const struct lan_seen *f)
{
    return f->type == ETH_ARP && f->len >= ETH_HEAD + ARP_BYTES &&
           lan_get16(f->bytes + 16) == ETH_IP && f->bytes[18] == 6 && f->bytes[19] == 4;
}

static bool is_ip(const struct lan_seen *f)
{
    return f->type == ETH_IP && f->len >= ETH_HEAD + 20;
}

/* The address in whose name a frame speaks; 0: in nobody's. */
static uint32_t speaks_for(const struct lan_seen *f)
{
    if (is_ip(f))
        return lan_get32(f->bytes + ETH_HEAD + 12);
    return is_arp(f) ? lan_get32(f->bytes + ETH_HEAD + 14) : 0;
}

/* From outside, nobody of here speaks. */
static bool is_honest_uplink(const struct lan *lan, const struct lan_seen *f)
{
    return !lan_is_own_mac(lan, f->bytes + 6) && !(f->bytes[6] & 1) &&
           !lan_port_by_ip(lan, speaks_for(f));
}

static bool is_honest(const struct lan_port *port, const struct lan_seen *f)
{
    uint8_t mac[6];
    if (port->flags & LAN_UPLINK)
        return is_honest_uplink(port->lan, f);
    lan_port_mac(port, mac);
    if (memcmp(f->bytes + 6, mac, 6))
        return false;
    if (is_arp(f) && memcmp(f->bytes + ETH_HEAD + 8, mac, 6))
        return false;
    if (!port->ip)
        return !lan_port_by_ip(port->lan, speaks_for(f));
    if (!is_arp(f) && !is_ip(f))
        return false;
    uint32_t ip = speaks_for(f);
    return !ip || ip == port->ip;
}

/* Who it is for. */

static bool may_flood(struct lan_port *from, uint32_t copies)
{
    uint64_t now = host_monotonic_ns();
    struct lan_account *account = account_of(from);
    if (!account || bucket_free_at(&account->floods) > now)
        return false;
    bucket_take(&account->floods, copies, now);
    return true;
}

/* To all but the sender; an uplink's go to no other uplink. */
static void flood(struct lan_lane *lane, struct lan_port *from, const struct lan_seen *f)
{
    struct lan *lan = from->lan;
    if (!may_flood(from, lan->present)) {
        lane->counters.quenched++;
        return;
    }
    lane->counters.flooded++;
    for (uint32_t i = 0; i < lan->ports; i++) {
        struct lan_port *to = lan->port[i];
        if (to && to != from && !(from->flags & to->flags & LAN_UPLINK))
            lan_deliver(lane, from, to, f->bytes, f->len);
    }
}

/* To uplinks, and to ports without an address if `all`. */
static void ask_unnamed(struct lan_lane *lane, struct lan_port *from, const struct lan_seen *f,
                        bool all)
{
    for (struct lan_port *to = from->lan->unnamed; to; to = to->same_ip) {
        if (to != from && (all || (to->flags & LAN_UPLINK)) &&
            !(from->flags & to->flags & LAN_UPLINK))
            lan_deliver(lane, from, to, f->bytes, f->len);
    }
}

static void forward_to_all(struct lan_lane *lane, struct lan_port *from, const struct lan_seen *f)
{
    if (!is_arp(f) || lan_get16(f->bytes + 20) != ARP_REQUEST) {
        flood(lane, from, f);
        return;
    }
    struct lan_port *to = lan_port_by_ip(from->lan, lan_get32(f->bytes + ETH_HEAD + 24));
    if (!to)
        ask_unnamed(lane, from, f, true);
    else if (to != from)
        lan_deliver(lane, from, to, f->bytes, f->len);
}

void lan_forward(struct lan_lane *lane, struct lan_port *from, const void *bytes, size_t len)
{
    const struct lan_seen f = {bytes, len, lan_get16((const uint8_t *)bytes + 12)};
    lane->counters.frames++;
    lane->counters.bytes += len;
    from->counters.sent++;
    from->counters.sent_bytes += len;
    if (!(from->flags & LAN_UPLINK) && lan_dhcp(lane, from, &f))
        return;
    if (f.bytes[0] & 1) {
        forward_to_all(lane, from, &f);
        return;
    }
    struct lan_port *to = lan_port_by_mac(from->lan, f.bytes);
    if (to && to != from)
        lan_deliver(lane, from, to, bytes, len);
    else if (!to && !lan_is_own_mac(from->lan, f.bytes))
        ask_unnamed(lane, from, &f, false);
}

static bool passes_own_wire(struct lan_port *port, const void *bytes, size_t len)
{
    struct lan_stripe *stripe = lan_stripe_of(port->lan, port->number);
    host_lock_enter(&stripe->lock);
    bool passes = lan_wire_passes(port, LAN_TO, bytes, len);
    host_lock_leave(&stripe->lock);
    return passes;
}

void lan_send(struct lan_port *port, const void *frame, size_t len)
{
    struct lan_lane *lane = lan_lane_of(port->lan, port->number);
    if (len < ETH_HEAD || len > NET_FRAME_MAX)
        return;
    const struct lan_seen f = {frame, len, lan_get16((const uint8_t *)frame + 12)};
    host_lock_enter(&lane->lock);
    if (!is_honest(port, &f)) {
        port->counters.forged++;
        lane->counters.forged++;
    } else if (!port->shape || passes_own_wire(port, frame, len)) {
        lan_forward(lane, port, frame, len);
    }
    host_lock_leave(&lane->lock);
}
