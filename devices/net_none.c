/* SPDX-License-Identifier: MIT */
/* The NIC that is connected to nothing. */
#include "devices/net_backends.h"

#include <errno.h>
#include <stdlib.h>

static int none_send(struct net_backend *net, const void *frame, size_t len)
{
    (void)net, (void)frame, (void)len;
    return 0;
}

static int none_receive(struct net_backend *net, void *frame, size_t room)
{
    (void)net, (void)frame, (void)room;
    return -EAGAIN;
}

static int none_fd(const struct net_backend *net)
{
    (void)net;
    return -1;
}

static void none_destroy(struct net_backend *net)
{
    free(net);
}

static const struct net_backend_ops none_ops = {
    .name = "none",
    .send = none_send,
    .receive = none_receive,
    .fd = none_fd,
    .destroy = none_destroy,
};

int net_none_create(struct net_backend **out, struct net_error *why)
{
    struct net_backend *net = calloc(1, sizeof *net);
    if (!net)
        return net_fail(why, -ENOMEM, "no memory for the network");
    net->ops = &none_ops;
    *out = net;
    return 0;
}
