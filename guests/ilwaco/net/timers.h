/* SPDX-License-Identifier: MIT */
/*
 * The stack's timers: a pairing heap by time. A timer is its owner's memory,
 * zeroed before use. A time that is put off costs nothing if the owner lets the
 * old one fire and looks again (timers_arm_by): TCP puts its retransmission off
 * with every acknowledgement.
 */
#ifndef ILWACO_NET_TIMERS_H
#define ILWACO_NET_TIMERS_H

#include "guests/ilwaco/lib.h"

struct net_timer {
    uint64_t due;
    void (*fire)(struct net_timer *timer);
    struct net_timer *child, *next, **link; /* link NULL: not armed */
};

struct timers {
    struct net_timer *root;
};

void timers_arm(struct timers *timers, struct net_timer *timer, uint64_t due);
/* At `due` at the latest. */
void timers_arm_by(struct timers *timers, struct net_timer *timer, uint64_t due);
void timers_cancel(struct timers *timers, struct net_timer *timer);
/* Takes the first timer that is due off and returns it, or NULL. */
struct net_timer *timers_take(struct timers *timers, uint64_t now);
static inline uint64_t timers_next(const struct timers *timers)
{
    return timers->root ? timers->root->due : UINT64_MAX;
}

#endif
