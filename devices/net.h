/* SPDX-License-Identifier: MIT */
/*
 * Host end of a virtual NIC: moves whole Ethernet frames (no FCS), 14 to
 * NET_FRAME_MAX bytes. One thread at a time per direction. Backends: none, user (NAT process
 * over a socket), socket (UNIX stream, each frame behind a 4-byte big-endian
 * length), tap. A capture (pcap) wraps any of them.
 */
#ifndef DENALI_NET_H
#define DENALI_NET_H

#include "emu/base/base.h"

#define NET_FRAME_MAX 1514

struct net_backend;

struct net_backend_ops {
    const char *name;
    /* 0 taken (or dropped, as a wire would); -EAGAIN: full, fd() becomes writable; -EPIPE: the
     * other side is gone. Never blocks. */
    int (*send)(struct net_backend *net, const void *frame, size_t len);
    /* Bytes of one frame; -EAGAIN: none now; -EPIPE: the other side is gone. Never blocks. */
    int (*receive)(struct net_backend *net, void *frame, size_t room);
    /* A descriptor that polls readable when frames wait, or -1. It may change with any send or
     * receive: ask before each wait. */
    int (*fd)(const struct net_backend *net);
    void (*destroy)(struct net_backend *net);
};

/* Backends are structs that begin with this. */
struct net_backend {
    const struct net_backend_ops *ops;
};

#endif
