/* SPDX-License-Identifier: MIT */
/* What `denali run` was asked to do. Strings are argv's own. */
#ifndef DENALI_RUN_OPTIONS_H
#define DENALI_RUN_OPTIONS_H

#include "emu/cli/observe.h"
#include "devices/disk.h"
#include "devices/net_backends.h"
#include "emu/base/base.h"
#include "emu/base/why.h"

#define RUN_MAX_DISKS 14
#define RUN_MAX_ALSO 15

struct run_disk {
    char name[16];
    const char *file;
    const char *layer[DISK_MAX_LAYERS]; /* on it, lowest first */
    unsigned layers;
    bool readonly;
};

struct run_options {
    const char *image;
    char **args;     /* NULL-ended, after the image */
    uint64_t memory; /* 0: not said */
    const char *root, *cwd;
    struct run_disk disk[RUN_MAX_DISKS];
    unsigned disks;
    struct net_publish publish[NET_MAX_PUBLISH];
    unsigned publishes;
    const char *net; /* NULL: not said */
    const char *pcap;
    const char *engine;        /* NULL: not said */
    const char *record;        /* a folder; NULL: not said */
    uint64_t until, live_from; /* of replays, instructions; UINT64_MAX: not said */
    uint64_t timeout_ns;
    bool replay;                           /* the verb's */
    const char *commands, *monitor_socket; /* NULL: not said */
    bool monitor, batch;
    const char *gdb;                /* [ADDR:]PORT; NULL: not said */
    const char *also[RUN_MAX_ALSO]; /* more images, for the debugger */
    unsigned alsos;
    bool stands;                      /* the guest waits for the debugger */
    bool no_history;                  /* the debugger keeps no past */
    bool counts;                      /* the engine counts instructions, whatever else is said */
    struct observe_options observe;   /* --trace, --coverage */
    struct engine_coverage *coverage; /* the verb's, for the engine; NULL */
    bool hits;                        /* the verb's, for the engine */
    bool deterministic, verify, sync_interrupts, stats, json, quiet, help;
    const char **env; /* K=V or K, as given; freed by run_options_fini */
    unsigned envs;
};

/* From the words after the verb. 0, or -EINVAL (-ENOMEM) and `why`. */
MUST_CHECK int run_options_parse(int argc, char **argv, struct run_options *out, struct why *why);
/*
 * The same for a verb with options of its own: `take` is asked first. It returns how many words it
 * took (0: the option is not its own), or a negative errno and `why`. `words` end with NULL.
 */
struct run_options_more {
    int (*take)(void *opaque, char **words, struct why *why);
    void *opaque;
};
MUST_CHECK int run_options_parse_more(int argc, char **argv, const struct run_options_more *more,
                                      struct run_options *out, struct why *why);
/* "64M", "1G", "4096": bytes. False: it is not a size, or beyond 64 bits. */
bool run_options_size(const char *text, uint64_t *out);
void run_options_fini(struct run_options *options);

#endif
