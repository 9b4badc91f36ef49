/* SPDX-License-Identifier: MIT */
/* VMs are asked round and round, so that each has about as much to do as any other. */
#include "emu/cli/bench/bench_load.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SAMPLES 2000000u

struct load {
    struct bench_world world;
    const char *target;
    size_t least;
    unsigned at_once;
    uint32_t vms, turn;
    uint64_t end_ns, left; /* until then; or so many more */
    struct bench_load *out;
    uint32_t *took_us;
    uint32_t samples;
};

static bool next(void *opaque, struct bench_request *request)
{
    struct load *l = opaque;
    if (l->end_ns ? host_monotonic_ns() >= l->end_ns : !l->left)
        return false;
    l->left -= !l->end_ns;
    uint32_t id = l->turn++ % l->vms;
    *request = (struct bench_request){bench_world_ip(id), id, l->target};
    return true;
}

static void answer(void *opaque, uint32_t id, const char *text, size_t len, uint64_t took_ns)
{
    struct load *l = opaque;
    (void)id;
    bool right = len >= l->least && !strncmp(text, "HTTP/1.1 200 ", 13);
    l->out->answers += right;
    l->out->errors += !right;
    if (l->samples < MOST_SAMPLES)
        l->took_us[l->samples++] = (uint32_t)(took_ns / 1000);
}

static int ask(struct load *l, struct why *why)
{
    l->samples = 0;
    l->out->answers = l->out->errors = 0;
    int err = bench_client_load(l->world.client, next, l->at_once, BENCH_PATIENCE_NS, answer, l);
    return err ? why_fail(why, err, "the client failed: %s", strerror(-err)) : 0;
}

static int measure(struct load *l, unsigned seconds, struct why *why)
{
    l->left = l->vms;
    int err = ask(l, why);
    if (err)
        return err;
    pool_count(l->world.pool, &l->out->before);
    uint64_t start = host_monotonic_ns();
    l->end_ns = start + seconds * (uint64_t)1000000000;
    err = ask(l, why);
    l->out->seconds = (double)(host_monotonic_ns() - start) / 1e9;
    pool_count(l->world.pool, &l->out->after);
    qsort(l->took_us, l->samples, sizeof(uint32_t), bench_by_us);
    l->out->p50_ms = l->samples ? l->took_us[l->samples / 2] / 1e3 : 0;
    l->out->p99_ms = l->samples ? l->took_us[(uint64_t)l->samples * 99 / 100] / 1e3 : 0;
    return err;
}

int bench_load(const struct bench_options *options, const struct bench_server *server,
               const char *target, size_t least, unsigned at_once, struct bench_load *out,
               struct why *why)
{
    struct load *l = calloc(1, sizeof(*l));
    memset(out, 0, sizeof(*out));
    if (!l || !(l->took_us = malloc(MOST_SAMPLES * sizeof(uint32_t)))) {
        free(l);
        return why_fail(why, -ENOMEM, "no memory");
    }
    l->target = target;
    l->least = least;
    l->at_once = at_once;
    l->vms = options->vms;
    l->out = out;
    int err = bench_world_init_server(&l->world, options, server, why);
    if (!err)
        err = bench_world_create(&l->world, why);
    if (!err)
        err = measure(l, options->seconds, why);
    bench_world_fini(&l->world);
    free(l->took_us);
    free(l);
    return err;
}
