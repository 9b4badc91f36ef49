/* SPDX-License-Identifier: MIT */
/*
 * A bad wire around any backend, for tests: a wire (wire.h) for each direction.
 *
 * Frames of the sending side leave their wire in send, receive and when the timer
 * of fd() is due; fd() is an epoll of that timer and the inner descriptor.
 */
#include "devices/net_backends.h"
#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct net_fault {
    struct net_backend net;
    struct net_backend *inner;
    struct wire out, in;
    int timer, epoll;
};

static struct net_fault *fault_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_fault, net);
}

static void set_timer(struct net_fault *fault, uint64_t now)
{
    uint64_t next = wire_due_ns(&fault->out), in = wire_due_ns(&fault->in);
    struct itimerspec when = {0};
    next = in < next ? in : next;
    if (next != WIRE_NEVER) {
        next = next > now ? next - now : 1;
        when.it_value.tv_sec = (time_t)(next / 1000000000u);
        when.it_value.tv_nsec = (long)(next % 1000000000u);
    }
    timerfd_settime(fault->timer, 0, &when, NULL);
}

/* Sends what is due, and sets the timer for what is not. */
static int fault_turn(struct net_fault *fault)
{
    uint64_t now = host_monotonic_ns();
    uint8_t bytes[NET_FRAME_MAX];
    size_t len;
    int err = 0;
    while (!err && (len = wire_take(&fault->out, bytes, sizeof bytes, now)))
        err = fault->inner->ops->send(fault->inner, bytes, len);
    set_timer(fault, now);
    return err == -EPIPE ? err : 0;
}

static int fault_send(struct net_backend *net, const void *frame, size_t len)
{
    struct net_fault *fault = fault_of(net);
    wire_put(&fault->out, frame, len, host_monotonic_ns());
    return fault_turn(fault);
}

static int fault_receive(struct net_backend *net, void *frame, size_t room)
{
    struct net_fault *fault = fault_of(net);
    uint8_t bytes[NET_FRAME_MAX];
    int got;
    while ((got = fault->inner->ops->receive(fault->inner, bytes, sizeof bytes)) > 0)
        wire_put(&fault->in, bytes, (size_t)got, host_monotonic_ns());
    size_t len = wire_take(&fault->in, frame, room, host_monotonic_ns());
    if (len)
        return (int)len;
    fault_turn(fault);
    return got;
}

static int fault_fd(const struct net_backend *net)
{
    return fault_of(net)->epoll;
}

static void fault_destroy(struct net_backend *net)
{
    struct net_fault *fault = fault_of(net);
    wire_fini(&fault->out);
    wire_fini(&fault->in);
    if (fault->timer >= 0)
        close(fault->timer);
    if (fault->epoll >= 0)
        close(fault->epoll);
    if (fault->inner)
        fault->inner->ops->destroy(fault->inner);
    free(fault);
}

static const struct net_backend_ops fault_ops = {
    .name = "fault",
    .send = fault_send,
    .receive = fault_receive,
    .fd = fault_fd,
    .destroy = fault_destroy,
};

static int fault_watch(struct net_fault *fault, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return fd >= 0 && epoll_ctl(fault->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int fault_open(struct net_fault *fault, struct net_backend *inner)
{
    fault->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    fault->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (fault->timer < 0 || fault->epoll < 0)
        return -errno;
    int err = fault_watch(fault, fault->timer);
    return err ? err : fault_watch(fault, inner->ops->fd(inner));
}

int net_fault_create(struct net_backend *inner, const struct wire_config *config,
                     struct net_backend **out, struct net_error *why)
{
    struct net_fault *fault = calloc(1, sizeof *fault);
    if (!fault)
        return net_fail(why, -ENOMEM, "no memory for the bad wire");
    fault->net.ops = &fault_ops;
    wire_init(&fault->out, config);
    struct wire_config back = *config;
    back.seed = ~config->seed;
    wire_init(&fault->in, &back);
    fault->timer = fault->epoll = -1;
    int err = fault_open(fault, inner);
    if (err) {
        fault_destroy(&fault->net);
        return net_fail(why, err, "cannot make the bad wire: %s", strerror(-err));
    }
    fault->inner = inner;
    *out = &fault->net;
    return 0;
}
