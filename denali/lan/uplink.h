/* SPDX-License-Identifier: MIT */
/*
 * A way out of a LAN: a port of the switch whose other end is any host end of a NIC
 * (NAT process, tap, socket, a capture around them), moved by a thread of its own.
 */
#ifndef DENALI_UPLINK_H
#define DENALI_UPLINK_H

#include "denali/lan/switch.h"

struct uplink;

struct uplink_counters {
    uint64_t out, out_bytes, in, in_bytes; /* from the LAN, and into it */
    uint32_t dropped;                      /* for outside, and the host's end was too slow */
    bool alive;                            /* false: the other side is gone, for good */
};

/* `net` is the uplink's from now on, also if this fails. */
MUST_CHECK int uplink_create(struct lan *lan, struct net_backend *net, struct uplink **out);
/* NULL is harmless. */
void uplink_destroy(struct uplink *uplink);
void uplink_count(struct uplink *uplink, struct uplink_counters *out);

#endif
