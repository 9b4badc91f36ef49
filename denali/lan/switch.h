/* SPDX-License-Identifier: MIT */
/*
 * A switch: one Ethernet LAN that joins ports within the process. A port's MAC is
 * the switch's to give; a port that has an IPv4 address may speak only in its name
 * (Ethernet source, ARP sender, IPv4 source; nothing but ARP and IPv4).
 *
 * Each port has a bounded queue of frames that wait for it, and may hold only so
 * much in the queues of others; what does not fit is dropped and counted at the
 * port that has to do with it, so an overload costs only who makes it. Whoever sends
 * to a port is heard there in turns, a frame each: one that floods it delays nobody
 * else. And a receiver may be pressed (it has used up its share of the processors, and
 * others wait): more so, the less is left of the share. Under a pressure of 1 it does
 * not hear what one sends beyond LAN_HOT_PER_S (large frames count several times), under
 * 2 beyond half of that; nor, under either, one who has LAN_PRESSED_QUEUE waiting
 * there. So what is left of the share is for those who send little.
 *
 * Who is asked for by ARP hears it alone; who has no address here is asked for at
 * the uplinks and at ports without an address. Other broadcasts go to all, but a
 * port has a small budget of copies (LAN_FLOOD_PER_S): with 100,000 ports each is a
 * hundred thousand wake-ups. Frames for MACs that no port has go to the uplinks; an
 * uplink does not lead to another uplink.
 *
 * With a subnet the switch answers DHCP, each port with its own address.
 *
 * All functions may be called from any thread, but those of one port's removal.
 */
#ifndef DENALI_SWITCH_H
#define DENALI_SWITCH_H

#include "devices/net.h"
#include "devices/wire.h"

#define SWITCH_QUEUE_MAX 128         /* frames that wait for one port */
#define SWITCH_UPLINK_QUEUE_MAX 4096 /* for an uplink */
#define LAN_HELD_MAX (1024 * 1024)   /* bytes of one port's that wait anywhere */
#define LAN_UPLINK_HELD_MAX (64 << 20)
#define LAN_FLOOD_PER_S 1000u
#define LAN_HOT_PER_S 20000u
#define LAN_HOT_BYTES 256u /* a frame counts once, and once more for each so many */
#define LAN_PRESSURES 2u
#define LAN_PRESSED_QUEUE 4u
#define LAN_ANY_IP UINT32_MAX

struct lan;
struct lan_frame;
struct lan_account;
struct lan_shape;

enum lan_port_flags {
    LAN_UPLINK = 1,  /* leads out: any source, and what nobody here is called */
    LAN_PRESSED = 2, /* lan_set_pressure's function may be asked about it */
    LAN_WIDE = 4,    /* stands for many peers: its queue is as long as an uplink's */
};

/* What one port did. `dropped`: frames for it that found its queue full; `refused`: its own that
 * found others' full, or itself over its bounds. */
struct lan_port_counters {
    uint64_t sent, sent_bytes, received, received_bytes;
    uint32_t dropped, refused, forged;
};

/* Embedded in its user's struct; its own fields are the switch's. */
struct lan_port {
    struct lan *lan;
    /* Frames have come to an empty queue. Inside the switch: must not call it. */
    void (*arrived)(struct lan_port *port);
    struct lan_frame *first, *last;
    struct lan_port *same_ip;
    struct lan_account *account; /* of what it sent and nobody has taken yet */
    struct lan_shape *shape;     /* NULL: perfect wires */
    struct lan_port_counters counters;
    uint32_t number; /* the last three bytes of its MAC */
    uint32_t ip;     /* host byte order; 0: none, or not known */
    uint32_t queued;
    uint16_t flags;
    uint16_t round; /* of turns: that of the frame which was taken last */
};

MUST_CHECK int lan_create(struct lan **out);
/* All ports are removed. */
void lan_destroy(struct lan *lan);

/* Before the first port. `gateway` and `dns`: 0, or addresses that no port gets. */
struct lan_subnet {
    uint32_t net, gateway, dns; /* host byte order */
    unsigned prefix;            /* 8 to 30 */
};
MUST_CHECK int lan_set_subnet(struct lan *lan, const struct lan_subnet *subnet); /* -EINVAL */
/* The byte that tells this LAN's MACs from those of others that it is joined to; 0 at first. */
void lan_set_tag(struct lan *lan, uint8_t tag);

/* For ports with LAN_PRESSED: 0, or how pressed one is, at most LAN_PRESSURES. Inside the switch:
 * must not call it. */
void lan_set_pressure(struct lan *lan, unsigned (*pressure)(const struct lan_port *port));

/* ip: 0: none; LAN_ANY_IP: a free one of the subnet. -ENOMEM; -EEXIST: another port has that
 * address, or it is reserved; -ERANGE: it is not the subnet's; -EADDRNOTAVAIL: none is free. */
MUST_CHECK int lan_port_add(struct lan *lan, struct lan_port *port, uint32_t ip, unsigned flags,
                            void (*arrived)(struct lan_port *port));
/* When it returns, nobody is inside `arrived`, nor will be. */
void lan_port_remove(struct lan_port *port);
void lan_port_mac(const struct lan_port *port, uint8_t mac[6]);
void lan_port_count(const struct lan_port *port, struct lan_port_counters *out);

/* Bad or slow wires from the port into the LAN and back; NULL: perfect. What is on the old ones is
 * lost. -ENOMEM and the like: nothing has changed. */
MUST_CHECK int lan_port_shape(struct lan_port *port, const struct wire_config *to_lan,
                              const struct wire_config *from_lan);

/* The MAC of the port that has this address; false: none has. */
bool lan_find(struct lan *lan, uint32_t ip, uint8_t mac[6]);

/* From the port into the LAN. What may not pass is dropped and counted. */
void lan_send(struct lan_port *port, const void *frame, size_t len);
/* The next frame that waits for the port: its bytes, cut to `room`; 0: none. */
size_t lan_receive(struct lan_port *port, void *frame, size_t room);
/* Frames that wait for it now. */
uint32_t lan_waits(const struct lan_port *port);

struct lan_counters {
    uint64_t frames, bytes;                      /* that came into the LAN */
    uint64_t dropped, forged, flooded, quenched; /* quenched: floods over the budget */
    uint64_t dhcp, ports;
};
void lan_count(struct lan *lan, struct lan_counters *out);

#endif
