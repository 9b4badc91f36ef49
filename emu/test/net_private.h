/* SPDX-License-Identifier: MIT */
/* What net.c and net_peer.c share. */
#ifndef DENALI_TEST_NET_PRIVATE_H
#define DENALI_TEST_NET_PRIVATE_H

#include "emu/test/net.h"
#include "guests/ilwaco/net/netstack.h"

#define NET_PEERS 16u

/* A machine with an address of its own. */
struct net_host {
    struct test_net *net;
    uint32_t ip;
    struct netstack *stack;
};

struct net_peer {
    const struct spec_peer *spec;
    struct net_host *host;
    struct net_sock *listener, *sock; /* NULL: none */
    bool connecting;
    unsigned step;
    size_t sent;        /* of the present step's bytes */
    struct buffer got;  /* and not used up */
    struct buffer said; /* by the guest, for steps that wait for its console */
    uint64_t until_ns;  /* nothing before; of a wait, or of the next try to connect */
    unsigned tries;
    bool waiting;         /* a wait has begun */
    bool ended;           /* the guest sends no more */
    struct net_addr from; /* of the last datagram */
};

struct net_frame {
    struct net_frame *next;
    size_t len;
    uint8_t data[];
};

struct test_net {
    struct net_backend base;
    struct test_net_config config;
    int waiting; /* an event that is set while frames wait for the guest; -1: none */
    struct net_host host[NET_PEERS];
    unsigned hosts;
    struct net_peer peer[NET_PEERS];
    unsigned peers;
    struct net_frame *first, **end;     /* to the guest */
    struct net_frame *sent, **sent_end; /* by the guest, as many as are kept */
    unsigned kept;
    uint64_t sum;
};

uint64_t net_now(const struct test_net *net);
/* Goes on as far as it can. True: something changed. */
bool net_peer_run(struct net_peer *peer);
bool net_peer_is_done(const struct net_peer *peer);
/* What it waits for, for a message. */
void net_peer_tell(const struct net_peer *peer, struct buffer *out);
void net_peer_close(struct net_peer *peer);

#endif
