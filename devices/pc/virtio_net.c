/* SPDX-License-Identifier: MIT */
/* A network card: queue 0 receives, queue 1 sends; each frame behind 10 bytes that mean nothing. */
#include "devices/pc/virtio.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 10, RECEIVE = 0, SEND = 1 };
enum { F_MAC = 1 << 5, F_STATUS = 1 << 16 };

struct virtio_net {
    struct board_device dev;
    struct virtio v;
    struct net_backend *net;
    uint8_t mac[6];
    bool gone, full; /* the wire: cut, or waiting for room */
};

static struct virtio_net *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct virtio_net, dev);
}

static void send_frames(struct virtio_net *n)
{
    struct virtio_chain chain;
    uint8_t frame[NET_FRAME_MAX];
    n->full = false;
    while (virtio_pop(&n->v, SEND, &chain)) {
        size_t len = virtio_read(&n->v, &chain, HEADER, frame, sizeof(frame));
        int err = len >= 14 && !n->gone ? n->net->ops->send(n->net, frame, len) : 0;
        if (err == -EAGAIN) { /* again when the wire has room */
            n->v.queue[SEND].seen--;
            n->full = true;
            return;
        }
        n->gone |= err == -EPIPE;
        virtio_push(&n->v, SEND, &chain, 0);
    }
}

static void receive_frames(struct virtio_net *n)
{
    struct virtio_chain chain;
    uint8_t packet[HEADER + NET_FRAME_MAX] = {0};
    while (!n->gone && virtio_has_buffers(&n->v, RECEIVE)) {
        int len = n->net->ops->receive(n->net, packet + HEADER, NET_FRAME_MAX);
        n->gone = len == -EPIPE;
        if (len <= 0 || !virtio_pop(&n->v, RECEIVE, &chain))
            return;
        size_t put = virtio_write(&n->v, &chain, 0, packet, HEADER + (size_t)len);
        virtio_push(&n->v, RECEIVE, &chain, (uint32_t)put);
    }
}

static void net_notified(struct virtio *v, unsigned queue)
{
    struct virtio_net *n = CONTAINER_OF(v, struct virtio_net, v);
    if (queue == SEND)
        send_frames(n);
    else
        receive_frames(n);
}

/* The address, then the link's state: up. */
static uint8_t net_config(const struct virtio *v, uint32_t offset)
{
    const struct virtio_net *n = CONTAINER_OF(v, const struct virtio_net, v);
    if (offset < 6)
        return n->mac[offset];
    return offset == 6 && !n->gone;
}

static const struct virtio_ops virtio_ops = {.type = 1,
                                             .class_code = 0x020000,
                                             .features = F_MAC | F_STATUS,
                                             .notified = net_notified,
                                             .config = net_config};

static void net_reset(struct board_device *dev)
{
    virtio_reset(&self(dev)->v);
}

static void net_destroy(struct board_device *dev)
{
    free(self(dev));
}

static int net_poll_fd(const struct board_device *dev, unsigned which, short *events)
{
    struct virtio_net *n =
        CONTAINER_OF((struct board_device *)(uintptr_t)dev, struct virtio_net, dev);
    bool receives = virtio_has_buffers(&n->v, RECEIVE);
    if (which || n->gone || (!receives && !n->full))
        return -1;
    *events = (short)((receives ? POLLIN : 0) | (n->full ? POLLOUT : 0));
    return n->net->ops->fd(n->net);
}

static void net_ready(struct board_device *dev)
{
    struct virtio_net *n = self(dev);
    receive_frames(n);
    if (n->full)
        send_frames(n);
}

static const struct state_field fields[] = {VIRTIO_FIELDS(struct virtio_net, v)};
static const struct state_list state = {"virtio-net", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "virtio-net",
                                            .reset = net_reset,
                                            .destroy = net_destroy,
                                            .state = &state,
                                            .poll_fd = net_poll_fd,
                                            .ready = net_ready};

int virtio_net_create(struct board *board, struct pci *pci, unsigned devfn, struct net_backend *net,
                      const uint8_t mac[6])
{
    struct virtio_net *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->dev.ops = &ops;
    n->net = net;
    memcpy(n->mac, mac, 6);
    board_add(board, &n->dev);
    return virtio_init(&n->v, board, pci, devfn, &virtio_ops);
}
