/* SPDX-License-Identifier: MIT */
/*
 * The inside of a switch: switch.c ports and addresses, switch_frame.c what happens
 * to a frame, switch_wire.c bad and slow wires, switch_dhcp.c addresses told.
 *
 * Locks, in the order in which they are taken:
 *
 *   lanes   Whoever moves a frame is inside the lane of the port that sent it, one of
 *           16. Ports and addresses change only inside all of them. So what is found
 *           in a lane stays.
 *   queues  A port's queue and wires, striped by the port's number. Never two.
 *   ticks   The clock of the wires.
 */
#ifndef DENALI_SWITCH_PRIVATE_H
#define DENALI_SWITCH_PRIVATE_H

#include "denali/lan/switch.h"
#include "emu/base/host_thread.h"
#include "emu/machine/clock.h"

#include <stdatomic.h>

#define LANES 16u
#define STRIPES 64u

#define ETH_HEAD 14u
#define ETH_IP 0x0800u
#define ETH_ARP 0x0806u

/* Apart from its neighbours in the cache. */
struct lan_lane {
    _Alignas(128) struct host_lock lock;
    struct lan_counters counters;
};

struct lan_stripe {
    _Alignas(128) struct host_lock lock;
};

/* What one sender has in queues, and what it may still send to all. */
struct lan_account {
    _Atomic uint64_t held;            /* bytes, and above LAN_HOLDER frames and the port itself */
    struct bucket floods;             /* inside the sender's lane */
    struct bucket hot[LAN_PRESSURES]; /* likewise: what is heard under each pressure */
};
#define LAN_HOLDER (1ull << 40)

struct lan_frame {
    struct lan_frame *next;
    struct lan_account *account;
    uint32_t len;
    uint16_t round;
    uint8_t bytes[];
};

enum lan_way { LAN_TO, LAN_FROM, LAN_WAYS };

/* Inside the port's stripe; the events inside `ticks`. */
struct lan_shape {
    struct lan *lan;
    uint32_t number;
    struct wire wire[LAN_WAYS];
    struct clock_event *event[LAN_WAYS];
};

struct lan_due {
    uint32_t number;
    enum lan_way way;
};
#define DUE_BATCH 64u

/* The thread of the wires; it exists once a port had any. */
struct lan_ticks {
    struct host_lock lock;
    struct clock *clock;
    struct host_thread thread;
    bool started, quit;
    int waker;
    uint64_t target_ns; /* it sleeps until then */
    unsigned due_count;
    struct lan_due due[DUE_BATCH];
};

struct lan {
    struct lan_lane lane[LANES];
    struct lan_stripe stripe[STRIPES];
    struct lan_ticks ticks;
    uint8_t tag;
    unsigned (*_Atomic pressure)(const struct lan_port *port); /* NULL: nobody asks */
    struct lan_subnet subnet;                                  /* prefix 0: none */
    uint32_t next_ip;
    /* Changed inside all lanes. */
    struct lan_port **port; /* by number; NULL: free */
    uint32_t ports, room;   /* numbers given out so far, and room in the array */
    uint32_t present;
    uint32_t *rest; /* numbers that rest, a ring of `room` */
    uint32_t rest_first, resting;
    struct lan_port **by_ip;
    struct lan_port *unnamed; /* uplinks and ports without an address */
    uint32_t buckets;         /* a power of two */
};

/* A frame that is being looked at. */
struct lan_seen {
    const uint8_t *bytes;
    size_t len;
    uint16_t type;
};

static inline uint16_t lan_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t lan_get32(const uint8_t *p)
{
    return (uint32_t)lan_get16(p) << 16 | lan_get16(p + 2);
}

static inline struct lan_lane *lan_lane_of(struct lan *lan, uint32_t number)
{
    return &lan->lane[number % LANES];
}

static inline struct lan_stripe *lan_stripe_of(struct lan *lan, uint32_t number)
{
    return &lan->stripe[number % STRIPES];
}

/* switch.c, inside a lane. */
struct lan_port *lan_port_by_ip(const struct lan *lan, uint32_t ip);
struct lan_port *lan_port_by_mac(const struct lan *lan, const uint8_t *mac);
bool lan_is_own_mac(const struct lan *lan, const uint8_t *mac);

/* switch_frame.c. From a port of this lane to whom it is for; into one port's queue, or onto its
 * wire. */
void lan_forward(struct lan_lane *lane, struct lan_port *from, const void *bytes, size_t len);
void lan_deliver(struct lan_lane *lane, struct lan_port *from, struct lan_port *to,
                 const void *bytes, size_t len);
/* Inside the stripe of `to`. */
void lan_enqueue(struct lan_lane *lane, struct lan_port *from, struct lan_port *to,
                 const void *bytes, size_t len);
void lan_account_free(struct lan_account *account, uint64_t held);
void lan_frames_free(struct lan_port *port); /* inside its stripe, or all lanes */

/* switch_wire.c. Inside the port's stripe: whether the frame passes now; else the wire has it. */
bool lan_wire_passes(struct lan_port *port, enum lan_way way, const void *bytes, size_t len);
void lan_shape_free(struct lan_shape *shape); /* inside all lanes */
MUST_CHECK int lan_ticks_init(struct lan_ticks *ticks);
void lan_ticks_fini(struct lan_ticks *ticks);
void lan_enter_all(struct lan *lan);
void lan_leave_all(struct lan *lan);

/* switch_dhcp.c. Inside the port's lane: whether the frame was for the answerer. */
bool lan_dhcp(struct lan_lane *lane, struct lan_port *port, const struct lan_seen *seen);

#endif
