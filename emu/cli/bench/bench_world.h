/* SPDX-License-Identifier: MIT */
/* What the experiments with many web servers share: a LAN, a pool, clones of one origin, and a
 * client that asks them and knows the right answer. */
#ifndef DENALI_BENCH_WORLD_H
#define DENALI_BENCH_WORLD_H

#include "denali/pool/pool.h"
#include "emu/cli/bench/bench.h"
#include "emu/cli/bench/bench_boot.h"
#include "emu/cli/bench/bench_client.h"

struct bench_world {
    const struct bench_options *options;
    struct engine *engine;
    struct bench_origin origin;
    struct lan *lan;
    struct pool *pool;
    struct pool_origin *made_from;
    struct pool_vm **vm; /* by id */
    struct bench_client *client;
    char document[BENCH_DOCUMENT_BYTES];
    double create_s;
    /* As in pool_config; set before bench_world_init. */
    void (*ended)(void *opaque, struct pool_vm *vm, const struct pool_end *end);
    void *ended_opaque;
};

#define BENCH_PATIENCE_NS 10000000000u

/* A negative errno and `why`; bench_world_fini in any case. */
MUST_CHECK int bench_world_init(struct bench_world *world, const struct bench_options *options,
                                struct why *why);
/* The same with another server than options->httpd. */
MUST_CHECK int bench_world_init_server(struct bench_world *world,
                                       const struct bench_options *options,
                                       const struct bench_server *server, struct why *why);
void bench_world_fini(struct bench_world *world);

/* options->vms clones, by id from 0 on. */
MUST_CHECK int bench_world_create(struct bench_world *world, struct why *why);
uint32_t bench_world_ip(uint32_t id);
/* Whether this is VM id's whole answer. */
bool bench_world_is_right(const struct bench_world *world, uint32_t id, const char *text,
                          size_t len);

/* A line of /proc/self/status, in KiB; 0: there is none. */
uint64_t bench_status_kib(const char *field);

#endif
