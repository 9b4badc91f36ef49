/* SPDX-License-Identifier: MIT */
/* From a VM that runs to its end, and what policy makes of that. */
#include "denali/host/daemon/vms.h"
#include "denali/host/daemon/group.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS ((uint64_t)1000000000u)
#define KILL_NS (15 * SECOND_NS)
#define RESTART_NS 100000000u
#define RESTART_MAX_NS (30 * SECOND_NS)
/* A VM that ran this long did not fail at its start. */
#define RAN_MS 10000u
#define LOG_READ_MAX (1u << 20)

/* The end of a VM. */

static void tell_waiters(struct daemon *d, struct fleet_vm *vm)
{
    (void)d;
    while (vm->waiters)
        call_answer(vm->waiters, 200, fleet_describe(vm));
}

static bool is_failure(const struct fleet_vm *vm)
{
    const char *reason = spec_text(vm->end, "reason");
    return strcmp(reason, "exit") || json_integer_value(json_object_get(vm->end, "status"));
}

/* Whether policy wants it again. What somebody stopped or killed stays so, and who starts one that
 * cannot start is told. */
static bool wants_restart(const struct fleet_vm *vm)
{
    enum spec_restart policy = spec_restart(vm->spec);
    if (!vm->by_policy && !strcmp(spec_text(vm->end, "reason"), "cannot-start"))
        return false;
    if (!vm->wanted || vm->removing || policy == SPEC_RESTART_NO)
        return false;
    return policy == SPEC_RESTART_ALWAYS || is_failure(vm);
}

static void plan_restart(struct daemon *d, struct fleet_vm *vm)
{
    uint64_t wait = (uint64_t)RESTART_NS << (vm->failures < 10 ? vm->failures : 10);
    bool lived = vm->started_ms && vm->ended_ms - vm->started_ms > RAN_MS;
    vm->failures = lived ? 0 : vm->failures + 1;
    if (lived)
        wait = RESTART_NS;
    fleet_set_timer(&d->fleet, &vm->restart_ns,
                    host_monotonic_ns() + (wait < RESTART_MAX_NS ? wait : RESTART_MAX_NS));
}

/* Also of a VM that is gone for everybody but its journal line. */
static void remove_now(struct daemon *d, struct fleet_vm *vm)
{
    char id[24];
    snprintf(id, sizeof(id), "%llu", (unsigned long long)vm->id);
    char *log = vms_path(d, "logs", id, ".log");
    if (log)
        unlink(log);
    free(log);
    fleet_drop(&d->fleet, vm);
}

void vms_ended(struct daemon *d, struct fleet_vm *vm, const char *reason, int status,
               const char *message)
{
    if (vm->worker >= 0)
        d->worker[vm->worker].vms--;
    vm->worker = -1;
    vm->life = VM_FINISHED;
    vm->ended_ms = vms_wall_ms();
    fleet_set_timer(&d->fleet, &vm->kill_ns, 0);
    if (d->quit && vm->wanted)
        fleet_set_end(vm, "host-ended", 125, "the host was ended while it ran");
    else
        fleet_set_end(vm, reason, status, message);
    bool again = wants_restart(vm);
    vm->wanted = again;
    if (again && !d->quit) /* else the next daemon does */
        plan_restart(d, vm);
    if (!vm->removing && fleet_note(&d->fleet, vm))
        daemon_log("VM %s has ended, but the journal could not be written", vm->name);
    tell_waiters(d, vm);
    if (vm->removing)
        remove_now(d, vm);
}

void vms_worker_died(struct daemon *d, struct worker *worker, const char *how)
{
    char message[128];
    unsigned ended = 0, again = 0;
    struct fleet_vm *next;
    snprintf(message, sizeof(message), "worker died: worker %u (pid %d) %s", worker->index,
             (int)worker->pid, how);
    for (struct fleet_vm *vm = d->fleet.all.next; vm != &d->fleet.all; vm = next) {
        next = vm->next;
        if (vm->worker != (int)worker->index)
            continue;
        uint64_t id = vm->id;
        vms_ended(d, vm, "worker-died", 125, message);
        vm = fleet_by_id(&d->fleet, id);
        ended++;
        again += vm && vm->restart_ns;
    }
    api_console_ended(d->api, worker->index, 0);
    if (ended)
        daemon_log("%u VMs stopped with worker %u; %u start again", ended, worker->index, again);
    if (fleet_sync(&d->fleet))
        daemon_log("the journal could not be written");
}

/* {"event": "ended", "vm", "run", "reason", "status", "message"} */
static void take_end(struct daemon *d, struct worker *worker, const json_t *event)
{
    uint64_t run = (uint64_t)json_integer_value(json_object_get(event, "run"));
    uint64_t id = (uint64_t)json_integer_value(json_object_get(event, "vm"));
    struct fleet_vm *vm = fleet_by_id(&d->fleet, id);
    const char *reason = spec_text(event, "reason"), *message = spec_text(event, "message");
    json_t *forget =
        json_pack("{s:s, s:I, s:I}", "op", "forget", "vm", (json_int_t)id, "run", (json_int_t)run);
    if (vm && vm->run == run && vm->worker == (int)worker->index) {
        bool stopped = vm->life == VM_STOPPING && reason && !strcmp(reason, "killed");
        vms_ended(d, vm,
                  stopped  ? "killed"
                  : reason ? reason
                           : "unknown",
                  (int)json_integer_value(json_object_get(event, "status")),
                  message ? message : "");
        d->fleet.unsynced = true;
    }
    if (link_send(&worker->link, forget, -1) && !d->quit)
        daemon_log("worker %u is not told to forget a VM", worker->index);
}

/* A supervisor VM has connected. */
static void take_api(struct daemon *d, const struct worker *worker, const struct fleet_vm *vm,
                     int fd)
{
    if (vm && vm->api_ip && vm->worker == (int)worker->index) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        api_add(d->api, fd, vm->id);
    } else {
        close(fd);
    }
}

void vms_event(struct daemon *d, struct worker *worker, const json_t *event, int fd)
{
    const char *what = spec_text(event, "event");
    uint64_t id = (uint64_t)json_integer_value(json_object_get(event, "vm"));
    struct fleet_vm *vm = fleet_by_id(&d->fleet, id);
    if (what && !strcmp(what, "api") && fd >= 0) {
        take_api(d, worker, vm, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (!what)
        return;
    if (!strcmp(what, "ended"))
        take_end(d, worker, event);
    else if (!strcmp(what, "detached"))
        api_console_ended(d->api, worker->index,
                          (uint64_t)json_integer_value(json_object_get(event, "token")));
    else if (!strcmp(what, "note"))
        daemon_log("%s%s%s", vm ? vm->name : "", vm ? ": " : "",
                   spec_text(event, "text") ? spec_text(event, "text") : "");
}

/* After a daemon that was killed. */

void vms_adopt(struct daemon *d, struct worker *worker, const json_t *list)
{
    size_t i;
    json_t *item;
    unsigned adopted = 0;
    json_array_foreach(list, i, item)
    {
        struct fleet_vm *vm =
            fleet_by_id(&d->fleet, (uint64_t)json_integer_value(json_object_get(item, "id")));
        uint64_t run = (uint64_t)json_integer_value(json_object_get(item, "run"));
        if (vm && vm->worker < 0 && vm->run <= run) {
            vm->run = run;
            vm->life = VM_RUNNING;
            vm->worker = (int)worker->index;
            worker->vms++;
            if (vm->group)
                vm->group->worker = (int)worker->index;
            adopted++;
        } else if (link_send(&worker->link,
                             json_pack("{s:s, s:I, s:I}", "op", "discard", "vm",
                                       json_integer_value(json_object_get(item, "id")), "run",
                                       (json_int_t)run),
                             -1))
            daemon_log("worker %u has a VM that nobody knows", worker->index);
    }
    daemon_log("%u VMs go on in worker %u", adopted, worker->index);
}

/* Everybody who lives on has been found: the others that ran did not survive, and those that policy
 * wants begin. */
void vms_all_adopted(struct daemon *d)
{
    struct fleet_vm *next;
    for (unsigned i = 0; i < d->workers; i++) {
        if (d->worker[i].life == WORKER_GREETING && !d->worker[i].child)
            return;
    }
    for (struct fleet_vm *vm = d->fleet.all.next; vm != &d->fleet.all; vm = next) {
        next = vm->next;
        if (vm->life == VM_RUNNING && vm->worker < 0)
            vms_ended(d, vm, "host-died", 125, "the host was killed while it ran");
        else if (vm->life == VM_FINISHED && !vm->restart_ns && vm->end && wants_restart(vm))
            plan_restart(d, vm);
    }
}

/* Time. */

static void tick_vm(struct daemon *d, struct fleet_vm *vm, uint64_t now_ns)
{
    if (vm->restart_ns && now_ns >= vm->restart_ns) {
        fleet_set_timer(&d->fleet, &vm->restart_ns, 0);
        vm->restarts++;
        vms_begin(d, vm);
    } else if (vm->kill_ns && now_ns >= vm->kill_ns) {
        fleet_set_timer(&d->fleet, &vm->kill_ns, 0);
        vms_kill(d, NULL, vm);
    }
}

void vms_tick(struct daemon *d, uint64_t now_ns)
{
    struct fleet_vm *next;
    if (!d->fleet.timers || d->quit)
        return;
    for (struct fleet_vm *vm = d->fleet.all.next; vm != &d->fleet.all; vm = next) {
        next = vm->next;
        tick_vm(d, vm, now_ns);
    }
}

uint64_t vms_next_ns(const struct daemon *d)
{
    uint64_t next = UINT64_MAX;
    for (const struct fleet_vm *vm = d->fleet.all.next; d->fleet.timers && vm != &d->fleet.all;
         vm = vm->next) {
        if (vm->restart_ns && vm->restart_ns < next)
            next = vm->restart_ns;
        if (vm->kill_ns && vm->kill_ns < next)
            next = vm->kill_ns;
    }
    return next;
}

/* Stop, kill, remove, wait. */

static void end_expired(struct daemon *d, struct call *call)
{
    (void)d;
    call_fail(call, 504, "stalled", "VM %s has not ended yet; its worker may be stopped",
              call->waits_for->name);
}

static void told(struct daemon *d, struct ask *ask, const json_t *answer)
{
    (void)d, (void)ask, (void)answer;
}

/* It did not run: it only must not start again. */
static void stop_idle(struct daemon *d, struct call *call, struct fleet_vm *vm)
{
    bool was_wanted = vm->wanted;
    vm->wanted = false;
    fleet_set_timer(&d->fleet, &vm->restart_ns, 0);
    if (was_wanted && (fleet_note(&d->fleet, vm) || fleet_sync(&d->fleet)))
        daemon_log("the journal could not be written");
    if (call)
        call_answer(call, 200, fleet_describe(vm));
}

/* True: the VM is alive and its worker was told; the call waits for its end. */
static bool end_it(struct daemon *d, struct call *call, struct fleet_vm *vm, const char *op,
                   uint64_t wait_ns)
{
    if (!vms_is_alive(vm)) {
        if (vm->removing)
            return false;
        stop_idle(d, call, vm);
        return false;
    }
    vm->wanted = false;
    vm->life = VM_STOPPING;
    if (!vms_ask(d, NULL, vm, op, NULL, told)) {
        if (call)
            call_fail(call, 503, "no_worker", "the worker of VM %s cannot be asked now", vm->name);
        return false;
    }
    if (fleet_note(&d->fleet, vm) || fleet_sync(&d->fleet))
        daemon_log("the journal could not be written");
    if (call) {
        call_wait(call, wait_ns, end_expired);
        call_wait_for_end(call, vm);
    }
    return true;
}

void vms_stop(struct daemon *d, struct call *call, struct fleet_vm *vm, unsigned grace_s)
{
    uint64_t grace = grace_s * SECOND_NS;
    if (end_it(d, call, vm, "stop", grace + KILL_NS))
        fleet_set_timer(&d->fleet, &vm->kill_ns, host_monotonic_ns() + grace);
}

void vms_kill(struct daemon *d, struct call *call, struct fleet_vm *vm)
{
    end_it(d, call, vm, "kill", KILL_NS);
}

void vms_remove(struct daemon *d, struct call *call, struct fleet_vm *vm, bool force)
{
    if ((vms_is_alive(vm) && !force) || vm->life == VM_CREATING) {
        call_fail(call, 409, "wrong_state", "VM %s is %s; stop it first, or say force", vm->name,
                  fleet_life_name(vm->life));
        return;
    }
    int err = fleet_note_gone(&d->fleet, vm->id);
    if (!err)
        err = fleet_sync(&d->fleet);
    if (err) {
        call_fail(call, 507, "no_space", "the journal cannot be written: %s", strerror(-err));
        return;
    }
    vm->removing = true;
    vm->wanted = false;
    if (vms_is_alive(vm)) {
        end_it(d, call, vm, "kill", KILL_NS);
        return;
    }
    tell_waiters(d, vm);
    call_answer(call, 200, fleet_describe(vm));
    remove_now(d, vm);
}

static void wait_expired(struct daemon *d, struct call *call)
{
    (void)d;
    call_answer(call, 200, fleet_describe(call->waits_for));
}

void vms_wait(struct daemon *d, struct call *call, struct fleet_vm *vm, unsigned wait_s)
{
    (void)d;
    if (!vms_is_alive(vm) && !vm->restart_ns) {
        call_answer(call, 200, fleet_describe(vm));
        return;
    }
    call_wait(call, wait_s * SECOND_NS, wait_expired);
    call_wait_for_end(call, vm);
}

/* Input, figures, logs. */

static void relayed(struct daemon *d, struct ask *ask, const json_t *answer)
{
    (void)d;
    if (!ask->call || vms_refused(ask->call, answer))
        return;
    json_t *result = json_deep_copy(answer);
    json_object_del(result, "seq");
    call_answer(ask->call, 200, result);
}

static bool must_run(struct call *call, const struct fleet_vm *vm)
{
    if (vm->life != VM_RUNNING && vm->life != VM_STOPPING)
        call_fail(call, 409, "wrong_state", "VM %s is %s", vm->name, fleet_life_name(vm->life));
    return vm->life == VM_RUNNING || vm->life == VM_STOPPING;
}

/* Bytes travel as text in which each stands for one: ISO 8859-1. */
static json_t *bytes_to_json(const char *bytes, size_t len)
{
    char *text = malloc(2 * len + 1), *to = text;
    for (size_t i = 0; text && i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x80)
            *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
    }
    json_t *json = text ? json_stringn(text, (size_t)(to - text)) : NULL;
    free(text);
    return json;
}

void vms_input(struct daemon *d, struct call *call, struct fleet_vm *vm)
{
    json_t *bytes = must_run(call, vm) ? bytes_to_json(call->body, call->body_len) : NULL;
    if (call->answered)
        return;
    if (!bytes)
        call_fail(call, 400, "bad_input", "input may not hold bytes of value 0 here");
    else
        vms_ask(d, call, vm, "input", json_pack("{s:o}", "bytes", bytes), relayed);
}

void vms_stats(struct daemon *d, struct call *call, struct fleet_vm *vm)
{
    if (must_run(call, vm))
        vms_ask(d, call, vm, "stats", NULL, relayed);
}

static void gathered(struct daemon *d, struct ask *ask, const json_t *answer)
{
    struct call *call = ask->call;
    (void)d;
    if (!call)
        return;
    json_array_extend(json_object_get(call->gathered, "vms"), json_object_get(answer, "vms"));
    if (call->asks == 1)
        call_answer(call, 200, json_incref(call->gathered));
}

/* Those who do not answer are left out. */
static void gather_expired(struct daemon *d, struct call *call)
{
    (void)d;
    call_answer(call, 200, json_incref(call->gathered));
}

void vms_all_stats(struct daemon *d, struct call *call)
{
    uint64_t now = host_monotonic_ns();
    call->gathered = json_pack("{s:[]}", "vms");
    for (unsigned i = 0; i < d->workers; i++) {
        struct worker *w = &d->worker[i];
        struct ask *ask = w->life != WORKER_UP || worker_is_stalled(w, now)
                              ? NULL
                              : ask_send(w, json_pack("{s:s}", "op", "all-stats"), gathered, -1);
        if (!ask)
            continue;
        ask->call = call;
        call->asks++;
    }
    if (call->asks)
        call_wait(call, 5 * SECOND_NS, gather_expired);
    else
        call_answer(call, 200, json_incref(call->gathered));
}

/* A log whose beginning is left out begins with a whole line; one with no line's end stays. */
static size_t drop_cut_line(char *text, size_t len)
{
    char *end = memchr(text, '\n', len);
    size_t cut = end ? (size_t)(end + 1 - text) : 0;
    memmove(text, text + cut, len - cut);
    return cut;
}

/* What the log has from `offset` on; NULL: nothing. The file's beginning is gone when it has grown
 * (a hole), so what is older than its last part is not read. */
static char *read_log(const char *path, uint64_t *offset, size_t *len)
{
    struct stat st;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char *text = NULL;
    *len = 0;
    if (fd >= 0 && !fstat(fd, &st)) {
        uint64_t size = (uint64_t)st.st_size, kept = size > LOG_READ_MAX ? size - LOG_READ_MAX : 0;
        uint64_t from = *offset < kept ? kept : *offset;
        size_t want = from < size ? (size_t)(size - from) : 0;
        text = want ? malloc(want) : NULL;
        ssize_t n = text ? pread(fd, text, want, (off_t)from) : 0;
        *len = n > 0 ? (size_t)n : 0;
        size_t cut = *offset < kept && *len ? drop_cut_line(text, *len) : 0;
        *len -= cut;
        *offset = from + cut;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

static bool look_at_log(struct daemon *d, struct call *call)
{
    char id[24];
    size_t len;
    struct fleet_vm *vm = fleet_by_id(&d->fleet, call->vm);
    snprintf(id, sizeof(id), "%llu", (unsigned long long)call->vm);
    char *path = vms_path(d, "logs", id, ".log"), *text = read_log(path, &call->offset, &len);
    free(path);
    if (!len && vm && vms_is_alive(vm) && call->deadline_ns > host_monotonic_ns()) {
        free(text);
        return false;
    }
    call->next_offset = call->offset + len;
    call->has_offset = true;
    call_bytes(call, text, len);
    return true;
}

static void log_expired(struct daemon *d, struct call *call)
{
    look_at_log(d, call);
}

void vms_logs(struct daemon *d, struct call *call, struct fleet_vm *vm, uint64_t offset,
              unsigned follow_s)
{
    call->vm = vm->id;
    call->offset = offset;
    call_wait(call, follow_s * SECOND_NS, log_expired);
    if (!look_at_log(d, call))
        call->look = look_at_log;
}
