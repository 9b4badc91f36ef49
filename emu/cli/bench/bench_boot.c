/* SPDX-License-Identifier: MIT */
/*
 * The origin is ready when it idles with no timer: then httpd waits for its
 * first connection and nothing else is under way.
 */
#include "emu/cli/bench/bench_boot.h"

#include "devices/net_backends.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "guests/ilwaco/boot_params.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY (144 * MIB) /* programs are linked at 128 MiB; one page table holds all */
#define PATIENCE_NS 20000000000u

void bench_document(char text[BENCH_DOCUMENT_BYTES])
{
    for (unsigned i = 0; i < BENCH_DOCUMENT_BYTES; i++)
        text[i] = i % 64 == 63 ? '\n' : (char)('a' + (i * 7 + i / 64) % 26);
}

struct bench_server bench_httpd(const char *path)
{
    return (struct bench_server){.program = path, .args = {"-n", "/"}};
}

static int write_file(const char *folder, const char *name, const void *text, size_t len,
                      struct why *why)
{
    char path[80];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    bool good = f && fwrite(text, len, 1, f) == 1;
    if (f && fclose(f))
        good = false;
    return good ? 0 : why_fail(why, -EIO, "cannot write %s", path);
}

static int make_site(struct bench_origin *o, uint32_t large_bytes, struct why *why)
{
    char text[BENCH_DOCUMENT_BYTES];
    strcpy(o->folder, "/tmp/denali-bench-XXXXXX");
    if (!mkdtemp(o->folder)) {
        o->folder[0] = 0;
        return why_fail(why, -errno, "cannot make a folder in /tmp: %s", strerror(errno));
    }
    bench_document(text);
    int err = write_file(o->folder, "index.html", text, sizeof(text), why);
    if (err || !large_bytes)
        return err;
    char *large = calloc(1, large_bytes);
    err = large ? write_file(o->folder, "large", large, large_bytes, why)
                : why_fail(why, -ENOMEM, "no memory");
    free(large);
    return err;
}

static int add_disk(struct bench_origin *o, const char *name, const char *file, struct why *why)
{
    struct vm_resource *r = &o->disk[o->disks];
    int err = disk_open(file, true, &r->disk, why);
    if (err)
        return err;
    r->kind = DENALI_DEV_DISK;
    r->name = name;
    o->disks++;
    return 0;
}

static int plan(const struct bench_server *server, struct bench_origin *o, struct why *why)
{
    char *args[ARRAY_LEN(server->args) + 1] = {NULL};
    const char *env[] = {ILWACO_PARAM_NET "10.0.0.2/8", ILWACO_PARAM_HOSTNAME "origin",
                         server->param};
    struct run_options options = {.image = server->program,
                                  .args = args,
                                  .root = o->folder,
                                  .env = env,
                                  .envs = server->param ? 3 : 2};
    for (unsigned i = 0; i < ARRAY_LEN(server->args); i++)
        args[i] = (char *)(uintptr_t)server->args[i]; /* only read */
    int err = boot_plan(&options, &o->boot, why);
    if (!err && (!o->boot.program || !o->boot.root))
        err = why_fail(why, -EINVAL, "%s is not a Linux program", server->program);
    if (!err)
        err = add_disk(o, ILWACO_DISK_ROOT, o->boot.root, why);
    return err ? err : add_disk(o, ILWACO_DISK_PROGRAM, o->boot.program, why);
}

static int run_until_idle(struct vm *vm, struct why *why)
{
    uint64_t end = host_monotonic_ns() + PATIENCE_NS;
    while (host_monotonic_ns() < end) {
        enum vm_slice slice = vm_run(vm, ENGINE_UNLIMITED);
        if (slice == VM_ENDED)
            return why_fail(why, -EINVAL, "the server ended while it was started");
        uint64_t wait = slice == VM_IDLE ? vm_wait_ns(vm) : 0;
        if (wait == HOST_FOREVER)
            return 0;
        if (wait)
            host_poll(NULL, 0, wait < 10000000 ? wait : 10000000);
    }
    return why_fail(why, -ETIMEDOUT, "the server did not come to rest");
}

static int take_snapshot(struct bench_origin *o, struct vm *vm, struct why *why)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/snapshot", o->folder);
    int err = run_until_idle(vm, why);
    if (!err)
        err = snapshot_save(vm, path, why);
    if (!err)
        err = snapshot_open(path, &o->snapshot, why);
    unlink(path);
    return err;
}

static int boot(struct bench_origin *o, struct engine *engine, struct why *why)
{
    struct vm_resource resource[3];
    struct net_error error = {""};
    struct net_backend *net = NULL;
    struct vm *vm = NULL;
    if (net_none_create(&net, &error))
        return why_fail(why, -ENOMEM, "%s", error.text);
    memcpy(resource, o->disk, sizeof(o->disk));
    resource[o->disks] = (struct vm_resource){
        .kind = DENALI_DEV_NIC, .net = net, .mac = {0x02, 0x44, 0xff, 0xff, 0xff, 0xff}};
    const struct vm_config config = {.image = o->boot.image,
                                     .engine = engine,
                                     .mem_bytes = MEMORY,
                                     .args = (const char *const *)o->boot.args,
                                     .env = (const char *const *)o->boot.env,
                                     .resource = resource,
                                     .resources = o->disks + 1,
                                     .seed = {host_tsc(), host_wall_ns()}};
    int err = vm_create(&config, &vm, why);
    if (!err)
        err = take_snapshot(o, vm, why);
    vm_destroy(vm);
    net->ops->destroy(net);
    return err;
}

int bench_origin_make(const struct bench_server *server, struct engine *engine,
                      struct bench_origin *o, struct why *why)
{
    memset(o, 0, sizeof(*o));
    int err = make_site(o, server->large_bytes, why);
    if (!err)
        err = plan(server, o, why);
    return err ? err : boot(o, engine, why);
}

void bench_origin_fini(struct bench_origin *o)
{
    char path[80];
    snapshot_close(o->snapshot);
    for (unsigned i = 0; i < o->disks; i++)
        disk_close(o->disk[i].disk);
    boot_fini(&o->boot);
    if (!o->folder[0])
        return;
    snprintf(path, sizeof(path), "%s/index.html", o->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/large", o->folder);
    unlink(path);
    rmdir(o->folder);
}
