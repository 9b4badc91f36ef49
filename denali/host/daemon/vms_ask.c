/* SPDX-License-Identifier: MIT */
/* What the operations on VMs share. */
#include "denali/host/daemon/vms.h"

#include "emu/base/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A worker that answers nothing for so long is told of to who waits. */
#define ASK_NS 15000000000u

bool vms_is_alive(const struct fleet_vm *vm)
{
    return vm->life == VM_STARTING || vm->life == VM_RUNNING || vm->life == VM_STOPPING;
}

uint64_t vms_wall_ms(void)
{
    return host_wall_ns() / 1000000;
}

char *vms_path(const struct daemon *d, const char *folder, const char *name, const char *suffix)
{
    char *path;
    int n = asprintf(&path, "%s/%s/%s%s", d->config.state, folder, name, suffix);
    return n < 0 ? NULL : path;
}

static void ask_expired(struct daemon *d, struct call *call)
{
    (void)d;
    call_fail(call, 504, "stalled", "the worker does not answer; what was asked may still happen");
}

struct ask *vms_ask(struct daemon *d, struct call *call, struct fleet_vm *vm, const char *op,
                    json_t *more,
                    void (*done)(struct daemon *d, struct ask *ask, const json_t *answer))
{
    json_t *message = more ? more : json_object();
    struct worker *worker = vm->worker >= 0 ? &d->worker[vm->worker] : NULL;
    json_object_set_new(message, "op", json_string(op));
    json_object_set_new(message, "vm", json_integer((json_int_t)vm->id));
    struct ask *ask = worker ? ask_send(worker, message, done, -1) : NULL;
    if (!worker)
        json_decref(message);
    if (!ask) {
        if (call)
            call_fail(call, 503, "no_worker", "the worker of VM %s cannot be asked now", vm->name);
        return NULL;
    }
    ask->vm = vm->id;
    ask->run = vm->run;
    ask->call = call;
    if (call) {
        call->asks++;
        call_wait(call, ASK_NS, ask_expired);
    }
    return ask;
}

bool vms_refused(struct call *call, const json_t *answer)
{
    const json_t *error = answer ? json_object_get(answer, "error") : NULL;
    if (answer && !error)
        return false;
    if (call && !answer)
        call_fail(call, 502, "worker_died", "the worker died before it answered");
    else if (call)
        call_fail(call, 422, "refused", "%s",
                  json_string_value(error) ? json_string_value(error) : "the worker refused");
    return true;
}
