/* SPDX-License-Identifier: MIT */
/* The host resources of one `denali run`: disks, NIC, the threads of the disks. */
#ifndef DENALI_RUN_RESOURCES_H
#define DENALI_RUN_RESOURCES_H

#include "denali/vm.h"
#include "emu/cli/run/run_boot.h"

struct run_resources {
    struct vm_resource list[RUN_MAX_DISKS + 3];
    const char *path[RUN_MAX_DISKS + 3]; /* of disks */
    unsigned count;
    struct net_backend *net;
    struct io_pool *pool;
};

/* 0, or a negative errno and `why`; nothing is left open then. The options outlive what is opened:
 * names of disks stay in them. */
MUST_CHECK int run_resources_open(const struct run_options *options, const struct boot *boot,
                                  struct run_resources *out, struct why *why);
void run_resources_close(struct run_resources *resources);

#endif
