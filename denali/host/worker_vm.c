/* SPDX-License-Identifier: MIT */
/*
 * The VMs of a worker: from a spec to an origin to a VM of the pool, and what the
 * pool says of its end. A clone's origin is its snapshot's, shared; a booted VM
 * has its own.
 */
#include "denali/host/spec.h"
#include "denali/host/worker_private.h"
#include "emu/base/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hosted *worker_find(struct worker *w, uint64_t id)
{
    struct hosted *h = w->bucket[id % WORKER_BUCKETS];
    while (h && h->id != id)
        h = h->next;
    return h;
}

/* Origins. */

/* A machine from the spec; `extra` words come before it. */
static int open_machine(struct worker *w, const json_t *spec, struct worker_machine *out,
                        struct why *why)
{
    int count = 0;
    char **words = spec_words(spec, &count);
    if (!words)
        return why_fail(why, -ENOMEM, "no memory");
    int err = w->config.wiring->open(count, words, out, why);
    spec_words_free(words);
    return err;
}

static struct origin *find_origin(struct worker *w, const char *name)
{
    struct origin *o = w->origins;
    while (o && (!o->name || strcmp(o->name, name)))
        o = o->next;
    return o;
}

static void origin_free(struct worker *w, struct origin *o)
{
    if (o->machine.opaque)
        w->config.wiring->close(&o->machine);
    snapshot_close(o->snapshot);
    free(o->name);
    free(o);
}

static int add_to_pool(struct worker *w, struct origin *o, const char *snapshot, struct why *why)
{
    char *path;
    if (snapshot) {
        if (asprintf(&path, "%s/snapshots/%s.snap", w->config.state, snapshot) < 0)
            return why_fail(why, -ENOMEM, "no memory");
        int err = snapshot_open(path, &o->snapshot, why);
        free(path);
        if (err)
            return err;
    }
    const struct pool_origin_config config = {.snapshot = o->snapshot,
                                              .image = snapshot ? NULL : o->machine.image,
                                              .mem_bytes = o->machine.mem_bytes,
                                              .args = o->machine.args,
                                              .env = o->machine.env,
                                              .disk = o->machine.disk,
                                              .disks = o->machine.disks};
    return pool_origin_add(w->pool, &config, &o->pool, why);
}

static int make_origin(struct worker *w, const json_t *spec, const char *snapshot,
                       struct origin **out, struct why *why)
{
    struct origin *o = calloc(1, sizeof(*o));
    if (!o || (snapshot && !(o->name = strdup(snapshot)))) {
        free(o);
        return why_fail(why, -ENOMEM, "no memory");
    }
    int err = open_machine(w, spec, &o->machine, why);
    if (!err)
        err = add_to_pool(w, o, snapshot, why);
    if (err) {
        origin_free(w, o);
        return err;
    }
    o->users = 1;
    *out = o;
    return 0;
}

/* Two jobs may make the same one; the second finds the first's and lets its own go. */
static void publish(struct worker *w, struct origin **origin)
{
    struct origin *mine = *origin, *there;
    host_lock_enter(&w->lock);
    there = mine->name ? find_origin(w, mine->name) : NULL;
    if (there) {
        there->users++;
    } else {
        mine->next = w->origins;
        w->origins = mine;
    }
    host_lock_leave(&w->lock);
    if (!there)
        return;
    BUG_ON(pool_origin_remove(mine->pool), "an origin without VMs is busy");
    origin_free(w, mine);
    *origin = there;
}

int origin_open(struct worker *w, const json_t *spec, struct origin **out, struct why *why)
{
    const char *snapshot = spec_text(spec, "snapshot");
    host_lock_enter(&w->lock);
    struct origin *there = snapshot ? find_origin(w, snapshot) : NULL;
    if (there)
        there->users++;
    host_lock_leave(&w->lock);
    *out = there;
    int err = there ? 0 : make_origin(w, spec, snapshot, out, why);
    if (!err && !there)
        publish(w, out);
    return err;
}

void origin_release(struct worker *w, struct origin *origin)
{
    host_lock_enter(&w->lock);
    bool last = --origin->users == 0;
    struct origin **at = &w->origins;
    while (last && *at != origin)
        at = &(*at)->next;
    if (last)
        *at = origin->next;
    host_lock_leave(&w->lock);
    if (!last)
        return;
    BUG_ON(pool_origin_remove(origin->pool), "an origin without users has VMs");
    origin_free(w, origin);
}

/* Callbacks. */

static void on_input(void *opaque)
{
    struct hosted *h = opaque;
    if (h->vm)
        pool_post(h->vm, DENALI_IRQ_KEYBOARD | DENALI_IRQ_CONSOLE);
}

static void on_signal(void *opaque, uint32_t signals)
{
    struct hosted *h = opaque;
    if (h->vm)
        pool_signal(h->vm, signals);
}

static void on_rearm(void *opaque)
{
    struct hosted *h = opaque;
    host_waker_wake(h->worker->waker);
}

static const char *const reasons[] = {
    [VM_END_NONE] = "unknown",    [VM_END_EXIT] = "exit",         [VM_END_FAULT] = "fault",
    [VM_END_KILLED] = "killed",   [VM_END_DIVERGED] = "diverged", [VM_END_REJECTED] = "rejected",
    [VM_END_HOST] = "host-error",
};

static int status_of(const struct pool_end *end)
{
    if (end->reason == VM_END_EXIT)
        return end->status < 119 ? (int)end->status : 119;
    return end->reason == VM_END_FAULT ? 120 : end->reason == VM_END_KILLED ? 137 : 125;
}

void worker_on_end(void *opaque, struct pool_vm *vm, const struct pool_end *end)
{
    struct worker *w = opaque;
    struct hosted *h = pool_vm_user(vm);
    char *report = end->report && *end->report ? strdup(end->report) : NULL;
    host_lock_enter(&w->lock);
    h->has_ended = true;
    h->reason = reasons[end->reason];
    h->status = status_of(end);
    h->report = report;
    w->alive--;
    w->news = true;
    host_lock_leave(&w->lock);
    host_waker_wake(w->waker);
}

/* VMs. */

static void free_hosted(struct hosted *h)
{
    disks_close_own(h);
    hub_destroy(h->hub);
    free(h->report);
    free(h->name);
    free(h);
}

static int make_hub(struct worker *w, struct hosted *h, bool tty)
{
    char *log;
    if (asprintf(&log, "%s/logs/%llu.log", w->config.state, (unsigned long long)h->id) < 0)
        return -ENOMEM;
    const struct hub_config config = {.log = log,
                                      .tty = tty,
                                      .input = on_input,
                                      .signal = on_signal,
                                      .rearm = on_rearm,
                                      .opaque = h};
    int err = hub_create(&config, &h->hub);
    free(log);
    return err;
}

static unsigned put_address(char *out, size_t room, uint32_t ip)
{
    return (unsigned)snprintf(out, room, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
                              ip & 255);
}

/* A clone takes its address and name from here; a VM that boots asks DHCP. */
static uint32_t identity(const struct hosted *h, uint32_t ip, char text[DENALI_IDENTITY_MAX])
{
    const struct worker_wiring *wiring = h->worker->config.wiring;
    char address[16], gateway[16], dns[16];
    int n = 0;
    if (!h->origin->snapshot)
        return 0;
    if (h->network && ip) {
        const struct lan_subnet subnet = lan_net_subnet(h->network->net);
        put_address(address, sizeof(address), ip);
        put_address(gateway, sizeof(gateway), subnet.gateway);
        put_address(dns, sizeof(dns), subnet.dns);
        n = snprintf(text, DENALI_IDENTITY_MAX, "%s%s/%u,%s,%s", wiring->net_param, address,
                     subnet.prefix, gateway, dns) +
            1;
    }
    int m = snprintf(text + n, DENALI_IDENTITY_MAX - (size_t)n, "%s%s", wiring->hostname_param,
                     h->name);
    return (uint32_t)(n + m + 1);
}

static int add_to_list(struct worker *w, struct hosted *h)
{
    int err = 0;
    host_lock_enter(&w->lock);
    if (worker_find(w, h->id)) {
        err = -EEXIST;
    } else {
        h->next = w->bucket[h->id % WORKER_BUCKETS];
        w->bucket[h->id % WORKER_BUCKETS] = h;
        w->count++;
        w->alive++;
        h->origin->users++;
        if (h->network)
            h->network->users++;
    }
    host_lock_leave(&w->lock);
    return err;
}

static void remove_from_list(struct worker *w, struct hosted *h)
{
    struct hosted **at = &w->bucket[h->id % WORKER_BUCKETS];
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    w->count--;
}

static int start_vm(struct worker *w, struct hosted *h, uint32_t ip, const json_t *spec)
{
    char text[DENALI_IDENTITY_MAX];
    struct quota quota;
    int err = spec_quota(json_object_get(spec, "quota"), &quota);
    if (err)
        return err;
    const struct pool_vm_config config = {.origin = h->origin->pool,
                                          .id = (uint32_t)h->id,
                                          .user = h,
                                          .lan = h->network ? lan_net_lan(h->network->net) : NULL,
                                          .ip = ip,
                                          .text = text,
                                          .text_len = identity(h, ip, text),
                                          .console = hub_backend(h->hub),
                                          .disk = h->own_disks ? h->own_disk : NULL,
                                          .disks = h->own_disks,
                                          .quota = &quota};
    return pool_add(w->pool, &config, &h->vm);
}

#define ALONE_IP 0x0a00020fu /* 10.0.2.15 */

static int publish_ports(struct hosted *h, const struct vm_wish *wish, uint32_t ip, struct why *why)
{
    if (!json_array_size(json_object_get(wish->spec, "publish")))
        return 0;
    if (!h->network)
        return why_fail(why, -EINVAL, "a VM without a network has no ports to publish");
    int err = network_publish(h->network, wish->spec, ip, why);
    h->published = err ? 0 : ip;
    return err;
}

static int plug_and_start(struct worker *w, struct hosted *h, const struct vm_wish *wish,
                          struct why *why)
{
    uint32_t ip = wish->ip || !h->network ? wish->ip : ALONE_IP;
    int err = publish_ports(h, wish, ip, why);
    if (!err && wish->api_ip && h->network)
        err = api_port_create(w, h->network, wish, &h->api, why);
    if (!err)
        err = disks_open_own(h, why);
    if (err)
        return err;
    if ((err = start_vm(w, h, ip, wish->spec)))
        why_fail(why, err, err == -EEXIST ? "its address is taken" : "cannot make the VM: %s",
                 strerror(-err));
    return err;
}

int worker_add(struct worker *w, struct origin *origin, struct network *network,
               const struct vm_wish *wish, struct why *why)
{
    struct hosted *h = calloc(1, sizeof(*h));
    if (!h || !(h->name = strdup(wish->name))) {
        free(h);
        return why_fail(why, -ENOMEM, "no memory");
    }
    h->worker = w;
    h->id = wish->id;
    h->run = wish->run;
    h->origin = origin;
    h->network = pool_origin_has_nic(origin->pool) ? network : NULL;
    int err = make_hub(w, h, wish->tty);
    if (!err)
        err = add_to_list(w, h);
    if (err) {
        free_hosted(h);
        return why_fail(why, err, "cannot make the VM: %s", strerror(-err));
    }
    err = plug_and_start(w, h, wish, why);
    host_lock_enter(&w->lock);
    h->settled = true; /* it may have ended meanwhile */
    w->news = true;
    w->alive -= !!err;
    if (err)
        worker_remove(w, h);
    host_lock_leave(&w->lock);
    host_waker_wake(w->waker);
    return err;
}

#define LAST_WORDS_NS 10000000000u

bool worker_may_remove(const struct hosted *h)
{
    return h->forgotten && !h->held && !h->attached;
}

bool worker_is_overdue(const struct hosted *h)
{
    return h->forgotten && !h->held && host_monotonic_ns() - h->forgotten_ns > LAST_WORDS_NS;
}

static void detach_all(struct worker *w, struct hosted *h)
{
    uint64_t gone[HUB_CLIENTS_MAX];
    unsigned n = hub_detach_all(h->hub, gone);
    for (unsigned i = 0; i < n; i++)
        worker_post(w, json_pack("{s:s, s:I, s:I}", "event", "detached", "vm", (json_int_t)h->id,
                                 "token", (json_int_t)gone[i]));
}

void worker_remove(struct worker *w, struct hosted *h)
{
    remove_from_list(w, h);
    host_lock_leave(&w->lock);
    detach_all(w, h);
    /* `ended` was called, but the pool may still be at it. */
    BUG_ON(h->vm && (!pool_wait(h->vm, HOST_FOREVER) || pool_remove(h->vm)),
           "a VM that has ended has not");
    api_port_destroy(h->api);
    if (h->published)
        network_withdraw(h->network, h->published);
    if (h->network)
        network_release(w, h->network);
    origin_release(w, h->origin);
    free_hosted(h);
    host_lock_enter(&w->lock);
}
