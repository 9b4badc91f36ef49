/* SPDX-License-Identifier: MIT */
/*
 * Snapshots: NAME.snap is the VM at rest, NAME.json says what it was and is
 * written last: a snapshot without it does not exist. Clones are VMs whose spec
 * is the origin's, with the snapshot's name in it.
 */
#include "denali/host/daemon/vms.h"

#include "emu/base/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLONES_MAX 100000
#define CLONE_NS 120000000000u

/* Take. */

static int write_whole(const char *path, const char *text)
{
    char *fresh;
    if (asprintf(&fresh, "%s.new", path) < 0)
        return -ENOMEM;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    int err = fd < 0 || write(fd, text, len) != (ssize_t)len || fsync(fd) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (!err && rename(fresh, path))
        err = -errno;
    if (err)
        unlink(fresh);
    free(fresh);
    return err;
}

static json_t *describe_taken(const struct fleet_vm *vm, const char *name, const json_t *answer)
{
    json_t *o = json_pack("{s:s, s:s, s:O, s:I}", "name", name, "vm", vm->name, "spec", vm->spec,
                          "created_ms", (json_int_t)vms_wall_ms());
    if (o && json_object_get(answer, "bytes"))
        json_object_set(o, "bytes", json_object_get(answer, "bytes"));
    if (o && json_object_get(answer, "disks"))
        json_object_set(o, "disks", json_object_get(answer, "disks"));
    return o;
}

static void taken(struct daemon *d, struct ask *ask, const json_t *answer)
{
    struct fleet_vm *vm = fleet_by_id(&d->fleet, ask->vm);
    const char *name = json_string_value(ask->more);
    struct call *call = ask->call;
    if (vms_refused(call, answer) || !vm)
        return;
    json_t *o = describe_taken(vm, name, answer);
    char *path = vms_path(d, "snapshots", name, ".json"), *text = o ? json_dumps(o, 0) : NULL;
    int err = path && text ? write_whole(path, text) : -ENOMEM;
    free(path);
    free(text);
    if (err) {
        json_decref(o);
        if (call)
            call_fail(call, 507, "no_space", "the snapshot cannot be kept: %s", strerror(-err));
    } else if (call) {
        call_answer(call, 201, o);
    } else {
        json_decref(o);
    }
}

static bool exists(struct daemon *d, const char *name)
{
    char *path = vms_path(d, "snapshots", name, ".json");
    bool found = path && !access(path, F_OK);
    free(path);
    return found;
}

void snapshots_take(struct daemon *d, struct call *call, struct fleet_vm *vm, const char *name)
{
    if (!name || !spec_is_name(name)) {
        call_fail(call, 400, "bad_name", "\"name\" must be a name for the snapshot");
        return;
    }
    if (exists(d, name)) {
        call_fail(call, 409, "name_taken", "there is a snapshot %s already", name);
        return;
    }
    if (vm->life != VM_RUNNING) {
        call_fail(call, 409, "wrong_state", "VM %s is %s", vm->name, fleet_life_name(vm->life));
        return;
    }
    char *path = vms_path(d, "snapshots", name, ".snap");
    struct ask *ask =
        vms_ask(d, call, vm, "snapshot", json_pack("{s:s}", "path", path ? path : ""), taken);
    free(path);
    if (!ask)
        return;
    ask->more = json_string(name);
    call->deadline_ns = host_monotonic_ns() + CLONE_NS;
}

/* List, show, remove. */

static json_t *load(struct daemon *d, const char *name)
{
    char *path = spec_is_name(name) ? vms_path(d, "snapshots", name, ".json") : NULL;
    json_t *o = path ? json_load_file(path, 0, NULL) : NULL;
    free(path);
    if (json_is_object(o) && json_is_object(json_object_get(o, "spec")))
        return o;
    json_decref(o);
    return NULL;
}

static json_t *load_or_fail(struct daemon *d, struct call *call, const char *name)
{
    json_t *o = load(d, name);
    if (!o)
        call_fail(call, 404, "not_found", "there is no snapshot %.64s", name);
    return o;
}

bool snapshots_is_of(struct daemon *d, const char *name, const char *group)
{
    json_t *o = load(d, name);
    const char *of = spec_text(json_object_get(o, "spec"), "group");
    bool is = of && !strcmp(of, group);
    json_decref(o);
    return is;
}

void snapshots_list(struct daemon *d, struct call *call)
{
    char *path = vms_path(d, "snapshots", ".", "");
    DIR *dir = path ? opendir(path) : NULL;
    json_t *list = json_array();
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 5, ".json"))
            continue;
        entry->d_name[len - 5] = 0;
        json_t *o = load(d, entry->d_name);
        if (o)
            json_array_append_new(list, o);
    }
    if (dir)
        closedir(dir);
    free(path);
    call_answer(call, 200, json_pack("{s:o}", "snapshots", list));
}

void snapshots_show(struct daemon *d, struct call *call, const char *name)
{
    json_t *o = load_or_fail(d, call, name);
    if (o)
        call_answer(call, 200, o);
}

static bool is_used(struct daemon *d, const char *name)
{
    for (struct fleet_vm *vm = d->fleet.all.next; vm != &d->fleet.all; vm = vm->next) {
        const char *of = spec_text(vm->spec, "snapshot");
        if (of && !strcmp(of, name))
            return true;
    }
    return false;
}

static void remove_copies(const json_t *record)
{
    size_t i;
    json_t *disk;
    json_array_foreach(json_object_get(record, "disks"), i, disk)
    {
        if (spec_flag(disk, "copied") && spec_text(disk, "file"))
            unlink(spec_text(disk, "file"));
    }
}

void snapshots_remove(struct daemon *d, struct call *call, const char *name)
{
    json_t *o = load_or_fail(d, call, name);
    if (!o)
        return;
    if (is_used(d, name)) {
        json_decref(o);
        call_fail(call, 409, "in_use", "there are clones of snapshot %s; remove them first", name);
        return;
    }
    char *meta = vms_path(d, "snapshots", name, ".json");
    char *file = vms_path(d, "snapshots", name, ".snap");
    if (meta && file && !unlink(meta)) {
        unlink(file);
        remove_copies(o);
    }
    free(meta);
    free(file);
    call_answer(call, 200, o);
}

/* Clone. */

struct wish {
    json_int_t count;
    char prefix[SPEC_NAME_MAX - 20];
    const char *group;
    json_t *spec; /* of all of them */
};

/* Clones have the disks that the snapshot took along, and write to layers of their own. */
static void use_copies(json_t *spec, const json_t *record)
{
    json_t *disks = json_deep_copy(json_object_get(spec, "disks")), *disk, *copy;
    size_t i, k;
    json_array_foreach(json_object_get(record, "disks"), i, copy)
    {
        json_array_foreach(disks, k, disk)
        {
            const char *name = spec_text(disk, "name"), *of = spec_text(copy, "name");
            if (!spec_flag(copy, "copied") || !name || !of || strcmp(name, of))
                continue;
            json_object_set(disk, "file", json_object_get(copy, "file"));
            json_object_set_new(disk, "readonly", json_true());
            json_object_del(disk, "cow");
        }
    }
    if (disks)
        json_object_set_new(spec, "disks", disks);
}

static int parse_wish(const json_t *body, const char *snapshot, const json_t *record,
                      struct wish *out, struct why *why)
{
    const json_t *origin = json_object_get(record, "spec");
    const json_t *count = json_object_get(body, "count"), *name = json_object_get(body, "name");
    const json_t *group = json_object_get(body, "group"),
                 *policy = json_object_get(body, "restart");
    const char *key, *old = spec_text(origin, "group");
    json_t *value;
    json_object_foreach((json_t *)body, key, value)
    {
        if (strcmp(key, "count") && strcmp(key, "name") && strcmp(key, "group") &&
            strcmp(key, "restart"))
            return why_fail(why, -EINVAL,
                            "there is no member \"%.40s\"; a clone takes count, "
                            "name, group and restart",
                            key);
    }
    out->count = count ? json_integer_value(count) : 1;
    if (out->count < 1 || out->count > CLONES_MAX || (count && !json_is_integer(count)))
        return why_fail(why, -EINVAL, "\"count\" must be a number from 1 to %d", CLONES_MAX);
    if ((name && (!json_is_string(name) || !spec_is_name(json_string_value(name)))) ||
        (group && (!json_is_string(group) || !spec_is_name(json_string_value(group)))))
        return why_fail(why, -EINVAL, "\"name\" and \"group\" must be names");
    out->group = group ? json_string_value(group) : old ? old : snapshot;
    snprintf(out->prefix, sizeof(out->prefix), "%.40s", name ? json_string_value(name) : snapshot);
    out->spec = json_copy((json_t *)origin);
    json_object_set_new(out->spec, "snapshot", json_string(snapshot));
    static const char *const own[] = {"name", "ip", "publish", "start", "net", "supervisor"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        json_object_del(out->spec, own[i]);
    json_object_set_new(out->spec, "group", json_string(out->group));
    use_copies(out->spec, record);
    if (policy)
        json_object_set(out->spec, "restart", (json_t *)policy);
    json_t *check = json_copy(out->spec);
    json_object_del(check, "snapshot");
    int err = spec_check(check, why);
    json_decref(check);
    return err;
}

static void name_clone(const struct wish *w, const char *given, json_int_t i, char *out)
{
    if (w->count == 1 && given)
        snprintf(out, SPEC_NAME_MAX + 1, "%s", given);
    else
        snprintf(out, SPEC_NAME_MAX + 1, "%s-%lld", w->prefix, (long long)i + 1);
}

/* The first number of a batch without a name of its own, so that its names are free. */
static json_int_t first_number(const struct daemon *d, bool given)
{
    return given ? 0 : (json_int_t)d->fleet.next_id - 1;
}

static void clones_started(struct daemon *d, struct ask *ask, const json_t *answer);

static void clones_expired(struct daemon *d, struct call *call)
{
    (void)d;
    call_fail(call, 504, "stalled", "the worker does not answer; the clones may still come");
}

static void drop_batch(struct daemon *d, json_t *ids)
{
    size_t i;
    json_t *id;
    json_array_foreach(ids, i, id)
    {
        struct fleet_vm *vm = fleet_by_id(&d->fleet, (uint64_t)json_integer_value(id));
        if (!vm)
            continue;
        if (fleet_note_gone(&d->fleet, vm->id))
            daemon_log("the journal could not be written");
        if (vm->worker >= 0)
            d->worker[vm->worker].vms--;
        fleet_drop(&d->fleet, vm);
    }
}

/* One more VM of the batch: in the fleet, in the journal, in both lists. 0, or the call is
 * answered. */
static int add_clone(struct daemon *d, struct call *call, const struct wish *w, struct group *group,
                     const char *name, json_t *ids, json_t *items, struct worker *worker)
{
    struct fleet_vm *vm =
        fleet_by_name(&d->fleet, name) ? NULL : fleet_add(&d->fleet, name, w->spec);
    if (!vm) {
        call_fail(call, 409, "name_taken", "there is a VM %s already, or no memory", name);
        return -EEXIST;
    }
    json_array_append_new(ids, json_integer((json_int_t)vm->id));
    vm->created_ms = vms_wall_ms();
    int err = fleet_join(&d->fleet, vm, group, 0);
    if (!err) {
        vms_set_starting(d, vm, worker);
        err = fleet_note(&d->fleet, vm);
    }
    if (!err)
        err = json_array_append_new(items, vms_start_item(vm)) ? -ENOMEM : 0;
    if (err)
        call_fail(call, 507, "no_space", "cannot make that many clones: %s",
                  err == -ENOSPC ? "no address or disk space is left" : strerror(-err));
    return err;
}

static void send_clones(struct daemon *d, struct call *call, struct wish *w, struct group *group,
                        const char *given)
{
    struct fleet_vm probe = {.group = group};
    struct worker *worker = workers_pick(d, &probe);
    json_t *ids = json_array(), *items = json_array();
    char name[SPEC_NAME_MAX + 1];
    json_int_t first = first_number(d, given);
    int err = worker && worker->life != WORKER_DOWN ? 0 : -EAGAIN;
    if (err)
        call_fail(call, 503, "no_worker", "no worker can take them now");
    for (json_int_t i = 0; !err && i < w->count; i++) {
        name_clone(w, given, first + i, name);
        err = add_clone(d, call, w, group, name, ids, items, worker);
    }
    if (!err && fleet_sync(&d->fleet)) {
        call_fail(call, 507, "no_space", "the journal cannot be written");
        err = -EIO;
    }
    struct ask *ask =
        err ? NULL : vms_send_start(d, worker, w->spec, group, json_incref(items), clones_started);
    if (!err && !ask)
        call_fail(call, 503, "no_worker", "no worker can take them now");
    if (ask) {
        ask->more = json_incref(ids);
        ask->call = call;
        call->asks++;
        call_wait(call, CLONE_NS, clones_expired);
    } else {
        drop_batch(d, ids);
    }
    json_decref(ids);
    json_decref(items);
}

void snapshots_clone(struct daemon *d, struct call *call, const char *name, const json_t *body)
{
    json_t *origin = load_or_fail(d, call, name);
    struct wish w = {0};
    struct why why = {""};
    if (!origin)
        return;
    int err = parse_wish(body, name, origin, &w, &why);
    struct group *group = err ? NULL : fleet_group(&d->fleet, w.group);
    if (err)
        call_fail(call, 400, "bad_request", "%s", why.text);
    else if (!group)
        call_fail(call, 507, "bad_group", "no subnet is left for one more group");
    else
        send_clones(d, call, &w, group, spec_text(body, "name"));
    json_decref(w.spec);
    json_decref(origin);
}

static json_t *brief(const struct fleet_vm *vm)
{
    json_t *o = json_pack("{s:I, s:s, s:s}", "id", (json_int_t)vm->id, "name", vm->name, "state",
                          fleet_life_name(vm->life));
    char ip[16];
    snprintf(ip, sizeof(ip), "%u.%u.%u.%u", vm->ip >> 24, vm->ip >> 16 & 255, vm->ip >> 8 & 255,
             vm->ip & 255);
    if (o && vm->ip)
        json_object_set_new(o, "ip", json_string(ip));
    return o;
}

/* Those that the worker could not make have ended; the others run. */
static void settle_batch(struct daemon *d, const json_t *answer, json_t *ids)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(answer, "failed"), i, item)
    {
        struct fleet_vm *vm =
            fleet_by_id(&d->fleet, (uint64_t)json_integer_value(json_object_get(item, "id")));
        const char *error = spec_text(item, "error");
        if (vm && vm->life == VM_STARTING)
            vms_ended(d, vm, "cannot-start", 125, error ? error : "refused");
    }
    json_array_foreach(ids, i, item)
    {
        struct fleet_vm *vm = fleet_by_id(&d->fleet, (uint64_t)json_integer_value(item));
        if (vm && vm->life == VM_STARTING) {
            vm->life = VM_RUNNING;
            vm->started_ms = vms_wall_ms();
        }
    }
}

static void clones_started(struct daemon *d, struct ask *ask, const json_t *answer)
{
    struct call *call = ask->call;
    json_t *list = json_array(), *id;
    size_t i, running = 0;
    if (!answer || json_object_get(answer, "error")) {
        vms_refused(call, answer);
        if (answer) /* not one of them exists; a dead worker's are restarted by policy */
            drop_batch(d, ask->more);
        json_decref(list);
        return;
    }
    settle_batch(d, answer, ask->more);
    json_array_foreach(ask->more, i, id)
    {
        struct fleet_vm *vm = fleet_by_id(&d->fleet, (uint64_t)json_integer_value(id));
        if (vm)
            json_array_append_new(list, brief(vm));
        running += vm && vm->life == VM_RUNNING;
    }
    if (call)
        call_answer(call, 201,
                    json_pack("{s:I, s:o}", "started", (json_int_t)running, "vms", list));
    else
        json_decref(list);
}
