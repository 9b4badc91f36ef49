/* SPDX-License-Identifier: MIT */
/* What the daemon was asked to be: command line over config file over defaults. */
#ifndef DENALI_HOST_DAEMON_SETTINGS_H
#define DENALI_HOST_DAEMON_SETTINGS_H

#include "emu/base/base.h"
#include "emu/base/why.h"

#define CONFIG_WORKERS_MAX 64u

struct config {
    char *socket, *state, *swap;    /* swap: NULL: none */
    uint64_t memory_bytes;          /* for all VMs together */
    unsigned workers, threads;      /* processes, and threads of each that run VMs */
    unsigned orphan_s;              /* how long workers live on without a daemon */
    unsigned grace_s;               /* of stop, and of the daemon's own end */
    bool detach, verify, no_verify; /* neither: where the verifier's library is */
    bool sync_interrupts;
};

/* From the words after the program's name. 0, or -EINVAL (-ENOMEM) and `why`. */
MUST_CHECK int config_parse(int argc, char **argv, struct config *out, struct why *why);
void config_fini(struct config *config);

#endif
