/* SPDX-License-Identifier: MIT */
/*
 * One thread, two directions in turns. A frame that the host's end had no room for is
 * kept in `held` until it has; meanwhile the port's queue fills, and then drops.
 *
 * When the host's end is gone (-EPIPE), what VMs send outwards is dropped, as on a cable
 * that was pulled; among themselves they do not notice.
 */
#include "denali/lan/uplink.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define TURN 256u /* frames of one direction before the other's turn */
/* Until a full host end is tried again that cannot say when it has room. */
#define HELD_NS 1000000u

struct uplink {
    struct lan_port port;
    struct net_backend *net; /* NULL: gone */
    struct host_lock lock;   /* counters */
    struct uplink_counters counters;
    struct host_thread thread;
    int waker;
    _Atomic bool quit;
    size_t held_len; /* 0: none */
    uint8_t held[NET_FRAME_MAX];
};

static void arrived(struct lan_port *port)
{
    host_waker_wake(CONTAINER_OF(port, struct uplink, port)->waker);
}

static void count_out(struct uplink *u, bool sent, size_t len)
{
    host_lock_enter(&u->lock);
    u->counters.out += sent;
    u->counters.out_bytes += sent ? len : 0;
    u->counters.dropped += !sent;
    host_lock_leave(&u->lock);
}

static void lose(struct uplink *u)
{
    u->net->ops->destroy(u->net);
    u->net = NULL;
    u->held_len = 0;
    host_lock_enter(&u->lock);
    u->counters.alive = false;
    host_lock_leave(&u->lock);
}

/* True: go on with the next one. */
static bool send_held(struct uplink *u)
{
    int err = u->net->ops->send(u->net, u->held, u->held_len);
    if (err == -EAGAIN)
        return false;
    count_out(u, !err, u->held_len);
    u->held_len = 0;
    if (err == -EPIPE)
        lose(u);
    return err != -EPIPE;
}

static void move_out(struct uplink *u)
{
    for (unsigned i = 0; i < TURN; i++) {
        if (!u->held_len)
            u->held_len = lan_receive(&u->port, u->held, sizeof(u->held));
        if (!u->held_len || !send_held(u))
            return;
    }
}

/* Whether there may be more. */
static bool move_in(struct uplink *u)
{
    uint8_t frame[NET_FRAME_MAX];
    uint64_t frames = 0, bytes = 0;
    int got = -EAGAIN;
    while (frames < TURN && (got = u->net->ops->receive(u->net, frame, sizeof(frame))) > 0) {
        lan_send(&u->port, frame, (size_t)got);
        frames++;
        bytes += (uint64_t)got;
    }
    host_lock_enter(&u->lock);
    u->counters.in += frames;
    u->counters.in_bytes += bytes;
    host_lock_leave(&u->lock);
    if (got == -EPIPE)
        lose(u);
    return got > 0;
}

static void wait_for_news(struct uplink *u, bool more)
{
    struct pollfd fd[2] = {{.fd = u->waker, .events = POLLIN}, {.fd = -1}};
    uint64_t wait = more ? 0 : HOST_FOREVER;
    if (u->net) {
        fd[1].fd = u->net->ops->fd(u->net);
        fd[1].events = (short)(POLLIN | (u->held_len ? POLLOUT : 0));
        wait = u->held_len && !more ? HELD_NS : wait;
    }
    host_poll(fd, 2, wait);
    if (fd[0].revents)
        host_waker_clear(u->waker);
}

static void drop_all(struct uplink *u)
{
    uint8_t frame[NET_FRAME_MAX];
    size_t len;
    while ((len = lan_receive(&u->port, frame, sizeof(frame))))
        count_out(u, false, len);
}

static void run(void *opaque)
{
    struct uplink *u = opaque;
    while (!u->quit) {
        bool more = false;
        if (u->net)
            move_out(u);
        if (u->net)
            more = move_in(u);
        if (!u->net)
            drop_all(u);
        wait_for_news(u, u->net && (more || (lan_waits(&u->port) && !u->held_len)));
    }
}

static int start(struct uplink *u, struct lan *lan)
{
    u->waker = host_waker_create();
    if (u->waker < 0)
        return u->waker;
    int err = lan_port_add(lan, &u->port, 0, LAN_UPLINK, arrived);
    if (err)
        return err;
    err = host_thread_start(&u->thread, "uplink", run, u);
    if (err)
        lan_port_remove(&u->port);
    return err;
}

static void release(struct uplink *u)
{
    if (u->net)
        u->net->ops->destroy(u->net);
    if (u->waker >= 0)
        close(u->waker);
    host_lock_fini(&u->lock);
    free(u);
}

int uplink_create(struct lan *lan, struct net_backend *net, struct uplink **out)
{
    struct uplink *u = calloc(1, sizeof(*u));
    if (!u || host_lock_init(&u->lock)) {
        net->ops->destroy(net);
        free(u);
        return -ENOMEM;
    }
    u->net = net;
    u->waker = -1;
    u->counters.alive = true;
    int err = start(u, lan);
    if (err)
        release(u);
    else
        *out = u;
    return err;
}

void uplink_destroy(struct uplink *u)
{
    if (!u)
        return;
    u->quit = true;
    host_waker_wake(u->waker);
    host_thread_join(&u->thread);
    lan_port_remove(&u->port);
    release(u);
}

void uplink_count(struct uplink *u, struct uplink_counters *out)
{
    host_lock_enter(&u->lock);
    *out = u->counters;
    host_lock_leave(&u->lock);
}
