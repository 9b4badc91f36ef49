/* SPDX-License-Identifier: MIT */
/*
 * An HTTP client on a switch's port: Ilwaco's own TCP/IP, compiled for the host,
 * with no host network in between. One thread.
 */
#ifndef DENALI_BENCH_CLIENT_H
#define DENALI_BENCH_CLIENT_H

#include "denali/lan/switch.h"

struct bench_client;

#define BENCH_ANSWER_MAX 8192
#define BENCH_AT_ONCE 16 /* usual */
#define BENCH_AT_ONCE_MAX 1024

/* -ENOMEM and the like. The port's address is `ip`, in 10.0.0.0/8. */
MUST_CHECK int bench_client_create(struct lan *lan, uint32_t ip, struct bench_client **out);
void bench_client_destroy(struct bench_client *client);

struct bench_request {
    uint32_t ip;
    uint32_t id;        /* the caller's */
    const char *target; /* "/index.html" */
};

/* Called with each answer; see bench_client_ask. `text` holds the first BENCH_ANSWER_MAX of its
 * `len` bytes. */
typedef void (*bench_answer_fn)(void *opaque, uint32_t id, const char *text, size_t len,
                                uint64_t took_ns);
/* How the request ended of which `answer` is being told. */
struct bench_outcome {
    bool late;                  /* its patience was over */
    bool asked;                 /* it was connected, and had sent its request */
    int err;                    /* the connection's, an errno; 0: none */
    size_t len;                 /* bytes of an answer */
    unsigned tcp_state, resent; /* Linux's number; segments sent again */
};
/* In `answer` alone. */
const struct bench_outcome *bench_client_outcome(const struct bench_client *client);

/* What to ask next; false: nothing more. */
typedef bool (*bench_next_fn)(void *opaque, struct bench_request *request);

/* UDP from the client's address: a socket bound to `port`, connected to nobody. */
struct net_sock;
MUST_CHECK int bench_client_datagrams(struct bench_client *client, uint16_t port,
                                      struct net_sock **out);
void bench_client_close(struct net_sock *sock);
/* Bytes sent, or a negative errno. */
int bench_client_send(struct net_sock *sock, uint32_t ip, uint16_t port, const void *data,
                      size_t len);
/* Bytes of one datagram and whose it is, or -EAGAIN. */
int bench_client_receive(struct net_sock *sock, void *data, size_t room, uint32_t *ip);
/* Frames to it and from it that a full queue, or one that was closed to them, has lost so far. */
uint64_t bench_client_lost(const struct bench_client *client);
/* Moves frames; waits for one until `end_ns` of the host's clock if there is nothing to move. */
void bench_client_drive(struct bench_client *client, uint64_t end_ns);

/*
 * Asks what `next` says, `at_once` at a time, until there is nothing more.
 */
MUST_CHECK int bench_client_load(struct bench_client *client, bench_next_fn next, unsigned at_once,
                                 uint64_t patience_ns, bench_answer_fn answer, void *opaque);

/*
 * Asks each, `at_once` at a time (at most BENCH_AT_ONCE_MAX), and waits until all have answered or
 * had `patience_ns`. `answer` gets the whole answer (head and body), or len 0: there was none; and
 * the time from the connection's start to the answer's end.
 */
MUST_CHECK int bench_client_ask(struct bench_client *client, const struct bench_request *request,
                                unsigned count, unsigned at_once, uint64_t patience_ns,
                                bench_answer_fn answer, void *opaque);

#endif
