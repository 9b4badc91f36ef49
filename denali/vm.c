/* SPDX-License-Identifier: MIT */
/*
 * A VM's life: made whole or not at all, ended once, destroyed; and what other
 * threads may do to it.
 *
 * Invariant against lost wake-ups: vm_post sets its bits before it calls the
 * wake hook, and the driver announces that it will sleep before vm_gather looks
 * at them a last time.
 */
#include "denali/snapshot.h"
#include "denali/vm_private.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int choose_memory(struct vm *vm, const struct vm_config *config, struct why *why)
{
    uint64_t wish = image_manifest(config->image)->mem_bytes;
    uint64_t bytes = config->mem_bytes ? config->mem_bytes : wish ? wish : VM_DEFAULT_MEMORY;
    int err = config->mem_bytes ? -EINVAL : -ENOEXEC;
    if (bytes < VM_MIN_MEMORY || bytes > VM_MAX_MEMORY)
        return why_fail(why, err, "%s %llu bytes of memory; a VM has 128 KiB to 4194240 KiB",
                        config->mem_bytes ? "cannot give" : "the image wishes",
                        (unsigned long long)bytes);
    vm->mem_bytes = (bytes + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
    return 0;
}

/* RAM with a hole below DENALI_RAM_START but for the register page, so that small wild pointers
 * fault. */
static int make_ram(struct vm *vm, struct why *why)
{
    int err = ram_create(vm->mem_bytes, &vm->ram);
    if (!err)
        err = ram_set_access(vm->ram, 0, DENALI_RAM_START, HOST_NONE);
    if (!err)
        err = ram_set_access(vm->ram, vm->regs_addr, PAGE_SIZE, HOST_R | HOST_W);
    return err ? why_fail(why, err, "no address space for a VM: %s", strerror(-err)) : 0;
}

static int make_cpu(struct vm *vm, uint64_t key, struct why *why)
{
    vm->flat = vm_flat_at(vm->regs_addr);
    vm->cpu = cpu_init_flat(vm->ram, &vm->flat);
    vm->cpu->engine = vm->engine;
    vm_time_init(vm);
    int err = vm->engine->ops->attach(vm->engine, vm->cpu, key);
    if (err)
        return why_fail(why, err, "the engine cannot take a VM: %s", strerror(-err));
    vm->attached = true;
    return 0;
}

static int build(struct vm *vm, const struct vm_config *config, struct why *why)
{
    BUG_ON(image_kind(config->image) != IMAGE_DENALI, "only a Denali image boots");
    int err = choose_memory(vm, config, why);
    vm->regs_addr = image_manifest(vm->image)->regs_addr;
    if (!err)
        err = make_ram(vm, why);
    if (!err)
        err = image_load(vm->image, vm->ram, why);
    if (!err && clock_create(vm->counted, &vm->clock))
        err = why_fail(why, -ENOMEM, "no memory for a clock");
    if (!err)
        err = make_cpu(vm, image_key(vm->image), why);
    if (!err)
        err = vm_boot(vm, config, why);
    if (!err)
        err = vm_bind(vm, config, why);
    return err;
}

/* The register page is the one page below DENALI_RAM_START that can be accessed. */
static uint32_t find_regs(const struct vm *vm)
{
    uint32_t page = 0;
    while (page < DENALI_RAM_START && ram_access(vm->ram, page) == HOST_NONE)
        page += PAGE_SIZE;
    return page < DENALI_RAM_START ? page : DENALI_REGS_ADDR;
}

/* Making devices wrote their table; a counted VM goes on exactly as it was. */
static int restore_regs(struct vm *vm, struct why *why)
{
    const uint8_t *saved = snapshot_source(vm->snapshot)->bytes + vm->regs_addr;
    int err = ram_write(vm->ram, vm->regs_addr, saved, PAGE_SIZE);
    return err ? why_fail(why, err, "no memory for the register page") : 0;
}

/* The hole is the saved VM's too: it comes with the rights. */
static int build_from_snapshot(struct vm *vm, const struct vm_config *config, struct why *why)
{
    const struct snapshot *s = config->snapshot;
    vm->mem_bytes = snapshot_mem_bytes(s);
    int err = ram_create_from(vm->mem_bytes, snapshot_source(s), &vm->ram);
    if (err)
        return why_fail(why, err, "no address space for a VM: %s", strerror(-err));
    vm->regs_addr = find_regs(vm);
    if (ram_access(vm->ram, vm->regs_addr) != (HOST_R | HOST_W))
        return why_fail(why, -EINVAL, "the snapshot has no register page");
    if (clock_create(vm->counted, &vm->clock))
        return why_fail(why, -ENOMEM, "no memory for a clock");
    err = make_cpu(vm, snapshot_key(s), why);
    if (!err)
        err = vm_bind_saved(vm, config, snapshot_devices(s), snapshot_device_count(s), why);
    if (!err && snapshot_load_state(s, vm, VM_TIME_SAVED))
        err = why_fail(why, -EINVAL, "the snapshot is of another machine");
    if (!err && vm->counted)
        err = restore_regs(vm, why);
    return err;
}

int vm_create(const struct vm_config *config, struct vm **out, struct why *why)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    if (!vm)
        return why_fail(why, -ENOMEM, "no memory for a VM");
    vm->created_ns = host_monotonic_ns();
    vm->image = config->image;
    vm->snapshot = config->snapshot;
    vm->engine = config->engine;
    vm->console = config->console;
    vm->hooks = config->hooks;
    vm->hooks_opaque = config->hooks_opaque;
    vm->deterministic = config->deterministic;
    vm->scripted = config->scripted;
    vm->counted = config->deterministic || config->scripted || config->counted || config->tape;
    vm->horizon_ns = UINT64_MAX;
    vm->pool = vm->counted ? NULL : config->pool;
    outside_init(vm, config);
    vm->one_by_one = config->one_by_one;
    vm->next_event_ns = CLOCK_NEVER;

    int err = config->snapshot ? build_from_snapshot(vm, config, why) : build(vm, config, why);
    if (err) {
        vm_destroy(vm);
        return err;
    }
    *out = vm;
    return 0;
}

void vm_destroy(struct vm *vm)
{
    if (!vm)
        return;
    for (unsigned i = 0; i < vm->devices; i++)
        vm->device[i]->ops->destroy(vm->device[i]);
    if (vm->attached)
        vm->engine->ops->detach(vm->engine, vm->cpu);
    clock_destroy(vm->clock);
    ram_destroy(vm->ram);
    free(vm->unknown);
    free(vm);
}

void vm_stop(struct vm *vm)
{
    engine_stop(vm->cpu);
}

void vm_yield(struct vm *vm)
{
    vm->stopping = true;
}

void vm_post(struct vm *vm, uint32_t irq)
{
    atomic_fetch_or(&vm->arrived, irq);
    if (vm->hooks && vm->hooks->wake)
        vm->hooks->wake(vm->hooks_opaque, vm);
}

void vm_set_horizon(struct vm *vm, uint64_t when_ns)
{
    vm->horizon_ns = when_ns;
}

bool vm_unknown(const struct vm *vm, unsigned n, uint32_t *number, const char **name)
{
    if (n >= vm->unknowns)
        return false;
    *number = vm->unknown[n].number;
    *name = vm->unknown[n].name;
    return true;
}

void vm_post_signal(struct vm *vm, uint32_t signals)
{
    atomic_fetch_or(&vm->arrived_signals, signals);
    vm_post(vm, DENALI_IRQ_SIGNAL);
}

bool vm_has_news(const struct vm *vm)
{
    return atomic_load(&vm->arrived) != 0;
}

static uint64_t until(const struct vm *vm, uint64_t when_ns)
{
    if (when_ns == CLOCK_NEVER)
        return HOST_FOREVER;
    uint64_t now = clock_now_ns(vm->clock);
    return when_ns > now ? when_ns - now : 0;
}

uint64_t vm_next_event_in_ns(const struct vm *vm)
{
    return vm->counted ? HOST_FOREVER : until(vm, vm->next_event_ns);
}

bool vm_hears_signals(const struct vm *vm)
{
    return vm_regs(vm)->upcall_entry && !vm_regs(vm)->signals && !vm->arrived_signals &&
           !vm->raised_signals;
}

void vm_rearm(struct vm *vm)
{
    if (vm->hooks && vm->hooks->rearm)
        vm->hooks->rearm(vm->hooks_opaque, vm);
}

void vm_end_with(struct vm *vm, enum vm_end_reason reason)
{
    if (vm->end.reason == VM_END_NONE)
        vm->end.reason = reason;
}

int vm_end_host(struct vm *vm, int err, const char *what)
{
    vm_end_with(vm, VM_END_HOST);
    return why_fail(&vm->end.why, err, "%s: %s", what, strerror(-err));
}

volatile struct denali_regs *vm_regs_write(struct vm *vm)
{
    void *page = ram_span_write(vm->ram, vm->regs_addr, sizeof(struct denali_regs));
    if (!page && vm_end_host(vm, -ENOMEM, "the host cannot make a page writable"))
        return NULL;
    return page;
}

void vm_kill(struct vm *vm)
{
    vm_end_with(vm, VM_END_KILLED);
}

const struct vm_end *vm_end(const struct vm *vm)
{
    return &vm->end;
}

bool vm_is_idle(const struct vm *vm)
{
    return vm->idle && !vm->blocked && !vm_has_news(vm);
}

uint64_t vm_wait_ns(struct vm *vm)
{
    uint64_t when = vm->next_event_ns;
    if (vm->idle && vm->idle_until_ns < when)
        when = vm->idle_until_ns;
    return until(vm, when);
}

uint64_t vm_unblocked_in_ns(const struct vm *vm)
{
    return until(vm, vm->blocked_until_ns);
}

void vm_set_rates(struct vm *vm, uint64_t disk_blocks_per_s, uint64_t console_bytes_per_s)
{
    for (unsigned i = 0; i < vm->devices; i++) {
        if (vm->device[i]->ops->kind == DENALI_DEV_DISK)
            vdev_disk_limit(vm->device[i], disk_blocks_per_s);
        if (vm->device[i]->ops->kind == DENALI_DEV_CONSOLE)
            vdev_console_limit(vm->device[i], console_bytes_per_s);
    }
}

void vm_slept(struct vm *vm, uint64_t ns)
{
    if (vm->counted && vm->idle)
        outside_slept(vm, ns);
}

void vm_poll(const struct vm *vm, struct vm_poll *poll)
{
    poll->count = 0;
    for (unsigned i = 0; i < vm->devices; i++) {
        const struct vdev *dev = vm->device[i];
        for (unsigned which = 0; dev->ops->poll_fd && which < 2; which++) {
            short events = 0;
            int fd = dev->ops->poll_fd(dev, which, &events);
            if (fd < 0 || poll->count == VM_POLL_MAX)
                continue;
            poll->fd[poll->count] = (struct pollfd){.fd = fd, .events = events};
            poll->device[poll->count++] = (uint8_t)i;
        }
    }
}

void vm_poll_ready(struct vm *vm, const struct vm_poll *poll)
{
    for (unsigned i = 0; i < poll->count; i++) {
        if (poll->fd[i].revents)
            outside_ready(vm, poll->device[i], poll->fd[i].revents);
    }
}

void vm_catch(struct vm *vm, unsigned events)
{
    vm->catches = events;
}

enum vm_event vm_caught(const struct vm *vm)
{
    return vm->caught;
}

void vm_forget_caught(struct vm *vm)
{
    vm->held = ENGINE_EXIT_BUDGET;
}

struct cpu *vm_cpu(struct vm *vm)
{
    return vm->cpu;
}

struct ram *vm_ram(struct vm *vm)
{
    return vm->ram;
}

struct image *vm_image(struct vm *vm)
{
    return vm->image;
}

uint64_t vm_now_ns(const struct vm *vm)
{
    return clock_now_ns(vm->clock);
}
