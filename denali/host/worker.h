/* SPDX-License-Identifier: MIT */
/*
 * A worker: a process that runs VMs for the daemon (daemon/daemon.h), in one pool.
 * It listens on a socket for one daemon at a time and does what that says; when
 * the daemon is gone it goes on, and ends if none has come after a while.
 */
#ifndef DENALI_HOST_WORKER_H
#define DENALI_HOST_WORKER_H

#include "denali/vm.h"

/* What a VM is made of. */
struct worker_machine {
    struct image *image;
    uint64_t mem_bytes; /* 0: the image's wish */
    const char *const *args, *const *env;
    const struct vm_resource *disk;
    unsigned disks;
    const char *const *disk_file; /* where each of them is */
    void *opaque;                 /* the wiring's */
};

/* What a worker cannot do itself, for it lies on floors above. From several threads. */
struct worker_wiring {
    /* -ENOPKG: the verifier's library is not there. */
    int (*engine)(bool verify, struct engine **out, struct why *why);
    /* From the words of a `denali run` command line; may take long (a root is packed). */
    int (*open)(int argc, char **argv, struct worker_machine *out, struct why *why);
    void (*close)(struct worker_machine *machine);
    /* What a clone is told of its address and name begins so ("denali.net="). */
    const char *net_param, *hostname_param;
};

/* Whether translations are verified before they run. */
enum worker_verify {
    WORKER_VERIFY_IF_CAN, /* where the verifier's library is */
    WORKER_VERIFY,
    WORKER_VERIFY_NOT,
};

struct worker_config {
    unsigned index, threads;
    uint64_t memory_bytes; /* for its VMs */
    uint64_t orphan_ns;    /* how long it lives without a daemon */
    const char *state;     /* the daemon's folder */
    const char *swap;      /* NULL: none */
    int listener;
    enum worker_verify verify;
    bool sync_interrupts; /* as in pool_config */
    const struct worker_wiring *wiring;
};

/* Returns when it was told to end, or was alone too long. Negative errno and `why`: it could not
 * begin. */
MUST_CHECK int worker_run(const struct worker_config *config, struct why *why);

#endif
