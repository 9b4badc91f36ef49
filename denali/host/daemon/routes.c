/* SPDX-License-Identifier: MIT */
/*
 * Which request is whose. A path is /v1 and up to three more words; docs/HOST.md
 * lists them all. A VM with the supervisor's capability may ask the same of the
 * VMs of its group, and of the snapshots of these; the rest of the host does not
 * exist for it: no files, no consoles, no other VMs with the capability.
 */
#include "denali/host/daemon/vms.h"
#include "denali/host/daemon/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 4u
#define WAIT_MAX_S 60u

struct route {
    struct daemon *d;
    struct call *call;
    char *word[WORDS_MAX]; /* after /v1 */
    unsigned words;
    json_t *body; /* an object */
};

static bool is_method(const struct route *r, const char *method)
{
    return !strcmp(r->call->method, method);
}

static void no_method(struct route *r, const char *allowed)
{
    call_fail(r->call, 405, "bad_method", "%s is not for this; %s is", r->call->method, allowed);
}

static void no_path(struct route *r)
{
    call_fail(r->call, 404, "not_found", "there is no such path; see docs/HOST.md");
}

/* Numbers in a query or body. False: the call is answered. */
static bool query_number(struct route *r, const char *name, uint64_t max, uint64_t *out)
{
    const char *text = call_query(r->call, name);
    char *end;
    if (!text)
        return true;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && n <= max) {
        *out = n;
        return true;
    }
    call_fail(r->call, 400, "bad_request", "\"%s\" must be a number from 0 to %llu", name,
              (unsigned long long)max);
    return false;
}

static bool body_number(struct route *r, const char *name, json_int_t max, json_int_t *out)
{
    const json_t *value = json_object_get(r->body, name);
    if (!value)
        return true;
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) <= max) {
        *out = json_integer_value(value);
        return true;
    }
    call_fail(r->call, 400, "bad_request", "\"%s\" must be a number from 0 to %lld", name,
              (long long)max);
    return false;
}

/* A supervisor's own group; NULL: the operator asks, or that VM is gone. */
static struct group *own_group(const struct route *r)
{
    struct fleet_vm *vm = fleet_by_id(&r->d->fleet, r->call->supervisor);
    return vm ? vm->group : NULL;
}

static bool may_see(const struct route *r, const struct fleet_vm *vm)
{
    if (vm->life == VM_CREATING)
        return false;
    if (!r->call->supervisor)
        return true;
    bool other = vm->api_ip && vm->id != r->call->supervisor;
    return vm->group && vm->group == own_group(r) && !other;
}

/* /v1/vms */

static void list_vms(struct route *r)
{
    const char *group = call_query(r->call, "group");
    json_t *list = json_array();
    for (struct fleet_vm *vm = r->d->fleet.all.next; vm != &r->d->fleet.all; vm = vm->next) {
        if (may_see(r, vm) && (!group || (vm->group && !strcmp(vm->group->name, group))))
            json_array_append_new(list, fleet_describe(vm));
    }
    call_answer(r->call, 200, json_pack("{s:o}", "vms", list));
}

static void create_vm(struct route *r)
{
    struct why why = {""};
    if (r->call->supervisor)
        call_fail(r->call, 403, "forbidden",
                  "a supervisor VM makes VMs from snapshots: POST /v1/snapshots/NAME/clone");
    else if (spec_check(r->body, &why))
        call_fail(r->call, 400, "bad_request", "%s", why.text);
    else if (spec_text(r->body, "snapshot"))
        call_fail(r->call, 400, "bad_request", "clones are made by POST /v1/snapshots/NAME/clone");
    else
        vms_create(r->d, r->call, r->body);
}

/* /v1/vms/REF/VERB */

static void do_start(struct route *r, struct fleet_vm *vm)
{
    vms_start(r->d, r->call, vm);
}

static void do_stop(struct route *r, struct fleet_vm *vm)
{
    json_int_t grace = r->d->config.grace_s;
    if (body_number(r, "grace_s", 3600, &grace))
        vms_stop(r->d, r->call, vm, (unsigned)grace);
}

static void do_kill(struct route *r, struct fleet_vm *vm)
{
    vms_kill(r->d, r->call, vm);
}

static void do_input(struct route *r, struct fleet_vm *vm)
{
    vms_input(r->d, r->call, vm);
}

static void do_stats(struct route *r, struct fleet_vm *vm)
{
    vms_stats(r->d, r->call, vm);
}

static void do_wait(struct route *r, struct fleet_vm *vm)
{
    uint64_t wait = WAIT_MAX_S;
    if (query_number(r, "timeout_s", WAIT_MAX_S, &wait))
        vms_wait(r->d, r->call, vm, (unsigned)wait);
}

static void do_logs(struct route *r, struct fleet_vm *vm)
{
    uint64_t offset = 0, follow = 0;
    if (query_number(r, "offset", INT64_MAX, &offset) &&
        query_number(r, "follow_s", WAIT_MAX_S, &follow))
        vms_logs(r->d, r->call, vm, offset, (unsigned)follow);
}

static void do_console(struct route *r, struct fleet_vm *vm)
{
    const char *upgrade = call_header(r->call, "Upgrade");
    if (!upgrade || strcmp(upgrade, "denali-console"))
        call_fail(r->call, 426, "no_upgrade", "a console wants \"Upgrade: denali-console\"");
    else if (r->call->supervisor)
        call_fail(r->call, 403, "forbidden", "consoles are the operator's; there are input, logs");
    else if (vm->life != VM_RUNNING && vm->life != VM_STOPPING)
        call_fail(r->call, 409, "wrong_state", "VM %s is %s", vm->name, fleet_life_name(vm->life));
    else
        call_attach(r->call, vm);
}

static void do_snapshot(struct route *r, struct fleet_vm *vm)
{
    snapshots_take(r->d, r->call, vm, spec_text(r->body, "name"));
}

static const struct {
    const char *method, *name;
    void (*run)(struct route *r, struct fleet_vm *vm);
} vm_verbs[] = {
    {"POST", "start", do_start}, {"POST", "stop", do_stop},       {"POST", "kill", do_kill},
    {"POST", "input", do_input}, {"GET", "stats", do_stats},      {"GET", "wait", do_wait},
    {"GET", "logs", do_logs},    {"POST", "console", do_console}, {"POST", "snapshot", do_snapshot},
};

static void vm_verb(struct route *r, struct fleet_vm *vm)
{
    for (size_t i = 0; i < ARRAY_LEN(vm_verbs); i++) {
        if (strcmp(vm_verbs[i].name, r->word[2]))
            continue;
        if (is_method(r, vm_verbs[i].method))
            vm_verbs[i].run(r, vm);
        else
            no_method(r, vm_verbs[i].method);
        return;
    }
    no_path(r);
}

static void one_vm(struct route *r)
{
    struct fleet_vm *vm = fleet_find(&r->d->fleet, r->word[1]);
    const char *force = call_query(r->call, "force");
    if (!vm || !may_see(r, vm))
        call_fail(r->call, 404, "not_found", "there is no VM %.64s", r->word[1]);
    else if (r->words == 3)
        vm_verb(r, vm);
    else if (is_method(r, "GET"))
        call_answer(r->call, 200, fleet_describe(vm));
    else if (is_method(r, "DELETE"))
        vms_remove(r->d, r->call, vm, force && !strcmp(force, "true"));
    else
        no_method(r, "GET or DELETE");
}

static void route_vms(struct route *r)
{
    if (r->words > 3)
        no_path(r);
    else if (r->words > 1)
        one_vm(r);
    else if (is_method(r, "GET"))
        list_vms(r);
    else if (is_method(r, "POST"))
        create_vm(r);
    else
        no_method(r, "GET or POST");
}

/* Snapshots are of a group by the VM that they were taken of; clones stay in it. False: the call is
 * answered. */
static bool may_use_snapshots(struct route *r)
{
    struct group *group = own_group(r);
    if (!r->call->supervisor)
        return true;
    if (r->words != 3 || !group || !snapshots_is_of(r->d, r->word[1], group->name)) {
        call_fail(r->call, r->words == 3 ? 404 : 403, r->words == 3 ? "not_found" : "forbidden",
                  "a supervisor VM clones snapshots of its own group's VMs");
        return false;
    }
    json_object_set_new(r->body, "group", json_string(group->name));
    return true;
}

static void route_snapshots(struct route *r)
{
    bool clone = r->words == 3 && !strcmp(r->word[2], "clone");
    if (!may_use_snapshots(r))
        return;
    if (r->words > 3 || (r->words == 3 && !clone))
        no_path(r);
    else if (clone && !is_method(r, "POST"))
        no_method(r, "POST");
    else if (clone)
        snapshots_clone(r->d, r->call, r->word[1], r->body);
    else if (r->words == 2 && is_method(r, "DELETE"))
        snapshots_remove(r->d, r->call, r->word[1]);
    else if (!is_method(r, "GET"))
        no_method(r, r->words == 2 ? "GET or DELETE" : "GET");
    else if (r->words == 2)
        snapshots_show(r->d, r->call, r->word[1]);
    else
        snapshots_list(r->d, r->call);
}

static void route_stats(struct route *r)
{
    if (r->words > 1)
        no_path(r);
    else if (r->call->supervisor)
        call_fail(r->call, 403, "forbidden", "a supervisor VM asks for one VM's figures");
    else if (is_method(r, "GET"))
        vms_all_stats(r->d, r->call);
    else
        no_method(r, "GET");
}

static void route_host(struct route *r)
{
    json_t *workers = json_array();
    if (r->call->supervisor) {
        json_decref(workers);
        call_fail(r->call, 403, "forbidden", "the host is the operator's");
        return;
    }
    if (r->words > 1 || !is_method(r, "GET")) {
        json_decref(workers);
        if (r->words > 1)
            no_path(r);
        else
            no_method(r, "GET");
        return;
    }
    for (unsigned i = 0; i < r->d->workers; i++)
        json_array_append_new(workers, worker_describe(&r->d->worker[i]));
    call_answer(r->call, 200,
                json_pack("{s:i, s:i, s:I, s:I, s:s, s:o}", "api", 1, "pid", (int)getpid(), "vms",
                          (json_int_t)r->d->fleet.count, "memory_bytes",
                          (json_int_t)r->d->config.memory_bytes, "state_dir", r->d->config.state,
                          "workers", workers));
}

static const struct {
    const char *name;
    void (*run)(struct route *r);
} folders[] = {
    {"vms", route_vms},
    {"snapshots", route_snapshots},
    {"stats", route_stats},
    {"host", route_host},
};

static void dispatch(struct route *r)
{
    for (size_t i = 0; r->words && i < ARRAY_LEN(folders); i++) {
        if (!strcmp(folders[i].name, r->word[0])) {
            folders[i].run(r);
            return;
        }
    }
    no_path(r);
}

/* False: the path has another form. The words lie in the call's path. */
static bool split(struct route *r)
{
    char *rest = r->call->path, *word;
    if (strncmp(rest, "/v1/", 4))
        return false;
    rest += 4;
    while ((word = strsep(&rest, "/"))) {
        if (!*word && !rest)
            break; /* a slash at the end */
        if (!*word || r->words == WORDS_MAX)
            return false;
        r->word[r->words++] = word;
    }
    return true;
}

/* The body of `input` is bytes; every other is a JSON object, or nothing. */
static bool parse_body(struct route *r)
{
    json_error_t error;
    struct call *call = r->call;
    bool raw = r->words == 3 && !strcmp(r->word[2], "input");
    r->body = !raw && call->body_len
                  ? json_loadb(call->body, call->body_len, JSON_REJECT_DUPLICATES, &error)
                  : json_object();
    if (json_is_object(r->body))
        return true;
    if (r->body)
        call_fail(call, 400, "bad_json", "the body must be a JSON object");
    else
        call_fail(call, 400, "bad_json", "the body is no JSON: line %d, column %d: %.200s",
                  error.line, error.column, error.text);
    return false;
}

void route(struct daemon *d, struct call *call)
{
    struct route r = {.d = d, .call = call};
    if (!split(&r))
        no_path(&r);
    else if (parse_body(&r))
        dispatch(&r);
    json_decref(r.body);
}
