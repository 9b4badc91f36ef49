/* SPDX-License-Identifier: MIT */
/* The process in which all of them live, made as a worker of `denali host` makes its own. */
#include "testsuite/hostile/world_private.h"

#include "dbt/dbt.h"
#include "emu/base/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUANTUM_NS 5000000u
#define CLIENT_IP 0x0a000001u
#define ATTACKER_IP 0x0a000200u
#define VICTIM 0u
#define DISK_BLOCKS 64u

static uint32_t identify(void *opaque, uint32_t id, char text[DENALI_IDENTITY_MAX])
{
    (void)opaque, (void)id;
    int n = snprintf(text, DENALI_IDENTITY_MAX, "denali.net=10.0.1.0/8%cdenali.hostname=vm0", 0);
    return (uint32_t)n + 1;
}

static void on_end(void *opaque, struct pool_vm *vm, const struct pool_end *end)
{
    struct hostile_world *w = opaque;
    struct hostile_vm *h = pool_vm_user(vm);
    host_lock_enter(&w->lock);
    if (h) {
        h->ended = true;
        h->ends++;
        h->reason = end->reason;
        h->status = end->status;
        snprintf(h->report, sizeof(h->report), "%s", end->report);
    } else {
        w->victim_ended = true;
    }
    host_lock_leave(&w->lock);
}

static int make_disk(struct disk **out, struct why *why)
{
    char path[] = "/tmp/denali-hostile-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, DISK_BLOCKS * 4096))
        return why_fail(why, -errno, "cannot make a disk");
    close(fd);
    int err = disk_open(path, false, out, why);
    unlink(path);
    return err;
}

static int make_engine(struct hostile_world *w, bool verify, struct why *why)
{
    const struct engine_options options = {.verify = verify};
    int err = dbt_create(&options, &w->engine);
    if (err == -ENOTSUP)
        err = interp_create(&w->engine);
    return err ? why_fail(why, err, "cannot start the engine") : 0;
}

static int make_pool(struct hostile_world *w, const struct hostile_options *o, struct why *why)
{
    struct pool_config config = {.engine = w->engine,
                                 .workers = o->workers,
                                 .memory_bytes = GIB,
                                 .max_windows = 100,
                                 .seed = host_tsc(),
                                 .io = w->io,
                                 .identify = identify,
                                 .ended = on_end,
                                 .opaque = w};
    if (sched_fair(QUANTUM_NS, &config.sched))
        return why_fail(why, -ENOMEM, "no memory");
    hostile_waits_look(&w->waits, false);
    hostile_waits_open_self(&w->waits);
    int err = pool_create(&config, &w->pool, why);
    hostile_waits_look(&w->waits, true);
    return err;
}

static int add_victim(struct hostile_world *w, struct why *why)
{
    const struct pool_origin_config origin = {
        .snapshot = w->server.snapshot, .disk = w->server.disk, .disks = w->server.disks};
    int err = pool_origin_add(w->pool, &origin, &w->server_origin, why);
    if (err)
        return err;
    const struct pool_vm_config config = {
        .origin = w->server_origin, .lan = w->lan, .ip = bench_world_ip(VICTIM)};
    err = pool_add(w->pool, &config, &w->victim);
    return err ? why_fail(why, err, "cannot make the victim") : 0;
}

static int add_witnesses(struct hostile_world *w, const char *guests, struct why *why)
{
    char path[4096];
    const char *const args[] = {"canary", "64", "0", "2000", NULL};
    snprintf(path, sizeof(path), "%s/canary", guests);
    int err = image_open(path, &w->witness_image, why);
    const struct pool_origin_config origin = {.image = w->witness_image, .args = args};
    if (!err)
        err = pool_origin_add(w->pool, &origin, &w->witness_origin, why);
    for (unsigned i = 0; !err && i < HOSTILE_WITNESSES; i++) {
        struct hostile_vm *h = &w->witness[i];
        err = hostile_console_init(&h->console);
        const struct pool_vm_config config = {
            .origin = w->witness_origin, .user = h, .console = &h->console.base};
        if (!err)
            err = pool_add(w->pool, &config, &h->vm);
        if (err)
            why_fail(why, err, "cannot make a witness");
    }
    return err;
}

static int make_lan(struct hostile_world *w, struct why *why)
{
    int err = lan_create(&w->lan);
    if (!err)
        err = bench_client_create(w->lan, CLIENT_IP, &w->client);
    if (!err)
        err = io_pool_create(4, &w->io);
    return err ? why_fail(why, err, "cannot make a LAN") : 0;
}

int hostile_world_init(struct hostile_world *w, const struct hostile_options *o, struct why *why)
{
    char path[4096];
    memset(w, 0, sizeof(*w));
    snprintf(path, sizeof(path), "%s/httpd", o->guests);
    const struct bench_server server = bench_httpd(path);
    w->attackers = o->attackers;
    bench_document(w->judge.document);
    int err = host_lock_init(&w->lock) ? -ENOMEM : make_engine(w, o->verify, why);
    for (unsigned i = 0; !err && i < w->attackers; i++) {
        err = hostile_console_init(&w->attacker[i].console);
        if (!err)
            err = make_disk(&w->attacker[i].disk, why);
    }
    if (!err)
        err = bench_origin_make(&server, w->engine, &w->server, why);
    if (!err)
        err = make_lan(w, why);
    if (!err)
        err = make_pool(w, o, why);
    if (!err)
        err = image_open(o->attack, &w->attack_image, why);
    if (!err)
        err = add_victim(w, why);
    return err ? err : add_witnesses(w, o->guests, why);
}

void hostile_world_fini(struct hostile_world *w)
{
    if (w->pool)
        pool_destroy(w->pool);
    bench_client_destroy(w->client);
    lan_destroy(w->lan);
    io_pool_destroy(w->io);
    for (unsigned i = 0; i < w->attackers; i++)
        disk_close(w->attacker[i].disk);
    image_close(w->attack_image);
    image_close(w->witness_image);
    bench_origin_fini(&w->server);
    if (w->engine)
        w->engine->ops->destroy(w->engine);
    hostile_waits_fini(&w->waits);
    host_lock_fini(&w->lock);
}

/* Attackers. */

static int add_attacker(struct hostile_world *w, unsigned i, struct why *why)
{
    struct hostile_vm *h = &w->attacker[i];
    char ip[9];
    const struct vm_resource disk = {.kind = DENALI_DEV_DISK, .name = "disk", .disk = h->disk};
    const struct pool_vm_config config = {.origin = w->attack_origin,
                                          .id = 1 + i,
                                          .user = h,
                                          .lan = w->lan,
                                          .ip = ATTACKER_IP + i,
                                          .text = ip,
                                          .text_len = sizeof(ip),
                                          .console = &h->console.base,
                                          .disk = &disk,
                                          .disks = 1};
    snprintf(ip, sizeof(ip), "%08x", ATTACKER_IP + i);
    h->ended = false;
    int err = pool_add(w->pool, &config, &h->vm);
    return err ? why_fail(why, err, "cannot make an attacker: %s", strerror(-err)) : 0;
}

int hostile_attack_begin(struct hostile_world *w, const struct hostile_attack *attack,
                         struct why *why)
{
    char mac[16], victim[16];
    uint8_t m[6];
    lan_port_mac(pool_vm_port(w->victim), m);
    snprintf(mac, sizeof(mac), "%02x%02x%02x%02x%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    snprintf(victim, sizeof(victim), "%08x", bench_world_ip(VICTIM));
    const char *const args[] = {"hostile", attack->name, mac, victim, NULL};
    const struct vm_resource disk = {
        .kind = DENALI_DEV_DISK, .name = "disk", .disk = w->attacker[0].disk};
    const struct pool_origin_config origin = {
        .image = w->attack_image, .args = args, .disk = &disk, .disks = 1};
    int err = pool_origin_add(w->pool, &origin, &w->attack_origin, why);
    for (unsigned i = 0; !err && i < w->attackers; i++) {
        w->attacker[i].ends = 0;
        w->attacker[i].console.len = 0;
        w->attacker[i].console.text[0] = 0;
        w->attacker[i].console.round = false;
        err = add_attacker(w, i, why);
    }
    return err;
}

void hostile_attack_end(struct hostile_world *w)
{
    for (unsigned i = 0; i < w->attackers; i++) {
        struct hostile_vm *h = &w->attacker[i];
        if (!h->vm)
            continue;
        pool_kill(h->vm);
        pool_wait(h->vm, HOSTILE_PATIENCE_NS);
        if (pool_remove(h->vm))
            fprintf(stderr, "hostile: an attacker does not end\n");
        h->vm = NULL;
    }
    if (w->attack_origin && pool_origin_remove(w->attack_origin))
        fprintf(stderr, "hostile: an origin does not go\n");
    w->attack_origin = NULL;
}

void hostile_attack_pause(struct hostile_world *w, bool pause)
{
    for (unsigned i = 0; i < w->attackers; i++) {
        if (pause)
            pool_pause(w->attacker[i].vm);
        else
            pool_resume(w->attacker[i].vm);
    }
}

/* Random code may also end its VM as a guest does; 1 is how an attack's check fails. */
bool hostile_attack_may_end(const struct hostile_attack *attack, const struct hostile_vm *h)
{
    bool exits = h->reason == VM_END_EXIT && (h->status != 1 || (attack->flags & WRECKS));
    return (attack->flags & ENDS) && (h->reason == VM_END_FAULT || exits);
}

int hostile_attack_renew(struct hostile_world *w, const struct hostile_attack *attack,
                         struct why *why)
{
    int err = 0;
    for (unsigned i = 0; !err && i < w->attackers; i++) {
        struct hostile_vm *h = &w->attacker[i];
        host_lock_enter(&w->lock);
        bool ended = h->ended;
        host_lock_leave(&w->lock);
        if (!ended || !hostile_attack_may_end(attack, h))
            continue;
        pool_wait(h->vm, HOSTILE_PATIENCE_NS);
        err = pool_remove(h->vm);
        h->vm = NULL;
        if (!err)
            err = add_attacker(w, i, why);
    }
    return err;
}

bool hostile_attack_has_begun(struct hostile_vm *h)
{
    host_lock_enter(&h->console.lock);
    bool begun = h->console.round;
    host_lock_leave(&h->console.lock);
    return begun || h->ends;
}

/* The victim. */

struct answer {
    const struct hostile_world *w;
    uint64_t took_ns;
    bool right;
};

static void answered(void *opaque, uint32_t id, const char *text, size_t len, uint64_t took_ns)
{
    struct answer *a = opaque;
    a->took_ns = took_ns;
    a->right = len && bench_world_is_right(&a->w->judge, id, text, len);
}

static bool ask(struct hostile_world *w, uint32_t *took_us, uint32_t *raw_us)
{
    const struct bench_request request = {bench_world_ip(VICTIM), VICTIM, "/index.html"};
    struct answer a = {w, HOSTILE_PATIENCE_NS, false};
    uint64_t waited_ns = hostile_waits_ns(&w->waits), lost = bench_client_lost(w->client);
    int err = bench_client_ask(w->client, &request, 1, 1, HOSTILE_PATIENCE_NS, answered, &a);
    waited_ns = hostile_waits_ns(&w->waits) - waited_ns;
    if (bench_client_lost(w->client) != lost)
        waited_ns = 0; /* who waits for a frame to be sent again does not wait for the host */
    *raw_us = (uint32_t)(a.took_ns / 1000);
    *took_us = a.took_ns > waited_ns ? (uint32_t)((a.took_ns - waited_ns) / 1000) : 0;
    uint64_t rest = host_monotonic_ns() + HOSTILE_PAUSE_NS;
    while (host_monotonic_ns() < rest)
        bench_client_drive(w->client, rest);
    return !err && a.right;
}

unsigned hostile_ask(struct hostile_world *w, uint32_t *took_us, uint32_t *raw_us, unsigned count)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < count; i++)
        bad += !ask(w, &took_us[i], &raw_us[i]);
    return bad;
}

/* Witnesses. */

bool hostile_witnesses_well(struct hostile_world *w, struct why *why)
{
    for (unsigned i = 0; i < HOSTILE_WITNESSES; i++) {
        struct hostile_vm *h = &w->witness[i];
        char text[HOSTILE_TEXT + 1] = "";
        hostile_console_type(&h->console);
        pool_post(h->vm, DENALI_IRQ_KEYBOARD);
        uint64_t end = host_monotonic_ns() + HOSTILE_PATIENCE_NS;
        while (!text[0] && !h->ended && host_monotonic_ns() < end) {
            host_poll(NULL, 0, 500000);
            hostile_console_read(&h->console, text);
        }
        if (!text[0] || h->ended) {
            why_fail(why, -EIO, "witness %u: %s %.100s", i, h->ended ? "ended" : "is silent",
                     h->report);
            return false;
        }
    }
    return true;
}
