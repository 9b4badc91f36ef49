/* SPDX-License-Identifier: MIT */
/*
 * Clients of a published port that come before the guest's program listens.
 * libslirp sends their SYN once and again after six seconds; a guest boots in
 * a fraction of one. In the first seconds the SYNs are sent again by us, soon,
 * and a guest's "nobody listens" is not yet believed.
 */
#ifndef DENALI_NAT_EARLY_H
#define DENALI_NAT_EARLY_H

#include "devices/net.h"

#define EARLY_MS 3000
#define EARLY_CLIENTS 64u
#define EARLY_SYN_MAX 80u /* Ethernet, IPv4 and TCP headers with libslirp's options */

struct early_client {
    uint8_t syn[EARLY_SYN_MAX];
    uint8_t len; /* 0: free */
    int64_t due_ms, wait_ms;
};

struct early {
    int64_t end_ms;
    struct early_client client[EARLY_CLIENTS];
};

typedef void (*early_send_fn)(void *opaque, const void *frame, size_t len);

void early_init(struct early *early, int64_t now_ms);
/* A frame goes to the guest. */
void early_note_out(struct early *early, const uint8_t *frame, size_t len, int64_t now_ms);
/* A frame came from the guest; true: it is to be forgotten. */
bool early_note_in(struct early *early, const uint8_t *frame, size_t len, int64_t now_ms);
/* Sends what is due; returns when the next is due, or INT64_MAX. `send` does not note it again. */
int64_t early_run(struct early *early, int64_t now_ms, early_send_fn send, void *opaque);

#endif
