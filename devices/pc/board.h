/* SPDX-License-Identifier: MIT */
/*
 * What the devices of a PC share, and how one is made.
 *
 * A device is a private struct that begins with struct board_device, its
 * functions, the list of what survives of it, and one constructor that takes
 * the board and the wires it drives. The constructor hands the device to the
 * board (board_add), which resets, saves and destroys it; what other devices
 * need of it is in the header beside it. A constructor that fails leaves what
 * it made to board_destroy.
 *
 * Everything runs on the processor's thread. Time comes from board->clock,
 * interrupts leave through irq lines, host input and output through backends.
 */
#ifndef DENALI_PC_BOARD_H
#define DENALI_PC_BOARD_H

#include "emu/machine/bus.h"
#include "emu/machine/clock.h"
#include "emu/machine/irq.h"
#include "emu/machine/state.h"

struct board_device;

struct board_device_ops {
    const char *name;
    void (*reset)(struct board_device *dev); /* as the reset line does; may be NULL */
    void (*destroy)(struct board_device *dev);
    const struct state_list *state; /* of the whole private struct; NULL: none survives */
    /* Whether `state`, which may come from a stranger's file, is one that the device can be in, as
     * far as indices, counts and divisors go. It has no effects. May be NULL: any is. */
    bool (*valid)(const struct board_device *dev);
    void (*loaded)(struct board_device *dev); /* `state` has just been loaded; may be NULL */
    /* Memory beside `state` that survives: where, and *len. May be NULL. */
    uint8_t *(*memory)(struct board_device *dev, uint32_t *len);
    /* What to poll now, `which` 0 and 1: a descriptor and its events, or -1. May be NULL. */
    int (*poll_fd)(const struct board_device *dev, unsigned which, short *events);
    void (*ready)(struct board_device *dev);
};

struct board_device {
    const struct board_device_ops *ops;
    struct board_device *next;
};

/* What a device asks of the whole machine. It takes effect after the instruction. */
enum board_request { BOARD_NONE, BOARD_RESET, BOARD_POWER_OFF, BOARD_EXIT /* with a status */ };

struct board {
    struct bus *bus;
    struct clock *clock;
    struct board_device *first, *last;
    enum board_request request;
    uint32_t exit_status;
    /* Stops the processor soon: something is to be looked at. */
    void (*kick)(void *opaque);
    void *kick_opaque;
    struct gate *gate;     /* NULL: nobody records what a person does */
    uint64_t wall_base_ns; /* the wall clock when board->clock was 0 */
};

void board_init(struct board *board, struct bus *bus, struct clock *clock);
void board_destroy_devices(struct board *board);

void board_add(struct board *board, struct board_device *dev);
void board_reset(struct board *board);

/* The first request stands until the machine has taken it. */
void board_ask(struct board *board, enum board_request request, uint32_t exit_status);

/* An event of the board's clock for a device. */
MUST_CHECK int board_event(struct board *board, const char *name, clock_fn fn, void *opaque,
                           struct clock_event **out);

/* Arms an event and makes sure that the processor does not run past it. */
void board_arm(struct board *board, struct clock_event *event, uint64_t when_ns);

static inline uint64_t board_now(const struct board *board)
{
    return clock_now_ns(board->clock);
}

/* ns * hz / 10^9 and ticks * 10^9 / hz, rounded down and up, without overflow. */
static inline uint64_t board_ticks(uint64_t ns, uint32_t hz)
{
    return (uint64_t)((unsigned __int128)ns * hz / 1000000000u);
}
static inline uint64_t board_ticks_ns(uint64_t ticks, uint32_t hz)
{
    return (uint64_t)(((unsigned __int128)ticks * 1000000000u + hz - 1) / hz);
}

#endif
