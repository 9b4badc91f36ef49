/* SPDX-License-Identifier: MIT */
/* Made in the order of what depends on what, unmade in the opposite one. */
#include "emu/cli/debug_vm.h"

#include "denali/record/replay.h"
#include "emu/base/host_thread.h"
#include "emu/cli/run/run_boot.h"
#include "emu/cli/run/run_files.h"
#include "emu/cli/run/run_resources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct debug_vm {
    const struct run_options *options;
    struct engine *engine;
    struct console_backend *console;
    struct boot boot;
    struct run_resources resources;
    struct run_files files;
    struct target_vm *target;
    struct replay *replay; /* NULL, or what makes the VM */
    struct vm *vm;
};

static int make_vm(struct debug_vm *d, struct why *why)
{
    struct vm_config config = {
        .image = d->boot.image,
        .engine = d->engine,
        .mem_bytes = d->options->memory ? d->options->memory : d->boot.mem_bytes,
        .args = (const char *const *)d->boot.args,
        .env = (const char *const *)d->boot.env,
        .console = d->console,
        .resource = d->resources.list,
        .resources = d->resources.count,
        .pool = d->resources.pool,
        .deterministic = d->options->deterministic,
        .tape = d->options->no_history ? NULL : target_vm_tape(d->target),
        .seed = {1, 2},
        .hooks = &target_vm_hooks,
        .hooks_opaque = d->target,
    };
    if (!d->options->deterministic && getrandom(config.seed, 16, GRND_NONBLOCK) != 16)
        config.seed[0] = host_tsc();
    return vm_create(&config, &d->vm, why);
}

static void attach(struct debug_vm *d)
{
    struct target *t = target_vm_target(d->target);
    target_vm_attach(d->target, d->vm);
    t->name = d->files.name;
    t->files = d->files.count;
    memcpy(t->file, d->files.file, sizeof(d->files.file));
    target_vm_set_root(d->target, d->files.root);
}

/* A recording is looked at, forwards and backwards. */
static int build_replay(struct debug_vm *d, struct why *why)
{
    struct replay_config config = {.engine = d->engine,
                                   .console = d->console,
                                   .show = !d->options->quiet,
                                   .hooks = &target_vm_hooks};
    int err = target_vm_create("replay", &d->target, why);
    config.hooks_opaque = d->target;
    if (!err)
        err = replay_create(d->options->image, &config, &d->replay, why);
    if (!err)
        err = run_files_of_recording(recording_info(replay_recording(d->replay)), &d->files, why);
    if (err)
        return err;
    d->vm = replay_vm(d->replay);
    attach(d);
    target_vm_keep_history(d->target);
    return 0;
}

static int build(struct debug_vm *d, struct why *why)
{
    if (d->options->replay)
        return build_replay(d, why);
    int err = boot_plan(d->options, &d->boot, why);
    if (!err)
        err = run_resources_open(d->options, &d->boot, &d->resources, why);
    if (!err)
        err = run_files_find(d->options, &d->boot, &d->files, why);
    if (!err)
        err = target_vm_create("vm", &d->target, why);
    if (!err)
        err = make_vm(d, why);
    if (!err)
        attach(d);
    return err;
}

int debug_vm_create(const struct run_options *options, struct engine *engine,
                    struct console_backend *console, struct debug_vm **out, struct why *why)
{
    struct debug_vm *d = calloc(1, sizeof(*d));
    if (!d)
        return why_fail(why, -ENOMEM, "no memory");
    d->options = options;
    d->engine = engine;
    d->console = console;
    int err = build(d, why);
    if (err) {
        debug_vm_destroy(d);
        return err;
    }
    *out = d;
    return 0;
}

void debug_vm_destroy(struct debug_vm *d)
{
    if (!d)
        return;
    if (d->replay)
        replay_destroy(d->replay);
    else
        vm_destroy(d->vm);
    target_vm_destroy(d->target);
    run_files_free(&d->files);
    run_resources_close(&d->resources);
    boot_fini(&d->boot);
    free(d);
}

struct target *debug_vm_target(struct debug_vm *d)
{
    return target_vm_target(d->target);
}

struct vm *debug_vm_vm(struct debug_vm *d)
{
    return d->vm;
}
