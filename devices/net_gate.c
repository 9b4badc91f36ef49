/* SPDX-License-Identifier: MIT */
/* A gate around any backend; a replay has none inside. */
#include "devices/gate.h"
#include "devices/net_backends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct net_gate {
    struct net_backend net;
    struct net_backend *inner;
    struct gate *gate;
};

static struct net_gate *gate_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_gate, net);
}

static int on_send(struct net_backend *net, const void *frame, size_t len)
{
    struct net_gate *g = gate_of(net);
    struct gate_event e = {.kind = GATE_SEND};
    if (g->inner)
        e.a = g->inner->ops->send(g->inner, frame, len);
    bool known = gate_exchange(g->gate, &e) && (e.a == -EAGAIN || e.a == -EPIPE);
    return known ? (int)e.a : 0;
}

static int on_receive(struct net_backend *net, void *frame, size_t room)
{
    struct net_gate *g = gate_of(net);
    struct gate_event e = {.kind = GATE_RECEIVE, .data = frame};
    if (g->inner)
        e.a = g->inner->ops->receive(g->inner, frame, room);
    e.len = e.a > 0 ? (uint32_t)e.a : 0;
    if (!gate_exchange(g->gate, &e))
        return -EAGAIN;
    if (e.a <= 0)
        return e.a == -EPIPE ? -EPIPE : -EAGAIN;
    size_t n = e.len < room ? e.len : room;
    if (!g->inner && n)
        memcpy(frame, e.data, n);
    return n ? (int)n : -EAGAIN;
}

static int get_fd(const struct net_backend *net)
{
    const struct net_gate *g = gate_of(net);
    return g->inner ? g->inner->ops->fd(g->inner) : -1;
}

static void destroy(struct net_backend *net)
{
    struct net_gate *g = gate_of(net);
    if (g->inner)
        g->inner->ops->destroy(g->inner);
    free(g);
}

static const struct net_backend_ops ops = {
    .name = "gate", .send = on_send, .receive = on_receive, .fd = get_fd, .destroy = destroy};

int net_gate_create(struct net_backend *inner, struct gate *gate, struct net_backend **out)
{
    struct net_gate *g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    *g = (struct net_gate){{&ops}, inner, gate};
    *out = &g->net;
    return 0;
}
