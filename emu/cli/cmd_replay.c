/* SPDX-License-Identifier: MIT */
/*
 * denali replay: a recording again, up to a place or to its end, and on from there
 * alive if wished. The guest's output is shown as it was; what was found is told on stderr.
 */
#include "denali/outside.h"
#include "denali/record/replay.h"
#include "denali/solo.h"
#include "devices/net_backends.h"
#include "emu/base/host_thread.h"
#include "emu/cli/cli.h"
#include "emu/cli/run/run_end.h"
#include "emu/cli/run/run_debug.h"
#include "emu/cli/run/run_engine.h"
#include "emu/cli/run/run_files.h"
#include "emu/cli/run/run_observe.h"
#include "emu/cli/run/run_sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIFFERS 1 /* exit status */

struct session {
    struct run_options options;
    struct console_backend *console;
    struct engine *engine;
    struct solo *solo;
    struct net_backend *net;
    struct vm_resource resource[RUN_MAX_DISKS + 3];
    unsigned resources;
    struct replay *replay;
    struct run_observe *observe;
    struct run_files files;
    struct why why;
};

static bool goes_live(const struct session *s)
{
    return s->options.live_from != UINT64_MAX;
}

static int check_options(struct session *s)
{
    const struct run_options *o = &s->options;
    if (o->memory || o->root || o->cwd || o->envs || o->deterministic || o->record)
        return why_fail(&s->why, -EINVAL,
                        "a recording has its own memory, root, environment and time: leave "
                        "--memory, --root, --cwd, --env, --deterministic and --record out");
    if (!goes_live(s) && (o->net || o->publishes || o->disks || o->pcap))
        return why_fail(&s->why, -EINVAL,
                        "a replay needs no network and no disks; they are for --live-from");
    if (o->args[0])
        return why_fail(&s->why, -EINVAL, "a replay takes one folder, not %s too", o->args[0]);
    return 0;
}

static int add_disk(struct session *s, const char *name, const struct run_disk *d)
{
    struct vm_resource *r = &s->resource[s->resources];
    int err = disk_open_layers(d->file, d->layer, d->layers, d->readonly, &r->disk, &s->why);
    if (err)
        return err;
    r->kind = DENALI_DEV_DISK;
    r->name = name;
    s->resources++;
    return 0;
}

/* For a VM that goes on: what it has beyond the tape. */
static int open_resources(struct session *s)
{
    const struct run_options *o = &s->options;
    const struct net_user_config user = {.publish = o->publish, .publish_count = o->publishes};
    struct net_error error = {""};
    int err = 0;
    for (unsigned i = 0; !err && i < o->disks; i++)
        err = add_disk(s, o->disk[i].name, &o->disk[i]);
    if (err || !goes_live(s))
        return err;
    err = net_backend_create(o->net         ? o->net
                             : o->publishes ? "user"
                                            : "none",
                             &user, &s->net, &error);
    if (err)
        return why_fail(&s->why, err, "%s", error.text);
    s->resource[s->resources++] = (struct vm_resource){.kind = DENALI_DEV_NIC, .net = s->net};
    return 0;
}

/* The disks that the recorder had, where they still are; read-only: what the guest wrote meanwhile
 * is not to be undone. */
static int open_recorded_disks(struct session *s)
{
    struct recording *r;
    int err = goes_live(s) ? recording_open(s->options.image, &r, &s->why) : 1;
    if (err)
        return err < 0 ? err : 0;
    const struct record_info *info = recording_info(r);
    for (unsigned i = 0; i < info->devices && s->resources < ARRAY_LEN(s->resource) - 1; i++) {
        const struct record_device *d = &info->device[i];
        char *name = d->kind == DENALI_DEV_DISK && d->path[0] ? strdup(d->name) : NULL;
        const struct run_disk disk = {.file = d->path, .readonly = true};
        if (name && add_disk(s, name, &disk)) {
            cli_complain(0, "the disk \"%s\" is not there any more: %s", name, s->why.text);
            free(name);
        }
    }
    recording_close(r);
    return 0;
}

static int make_replay(struct session *s)
{
    struct replay_config config = {.engine = s->engine,
                                   .console = s->console,
                                   .show = !s->options.quiet,
                                   .resource = s->resource,
                                   .resources = s->resources,
                                   .hooks = s->solo ? &solo_hooks : NULL,
                                   .hooks_opaque = s->solo};
    return replay_create(s->options.image, &config, &s->replay, &s->why);
}

static int make_solo(struct session *s)
{
    struct solo_config config = {.timeout_ns = s->options.timeout_ns, .console = s->console};
    config.signals = host_signals_open();
    if (config.signals < 0)
        return why_fail(&s->why, config.signals, "cannot take signals");
    return solo_create(&config, &s->solo, &s->why);
}

static int observe(struct session *s)
{
    const struct record_info *info = recording_info(replay_recording(s->replay));
    int err = run_files_of_recording(info, &s->files, &s->why);
    return err ? err : run_observe_attach(s->observe, replay_vm(s->replay), &s->files, &s->why);
}

static int build(struct session *s)
{
    int err = check_options(s);
    if (!err)
        err = open_resources(s);
    if (!err)
        err = open_recorded_disks(s);
    if (!err && console_stdio_create(&s->console))
        err = why_fail(&s->why, -ENOMEM, "no memory");
    if (!err)
        err = run_observe_create(&s->options, &s->observe, &s->why);
    if (!err)
        err = run_engine_create(&s->options, &s->engine, &s->why);
    if (!err && goes_live(s))
        err = make_solo(s);
    if (!err)
        err = make_replay(s);
    return err || !s->observe ? err : observe(s);
}

static void unmake(struct session *s)
{
    replay_destroy(s->replay);
    solo_destroy(s->solo);
    if (s->engine)
        s->engine->ops->destroy(s->engine);
    run_observe_destroy(s->observe);
    run_files_free(&s->files);
    if (s->console)
        s->console->ops->destroy(s->console);
    for (unsigned i = 0; i < s->resources; i++) {
        if (s->resource[i].kind == DENALI_DEV_DISK)
            disk_close(s->resource[i].disk);
    }
    if (s->net)
        s->net->ops->destroy(s->net);
    run_options_fini(&s->options);
}

static int tell(struct session *s, enum replay_result result)
{
    unsigned long long icount = vm_cpu(replay_vm(s->replay))->icount;
    unsigned long long checks = replay_checks(s->replay);
    const char *damage = recording_damage(replay_recording(s->replay));
    uint64_t sum;
    switch (result) {
    case REPLAY_DIFFERS:
        return cli_complain(DIFFERS, "%s", replay_why(s->replay));
    case REPLAY_SAME:
        return cli_complain(CLI_OK,
                            "replayed %llu instructions to the end: output, frames and %llu sums "
                            "of the whole state are the same",
                            icount, checks);
    case REPLAY_CUT:
        return cli_complain(CLI_OK,
                            "the recording is %s; replayed %llu instructions, as far as it is "
                            "whole: output, frames and %llu sums are the same",
                            damage, icount, checks);
    default:
        if (vm_state_sum(replay_vm(s->replay), &sum))
            sum = 0;
        return cli_complain(CLI_OK,
                            "stopped at instruction %llu, eip %08x; sum of the state %016llx",
                            icount, vm_cpu(replay_vm(s->replay))->eip, (unsigned long long)sum);
    }
}

static int live_status(struct session *s)
{
    struct vm *vm = replay_vm(s->replay);
    outside_go_live(vm, false);
    cli_complain(0, "alive from instruction %llu on", (unsigned long long)vm_cpu(vm)->icount);
    switch (solo_run(s->solo, vm)) {
    case SOLO_TIMEOUT:
        return cli_complain(CLI_TIMEOUT, "the time given by --timeout is up; the guest was ended");
    case SOLO_SIGNAL:
        return 128 + solo_signal(s->solo);
    default:
        return run_end_status(vm, s->engine);
    }
}

static int run_session(struct session *s)
{
    (void)run_sandbox_enter_with_files();
    uint64_t until = goes_live(s) ? s->options.live_from : s->options.until;
    enum replay_result result = replay_run(s->replay, until);
    int status = goes_live(s) && result != REPLAY_DIFFERS && !vm_end(replay_vm(s->replay))->reason
                     ? live_status(s)
                     : tell(s, result);
    if (s->console)
        s->console->ops->suspend(s->console);
    run_observe_finish(s->observe);
    if (s->options.stats)
        vm_print_stats(replay_vm(s->replay), stderr, s->options.json);
    return status;
}

static int run_replay(int argc, char **argv)
{
    struct session s;
    if (cli_pc_replays(argc, argv))
        return cli_pc_replay(argc, argv);
    memset(&s, 0, sizeof(s));
    int err = run_options_parse(argc - 1, argv + 1, &s.options, &s.why);
    if (!err && s.options.help) {
        fputs(cli_replay.help, stdout);
        run_options_fini(&s.options);
        return CLI_OK;
    }
    s.options.replay = true;
    if (!err && (s.options.gdb || s.options.monitor || s.options.commands))
        return run_debug(&s.options, true);
    if (!err)
        err = build(&s);
    int status = err ? cli_complain(CLI_FAILED, "%s", s.why.text) : run_session(&s);
    unmake(&s);
    return status;
}

const struct cli_verb cli_replay = {
    .name = "replay",
    .summary = "run a recording again, instruction by instruction",
    .help =
        "usage: denali replay [options] DIR\n"
        "\n"
        "Runs again what `denali run --record DIR` recorded: the same instructions, with the\n"
        "same input at the same places. Console output and frames are held against the\n"
        "recording, and sums of the whole state wherever it has them; the verdict is told on\n"
        "stderr. No disk, network or image is needed.\n"
        "\n"
        "      --until N            stops after N instructions and tells the sum of the state\n"
        "      --live-from N        replays N instructions, then lets the guest go on alive, with\n"
        "                           the terminal, and with --net, --publish and --disk as\n"
        "                           for denali run (default: no network; the recorded disks,\n"
        "                           read-only)\n"
        "      --engine dbt|interp|lockstep   any engine can replay what another recorded\n"
        "      --trace KIND:FILE, --coverage KIND:FILE   as for denali run\n"
        "      --verify             checks every translation before it may run\n"
        "      --gdb [ADDR:]PORT, --monitor, --commands FILE\n"
        "                           stands at the beginning for the debugger, which can go\n"
        "                           forwards and backwards in it; see denali help debug\n"
        "  -q, --quiet              does not show the guest's output\n"
        "      --timeout SECONDS    with --live-from: ends the guest after that time\n"
        "      --stats [--json]     tells on stderr what the guest did\n"
        "\n"
        "Exit status: 0 everything was the same (a recording that is cut: as far as it goes);\n"
        "1 the replay differs; 125 the recording cannot be replayed. With --live-from, as for\n"
        "denali run.\n"
        "\n"
        "  denali run --record rec build/guests/hello\n"
        "  denali replay rec\n"
        "  denali replay --engine interp --until 100000 rec\n",
    .run = run_replay,
};
