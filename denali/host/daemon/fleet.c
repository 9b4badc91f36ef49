/* SPDX-License-Identifier: MIT */
/*
 * The VMs that there are, and the journal that remembers them. A line of the
 * journal is {"vm": {...}}, {"group": {...}}, or {"gone": ID}; the last one about
 * a VM counts.
 */
#include "denali/host/daemon/daemon.h"

#include "denali/host/daemon/fleet_json.h"
#include "denali/host/daemon/group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Old lines that are worth a new file. */
#define REWRITE_LINES 20000u

static unsigned hash_name(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h % FLEET_BUCKETS;
}

struct fleet_vm *fleet_by_name(struct fleet *fleet, const char *name)
{
    struct fleet_vm *vm = fleet->by_name[hash_name(name)];
    while (vm && strcmp(vm->name, name))
        vm = vm->same_name;
    return vm;
}

struct fleet_vm *fleet_by_id(struct fleet *fleet, uint64_t id)
{
    struct fleet_vm *vm = fleet->by_id[id % FLEET_BUCKETS];
    while (vm && vm->id != id)
        vm = vm->same_id;
    return vm;
}

struct fleet_vm *fleet_find(struct fleet *fleet, const char *ref)
{
    char *end;
    if (*ref >= '0' && *ref <= '9') {
        unsigned long long id = strtoull(ref, &end, 10);
        struct fleet_vm *vm = *end ? NULL : fleet_by_id(fleet, id);
        if (vm)
            return vm;
    }
    return fleet_by_name(fleet, ref);
}

static void link_vm(struct fleet *fleet, struct fleet_vm *vm)
{
    struct fleet_vm **name = &fleet->by_name[hash_name(vm->name)];
    struct fleet_vm **id = &fleet->by_id[vm->id % FLEET_BUCKETS];
    vm->same_name = *name;
    *name = vm;
    vm->same_id = *id;
    *id = vm;
    vm->prev = fleet->all.prev;
    vm->next = &fleet->all;
    vm->prev->next = vm;
    fleet->all.prev = vm;
    fleet->count++;
}

static void unlink_vm(struct fleet *fleet, struct fleet_vm *vm)
{
    struct fleet_vm **at = &fleet->by_name[hash_name(vm->name)];
    while (*at != vm)
        at = &(*at)->same_name;
    *at = vm->same_name;
    at = &fleet->by_id[vm->id % FLEET_BUCKETS];
    while (*at != vm)
        at = &(*at)->same_id;
    *at = vm->same_id;
    vm->prev->next = vm->next;
    vm->next->prev = vm->prev;
    fleet->count--;
}

static struct fleet_vm *add(struct fleet *fleet, uint64_t id, const char *name, json_t *spec)
{
    struct fleet_vm *vm = calloc(1, sizeof(*vm));
    if (!vm)
        return NULL;
    vm->id = id;
    vm->spec = json_incref(spec);
    vm->worker = -1;
    if (*name)
        snprintf(vm->name, sizeof(vm->name), "%s", name);
    else
        snprintf(vm->name, sizeof(vm->name), "vm-%llu", (unsigned long long)id);
    link_vm(fleet, vm);
    return vm;
}

struct fleet_vm *fleet_add(struct fleet *fleet, const char *name, json_t *spec)
{
    struct fleet_vm *vm = add(fleet, fleet->next_id, name, spec);
    if (vm)
        fleet->next_id++;
    return vm;
}

void fleet_set_timer(struct fleet *fleet, uint64_t *timer, uint64_t when_ns)
{
    fleet->timers += !!when_ns;
    fleet->timers -= !!*timer;
    *timer = when_ns;
}

void fleet_drop(struct fleet *fleet, struct fleet_vm *vm)
{
    fleet_set_timer(fleet, &vm->restart_ns, 0);
    fleet_set_timer(fleet, &vm->kill_ns, 0);
    unlink_vm(fleet, vm);
    group_leave(vm);
    json_decref(vm->spec);
    json_decref(vm->end);
    free(vm);
}

void fleet_set_end(struct fleet_vm *vm, const char *reason, int status, const char *message)
{
    json_decref(vm->end);
    vm->end = json_pack("{s:s, s:i, s:s%}", "reason", reason, "status", status, "message", message,
                        strlen(message));
    if (!vm->end) /* what a guest's report holds may be no text */
        vm->end = json_pack("{s:s, s:i, s:s}", "reason", reason, "status", status, "message", "");
}

/* The journal. */

/* One that is being removed is gone already, for the journal. */
int fleet_note(struct fleet *fleet, const struct fleet_vm *vm)
{
    if (vm->removing)
        return 0;
    json_t *line = fleet_line(vm);
    int err = line ? journal_add(fleet->journal, line) : -ENOMEM;
    json_decref(line);
    return err;
}

int fleet_note_gone(struct fleet *fleet, uint64_t id)
{
    json_t *line = json_pack("{s:I}", "gone", (json_int_t)id);
    int err = line ? journal_add(fleet->journal, line) : -ENOMEM;
    json_decref(line);
    return err;
}

struct rewrite {
    struct fleet *fleet;
    struct group *group;
    struct fleet_vm *vm;
    bool counted;
};

static json_t *next_line(void *opaque)
{
    struct rewrite *r = opaque;
    struct group *g = r->group;
    if (!r->counted) {
        r->counted = true;
        return json_pack("{s:I}", "next", (json_int_t)r->fleet->next_id);
    }
    if (g) {
        r->group = g->next;
        return json_pack("{s:{s:s, s:i}}", "group", "name", g->name, "subnet", (int)g->subnet);
    }
    while (r->vm != &r->fleet->all && (r->vm->life == VM_CREATING || r->vm->removing))
        r->vm = r->vm->next;
    if (r->vm == &r->fleet->all)
        return NULL;
    json_t *line = fleet_line(r->vm);
    r->vm = r->vm->next;
    return line;
}

int fleet_sync(struct fleet *fleet)
{
    int err = journal_sync(fleet->journal);
    fleet->unsynced = false;
    if (err || journal_lines(fleet->journal) < REWRITE_LINES + 2 * fleet->count)
        return err;
    struct rewrite r = {fleet, fleet->groups, fleet->all.next, false};
    /* A journal that cannot be made shorter is still whole. */
    if (journal_rewrite(fleet->journal, next_line, &r))
        daemon_log("the journal could not be rewritten; it goes on as it is");
    return 0;
}

static void read_vm(struct fleet *fleet, const json_t *line)
{
    uint64_t id = (uint64_t)json_integer_value(json_object_get(line, "id"));
    const char *name = spec_text(line, "name");
    json_t *spec = json_object_get(line, "spec");
    struct fleet_vm *vm = id ? fleet_by_id(fleet, id) : NULL;
    if (!vm && id && name && spec)
        vm = add(fleet, id, name, spec);
    if (!vm)
        return;
    if (id >= fleet->next_id)
        fleet->next_id = id + 1;
    fleet_read_line(vm, line);
    const char *group = spec_text(line, "group");
    if (group && !vm->group && group_find(fleet, group))
        group_take_back(vm, group_find(fleet, group),
                        (uint32_t)json_integer_value(json_object_get(line, "ip")),
                        (uint32_t)json_integer_value(json_object_get(line, "api_ip")));
}

static void read_line(void *opaque, json_t *line)
{
    struct fleet *fleet = opaque;
    json_t *vm = json_object_get(line, "vm"), *group = json_object_get(line, "group");
    json_t *empty = json_object_get(line, "nogroup");
    json_t *gone = json_object_get(line, "gone"), *next = json_object_get(line, "next");
    if (vm)
        read_vm(fleet, vm);
    else if (group && spec_text(group, "name"))
        group_add(fleet, spec_text(group, "name"),
                  (uint32_t)json_integer_value(json_object_get(group, "subnet")));
    else if (empty)
        group_drop(fleet, group_find(fleet, json_string_value(empty)));
    else if (next)
        fleet->next_id = (uint64_t)json_integer_value(next);
    struct fleet_vm *old = gone ? fleet_by_id(fleet, (uint64_t)json_integer_value(gone)) : NULL;
    if (old)
        fleet_drop(fleet, old);
}

int fleet_open(struct fleet *fleet, const char *state, struct why *why)
{
    char *path;
    memset(fleet, 0, sizeof(*fleet));
    fleet->all.next = fleet->all.prev = &fleet->all;
    fleet->next_id = 1;
    if (asprintf(&path, "%s/journal", state) < 0)
        return why_fail(why, -ENOMEM, "no memory");
    int err = journal_open(path, read_line, fleet, &fleet->journal, why);
    free(path);
    return err;
}

void fleet_close(struct fleet *fleet)
{
    while (fleet->all.next && fleet->all.next != &fleet->all)
        fleet_drop(fleet, fleet->all.next);
    while (fleet->groups)
        group_drop(fleet, fleet->groups);
    journal_close(fleet->journal);
}
