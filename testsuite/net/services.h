/* SPDX-License-Identifier: MIT */
/*
 * Programs on top of Ilwaco's stack for tests against Linux: small servers on the
 * classic ports, and a client. They run inside the thread that drives the stack.
 */
#ifndef TEST_NET_SERVICES_H
#define TEST_NET_SERVICES_H

#include "guests/ilwaco/net/netstack.h"

enum service_port {
    SERVICE_ECHO = 7,    /* TCP and UDP */
    SERVICE_SINK = 9,    /* reads to the end, then answers 8 bytes: the count, big-endian */
    SERVICE_SOURCE = 19, /* reads 8 bytes, a count, then sends so many of pattern_byte */
    SERVICE_SLOW = 20,   /* as SINK, but reads 4096 bytes each 20 ms, after a second */
    SERVICE_RESET = 21,  /* resets after the first byte */
    SERVICE_CLOSED = 22, /* nobody listens */
};

struct services;

struct services *services_create(struct netstack *ns);
void services_destroy(struct services *services);
/* Lets every program do what it can; call after frames and at services_deadline. */
void services_run(struct services *services, uint64_t now_ns);
uint64_t services_deadline(const struct services *services);

/* A client that connects to an echo server, sends `bytes` of the pattern and checks what comes
 * back. *result becomes 1 (all came back) or a negative errno, exactly once. */
void services_client(struct services *services, uint32_t ip, uint16_t port, uint64_t bytes,
                     _Atomic int *result);

static inline uint8_t pattern_byte(uint64_t at)
{
    uint64_t z = (at >> 3) * 0x9e3779b97f4a7c15u;
    return (uint8_t)((z ^ z >> 29) >> 8 * (at & 7));
}

#endif
