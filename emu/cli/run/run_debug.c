/* SPDX-License-Identifier: MIT */
/*
 * Wiring of a debugging session: the VM becomes a target, the loop runs it, the
 * monitor reads commands. The terminal is the guest's while it runs and the
 * monitor's while it stands. Commands that come in by standard input leave
 * nothing of it to the guest, which then finds an input that has ended.
 */
#include "emu/cli/run/run_debug.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "denali/solo.h"
#include "emu/cli/cli.h"
#include "emu/cli/console_out.h"
#include "emu/cli/debug_input.h"
#include "emu/cli/debug_vm.h"
#include "emu/cli/run/run_end.h"
#include "emu/cli/run/run_engine.h"
#include "emu/cli/run/run_sandbox.h"
#include "emu/debug/gdb/gdb.h"
#include "emu/debug/monitor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct debug {
    struct run_options *options;
    struct console_backend *console;
    struct engine *engine;
    /* The image first, then those of --also, with options and an output of their own. */
    struct debug_vm *vm[1 + RUN_MAX_ALSO];
    struct run_options also[RUN_MAX_ALSO];
    struct console_backend *also_console;
    struct loop *loop;
    struct session *session;
    struct monitor *monitor;
    struct gdb *gdb;
    FILE *input; /* commands by standard input */
    int signals;
    int signal; /* that ended a run without a monitor, or 0 */
    struct why why;
};

/* Whether a person reads and writes here. */
static bool has_monitor(const struct debug *d)
{
    return d->options->monitor || d->options->commands;
}

/* Standard input is the commands': the guest gets /dev/null in its place. */
static int take_input(struct debug *d)
{
    if (d->options->commands || d->options->monitor_socket || isatty(STDIN_FILENO))
        return 0;
    return debug_input_take(&d->input, &d->why);
}

/* The options of --also: those of the image, without its arguments, ports, disks and packets. */
static struct run_options options_of_also(const struct run_options *o, unsigned n)
{
    static char *no_args[] = {NULL};
    struct run_options also = *o;
    also.image = o->also[n];
    also.args = no_args;
    also.publishes = also.disks = 0;
    also.pcap = NULL;
    return also;
}

static int make_vms(struct debug *d)
{
    const struct run_options *o = d->options;
    int err = debug_vm_create(o, d->engine, d->console, &d->vm[0], &d->why);
    if (!err && o->alsos && console_out_create(d->console, &d->also_console))
        err = why_fail(&d->why, -ENOMEM, "no memory");
    for (unsigned n = 0; !err && n < o->alsos; n++) {
        d->also[n] = options_of_also(o, n);
        err = debug_vm_create(&d->also[n], d->engine, d->also_console, &d->vm[1 + n], &d->why);
    }
    return err;
}

static void terminal(void *opaque, bool guest)
{
    struct debug *d = opaque;
    if (guest)
        d->console->ops->resume(d->console);
    else
        d->console->ops->suspend(d->console);
}

static int add_targets(struct debug *d)
{
    int err = 0;
    for (unsigned n = 0; !err && n < ARRAY_LEN(d->vm) && d->vm[n]; n++)
        err = loop_add_target(d->loop, debug_vm_target(d->vm[n]));
    return err;
}

static int make_session(struct debug *d)
{
    if (loop_create(&d->loop) || add_targets(d) || session_create(d->loop, &d->session))
        return why_fail(&d->why, -ENOMEM, "no memory for the debugger");
    d->session->hooks = (struct session_hooks){.terminal = terminal, .opaque = d};
    session_select(d->session, debug_vm_target(d->vm[0]));
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

static int make_gdb(struct debug *d)
{
    const struct gdb_config config = {.listen = d->options->gdb,
                                      .command = monitor_gdb_command,
                                      .linux_word = monitor_gdb_linux,
                                      .threads = monitor_gdb_threads,
                                      .proc = monitor_gdb_proc,
                                      .command_opaque = d->session};
    if (!d->options->gdb)
        return 0;
    int err = gdb_create(d->loop, &config, &d->gdb, &d->why);
    if (!err)
        fprintf(stderr, "denali: for gdb: target remote %s\n", gdb_address(d->gdb));
    return err;
}

/* Without a monitor: the guest gets the person's signals, or they end the run. */
static void on_signals(void *opaque, short revents)
{
    struct debug *d = opaque;
    struct vm *vm = debug_vm_vm(d->vm[0]);
    (void)revents;
    for (int n; (n = host_signals_next(d->signals)) > 0;) {
        uint32_t guest = solo_guest_signal(n);
        if (n == SIGWINCH) {
            vm_post(vm, DENALI_IRQ_CONSOLE);
        } else if (guest && loop_is_running(d->loop) && vm_hears_signals(vm)) {
            vm_post_signal(vm, guest);
        } else if (guest) {
            d->signal = n;
            loop_quit(d->loop);
        }
    }
}

static int watch_signals(struct debug *d)
{
    return loop_watch_fd(d->loop, d->signals, POLLIN, on_signals, d);
}

/* Standard input before the console; signals before the first thread. */
static int build(struct debug *d, bool stands)
{
    (void)run_sandbox_enter_with_programs();
    int err = has_monitor(d) ? take_input(d) : 0;
    if (!err && console_stdio_create(&d->console))
        err = why_fail(&d->why, -ENOMEM, "no memory");
    if (!err)
        err = run_engine_create(d->options, &d->engine, &d->why);
    if (!err)
        err = make_vms(d);
    if (!err)
        err = make_session(d);
    if (!err)
        err = has_monitor(d) ? make_monitor(d, stands) : watch_signals(d);
    return err ? err : make_gdb(d);
}

static void unmake(struct debug *d)
{
    gdb_destroy(d->gdb);
    monitor_destroy(d->monitor);
    session_destroy(d->session);
    loop_destroy(d->loop);
    for (unsigned n = 0; n < ARRAY_LEN(d->vm); n++)
        debug_vm_destroy(d->vm[n]);
    if (d->engine)
        d->engine->ops->destroy(d->engine);
    if (d->also_console)
        d->also_console->ops->destroy(d->also_console);
    if (d->console)
        d->console->ops->destroy(d->console);
    if (d->input)
        fclose(d->input);
    run_options_fini(d->options);
}

static int run_served(struct debug *d, bool stands)
{
    if (!stands)
        loop_resume_all(d->loop);
    return loop_serve(d->loop);
}

static int end_status(struct debug *d)
{
    struct vm *vm = debug_vm_vm(d->vm[0]);
    if (!debug_vm_target(d->vm[0])->ended)
        return CLI_OK;
    if (vm_end(vm)->reason == VM_END_KILLED)
        return cli_complain(128 + SIGKILL, "the guest was killed by the debugger");
    return run_end_status(vm, d->engine);
}

static int run(struct debug *d, bool stands)
{
    int err = has_monitor(d) ? monitor_run(d->monitor) : run_served(d, stands);
    d->console->ops->suspend(d->console);
    if (loop_is_over(d->loop) && !debug_vm_target(d->vm[0])->ended)
        return cli_complain(CLI_TIMEOUT, "the time given by --timeout is up");
    int status = err ? CLI_FAILED : end_status(d);
    if (d->options->stats)
        vm_print_stats(debug_vm_vm(d->vm[0]), stderr, d->options->json);
    return status;
}

int run_debug(struct run_options *options, bool stands)
{
    struct debug d = {.options = options};
    options->counts = !options->no_history; /* the past is kept by counts */
    d.signals = host_signals_open();
    int err = d.signals < 0
                  ? why_fail(&d.why, d.signals, "cannot take signals: %s", strerror(-d.signals))
                  : build(&d, stands);
    int status = err ? cli_complain(err == -ENOEXEC ? CLI_CANNOT_RUN : CLI_FAILED, "%s", d.why.text)
                     : run(&d, stands);
    int number = d.monitor ? monitor_signal(d.monitor) : d.signal;
    unmake(&d);
    if (number)
        host_signal_die(number);
    return status;
}
