/* SPDX-License-Identifier: MIT */
/*
 * A NIC on a UNIX stream socket: QEMU's `-netdev stream`, socat and test
 * programs speak it. Each frame stands behind its length in 4 big-endian bytes.
 *
 * Invariants: `out` holds the unsent rest of at most one frame, and nothing else
 * is sent before it; `in` holds bytes of at most one frame and what came with it.
 * A peer that sends a length outside [14, NET_FRAME_MAX] is cut off: the stream
 * has no place to find the next frame at.
 */
#include "devices/net_backends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_HEAD 4
#define SOCKET_FRAME_MIN 14
#define SOCKET_IN_BYTES 65536

struct net_socket {
    struct net_backend net;
    int listener; /* -1: we connected */
    int peer;     /* -1: none */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    size_t out_at, out_len, in_at, in_len;
    uint8_t out[SOCKET_HEAD + NET_FRAME_MAX];
    uint8_t in[SOCKET_IN_BYTES];
};

static struct net_socket *socket_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_socket, net);
}

/* The peer is gone: a listener waits for the next one, the other kind is at its end. */
static int socket_drop(struct net_socket *s)
{
    if (s->peer >= 0)
        close(s->peer);
    s->peer = -1;
    s->out_at = s->out_len = s->in_at = s->in_len = 0;
    return s->listener >= 0 ? -EAGAIN : -EPIPE;
}

/* 0 with a peer, else -EAGAIN or -EPIPE. */
static int socket_peer(struct net_socket *s)
{
    if (s->peer >= 0)
        return 0;
    if (s->listener < 0)
        return -EPIPE;
    s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return s->peer < 0 ? -EAGAIN : 0;
}

/* Sends what is left of the last frame: 0, -EAGAIN or -EPIPE. */
static int socket_flush(struct net_socket *s)
{
    while (s->out_at < s->out_len) {
        ssize_t n = send(s->peer, s->out + s->out_at, s->out_len - s->out_at, MSG_NOSIGNAL);
        if (n >= 0)
            s->out_at += (size_t)n;
        else if (errno == EAGAIN)
            return -EAGAIN;
        else if (errno != EINTR)
            return -EPIPE;
    }
    s->out_at = s->out_len = 0;
    return 0;
}

static int socket_send(struct net_backend *net, const void *frame, size_t len)
{
    struct net_socket *s = socket_of(net);
    int err = socket_peer(s);
    if (err)
        return err == -EAGAIN ? 0 : err; /* a wire without a peer */
    err = socket_flush(s);
    if (!err) {
        uint32_t head = htonl((uint32_t)len);
        memcpy(s->out, &head, sizeof head);
        memcpy(s->out + SOCKET_HEAD, frame, len);
        s->out_len = SOCKET_HEAD + len;
        err = socket_flush(s) == -EPIPE ? -EPIPE : 0;
    }
    if (err == -EPIPE)
        return socket_drop(s) == -EAGAIN ? 0 : -EPIPE;
    return err;
}

/* Takes a whole frame out of `in`: its bytes, -EAGAIN if it is not whole, -EPIPE if it cannot be.
 */
static int socket_take(struct net_socket *s, void *frame, size_t room)
{
    uint32_t head;
    size_t have = s->in_len - s->in_at;
    if (have < SOCKET_HEAD)
        return -EAGAIN;
    memcpy(&head, s->in + s->in_at, sizeof head);
    size_t len = ntohl(head);
    if (len < SOCKET_FRAME_MIN || len > NET_FRAME_MAX)
        return -EPIPE;
    if (have < SOCKET_HEAD + len)
        return -EAGAIN;
    memcpy(frame, s->in + s->in_at + SOCKET_HEAD, len < room ? len : room);
    s->in_at += SOCKET_HEAD + len;
    return (int)(len < room ? len : room);
}

/* Reads more bytes behind those of an unfinished frame. */
static int socket_fill(struct net_socket *s)
{
    memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
    s->in_len -= s->in_at;
    s->in_at = 0;
    for (;;) {
        ssize_t n = recv(s->peer, s->in + s->in_len, sizeof s->in - s->in_len, 0);
        if (n > 0)
            s->in_len += (size_t)n;
        if (n > 0)
            return 0;
        if (n < 0 && errno == EAGAIN)
            return -EAGAIN;
        if (n == 0 || errno != EINTR)
            return -EPIPE;
    }
}

static int socket_receive(struct net_backend *net, void *frame, size_t room)
{
    struct net_socket *s = socket_of(net);
    int err = socket_peer(s);
    if (err)
        return err;
    for (;;) {
        int got = socket_take(s, frame, room);
        if (got == -EAGAIN)
            err = socket_fill(s);
        if (got == -EPIPE || err == -EPIPE)
            return socket_drop(s);
        if (got != -EAGAIN || err)
            return got;
    }
}

static int socket_fd(const struct net_backend *net)
{
    const struct net_socket *s = socket_of(net);
    return s->peer >= 0 ? s->peer : s->listener;
}

static void socket_destroy(struct net_backend *net)
{
    struct net_socket *s = socket_of(net);
    if (s->peer >= 0)
        close(s->peer);
    if (s->listener >= 0) {
        close(s->listener);
        unlink(s->path);
    }
    free(s);
}

static const struct net_backend_ops socket_ops = {
    .name = "socket",
    .send = socket_send,
    .receive = socket_receive,
    .fd = socket_fd,
    .destroy = socket_destroy,
};

static int unix_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

/* Connects, or listens where nothing is. */
static int socket_open(struct net_socket *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, s->path);
    int fd = unix_socket();
    if (fd < 0)
        return fd;
    if (!connect(fd, (struct sockaddr *)&address, sizeof address)) {
        s->peer = fd;
        return 0;
    }
    if (errno == ENOENT && !bind(fd, (struct sockaddr *)&address, sizeof address)) {
        s->listener = fd;
        return listen(fd, 1) ? -errno : 0;
    }
    int err = -errno;
    close(fd);
    return err;
}

int net_socket_create(const char *path, struct net_backend **out, struct net_error *why)
{
    struct net_socket *s = calloc(1, sizeof *s);
    if (!s)
        return net_fail(why, -ENOMEM, "no memory for the network");
    s->net.ops = &socket_ops;
    s->listener = s->peer = -1;
    int err = -ENAMETOOLONG;
    if (strlen(path) < sizeof s->path) {
        strcpy(s->path, path);
        err = socket_open(s);
    }
    if (err) {
        socket_destroy(&s->net);
        return net_fail(why, err, "--net socket:%.120s: %s", path, strerror(-err));
    }
    *out = &s->net;
    return 0;
}
