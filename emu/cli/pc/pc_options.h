/* SPDX-License-Identifier: MIT */
/* What `denali pc` was asked to do. Strings are argv's own. */
#ifndef DENALI_PC_OPTIONS_H
#define DENALI_PC_OPTIONS_H

#include "devices/net_backends.h"
#include "emu/base/why.h"
#include "emu/cli/observe.h"

#define PC_MAX_STEPS 64u

/* What a person would do at the screen, in turn. */
struct pc_step {
    enum { PC_STEP_WAIT, PC_STEP_TYPE } kind;
    const char *text;
};

struct pc_options {
    const char *memory, *machine, *cpu, *bios, *vgabios, *kernel, *initrd, *append, *cmos;
    const char *hd[4], *cdrom, *fd[2], *virtio_disk, *virtio_console, *boot;
    const char *display, *debugcon, *screenshot, *engine, *net, *nic, *pcap, *timeout, *at;
    const char *serial[4];
    unsigned serials;
    const char *parallel[3];
    unsigned parallels;
    struct net_publish publish[NET_MAX_PUBLISH];
    unsigned publishes;
    struct pc_step step[PC_MAX_STEPS];
    unsigned steps;
    const char *gdb;                       /* [ADDR:]PORT */
    const char *commands, *monitor_socket; /* NULL: not said */
    const char *snapshot_save, *restore, *record;
    struct observe_options observe; /* --trace, --coverage */
    bool monitor, batch, state_hash;
    bool boot_menu, exit_port, exit_halt, screen_text, deterministic, no_reboot, verify, stands,
        help;
    /* Worked out from the above. */
    uint64_t ram_bytes, timeout_ns, at_ns; /* 0: not said */
};

/* Whether it runs under the debugger: by gdb, a prompt, commands of a file or a socket. */
static inline bool pc_options_debug(const struct pc_options *o)
{
    return o->gdb || o->monitor || o->commands;
}

/* From the words after the verb. 0, or -EINVAL and `why`. */
MUST_CHECK int pc_options_parse(int argc, char **argv, struct pc_options *out, struct why *why);
/* The same for options that did not come from a command line: what is wrong with them, and the
 * numbers worked out. */
MUST_CHECK int pc_options_check(struct pc_options *options, struct why *why);

#endif
