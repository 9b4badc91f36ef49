/* SPDX-License-Identifier: MIT */
/* The verbs of the host: the daemon, and those that ask it. */
#ifndef DENALI_HOST_VERBS_H
#define DENALI_HOST_VERBS_H

#include "emu/cli/cli.h"

extern const struct cli_verb cli_host, cli_create, cli_start, cli_stop, cli_kill, cli_rm, cli_ps,
    cli_inspect, cli_stats, cli_console, cli_logs, cli_snapshot, cli_clone, cli_wait;

#define HOST_VERBS                                                                                 \
    &cli_host, &cli_create, &cli_start, &cli_stop, &cli_kill, &cli_rm, &cli_ps, &cli_inspect,      \
        &cli_stats, &cli_console, &cli_logs, &cli_snapshot, &cli_clone, &cli_wait

#endif
