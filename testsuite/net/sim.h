/* SPDX-License-Identifier: MIT */
/*
 * Two of Ilwaco's stacks in one process, joined by a wire that loses, doubles,
 * reorders, damages and delays frames. Time is virtual and chance comes from a
 * seed, so a run repeats exactly. Memory is counted: sim_pages is what the stacks
 * hold.
 */
#ifndef TEST_NET_SIM_H
#define TEST_NET_SIM_H

#include "guests/ilwaco/net/netstack.h"

struct sim_fault {
    uint32_t loss, duplicate, reorder, corrupt; /* of 65536 frames */
    uint64_t delay_ns;                          /* each way */
    uint64_t byte_ns;                           /* rate: time of one byte on the wire */
    bool no_sack, no_timestamps, no_scale;      /* options of SYNs are struck out */
    uint32_t room;                              /* frames that a NIC holds; 0: any number */
    bool dhcp;                                  /* side 0 asks for its address */
};

struct sim;

struct sim *sim_create(uint64_t seed, const struct sim_fault *fault);
void sim_destroy(struct sim *sim);
struct netstack *sim_stack(struct sim *sim, unsigned side); /* 10.0.0.1 and 10.0.0.2 */
/* Goes to the next thing that happens: false when nothing will. */
bool sim_step(struct sim *sim);
/* The same, or to the time `limit_ns` if nothing happens before. */
void sim_step_until(struct sim *sim, uint64_t limit_ns);
uint64_t sim_now(const struct sim *sim);
uint64_t sim_frames(const struct sim *sim); /* sent so far */
uint32_t sim_pages(const struct sim *sim, unsigned side);
uint64_t sim_random(struct sim *sim);
/* Frames vanish while it is cut. */
void sim_cut(struct sim *sim, bool cut);

/* Tells of every frame that arrives at a side. */
void sim_watch(struct sim *sim,
               void (*seen)(void *arg, unsigned to, const uint8_t *frame, size_t len), void *arg);

/* An io over plain memory. */
struct sim_io {
    struct net_io io;
    uint8_t *at;
};
void sim_io_read(struct sim_io *io, void *buffer, size_t room);       /* for net_recv */
void sim_io_write(struct sim_io *io, const void *buffer, size_t len); /* for net_send */

/* Ends the program with a line that says what is wrong. */
#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond))                                                                               \
            sim_fail(__FILE__, __LINE__, #cond);                                                   \
    } while (0)
__attribute__((noreturn)) void sim_fail(const char *file, int line, const char *what);

#endif
