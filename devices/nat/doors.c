/* SPDX-License-Identifier: MIT */
/* Reads no more of a frame than it must; what it cannot read does not pass. */
#include "devices/nat/doors.h"

#define ETH 14u
#define ICMP 1u
#define TCP 6u
#define UDP 17u
#define FLAG_SYN 2u
#define FLAG_ACK 16u

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

static bool is_ip(const uint8_t *frame, size_t len)
{
    return len >= ETH + 20 && get16(frame + 12) == 0x0800;
}

/* Of the header behind IP's; NULL: it is not all there. */
static const uint8_t *inner(const uint8_t *frame, size_t len, size_t need)
{
    size_t at = ETH + (frame[ETH] & 15u) * 4;
    return at >= ETH + 20 && at + need <= len ? frame + at : NULL;
}

static size_t place_of(struct door door)
{
    uint32_t ports = (uint32_t)door.guest_port << 16 | door.host_port;
    uint32_t key = door.guest * 0x9e3779b1u ^ ports * 0x85ebca6bu;
    return (key ^ key >> 15) % DOOR_PLACES;
}

static bool is_same(const struct door *a, const struct door *b)
{
    return a->guest == b->guest && a->guest_port == b->guest_port && a->host_port == b->host_port;
}

void doors_note_out(struct doors *d, const uint8_t *frame, size_t len)
{
    if (!is_ip(frame, len) || frame[ETH + 9] != UDP || get32(frame + ETH + 12) != d->host)
        return;
    const uint8_t *udp = inner(frame, len, 8);
    if (!udp)
        return;
    struct door door = {get32(frame + ETH + 16), (uint16_t)get16(udp + 2), (uint16_t)get16(udp)};
    struct door *at = d->door[place_of(door)];
    unsigned i = 0;
    while (i < DOOR_DEPTH - 1 && !is_same(&at[i], &door))
        i++;
    for (; i; i--)
        at[i] = at[i - 1];
    at[0] = door;
}

static bool is_answer(const struct doors *d, const uint8_t *frame, const uint8_t *udp)
{
    struct door door = {get32(frame + ETH + 12), (uint16_t)get16(udp), (uint16_t)get16(udp + 2)};
    const struct door *at = d->door[place_of(door)];
    for (unsigned i = 0; door.guest && i < DOOR_DEPTH; i++) {
        if (is_same(&at[i], &door))
            return true;
    }
    return false;
}

static bool is_fragment(const uint8_t *frame)
{
    return get16(frame + ETH + 6) & 0x3fff;
}

static bool is_question(const uint8_t *frame, size_t len)
{
    const uint8_t *p = inner(frame, len, 4);
    unsigned protocol = frame[ETH + 9];
    return !is_fragment(frame) &&
           (protocol == ICMP || ((protocol == TCP || protocol == UDP) && p && get16(p + 2) == 53));
}

/* To the host itself. */
static bool may_go(const struct doors *d, const uint8_t *frame, size_t len)
{
    const uint8_t *p;
    if (is_fragment(frame))
        return false; /* a fragment hides what it is a part of */
    switch (frame[ETH + 9]) {
    case ICMP:
        return true;
    case TCP:
        p = inner(frame, len, 20);
        return p && (p[13] & (FLAG_SYN | FLAG_ACK)) != FLAG_SYN;
    case UDP:
        p = inner(frame, len, 8);
        return p && is_answer(d, frame, p);
    default:
        return false;
    }
}

bool doors_let_pass(const struct doors *d, const uint8_t *frame, size_t len)
{
    if (!is_ip(frame, len))
        return true;
    uint32_t to = get32(frame + ETH + 16);
    if (to >> 24 == 127 || to >> 24 == 0)
        return false;
    if (to == d->dns)
        return is_question(frame, len);
    return to != d->host || may_go(d, frame, len);
}
