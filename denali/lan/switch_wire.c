/* SPDX-License-Identifier: MIT */
/*
 * Bad and slow wires of ports. Most frames of a wire that only limits pass at once;
 * the others wait on the wire, and one thread for the whole LAN moves them on when
 * they are due. It sleeps until the first of them.
 *
 * An event of the clock says only "look at that wire": the thread collects a batch
 * of them inside `ticks`, leaves it, and goes through the port's lane like any
 * sender. A port that was removed meanwhile is not found there.
 */
#include "denali/lan/switch_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* The thread sleeps no shorter: what is due meanwhile goes in one batch. */
#define TICK_NS 50000u

/* Events. */

static void note_due(struct lan_shape *shape, enum lan_way way, uint64_t now_ns)
{
    struct lan_ticks *ticks = &shape->lan->ticks;
    if (ticks->due_count < DUE_BATCH)
        ticks->due[ticks->due_count++] = (struct lan_due){shape->number, way};
    else
        clock_event_arm(shape->event[way], now_ns + TICK_NS);
}

static void to_is_due(void *opaque, uint64_t now_ns)
{
    note_due(opaque, LAN_TO, now_ns);
}

static void from_is_due(void *opaque, uint64_t now_ns)
{
    note_due(opaque, LAN_FROM, now_ns);
}

/* Inside the stripe. */
static void arm(struct lan_shape *shape, enum lan_way way)
{
    struct lan_ticks *ticks = &shape->lan->ticks;
    uint64_t due = wire_due_ns(&shape->wire[way]);
    host_lock_enter(&ticks->lock);
    clock_event_arm(shape->event[way], due);
    if (due < ticks->target_ns)
        host_waker_wake(ticks->waker);
    host_lock_leave(&ticks->lock);
}

bool lan_wire_passes(struct lan_port *port, enum lan_way way, const void *bytes, size_t len)
{
    struct lan_shape *shape = port->shape;
    struct wire *wire = &shape->wire[way];
    uint64_t now = clock_now_ns(port->lan->ticks.clock), before = wire_due_ns(wire);
    if (wire_lets_pass(wire, len, now))
        return true;
    wire_put(wire, bytes, len, now);
    if (wire_due_ns(wire) < before)
        arm(shape, way);
    return false;
}

/* The thread. */

/* Inside the lane: the next frame that is due on a wire of the port. */
static size_t take_due(struct lan_port *port, enum lan_way way, uint8_t bytes[NET_FRAME_MAX])
{
    struct lan_stripe *stripe = lan_stripe_of(port->lan, port->number);
    uint64_t now = clock_now_ns(port->lan->ticks.clock);
    host_lock_enter(&stripe->lock);
    size_t len = wire_take(&port->shape->wire[way], bytes, NET_FRAME_MAX, now);
    if (len && way == LAN_FROM) /* who sent it is not known any more: its receiver answers for it */
        lan_enqueue(lan_lane_of(port->lan, port->number), port, port, bytes, len);
    if (!len)
        arm(port->shape, way);
    host_lock_leave(&stripe->lock);
    return len;
}

static void run_due(struct lan *lan, const struct lan_due *due)
{
    struct lan_lane *lane = lan_lane_of(lan, due->number);
    uint8_t bytes[NET_FRAME_MAX];
    size_t len;
    host_lock_enter(&lane->lock);
    struct lan_port *port = lan->port[due->number];
    while (port && port->shape && (len = take_due(port, due->way, bytes))) {
        if (due->way == LAN_TO)
            lan_forward(lane, port, bytes, len);
    }
    host_lock_leave(&lane->lock);
}

/* Inside `ticks`, left meanwhile. */
static void run_batch(struct lan *lan)
{
    struct lan_ticks *ticks = &lan->ticks;
    struct lan_due due[DUE_BATCH];
    unsigned count = ticks->due_count;
    for (unsigned i = 0; i < count; i++)
        due[i] = ticks->due[i];
    ticks->due_count = 0;
    host_lock_leave(&ticks->lock);
    for (unsigned i = 0; i < count; i++)
        run_due(lan, &due[i]);
    host_lock_enter(&ticks->lock);
}

static void sleep_until_next(struct lan_ticks *ticks, uint64_t next_ns)
{
    struct pollfd fd = {.fd = ticks->waker, .events = POLLIN};
    uint64_t now = clock_now_ns(ticks->clock), wait = next_ns > now ? next_ns - now : 0;
    if (next_ns == CLOCK_NEVER)
        wait = HOST_FOREVER;
    else if (wait < TICK_NS)
        wait = TICK_NS;
    ticks->target_ns = next_ns;
    host_lock_leave(&ticks->lock);
    if (host_poll(&fd, 1, wait) > 0)
        host_waker_clear(ticks->waker);
    host_lock_enter(&ticks->lock);
    ticks->target_ns = 0; /* awake: nobody need wake it */
}

static void tick(void *opaque)
{
    struct lan *lan = opaque;
    struct lan_ticks *ticks = &lan->ticks;
    host_lock_enter(&ticks->lock);
    while (!ticks->quit) {
        uint64_t next = clock_run_due(ticks->clock);
        if (ticks->due_count)
            run_batch(lan);
        else
            sleep_until_next(ticks, next);
    }
    host_lock_leave(&ticks->lock);
}

int lan_ticks_init(struct lan_ticks *ticks)
{
    ticks->waker = -1;
    int err = clock_create(false, &ticks->clock);
    if (err)
        return err;
    err = host_lock_init(&ticks->lock);
    if (err)
        clock_destroy(ticks->clock);
    return err;
}

void lan_ticks_fini(struct lan_ticks *ticks)
{
    if (ticks->started) {
        host_lock_enter(&ticks->lock);
        ticks->quit = true;
        host_lock_leave(&ticks->lock);
        host_waker_wake(ticks->waker);
        host_thread_join(&ticks->thread);
    }
    if (ticks->waker >= 0)
        close(ticks->waker);
    clock_destroy(ticks->clock);
    host_lock_fini(&ticks->lock);
}

/* Inside all lanes. */
static int start_thread(struct lan *lan)
{
    struct lan_ticks *ticks = &lan->ticks;
    if (ticks->started)
        return 0;
    if (ticks->waker < 0)
        ticks->waker = host_waker_create();
    if (ticks->waker < 0)
        return ticks->waker;
    int err = host_thread_start(&ticks->thread, "wires", tick, lan);
    ticks->started = !err;
    return err;
}

/* Shapes. */

static struct lan_shape *make_shape(struct lan_port *port, const struct wire_config *config[])
{
    static const clock_fn fn[LAN_WAYS] = {to_is_due, from_is_due};
    static const struct wire_config perfect;
    struct lan_shape *shape = calloc(1, sizeof(*shape));
    struct lan_ticks *ticks = &port->lan->ticks;
    int err = shape ? 0 : -ENOMEM;
    if (err)
        return NULL;
    shape->lan = port->lan;
    shape->number = port->number;
    host_lock_enter(&ticks->lock);
    for (unsigned way = 0; way < LAN_WAYS; way++) {
        wire_init(&shape->wire[way], config[way] ? config[way] : &perfect);
        if (!err)
            err = clock_event_create(ticks->clock, "wire", 0, fn[way], shape, &shape->event[way]);
    }
    host_lock_leave(&ticks->lock);
    if (!err)
        return shape;
    lan_shape_free(shape);
    return NULL;
}

void lan_shape_free(struct lan_shape *shape)
{
    struct lan_ticks *ticks = &shape->lan->ticks;
    host_lock_enter(&ticks->lock);
    for (unsigned way = 0; way < LAN_WAYS; way++) {
        wire_fini(&shape->wire[way]);
        if (shape->event[way])
            clock_event_destroy(shape->event[way]);
    }
    host_lock_leave(&ticks->lock);
    free(shape);
}

int lan_port_shape(struct lan_port *port, const struct wire_config *to_lan,
                   const struct wire_config *from_lan)
{
    const struct wire_config *config[LAN_WAYS] = {to_lan, from_lan};
    struct lan_shape *shape = NULL;
    int err = 0;
    lan_enter_all(port->lan);
    if (to_lan || from_lan) {
        shape = make_shape(port, config);
        err = shape ? start_thread(port->lan) : -ENOMEM;
    }
    if (err && shape)
        lan_shape_free(shape);
    if (!err && port->shape)
        lan_shape_free(port->shape);
    if (!err)
        port->shape = shape;
    lan_leave_all(port->lan);
    return err;
}
