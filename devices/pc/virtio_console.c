/* SPDX-License-Identifier: MIT */
/* A console: queue 0 brings bytes to the guest, queue 1 takes its own. */
#include "devices/pc/virtio.h"

#include <errno.h>
#include <stdlib.h>

enum { RECEIVE = 0, SEND = 1, PIECE = 4096 };

struct virtio_console {
    struct board_device dev;
    struct virtio v;
    struct serial_backend *serial;
};

static struct virtio_console *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct virtio_console, dev);
}

static void send(struct virtio_console *c)
{
    struct virtio_chain chain;
    uint8_t piece[PIECE];
    while (virtio_pop(&c->v, SEND, &chain)) {
        size_t n;
        for (uint64_t at = 0; (n = virtio_read(&c->v, &chain, at, piece, PIECE)) > 0; at += n)
            serial_write(c->serial, piece, n);
        virtio_push(&c->v, SEND, &chain, 0);
    }
}

static void receive(struct virtio_console *c)
{
    struct virtio_chain chain;
    uint8_t piece[PIECE];
    while (virtio_has_buffers(&c->v, RECEIVE)) {
        size_t n = serial_read(c->serial, piece, 256);
        if (!n || !virtio_pop(&c->v, RECEIVE, &chain))
            return;
        n = virtio_write(&c->v, &chain, 0, piece, n);
        virtio_push(&c->v, RECEIVE, &chain, (uint32_t)n);
    }
}

static void console_notified(struct virtio *v, unsigned queue)
{
    struct virtio_console *c = CONTAINER_OF(v, struct virtio_console, v);
    if (queue == SEND)
        send(c);
    else
        receive(c);
}

static uint8_t console_config(const struct virtio *v, uint32_t offset)
{
    (void)v, (void)offset;
    return 0;
}

static const struct virtio_ops virtio_ops = {
    .type = 3, .class_code = 0x078000, .notified = console_notified, .config = console_config};

static void console_reset(struct board_device *dev)
{
    virtio_reset(&self(dev)->v);
}

static void console_destroy(struct board_device *dev)
{
    free(self(dev));
}

static int console_poll_fd(const struct board_device *dev, unsigned which, short *events)
{
    struct virtio_console *c =
        CONTAINER_OF((struct board_device *)(uintptr_t)dev, struct virtio_console, dev);
    if (which)
        return -1;
    return serial_poll_fd(c->serial, virtio_has_buffers(&c->v, RECEIVE), events);
}

static void console_ready(struct board_device *dev)
{
    struct virtio_console *c = self(dev);
    serial_flush(c->serial);
    receive(c);
}

static const struct state_field fields[] = {VIRTIO_FIELDS(struct virtio_console, v)};
static const struct state_list state = {"virtio-console", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "virtio-console",
                                            .reset = console_reset,
                                            .destroy = console_destroy,
                                            .state = &state,
                                            .poll_fd = console_poll_fd,
                                            .ready = console_ready};

int virtio_console_create(struct board *board, struct pci *pci, unsigned devfn,
                          struct serial_backend *serial)
{
    struct virtio_console *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->dev.ops = &ops;
    c->serial = serial;
    board_add(board, &c->dev);
    return virtio_init(&c->v, board, pci, devfn, &virtio_ops);
}
