/* SPDX-License-Identifier: MIT */
/*
 * Binds the names of an image's manifest to the resources that the host gives,
 * and makes the devices. A wish that is not optional and has no resource, and a
 * named resource that nobody wishes, are both errors that name the option.
 */
#include "denali/vm_private.h"

#include <errno.h>
#include <string.h>

struct binding {
    struct vm *vm;
    const struct vm_config *config;
    struct why *why;
    uint32_t used; /* resources, by bit */
};

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {"", "console", "keyboard", "timer", "NIC", "disk"};
    return kind && kind < ARRAY_LEN(names) ? names[kind] : "unknown device";
}

static const struct vm_resource *find_resource(struct binding *b, unsigned kind, const char *name)
{
    for (unsigned i = 0; i < b->config->resources; i++) {
        const struct vm_resource *r = &b->config->resource[i];
        if (r->kind == kind && !(b->used >> i & 1) && (!r->name || !strcmp(r->name, name))) {
            b->used |= 1u << i;
            return r;
        }
    }
    return NULL;
}

static int construct(struct binding *b, unsigned kind, const struct vm_resource *resource,
                     struct denali_device *entry, struct vdev **out)
{
    switch (kind) {
    case DENALI_DEV_CONSOLE:
        return vdev_console_create(b->vm, entry, out);
    case DENALI_DEV_KEYBOARD:
        return vdev_keyboard_create(b->vm, entry, out);
    case DENALI_DEV_TIMER:
        return vdev_timer_create(b->vm, entry, out);
    case DENALI_DEV_NIC:
        return vdev_nic_create(b->vm, resource, entry, out);
    case DENALI_DEV_DISK:
        return vdev_disk_create(b->vm, resource, entry, out);
    default:
        return -ENODEV;
    }
}

static int add_device(struct binding *b, unsigned kind, const char *name,
                      const struct vm_resource *resource)
{
    struct vm *vm = b->vm;
    unsigned index = vm->devices;
    if (index == DENALI_MAX_DEVICES)
        return why_fail(b->why, -EINVAL, "more than %u devices", DENALI_MAX_DEVICES);

    struct denali_device entry = {.kind = (uint16_t)kind};
    entry.port = (uint16_t)(DENALI_PORT_BASE + index * DENALI_PORT_STRIDE);
    memcpy(entry.name, name, strnlen(name, DENALI_NAME_LEN - 1));
    struct vdev *dev;
    int err = construct(b, kind, resource, &entry, &dev);
    if (err)
        return why_fail(b->why, err, "cannot make %s \"%s\": %s", kind_name(kind), name,
                        strerror(-err));
    dev->vm = vm;
    memcpy(dev->name, entry.name, sizeof(dev->name));
    vm->device[vm->devices++] = dev;
    return ram_write(
        vm->ram, vm->regs_addr + offsetof(struct denali_regs, device[0]) + index * sizeof(entry),
        &entry, sizeof(entry));
}

static int missing(const struct binding *b, const struct image_wish *wish)
{
    const char *path = image_path(b->vm->image);
    if (wish->optional)
        return 0;
    if (wish->kind == DENALI_DEV_DISK)
        return why_fail(b->why, -ENOEXEC, "%s needs a disk \"%s\": give --disk %s=FILE", path,
                        wish->name, wish->name);
    if (wish->kind == DENALI_DEV_NIC)
        return why_fail(b->why, -ENOEXEC, "%s needs a NIC \"%s\": give --net", path, wish->name);
    return why_fail(b->why, -ENOEXEC,
                    "%s needs a device of kind %u (\"%s\"), which this program does "
                    "not have",
                    path, wish->kind, wish->name);
}

static int bind_wish(struct binding *b, const struct image_wish *wish)
{
    bool own = wish->kind == DENALI_DEV_CONSOLE || wish->kind == DENALI_DEV_KEYBOARD ||
               wish->kind == DENALI_DEV_TIMER;
    const struct vm_resource *resource = own ? NULL : find_resource(b, wish->kind, wish->name);
    if (!own && !resource)
        return missing(b, wish);
    return add_device(b, wish->kind, wish->name, resource);
}

static bool is_wildcard(const struct image_wish *wish)
{
    return wish->kind == DENALI_DEV_DISK && !strcmp(wish->name, DENALI_NAME_ANY);
}

/* Disks that no wish names: for the wish that takes them all, or an error. */
static int bind_rest(struct binding *b, bool wildcard)
{
    for (unsigned i = 0; i < b->config->resources; i++) {
        const struct vm_resource *r = &b->config->resource[i];
        if ((b->used >> i & 1) || !r->name || r->kind != DENALI_DEV_DISK)
            continue;
        if (!wildcard)
            return why_fail(b->why, -EINVAL, "%s has no use for a disk \"%s\"",
                            image_path(b->vm->image), r->name);
        int err = add_device(b, r->kind, r->name, r);
        if (err)
            return err;
    }
    return 0;
}

static int finish_table(struct vm *vm)
{
    volatile struct denali_regs *regs = vm_regs_write(vm);
    if (!regs)
        return -ENOMEM;
    regs->device_count = vm->devices;
    return 0;
}

int vm_bind_saved(struct vm *vm, const struct vm_config *config,
                  const struct vm_saved_device *saved, unsigned count, struct why *why)
{
    struct binding b = {vm, config, why, 0};
    int err = config->resources > 32 ? why_fail(why, -EINVAL, "too many disks") : 0;
    for (unsigned i = 0; !err && i < count; i++) {
        const struct vm_saved_device *d = &saved[i];
        const struct vm_resource *resource = NULL;
        bool own = d->kind != DENALI_DEV_NIC && d->kind != DENALI_DEV_DISK;
        if (!own && !(resource = find_resource(&b, d->kind, d->name)))
            return why_fail(why, -EINVAL, "the snapshot's VM has a %s \"%s\", which is not given",
                            kind_name(d->kind), d->name);
        err = add_device(&b, d->kind, d->name, resource);
    }
    return err ? err : finish_table(vm);
}

int vm_bind(struct vm *vm, const struct vm_config *config, struct why *why)
{
    struct binding b = {vm, config, why, 0};
    const struct image_manifest *m = image_manifest(vm->image);
    bool wildcard = false;
    int err = config->resources > 32 ? why_fail(why, -EINVAL, "too many disks") : 0;
    for (unsigned i = 0; !err && i < m->wishes; i++) {
        if (is_wildcard(&m->wish[i]))
            wildcard = true;
        else
            err = bind_wish(&b, &m->wish[i]);
    }
    if (!err)
        err = bind_rest(&b, wildcard);
    return err ? err : finish_table(vm);
}

/* Other resources. */

static uint64_t entry_at(const struct vm *vm, unsigned index)
{
    return vm->regs_addr + offsetof(struct denali_regs, device[0]) +
           index * sizeof(struct denali_device);
}

/* A page is written only for news: each costs the host memory. */
static int update_entry(struct vm *vm, unsigned index, const struct denali_device *was,
                        const struct denali_device *now)
{
    return memcmp(was, now, sizeof(*now))
               ? ram_write(vm->ram, entry_at(vm, index), now, sizeof(*now))
               : 0;
}

int vm_set_disks(struct vm *vm, const struct vm_resource *resource, unsigned resources, bool first)
{
    const struct vm_config config = {.resource = resource, .resources = resources};
    struct binding b = {vm, &config, NULL, 0};
    int err = resources > 32 ? -EINVAL : 0;
    for (unsigned i = 0; !err && i < vm->devices; i++) {
        struct denali_device was = {0}, now;
        if (vm->device[i]->ops->kind != DENALI_DEV_DISK)
            continue;
        const struct vm_resource *r = find_resource(&b, DENALI_DEV_DISK, vm->device[i]->name);
        err = r ? ram_read(vm->ram, entry_at(vm, i), &was, sizeof(was)) : -EINVAL;
        now = was;
        if (!err)
            vdev_disk_set(vm->device[i], r->disk, &now);
        if (!err && first)
            err = update_entry(vm, i, &was, &now);
    }
    return err;
}

static bool is_tty(const struct console_backend *c, unsigned kind)
{
    if (!c)
        return false;
    return kind == DENALI_DEV_CONSOLE ? c->ops->out_is_tty(c) : c->ops->in_is_tty(c);
}

int vm_set_console(struct vm *vm, struct console_backend *console, bool first)
{
    int err = 0;
    vm->console = console;
    for (unsigned i = 0; first && !err && i < vm->devices; i++) {
        struct denali_device was, now;
        unsigned kind = vm->device[i]->ops->kind;
        if (kind != DENALI_DEV_CONSOLE && kind != DENALI_DEV_KEYBOARD)
            continue;
        err = ram_read(vm->ram, entry_at(vm, i), &was, sizeof(was));
        now = was;
        now.flags &= (uint16_t)~DENALI_DEVF_TTY;
        now.flags |= is_tty(console, kind) ? DENALI_DEVF_TTY : 0;
        if (!err)
            err = update_entry(vm, i, &was, &now);
    }
    if (first && console)
        vm_post(vm, DENALI_IRQ_CONSOLE | DENALI_IRQ_KEYBOARD);
    return err;
}
