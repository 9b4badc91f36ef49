/* SPDX-License-Identifier: MIT */
/*
 * Input as what comes over the wire. The guest has reached its start when it
 * has nothing to do and waits; for a connection, when it waits once more after
 * the handshake, so that this is not done again for each input.
 */
#include "emu/fuzz/peer.h"
#include "emu/fuzz/way.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct packet_way {
    struct fuzz_way way;
    enum fuzz_packet kind;
    bool called; /* the connection was asked for */
    bool talks;  /* there is an input */
    struct peer_tcp at_start;
    struct peer peer;
};

/* Locally administered. */
static const uint8_t guest_mac[6] = {0x02, 0x44, 0x6e, 0x6c, 0x69, 0x01};

static struct packet_way *of(struct fuzz_way *way)
{
    return CONTAINER_OF(way, struct packet_way, way);
}

static int plug(struct fuzz_way *way, struct vm_resource *list, unsigned *count, struct why *why)
{
    struct packet_way *p = of(way);
    unsigned i = 0;
    (void)why;
    while (i < *count && list[i].kind != DENALI_DEV_NIC)
        i++;
    struct vm_resource *res = &list[i];
    *count += i == *count;
    *res = (struct vm_resource){.kind = DENALI_DEV_NIC, .net = &p->peer.base};
    memcpy(res->mac, guest_mac, 6);
    return 0;
}

static bool wants(struct fuzz_way *way, struct vm *vm, enum vm_slice slice)
{
    (void)vm;
    return slice == VM_IDLE && !of(way)->peer.frames;
}

static int settle(struct fuzz_way *way, struct vm *vm, struct why *why)
{
    struct packet_way *p = of(way);
    if (p->kind == FUZZ_TCP && !p->called) {
        p->called = true;
        peer_connect(&p->peer);
        vm_post(vm, DENALI_IRQ_NIC);
        return 1;
    }
    if (p->kind == FUZZ_TCP && (!p->peer.tcp.answered || p->peer.tcp.reset))
        return why_fail(why, -ECONNREFUSED,
                        "the guest does not accept a connection to port %u of 10.0.2.15",
                        p->peer.guest_port);
    p->at_start = p->peer.tcp;
    return 0;
}

/* Each behind its length; what is cut short ends the input. */
static void put_frames(struct packet_way *p, const uint8_t *input, size_t len)
{
    for (size_t at = 0; at + 2 <= len;) {
        size_t want = input[at] | (size_t)input[at + 1] << 8, left = len - at - 2;
        size_t n = want < left ? want : left;
        if (!peer_frame(&p->peer, input + at + 2, n < NET_FRAME_MAX ? n : NET_FRAME_MAX) && n >= 14)
            break;
        at += 2 + n;
    }
}

static int put(struct fuzz_way *way, struct vm *vm, const uint8_t *input, size_t len)
{
    struct packet_way *p = of(way);
    fuzz_console_give(&way->console, NULL, 0);
    peer_flush(&p->peer);
    p->talks = true;
    p->peer.tcp = p->at_start;
    if (p->kind == FUZZ_TCP) {
        peer_say(&p->peer, input, len);
        (void)peer_go_on(&p->peer);
    } else if (p->kind == FUZZ_UDP) {
        (void)peer_datagram(&p->peer, input, len < 1400 ? len : 1400);
    } else {
        put_frames(p, input, len);
    }
    vm_post(vm, DENALI_IRQ_NIC);
    return 0;
}

static bool more(struct fuzz_way *way, struct vm *vm)
{
    struct packet_way *p = of(way);
    bool any = p->peer.frames || (p->kind == FUZZ_TCP && p->talks && peer_go_on(&p->peer));
    if (any)
        vm_post(vm, DENALI_IRQ_NIC);
    return any;
}

static void destroy(struct fuzz_way *way)
{
    free(of(way));
}

static const struct fuzz_way_ops ops = {.name = "packet",
                                        .plug = plug,
                                        .wants = wants,
                                        .settle = settle,
                                        .put = put,
                                        .more = more,
                                        .destroy = destroy};

int fuzz_packet_way(enum fuzz_packet kind, uint16_t port, struct fuzz_way **out)
{
    struct packet_way *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->way.ops = &ops;
    p->kind = kind;
    fuzz_console_init(&p->way.console);
    peer_init(&p->peer, guest_mac, port);
    *out = &p->way;
    return 0;
}
