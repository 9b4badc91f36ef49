/* SPDX-License-Identifier: MIT */
/* Each experiment makes a pool of its own, so that nothing of the last one is in it. */
#include "emu/cli/bench/bench_guests.h"

#include "dbt/dbt.h"
#include "emu/base/host.h"

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUANTUM_NS 5000000u
#define FAIR_QUANTUM_NS 2000000u
#define FRAME_MAX 1514u

const char *bench_find(const char *name, char *path, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", path, room - 1);
    char *slash = n > 0 ? (path[n] = 0, strrchr(path, '/')) : NULL;
    size_t left = slash ? room - (size_t)(slash + 1 - path) : 0;
    if (left && (size_t)snprintf(slash + 1, left, "guests/%s", name) < left && !access(path, R_OK))
        return path;
    snprintf(path, room, "%s/%s", DENALI_LIBDIR, name);
    return path;
}

static void arrived(struct lan_port *port)
{
    struct bench_guests *g = CONTAINER_OF(port, struct bench_guests, port);
    host_lock_enter(&g->lock);
    g->came = true;
    host_lock_wake(&g->lock);
    host_lock_leave(&g->lock);
}

static int make_lan(struct bench_guests *g, struct why *why)
{
    int err = host_lock_init(&g->lock);
    g->ready = !err;
    if (!err)
        err = lan_create(&g->lan);
    if (!err)
        err = lan_port_add(g->lan, &g->port, 0, LAN_UPLINK, arrived);
    return err ? why_fail(why, err, "cannot make a switch: %s", strerror(-err)) : 0;
}

static int make_pool(struct bench_guests *g, const struct bench_options *o,
                     const char *const *words, struct why *why)
{
    const char *args[BENCH_GUEST_WORDS + 2] = {"load"};
    struct pool_config config = {.engine = g->engine,
                                 .workers = o->workers,
                                 .sync_interrupts = o->sync_interrupts,
                                 .memory_bytes = o->memory_bytes,
                                 .max_windows = o->max_windows,
                                 .seed = 1};
    for (unsigned i = 0; words && i < BENCH_GUEST_WORDS && words[i]; i++)
        args[i + 1] = words[i];
    if (words ? sched_round_robin(QUANTUM_NS, &config.sched)
              : sched_fair(FAIR_QUANTUM_NS, &config.sched))
        return why_fail(why, -ENOMEM, "no memory");
    int err = pool_create(&config, &g->pool, why);
    const struct pool_origin_config origin = {.image = g->image, .args = args};
    return err ? err : pool_origin_add(g->pool, &origin, &g->origin, why);
}

int bench_guests_init(struct bench_guests *g, const struct bench_options *o,
                      const char *const *words, struct why *why)
{
    char path[4096];
    memset(g, 0, sizeof(*g));
    int err = dbt_create(NULL, &g->engine);
    if (err == -ENOTSUP)
        err = interp_create(&g->engine);
    if (err)
        return why_fail(why, err, "cannot start the engine: %s", strerror(-err));
    g->nameless = !words;
    err = image_open(bench_find(words ? "load" : "neighbour", path, sizeof(path)), &g->image, why);
    if (!err)
        err = make_lan(g, why);
    return err ? err : make_pool(g, o, words, why);
}

int bench_guests_add(struct bench_guests *g, uint32_t count, struct why *why)
{
    struct pool_vm **vm = realloc(g->vm, (g->vms + count) * sizeof(*vm));
    int err = vm ? 0 : -ENOMEM;
    if (vm)
        g->vm = vm;
    for (uint32_t i = 0; !err && i < count; i++) {
        const struct pool_vm_config config = {.origin = g->origin,
                                              .id = g->vms,
                                              .lan = g->lan,
                                              .ip = g->nameless ? 0 : BENCH_GUEST_IP + g->vms};
        err = pool_add(g->pool, &config, &g->vm[g->vms]);
        g->vms += !err;
    }
    return err ? why_fail(why, err, "cannot make that many VMs: %s", strerror(-err)) : 0;
}

void bench_guests_fini(struct bench_guests *g)
{
    if (g->pool)
        pool_destroy(g->pool);
    if (g->port.lan)
        lan_port_remove(&g->port);
    lan_destroy(g->lan);
    if (g->ready)
        host_lock_fini(&g->lock);
    image_close(g->image);
    if (g->engine)
        g->engine->ops->destroy(g->engine);
    free(g->vm);
}

void bench_guests_send(struct bench_guests *g, uint32_t vm, size_t len)
{
    uint8_t frame[FRAME_MAX] = {[6] = 6, [11] = 1, [12] = 0x08}; /* from beyond the uplink; IPv4 */
    uint32_t to = BENCH_GUEST_IP + vm;
    lan_port_mac(pool_vm_port(g->vm[vm]), frame);
    for (unsigned i = 0; i < 4; i++)
        frame[30 + i] = (uint8_t)(to >> (24 - 8 * i));
    frame[14] = 0x45;
    lan_send(&g->port, frame, len);
}

void bench_guests_tell(struct bench_guests *g, uint32_t vm, const uint8_t *bytes, size_t len)
{
    uint8_t frame[FRAME_MAX] = {[6] = 6, [11] = 1};
    lan_port_mac(pool_vm_port(g->vm[vm]), frame);
    memcpy(frame + 12, bytes, len);
    lan_send(&g->port, frame, len + 12 < 60 ? 60 : len + 12);
}

unsigned bench_guests_receive(struct bench_guests *g, uint64_t wait_ns)
{
    uint8_t frame[FRAME_MAX];
    uint64_t end = host_monotonic_ns() + wait_ns;
    unsigned count = 0;
    host_lock_enter(&g->lock);
    while (!g->came && !lan_waits(&g->port) && host_monotonic_ns() < end)
        host_lock_wait_until(&g->lock, end);
    g->came = false;
    host_lock_leave(&g->lock);
    while (lan_receive(&g->port, frame, sizeof(frame)))
        count++;
    return count;
}

static uint64_t run_ns(const struct bench_guests *g)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < g->vms; i++) {
        struct pool_figures f;
        pool_figures(g->vm[i], &f);
        sum += f.run_ns;
    }
    return sum;
}

static uint64_t process_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_guests_pace(struct bench_guests *g, uint64_t wait_ns, struct bench_pace *out)
{
    struct pool_counters before, after;
    pool_count(g->pool, &before);
    uint64_t ran = run_ns(g), cpu = process_ns(), start = host_monotonic_ns();
    host_poll(NULL, 0, wait_ns);
    pool_count(g->pool, &after);
    out->ns = host_monotonic_ns() - start;
    out->cpu_ns = process_ns() - cpu;
    out->run_ns = run_ns(g) - ran;
    out->slices = after.slices - before.slices;
    out->switches = after.switches - before.switches;
}
