/* SPDX-License-Identifier: MIT */
/*
 * libslirp's loop: frames from the VM are read in batches, frames to it are
 * gathered and sent with one system call when a round ends. A message that is shorter
 * than a frame is an order (net_backends.h).
 *
 * Invariants: `out` holds frames only inside a round (nat_flush empties it, or
 * drops what the VM has no room for, as a wire would); timers are few and live
 * in a fixed table.
 */
#include "devices/nat/nat.h"

#include "devices/nat/doors.h"
#include "devices/nat/early.h"
#include "devices/nat/fragments.h"
#include "devices/nat/neighbours.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NAT_BATCH 64
#define NAT_ROUND 512 /* frames from the VM before the host's sockets get their turn */
#define NAT_TIMERS 8
#define NAT_FRAME_MIN 14
#define NAT_BACKLOG 4096
#define NAT_DRAIN_MS 2000
#define NAT_START_FILES (NET_MAX_PUBLISH + 64) /* descriptors that may be open at the start */
#define NAT_ORDER_FILES 16384                  /* and at any time */
#define NET_MAX_PUBLISHED 4096

struct nat_timer {
    SlirpTimerCb call;
    void *opaque;
    int64_t due_ms; /* -1: not running */
};

struct nat_frames {
    unsigned count;
    struct mmsghdr message[NAT_BATCH];
    struct iovec part[NAT_BATCH];
    uint8_t bytes[NAT_BATCH][NET_FRAME_MAX + 2];
};

struct nat {
    Slirp *slirp;
    int fd;
    bool ended;
    bool is_early;        /* see early.h */
    bool unsent;          /* in this round a socket of the host waits for room */
    struct pollfd *polls; /* [0] is the VM */
    size_t poll_count, poll_room;
    struct nat_timer timer[NAT_TIMERS];
    struct net_user_side side;
    struct net_publish *publish; /* those that are bound */
    size_t publish_count;
    struct neighbours neighbours;
    struct doors doors; /* unless side.loopback */
    struct fragments fragments;
    struct nat_frames in, out;
    struct early early;
};

static int64_t nat_clock_ns(void *opaque)
{
    struct timespec now;
    (void)opaque;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static struct in_addr address(uint32_t host_order)
{
    return (struct in_addr){.s_addr = htonl(host_order)};
}

static int64_t nat_clock_ms(void)
{
    return nat_clock_ns(NULL) / 1000000;
}

/* What the VM has no room for is dropped: TCP sends it again. */
static void nat_flush(struct nat *nat)
{
    unsigned sent = 0;
    while (sent < nat->out.count) {
        int n = sendmmsg(nat->fd, nat->out.message + sent, nat->out.count - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent += (unsigned)n;
        else if (errno != EINTR)
            break;
    }
    nat->out.count = 0;
}

static void nat_frame_out(void *opaque, const void *frame, size_t len)
{
    struct nat *nat = opaque;
    if (nat->out.count == NAT_BATCH)
        nat_flush(nat);
    unsigned i = nat->out.count++;
    memcpy(nat->out.bytes[i], frame, len);
    nat->out.part[i].iov_len = len;
}

static ssize_t nat_packet_out(const void *frame, size_t len, void *opaque)
{
    struct nat *nat = opaque;
    if (len > NET_FRAME_MAX || neighbours_note_out(&nat->neighbours, frame, len))
        return (ssize_t)len;
    nat_frame_out(nat, frame, len);
    if (!nat->side.loopback)
        doors_note_out(&nat->doors, frame, len);
    if (nat->is_early)
        early_note_out(&nat->early, frame, len, nat_clock_ms());
    return (ssize_t)len;
}

static void nat_guest_error(const char *message, void *opaque)
{
    (void)message, (void)opaque;
}

static void *nat_timer_new(SlirpTimerCb call, void *call_opaque, void *opaque)
{
    struct nat *nat = opaque;
    for (size_t i = 0; i < NAT_TIMERS; i++) {
        struct nat_timer *timer = &nat->timer[i];
        if (!timer->call) {
            *timer = (struct nat_timer){call, call_opaque, -1};
            return timer;
        }
    }
    BUG_ON(true, "more libslirp timers than the table holds");
    return NULL;
}

static void nat_timer_free(void *timer, void *opaque)
{
    (void)opaque;
    *(struct nat_timer *)timer = (struct nat_timer){0};
}

static void nat_timer_mod(void *timer, int64_t due_ms, void *opaque)
{
    (void)opaque;
    ((struct nat_timer *)timer)->due_ms = due_ms;
}

static void nat_poll_registered(int fd, void *opaque)
{
    (void)fd, (void)opaque;
}

static void nat_notified(void *opaque)
{
    (void)opaque;
}

static const SlirpCb nat_callbacks = {
    .send_packet = nat_packet_out,
    .guest_error = nat_guest_error,
    .clock_get_ns = nat_clock_ns,
    .timer_new = nat_timer_new,
    .timer_free = nat_timer_free,
    .timer_mod = nat_timer_mod,
    .register_poll_fd = nat_poll_registered,
    .unregister_poll_fd = nat_poll_registered,
    .notify = nat_notified,
};

/* slirp's event bits, in poll's. */
static short events_from_slirp(int events)
{
    return (short)((events & SLIRP_POLL_IN ? POLLIN : 0) | (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
                   (events & SLIRP_POLL_PRI ? POLLPRI : 0) |
                   (events & SLIRP_POLL_ERR ? POLLERR : 0) |
                   (events & SLIRP_POLL_HUP ? POLLHUP : 0));
}

static int events_to_slirp(short events)
{
    return (events & POLLIN ? SLIRP_POLL_IN : 0) | (events & POLLOUT ? SLIRP_POLL_OUT : 0) |
           (events & POLLPRI ? SLIRP_POLL_PRI : 0) | (events & POLLERR ? SLIRP_POLL_ERR : 0) |
           (events & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static int nat_poll_add(int fd, int events, void *opaque)
{
    struct nat *nat = opaque;
    nat->unsent |= events & SLIRP_POLL_OUT;
    if (nat->poll_count == nat->poll_room) {
        size_t room = nat->poll_room * 2;
        struct pollfd *more = realloc(nat->polls, room * sizeof *more);
        if (!more)
            return -1;
        nat->polls = more;
        nat->poll_room = room;
    }
    nat->polls[nat->poll_count] = (struct pollfd){.fd = fd, .events = events_from_slirp(events)};
    return (int)nat->poll_count++;
}

static int nat_poll_result(int index, void *opaque)
{
    struct nat *nat = opaque;
    return index < 0 ? 0 : events_to_slirp(nat->polls[index].revents);
}

static int nat_publish(struct nat *nat, const struct net_publish *p)
{
    const struct net_user_side *side = &nat->side;
    struct in_addr guest = address(p->guest_addr ? p->guest_addr : side->guest);
    if ((ntohl(guest.s_addr) ^ side->net) >> (32 - side->prefix))
        return -ENETUNREACH;
    if (nat->publish_count == NET_MAX_PUBLISHED)
        return -E2BIG;
    if (slirp_add_hostfwd(nat->slirp, p->udp, address(p->host_addr), p->host_port, guest,
                          p->guest_port))
        return -errno;
    nat->publish[nat->publish_count++] = *p;
    return 0;
}

static int nat_unpublish(struct nat *nat, const struct net_publish *p)
{
    for (size_t i = 0; i < nat->publish_count; i++) {
        const struct net_publish *q = &nat->publish[i];
        if (q->host_addr != p->host_addr || q->host_port != p->host_port || q->udp != p->udp)
            continue;
        nat->publish[i] = nat->publish[--nat->publish_count];
        return slirp_remove_hostfwd(nat->slirp, p->udp, address(p->host_addr), p->host_port)
                   ? -ENOENT
                   : 0;
    }
    return -ENOENT;
}

/*
 * libslirp listens with a backlog of 1, and a burst of clients waits seconds for
 * their SYNs to be sent again. The descriptors are not told to us, so all are asked.
 */
static void nat_deepen_backlogs(int below)
{
    for (int fd = 0; fd < below; fd++) {
        int listening = 0;
        socklen_t len = sizeof listening;
        if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) && listening)
            listen(fd, NAT_BACKLOG);
    }
}

/* An order from the VM's process, and its answer. */
static void nat_obey(struct nat *nat, const uint8_t order[NET_CONTROL_BYTES])
{
    struct net_publish p = {.udp = order[0] & NET_CONTROL_UDP};
    uint32_t host_addr, guest_addr;
    uint16_t host_port, guest_port;
    memcpy(&host_addr, order + 1, 4);
    memcpy(&host_port, order + 5, 2);
    memcpy(&guest_addr, order + 7, 4);
    memcpy(&guest_port, order + 11, 2);
    p.host_addr = ntohl(host_addr);
    p.host_port = ntohs(host_port);
    p.guest_addr = ntohl(guest_addr);
    p.guest_port = ntohs(guest_port);
    int err = order[0] & NET_CONTROL_ON ? nat_publish(nat, &p) : nat_unpublish(nat, &p);
    if (!err && !p.udp && (order[0] & NET_CONTROL_ON))
        nat_deepen_backlogs(NAT_ORDER_FILES);
    uint32_t answer = htonl((uint32_t)err);
    send(nat->fd, &answer, sizeof answer, MSG_NOSIGNAL);
}

/* A frame from the VM: what all of our filters let pass. That of fragments is the last one: it
 * counts on what it let pass being seen by libslirp. */
static void nat_frame_in(struct nat *nat, const uint8_t *frame, size_t len)
{
    int64_t now_ms = nat_clock_ms();
    if (len >= NAT_FRAME_MIN)
        neighbours_note_in(&nat->neighbours, frame, len);
    if (!nat->side.loopback && !doors_let_pass(&nat->doors, frame, len))
        return;
    if (nat->is_early && early_note_in(&nat->early, frame, len, now_ms))
        return;
    if (fragments_let_pass(&nat->fragments, frame, len, now_ms))
        slirp_input(nat->slirp, frame, (int)len);
}

/* One batch from the VM into libslirp; the number of frames. */
static int nat_read(struct nat *nat)
{
    for (unsigned i = 0; i < NAT_BATCH; i++)
        nat->in.part[i].iov_len = sizeof nat->in.bytes[i];
    int n = recvmmsg(nat->fd, nat->in.message, NAT_BATCH, MSG_DONTWAIT, NULL);
    if (n < 0)
        nat->ended |= errno != EAGAIN && errno != EINTR;
    for (int i = 0; i < n; i++) {
        unsigned len = nat->in.message[i].msg_len;
        if (!len) { /* end of the stream */
            nat->ended = true;
            return i;
        }
        if (len == NET_CONTROL_BYTES) {
            nat_obey(nat, nat->in.bytes[i]);
            continue;
        }
        nat_frame_in(nat, nat->in.bytes[i], len);
    }
    return n;
}

static void nat_read_all(struct nat *nat)
{
    for (int n = 0; n < NAT_ROUND && !nat->ended;) {
        int got = nat_read(nat);
        if (got <= 0)
            break;
        n += got;
        if (got < NAT_BATCH)
            break;
    }
}

static void nat_timers_run(struct nat *nat)
{
    int64_t now = nat_clock_ms();
    for (size_t i = 0; i < NAT_TIMERS; i++) {
        struct nat_timer *timer = &nat->timer[i];
        if (timer->call && timer->due_ms >= 0 && timer->due_ms <= now) {
            timer->due_ms = -1;
            timer->call(timer->opaque);
        }
    }
}

/* Sends early clients' SYNs again; the time until it must be called again. */
static uint32_t nat_early(struct nat *nat, uint32_t timeout)
{
    int64_t now = nat_clock_ms(), next = early_run(&nat->early, now, nat_frame_out, nat);
    nat->is_early = next < INT64_MAX || now < nat->early.end_ms;
    nat_flush(nat);
    return next - now < timeout ? (uint32_t)(next - now) : timeout;
}

static uint32_t nat_timeout_ms(const struct nat *nat)
{
    int64_t now = nat_clock_ms(), wait = nat->ended ? 10 : 10000;
    for (size_t i = 0; i < NAT_TIMERS; i++) {
        const struct nat_timer *timer = &nat->timer[i];
        if (timer->call && timer->due_ms >= 0 && timer->due_ms - now < wait)
            wait = timer->due_ms > now ? timer->due_ms - now : 0;
    }
    return (uint32_t)wait;
}

/* What libslirp wants to know; it sends what waited for it at the end of this round. */
static bool nat_answer(struct nat *nat)
{
    uint8_t answer[NEIGHBOUR_ANSWER_BYTES];
    unsigned n = 0;
    while (n < NEIGHBOUR_BATCH && neighbours_answer(&nat->neighbours, answer)) {
        slirp_input(nat->slirp, answer, sizeof answer);
        n++;
    }
    return n != 0;
}

static void nat_round(struct nat *nat)
{
    uint32_t timeout = nat_timeout_ms(nat);
    nat->polls[0] = (struct pollfd){.fd = nat->ended ? -1 : nat->fd, .events = POLLIN};
    nat->poll_count = 1;
    slirp_pollfds_fill(nat->slirp, &timeout, nat_poll_add, nat);
    if (nat->is_early)
        timeout = nat_early(nat, timeout);
    if ((nat->ended && !nat->unsent) || nat_answer(nat))
        timeout = 0;
    int n = poll(nat->polls, nat->poll_count, (int)timeout);
    if (nat->polls[0].revents && !nat->ended)
        nat_read_all(nat);
    slirp_pollfds_poll(nat->slirp, n < 0, nat_poll_result, nat);
    nat_timers_run(nat);
    nat_flush(nat);
}

/* The VM is gone. What its programs sent before still goes out, if the host's side takes it soon;
 * its ports are free at once. */
static void nat_drain(struct nat *nat)
{
    int64_t limit = nat_clock_ms() + NAT_DRAIN_MS;
    for (size_t i = 0; i < nat->publish_count; i++) {
        const struct net_publish *p = &nat->publish[i];
        slirp_remove_hostfwd(nat->slirp, p->udp, address(p->host_addr), p->host_port);
    }
    do {
        nat->unsent = false;
        nat_round(nat);
    } while (nat->unsent && nat_clock_ms() < limit);
}

void nat_run(struct nat *nat)
{
    while (!nat->ended)
        nat_round(nat);
    nat_drain(nat);
}

static void frames_init(struct nat_frames *frames)
{
    for (unsigned i = 0; i < NAT_BATCH; i++) {
        frames->part[i].iov_base = frames->bytes[i];
        frames->message[i].msg_hdr = (struct msghdr){.msg_iov = &frames->part[i], .msg_iovlen = 1};
    }
}

static Slirp *nat_slirp(struct nat *nat)
{
    const struct net_user_side *side = &nat->side;
    SlirpConfig config = {
        .version = 4,
        .in_enabled = true,
        .vnetwork = address(side->net),
        .vnetmask = address(~0u << (32 - side->prefix)),
        .vhost = address(side->host),
        .vdhcp_start = address(side->guest),
        .vnameserver = address(side->dns),
        .vhostname = "denali",
        .if_mtu = 1500,
        .if_mru = 1500,
    };
    return slirp_new(&config, &nat_callbacks, nat);
}

static int nat_publish_first(struct nat *nat, const struct net_publish *p, struct net_error *why)
{
    int err = nat_publish(nat, p);
    if (!err)
        return 0;
    return net_fail(why, err, "cannot publish port %u on %s%s: %s; choose another with -p",
                    p->host_port, inet_ntoa(address(p->host_addr)), p->udp ? " (udp)" : "",
                    strerror(-err));
}

/* All but libslirp. */
static int nat_init(struct nat *nat, int fd, const struct net_user_side *side)
{
    nat->fd = fd;
    nat->side = *side;
    nat->doors.host = side->host;
    nat->doors.dns = side->dns;
    nat->poll_room = 64;
    early_init(&nat->early, nat_clock_ms());
    nat->is_early = true;
    frames_init(&nat->in);
    frames_init(&nat->out);
    nat->polls = calloc(nat->poll_room, sizeof *nat->polls);
    nat->publish = calloc(NET_MAX_PUBLISHED, sizeof *nat->publish);
    int err = neighbours_init(&nat->neighbours, side->net, side->prefix);
    return nat->polls && nat->publish ? err : -ENOMEM;
}

int nat_create(int fd, const struct net_user_side *side, const struct net_publish *publish,
               size_t count, struct nat **out, struct net_error *why)
{
    struct nat *nat = calloc(1, sizeof *nat);
    int err = nat ? nat_init(nat, fd, side) : -ENOMEM;
    if (!err)
        nat->slirp = nat_slirp(nat);
    if (!nat || !nat->slirp)
        err = net_fail(why, -ENOMEM, "no memory for the NAT process");
    for (size_t i = 0; !err && i < count; i++)
        err = nat_publish_first(nat, &publish[i], why);
    nat_deepen_backlogs(NAT_START_FILES);
    if (err)
        nat_destroy(nat);
    else
        *out = nat;
    return err;
}

void nat_destroy(struct nat *nat)
{
    if (!nat)
        return;
    if (nat->slirp)
        slirp_cleanup(nat->slirp);
    neighbours_fini(&nat->neighbours);
    free(nat->publish);
    free(nat->polls);
    free(nat);
}
