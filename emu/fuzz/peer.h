/* SPDX-License-Identifier: MIT */
/*
 * What is on the other end of the guest's wire: frames that wait for it, and a
 * host of one address that answers ARP, sends datagrams, and holds one TCP
 * connection (RFC 9293), as much as one needs to say something to a server.
 * It has no timers: a wire that loses nothing needs none.
 */
#ifndef DENALI_FUZZ_PEER_H
#define DENALI_FUZZ_PEER_H

#include "devices/net.h"

#define PEER_FRAMES 64u
#define PEER_IP 0x0a000202u

/* Of the connection; all of it is put back with the guest. */
struct peer_tcp {
    bool answered, reset; /* the guest's SYN has come, or a RST */
    uint32_t next, acked; /* our sequence numbers: what is sent next; what the guest has */
    uint32_t expected;    /* the guest's */
    uint32_t window;
    bool finished; /* our FIN is sent */
};

struct peer {
    struct net_backend base;
    uint8_t guest_mac[6];
    uint16_t guest_port;
    unsigned first, frames; /* a ring */
    uint16_t len[PEER_FRAMES];
    uint8_t frame[PEER_FRAMES][NET_FRAME_MAX];
    struct peer_tcp tcp;
    const uint8_t *data; /* of the connection, and where it begins in sequence numbers */
    size_t data_len;
    uint32_t data_seq;
};

void peer_init(struct peer *peer, const uint8_t guest_mac[6], uint16_t guest_port);

/* Frames that the guest has not taken are forgotten. */
void peer_flush(struct peer *peer);
/* False: the ring is full, or this is no frame. */
bool peer_frame(struct peer *peer, const uint8_t *frame, size_t len);
bool peer_datagram(struct peer *peer, const uint8_t *data, size_t len);

void peer_connect(struct peer *peer);
/* What the connection is to carry from here on, and then its end; nothing is copied. */
void peer_say(struct peer *peer, const uint8_t *data, size_t len);
/* Sends as much as the guest's window takes; false: nothing is left, or nothing can go now. */
bool peer_go_on(struct peer *peer);

#endif
