/* SPDX-License-Identifier: MIT */
/* Groups of VMs, as the fleet knows them: names, subnets, addresses. */
#ifndef DENALI_HOST_DAEMON_GROUP_H
#define DENALI_HOST_DAEMON_GROUP_H

#include "denali/host/daemon/daemon.h"

struct group {
    struct group *next;
    char name[SPEC_NAME_MAX + 1];
    uint32_t subnet; /* 10.SUBNET.0.0/16 */
    uint32_t next_host;
    unsigned vms;
    int worker;     /* index; all VMs of a group are in one; -1: none yet */
    uint8_t used[]; /* a bit for each host */
};

struct group *group_find(struct fleet *fleet, const char *name);
/* NULL: no memory. */
struct group *group_add(struct fleet *fleet, const char *name, uint32_t subnet);
/* It has no VMs; NULL is harmless. */
void group_drop(struct fleet *fleet, struct group *group);
/* A VM of the journal is where it was. */
void group_take_back(struct fleet_vm *vm, struct group *group, uint32_t ip, uint32_t api_ip);
/* The VM's addresses are free again. */
void group_leave(struct fleet_vm *vm);

#endif
