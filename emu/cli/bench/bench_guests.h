/* SPDX-License-Identifier: MIT */
/* What the experiments with guests/load share: a LAN, a pool of such guests, and a bare port of the
 * switch beside them. */
#ifndef DENALI_BENCH_GUESTS_H
#define DENALI_BENCH_GUESTS_H

#include "denali/pool/pool.h"
#include "emu/base/host_thread.h"
#include "emu/cli/bench/bench.h"

#define BENCH_GUEST_IP 0x0a000100u /* of the first */
#define BENCH_GUEST_WORDS 4u

struct bench_guests {
    struct engine *engine;
    struct image *image;
    struct lan *lan;
    struct lan_port port;
    struct host_lock lock;      /* of `came`, for bench_guests_wait */
    bool came, ready, nameless; /* nameless: VMs have no address, and may send what they like */
    struct pool *pool;
    struct pool_origin *origin;
    struct pool_vm **vm;
    uint32_t vms;
};

/* `words`: the arguments of guests/load, NULL-ended. NULL: guests/neighbour instead, without
 * addresses and by shares (sched_fair). A negative errno and `why`; bench_guests_fini in any case.
 */
MUST_CHECK int bench_guests_init(struct bench_guests *guests, const struct bench_options *options,
                                 const char *const *words, struct why *why);
MUST_CHECK int bench_guests_add(struct bench_guests *guests, uint32_t count, struct why *why);
void bench_guests_fini(struct bench_guests *guests);

/* A frame of `len` bytes (14 to 1514) of an Ethernet type of its own from the port to that VM. */
void bench_guests_send(struct bench_guests *guests, uint32_t vm, size_t len);
/* The same with these bytes from the 12th on (an Ethernet type and so on). */
void bench_guests_tell(struct bench_guests *guests, uint32_t vm, const uint8_t *bytes, size_t len);
/* Waits until a frame comes to the port, at most so long; takes all that wait. How many. */
unsigned bench_guests_receive(struct bench_guests *guests, uint64_t wait_ns);

/* The pool's counters grow meanwhile: how many slices in `wait_ns`, and how long it really was. */
struct bench_pace {
    uint64_t ns, cpu_ns; /* passed; and of processors, of this process */
    uint64_t slices, switches, run_ns;
};
void bench_guests_pace(struct bench_guests *guests, uint64_t wait_ns, struct bench_pace *out);

/* A program that lies beside this one, as "guests/load", or where it was installed. */
const char *bench_find(const char *name, char *path, size_t room);

#endif
