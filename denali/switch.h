/* SPDX-License-Identifier: MIT */
/*
 * A switch: one Ethernet LAN that joins ports within the process. A port's MAC
 * is the switch's to give; a port that has an IPv4 address may speak only in its
 * name. Each port has a bounded queue of frames that wait for it; what does not
 * fit is dropped and counted there, so an overload of one port costs only that
 * one.
 *
 * ARP requests for the address of a port go to that port alone: with thousands
 * of ports a broadcast that all must hear is a last resort. Frames for MACs that
 * no port has go to the uplinks.
 *
 * All functions may be called from any thread.
 */
#ifndef DENALI_SWITCH_H
#define DENALI_SWITCH_H

#include "devices/net.h"

#define SWITCH_QUEUE_MAX 128 /* frames that wait for one port */

struct lan;
struct lan_frame;

enum lan_port_flags {
    LAN_UPLINK = 1, /* leads out: any source, and what nobody here is called */
};

/* Embedded in its user's struct; its own fields are the switch's. */
struct lan_port {
    struct lan *lan;
    /* Frames have come to an empty queue. Inside the switch: must not call it. */
    void (*arrived)(struct lan_port *port);
    struct lan_frame *first, *last;
    struct lan_port *same_ip;
    uint32_t number; /* the last four bytes of its MAC */
    uint32_t ip;     /* host byte order; 0: none, or not known */
    uint32_t queued, dropped, forged;
    uint16_t flags;
};

MUST_CHECK int lan_create(struct lan **out);
/* All ports are removed. */
void lan_destroy(struct lan *lan);

/* -ENOMEM; -EEXIST: another port has that address. */
MUST_CHECK int lan_port_add(struct lan *lan, struct lan_port *port, uint32_t ip, unsigned flags,
                            void (*arrived)(struct lan_port *port));
void lan_port_remove(struct lan_port *port);
void lan_port_mac(const struct lan_port *port, uint8_t mac[6]);

/* The MAC of the port that has this address; false: none has. */
bool lan_find(struct lan *lan, uint32_t ip, uint8_t mac[6]);

/* From the port into the LAN. What may not pass is dropped and counted. */
void lan_send(struct lan_port *port, const void *frame, size_t len);
/* The next frame that waits for the port: its bytes, cut to `room`; 0: none. */
size_t lan_receive(struct lan_port *port, void *frame, size_t room);
/* Frames that wait for it now. */
uint32_t lan_waits(const struct lan_port *port);

struct lan_counters {
    uint64_t frames, bytes, dropped, forged, flooded;
};
void lan_count(const struct lan *lan, struct lan_counters *out);

#endif
