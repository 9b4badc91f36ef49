/* SPDX-License-Identifier: MIT */
/*
 * A group has a subnet while it has VMs, and after that until somebody else needs
 * it. Addresses are given in turn, so that one that has just become free is not
 * the next to be used.
 */
#include "denali/host/daemon/group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBNETS_FIRST 64u
#define SUBNETS_END 250u
#define HOSTS_FIRST 16u
#define HOSTS_END 65000u

struct group *group_find(struct fleet *fleet, const char *name)
{
    struct group *g = fleet->groups;
    while (g && strcmp(g->name, name))
        g = g->next;
    return g;
}

struct group *group_add(struct fleet *fleet, const char *name, uint32_t subnet)
{
    struct group *g = calloc(1, sizeof(*g) + HOSTS_END / 8 + 1);
    if (!g)
        return NULL;
    snprintf(g->name, sizeof(g->name), "%s", name);
    g->subnet = subnet;
    g->next_host = HOSTS_FIRST;
    g->worker = -1;
    g->next = fleet->groups;
    fleet->groups = g;
    return g;
}

void group_drop(struct fleet *fleet, struct group *group)
{
    struct group **at = &fleet->groups;
    while (*at && *at != group)
        at = &(*at)->next;
    if (!group || !*at)
        return;
    *at = group->next;
    free(group);
}

static bool is_used(const struct group *g, uint32_t host)
{
    return g->used[host / 8] >> host % 8 & 1;
}

static void set_used(struct group *g, uint32_t ip, bool used)
{
    uint32_t host = ip & 0xffff;
    if (!ip || host >= HOSTS_END)
        return;
    g->used[host / 8] = (uint8_t)(g->used[host / 8] & ~(1u << host % 8));
    g->used[host / 8] |= (uint8_t)(used << host % 8);
}

static uint32_t base_of(const struct group *g)
{
    return 10u << 24 | g->subnet << 16;
}

/* The next free address; 0: there is none. */
static uint32_t next_address(struct group *g)
{
    for (uint32_t tries = HOSTS_FIRST; tries < HOSTS_END; tries++) {
        uint32_t host = g->next_host;
        g->next_host = host + 1 < HOSTS_END ? host + 1 : HOSTS_FIRST;
        if (!is_used(g, host))
            return base_of(g) | host;
    }
    return 0;
}

/* Subnets. */

static uint32_t free_subnet(const struct fleet *fleet)
{
    bool used[SUBNETS_END] = {false};
    uint32_t subnet = SUBNETS_FIRST;
    for (const struct group *g = fleet->groups; g; g = g->next) {
        if (g->subnet < SUBNETS_END)
            used[g->subnet] = true;
    }
    while (subnet < SUBNETS_END && used[subnet])
        subnet++;
    return subnet < SUBNETS_END ? subnet : 0;
}

/* The group that was made first of those without VMs; NULL: all have some. */
static struct group *find_empty(const struct fleet *fleet)
{
    struct group *found = NULL;
    for (struct group *g = fleet->groups; g; g = g->next)
        found = g->vms ? found : g;
    return found;
}

static int note(struct fleet *fleet, json_t *line)
{
    int err = line ? journal_add(fleet->journal, line) : -ENOMEM;
    json_decref(line);
    return err;
}

struct group *fleet_group(struct fleet *fleet, const char *name)
{
    struct group *g = group_find(fleet, name);
    if (g)
        return g;
    uint32_t subnet = free_subnet(fleet);
    struct group *empty = subnet ? NULL : find_empty(fleet);
    if (empty && !note(fleet, json_pack("{s:s}", "nogroup", empty->name))) {
        subnet = empty->subnet;
        group_drop(fleet, empty);
    }
    if (!subnet ||
        note(fleet, json_pack("{s:{s:s, s:i}}", "group", "name", name, "subnet", (int)subnet)))
        return NULL;
    return group_add(fleet, name, subnet);
}

/* Members. */

static void take_place(struct fleet_vm *vm, struct group *group, uint32_t ip)
{
    vm->group = group;
    vm->ip = ip;
    group->vms++;
    set_used(group, ip, true);
}

int fleet_join(struct fleet *fleet, struct fleet_vm *vm, struct group *group, uint32_t ip)
{
    (void)fleet;
    uint32_t host = ip & 0xffff;
    if (ip && ((ip ^ base_of(group)) >> 16 || host < HOSTS_FIRST || host >= HOSTS_END))
        return -EINVAL;
    if (ip && is_used(group, host))
        return -EADDRINUSE;
    if (!ip && !(ip = next_address(group)))
        return -ENOSPC;
    take_place(vm, group, ip);
    return 0;
}

int fleet_join_api(struct fleet *fleet, struct fleet_vm *vm)
{
    (void)fleet;
    vm->api_ip = next_address(vm->group);
    set_used(vm->group, vm->api_ip, true);
    return vm->api_ip ? 0 : -ENOSPC;
}

void group_take_back(struct fleet_vm *vm, struct group *group, uint32_t ip, uint32_t api_ip)
{
    uint32_t last = (api_ip > ip ? api_ip : ip) & 0xffff;
    take_place(vm, group, ip);
    vm->api_ip = api_ip;
    set_used(group, api_ip, true);
    if (last >= group->next_host && last + 1 < HOSTS_END)
        group->next_host = last + 1;
}

void group_leave(struct fleet_vm *vm)
{
    if (!vm->group)
        return;
    set_used(vm->group, vm->ip, false);
    set_used(vm->group, vm->api_ip, false);
    vm->group->vms--;
    vm->group = NULL;
}
