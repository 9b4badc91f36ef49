/* SPDX-License-Identifier: MIT */
/*
 * What VMs are made from is always a snapshot: that of an image is taken before
 * its first instruction, so that also such VMs share the image's pages and its
 * translations.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the devices of an image's VM are made with, until a VM brings its own. */

static int nic_nothing(struct net_backend *net, const void *frame, size_t len)
{
    (void)net, (void)frame, (void)len;
    return 0;
}

static int nic_never(struct net_backend *net, void *frame, size_t room)
{
    (void)net, (void)frame, (void)room;
    return -EAGAIN;
}

static int nic_no_fd(const struct net_backend *net)
{
    (void)net;
    return -1;
}

static const struct net_backend_ops nowhere = {
    .name = "nowhere", .send = nic_nothing, .receive = nic_never, .fd = nic_no_fd};

static bool wishes_nic(const struct image *image)
{
    const struct image_manifest *m = image_manifest(image);
    for (unsigned i = 0; i < m->wishes; i++) {
        if (m->wish[i].kind == DENALI_DEV_NIC)
            return true;
    }
    return false;
}

static int snapshot_of_image(const struct pool *pool, const struct pool_origin_config *c,
                             struct snapshot **out, struct why *why)
{
    struct net_backend net = {.ops = &nowhere};
    struct vm_resource resource[DENALI_MAX_DEVICES + 1];
    unsigned n = 0;
    struct vm *vm;
    for (; n < c->disks; n++)
        resource[n] = c->disk[n];
    if (wishes_nic(c->image))
        resource[n++] = (struct vm_resource){.kind = DENALI_DEV_NIC, .net = &net};
    const struct vm_config config = {.image = c->image,
                                     .engine = pool->config.engine,
                                     .mem_bytes = c->mem_bytes,
                                     .args = c->args,
                                     .env = c->env,
                                     .resource = resource,
                                     .resources = n};
    int err = vm_create(&config, &vm, why);
    if (err)
        return err;
    err = snapshot_take(vm, out, why);
    vm_destroy(vm);
    return err;
}

static int find_nic(struct pool_origin *origin, struct why *why)
{
    unsigned nics = 0;
    const struct vm_saved_device *d = snapshot_devices(origin->snapshot);
    for (unsigned i = 0; i < snapshot_device_count(origin->snapshot); i++)
        nics += d[i].kind == DENALI_DEV_NIC;
    origin->nic = nics != 0;
    return nics > 1 ? why_fail(why, -EINVAL, "a VM here has at most one NIC; this one has %u", nics)
                    : 0;
}

/* Inside the lock. Also waits for those that the pool gives back just now. */
static void free_windows(struct pool_origin *origin)
{
    struct pool *pool = origin->pool;
    struct slot *spare = NULL;
    while (origin->free)
        pool_unfree_window(origin->free, &spare);
    while (origin->dying)
        host_lock_wait(&pool->lock);
    host_lock_leave(&pool->lock);
    slots_destroy(spare);
    host_lock_enter(&pool->lock);
}

static void link_origin(struct pool_origin *origin)
{
    origin->next = origin->pool->origins;
    origin->pool->origins = origin;
}

static void unlink_origin(struct pool_origin *origin)
{
    struct pool_origin **at = &origin->pool->origins;
    while (*at != origin)
        at = &(*at)->next;
    *at = origin->next;
}

/* Whether VMs of it can ever run beside what the process has already. Inside the lock. */
static int find_room(struct pool_origin *origin, struct why *why)
{
    struct pool *pool = origin->pool;
    pool_measure(pool);
    pool->full = gate_wish(&pool->gate) != GATE_CONTENT;
    int err = pool_find_room(pool);
    pool_measure(pool); /* what was given back was a guess */
    if (!err && gate_wish(&pool->gate) == GATE_CONTENT)
        return 0;
    return why_fail(why, err ? err : -ENOMEM,
                    "memory for all VMs is limited to %llu MiB, and used up; at least %llu MiB are "
                    "needed for one more",
                    (unsigned long long)(pool->gate.limit_bytes / MIB),
                    (unsigned long long)(gate_least_bytes(&pool->gate) / MIB));
}

/* A first window shows that the snapshot runs here, and how long its VMs may sleep. */
static int try_out(struct pool_origin *origin, struct why *why)
{
    struct pool *pool = origin->pool;
    struct slot *slot;
    int err = slot_create(origin, &slot, why);
    if (err)
        return err;
    origin->first_wait_ns = origin->fresh || !vm_is_idle(slot->vm) ? 0 : vm_wait_ns(slot->vm);
    host_lock_enter(&pool->lock);
    pool->counters.windows++;
    pool->gate.windows++; /* pool_free_window takes it back */
    pool_count_mappings(slot);
    pool_free_window(slot);
    link_origin(origin);
    err = find_room(origin, why);
    if (err) {
        unlink_origin(origin);
        free_windows(origin);
    }
    host_lock_leave(&pool->lock);
    return err;
}

void pool_origin_free(struct pool_origin *origin)
{
    pool_bases_destroy(origin->bases);
    snapshot_close(origin->own);
    free(origin);
}

int pool_origin_add(struct pool *pool, const struct pool_origin_config *config,
                    struct pool_origin **out, struct why *why)
{
    if (config->disks > DENALI_MAX_DEVICES)
        return why_fail(why, -EINVAL, "more than %u disks", DENALI_MAX_DEVICES);
    struct pool_origin *origin = calloc(1, sizeof(*origin));
    if (!origin)
        return why_fail(why, -ENOMEM, "no memory");
    origin->pool = pool;
    origin->disks = config->disks;
    if (config->disks)
        memcpy(origin->disk, config->disk, config->disks * sizeof(origin->disk[0]));
    origin->fresh = !config->snapshot;
    int err = pool_bases_create(&origin->bases);
    if (err)
        why_fail(why, err, "no memory");
    if (!err && origin->fresh)
        err = snapshot_of_image(pool, config, &origin->own, why);
    origin->snapshot = origin->fresh ? origin->own : config->snapshot;
    if (!err)
        err = find_nic(origin, why);
    if (!err)
        err = try_out(origin, why);
    if (err) {
        pool_origin_free(origin);
        return err;
    }
    *out = origin;
    return 0;
}

int pool_origin_remove(struct pool_origin *origin)
{
    struct pool *pool = origin->pool;
    host_lock_enter(&pool->lock);
    if (origin->vms) {
        host_lock_leave(&pool->lock);
        return -EBUSY;
    }
    unlink_origin(origin);
    free_windows(origin);
    host_lock_leave(&pool->lock);
    pool_origin_free(origin);
    return 0;
}

bool pool_origin_has_nic(const struct pool_origin *origin)
{
    return origin->nic;
}

uint64_t pool_origin_mem_bytes(const struct pool_origin *origin)
{
    return snapshot_mem_bytes(origin->snapshot);
}
