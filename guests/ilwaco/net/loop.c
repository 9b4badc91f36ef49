/* SPDX-License-Identifier: MIT */
/*
 * The loopback interface: a bounded queue of packets. They are taken in by
 * netstack_poll and not at once, because the sender is in the middle of its work.
 */
#include "guests/ilwaco/net/internal.h"

#define LOOP_ROUND                                                                                 \
    256 /* packets a poll takes in: two programs that answer each other do not end                 \
         */

int loopback_send(struct netstack *ns, size_t len)
{
    if (ns->loop_count == LOOP_MAX)
        return -EAGAIN;
    struct chunk *packet = pool_alloc(&ns->pool, &ns->chunks.chunks);
    if (!packet)
        return -EAGAIN;
    packet->next = NULL;
    packet->number = (uint32_t)len;
    memcpy(packet->data, frame_ip(ns), len);
    *ns->loop_end = packet;
    ns->loop_end = &packet->next;
    ns->loop_count++;
    return 0;
}

static struct chunk *loopback_take(struct netstack *ns)
{
    struct chunk *packet = ns->loop_first;
    if (!packet)
        return NULL;
    ns->loop_first = packet->next;
    ns->loop_count--;
    if (!ns->loop_first)
        ns->loop_end = &ns->loop_first;
    return packet;
}

void loopback_run(struct netstack *ns)
{
    struct chunk *packet;
    for (unsigned n = 0; n < LOOP_ROUND && (packet = loopback_take(ns)); n++) {
        ip_input(ns, packet->data, packet->number, true);
        pool_free(&ns->pool, packet);
        if (!ns->loop_first)
            tcp_run_output(ns);
    }
}

void loopback_clear(struct netstack *ns)
{
    struct chunk *packet;
    while ((packet = loopback_take(ns)))
        pool_free(&ns->pool, packet);
}
