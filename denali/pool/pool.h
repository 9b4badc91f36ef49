/* SPDX-License-Identifier: MIT */
/*
 * Many VMs in one process, run by a few worker threads.
 *
 *     parked    no window: a struct pool_vm and, once it has run, what it changed, compressed
 *     idle      has a window, waits for a frame, a key, its disk or a timer
 *     ready     waits for a worker (and for a window, if it has none)
 *     running
 *     ended
 *
 * Every VM comes from an origin: a snapshot, or an image about to execute its
 * first instruction. It begins parked, so making one costs its struct alone, and
 * shares pages and translations with its origin's other VMs. Whatever arrives for
 * it wakes it in whatever state it is; a parked one gets its window and its pages
 * back first. It never notices, but by its clock. A VM for which the host has no
 * window or no memory now waits, and is not lost.
 *
 * Policy is elsewhere: who runs next (sched.h), who may have a window (gate.h).
 *
 * All functions may be called from any thread, but not from a callback (hooks of
 * pool_config, console backends) unless they say so.
 */
#ifndef DENALI_POOL_H
#define DENALI_POOL_H

#include "denali/pool/quota.h"
#include "denali/pool/sched.h"
#include "denali/snapshot.h"
#include "denali/lan/switch.h"
#include "denali/vm.h"

struct pool;
struct pool_origin;
struct pool_vm;

#define POOL_MAX_WORKERS 16

/* How a VM came to its end. */
struct pool_end {
    enum vm_end_reason reason;
    uint32_t status;    /* EXIT */
    const char *report; /* text of several lines: FAULT and others that need one; else "" */
};

struct pool_config {
    struct engine *engine;
    struct sched *sched; /* the pool's from now on */
    unsigned workers;
    /*
     * An interrupt for a VM that does not run gets it a processor at once, one interrupt an upcall
     * (the other arm of the paper's experiment). Otherwise it waits for the VM's turn, and all that
     * came meanwhile are delivered in one batch.
     */
    bool sync_interrupts;
    uint64_t memory_bytes; /* for this process, all in all */
    /* NULL, or a file for VMs that are parked while memory is short; at most so large (0: no
     * bound). It is emptied. */
    const char *swap_path;
    uint64_t swap_bytes;
    uint32_t max_windows;
    uint32_t max_mappings; /* of the host's, for all windows; 0: most of those that it allows */
    uint64_t seed;
    struct io_pool *io; /* NULL: disks are read and written by the workers */
    /* May be NULL. Who a VM is, if it was added without a text: writes NUL-ended strings (at most
     * DENALI_IDENTITY_MAX bytes); their length. From any worker, when the VM first runs. */
    uint32_t (*identify)(void *opaque, uint32_t id, char text[DENALI_IDENTITY_MAX]);
    /* May be NULL. The VM has ended: once, from any worker, or from pool_kill. `end` is good until
     * it returns. It must not wait for the pool; pool_post and pool_poke of other VMs are allowed.
     */
    void (*ended)(void *opaque, struct pool_vm *vm, const struct pool_end *end);
    void *opaque;
};

/* All pointers in the config outlive the pool. */
MUST_CHECK int pool_create(const struct pool_config *config, struct pool **out, struct why *why);
/* Ends all VMs (nobody is told) and forgets all origins. */
void pool_destroy(struct pool *pool);

/* Origins. */

struct pool_origin_config {
    /* Either: of a VM with at most one NIC; it outlives the origin. */
    const struct snapshot *snapshot;
    /* Or: as in vm_config (args[0] is the image's name); used until pool_origin_add returns. */
    struct image *image;
    uint64_t mem_bytes;
    const char *const *args, *const *env;
    /* The disks that its VMs have, unless they bring their own: by the names and in the kinds that
     * the snapshot or the image knows. The array is copied; the disks outlive the origin. */
    const struct vm_resource *disk;
    unsigned disks;
};

/* Tries it in a window, which is kept. -ENOEXEC, -EINVAL, -ENOMEM and the like, with `why`. -ENOMEM
 * (or what the swap file says) is also that memory_bytes leaves no room for a VM of it. */
MUST_CHECK int pool_origin_add(struct pool *pool, const struct pool_origin_config *config,
                               struct pool_origin **out, struct why *why);
/* -EBUSY: VMs of it have not been removed. */
MUST_CHECK int pool_origin_remove(struct pool_origin *origin);
bool pool_origin_has_nic(const struct pool_origin *origin);
uint64_t pool_origin_mem_bytes(const struct pool_origin *origin);

/* VMs. */

struct pool_vm_config {
    struct pool_origin *origin;
    uint32_t id; /* the caller's */
    void *user;  /* the caller's: pool_vm_user */
    /* Where its NIC is plugged in; NULL: nowhere. */
    struct lan *lan;
    uint32_t ip;        /* host byte order; 0: any, not checked */
    unsigned lan_flags; /* enum lan_port_flags */
    /* Who it is, copied; NULL: pool_config.identify says it. */
    const char *text;
    uint32_t text_len;
    /* NULL: output vanishes and input has ended. Its functions are called by workers; its
     * descriptors are not polled: who owns it calls pool_post(DENALI_IRQ_KEYBOARD) when there is
     * input where there was none, or its end, and pool_poke when a write that found no room may go
     * on. It outlives the VM. */
    struct console_backend *console;
    /* NULL: the origin's. Copied; each must be among the origin's, by name. */
    const struct vm_resource *disk;
    unsigned disks;
    const struct quota *quota; /* copied; NULL: none */
};

/* The VM runs as soon as it has something to do. -EEXIST (the address) and other errors of
 * lan_port_add; -ENOMEM: memory is used up; -ENOSPC, -EIO: it is, and the swap file takes no more.
 */
MUST_CHECK int pool_add(struct pool *pool, const struct pool_vm_config *config,
                        struct pool_vm **out);
/* An ended VM leaves its port and the pool; the pointer is void. -EBUSY: it has not ended. */
MUST_CHECK int pool_remove(struct pool_vm *vm);

uint32_t pool_vm_id(const struct pool_vm *vm);
void *pool_vm_user(const struct pool_vm *vm);
struct lan_port *pool_vm_port(struct pool_vm *vm); /* NULL: it has none */

/* Interrupts (enum denali_irq) for the VM. Allowed in callbacks. */
void pool_post(struct pool_vm *vm, uint32_t irq);
/* Lets a VM that stands still in a console write try again. Allowed in callbacks. */
void pool_poke(struct pool_vm *vm);
/* The person asks (enum denali_signal). */
void pool_signal(struct pool_vm *vm, uint32_t signals);
/* Its quota is another one from now on; rates of its disks and console from when it gets a window
 * next. -ENOMEM: of its disks, console and processors all is as it was. */
MUST_CHECK int pool_set_quota(struct pool_vm *vm, const struct quota *quota);
/* It ends soon with VM_END_KILLED, whatever it does; nothing happens to one that has ended. */
void pool_kill(struct pool_vm *vm);
/* From the next slice on it does not run; what arrives is kept for it. */
void pool_pause(struct pool_vm *vm);
void pool_resume(struct pool_vm *vm);
/* Waits until the VM has ended, at most so long. Whether it has. */
bool pool_wait(struct pool_vm *vm, uint64_t wait_ns);

/* A snapshot of the VM as it stands between two slices; it goes on, or with `hold` is paused from
 * then on (pool_resume), if there is no error. Waits for it, also while its disk is busy. -ESRCH:
 * it has ended. */
MUST_CHECK int pool_snapshot(struct pool_vm *vm, const char *path, bool hold, struct why *why);

enum pool_state {
    POOL_PARKED,
    POOL_PARKING, /* a worker takes its window away, or fills one */
    POOL_IDLE,
    POOL_READY,   /* with the scheduler */
    POOL_WAITING, /* ready, but there is no window: in the pool's line */
    POOL_RUNNING,
    POOL_ENDED,
};
/* "parked", "idle", ... as a user knows them. */
const char *pool_state_name(enum pool_state state);

struct pool_figures {
    enum pool_state state;
    bool paused;
    struct pool_end end;     /* ENDED, without the report */
    uint64_t run_ns, slices; /* processor time in its slices */
    uint64_t instructions;   /* 0: the engine does not count */
    uint64_t resident_bytes; /* pages of its own in a window; as last measured */
    uint64_t parked_bytes;   /* without a window: what is kept of it in memory */
    uint64_t swapped_bytes;  /* or in the swap file */
    struct lan_port_counters port;
    uint64_t parks;
};
void pool_figures(struct pool_vm *vm, struct pool_figures *out);

/* All of them. */

/* Parks every VM that is idle now and gives unused windows back to the host, but for one of each
 * origin: it keeps the translations. */
void pool_park_idle(struct pool *pool);

struct pool_counters {
    uint64_t vms, idle, parked, ended, windows;
    uint64_t parks, wakes; /* windows taken away, and given */
    uint64_t parked_bytes; /* what parked VMs hold: structs and compressed pages */
    uint64_t page_bytes;   /* of VMs when they were parked last: pages that they had changed */
    uint64_t slices, preempted;
    uint64_t worker_ns;  /* processor time of all workers: in VMs, and between them */
    uint64_t switches;   /* slices of another VM than the worker's last */
    uint64_t displaced;  /* VMs that one which woke took the processor from */
    uint64_t interrupts; /* frames, timers and the like that VMs were told of */
    uint64_t batches;    /* slices that began with any, and those that came to a running VM */
    uint64_t batch_max;
    uint64_t failed;               /* could not be put into a window, and were lost */
    uint64_t postponed;            /* the host had no window or no memory for it then */
    uint64_t wake_ns, wake_max_ns; /* from window to first instruction, sum and longest */
    uint64_t park_ns;
    uint64_t used_bytes;                              /* of memory_bytes, as last measured */
    uint64_t swapped, swapped_bytes, swap_used_bytes; /* times and bytes written; there now */
    uint64_t swap_errors;
};
void pool_count(struct pool *pool, struct pool_counters *out);

/* How long it took, from what woke a parked VM to its next instruction, for so many percent of all
 * wakes since the last reset; to about 12 percent. */
uint64_t pool_wake_ns(struct pool *pool, unsigned percent);
void pool_reset_wakes(struct pool *pool);

#endif
