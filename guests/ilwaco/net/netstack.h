/* SPDX-License-Identifier: MIT */
/*
 * Ilwaco's TCP/IP: Ethernet, ARP, IPv4, ICMP, UDP, TCP, a loopback interface and a
 * DHCP client, in one structure without globals.
 *
 * It never waits and owns no thread: it is driven by netstack_input (a frame
 * came), netstack_poll (run what is due) and the socket calls, and tells through
 * netstack_deadline when it wants to be polled next. Its user therefore idles
 * until a frame or that time.
 *
 *     for (;;) {
 *         while ((len = receive(frame)) > 0)
 *             netstack_input(ns, frame, len);
 *         netstack_poll(ns);            (after the batch, and after socket calls)
 *         idle until netstack_deadline(ns)
 *     }
 *
 * Addresses and ports are in host byte order. Errors are negative errnos.
 * Nothing that a peer sends makes the stack keep more than netstack_config.max_pages
 * pages, and each queue has its own bound below that.
 *
 * Standards: RFC 826, 791, 792, 1122, 768, 2131, 9293; TCP with 5681 and 6582 (NewReno), 3042,
 * 6298 (with a minimum RTO of 200 ms and delayed ACKs of 40 ms, as Linux has), 6675 in
 * essence, 7323, 2018, 6528, 6056, 5961, 6928. Urgent data is ordinary data (6093).
 */
#ifndef ILWACO_NETSTACK_H
#define ILWACO_NETSTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netstack;
struct net_sock;

/* What the stack asks of its user. */
struct netstack_host {
    void *arg;
    uint64_t (*clock_ns)(void *arg); /* monotonic, never 0 */
    /* Adjacent zeroed pages of 4096 bytes, aligned to 4096; NULL: none. */
    void *(*pages_alloc)(void *arg, uint32_t pages);
    void (*pages_free)(void *arg, void *p, uint32_t pages);
    /* Sends a frame: 0, or -EAGAIN when there is no room (then call netstack_output_ready when
     * there is). It must not call the stack. */
    int (*output)(void *arg, const void *frame, size_t len);
    /* The address, or the DNS servers, changed (may be NULL). */
    void (*configured)(void *arg);
    /* NETSTACK_FRAME bytes, aligned to 4, in which the stack builds frames; NULL: it has some of
     * its own. For users who care where memory that is always written lies. */
    uint8_t *frame;
};
#define NETSTACK_FRAME 1516

struct netstack_config {
    uint8_t mac[6];
    uint16_t mtu;       /* bytes of IP in a frame; 0: no network but loopback */
    uint32_t addr;      /* 0: ask DHCP */
    uint32_t mask;      /* with addr */
    uint32_t gateway;   /* with addr; 0: none */
    uint32_t dns[2];    /* with addr; 0: none */
    uint32_t max_pages; /* all that the stack may hold */
    uint8_t secret[16]; /* unguessable: sequence numbers, ports and hashes come from it */
    char hostname[64];  /* told to DHCP; may be empty */
};

/* The interface as it is now. */
struct netstack_info {
    uint32_t addr, mask, gateway, dns[2];
    uint8_t mac[6];
    uint16_t mtu;
    bool waiting; /* DHCP has not yet answered or failed for the first time */
    uint32_t pages;
    uint64_t rx_frames, tx_frames, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
};

/* The stack lives in netstack_bytes() bytes of its user's memory, aligned to 16. */
size_t netstack_bytes(void);
void netstack_init(struct netstack *ns, const struct netstack_config *config,
                   const struct netstack_host *host);
/* Gives every page back, without a word to the peers. Sockets must have been closed. */
void netstack_fini(struct netstack *ns);
/* Another place in the net: mac, addr, mask, gateway, dns and secret of `config` (addr not 0).
 * Listeners stay; connections are not told and find their peers gone. */
void netstack_readdress(struct netstack *ns, const struct netstack_config *config);

/* The program has ended: its connections are closed as close() does it. The stack goes on as
 * long as netstack_busy, so that peers get what was written. No socket may be used any more. */
void netstack_finish(struct netstack *ns);
bool netstack_busy(const struct netstack *ns);

void netstack_input(struct netstack *ns, const void *frame, size_t len);
void netstack_poll(struct netstack *ns);
/* When netstack_poll is wanted next; UINT64_MAX: not before a frame comes. */
uint64_t netstack_deadline(const struct netstack *ns);
void netstack_output_ready(struct netstack *ns);
void netstack_info(const struct netstack *ns, struct netstack_info *out);

/* ---- sockets ---- */

struct net_addr {
    uint32_t ip;
    uint16_t port;
};

#define NET_IP(a, b, c, d)                                                                         \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define NET_LOOPBACK NET_IP(127, 0, 0, 1)

enum net_type { NET_STREAM = 1, NET_DGRAM = 2, NET_RAW = 3 };
enum net_protocol { NET_ICMP = 1, NET_TCP = 6, NET_UDP = 17 };

/* A socket; protocol 0 is the type's own. DGRAM with ICMP is a ping socket: it sends and receives
 * echo messages without the IP header; RAW (ICMP alone) receives with it. */
int net_socket(struct netstack *ns, enum net_type type, unsigned protocol, struct net_sock **out);

/* `sk` is gone for the caller; TCP goes on by itself with what is to be sent. */
void net_close(struct net_sock *sk);

enum net_event {
    NET_IN = 1,     /* recv or accept will not answer -EAGAIN */
    NET_OUT = 2,    /* send will not answer -EAGAIN */
    NET_ERR = 4,    /* an error waits */
    NET_HUP = 8,    /* both directions are shut */
    NET_RDHUP = 16, /* the peer will send no more */
};

/* `notify` hears of events that may have begun to hold; it must not call the stack. */
void net_watch(struct net_sock *sk, void (*notify)(void *arg, unsigned events), void *arg);
unsigned net_ready(const struct net_sock *sk); /* the events that hold now */

/* Moves n bytes between `kernel` and the caller's buffer, in order: 0 or a negative errno. */
struct net_io {
    int (*copy)(struct net_io *io, void *kernel, size_t n);
    size_t left;
};

int net_bind(struct net_sock *sk, const struct net_addr *addr);
/* TCP: 0 only later; -EINPROGRESS now, then NET_OUT (or NET_ERR). -EALREADY, -EISCONN.
 * Datagrams: sets the peer; ip 0 and port 0 undo it. */
int net_connect(struct net_sock *sk, const struct net_addr *addr);
int net_disconnect(struct net_sock *sk);
int net_listen(struct net_sock *sk, uint32_t backlog);
int net_accept(struct net_sock *sk, struct net_sock **out);

enum net_flag {
    NET_PEEK = 1,
    NET_MORE = 2,  /* send: more will follow at once */
    NET_TRUNC = 4, /* recv: datagrams answer their real length */
};

/* Bytes sent of io->left (TCP: as many as there is room for), or -EAGAIN and others. `to` NULL: the
 * connected peer. */
int net_send(struct net_sock *sk, struct net_io *io, unsigned flags, const struct net_addr *to);
/* Bytes; 0 at the end of a stream. A datagram's rest is lost. `from` may be NULL. */
int net_recv(struct net_sock *sk, struct net_io *io, unsigned flags, struct net_addr *from);
enum net_shutdown { NET_SHUT_IN = 1, NET_SHUT_OUT = 2 };
int net_shutdown(struct net_sock *sk, unsigned how);

void net_local(const struct net_sock *sk, struct net_addr *out);
int net_remote(const struct net_sock *sk, struct net_addr *out); /* -ENOTCONN */

enum net_option {
    NET_OPT_ERROR, /* get: the waiting error (positive), cleared */
    NET_OPT_REUSEADDR,
    NET_OPT_BROADCAST,
    NET_OPT_SNDBUF,
    NET_OPT_RCVBUF,
    NET_OPT_TTL,
    NET_OPT_TOS,
    NET_OPT_LINGER, /* seconds; -1: off; 0: close resets */
    NET_OPT_QUEUED, /* get: bytes that recv would find (FIONREAD) */
    NET_OPT_UNSENT, /* get: bytes not yet acknowledged (SIOCOUTQ) */
    NET_OPT_LISTENING,
    /* TCP */
    NET_OPT_NODELAY,
    NET_OPT_CORK,
    NET_OPT_QUICKACK,
    NET_OPT_MAXSEG,
    NET_OPT_KEEPALIVE,
    NET_OPT_KEEPIDLE,  /* seconds */
    NET_OPT_KEEPINTVL, /* seconds */
    NET_OPT_KEEPCNT,
    NET_OPT_USER_TIMEOUT, /* milliseconds; 0: the usual */
    NET_OPT_LINGER2,      /* seconds */
};
int net_set(struct net_sock *sk, enum net_option option, int value);
int net_get(struct net_sock *sk, enum net_option option, int *value);

/* State of a TCP connection, in Linux's numbers. */
struct net_tcp_info {
    uint8_t state, retransmits, backoff, snd_wscale, rcv_wscale;
    bool timestamps, sack, wscale;
    uint32_t rto_us, rtt_us, rttvar_us, snd_mss, rcv_mss, snd_cwnd, snd_ssthresh, unacked,
        total_retrans, rcv_space;
};
int net_tcp_info(const struct net_sock *sk, struct net_tcp_info *out);

#endif
