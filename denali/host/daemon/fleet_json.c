/* SPDX-License-Identifier: MIT */
/* VMs as JSON: for the journal, and for people. */
#include "denali/host/daemon/fleet_json.h"
#include "denali/host/daemon/group.h"

#include <stdio.h>
#include <string.h>

static const char *const life_names[] = {
    [VM_CREATING] = "creating", [VM_CREATED] = "created",   [VM_STARTING] = "starting",
    [VM_RUNNING] = "running",   [VM_STOPPING] = "stopping", [VM_FINISHED] = "ended",
};

const char *fleet_life_name(enum vm_life life)
{
    return life_names[life];
}

static void put_address(json_t *object, const struct fleet_vm *vm)
{
    char text[16];
    if (vm->group)
        json_object_set_new(object, "group", json_string(vm->group->name));
    if (!vm->ip)
        return;
    snprintf(text, sizeof(text), "%u.%u.%u.%u", vm->ip >> 24, vm->ip >> 16 & 255, vm->ip >> 8 & 255,
             vm->ip & 255);
    json_object_set_new(object, "ip", json_string(text));
}

/* "ran": it was running, so that a daemon that comes back knows what was interrupted. */
json_t *fleet_line(const struct fleet_vm *vm)
{
    bool ran = vm->life == VM_STARTING || vm->life == VM_RUNNING || vm->life == VM_STOPPING;
    json_t *o = json_pack("{s:I, s:s, s:O, s:b, s:b, s:I, s:I, s:I, s:I}", "id", (json_int_t)vm->id,
                          "name", vm->name, "spec", vm->spec, "wanted", vm->wanted, "ran", ran,
                          "run", (json_int_t)vm->run, "created", (json_int_t)vm->created_ms,
                          "started", (json_int_t)vm->started_ms, "ended", (json_int_t)vm->ended_ms);
    if (o && vm->end)
        json_object_set(o, "end", vm->end);
    if (o && vm->group) {
        json_object_set_new(o, "group", json_string(vm->group->name));
        json_object_set_new(o, "ip", json_integer(vm->ip));
        json_object_set_new(o, "api_ip", json_integer(vm->api_ip));
    }
    return o ? json_pack("{s:o}", "vm", o) : NULL;
}

static uint64_t number(const json_t *line, const char *member)
{
    return (uint64_t)json_integer_value(json_object_get(line, member));
}

void fleet_read_line(struct fleet_vm *vm, const json_t *line)
{
    json_t *end = json_object_get(line, "end");
    bool ran = spec_flag(line, "ran");
    vm->wanted = spec_flag(line, "wanted");
    vm->run = number(line, "run");
    vm->created_ms = number(line, "created");
    vm->started_ms = number(line, "started");
    vm->ended_ms = number(line, "ended");
    vm->life = ran ? VM_RUNNING : end ? VM_FINISHED : VM_CREATED;
    json_decref(vm->end);
    vm->end = json_incref(end);
}

json_t *fleet_describe(const struct fleet_vm *vm)
{
    json_t *o = json_pack("{s:I, s:s, s:s, s:O, s:I, s:I}", "id", (json_int_t)vm->id, "name",
                          vm->name, "state", life_names[vm->life], "spec", vm->spec, "created_ms",
                          (json_int_t)vm->created_ms, "restarts", (json_int_t)vm->restarts);
    if (!o)
        return NULL;
    put_address(o, vm);
    if (vm->started_ms)
        json_object_set_new(o, "started_ms", json_integer((json_int_t)vm->started_ms));
    if (vm->worker >= 0)
        json_object_set_new(o, "worker", json_integer(vm->worker));
    if (vm->life == VM_FINISHED && vm->ended_ms)
        json_object_set_new(o, "ended_ms", json_integer((json_int_t)vm->ended_ms));
    if (vm->end && (vm->life == VM_FINISHED || vm->restart_ns || vm->restarts))
        json_object_set(o, "end", vm->end);
    if (vm->restart_ns)
        json_object_set_new(o, "restarting", json_true());
    return o;
}
