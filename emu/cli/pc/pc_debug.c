/* SPDX-License-Identifier: MIT */
/*
 * Wiring of a PC's debugging session: the machine becomes a target, the loop runs it in turns, gdb
 * and the monitor are heard in between. A serial line on the terminal has it while the machine
 * runs, the monitor while it stands.
 */
#include "emu/cli/pc/pc_debug.h"

#include "emu/cli/cli.h"
#include "emu/debug/gdb/gdb.h"
#include "emu/debug/monitor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct pc_debug {
    const struct pc_debug_config *config;
    const struct pc_options *options;
    struct target_pc *target;
    struct loop *loop;
    struct session *session;
    struct monitor *monitor;
    struct gdb *gdb;
};

bool pc_debug_has_monitor(const struct pc_options *options)
{
    return options->monitor || options->commands;
}

static void terminal(void *opaque, bool guest)
{
    struct pc_debug *d = opaque;
    const struct pc_config *c = pc_config_of(d->config->target.pc);
    for (unsigned i = 0; i < PC_SERIALS; i++) {
        if (c->serial[i] && guest)
            serial_resume(c->serial[i]);
        else if (c->serial[i])
            serial_suspend(c->serial[i]);
    }
}

static int make_session(struct pc_debug *d)
{
    int err = target_pc_create(&d->config->target, &d->target);
    if (!err)
        err = loop_create(&d->loop);
    if (!err)
        err = loop_add_target(d->loop, target_pc_target(d->target));
    if (!err)
        err = session_create(d->loop, &d->session);
    if (err)
        return err;
    d->session->hooks = (struct session_hooks){.terminal = terminal, .opaque = d};
    session_select(d->session, target_pc_target(d->target));
    return 0;
}

static int make_monitor(struct pc_debug *d, struct why *why)
{
    const struct pc_options *o = d->options;
    bool prompt = !o->batch && !o->monitor_socket && !d->config->input && isatty(STDIN_FILENO);
    struct monitor_config config = {.session = d->session,
                                    .commands = o->commands,
                                    .input = d->config->input,
                                    .prompt = prompt,
                                    .start = !o->stands && !o->commands,
                                    .socket = o->monitor_socket,
                                    .signals = d->config->signals};
    terminal(d, false);
    return monitor_create(&config, &d->monitor, why);
}

static int make_gdb(struct pc_debug *d, struct why *why)
{
    const struct gdb_config config = {
        .listen = d->options->gdb, .command = monitor_gdb_command, .command_opaque = d->session};
    int err = gdb_create(d->loop, &config, &d->gdb, why);
    if (!err)
        fprintf(stderr, "denali: for gdb: target remote %s\n", gdb_address(d->gdb));
    return err;
}

static int build(struct pc_debug *d, struct why *why)
{
    int err = make_session(d);
    if (err)
        return why_fail(why, err, "no memory for the debugger");
    if (pc_debug_has_monitor(d->options))
        err = make_monitor(d, why);
    return err || !d->options->gdb ? err : make_gdb(d, why);
}

static int serve(struct pc_debug *d, struct why *why)
{
    if (!d->options->stands)
        loop_resume_all(d->loop);
    int err = loop_serve(d->loop);
    return err ? why_fail(why, err, "the loop failed: %s", strerror(-err)) : 0;
}

/* A monitor tells its errors by itself. */
static int run(struct pc_debug *d, int *status, int *number, struct why *why)
{
    if (!d->monitor)
        return serve(d, why);
    if (monitor_run(d->monitor))
        *status = CLI_FAILED;
    *number = monitor_signal(d->monitor);
    return 0;
}

int pc_debug_run(const struct pc_debug_config *config, int *status, int *number, struct why *why)
{
    struct pc_debug d = {.config = config, .options = config->options};
    *status = CLI_OK;
    *number = 0;
    int err = build(&d, why);
    if (!err)
        err = run(&d, status, number, why);
    if (!err && *status == CLI_OK && target_pc_status(d.target) >= 0)
        *status = target_pc_status(d.target);
    gdb_destroy(d.gdb);
    monitor_destroy(d.monitor);
    session_destroy(d.session);
    loop_destroy(d.loop);
    target_pc_destroy(d.target);
    return err;
}
