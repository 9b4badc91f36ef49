/* SPDX-License-Identifier: MIT */
/* The list of a PC's devices, and what they ask of the machine. */
#include "devices/pc/board.h"

#include <string.h>

void board_init(struct board *board, struct bus *bus, struct clock *clock)
{
    memset(board, 0, sizeof(*board));
    board->bus = bus;
    board->clock = clock;
}

/* The last made goes first: it may hold wires into earlier ones. */
static void destroy_from(struct board_device *dev)
{
    if (!dev)
        return;
    struct board_device *next = dev->next;
    destroy_from(next);
    dev->ops->destroy(dev);
}

void board_destroy_devices(struct board *board)
{
    destroy_from(board->first);
    board->first = board->last = NULL;
}

void board_add(struct board *board, struct board_device *dev)
{
    dev->next = NULL;
    if (board->last)
        board->last->next = dev;
    else
        board->first = dev;
    board->last = dev;
}

void board_reset(struct board *board)
{
    for (struct board_device *dev = board->first; dev; dev = dev->next) {
        if (dev->ops->reset)
            dev->ops->reset(dev);
    }
}

static void kick(struct board *board)
{
    if (board->kick)
        board->kick(board->kick_opaque);
}

void board_ask(struct board *board, enum board_request request, uint32_t exit_status)
{
    if (board->request == BOARD_NONE) {
        board->request = request;
        board->exit_status = exit_status;
    }
    kick(board);
}

int board_event(struct board *board, const char *name, clock_fn fn, void *opaque,
                struct clock_event **out)
{
    return clock_event_create(board->clock, name, 0, fn, opaque, out);
}

void board_arm(struct board *board, struct clock_event *event, uint64_t when_ns)
{
    clock_event_arm(event, when_ns);
    if (when_ns != CLOCK_NEVER)
        kick(board);
}
