/* SPDX-License-Identifier: MIT */
/*
 * A NAT that outlives its process. `inner` is replaced by the thread that moves the
 * frames, when it finds it gone; so orders from other threads hold it (`orders`)
 * while they use it. fd() is an epoll of the inner descriptor and of the timer of the
 * next attempt, so it stays the same.
 */
#include "devices/net_backends.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FIRST_PAUSE_NS 20000000u
#define LAST_PAUSE_NS 2000000000u
#define STEADY_NS 5000000000u /* who lived so long may be started again at once */

struct net_nat {
    struct net_backend net;
    struct net_user_side side;
    char *program;
    int timer, epoll;
    uint64_t started_ns, pause_ns;
    struct host_lock lock;     /* below */
    struct net_backend *inner; /* NULL: gone */
    unsigned orders;
    uint32_t restarts;
    struct net_publish *published;
    size_t count, room;
};

static struct net_nat *nat_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_nat, net);
}

static int watch(struct net_nat *nat, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(nat->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void set_timer(struct net_nat *nat, uint64_t ns)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)}};
    timerfd_settime(nat->timer, 0, &when, NULL);
}

static int start(struct net_nat *nat, struct net_error *why)
{
    const struct net_user_config config = {
        .program = nat->program, .side = &nat->side, .quiet = true};
    struct net_backend *inner;
    nat->started_ns = host_monotonic_ns();
    int err = net_user_create(&config, &inner, why);
    if (err)
        return err;
    err = watch(nat, inner->ops->fd(inner));
    if (err) {
        inner->ops->destroy(inner);
        return net_fail(why, err, "cannot watch the NAT process: %s", strerror(-err));
    }
    host_lock_enter(&nat->lock);
    for (size_t i = 0; i < nat->count; i++)
        net_user_publish_later(inner, &nat->published[i]);
    nat->inner = inner;
    host_lock_leave(&nat->lock);
    return 0;
}

static void lose(struct net_nat *nat)
{
    host_lock_enter(&nat->lock);
    struct net_backend *inner = nat->inner;
    nat->inner = NULL;
    while (nat->orders)
        host_lock_wait(&nat->lock);
    host_lock_leave(&nat->lock);
    inner->ops->destroy(inner); /* its descriptor leaves the epoll with it */
    bool steady = host_monotonic_ns() - nat->started_ns > STEADY_NS;
    if (steady || !nat->pause_ns)
        nat->pause_ns = FIRST_PAUSE_NS;
    set_timer(nat, nat->pause_ns);
    fprintf(stderr, "denali: the NAT process is gone; it is started again\n");
}

static void try_again(struct net_nat *nat)
{
    struct net_error why;
    uint64_t expired;
    if (read(nat->timer, &expired, sizeof expired) != sizeof expired)
        return; /* not yet */
    nat->pause_ns = 2 * nat->pause_ns < LAST_PAUSE_NS ? 2 * nat->pause_ns : LAST_PAUSE_NS;
    if (start(nat, &why)) {
        set_timer(nat, nat->pause_ns);
        return;
    }
    host_lock_enter(&nat->lock);
    nat->restarts++;
    host_lock_leave(&nat->lock);
}

static int nat_send(struct net_backend *net, const void *frame, size_t len)
{
    struct net_nat *nat = nat_of(net);
    if (!nat->inner)
        return 0; /* as a wire would */
    int err = nat->inner->ops->send(nat->inner, frame, len);
    if (err == -EPIPE)
        lose(nat);
    return err == -EPIPE ? 0 : err;
}

static int nat_receive(struct net_backend *net, void *frame, size_t room)
{
    struct net_nat *nat = nat_of(net);
    if (!nat->inner)
        try_again(nat);
    if (!nat->inner)
        return -EAGAIN;
    int got = nat->inner->ops->receive(nat->inner, frame, room);
    if (got == -EPIPE)
        lose(nat);
    return got == -EPIPE ? -EAGAIN : got;
}

static int nat_fd(const struct net_backend *net)
{
    return nat_of(net)->epoll;
}

static void nat_destroy(struct net_backend *net)
{
    struct net_nat *nat = nat_of(net);
    if (nat->inner)
        nat->inner->ops->destroy(nat->inner);
    if (nat->timer >= 0)
        close(nat->timer);
    if (nat->epoll >= 0)
        close(nat->epoll);
    host_lock_fini(&nat->lock);
    free(nat->published);
    free(nat->program);
    free(nat);
}

static const struct net_backend_ops nat_ops = {
    .name = "nat",
    .send = nat_send,
    .receive = nat_receive,
    .fd = nat_fd,
    .destroy = nat_destroy,
};

static int open_all(struct net_nat *nat, const struct net_user_config *config,
                    struct net_error *why)
{
    nat->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    nat->epoll = epoll_create1(EPOLL_CLOEXEC);
    nat->side = *config->side;
    nat->program = config->program ? strdup(config->program) : NULL;
    int err = nat->timer < 0 || nat->epoll < 0 ? -errno : watch(nat, nat->timer);
    if (!err && config->program && !nat->program)
        err = -ENOMEM;
    return err ? net_fail(why, err, "cannot make a NAT: %s", strerror(-err)) : start(nat, why);
}

int net_nat_create(const struct net_user_config *config, struct net_backend **out,
                   struct net_error *why)
{
    BUG_ON(!config->side, "a NAT for a LAN has a side");
    struct net_nat *nat = calloc(1, sizeof *nat);
    if (!nat || host_lock_init(&nat->lock)) {
        free(nat);
        return net_fail(why, -ENOMEM, "no memory for the network");
    }
    nat->net.ops = &nat_ops;
    nat->timer = nat->epoll = -1;
    int err = open_all(nat, config, why);
    for (size_t i = 0; !err && i < config->publish_count; i++) {
        err = net_nat_publish(&nat->net, &config->publish[i], true);
        if (err)
            net_fail(why, err, "cannot publish port %u: %s", config->publish[i].host_port,
                     strerror(-err));
    }
    if (err)
        nat_destroy(&nat->net);
    else
        *out = &nat->net;
    return err;
}

/* Published ports; inside the lock. */

static bool same_port(const struct net_publish *a, const struct net_publish *b)
{
    return a->host_addr == b->host_addr && a->host_port == b->host_port && a->udp == b->udp;
}

static struct net_publish *find(struct net_nat *nat, const struct net_publish *p)
{
    for (size_t i = 0; i < nat->count; i++) {
        if (same_port(&nat->published[i], p))
            return &nat->published[i];
    }
    return NULL;
}

static int note(struct net_nat *nat, const struct net_publish *p)
{
    if (find(nat, p))
        return -EADDRINUSE;
    if (nat->count == nat->room) {
        size_t room = nat->room ? 2 * nat->room : 16;
        struct net_publish *more = realloc(nat->published, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        nat->published = more;
        nat->room = room;
    }
    nat->published[nat->count++] = *p;
    return 0;
}

static void forget(struct net_nat *nat, const struct net_publish *p)
{
    struct net_publish *at = find(nat, p);
    if (at)
        *at = nat->published[--nat->count];
}

/* Left meanwhile; the process stays as long. Without one: what is noted will be done. */
static int tell(struct net_nat *nat, const struct net_publish *p, bool on)
{
    struct net_backend *inner = nat->inner;
    if (!inner)
        return 0;
    nat->orders++;
    host_lock_leave(&nat->lock);
    int err = net_user_publish(inner, p, on);
    host_lock_enter(&nat->lock);
    nat->orders--;
    host_lock_wake(&nat->lock);
    return err == -EPIPE ? 0 : err;
}

int net_nat_publish(struct net_backend *net, const struct net_publish *p, bool on)
{
    struct net_nat *nat = nat_of(net);
    host_lock_enter(&nat->lock);
    int err = on ? note(nat, p) : find(nat, p) ? 0 : -ENOENT;
    bool known = !err;
    if (known)
        err = tell(nat, p, on);
    if (known && (!on || err))
        forget(nat, p);
    host_lock_leave(&nat->lock);
    return err;
}

void net_nat_unpublish_guest(struct net_backend *net, uint32_t guest_addr)
{
    struct net_nat *nat = nat_of(net);
    host_lock_enter(&nat->lock);
    for (size_t i = 0; i < nat->count;) {
        struct net_publish p = nat->published[i];
        if (p.guest_addr != guest_addr) {
            i++;
            continue;
        }
        forget(nat, &p);
        int err = tell(nat, &p, false);
        i = 0; /* meanwhile others may have changed the list; the process may have had no such port
                */
        (void)err;
    }
    host_lock_leave(&nat->lock);
}

int net_nat_pid(struct net_backend *net, uint32_t *restarts)
{
    struct net_nat *nat = nat_of(net);
    host_lock_enter(&nat->lock);
    int pid = nat->inner ? net_user_pid(nat->inner) : 0;
    *restarts = nat->restarts;
    host_lock_leave(&nat->lock);
    return pid;
}
