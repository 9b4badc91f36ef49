/* SPDX-License-Identifier: MIT */
/* From a spec to a VM that runs: create checks it in a worker, start sends it there. */
#include "denali/host/daemon/vms.h"
#include "denali/host/daemon/group.h"

#include "emu/base/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A root may be packed meanwhile. */
#define START_NS 300000000000u

static void start_expired(struct daemon *d, struct call *call)
{
    (void)d;
    call_fail(call, 504, "slow", "the VM has not started yet; it still may");
}

/* Start. */

json_t *vms_start_item(const struct fleet_vm *vm)
{
    return json_pack("{s:I, s:I, s:s, s:I, s:I}", "id", (json_int_t)vm->id, "run",
                     (json_int_t)vm->run, "name", vm->name, "ip", (json_int_t)vm->ip, "api_ip",
                     (json_int_t)vm->api_ip);
}

struct ask *vms_send_start(struct daemon *d, struct worker *worker, const json_t *spec,
                           const struct group *group, json_t *list,
                           void (*done)(struct daemon *d, struct ask *ask, const json_t *answer))
{
    json_t *m = json_pack("{s:s, s:O, s:o}", "op", "start", "spec", (json_t *)spec, "vms", list);
    (void)d;
    if (m && group) {
        json_object_set_new(m, "group", json_string(group->name));
        json_object_set_new(m, "subnet", json_integer((json_int_t)group->subnet));
    }
    return ask_send(worker, m, done, -1);
}

void vms_set_starting(struct daemon *d, struct fleet_vm *vm, struct worker *worker)
{
    fleet_set_timer(&d->fleet, &vm->restart_ns, 0);
    fleet_set_timer(&d->fleet, &vm->kill_ns, 0);
    vm->life = VM_STARTING;
    vm->wanted = true;
    vm->run++;
    vm->worker = (int)worker->index;
    worker->vms++;
}

void vms_set_running(struct daemon *d, struct fleet_vm *vm)
{
    if (vm->life == VM_STARTING)
        vm->life = VM_RUNNING;
    vm->started_ms = vms_wall_ms();
    if (fleet_note(&d->fleet, vm))
        daemon_log("VM %s runs, but the journal could not be written", vm->name);
}

static void answer_start(struct call *call, const struct fleet_vm *vm)
{
    if (call)
        call_answer(call, 200, fleet_describe(vm));
}

static const char *start_error(const struct ask *ask, const json_t *answer)
{
    const json_t *failed = json_object_get(answer, "failed");
    const json_t *first = json_array_get(failed, 0);
    (void)ask;
    if (json_object_get(answer, "error"))
        return json_string_value(json_object_get(answer, "error"));
    return first ? json_string_value(json_object_get(first, "error")) : NULL;
}

/* When the worker died meanwhile, that is how the VM ended, and policy has its say. */
static void started(struct daemon *d, struct ask *ask, const json_t *answer)
{
    struct fleet_vm *vm = fleet_by_id(&d->fleet, ask->vm);
    const char *error = answer ? start_error(ask, answer) : NULL;
    struct call *call = ask->call;
    if (!answer || !vm || vm->run != ask->run) {
        if (call)
            vms_refused(call, answer);
        return;
    }
    if (!error) {
        vms_set_running(d, vm);
        answer_start(call, vm);
        return;
    }
    if (call)
        call_fail(call, 422, "cannot_start", "%s", error);
    if (vms_is_alive(vm))
        vms_ended(d, vm, "cannot-start", 125, error);
}

static struct ask *begin(struct daemon *d, struct fleet_vm *vm, struct call *call)
{
    struct worker *worker = workers_pick(d, vm);
    json_t *list = json_array();
    if (!worker || worker->life == WORKER_DOWN) {
        json_decref(list);
        return NULL;
    }
    vms_set_starting(d, vm, worker);
    json_array_append_new(list, vms_start_item(vm));
    struct ask *ask = vms_send_start(d, worker, vm->spec, vm->group, list, started);
    if (!ask) {
        worker->vms--;
        vm->worker = -1;
        return NULL;
    }
    ask->vm = vm->id;
    ask->run = vm->run;
    ask->call = call;
    return ask;
}

void vms_begin(struct daemon *d, struct fleet_vm *vm)
{
    vm->by_policy = true;
    if (!begin(d, vm, NULL))
        vms_ended(d, vm, "no-worker", 125, "no worker can take it now");
}

void vms_start(struct daemon *d, struct call *call, struct fleet_vm *vm)
{
    if (vm->life == VM_RUNNING || vm->life == VM_STARTING) {
        answer_start(call, vm);
        return;
    }
    if (vm->life != VM_CREATED && vm->life != VM_FINISHED) {
        call_fail(call, 409, "wrong_state", "VM %s is %s", vm->name, fleet_life_name(vm->life));
        return;
    }
    enum vm_life before = vm->life;
    vm->failures = 0;
    vm->by_policy = false;
    struct ask *ask = begin(d, vm, call);
    if (!ask) {
        vm->life = before;
        vm->wanted = false;
        call_fail(call, 503, "no_worker", "no worker can take it now");
        return;
    }
    call->asks++;
    call_wait(call, START_NS, start_expired);
    /* What is acknowledged when it runs is on disk by then. */
    if (fleet_note(&d->fleet, vm) || fleet_sync(&d->fleet))
        daemon_log("the journal could not be written; VM %s may be forgotten", vm->name);
}

/* Create. */

static void give_up(struct daemon *d, struct fleet_vm *vm)
{
    fleet_drop(&d->fleet, vm);
}

static int parse_ip(const json_t *spec, uint32_t *out)
{
    const char *text = spec_text(spec, "ip");
    struct in_addr in;
    *out = 0;
    if (!text)
        return 0;
    if (inet_pton(AF_INET, text, &in) != 1)
        return -EINVAL;
    *out = ntohl(in.s_addr);
    return 0;
}

/* True: the VM has its place in the group that it wishes; else the call is answered. */
static bool join_group(struct daemon *d, struct call *call, struct fleet_vm *vm)
{
    const char *name = spec_text(vm->spec, "group");
    uint32_t ip;
    bool supervisor = spec_flag(vm->spec, "supervisor");
    if (!name && !json_object_get(vm->spec, "ip") && !supervisor)
        return true;
    struct group *group = name ? fleet_group(&d->fleet, name) : NULL;
    if (!group) {
        call_fail(call, name ? 507 : 400, "bad_group", "%s",
                  name ? "no subnet is left for one more group"
                       : "an address, or a supervisor, is of a group: say \"group\", too");
        return false;
    }
    int err = parse_ip(vm->spec, &ip);
    if (!err)
        err = fleet_join(&d->fleet, vm, group, ip);
    if (!err && supervisor)
        err = fleet_join_api(&d->fleet, vm);
    if (err)
        call_fail(call, err == -EADDRINUSE ? 409 : 400, "bad_address",
                  err == -EADDRINUSE ? "another VM of the group has the address %s"
                                     : "%s is no address for a VM of group %s: 10.%u.0.16 to "
                                       "10.%u.253.231",
                  spec_text(vm->spec, "ip"), name, group->subnet, group->subnet);
    return !err;
}

static void checked(struct daemon *d, struct ask *ask, const json_t *answer)
{
    struct fleet_vm *vm = fleet_by_id(&d->fleet, ask->vm);
    struct call *call = ask->call;
    if (!vm)
        return;
    bool refused = vms_refused(call, answer);
    if (refused || !call) { /* nobody knows of it */
        give_up(d, vm);
        return;
    }
    vm->life = VM_CREATED;
    vm->created_ms = vms_wall_ms();
    int err = fleet_note(&d->fleet, vm);
    if (!err)
        err = fleet_sync(&d->fleet);
    if (err) {
        call_fail(call, 507, "no_space", "the journal cannot be written: %s", strerror(-err));
        give_up(d, vm);
        return;
    }
    if (spec_flag(vm->spec, "start"))
        vms_start(d, call, vm);
    else
        call_answer(call, 201, fleet_describe(vm));
}

void vms_create(struct daemon *d, struct call *call, json_t *spec)
{
    const char *name = spec_text(spec, "name");
    struct worker *worker = workers_pick(d, NULL);
    if (name && fleet_by_name(&d->fleet, name)) {
        call_fail(call, 409, "name_taken", "there is a VM %s already", name);
        return;
    }
    struct fleet_vm *vm = fleet_add(&d->fleet, name ? name : "", spec);
    if (!vm) {
        call_fail(call, 507, "no_memory", "no memory");
        return;
    }
    if (!join_group(d, call, vm)) {
        give_up(d, vm);
        return;
    }
    struct ask *ask =
        worker ? ask_send(worker, json_pack("{s:s, s:O}", "op", "check", "spec", spec), checked, -1)
               : NULL;
    if (!ask) {
        give_up(d, vm);
        call_fail(call, 503, "no_worker", "no worker can be asked now");
        return;
    }
    ask->vm = vm->id;
    ask->call = call;
    call->asks++;
    call_wait(call, START_NS, start_expired);
}
