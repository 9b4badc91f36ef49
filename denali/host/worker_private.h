/* SPDX-License-Identifier: MIT */
/*
 * worker.c the loop, worker_ops.c what the daemon says, worker_vm.c VMs,
 * worker_net.c their LANs. The loop's thread owns the link; what blocks runs on
 * the threads of `jobs`, and answers through the outbox.
 */
#ifndef DENALI_HOST_WORKER_PRIVATE_H
#define DENALI_HOST_WORKER_PRIVATE_H

#include "denali/host/hub.h"
#include "denali/host/link.h"
#include "denali/host/worker.h"
#include "denali/lan/lan_net.h"
#include "denali/pool/pool.h"
#include "emu/base/host_thread.h"

#define WORKER_JOBS 8u
#define WORKER_BUCKETS 4096u

/* Where VMs are clones from, or a single VM's image. */
struct origin {
    struct origin *next;
    char *name; /* of the snapshot; NULL: of one VM */
    struct worker_machine machine;
    struct snapshot *snapshot; /* NULL: the image */
    struct pool_origin *pool;
    unsigned users;
};

/* A LAN: of a group, or of one VM behind its own NAT. */
struct network {
    struct network *next;
    struct worker *worker;
    char *name; /* NULL: of one VM */
    struct lan_net *net;
    uint32_t restarts; /* of its NAT, that were told of */
    unsigned users;
};

struct api_port;

struct hosted {
    struct hosted *next; /* in its bucket */
    struct worker *worker;
    uint64_t id, run;
    char *name;
    struct origin *origin;
    struct network *network; /* NULL: none */
    struct api_port *api;    /* NULL: it has no capability */
    uint32_t published;      /* its address, if ports of the host lead there */
    struct hub *hub;
    struct pool_vm *vm;
    struct vm_resource own_disk[DENALI_MAX_DEVICES]; /* instead of its origin's */
    bool own_layer[DENALI_MAX_DEVICES];              /* opened for it alone */
    unsigned own_disks;                              /* 0: it has its origin's */
    bool attached;                                   /* somebody is, perhaps; the loop's */
    bool settled;                                    /* pool_add has returned */
    /* Inside the lock: jobs that look at it now; whether it goes when none does. */
    unsigned held;
    bool forgotten;
    uint64_t forgotten_ns; /* since when */
    /* Set by `ended`, inside the lock. */
    bool has_ended, told;
    const char *reason;
    int status;
    char *report;
};

struct outgoing {
    struct outgoing *next;
    json_t *message;
    int fd; /* goes with it, and is closed; or -1 */
};

struct worker {
    struct worker_config config;
    struct engine *engine;
    struct io_pool *disks, *jobs;
    char *swap;                /* the pool's file; NULL: none */
    struct io_queue job_queue; /* of `jobs` */
    struct pool *pool;
    struct link link;
    bool connected, quit;
    uint64_t alone_ns; /* since when there is no daemon */
    uint64_t quit_ns;  /* when what is left is killed */
    int waker;
    struct host_lock network_lock; /* networks are made and unmade one at a time; before `lock` */
    struct host_lock lock;         /* all below */
    struct hosted *bucket[WORKER_BUCKETS];
    unsigned count, alive;
    bool news; /* some VM has ended */
    struct origin *origins;
    struct network *networks;
    struct outgoing *first, *last; /* for the daemon, from other threads */
    unsigned busy;                 /* jobs under way */
};

/* From any thread: sent by the loop, if there is a daemon. Takes it over. */
void worker_post(struct worker *w, json_t *message);
void worker_post_fd(struct worker *w, json_t *message, int fd); /* takes both over */

/* worker_ops.c */
void worker_take(struct worker *w, json_t *message, int fd); /* takes both over */

/* worker_vm.c; from the loop or a job. */
struct hosted *worker_find(struct worker *w, uint64_t id); /* inside the lock */
/* A VM of `origin` that runs. */
struct vm_wish {
    uint64_t id, run;
    const char *name;
    uint32_t ip;     /* 0: that of a VM alone behind its NAT */
    uint32_t api_ip; /* where it finds the API; 0: nowhere */
    bool tty;
    const json_t *spec;
};
MUST_CHECK int worker_add(struct worker *w, struct origin *origin, struct network *network,
                          const struct vm_wish *wish, struct why *why);
/* Whether a VM that the daemon has forgotten can go: nobody looks at it, and the clients of its
 * console have heard all; or, for the loop, which serves them, have had their time. Inside the
 * lock. */
bool worker_may_remove(const struct hosted *h);
bool worker_is_overdue(const struct hosted *h);
/* Gone for good; it has ended. Inside the lock, which is left meanwhile. */
void worker_remove(struct worker *w, struct hosted *h);
void worker_on_end(void *opaque, struct pool_vm *vm, const struct pool_end *end);
MUST_CHECK int origin_open(struct worker *w, const json_t *spec, struct origin **out,
                           struct why *why);
void origin_release(struct worker *w, struct origin *origin);

/* worker_disks.c; of a VM that does not run meanwhile. */
bool disks_have_writable(const struct hosted *h);
/* The writable ones' contents, beside the snapshot file of that name. */
MUST_CHECK int disks_copy(const struct hosted *h, const char *snapshot, struct why *why);
void disks_drop_copies(const struct hosted *h, const char *snapshot);
json_t *disks_describe(const struct hosted *h, const char *snapshot);
/* Of a clone: layers on the snapshot's copies. disks_close_own in any case, when the VM is gone. */
MUST_CHECK int disks_open_own(struct hosted *h, struct why *why);
void disks_close_own(struct hosted *h);

/* worker_net.c */
MUST_CHECK int network_open(struct worker *w, const json_t *message, const json_t *spec,
                            struct network **out, struct why *why);
void network_release(struct worker *w, struct network *network);
/* The ports of the spec lead to `ip`. All or none. */
MUST_CHECK int network_publish(struct network *network, const json_t *spec, uint32_t ip,
                               struct why *why);
void network_withdraw(struct network *network, uint32_t ip);
/* Tells the daemon of NATs that died. */
void networks_watch(struct worker *w);

/* worker_api.c: the API at wish->api_ip, for the VM at wish->ip alone. */
MUST_CHECK int api_port_create(struct worker *w, struct network *network,
                               const struct vm_wish *wish, struct api_port **out, struct why *why);
void api_port_destroy(struct api_port *port); /* NULL is harmless */

#endif
