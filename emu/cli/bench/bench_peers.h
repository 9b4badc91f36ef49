/* SPDX-License-Identifier: MIT */
/*
 * One web server program twice: as a process of this host, and in a VM of `denali run`
 * behind its NAT; and a client that loads either over loopback.
 */
#ifndef DENALI_BENCH_PEERS_H
#define DENALI_BENCH_PEERS_H

#include "emu/base/base.h"
#include "emu/base/why.h"

#include <sys/types.h>

struct bench_peers {
    char folder[64]; /* what both serve: /N is a file of N bytes */
    pid_t native, vm;
    uint16_t native_port, vm_port;
};

/* Starts both and waits until both answer; `sizes` of the files, 0-ended. A negative errno and
 * `why`; bench_peers_fini in any case. */
MUST_CHECK int bench_peers_init(struct bench_peers *peers, const char *httpd, const uint32_t *sizes,
                                struct why *why);
void bench_peers_fini(struct bench_peers *peers);

struct bench_fetches {
    double seconds;
    uint64_t answers, bytes, errors;
};

/* Fetches /SIZE again and again over `connections` kept-alive connections. */
MUST_CHECK int bench_peers_load(uint16_t port, uint32_t size, unsigned connections, double seconds,
                                struct bench_fetches *out, struct why *why);

#endif
