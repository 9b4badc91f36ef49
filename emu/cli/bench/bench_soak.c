/* SPDX-License-Identifier: MIT */
/*
 * bench soak: everything that happens to VMs, at random, for as long as one likes.
 * Web servers are asked all the time; between requests, other VMs, which check
 * pages full of numbers of their own (guests/canary.c), are made from an image or
 * cloned from a snapshot of one that runs, paused, parked, saved and killed. Memory
 * is short, so that all are parked, squeezed and swapped out meanwhile.
 *
 * A canary that finds a wrong number ends with a status that is not 0; so must none.
 * Every request must be answered rightly, however long it takes: whether this process has the
 * processors is not its own business, so one that takes over 30 s is told with the reason.
 *
 * Memory is compared when no VM is left, web servers neither: once after ten seconds and twenty VMs
 * of everything (the start: translations, page tables and the heap are there), once at the end.
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
#include <time.h>
#include <unistd.h>

#define CANARIES 150u
#define ORIGINS 8u
#define PLACES 3u /* of them, for images */
#define SLACK_KIB 4096u
#define END_NS 60000000000u
#define LATE_NS 30000000000u      /* that is told */
#define PATIENCE_NS 600000000000u /* that is an error, however busy the machine is */
#define PROGRESS_NS 60000000000u
#define REHEARSAL_NS 10000000000u
#define REHEARSAL_KILLS 20u /* on a slow machine, too */

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
    uint64_t random, end_ns, progress_ns;
    uint32_t next_id, warm;
    uint64_t least_killed;  /* before it may end */
    uint64_t *asked_cpu_ns; /* by web server: this process's, when it was asked */
    uint64_t created, cloned, killed, saved, paused, park_alls, answers, late, errors;
    uint64_t slowest_ns;
    _Atomic uint64_t faults;
    uint64_t start_kib, most_kib, end_kib;
    uint64_t served_start_kib, served_end_kib; /* with all web servers, parked */
    char report[256];                          /* of the first fault */
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

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* An answer that is late or wrong, and everything that tells why: this process may not have had a
 * processor, or the connection, or the VM. */
static void tell(const struct soak *s, uint32_t id, const char *text, uint64_t took_ns)
{
    const struct bench_outcome *o = bench_client_outcome(s->world.client);
    struct pool_figures f;
    pool_figures(s->world.vm[id], &f);
    fprintf(stderr,
            "VM %u: %u bytes after %.1f s, of which all VMs had %.3f s of the processors (%s, "
            "error %d, TCP state %u, %u sent again); it is %s; %u frames wait, %u dropped, %u "
            "refused; \"%.15s\"\n",
            id, (unsigned)o->len, (double)took_ns / 1e9,
            (double)(cpu_ns() - s->asked_cpu_ns[id]) / 1e9, o->asked ? "asked" : "not connected",
            o->err, o->tcp_state, o->resent, pool_state_name(f.state),
            lan_waits(pool_vm_port(s->world.vm[id])), f.port.dropped, f.port.refused,
            o->len ? text : "");
}

static void progress(struct soak *s)
{
    uint64_t now = host_monotonic_ns();
    if (now < s->progress_ns || now >= s->end_ns || s->end_ns == HOST_FOREVER)
        return;
    s->progress_ns = now + PROGRESS_NS;
    uint64_t own = 0;
    (void)!host_own_memory(&own);
    fprintf(stderr,
            "%llu s are left; %llu answers, %llu late, %llu errors; %llu canary faults; %llu KiB\n",
            (unsigned long long)((s->end_ns - now) / 1000000000), (unsigned long long)s->answers,
            (unsigned long long)s->late, (unsigned long long)s->errors,
            (unsigned long long)s->faults, (unsigned long long)(own / KIB));
}

/* Load. */

static bool next_request(void *opaque, struct bench_request *request)
{
    struct soak *s = opaque;
    uint32_t vms = s->world.options->vms, id = s->warm < vms ? s->warm++ : draw(s, vms);
    uint64_t own;
    if (host_monotonic_ns() >= s->end_ns && s->killed >= s->least_killed)
        return false;
    progress(s);
    if (s->end_ns != HOST_FOREVER)
        do_something(s);
    if (!host_own_memory(&own) && own / KIB > s->most_kib)
        s->most_kib = own / KIB;
    s->asked_cpu_ns[id] = cpu_ns();
    *request = (struct bench_request){bench_world_ip(id), id, "/index.html"};
    return s->end_ns != HOST_FOREVER || s->warm < vms;
}

static void on_answer(void *opaque, uint32_t id, const char *text, size_t len, uint64_t took_ns)
{
    struct soak *s = opaque;
    bool right = len && bench_world_is_right(&s->world, id, text, len);
    s->answers += right;
    s->errors += !right;
    s->late += took_ns > LATE_NS;
    s->slowest_ns = took_ns > s->slowest_ns ? took_ns : s->slowest_ns;
    if (!right || took_ns > LATE_NS)
        tell(s, id, text, took_ns);
}

static int load(struct soak *s, uint64_t end_ns, struct why *why)
{
    s->end_ns = end_ns;
    int err = bench_client_load(s->world.client, next_request, 4, PATIENCE_NS, on_answer, s);
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

/* Web servers, asked once. */
static int open_servers(struct soak *s, struct why *why)
{
    s->warm = 0;
    int err = bench_world_create(&s->world, why);
    return err ? err : load(s, HOST_FOREVER, why);
}

/* No VM is left. What there is, beside the program and its client: a pool, and its origins, each
 * with a window and its translations. */
static int close_servers(struct soak *s, struct why *why)
{
    struct bench_world *w = &s->world;
    for (uint32_t i = 0; i < w->options->vms; i++)
        pool_kill(w->vm[i]);
    for (uint32_t i = 0; i < w->options->vms; i++) {
        if (!pool_wait(w->vm[i], END_NS) || pool_remove(w->vm[i]))
            return why_fail(why, -EBUSY, "VM %u does not end", i);
    }
    free(w->vm);
    w->vm = NULL;
    pool_park_idle(w->pool);
    return 0;
}

static int add_images(struct soak *s, struct why *why)
{
    int err = add_image(s, 0, "4", why);
    if (!err)
        err = add_image(s, 1, "40", why);
    return err ? err : add_image(s, 2, "700", why);
}

static int load_for(struct soak *s, uint64_t ns, struct why *why)
{
    int err = load(s, host_monotonic_ns() + ns, why);
    clear(s);
    return err;
}

/* A while of everything, and out again: this is the start. */
static int rehearse(struct soak *s, struct why *why)
{
    uint64_t ns = s->world.options->seconds * (uint64_t)1000000000;
    int err = add_images(s, why);
    if (!err)
        err = open_servers(s, why);
    s->least_killed = REHEARSAL_KILLS;
    if (!err)
        err = load_for(s, ns < REHEARSAL_NS ? ns : REHEARSAL_NS, why);
    if (!err)
        err = close_servers(s, why);
    s->start_kib = own_kib();
    return err;
}

static int perform(struct soak *s, struct why *why)
{
    uint64_t ns = s->world.options->seconds * (uint64_t)1000000000;
    int err = open_servers(s, why);
    if (err)
        return err;
    clear(s);
    s->least_killed = 0;
    s->served_start_kib = own_kib();
    err = load_for(s, ns, why);
    s->served_end_kib = own_kib();
    if (!err)
        err = close_servers(s, why);
    s->end_kib = own_kib();
    return err;
}

static int run(struct soak *s, struct why *why)
{
    int err = rehearse(s, why);
    return err ? err : perform(s, why);
}

static void print(const struct soak *s)
{
    struct pool_counters c;
    pool_count(s->world.pool, &c);
    printf(
        s->world.options->json
            ? "{\"seconds\":%u,\"requests\":%llu,\"errors\":%llu,\"late\":%llu,"
              "\"slowest_ms\":%.1f,\"created\":%llu,"
              "\"cloned\":%llu,\"killed\":%llu,\"saved\":%llu,\"paused\":%llu,\"parked\":%llu,"
              "\"woken\":%llu,\"swapped\":%llu,\"lost\":%llu,\"canary_faults\":%llu,"
              "\"memory_limit_kib\":%llu,\"most_kib\":%llu,\"start_kib\":%llu,"
              "\"end_kib\":%llu,\"served_start_kib\":%llu,\"served_end_kib\":%llu}\n"
            : "%u s: %llu requests, %llu errors; %llu took over 30 s, the longest %.1f ms\n"
              "%llu VMs created (%llu of them clones), %llu killed; %llu saved, %llu paused\n"
              "%llu parked, %llu woken, %llu swapped out, %llu lost; %llu canary faults\n"
              "memory: limit %llu KiB, at most %llu; without VMs %llu at the start, %llu at the "
              "end; "
              "with the web servers, parked, %llu and %llu\n",
        s->world.options->seconds, (unsigned long long)s->answers, (unsigned long long)s->errors,
        (unsigned long long)s->late, (double)s->slowest_ns / 1e6, (unsigned long long)s->created,
        (unsigned long long)s->cloned, (unsigned long long)s->killed, (unsigned long long)s->saved,
        (unsigned long long)s->paused, (unsigned long long)c.parks, (unsigned long long)c.wakes,
        (unsigned long long)c.swapped, (unsigned long long)c.failed, (unsigned long long)s->faults,
        (unsigned long long)(s->world.options->memory_bytes / KIB), (unsigned long long)s->most_kib,
        (unsigned long long)s->start_kib, (unsigned long long)s->end_kib,
        (unsigned long long)s->served_start_kib, (unsigned long long)s->served_end_kib);
    if (s->report[0])
        fprintf(stderr, "the first canary that failed: %s\n", s->report);
}

static bool is_good(const struct soak *s)
{
    return !s->errors && !s->faults && s->created && s->answers &&
           s->end_kib <= s->start_kib + SLACK_KIB;
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
    s->asked_cpu_ns = calloc(options->vms, sizeof(*s->asked_cpu_ns));
    if (!err && !s->asked_cpu_ns)
        err = why_fail(why, -ENOMEM, "no memory");
    if (!err)
        err = run(s, why);
    if (!err)
        print(s);
    if (!err)
        err = !is_good(s);
    bench_world_fini(&s->world);
    for (unsigned i = 0; i < ORIGINS; i++)
        snapshot_close(s->snapshot[i]);
    free(s->asked_cpu_ns);
    free(s);
    return err;
}
