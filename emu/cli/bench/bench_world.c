/* SPDX-License-Identifier: MIT */
/* Every clone's address and name follow from its id, so that nothing is kept for those that are
 * never asked. */
#include "emu/cli/bench/bench_world.h"

#include "dbt/dbt.h"
#include "emu/base/host.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_IP 0x0a000001u /* 10.0.0.1 */
#define FIRST_IP 0x0a000100u
#define QUANTUM_NS 5000000u

uint32_t bench_world_ip(uint32_t id)
{
    return FIRST_IP + id;
}

static uint32_t identify(void *opaque, uint32_t id, char text[DENALI_IDENTITY_MAX])
{
    uint32_t ip = bench_world_ip(id);
    (void)opaque;
    int n = snprintf(text, DENALI_IDENTITY_MAX,
                     ILWACO_PARAM_NET "%u.%u.%u.%u/8%c" ILWACO_PARAM_HOSTNAME "vm%u", ip >> 24,
                     ip >> 16 & 255, ip >> 8 & 255, ip & 255, 0, id);
    return (uint32_t)n + 1;
}

uint64_t bench_status_kib(const char *field)
{
    char line[256];
    unsigned long long kib = 0;
    size_t len = strlen(field);
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, field, len))
            kib = strtoull(line + len, NULL, 10);
    }
    if (f)
        fclose(f);
    return kib;
}

bool bench_world_is_right(const struct bench_world *w, uint32_t id, const char *text, size_t len)
{
    char name[64];
    const char *body = strstr(text, "\r\n\r\n");
    snprintf(name, sizeof(name), "\r\nX-Served-By: vm%u\r\n", id);
    const char *named = strstr(text, name);
    return !strncmp(text, "HTTP/1.1 200 ", 13) && body && named && named < body &&
           len - (size_t)(body + 4 - text) == BENCH_DOCUMENT_BYTES &&
           !memcmp(body + 4, w->document, BENCH_DOCUMENT_BYTES);
}

int bench_world_create(struct bench_world *w, struct why *why)
{
    uint64_t before = host_monotonic_ns();
    w->vm = calloc(w->options->vms, sizeof(*w->vm));
    int err = w->vm ? 0 : -ENOMEM;
    for (uint32_t id = 0; !err && id < w->options->vms; id++) {
        const struct pool_vm_config config = {
            .origin = w->made_from, .id = id, .lan = w->lan, .ip = bench_world_ip(id)};
        err = pool_add(w->pool, &config, &w->vm[id]);
    }
    w->create_s = (double)(host_monotonic_ns() - before) / 1e9;
    return err ? why_fail(why, err, "cannot make that many VMs: %s", strerror(-err)) : 0;
}

static int make_pool(struct bench_world *w, struct why *why)
{
    struct pool_config config = {.engine = w->engine,
                                 .workers = w->options->workers,
                                 .sync_interrupts = w->options->sync_interrupts,
                                 .memory_bytes = w->options->memory_bytes,
                                 .max_windows = w->options->max_windows,
                                 .swap_path = w->options->swap_path,
                                 .swap_bytes = w->options->swap_bytes,
                                 .seed = host_wall_ns(),
                                 .identify = identify,
                                 .ended = w->ended,
                                 .opaque = w->ended_opaque};
    if (sched_round_robin(QUANTUM_NS, &config.sched))
        return why_fail(why, -ENOMEM, "no memory");
    const struct pool_origin_config origin = {
        .snapshot = w->origin.snapshot, .disk = w->origin.disk, .disks = w->origin.disks};
    int err = pool_create(&config, &w->pool, why);
    return err ? err : pool_origin_add(w->pool, &origin, &w->made_from, why);
}

int bench_world_init(struct bench_world *w, const struct bench_options *options, struct why *why)
{
    const struct bench_server server = bench_httpd(options->httpd);
    return bench_world_init_server(w, options, &server, why);
}

int bench_world_init_server(struct bench_world *w, const struct bench_options *options,
                            const struct bench_server *server, struct why *why)
{
    *w = (struct bench_world){.ended = w->ended, .ended_opaque = w->ended_opaque};
    w->options = options;
    bench_document(w->document);
    int err = dbt_create(NULL, &w->engine);
    if (err == -ENOTSUP)
        err = interp_create(&w->engine);
    if (err)
        return why_fail(why, err, "cannot start the engine: %s", strerror(-err));
    err = bench_origin_make(server, w->engine, &w->origin, why);
    if (!err && lan_create(&w->lan))
        err = why_fail(why, -ENOMEM, "no memory");
    if (!err && bench_client_create(w->lan, CLIENT_IP, &w->client))
        err = why_fail(why, -ENOMEM, "no memory for the client");
    return err ? err : make_pool(w, why);
}

void bench_world_fini(struct bench_world *w)
{
    if (w->pool)
        pool_destroy(w->pool);
    bench_client_destroy(w->client);
    lan_destroy(w->lan);
    bench_origin_fini(&w->origin);
    if (w->engine)
        w->engine->ops->destroy(w->engine);
    free(w->vm);
}
