/* SPDX-License-Identifier: MIT */
/*
 * A bad wire around any backend, for tests: what happens to the n-th frame of a
 * direction depends on the seed and n alone.
 *
 * Each direction has a queue of frames with the time each is due, in that order.
 * Its room is bounded: a frame that finds it full is lost. Frames of the sending
 * side leave the queue in send, receive and when the timer of fd() is due;
 * fd() is an epoll of that timer and the inner descriptor.
 */
#include "devices/net_backends.h"
#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FAULT_QUEUE 1024
#define FAULT_REORDER_NS 2000000 /* a reordered frame is this late where no delay is set */

struct fault_frame {
    uint64_t due_ns;
    uint16_t len;
    uint8_t bytes[NET_FRAME_MAX];
};

struct fault_way {
    uint64_t random;
    unsigned count;
    struct fault_frame *frame[FAULT_QUEUE]; /* by due_ns */
};

struct net_fault {
    struct net_backend net;
    struct net_backend *inner;
    struct net_fault_config config;
    struct fault_way out, in;
    int timer, epoll;
};

static struct net_fault *fault_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_fault, net);
}

/* splitmix64: a full-period sequence from any seed. */
static uint64_t fault_random(struct fault_way *way)
{
    uint64_t z = way->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool fault_chance(struct fault_way *way, uint32_t of_65536)
{
    return (fault_random(way) & 0xffff) < of_65536;
}

static void fault_queue(struct fault_way *way, const void *bytes, size_t len, uint64_t due_ns)
{
    struct fault_frame *frame = way->count < FAULT_QUEUE ? malloc(sizeof *frame) : NULL;
    if (!frame || len > sizeof frame->bytes) {
        free(frame);
        return;
    }
    frame->due_ns = due_ns;
    frame->len = (uint16_t)len;
    memcpy(frame->bytes, bytes, len);
    unsigned at = way->count++;
    for (; at && way->frame[at - 1]->due_ns > due_ns; at--)
        way->frame[at] = way->frame[at - 1];
    way->frame[at] = frame;
}

/* Puts a frame on the wire: nowhere, once or twice, whole or damaged, now or later. */
static void fault_pass(struct net_fault *fault, struct fault_way *way, const void *bytes,
                       size_t len)
{
    const struct net_fault_config *c = &fault->config;
    uint64_t due = host_monotonic_ns() + c->delay_ns;
    bool lost = fault_chance(way, c->loss), twice = fault_chance(way, c->duplicate);
    bool late = fault_chance(way, c->reorder), damaged = fault_chance(way, c->corrupt);
    uint64_t luck = fault_random(way);
    uint8_t copy[NET_FRAME_MAX];
    if (lost || len > sizeof copy || !len)
        return;
    memcpy(copy, bytes, len);
    if (late)
        due += luck % (c->delay_ns ? c->delay_ns : FAULT_REORDER_NS);
    if (damaged)
        copy[(luck >> 32) % len] ^= (uint8_t)(1u << (luck & 7));
    fault_queue(way, copy, len, due);
    if (twice)
        fault_queue(way, copy, len, due);
}

static void fault_unqueue(struct fault_way *way)
{
    free(way->frame[0]);
    memmove(way->frame, way->frame + 1, --way->count * sizeof *way->frame);
}

/* Sends what is due, and sets the timer for what is not. */
static int fault_turn(struct net_fault *fault)
{
    uint64_t now = host_monotonic_ns(), next = UINT64_MAX;
    struct fault_way *out = &fault->out;
    int err = 0;
    while (!err && out->count && out->frame[0]->due_ns <= now) {
        err = fault->inner->ops->send(fault->inner, out->frame[0]->bytes, out->frame[0]->len);
        fault_unqueue(out);
    }
    if (out->count)
        next = out->frame[0]->due_ns;
    if (fault->in.count && fault->in.frame[0]->due_ns < next)
        next = fault->in.frame[0]->due_ns;
    struct itimerspec when = {0};
    if (next != UINT64_MAX) {
        next = next > now ? next - now : 1;
        when.it_value.tv_sec = (time_t)(next / 1000000000u);
        when.it_value.tv_nsec = (long)(next % 1000000000u);
    }
    timerfd_settime(fault->timer, 0, &when, NULL);
    return err == -EPIPE ? err : 0;
}

static int fault_send(struct net_backend *net, const void *frame, size_t len)
{
    struct net_fault *fault = fault_of(net);
    fault_pass(fault, &fault->out, frame, len);
    return fault_turn(fault);
}

static int fault_receive(struct net_backend *net, void *frame, size_t room)
{
    struct net_fault *fault = fault_of(net);
    struct fault_way *in = &fault->in;
    uint8_t bytes[NET_FRAME_MAX];
    int got;
    while ((got = fault->inner->ops->receive(fault->inner, bytes, sizeof bytes)) > 0)
        fault_pass(fault, in, bytes, (size_t)got);
    if (in->count && in->frame[0]->due_ns <= host_monotonic_ns()) {
        size_t len = in->frame[0]->len < room ? in->frame[0]->len : room;
        memcpy(frame, in->frame[0]->bytes, len);
        fault_unqueue(in);
        return (int)len;
    }
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
    while (fault->out.count)
        fault_unqueue(&fault->out);
    while (fault->in.count)
        fault_unqueue(&fault->in);
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

int net_fault_create(struct net_backend *inner, const struct net_fault_config *config,
                     struct net_backend **out, struct net_error *why)
{
    struct net_fault *fault = calloc(1, sizeof *fault);
    if (!fault)
        return net_fail(why, -ENOMEM, "no memory for the bad wire");
    fault->net.ops = &fault_ops;
    fault->config = *config;
    fault->out.random = config->seed;
    fault->in.random = ~config->seed;
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
