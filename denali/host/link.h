/* SPDX-License-Identifier: MIT */
/*
 * Messages between the daemon and a worker: JSON objects over a UNIX stream
 * socket, each behind its length, some with a descriptor. Neither side trusts
 * the other's bytes, and neither ever waits for the other: what cannot be sent
 * yet is kept, up to a bound.
 */
#ifndef DENALI_HOST_LINK_H
#define DENALI_HOST_LINK_H

#include "emu/base/base.h"

#include <jansson.h>

#define LINK_MESSAGE_MAX (16u << 20)
#define LINK_PENDING_MAX (64u << 20)

struct link_out;

struct link {
    int fd;
    struct link_out *first, *last; /* not sent yet */
    size_t pending;                /* bytes of these */
    uint8_t *in;                   /* what has come of the next message */
    size_t in_len, in_room;
    int in_fd; /* came with it, or -1 */
};

/* On a connected, non-blocking socket, which is the link's from now on. */
void link_init(struct link *link, int fd);
void link_fini(struct link *link);

/* Takes the reference of `message` over, whatever happens; `fd` (or -1) is duplicated. -ENOBUFS:
 * the other side reads nothing; -ENOMEM; -EPIPE: it is gone. */
MUST_CHECK int link_send(struct link *link, json_t *message, int fd);
/* When the socket is writable. 0, or -EPIPE. */
MUST_CHECK int link_flush(struct link *link);
bool link_has_unsent(const struct link *link);

/* The next message (a JSON object, the caller's) and its descriptor or -1. -EAGAIN; -EPIPE: the
 * other side is gone; -EBADMSG: it sent nonsense. */
MUST_CHECK int link_receive(struct link *link, json_t **message, int *fd);

#endif
