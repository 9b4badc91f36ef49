/* SPDX-License-Identifier: MIT */
/* A run of a PC under the debugger: gdb, the monitor, a file of commands, a socket, or several. */
#ifndef DENALI_PC_DEBUG_H
#define DENALI_PC_DEBUG_H

#include "emu/cli/pc/pc_options.h"
#include "emu/cli/pc/target_pc.h"

#include <stdio.h>

struct pc_debug_config {
    const struct pc_options *options;
    struct target_pc_config target;
    FILE *input; /* of commands; NULL: the terminal's prompt, if there is one */
    int signals; /* of host_signals_open; the monitor's, where there is one */
};

/* Whether commands are read here, so that signals and the terminal are the monitor's too. */
bool pc_debug_has_monitor(const struct pc_options *options);

/* To the end of the run or of the session. 0, *status and the *signal that ended it (0: none), or a
 * negative errno and `why`. */
MUST_CHECK int pc_debug_run(const struct pc_debug_config *config, int *status, int *signal,
                            struct why *why);

#endif
