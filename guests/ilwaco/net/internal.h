/* SPDX-License-Identifier: MIT */
/*
 * The inside of the stack: its one structure, and what its rooms call of each
 * other. Users see netstack.h alone.
 *
 *     netstack.c   the structure, its clock, frames in, what is due
 *     arp.c        neighbours, frames out
 *     ip.c         IPv4 in and out; ip_fragments.c puts fragments together
 *     loop.c       the loopback interface
 *     icmp.c udp.c raw.c dhcp.c
 *     tcp_*.c      see tcp.h
 *     socket.c     the calls of netstack.h, dispatched by type
 *
 * Packets come in flat (one frame, or a datagram put together) and go out
 * through one scratch frame, so no packet is ever queued but in the few places
 * that have a bound: waiting for ARP, the loopback queue, sockets' streams.
 */
#ifndef ILWACO_NET_INTERNAL_H
#define ILWACO_NET_INTERNAL_H

#include "guests/ilwaco/errno.h"
#include "guests/ilwaco/net/netstack.h"
#include "guests/ilwaco/net/pool.h"
#include "guests/ilwaco/net/ranges.h"
#include "guests/ilwaco/net/stream.h"
#include "guests/ilwaco/net/timers.h"
#include "guests/ilwaco/net/wire.h"

#define NET_MTU_MAX 1500
#define NET_MS 1000000ull
#define NET_SECOND 1000000000ull

/* ---- sockets ---- */

struct sock_ops {
    void (*close)(struct net_sock *sk);
    unsigned (*ready)(const struct net_sock *sk);
    int (*bind)(struct net_sock *sk, const struct net_addr *addr);
    int (*connect)(struct net_sock *sk, const struct net_addr *addr);
    int (*disconnect)(struct net_sock *sk);
    int (*listen)(struct net_sock *sk, uint32_t backlog);
    int (*accept)(struct net_sock *sk, struct net_sock **out);
    int (*send)(struct net_sock *sk, struct net_io *io, unsigned flags, const struct net_addr *to);
    int (*recv)(struct net_sock *sk, struct net_io *io, unsigned flags, struct net_addr *from);
    int (*shutdown)(struct net_sock *sk, unsigned how);
    uint32_t (*queued)(const struct net_sock *sk);
    /* TCP's options; -ENOPROTOOPT */
    int (*set)(struct net_sock *sk, enum net_option option, int value);
    int (*get)(struct net_sock *sk, enum net_option option, int *value);
};

struct net_sock {
    struct netstack *ns;
    const struct sock_ops *ops;
    void (*notify)(void *arg, unsigned events);
    void *notify_arg;
    struct list node; /* datagram sockets: of their kind; TCP: bound or listening, by port */
    struct net_addr local, remote; /* port 0: none */
    int linger_s;                  /* -1: off */
    uint32_t sndbuf, rcvbuf;
    uint16_t error;                         /* waiting, 0: none */
    uint8_t type, protocol, ttl, tos, shut; /* enum net_shutdown */
    bool reuse, broadcast, connected;
};

/* Tells the watcher. */
void sock_notify(struct net_sock *sk, unsigned events);
/* Sets the waiting error and tells. */
void sock_error(struct net_sock *sk, int error);
/* Takes the waiting error: 0 or a negative errno. */
int sock_take_error(struct net_sock *sk);
void sock_init(struct net_sock *sk, struct netstack *ns, const struct sock_ops *ops, unsigned type,
               unsigned protocol);

/* Datagram sockets: UDP and raw. The queue holds records: a head and the bytes. */
struct dgram_head {
    struct net_addr from;
    uint32_t len;
};

struct dgram_sock {
    struct net_sock sk;
    struct stream queue;
    uint16_t ping_id; /* ping sockets: their port in `local` */
};

int dgram_create(struct netstack *ns, unsigned type, unsigned protocol, struct net_sock **out);
/* Queues a datagram in two parts, or drops it when the socket has no room. */
void dgram_deliver(struct dgram_sock *d, const struct net_addr *from, const void *a, uint32_t a_len,
                   const void *b, uint32_t b_len);

/* ---- the interface ---- */

#define ARP_ENTRIES 32
#define ARP_PENDING 64 /* packets that wait for addresses, in all */

enum arp_state { ARP_FREE, ARP_ASKING, ARP_KNOWN, ARP_STALE };

struct arp_entry {
    uint32_t ip;
    uint8_t mac[6];
    uint8_t state, tries;
    uint64_t until;              /* ASKING, STALE: next try; KNOWN: end of trust */
    uint64_t used;               /* for replacing the one that rests longest */
    struct chunk *first, **last; /* ASKING: IP packets that wait, their length in `number` */
};

/* A datagram that is being put together. */
#define FRAGMENT_SLOTS 4
#define FRAGMENT_PAGES 17 /* a head of 60 and 65535 bytes */

struct fragment_slot {
    uint32_t src, dst;
    uint16_t id;
    uint8_t protocol;
    bool used, ended; /* ended: the last fragment came, `total` is known */
    uint32_t total;
    uint64_t until;
    struct ranges *have;
    uint8_t *bytes; /* an IP head, then the payload */
};

/* A packet on its way in. Addresses are in host order. */
struct ip_in {
    const struct ip_head *head;
    uint32_t src, dst;
    const uint8_t *data; /* payload */
    uint32_t len;
    uint8_t protocol, ttl, tos;
    bool broadcast; /* to more than us */
    bool loop;
};

/* One on its way out. */
struct ip_out {
    uint32_t src, dst;
    uint8_t protocol, ttl, tos;
    bool whole; /* DF: -EMSGSIZE rather than fragments */
};

enum dhcp_state {
    DHCP_OFF,
    DHCP_SELECTING,
    DHCP_REQUESTING,
    DHCP_BOUND,
    DHCP_RENEWING,
    DHCP_REBINDING,
};

struct dhcp {
    enum dhcp_state state;
    uint32_t xid, server, offered;
    uint32_t tries;
    uint64_t began, renew_at, rebind_at, expire_at;
    bool settled; /* an answer came, or the first round failed */
    struct net_timer timer;
};

#define PORT_BUCKETS 64
#define CONN_BUCKETS 256
#define LOOP_MAX 128 /* packets */

/* What every connection writes comes first, within a page; what is seldom written, last. */
struct netstack {
    uint64_t now; /* ns, as of the last entry */
    uint64_t random;
    struct netstack_host host;
    struct netstack_config config;
    struct netstack_info info;
    struct pool pool;
    struct stream_pool chunks;
    struct timers timers;
    struct pool_kind dgram_kind, tcp_kind, ranges_kind;
    uint8_t *frame; /* the one under construction begins at [2], so that the IP head lies on a
                       word boundary */

    struct list tcp_output;    /* connections with something to say at the end of the batch */
    struct list tcp_dead;      /* ended, to be freed by netstack_poll */
    struct list tcp_time_wait; /* oldest first */
    uint32_t tcp_time_wait_count;
    bool output_full; /* the last frame had no room */
    uint16_t ip_id;
    uint32_t error_tokens; /* ICMP errors that may still be sent */
    uint32_t challenge_tokens;
    uint64_t tokens_at;
    struct chunk *loop_first, **loop_end; /* packets, their length in `number` */
    uint32_t loop_count;
    struct list udp, raw;

    uint32_t arp_pending;
    struct net_timer arp_timer;
    struct arp_entry arp[ARP_ENTRIES];
    struct list tcp_conns[CONN_BUCKETS];

    struct list tcp_ports[PORT_BUCKETS]; /* bound and listening */
    struct fragment_slot fragment[FRAGMENT_SLOTS];
    struct net_timer fragment_timer;
    struct dhcp dhcp;
    uint8_t own_frame[NETSTACK_FRAME] __attribute__((aligned(4)));
};
_Static_assert(NETSTACK_FRAME == 2 + ETH_LEN + NET_MTU_MAX, "a frame and what goes before it");
_Static_assert(sizeof(void *) > 4 || offsetof(struct netstack, tcp_ports) <= PAGE_SIZE,
               "a page of what is written");

static inline uint8_t *frame_ip(struct netstack *ns)
{
    return ns->frame + 2 + ETH_LEN;
}

/* Where the payload of a packet is built, for ip_send. */
static inline uint8_t *frame_payload(struct netstack *ns)
{
    return frame_ip(ns) + IP_LEN;
}

/* netstack.c */
void ns_enter(struct netstack *ns); /* reads the clock: at every entry from outside */
uint32_t ns_random(struct netstack *ns);
uint64_t ns_hash(const struct netstack *ns, uint64_t a, uint64_t b); /* keyed */
/* Rate limits of ICMP errors and challenge ACKs: may one more be sent now? */
bool ns_token_error(struct netstack *ns);
bool ns_token_challenge(struct netstack *ns);

/* arp.c */
void arp_init(struct netstack *ns);
void arp_input(struct netstack *ns, const uint8_t *data, size_t len);
void arp_announce(struct netstack *ns);
void arp_forget(struct netstack *ns);
/* Nothing comes back from the neighbour: its address is asked for again when it is used. */
void arp_doubt(struct netstack *ns, uint32_t hop);
/*
 * Sends the IP packet of `len` bytes that lies in ns->frame behind the Ethernet
 * head, to the neighbour `hop` (broadcast: to all). 0 (sent, or waits for ARP), or
 * -EAGAIN.
 */
int arp_send(struct netstack *ns, uint32_t hop, bool broadcast, size_t len);

/* ip.c */
void ip_input(struct netstack *ns, const uint8_t *data, size_t len, bool loop);
/* Sends the payload that lies at frame_payload(ns). 0, -EAGAIN, -ENETUNREACH, -EMSGSIZE. */
int ip_send(struct netstack *ns, const struct ip_out *out, size_t len);
/* Sends any payload up to 65515 bytes, in fragments if it must. */
int ip_send_bytes(struct netstack *ns, const struct ip_out *out, const void *payload, size_t len);
/* The source address for `dst`; 0: no way there. */
uint32_t ip_source(const struct netstack *ns, uint32_t dst);
void ip_doubt(struct netstack *ns, uint32_t dst); /* see arp_doubt */
bool ip_is_local(const struct netstack *ns, uint32_t ip);
bool ip_is_broadcast(const struct netstack *ns, uint32_t ip);
static inline bool ip_is_loopback(uint32_t ip)
{
    return ip >> 24 == 127;
}
static inline bool ip_is_multicast(uint32_t ip)
{
    return ip >> 28 == 14;
}
/* Bytes of payload behind an IP head to `dst`. */
uint32_t ip_room(const struct netstack *ns, uint32_t dst);
/* A packet that we sent (its IP head and at least 8 bytes) came to nothing. mtu: of "fragmentation
 * needed". */
void ip_failed(struct netstack *ns, const uint8_t *packet, size_t len, int error, uint32_t mtu);

/* ip_fragments.c */
void fragments_init(struct netstack *ns);
void fragments_clear(struct netstack *ns);
void fragments_input(struct netstack *ns, struct ip_in *in);
/* The rest of ip_input, for one whole packet. */
void ip_deliver(struct netstack *ns, struct ip_in *in);

/* loop.c */
int loopback_send(struct netstack *ns, size_t len); /* the packet in ns->frame: 0 or -EAGAIN */
void loopback_run(struct netstack *ns);
void loopback_clear(struct netstack *ns);

/* icmp.c */
void icmp_input(struct netstack *ns, const struct ip_in *in);
void icmp_unreachable(struct netstack *ns, const struct ip_in *in, uint8_t code);

/* udp.c */
void udp_input(struct netstack *ns, const struct ip_in *in);
void udp_failed(struct netstack *ns, uint32_t src, uint32_t dst, const uint8_t *head, int error);
int udp_send_raw(struct netstack *ns, const struct net_addr *from, const struct net_addr *to,
                 const void *data, size_t len, uint8_t ttl, uint8_t tos);

/* raw.c: raw and ping sockets */
void raw_input(struct netstack *ns, const struct ip_in *in);
int raw_send(struct dgram_sock *d, struct net_io *io, const struct net_addr *to);

/* dhcp.c */
void dhcp_start(struct netstack *ns);
void dhcp_stop(struct netstack *ns);
void dhcp_input(struct netstack *ns, const uint8_t *data, size_t len);

/* tcp.c */
void tcp_init(struct netstack *ns);
void tcp_fini(struct netstack *ns);
void tcp_finish(struct netstack *ns);
bool tcp_is_busy(const struct netstack *ns); /* bytes or a FIN are not yet acknowledged */
int tcp_create(struct netstack *ns, struct net_sock **out);
void tcp_input(struct netstack *ns, const struct ip_in *in);
void tcp_failed(struct netstack *ns, uint32_t src, uint32_t dst, const uint8_t *head, int error,
                uint32_t mtu);
void tcp_run_output(struct netstack *ns);
void tcp_reap(struct netstack *ns); /* frees what ended */
int tcp_get_info(const struct net_sock *sk, struct net_tcp_info *out);

#endif
