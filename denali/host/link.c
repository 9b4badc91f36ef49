/* SPDX-License-Identifier: MIT */
/*
 * A message on the wire: its length in 4 bytes, little end first, then the text.
 * A descriptor travels with the first of these bytes; reads never cross the end
 * of a message, so it is always clear whose it is.
 */
#include "denali/host/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD 4u

struct link_out {
    struct link_out *next;
    int fd; /* sent with the first byte, then closed */
    size_t len, sent;
    uint8_t bytes[];
};

void link_init(struct link *link, int fd)
{
    memset(link, 0, sizeof(*link));
    link->fd = fd;
    link->in_fd = -1;
}

static void drop_first(struct link *link)
{
    struct link_out *out = link->first;
    link->first = out->next;
    if (!link->first)
        link->last = NULL;
    link->pending -= out->len;
    if (out->fd >= 0)
        close(out->fd);
    free(out);
}

void link_fini(struct link *link)
{
    while (link->first)
        drop_first(link);
    if (link->in_fd >= 0)
        close(link->in_fd);
    if (link->fd >= 0)
        close(link->fd);
    free(link->in);
    memset(link, 0, sizeof(*link));
    link->fd = link->in_fd = -1;
}

bool link_has_unsent(const struct link *link)
{
    return link->first;
}

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

static void attach(struct msghdr *m, union control *control, int fd)
{
    memset(control, 0, sizeof(*control));
    m->msg_control = control;
    m->msg_controllen = sizeof(control->room);
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
}

/* Bytes that went, or a negative errno. */
static ssize_t send_part(struct link *link, struct link_out *out)
{
    struct iovec part = {out->bytes + out->sent, out->len - out->sent};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    if (out->fd >= 0 && !out->sent)
        attach(&m, &control, out->fd);
    ssize_t n = sendmsg(link->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

int link_flush(struct link *link)
{
    while (link->first) {
        ssize_t n = send_part(link, link->first);
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN || n == -ENOBUFS || n == -ETOOMANYREFS)
            return 0;
        if (n < 0)
            return -EPIPE;
        link->first->sent += (size_t)n;
        if (link->first->sent == link->first->len)
            drop_first(link);
    }
    return 0;
}

static struct link_out *pack(const json_t *message, int fd)
{
    size_t len = json_dumpb(message, NULL, 0, JSON_COMPACT);
    if (!len || len > LINK_MESSAGE_MAX)
        return NULL;
    struct link_out *out = malloc(sizeof(*out) + HEAD + len);
    if (!out)
        return NULL;
    *out = (struct link_out){.fd = -1, .len = HEAD + len};
    for (unsigned i = 0; i < HEAD; i++)
        out->bytes[i] = (uint8_t)(len >> 8 * i);
    json_dumpb(message, (char *)out->bytes + HEAD, len, JSON_COMPACT);
    if (fd >= 0 && (out->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) {
        free(out);
        return NULL;
    }
    return out;
}

int link_send(struct link *link, json_t *message, int fd)
{
    if (link->pending > LINK_PENDING_MAX) {
        json_decref(message);
        return -ENOBUFS;
    }
    struct link_out *out = message ? pack(message, fd) : NULL;
    json_decref(message);
    if (!out)
        return -ENOMEM;
    if (link->last)
        link->last->next = out;
    else
        link->first = out;
    link->last = out;
    link->pending += out->len;
    return link_flush(link);
}

/* Keeps a descriptor that came; what else came with it is closed. */
static void keep_descriptor(struct link *link, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        int fd;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
            c->cmsg_len < CMSG_LEN(sizeof(int)))
            continue;
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
        if (link->in_fd >= 0)
            close(link->in_fd);
        link->in_fd = fd;
    }
}

/* Until there are `want` bytes. 0, -EAGAIN, -EPIPE. */
static int fill(struct link *link, size_t want)
{
    while (link->in_len < want) {
        struct iovec part = {link->in + link->in_len, want - link->in_len};
        union control control;
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control.room)};
        ssize_t n = recvmsg(link->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? -EAGAIN : -EPIPE;
        keep_descriptor(link, &m);
        link->in_len += (size_t)n;
    }
    return 0;
}

static int make_room(struct link *link, size_t room)
{
    if (room <= link->in_room)
        return 0;
    uint8_t *bigger = realloc(link->in, room);
    if (!bigger)
        return -ENOMEM;
    link->in = bigger;
    link->in_room = room;
    return 0;
}

static int parse(struct link *link, size_t len, json_t **message, int *fd)
{
    *message = json_loadb((char *)link->in + HEAD, len, 0, NULL);
    link->in_len = 0;
    if (link->in_room > 1u << 16) {
        free(link->in);
        link->in = NULL;
        link->in_room = 0;
    }
    if (!json_is_object(*message)) {
        json_decref(*message);
        return -EBADMSG;
    }
    *fd = link->in_fd;
    link->in_fd = -1;
    return 0;
}

int link_receive(struct link *link, json_t **message, int *fd)
{
    size_t len = 0;
    int err = make_room(link, HEAD);
    if (!err)
        err = fill(link, HEAD);
    if (err)
        return err;
    for (unsigned i = 0; i < HEAD; i++)
        len |= (size_t)link->in[i] << 8 * i;
    if (!len || len > LINK_MESSAGE_MAX)
        return -EBADMSG;
    err = make_room(link, HEAD + len);
    if (!err)
        err = fill(link, HEAD + len);
    return err ? err : parse(link, len, message, fd);
}
