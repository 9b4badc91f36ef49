/* SPDX-License-Identifier: MIT */
/* A VM with a debugger: `denali debug`, and `denali run` with --monitor. */
#ifndef DENALI_RUN_DEBUG_H
#define DENALI_RUN_DEBUG_H

#include "emu/cli/run/run_options.h"

/* Runs to the end of the session; the options are freed. The exit status. `stands`: the guest does
 * not run before it is told to. */
int run_debug(struct run_options *options, bool stands);

#endif
