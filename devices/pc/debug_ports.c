/* SPDX-License-Identifier: MIT */
/* Exit, debug console and POST ports. */
#include "devices/pc/debug_ports.h"

#include <errno.h>
#include <stdlib.h>

struct debug_ports {
    struct board_device dev;
    struct board *board;
    struct serial_backend *debugcon;
    uint32_t post;
    uint8_t spelled; /* so many letters of the word */
};

static uint32_t exit_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return 0;
}

static void exit_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct debug_ports *p = opaque;
    (void)size;
    if (offset == 0)
        board_ask(p->board, BOARD_EXIT, value << 1 | 1);
}

/* SeaBIOS looks for this answer before it writes. */
static uint32_t console_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)opaque, (void)offset, (void)size;
    return 0xe9;
}

static void console_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct debug_ports *p = opaque;
    uint8_t byte = (uint8_t)value;
    (void)offset, (void)size;
    serial_write(p->debugcon, &byte, 1);
}

static uint32_t post_read(void *opaque, uint32_t offset, unsigned size)
{
    (void)offset, (void)size;
    return ((struct debug_ports *)opaque)->post;
}

static void post_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    (void)offset, (void)size;
    ((struct debug_ports *)opaque)->post = value;
}

/* Powers off once the word is whole. */
static void shutdown_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    static const char word[] = "Shutdown";
    struct debug_ports *p = opaque;
    (void)offset, (void)size;
    if (value != (uint8_t)word[p->spelled])
        p->spelled = 0;
    if (value == (uint8_t)word[p->spelled])
        p->spelled++;
    if (p->spelled < sizeof(word) - 1)
        return;
    p->spelled = 0;
    board_ask(p->board, BOARD_POWER_OFF, 0);
}

uint32_t debug_ports_post(const struct debug_ports *ports)
{
    return ports->post;
}

static const struct bus_ops exit_ops = {exit_read, exit_write, 7};
static const struct bus_ops console_ops = {console_read, console_write, 1};
static const struct bus_ops post_ops = {post_read, post_write, 1};
static const struct bus_ops shutdown_ops = {exit_read, shutdown_write, 1};

static void debug_destroy(struct board_device *dev)
{
    free(CONTAINER_OF(dev, struct debug_ports, dev));
}

static int debug_poll_fd(const struct board_device *dev, unsigned which, short *events)
{
    const struct debug_ports *p = CONTAINER_OF(dev, const struct debug_ports, dev);
    return which || !p->debugcon ? -1 : serial_poll_fd(p->debugcon, false, events);
}

static void debug_ready(struct board_device *dev)
{
    serial_flush(CONTAINER_OF(dev, struct debug_ports, dev)->debugcon);
}

/* From a stranger's file, too. */
static bool debug_valid(const struct board_device *dev)
{
    return CONTAINER_OF(dev, const struct debug_ports, dev)->spelled < sizeof("Shutdown") - 1;
}

static const struct state_field fields[] = {STATE_U(struct debug_ports, post),
                                            STATE_U(struct debug_ports, spelled)};
static const struct state_list state = {"debug", 2, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "debug",
                                            .destroy = debug_destroy,
                                            .state = &state,
                                            .valid = debug_valid,
                                            .poll_fd = debug_poll_fd,
                                            .ready = debug_ready};

int debug_ports_create(struct board *board, const struct debug_ports_config *config,
                       struct debug_ports **out)
{
    struct debug_ports *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->dev.ops = &ops;
    p->board = board;
    p->debugcon = config->debugcon;
    board_add(board, &p->dev);
    *out = p;
    int err = bus_add_ports(board->bus, "post", 0x80, 1, &post_ops, p);
    if (!err) /* where some test suites tell their progress */
        err = bus_add_ports(board->bus, "post", 0x190, 1, &post_ops, p);
    if (!err && config->exit_port)
        err = bus_add_ports(board->bus, "exit", 0xf4, 4, &exit_ops, p);
    if (!err && !config->exit_port)
        err = bus_add_ports(board->bus, "shutdown", 0x8900, 1, &shutdown_ops, p);
    if (!err && p->debugcon)
        err = bus_add_ports(board->bus, "debugcon", 0xe9, 1, &console_ops, p);
    if (!err && p->debugcon)
        err = bus_add_ports(board->bus, "debugcon", 0x402, 1, &console_ops, p);
    return err;
}
