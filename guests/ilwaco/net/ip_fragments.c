/* SPDX-License-Identifier: MIT */
/*
 * Puts datagrams together (RFC 791, 815). Few slots, each with its time; a new
 * datagram takes the place of the one with the least time left. Fragments that
 * overlap what is there end their datagram (RFC 5722's rule, good for IPv4 as well).
 */
#include "guests/ilwaco/net/internal.h"

#define FRAGMENT_TIME (15 * NET_SECOND)

static void slot_free(struct netstack *ns, struct fragment_slot *slot)
{
    if (slot->have)
        pool_free(&ns->pool, slot->have);
    if (slot->bytes)
        pool_pages_free(&ns->pool, slot->bytes, FRAGMENT_PAGES);
    memset(slot, 0, sizeof *slot);
}

static void fragments_turn(struct net_timer *timer)
{
    struct netstack *ns = CONTAINER_OF(timer, struct netstack, fragment_timer);
    for (unsigned i = 0; i < FRAGMENT_SLOTS; i++) {
        struct fragment_slot *slot = &ns->fragment[i];
        if (slot->used && slot->until <= ns->now)
            slot_free(ns, slot);
        if (slot->used)
            timers_arm_by(&ns->timers, timer, slot->until);
    }
}

void fragments_init(struct netstack *ns)
{
    ns->fragment_timer.fire = fragments_turn;
}

void fragments_clear(struct netstack *ns)
{
    for (unsigned i = 0; i < FRAGMENT_SLOTS; i++)
        slot_free(ns, &ns->fragment[i]);
    timers_cancel(&ns->timers, &ns->fragment_timer);
}

static bool slot_is(const struct fragment_slot *slot, const struct ip_head *head)
{
    return slot->used && slot->src == head->src && slot->dst == head->dst && slot->id == head->id &&
           slot->protocol == head->protocol;
}

/* The datagram's slot, or a new one; NULL: no memory. */
static struct fragment_slot *slot_get(struct netstack *ns, const struct ip_head *head)
{
    struct fragment_slot *oldest = &ns->fragment[0];
    for (unsigned i = 0; i < FRAGMENT_SLOTS; i++) {
        struct fragment_slot *slot = &ns->fragment[i];
        if (slot_is(slot, head))
            return slot;
        if (!slot->used || (oldest->used && slot->until < oldest->until))
            oldest = slot;
    }
    slot_free(ns, oldest);
    oldest->have = pool_alloc(&ns->pool, &ns->ranges_kind);
    oldest->bytes = pool_pages(&ns->pool, FRAGMENT_PAGES);
    if (!oldest->have || !oldest->bytes) {
        slot_free(ns, oldest);
        return NULL;
    }
    oldest->have->count = 0;
    oldest->used = true;
    oldest->src = head->src;
    oldest->dst = head->dst;
    oldest->id = head->id;
    oldest->protocol = head->protocol;
    oldest->until = ns->now + FRAGMENT_TIME;
    timers_arm_by(&ns->timers, &ns->fragment_timer, oldest->until);
    return oldest;
}

/* Whether a part of [from, to) is there already. */
static bool slot_overlaps(const struct fragment_slot *slot, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < slot->have->count; i++)
        if (slot->have->at[i].from < to && from < slot->have->at[i].to)
            return true;
    return false;
}

/* Takes a fragment in; false: it does not fit with the others. */
static bool slot_add(struct fragment_slot *slot, uint32_t from, const struct ip_in *in, bool last)
{
    uint32_t to = from + in->len;
    if (slot_overlaps(slot, from, to) || (slot->ended && (last || to > slot->total)))
        return false;
    if (last && slot->have->count && slot->have->at[slot->have->count - 1].to > to)
        return false;
    if (!ranges_add(slot->have, from, to))
        return false;
    if (last) {
        slot->ended = true;
        slot->total = to;
    }
    memcpy(slot->bytes + IP_LEN + from, in->data, in->len);
    return true;
}

static bool slot_whole(const struct fragment_slot *slot)
{
    return slot->ended && slot->have->count == 1 && slot->have->at[0].from == 0 &&
           slot->have->at[0].to == slot->total;
}

static void slot_deliver(struct netstack *ns, struct fragment_slot *slot, struct ip_in *in)
{
    struct fragment_slot whole = *slot;
    struct ip_head *head = (struct ip_head *)whole.bytes;
    memset(slot, 0, sizeof *slot); /* the slot is free for what the packet brings about */
    *head = *in->head;
    head->version_ihl = 0x45;
    head->total_len = be16((uint16_t)(IP_LEN + whole.total));
    head->fragment = 0;
    in->head = head;
    in->data = whole.bytes + IP_LEN;
    in->len = whole.total;
    ip_deliver(ns, in);
    slot_free(ns, &whole);
}

void fragments_input(struct netstack *ns, struct ip_in *in)
{
    uint16_t field = be16(in->head->fragment);
    uint32_t from = (field & IP_OFFSET) * 8u;
    bool last = !(field & IP_MF);
    if (!in->len || (!last && in->len % 8) || from + in->len > 65535 - IP_LEN)
        return;
    struct fragment_slot *slot = slot_get(ns, in->head);
    if (!slot)
        return;
    if (!slot_add(slot, from, in, last))
        slot_free(ns, slot);
    else if (slot_whole(slot))
        slot_deliver(ns, slot, in);
}
