/* SPDX-License-Identifier: MIT */
/*
 * Many VMs in one process: clones of one snapshot, run by a few worker threads.
 *
 *     parked    no window: a struct pool_vm and, once it has run, what it changed, compressed
 *     idle      has a window, waits for a frame or a timer; may be parked at any time
 *     ready     waits for a worker (and for a window, if it has none)
 *     running
 *     ended
 *
 * A clone begins parked, so making one costs its struct alone. A frame from the
 * switch or a timer wakes a VM in whatever state it is; a parked one gets its
 * window and its pages back first. It never notices, but by its clock.
 *
 * Policy is elsewhere: who runs next (sched.h), who may have a window (gate.h).
 */
#ifndef DENALI_POOL_H
#define DENALI_POOL_H

#include "denali/sched.h"
#include "denali/snapshot.h"
#include "denali/switch.h"
#include "denali/vm.h"

struct pool;
struct pool_vm;

#define POOL_MAX_WORKERS 16

struct pool_config {
    struct engine *engine;
    const struct snapshot *snapshot; /* of a VM with at most one NIC */
    struct lan *lan;
    const struct vm_resource *disk; /* the disks that the snapshot's VM had, shared by all */
    unsigned disks;
    struct sched *sched; /* the pool's from now on */
    unsigned workers;
    /*
     * An interrupt for a VM that does not run gets it a processor at once, one interrupt an upcall
     * (the other arm of the paper's experiment). Otherwise it waits for the VM's turn, and all that
     * came meanwhile are delivered in one batch.
     */
    bool sync_interrupts;
    uint64_t memory_bytes; /* for admitted VMs */
    uint32_t max_windows;
    uint64_t seed;
    /* Who a clone is: writes NUL-ended strings (at most DENALI_IDENTITY_MAX bytes); their length.
     * From any worker, when the clone first runs. */
    uint32_t (*identify)(void *opaque, uint32_t id, char text[DENALI_IDENTITY_MAX]);
    void *identify_opaque;
};

/* All pointers in the config outlive the pool. */
MUST_CHECK int pool_create(const struct pool_config *config, struct pool **out, struct why *why);
/* Ends all VMs. */
void pool_destroy(struct pool *pool);

/* A clone with this id of the caller's and this address. -ENOMEM, -EEXIST (the address). */
MUST_CHECK int pool_clone(struct pool *pool, uint32_t id, uint32_t ip, struct pool_vm **out);

/* From any thread: interrupts (enum denali_irq) for the VM. */
void pool_post(struct pool_vm *vm, uint32_t irq);

/* Its share of the processors: weight against the others' (1 to SCHED_MAX_WEIGHT), and at most so
 * many percent of one processor (0: no cap). What the policy makes of it is in sched.h. */
void pool_set_share(struct pool_vm *vm, unsigned weight, unsigned cap);
/* What it has had. */
uint64_t pool_ran_ns(struct pool_vm *vm);

/* Parks every VM that is idle now and gives unused windows back to the host, but for one: it
 * keeps the translations. */
void pool_park_idle(struct pool *pool);

struct pool_counters {
    uint64_t vms, idle, parked, ended, windows;
    uint64_t parks, wakes; /* windows taken away, and given */
    uint64_t parked_bytes; /* what parked VMs hold: structs and compressed pages */
    uint64_t page_bytes;   /* of VMs when they were parked last: pages that they had changed */
    uint64_t slices, preempted, failed;
    uint64_t switches;   /* slices of another VM than the worker's last */
    uint64_t displaced;  /* VMs that an urgent one took the processor from */
    uint64_t interrupts; /* frames, timers and the like that VMs were told of */
    uint64_t batches;    /* slices that began with any, and those that came to a running VM */
    uint64_t batch_max;
    uint64_t wake_ns, wake_max_ns; /* from window to first instruction, sum and longest */
    uint64_t park_ns;
};
void pool_count(struct pool *pool, struct pool_counters *out);

#endif
