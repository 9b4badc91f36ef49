/* SPDX-License-Identifier: MIT */
/* A VM of the fleet as a line of the journal. */
#ifndef DENALI_HOST_DAEMON_FLEET_JSON_H
#define DENALI_HOST_DAEMON_FLEET_JSON_H

#include "denali/host/daemon/daemon.h"

json_t *fleet_line(const struct fleet_vm *vm);
/* Everything of the line but id, name, spec, group and address. */
void fleet_read_line(struct fleet_vm *vm, const json_t *line);

#endif
