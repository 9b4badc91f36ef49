/* SPDX-License-Identifier: MIT */
/*
 * The API on a supervisor VM's LAN: a process of its own, because it takes apart
 * what a guest sends. It speaks TCP (Ilwaco's stack, compiled for the host) on
 * frames that the worker hands it, and for each connection makes a socket pair,
 * one end of which goes up to the daemon. It can reach nothing else.
 *
 *     descriptor 3   frames, one a message
 *     descriptor 4   to the worker: ends of connections
 */
#include "emu/cli/host/host_bridge.h"

#include "devices/net.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "guests/ilwaco/net/netstack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES_FD 3
#define CONTROL_FD 4
#define API_PORT 80
#define CONNECTIONS 16u
#define STACK_PAGES 512u
#define PART 4096u

struct part {
    size_t at, len;
    char bytes[PART];
};

struct connection {
    struct net_sock *sock; /* NULL: free */
    int fd;
    bool in_ended, out_ended; /* the VM, the daemon says no more */
    struct part in, out;      /* from the VM, to the VM */
};

struct bridge {
    struct netstack *stack;
    struct net_sock *listener;
    bool over;
    struct connection connection[CONNECTIONS];
};

static uint64_t clock_ns(void *arg)
{
    (void)arg;
    return host_monotonic_ns();
}

static void *pages_alloc(void *arg, uint32_t pages)
{
    (void)arg;
    void *p = aligned_alloc(PAGE_SIZE, (size_t)pages * PAGE_SIZE);
    return p ? memset(p, 0, (size_t)pages * PAGE_SIZE) : NULL;
}

static void pages_free(void *arg, void *p, uint32_t pages)
{
    (void)arg, (void)pages;
    free(p);
}

/* What there is no room for is lost, as on a wire. */
static int output(void *arg, const void *frame, size_t len)
{
    struct bridge *b = arg;
    if (send(FRAMES_FD, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE)
        b->over = true;
    return 0;
}

/* Bytes between a part and the stack. */
struct copy {
    struct net_io io;
    struct part *part;
    bool out;
};

static int copy(struct net_io *io, void *kernel, size_t n)
{
    struct copy *c = CONTAINER_OF(io, struct copy, io);
    if (c->out) {
        memcpy(kernel, c->part->bytes + c->part->at, n);
        c->part->at += n;
    } else {
        memcpy(c->part->bytes + c->part->len, kernel, n);
        c->part->len += n;
    }
    io->left -= n;
    return 0;
}

static void close_connection(struct connection *c)
{
    net_close(c->sock);
    close(c->fd);
    memset(c, 0, sizeof(*c));
}

/* Its end of the pair goes up; -1: it could not. */
static int send_up(void)
{
    int pair[2];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control.room)};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &pair[1], sizeof(int));
    bool sent = sendmsg(CONTROL_FD, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    close(pair[1]);
    if (!sent)
        close(pair[0]);
    return sent ? pair[0] : -1;
}

static void accept_all(struct bridge *b)
{
    struct net_sock *sock;
    while (!net_accept(b->listener, &sock)) {
        struct connection *c = b->connection;
        while (c < b->connection + CONNECTIONS && c->sock)
            c++;
        int fd = c < b->connection + CONNECTIONS ? send_up() : -1;
        if (fd < 0)
            net_close(sock);
        else
            *c = (struct connection){.sock = sock, .fd = fd};
    }
}

/* From the VM to the daemon. Whether anything moved; false at the end, too. */
static bool move_in(struct connection *c)
{
    if (c->in.at == c->in.len && !c->in_ended) {
        c->in.at = c->in.len = 0;
        struct copy io = {{copy, PART}, &c->in, false};
        int n = net_recv(c->sock, &io.io, 0, NULL);
        if (n == 0 || (n < 0 && n != -EAGAIN)) {
            c->in_ended = true;
            shutdown(c->fd, SHUT_WR);
        }
    }
    ssize_t n = c->in.len > c->in.at ? send(c->fd, c->in.bytes + c->in.at, c->in.len - c->in.at,
                                            MSG_DONTWAIT | MSG_NOSIGNAL)
                                     : 0;
    c->in.at += n > 0 ? (size_t)n : 0;
    if (n < 0 && errno != EAGAIN)
        c->in_ended = c->out_ended = true;
    return n > 0;
}

/* From the daemon to the VM. */
static bool move_out(struct connection *c)
{
    if (c->out.at == c->out.len && !c->out_ended) {
        ssize_t n = recv(c->fd, c->out.bytes, PART, MSG_DONTWAIT);
        c->out.at = 0;
        c->out.len = n > 0 ? (size_t)n : 0;
        c->out_ended = n == 0 || (n < 0 && errno != EAGAIN);
    }
    struct copy io = {{copy, c->out.len - c->out.at}, &c->out, true};
    int n = io.io.left ? net_send(c->sock, &io.io, 0, NULL) : 0;
    if (n < 0 && n != -EAGAIN)
        c->in_ended = c->out_ended = true, c->out.at = c->out.len;
    return n > 0;
}

/* An answer that has been sent whole ends the connection: the daemon closes behind it. */
static bool is_over(const struct connection *c)
{
    return c->out_ended && c->out.at == c->out.len;
}

static bool move(struct bridge *b)
{
    bool moved = false;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &b->connection[i];
        if (!c->sock)
            continue;
        moved |= move_in(c);
        moved |= move_out(c);
        if (is_over(c))
            close_connection(c);
    }
    return moved;
}

static void take_frames(struct bridge *b)
{
    uint8_t frame[NET_FRAME_MAX];
    ssize_t n;
    while ((n = recv(FRAMES_FD, frame, sizeof(frame), MSG_DONTWAIT)) > 0)
        netstack_input(b->stack, frame, (size_t)n);
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        b->over = true;
}

static void wait_for_news(const struct bridge *b)
{
    struct pollfd fds[CONNECTIONS + 1] = {{.fd = FRAMES_FD, .events = POLLIN}};
    uint64_t due = netstack_deadline(b->stack), now = host_monotonic_ns();
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        const struct connection *c = &b->connection[i];
        short in = c->out.at == c->out.len && !c->out_ended ? POLLIN : 0;
        short out = c->in.at < c->in.len ? POLLOUT : 0;
        fds[i + 1] =
            (struct pollfd){.fd = c->sock && (in || out) ? c->fd : -1, .events = (short)(in | out)};
    }
    host_poll(fds, CONNECTIONS + 1, due == UINT64_MAX ? HOST_FOREVER : due > now ? due - now : 0);
}

static int open_stack(struct bridge *b, uint32_t ip, const uint8_t mac[6])
{
    const struct netstack_host host = {.arg = b,
                                       .clock_ns = clock_ns,
                                       .pages_alloc = pages_alloc,
                                       .pages_free = pages_free,
                                       .output = output};
    struct netstack_config config = {
        .mtu = 1500, .addr = ip, .mask = NET_IP(255, 255, 0, 0), .max_pages = STACK_PAGES};
    const struct net_addr here = {0, API_PORT};
    memcpy(config.mac, mac, sizeof(config.mac));
    if (getrandom(config.secret, sizeof(config.secret), 0) != sizeof(config.secret))
        return -EIO;
    b->stack = aligned_alloc(64, (netstack_bytes() + 63) & ~(size_t)63);
    if (!b->stack)
        return -ENOMEM;
    netstack_init(b->stack, &config, &host);
    int err = net_socket(b->stack, NET_STREAM, 0, &b->listener);
    if (!err)
        err = net_bind(b->listener, &here);
    return err ? err : net_listen(b->listener, CONNECTIONS);
}

int host_bridge(uint32_t ip, const uint8_t mac[6], struct why *why)
{
    struct bridge *b = calloc(1, sizeof(*b));
    int err = b ? open_stack(b, ip, mac) : -ENOMEM;
    if (err)
        return why_fail(why, err, "no API on the LAN: %s", strerror(-err));
    while (!b->over) {
        take_frames(b);
        netstack_poll(b->stack);
        accept_all(b);
        bool moved = move(b);
        netstack_poll(b->stack);
        if (!moved && !b->over)
            wait_for_news(b);
    }
    return 0; /* the process ends; so do its connections */
}
