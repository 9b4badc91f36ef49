/* SPDX-License-Identifier: MIT */
#ifndef DENALI_HOST_LOGS_H
#define DENALI_HOST_LOGS_H

#include "emu/cli/host/host_client.h"

/* Prints the VM's log; with `follow`, until it has ended. Exit status. */
int host_show_logs(const struct host_args *args, const char *vm, bool follow);

#endif
