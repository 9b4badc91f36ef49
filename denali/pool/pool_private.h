/* SPDX-License-Identifier: MIT */
/*
 * The inside of a pool:
 *
 *     pool.c         life; what is posted to VMs
 *     pool_vm.c      VMs come, are told what to do, and go
 *     pool_origin.c  what VMs are made from
 *     pool_worker.c  who runs, and what becomes of him
 *     pool_window.c  who gets which window; the line
 *     pool_timer.c   sleepers and quanta
 *     pool_slot.c    a window and the devices in it
 *     pool_park.c    from window to bytes and back
 *     pool_base.c    what pages were seen with before
 *     pool_pack.c    bytes through zlib
 *     pool_reclaim.c memory is measured and given back
 */
#ifndef DENALI_POOL_PRIVATE_H
#define DENALI_POOL_PRIVATE_H

#include "denali/pool/gate.h"
#include "denali/pool/pool.h"
#include "denali/pool/pool_base.h"
#include "denali/pool/pool_pack.h"
#include "denali/pool/pool_store.h"
#include "denali/pool/swap.h"
#include "emu/base/host_thread.h"

#include <stdatomic.h>

/* What a parked VM changed, in the pool's store; see pool_park.c. */
struct pool_kept {
    uint32_t block, len; /* len 0: nothing */
    bool squeezed;
};

#define POOL_NO_TIMER UINT32_MAX
#define POOL_WAKE_BUCKETS 512u

/* Somebody waits for a snapshot of a VM. */
struct pool_request {
    const char *path;
    struct why *why;
    int err;
    bool hold, done;
};

/* What most VMs do not have. */
struct pool_extra {
    struct console_backend *console;
    struct vm_resource disk[DENALI_MAX_DEVICES];
    unsigned disks;
    struct pool_request *request;
    uint64_t disk_blocks_per_s, console_bytes_per_s;
    uint32_t signals;
    uint32_t text_len;
    char text[DENALI_IDENTITY_MAX];
};

struct pool_vm {
    struct lan_port port; /* port.lan NULL: none */
    struct pool *pool;
    struct pool_origin *origin;
    struct pool_extra *extra;
    void *user;
    struct pool_vm *all_prev, *all_next;
    struct sched_node node;      /* READY, WAITING */
    struct pool_vm *prev, *next; /* in the ring of the idle or of the parked; else NULL */
    struct slot *slot;           /* its window, unless PARKED */
    struct pool_kept kept;       /* without a window: what is kept of it, here */
    struct swap_ref swapped;     /* or in the swap file; neither: it is as its origin */
    uint64_t start_ns;           /* the host's time at the VM's time 0; 0: never ran */
    uint64_t wake_ns;            /* the host's time of its next timer */
    uint64_t ready_ns;           /* READY without a window: since when; else 0 */
    uint64_t icount;
    uint32_t timer_index; /* in the heap, or POOL_NO_TIMER */
    uint32_t arrived;     /* posted; goes to the VM when it runs */
    uint32_t id;
    uint32_t slices, parks;
    uint32_t resident_pages; /* as last measured */
    uint32_t status;         /* ENDED */
    uint32_t counted_bytes;  /* of it in counters.parked_bytes */
    uint8_t state;           /* enum pool_state */
    uint8_t reason;          /* ENDED: enum vm_end_reason */
    bool called;             /* from the line: it is its turn */
    bool wanted;             /* something happened while it could not be made ready */
    bool paused, killed;
};

struct pool_origin {
    struct pool *pool;
    struct pool_origin *next;
    const struct snapshot *snapshot;
    struct snapshot *own; /* the same, if it is the origin's */
    struct pool_bases *bases;
    struct vm_resource disk[DENALI_MAX_DEVICES];
    unsigned disks;
    bool fresh; /* it has not begun: its VMs are no clones */
    bool nic;
    uint64_t first_wait_ns; /* how long a new VM may sleep */
    uint32_t vms;
    uint32_t dying; /* windows that are destroyed outside the lock */
    struct slot *free;
};

/* A window with a VM in it, whoever's it is at the moment. */
struct slot {
    struct net_backend net;
    struct pool *pool;
    struct pool_origin *origin;
    struct slot *next;                  /* free: of its origin */
    struct slot *free_prev, *free_next; /* free: of the pool */
    struct vm *vm;
    struct pool_vm *owner; /* inside the lock; NULL: free */
    bool others;           /* its disks are not the origin's */
    atomic_bool posting;   /* the lock's holder posts: see slot_give */
    uint32_t own_pages;    /* that the window has kept since it was last parked */
    uint32_t mappings;     /* inside the lock; of the host's, as last counted */
    bool broken;           /* nobody can move in */
};

/* What a window costs beside the pages that its VM changed: page tables, struct vm (measured). */
#define POOL_WINDOW_COST (80 * KIB)

/* Room that a worker parks and wakes with. */
struct scratch {
    struct pack pack;
    uint8_t *changed; /* bit by page */
    uint8_t *state;
    size_t changed_room, state_room;
};

struct pool_worker {
    struct pool *pool;
    struct host_thread thread;
    struct pool_vm *running;
    const struct pool_vm *last;      /* who ran before; not to be looked into */
    uint64_t since_ns, since_cpu_ns; /* when the slice began; by the thread's own clock */
    bool displaced;                  /* the running one makes room for an urgent one */
    struct scratch scratch;
};

struct pool {
    struct pool_config config;
    struct host_lock lock; /* all below; after the switch's and disks' locks, before no other */
    struct gate gate;
    struct pool_vm *all;
    struct pool_origin *origins;
    struct pool_vm idle;   /* head of the ring of those that may be parked, longest idle first */
    struct pool_vm parked; /* the same of those that may be swapped out */
    struct pool_store *store;
    struct pool_vm raw; /* the same of those that may be squeezed */
    uint64_t raw_bytes; /* of the latter */
    struct swap *swap;  /* NULL: none */
    int swap_error;     /* of the last try, if it failed */
    uint64_t swap_again_ns, trim_again_ns;
    uint64_t measured_ns;
    _Atomic uint64_t swapped_directly;
    atomic_bool tight; /* the gate wished for memory when it was last measured */
    bool full;         /* the gate wishes for memory, and nothing is left to give back */
    uint64_t verdicts; /* times that it was found so */
    struct sched_node *line_first, *line_last;
    uint32_t called;        /* VMs that were called from the line: the next window is theirs */
    uint64_t line_retry_ns; /* when the first in line tries again whatever happens */
    struct slot *free_first, *free_last; /* longest free first */
    uint32_t ready;                      /* VMs with the scheduler */
    uint32_t busy;                       /* workers that run a VM or see to its window */
    struct pool_vm **timer;              /* heap by wake_ns */
    uint32_t timers, timer_room;
    uint64_t timer_target; /* when the timer thread looks next */
    struct pool_counters counters;
    uint32_t wakes[POOL_WAKE_BUCKETS]; /* by length, eight buckets to a power of two */
    bool quit;
    int waker, reclaim_waker;
    struct host_thread reclaim_thread;
    struct scratch reclaim_scratch;
    bool reclaim_started;
    struct host_thread timer_thread;
    bool timer_started;
    unsigned started;
    struct pool_worker worker[POOL_MAX_WORKERS];
};

/* pool.c; inside the lock. */
void pool_make_ready(struct pool_vm *vm, enum sched_reason reason);
void pool_wake(struct pool_vm *vm); /* if it is idle or parked: something happened */
void pool_ring_add(struct pool_vm *head, struct pool_vm *vm);
void pool_ring_remove(struct pool_vm *vm); /* if it is in one */
/* The VM is at an end; somebody is told, the lock is left meanwhile. It has no window. */
void pool_set_ended(struct pool_vm *vm, const struct pool_end *end);
size_t pool_parked_bytes(const struct pool_vm *vm);
/* It counts as parked from now on, or no longer. */
void pool_count_parked(struct pool_vm *vm);
void pool_uncount_parked(struct pool_vm *vm);
void pool_vm_free(struct pool_vm *vm);
void pool_forget_kept(struct pool_vm *vm);
/* The VM runs from now on: if it was parked, how long it waited is noted. */
void pool_note_wake(struct pool_vm *vm, uint64_t now_ns);

/* pool_timer.c; all but the thread inside the lock. */
void pool_timer_arm(struct pool_vm *vm, uint64_t when_ns);
void pool_timer_cancel(struct pool_vm *vm);
MUST_CHECK int pool_timer_reserve(struct pool *pool);
void pool_timer_loop(void *pool);
/* Somebody runs, or waits for who runs: quanta count from now on. */
void pool_watch_quanta(struct pool *pool, uint64_t now_ns);

/* pool_worker.c */
void pool_worker_loop(void *worker);

/* pool_window.c; inside the lock, which may be left meanwhile. */
/* True: the VM has its window. Otherwise it waits in line, or has ended. */
MUST_CHECK bool pool_admit(struct pool_worker *w, struct pool_vm *vm);
/* The first in line tries again. */
void pool_call_line(struct pool *pool);
void pool_line_up(struct pool_vm *vm);
void pool_leave_line(struct pool_vm *vm);
/* Its turn is over, used or not. */
void pool_uncall(struct pool_vm *vm);
/* An idle VM's window, free and counted as in use; it may be broken. NULL: it stays. */
struct slot *pool_take_window(struct pool *pool, struct pool_vm *victim, struct scratch *scratch);
/* Its RAM may have been split up since. */
void pool_count_mappings(struct slot *slot);
/* A window nobody has now. */
void pool_free_window(struct slot *slot);
/* The same, and it goes back to the host; leaves the lock. */
void pool_drop_window(struct slot *slot);
/* Free, unless it is broken. */
void pool_give_window(struct slot *slot);
void pool_discard_free(struct slot *slot);
/* It has no window now; also what came meanwhile. */
void pool_settle_parked(struct pool_vm *vm);
void pool_unring_parked(struct pool_vm *vm);
/* A free window leaves the pool, for the list `spare`, which the caller destroys. */
void pool_unfree_window(struct slot *slot, struct slot **spare);

/* pool_origin.c: it is in no list, and has no windows. */
void pool_origin_free(struct pool_origin *origin);

/* pool_reclaim.c; all but the thread inside the lock. */
void pool_measure(struct pool *pool);
void pool_reclaim_loop(void *pool);
/* What is freed goes back to the host: memory_bytes is for the process. */
void pool_bind_heap(void);
/* Where memory was used up: whether it is still, when reclaiming was tried once more; the lock is
 * left meanwhile. -ENOMEM; or what the swap file said last. */
MUST_CHECK int pool_find_room(struct pool *pool);
/* The VM that is parked longest and not squeezed yet. False: there is none, or no memory. */
bool pool_squeeze_oldest(struct pool *pool, struct scratch *scratch);

/* pool_slot.c; outside the lock, by the one who has the slot. */
MUST_CHECK int slot_create(struct pool_origin *origin, struct slot **out, struct why *why);
void slot_destroy(struct slot *slot);
void slots_destroy(struct slot *list);
/* The VM's own console and disks; `first`: the guest has not seen others. */
MUST_CHECK int slot_bind(struct slot *slot, struct pool_vm *vm, bool first);
/* Inside the lock: what was posted goes to the VM in its window. */
void slot_give(struct pool_vm *vm);

/* pool_park.c; outside the lock, by the one who has the slot. */
/* Takes the VM's state out of its window; the window is the snapshot's again, or broken. On failure
 * the VM stays. */
MUST_CHECK int slot_park(struct slot *slot, struct pool_vm *vm, struct scratch *scratch);
/* Puts a VM into a window. On failure the window is good for nothing, and the VM as it was. */
MUST_CHECK int slot_wake(struct slot *slot, struct pool_vm *vm, struct scratch *scratch);
/* What is kept of a parked VM, through zlib. -ENOMEM. */
MUST_CHECK int pool_squeeze(struct pool *pool, struct pool_kept raw, struct scratch *scratch,
                            struct pool_kept *out);
/* The bytes in scratch->pack.out. -ENOMEM. */
MUST_CHECK int pool_load_kept(struct pool *pool, struct pool_kept kept, struct scratch *scratch);
void pool_free_kept(struct pool *pool, struct pool_kept *kept);
void scratch_fini(struct scratch *scratch);

#endif
