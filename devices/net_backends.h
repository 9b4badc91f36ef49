/* SPDX-License-Identifier: MIT */
/*
 * Constructors of the NIC's host ends (net.h says what one is).
 *
 * Every constructor returns 0 and a backend in `*out` that ops->destroy ends,
 * or a negative errno; then `why` holds one line for the user that says what
 * failed and what to do, and nothing is left behind.
 *
 * A reader drains a backend to -EAGAIN before it sleeps on fd(). A wrapper
 * (pcap, fault) owns the backend that it wraps: destroy the wrapper alone. When
 * a wrapper's constructor fails, the wrapped backend is still the caller's.
 */
#ifndef DENALI_NET_BACKENDS_H
#define DENALI_NET_BACKENDS_H

#include "devices/net.h"
#include "devices/wire.h"

struct net_error {
    char text[256];
};

/* A port of the host that leads to a port of a guest. */
struct net_publish {
    uint32_t host_addr;  /* host byte order */
    uint32_t guest_addr; /* 0: the one guest */
    uint16_t host_port;
    uint16_t guest_port;
    bool udp;
};

#define NET_MAX_PUBLISH 64

/*
 * Reads "[ADDR:]HOSTPORT:[GUEST:]PORT[/tcp|/udp]", ADDR and GUEST being IPv4 addresses; without
 * ADDR the host end is 127.0.0.1. 0 or -EINVAL with `why`.
 */
MUST_CHECK int net_publish_parse(const char *text, struct net_publish *out, struct net_error *why);

/* Reads one more into `list`, of NET_MAX_PUBLISH. */
MUST_CHECK int net_publish_add(const char *text, struct net_publish *list, unsigned *count,
                               struct net_error *why);

/* No network: what is sent is gone, nothing comes. */
MUST_CHECK int net_none_create(struct net_backend **out, struct net_error *why);

/* The guests' side of a NAT; host byte order. */
struct net_user_side {
    uint32_t net, host, dns;
    uint32_t guest; /* who gets the ports that name no guest, and the only one that DHCP serves */
    unsigned prefix;
    bool loopback; /* `host` is also the way to what listens on 127.0.0.1 there */
};

struct net_user_config {
    const struct net_publish *publish;
    size_t publish_count;
    const char
        *program; /* the NAT program; NULL: $DENALI_NAT, else `denali-nat` beside this program
                   */
    const struct net_user_side *side; /* NULL: as below */
    bool quiet;                       /* nobody is told on stderr that the process died */
};

/*
 * User-mode NAT in a process of its own. The guest's side is 10.0.2.0/24: guest
 * 10.0.2.15 (DHCP), host 10.0.2.2, DNS 10.0.2.3; or a whole LAN of guests, as
 * config->side says. Published ports are bound when this returns (-EADDRINUSE: one
 * is busy). If the process dies, that is said once on stderr and the backend
 * answers -EPIPE from then on.
 */
MUST_CHECK int net_user_create(const struct net_user_config *config, struct net_backend **out,
                               struct net_error *why);

/*
 * Of a backend of net_user_create, from any thread, while another one receives:
 * publishes one more port, or no longer. 0; -EADDRINUSE, -EACCES and the like;
 * -EPIPE: the process is gone; -ETIMEDOUT: it does not answer.
 */
MUST_CHECK int net_user_publish(struct net_backend *net, const struct net_publish *publish,
                                bool on);
/* The same without waiting; the answer is nobody's. */
void net_user_publish_later(struct net_backend *net, const struct net_publish *publish);
/* The NAT's process, for who watches it. */
int net_user_pid(const struct net_backend *net);

/*
 * The same NAT, for long: a process that dies is started again, with the ports that were published;
 * connections through it are lost. `config` is used until this returns, but for what `side` points
 * to is copied. Publishing as above, from any thread; what is published stays so until it is taken
 * back or the backend ends.
 */
MUST_CHECK int net_nat_create(const struct net_user_config *config, struct net_backend **out,
                              struct net_error *why);
MUST_CHECK int net_nat_publish(struct net_backend *net, const struct net_publish *publish, bool on);
/* Takes all ports back that lead to this guest. */
void net_nat_unpublish_guest(struct net_backend *net, uint32_t guest_addr);
/* 0: it is being started again; and how often it was. */
int net_nat_pid(struct net_backend *net, uint32_t *restarts);

/*
 * A UNIX stream socket, each frame behind its length in 4 big-endian bytes.
 * Connects to `path`; where nothing exists, listens there for one peer (frames
 * sent before it comes are dropped; when it leaves, the next one is awaited) and
 * removes the path at the end.
 */
MUST_CHECK int net_socket_create(const char *path, struct net_backend **out, struct net_error *why);

/* An existing tap device, or a new one if we may make it. */
MUST_CHECK int net_tap_create(const char *name, struct net_backend **out, struct net_error *why);

/* Writes what passes `inner`, both ways, to a pcap file, complete up to the last frame at any time.
 */
MUST_CHECK int net_pcap_create(struct net_backend *inner, const char *file,
                               struct net_backend **out, struct net_error *why);

/*
 * A bad wire (wire.h) both ways, repeatable by its seed. Time is the host's monotonic clock; fd()
 * polls readable when a delayed frame is due.
 */
MUST_CHECK int net_fault_create(struct net_backend *inner, const struct wire_config *config,
                                struct net_backend **out, struct net_error *why);

/*
 * What --net says: "none", "user", "socket:PATH", "tap:NAME"; behind any of them a bad wire, as in
 * "user,loss=1,reorder=5,delay=10" (the words are in wire.h). Ports can be published with "user"
 * alone (-EINVAL elsewhere).
 */
MUST_CHECK int net_backend_create(const char *spec, const struct net_user_config *user,
                                  struct net_backend **out, struct net_error *why);

/*
 * Between net_user.c and the NAT process: a message shorter than any frame is not a frame.
 * From here: NET_CONTROL_BYTES, big-endian: u8 flags, u32 host_addr, u16 host_port, u32 guest_addr,
 * u16 guest_port. From there: NET_ANSWER_BYTES: a negative errno or 0, big-endian.
 */
#define NET_CONTROL_BYTES 13
#define NET_ANSWER_BYTES 4
enum net_control { NET_CONTROL_ON = 1, NET_CONTROL_UDP = 2 };

/* Fills `why` (printf-like) and returns `err`: for constructors' failure paths. */
int net_fail(struct net_error *why, int err, const char *format, ...) PRINTF_LIKE(3, 4);

/* What comes in is recorded at a gate, around `inner`, which is taken over; or, with NULL, comes
 * from its recording. -ENOMEM: `inner` stays the caller's. */
struct gate;
MUST_CHECK int net_gate_create(struct net_backend *inner, struct gate *gate,
                               struct net_backend **out);

#endif
