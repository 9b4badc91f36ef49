/* SPDX-License-Identifier: MIT */
/*
 * A window with a VM in it. Its NIC leads to its owner's port; its console and
 * disks become its owner's when he moves in. A disk that has finished posts to
 * the VM from a thread of its own, and so wakes the owner.
 */
#include "denali/pool/pool_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>

static struct slot *slot_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct slot, net);
}

static int net_send(struct net_backend *net, const void *frame, size_t len)
{
    struct pool_vm *vm = slot_of(net)->owner;
    if (vm->port.lan)
        lan_send(&vm->port, frame, len);
    return 0;
}

static int net_receive(struct net_backend *net, void *frame, size_t room)
{
    struct pool_vm *vm = slot_of(net)->owner;
    size_t len = vm->port.lan ? lan_receive(&vm->port, frame, room) : 0;
    return len ? (int)len : -EAGAIN;
}

/* Frames wake the VM through pool_post. */
static int net_fd(const struct net_backend *net)
{
    (void)net;
    return -1;
}

static void net_destroy(struct net_backend *net)
{
    (void)net;
}

static const struct net_backend_ops net_ops = {
    .name = "switch",
    .send = net_send,
    .receive = net_receive,
    .fd = net_fd,
    .destroy = net_destroy,
};

/*
 * While the pool itself posts, it has the lock, the VM runs, and when it stops it
 * is asked for news: so whoever finds `posting` set may leave.
 */
static void on_wake(void *opaque, struct vm *vm)
{
    struct slot *slot = opaque;
    struct pool *pool = slot->pool;
    (void)vm;
    if (atomic_load(&slot->posting))
        return;
    host_lock_enter(&pool->lock);
    if (slot->owner && slot->owner->slot == slot && slot->owner->state == POOL_IDLE)
        pool_make_ready(slot->owner, SCHED_WOKEN);
    host_lock_leave(&pool->lock);
}

static const struct vm_hooks hooks = {.wake = on_wake};

void slot_give(struct pool_vm *vm)
{
    struct slot *slot = vm->slot;
    atomic_store(&slot->posting, true);
    if (vm->extra && vm->extra->signals)
        vm_post_signal(slot->vm, vm->extra->signals);
    if (vm->arrived)
        vm_post(slot->vm, vm->arrived);
    atomic_store(&slot->posting, false);
    vm->arrived = 0;
    if (vm->extra)
        vm->extra->signals = 0;
}

static int make_vm(struct slot *slot, struct why *why)
{
    const struct pool_origin *o = slot->origin;
    struct vm_resource resource[DENALI_MAX_DEVICES + 1];
    unsigned n = 0;
    for (; n < o->disks; n++)
        resource[n] = o->disk[n];
    if (o->nic)
        resource[n++] = (struct vm_resource){.kind = DENALI_DEV_NIC, .net = &slot->net};
    const struct vm_config config = {.one_by_one = slot->pool->config.sync_interrupts,
                                     .snapshot = o->snapshot,
                                     .engine = slot->pool->config.engine,
                                     .resource = resource,
                                     .resources = n,
                                     .pool = slot->pool->config.io,
                                     .hooks = &hooks,
                                     .hooks_opaque = slot};
    return vm_create(&config, &slot->vm, why);
}

int slot_create(struct pool_origin *origin, struct slot **out, struct why *why)
{
    struct slot *slot = calloc(1, sizeof(*slot));
    if (!slot)
        return why_fail(why, -ENOMEM, "no memory");
    slot->pool = origin->pool;
    slot->origin = origin;
    slot->net.ops = &net_ops;
    int err = make_vm(slot, why);
    if (err) {
        slot_destroy(slot);
        return err;
    }
    *out = slot;
    return 0;
}

void slot_destroy(struct slot *slot)
{
    if (!slot)
        return;
    vm_destroy(slot->vm);
    free(slot);
}

void slots_destroy(struct slot *list)
{
    while (list) {
        struct slot *next = list->next;
        slot_destroy(list);
        list = next;
    }
}

int slot_bind(struct slot *slot, struct pool_vm *vm, bool first)
{
    const struct pool_origin *o = slot->origin;
    const struct pool_extra *extra = vm->extra;
    bool own = extra && extra->disks, others = slot->others;
    slot->others = own;
    vm_set_rates(slot->vm, extra ? extra->disk_blocks_per_s : 0,
                 extra ? extra->console_bytes_per_s : 0);
    int err = vm_set_console(slot->vm, extra ? extra->console : NULL, first);
    if (err || (!own && !others))
        return err;
    return vm_set_disks(slot->vm, own ? extra->disk : o->disk, own ? extra->disks : o->disks,
                        first);
}
