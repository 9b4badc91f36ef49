/* SPDX-License-Identifier: MIT */
/*
 * Wiring of a debugging session: the VM becomes a target, the loop runs it, the
 * monitor reads commands. The terminal is the guest's while it runs and the
 * monitor's while it stands. Commands that come in by standard input leave
 * nothing of it to the guest, which then finds an input that has ended.
 */
#include "emu/cli/run_debug.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cli/cli.h"
#include "emu/cli/run_end.h"
#include "emu/cli/run_engine.h"
#include "emu/cli/run_files.h"
#include "emu/cli/run_resources.h"
#include "emu/cli/target_vm.h"
#include "emu/debug/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct debug {
    struct run_options *options;
    struct boot boot;
    struct run_resources resources;
    struct console_backend *console;
    struct engine *engine;
    struct run_files files;
    struct target_vm *target;
    struct vm *vm;
    struct loop *loop;
    struct session *session;
    struct monitor *monitor;
    FILE *input; /* commands by standard input */
    int signals;
    struct why why;
};

/* Standard input is the commands': the guest gets /dev/null in its place. */
static int take_input(struct debug *d)
{
    if (d->options->commands || d->options->monitor_socket || isatty(STDIN_FILENO))
        return 0;
    int own = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    d->input = own >= 0 ? fdopen(own, "r") : NULL;
    int err = !d->input || null < 0 || dup2(null, STDIN_FILENO) < 0 ? -errno : 0;
    if (null >= 0)
        close(null);
    return err ? why_fail(&d->why, err, "cannot take standard input: %s", strerror(-err)) : 0;
}

static int make_vm(struct debug *d)
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
        .seed = {1, 2},
        .hooks = &target_vm_hooks,
        .hooks_opaque = d->target,
    };
    if (!d->options->deterministic && getrandom(config.seed, 16, GRND_NONBLOCK) != 16)
        config.seed[0] = host_tsc();
    return vm_create(&config, &d->vm, &d->why);
}

static int make_target(struct debug *d)
{
    int err = run_files_find(d->options, &d->boot, &d->files, &d->why);
    if (!err)
        err = target_vm_create("vm", &d->target, &d->why);
    if (!err)
        err = make_vm(d);
    if (err)
        return err;
    target_vm_attach(d->target, d->vm);
    struct target *t = target_vm_target(d->target);
    t->name = d->files.name;
    t->files = d->files.count;
    memcpy(t->file, d->files.file, sizeof(d->files.file));
    return 0;
}

static void terminal(void *opaque, bool guest)
{
    struct debug *d = opaque;
    if (guest)
        d->console->ops->resume(d->console);
    else
        d->console->ops->suspend(d->console);
}

static int make_session(struct debug *d)
{
    if (loop_create(&d->loop) || loop_add_target(d->loop, target_vm_target(d->target)) ||
        session_create(d->loop, &d->session))
        return why_fail(&d->why, -ENOMEM, "no memory for the debugger");
    d->session->hooks = (struct session_hooks){.terminal = terminal, .opaque = d};
    session_select(d->session, target_vm_target(d->target));
    if (d->options->timeout_ns)
        loop_set_deadline(d->loop, host_monotonic_ns() + d->options->timeout_ns);
    return 0;
}

static int make_monitor(struct debug *d, bool stands)
{
    const struct run_options *o = d->options;
    bool prompt = !o->batch && !o->monitor_socket && !d->input && isatty(STDIN_FILENO);
    struct monitor_config config = {.session = d->session,
                                    .commands = o->commands,
                                    .input = d->input,
                                    .prompt = prompt,
                                    .start = !stands,
                                    .socket = o->monitor_socket,
                                    .signals = d->signals};
    return monitor_create(&config, &d->monitor, &d->why);
}

/* Standard input before the console; signals before the first thread. */
static int build(struct debug *d, bool stands)
{
    int err = take_input(d);
    if (!err)
        err = boot_plan(d->options, &d->boot, &d->why);
    if (!err)
        err = run_resources_open(d->options, &d->boot, &d->resources, &d->why);
    if (!err && console_stdio_create(&d->console))
        err = why_fail(&d->why, -ENOMEM, "no memory");
    if (!err)
        err = run_engine_create(d->options, &d->engine, &d->why);
    if (!err)
        err = make_target(d);
    if (!err)
        err = make_session(d);
    if (!err)
        err = make_monitor(d, stands);
    return err;
}

static void unmake(struct debug *d)
{
    monitor_destroy(d->monitor);
    session_destroy(d->session);
    loop_destroy(d->loop);
    vm_destroy(d->vm);
    target_vm_destroy(d->target);
    run_files_free(&d->files);
    if (d->engine)
        d->engine->ops->destroy(d->engine);
    if (d->console)
        d->console->ops->destroy(d->console);
    run_resources_close(&d->resources);
    boot_fini(&d->boot);
    if (d->input)
        fclose(d->input);
    run_options_fini(d->options);
}

static int run(struct debug *d)
{
    int err = monitor_run(d->monitor);
    d->console->ops->suspend(d->console);
    if (loop_is_over(d->loop) && !target_vm_target(d->target)->ended)
        return cli_complain(CLI_TIMEOUT, "the time given by --timeout is up");
    if (err)
        return CLI_FAILED;
    return target_vm_target(d->target)->ended ? run_end_status(d->vm, d->engine) : CLI_OK;
}

int run_debug(struct run_options *options, bool stands)
{
    struct debug d = {.options = options};
    options->counts = true;
    d.signals = host_signals_open();
    int err = d.signals < 0
                  ? why_fail(&d.why, d.signals, "cannot take signals: %s", strerror(-d.signals))
                  : build(&d, stands);
    int status = err ? cli_complain(err == -ENOEXEC ? CLI_CANNOT_RUN : CLI_FAILED, "%s", d.why.text)
                     : run(&d);
    int number = d.monitor ? monitor_signal(d.monitor) : 0;
    unmake(&d);
    if (number)
        host_signal_die(number);
    return status;
}
