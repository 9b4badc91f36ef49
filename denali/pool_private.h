/* SPDX-License-Identifier: MIT */
/* The inside of a pool: pool.c life and posts, pool_worker.c who runs, pool_timer.c sleepers and
 * quanta, pool_park.c from window to bytes and back. */
#ifndef DENALI_POOL_PRIVATE_H
#define DENALI_POOL_PRIVATE_H

#include "denali/gate.h"
#include "denali/pool.h"
#include "emu/base/host_thread.h"

#include <zlib.h>

enum pool_state {
    POOL_PARKED,
    POOL_PARKING, /* a worker takes its window away */
    POOL_IDLE,
    POOL_READY,   /* with the scheduler */
    POOL_WAITING, /* ready, but there is no window: in the pool's line */
    POOL_RUNNING,
    POOL_ENDED,
};

/* What a parked VM changed; see pool_park.c. */
struct pool_bytes {
    uint32_t len, raw_len;
    uint8_t data[];
};

#define POOL_NO_TIMER UINT32_MAX

struct pool_vm {
    struct lan_port port;
    struct pool *pool;
    struct pool_vm *all_next;
    struct sched_node node;      /* READY, WAITING */
    struct pool_vm *prev, *next; /* IDLE: by when it became so */
    struct slot *slot;           /* its window, unless PARKED */
    struct pool_bytes *bytes;    /* PARKED, NULL: as the snapshot */
    uint64_t start_ns;           /* the host's time at the VM's time 0; 0: never ran */
    uint64_t wake_ns;            /* the host's time of its next timer */
    uint32_t timer_index;        /* in the heap, or POOL_NO_TIMER */
    uint32_t arrived;            /* posted; goes to the VM when it runs */
    uint32_t id;
    uint8_t state; /* enum pool_state */
    bool called;   /* from the line: it is its turn */
};

/* A window with a VM in it, whoever's it is at the moment. */
struct slot {
    struct net_backend net;
    struct pool *pool;
    struct slot *next; /* free */
    struct vm *vm;
    struct pool_vm *owner;
    uint64_t access_changes; /* of the RAM, when its rights were the snapshot's */
    uint64_t held_bytes;     /* pages of its own that the VM had when it was last parked */
};

/* What a window costs beside the pages that its VM changed: page tables, struct vm (measured). */
#define POOL_WINDOW_COST (80 * KIB)

/* Room that a worker parks and wakes with. */
struct scratch {
    z_stream deflate, inflate;
    bool ready;
    uint8_t *changed; /* bit by page */
    uint8_t *raw;
    size_t raw_room;
};

struct pool_worker {
    struct pool *pool;
    struct host_thread thread;
    struct pool_vm *running;
    const struct pool_vm *last; /* who ran before; not to be looked into */
    uint64_t since_ns;
    bool displaced; /* the running one makes room for an urgent one */
    struct scratch scratch;
};

struct pool {
    struct pool_config config;
    struct host_lock lock; /* all below; after the switch's lock, before no other */
    struct gate gate;
    struct pool_vm *all;
    struct pool_vm idle; /* head of the ring, longest idle first */
    struct sched_node *line_first, *line_last;
    struct slot *free_slots;
    uint32_t ready;         /* VMs with the scheduler */
    uint32_t busy;          /* workers that run a VM or see to its window */
    struct pool_vm **timer; /* heap by wake_ns */
    uint32_t timers, timer_room;
    uint64_t timer_target;  /* when the timer thread looks next */
    uint64_t first_wait_ns; /* how long a fresh clone may sleep */
    struct pool_counters counters;
    bool quit;
    int waker;
    struct host_thread timer_thread;
    bool timer_started;
    unsigned started;
    struct pool_worker worker[POOL_MAX_WORKERS];
};

/* pool.c; inside the lock. */
void pool_make_ready(struct pool_vm *vm, enum sched_reason reason);
void pool_wake(struct pool_vm *vm); /* it is idle or parked: something happened */
void pool_idle_add(struct pool_vm *vm);
void pool_idle_remove(struct pool_vm *vm);

/* pool_timer.c; all but the thread inside the lock. */
void pool_timer_arm(struct pool_vm *vm, uint64_t when_ns);
void pool_timer_cancel(struct pool_vm *vm);
void pool_timer_loop(void *pool);

/* pool_worker.c */
void pool_worker_loop(void *worker);
/* Inside the lock, which is left meanwhile: an idle VM's window becomes free. */
struct slot *pool_take_window(struct pool *pool, struct pool_vm *victim, struct scratch *scratch);

/* pool_park.c; outside the lock, by the one who has the slot. */
MUST_CHECK int slot_create(struct pool *pool, struct slot **out, struct why *why);
void slot_destroy(struct slot *slot);
/* Takes the VM's state out of its window; the window is the snapshot's again. On failure the VM
 * stays. */
MUST_CHECK int slot_park(struct slot *slot, struct scratch *scratch);
/* Puts a VM into a window. On failure the window is good for nothing. */
MUST_CHECK int slot_wake(struct slot *slot, struct pool_vm *vm, struct scratch *scratch);
void scratch_fini(struct scratch *scratch);

#endif
