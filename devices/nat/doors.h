/* SPDX-License-Identifier: MIT */
/*
 * What listens on the host's loopback is not for guests that do not trust each other:
 * others' published ports are there, and the host's own services. libslirp leads
 * there from the addresses of the gateway and of the name server, and from 127.0.0.0/8; what it can
 * turn off would take the answers of published UDP ports along. So guests may answer there, and
 * begin nothing: no TCP segment that opens a connection, and no datagram but to whom
 * one came from.
 */
#ifndef DENALI_NAT_DOORS_H
#define DENALI_NAT_DOORS_H

#include "devices/net.h"

/* UDP; by a hash, in each place the newest eight. */
#define DOOR_PLACES 2048u
#define DOOR_DEPTH 8u

struct door {
    uint32_t guest; /* 0: none */
    uint16_t guest_port, host_port;
};

struct doors {
    uint32_t host, dns; /* at `dns` only port 53 answers */
    struct door door[DOOR_PLACES][DOOR_DEPTH];
};

/* A frame goes to a guest. */
void doors_note_out(struct doors *doors, const uint8_t *frame, size_t len);
/* A frame came from a guest: whether it may pass. */
bool doors_let_pass(const struct doors *doors, const uint8_t *frame, size_t len);

#endif
