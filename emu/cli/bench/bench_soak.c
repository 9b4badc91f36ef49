/* SPDX-License-Identifier: MIT */
/*
 * bench soak: everything that happens to VMs, at random, for as long as one likes.
 * Web servers are asked all the time; between requests, other VMs, which check
 * pages full of numbers of their own (guests/canary.c), are made from an image or
 * cloned from a snapshot of one that runs, paused, parked, saved and killed. Memory
 * is short, so that all are parked, squeezed and swapped out meanwhile.
 *
 * A canary that finds a wrong number ends with a status that is not 0; so must none.
 * When all of them are gone, memory must be what it was.
 */
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cli/bench/bench_world.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CANARIES 150u
#define ORIGINS 8u
#define PLACES 3u /* of them, for images */
#define SLACK_KIB 16384u
#define END_NS 60000000000u

struct place {
    struct pool_vm *vm; /* NULL: free */
    unsigned origin;
    bool paused;
};

struct soak {
    struct bench_world world;
    char folder[PATH_MAX - 64]; /* of the guests */
    struct pool_origin *origin[ORIGINS];
    struct snapshot *snapshot[ORIGINS]; /* of those that came from one */
    unsigned users[ORIGINS];
    struct place place[CANARIES];
    uint64_t random, end_ns;
    uint32_t next_id, warm;
    uint64_t created, cloned, killed, saved, paused, park_alls, answers, errors;
    _Atomic uint64_t faults;
    uint64_t start_kib, most_kib, end_kib;
    char report[256]; /* of the first fault */
};

static uint32_t draw(struct soak *s, uint32_t below)
{
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return (uint32_t)((s->random * 0x2545f4914f6cdd1du >> 33) % below);
}

static void on_end(void *opaque, struct pool_vm *vm, const struct pool_end *end)
{
    struct soak *s = opaque;
    (void)vm;
    if (end->reason == VM_END_KILLED || (end->reason == VM_END_EXIT && !end->status))
        return;
    if (!s->faults++)
        snprintf(s->report, sizeof(s->report), "reason %d, status %u: %.200s", (int)end->reason,
                 end->status, end->report);
}

static uint64_t own_kib(void)
{
    uint64_t bytes = 0;
    malloc_trim(0);
    return host_own_memory(&bytes) ? 0 : bytes / KIB;
}

/* Origins. */

static int add_image(struct soak *s, unsigned at, const char *pages, struct why *why)
{
    char path[PATH_MAX];
    struct image *image;
    const char *args[] = {"canary", pages, "0", "20000", NULL};
    snprintf(path, sizeof(path), "%s/canary", s->folder);
    int err = image_open(path, &image, why);
    if (err)
        return err;
    const struct pool_origin_config config = {.image = image, .args = args};
    err = pool_origin_add(s->world.pool, &config, &s->origin[at], why);
    image_close(image);
    return err;
}

static void drop_origin(struct soak *s, unsigned at)
{
    if (!s->origin[at] || s->users[at] || pool_origin_remove(s->origin[at]))
        return;
    s->origin[at] = NULL;
    snapshot_close(s->snapshot[at]);
    s->snapshot[at] = NULL;
}

static unsigned any_origin(struct soak *s)
{
    unsigned at = draw(s, ORIGINS);
    while (!s->origin[at])
        at = (at + 1) % ORIGINS;
    return at;
}

/* What may happen. Each takes a place of the canaries'. False: it does not fit now. */

static bool create(struct soak *s, struct place *p)
{
    unsigned at = any_origin(s);
    const struct pool_vm_config config = {.origin = s->origin[at], .id = s->next_id++};
    if (p->vm || pool_add(s->world.pool, &config, &p->vm))
        return false;
    *p = (struct place){.vm = p->vm, .origin = at};
    s->users[at]++;
    s->created++;
    s->cloned += at >= PLACES;
    return true;
}

static bool destroy(struct soak *s, struct place *p)
{
    if (!p->vm)
        return false;
    pool_kill(p->vm);
    if (!pool_wait(p->vm, END_NS) || pool_remove(p->vm)) {
        s->faults++;
        return false;
    }
    p->vm = NULL;
    s->users[p->origin]--;
    s->killed++;
    if (p->origin >= PLACES)
        drop_origin(s, p->origin);
    return true;
}

static bool pause_or_resume(struct soak *s, struct place *p)
{
    if (!p->vm)
        return false;
    if (p->paused)
        pool_resume(p->vm);
    else
        pool_pause(p->vm);
    p->paused = !p->paused;
    s->paused++;
    return true;
}

static bool save(struct soak *s, struct place *p)
{
    char path[64];
    struct why why;
    unsigned at = PLACES + draw(s, ORIGINS - PLACES);
    drop_origin(s, at);
    if (!p->vm || p->paused || s->origin[at])
        return false;
    snprintf(path, sizeof(path), "/tmp/denali-soak-%d", (int)getpid());
    int err = pool_snapshot(p->vm, path, false, &why);
    if (!err)
        err = snapshot_open(path, &s->snapshot[at], &why);
    unlink(path);
    const struct pool_origin_config config = {.snapshot = s->snapshot[at]};
    if (!err)
        err = pool_origin_add(s->world.pool, &config, &s->origin[at], &why);
    if (err) {
        snapshot_close(s->snapshot[at]);
        s->snapshot[at] = NULL;
    }
    s->saved += !err;
    return !err;
}

static bool park_all(struct soak *s, struct place *p)
{
    (void)p;
    pool_park_idle(s->world.pool);
    s->park_alls++;
    return true;
}

static void do_something(struct soak *s)
{
    static bool (*const acts[])(struct soak * s, struct place * p) = {
        create, create, create, create, destroy, destroy, destroy, pause_or_resume, save};
    uint32_t what = draw(s, 1000);
    struct place *p = &s->place[draw(s, CANARIES)];
    if (!what)
        park_all(s, p);
    else if (what < 300)
        acts[draw(s, ARRAY_LEN(acts))](s, p);
}

/* Load. */

static bool next_request(void *opaque, struct bench_request *request)
{
    struct soak *s = opaque;
    uint32_t vms = s->world.options->vms, id = s->warm < vms ? s->warm++ : draw(s, vms);
    uint64_t own;
    if (host_monotonic_ns() >= s->end_ns)
        return false;
    if (s->end_ns != HOST_FOREVER)
        do_something(s);
    if (!host_own_memory(&own) && own / KIB > s->most_kib)
        s->most_kib = own / KIB;
    *request = (struct bench_request){bench_world_ip(id), id, "/index.html"};
    return s->end_ns != HOST_FOREVER || s->warm < vms;
}

static void on_answer(void *opaque, uint32_t id, const char *text, size_t len, uint64_t took_ns)
{
    struct soak *s = opaque;
    (void)took_ns;
    bool right = len && bench_world_is_right(&s->world, id, text, len);
    s->answers += right;
    s->errors += !right;
}

static int load(struct soak *s, uint64_t end_ns, struct why *why)
{
    s->end_ns = end_ns;
    int err =
        bench_client_load(s->world.client, next_request, 4, 3 * BENCH_PATIENCE_NS, on_answer, s);
    return err ? why_fail(why, err, "the client failed: %s", strerror(-err)) : 0;
}

static void clear(struct soak *s)
{
    for (unsigned i = 0; i < CANARIES; i++)
        destroy(s, &s->place[i]);
    for (unsigned i = PLACES; i < ORIGINS; i++)
        drop_origin(s, i);
    for (unsigned i = 0; i < 3; i++) { /* who has just answered may still close its connection */
        pool_park_idle(s->world.pool);
        host_poll(NULL, 0, 200000000);
    }
    pool_park_idle(s->world.pool);
}

/* All web servers have been asked once before it begins: they are there at the end too. */
static int run(struct soak *s, struct why *why)
{
    int err = add_image(s, 0, "4", why);
    if (!err)
        err = add_image(s, 1, "40", why);
    if (!err)
        err = add_image(s, 2, "700", why);
    if (!err)
        err = load(s, HOST_FOREVER, why);
    if (err)
        return err;
    for (unsigned i = 0; i < 20; i++) /* once through everything: what stays is there */
        create(s, &s->place[i]);
    clear(s);
    s->start_kib = own_kib();
    err = load(s, host_monotonic_ns() + s->world.options->seconds * (uint64_t)1000000000, why);
    clear(s);
    s->end_kib = own_kib();
    return err;
}

static void print(const struct soak *s)
{
    struct pool_counters c;
    pool_count(s->world.pool, &c);
    printf(
        s->world.options->json
            ? "{\"seconds\":%u,\"requests\":%llu,\"errors\":%llu,\"created\":%llu,"
              "\"cloned\":%llu,\"killed\":%llu,\"saved\":%llu,\"paused\":%llu,\"parked\":%llu,"
              "\"woken\":%llu,\"swapped\":%llu,\"lost\":%llu,\"canary_faults\":%llu,"
              "\"memory_limit_kib\":%llu,\"most_kib\":%llu,\"start_kib\":%llu,"
              "\"end_kib\":%llu}\n"
            : "%u s: %llu requests, %llu errors\n"
              "%llu VMs created (%llu of them clones), %llu killed; %llu saved, %llu paused\n"
              "%llu parked, %llu woken, %llu swapped out, %llu lost; %llu canary faults\n"
              "memory: limit %llu KiB, at most %llu; %llu at the start, %llu at the end\n",
        s->world.options->seconds, (unsigned long long)s->answers, (unsigned long long)s->errors,
        (unsigned long long)s->created, (unsigned long long)s->cloned,
        (unsigned long long)s->killed, (unsigned long long)s->saved, (unsigned long long)s->paused,
        (unsigned long long)c.parks, (unsigned long long)c.wakes, (unsigned long long)c.swapped,
        (unsigned long long)c.failed, (unsigned long long)s->faults,
        (unsigned long long)(s->world.options->memory_bytes / KIB), (unsigned long long)s->most_kib,
        (unsigned long long)s->start_kib, (unsigned long long)s->end_kib);
    if (s->report[0])
        fprintf(stderr, "the first canary that failed: %s\n", s->report);
}

static bool is_good(const struct soak *s)
{
    return !s->errors && !s->faults && s->created && s->answers &&
           s->end_kib <= s->start_kib + s->start_kib / 10 + SLACK_KIB;
}

static void find_guests(struct soak *s)
{
    snprintf(s->folder, sizeof(s->folder), "%s", s->world.options->httpd);
    char *slash = strrchr(s->folder, '/');
    if (slash)
        *slash = 0;
}

int bench_soak(const struct bench_options *options, struct why *why)
{
    struct soak *s = calloc(1, sizeof(*s));
    if (!s)
        return why_fail(why, -ENOMEM, "no memory");
    s->random = 88172645463325252u ^ host_wall_ns();
    s->world.ended = on_end;
    s->world.ended_opaque = s;
    int err = bench_world_init(&s->world, options, why);
    find_guests(s);
    if (!err)
        err = bench_world_create(&s->world, why);
    if (!err)
        err = run(s, why);
    if (!err)
        print(s);
    if (!err)
        err = !is_good(s);
    bench_world_fini(&s->world);
    for (unsigned i = 0; i < ORIGINS; i++)
        snapshot_close(s->snapshot[i]);
    free(s);
    return err;
}
