/* SPDX-License-Identifier: MIT */
/*
 * denali run: one VM from an image to its end. What is made here is unmade
 * here, in the opposite order, whatever happens in between; the terminal first
 * of all.
 */
#include "denali/record/record.h"
#include "denali/solo.h"
#include "emu/base/host_thread.h"
#include "emu/cli/cli.h"
#include "emu/cli/run/run_debug.h"
#include "emu/cli/run/run_end.h"
#include "emu/cli/run/run_engine.h"
#include "emu/cli/run/run_files.h"
#include "emu/cli/run/run_observe.h"
#include "emu/cli/run/run_resources.h"
#include "emu/cli/run/run_sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct run {
    struct run_options options;
    struct boot boot;
    struct run_resources resources;
    struct console_backend *console;
    struct engine *engine;
    struct record *record; /* NULL: none is made */
    struct run_observe *observe;
    struct run_files files;
    struct solo *solo;
    struct vm *vm;
    enum solo_result result;
    struct why why;
};

static void make_seed(const struct run_options *o, uint64_t seed[2])
{
    seed[0] = 1;
    seed[1] = 2;
    if (!o->deterministic && getrandom(seed, 16, GRND_NONBLOCK) != 16)
        seed[0] = host_tsc();
}

static int make_solo(struct run *run)
{
    struct solo_config config = {.timeout_ns = run->options.timeout_ns, .console = run->console};
    config.signals = host_signals_open();
    if (config.signals < 0)
        return why_fail(&run->why, config.signals, "cannot take signals: %s",
                        strerror(-config.signals));
    return solo_create(&config, &run->solo, &run->why);
}

static int make_vm(struct run *run)
{
    struct vm_config config = {
        .image = run->boot.image,
        .engine = run->engine,
        .mem_bytes = run->options.memory ? run->options.memory : run->boot.mem_bytes,
        .args = (const char *const *)run->boot.args,
        .env = (const char *const *)run->boot.env,
        .console = run->console,
        .resource = run->resources.list,
        .resources = run->resources.count,
        .pool = run->resources.pool,
        .deterministic = run->options.deterministic,
        .one_by_one = run->options.sync_interrupts,
        .tape = run->record ? record_tape(run->record) : NULL,
        .hooks = &solo_hooks,
        .hooks_opaque = run->solo,
    };
    make_seed(&run->options, config.seed);
    return vm_create(&config, &run->vm, &run->why);
}

static void copy_path(char out[RECORD_PATH], const char *path)
{
    char *whole = path ? realpath(path, NULL) : NULL;
    if (whole && strlen(whole) < RECORD_PATH)
        strcpy(out, whole);
    free(whole);
}

static void copy_program(struct run *run, char out[RECORD_PATH])
{
    struct run_files files;
    struct why why;
    if (run_files_find(&run->options, &run->boot, &files, &why))
        return;
    if (files.count && !files.file[0].kernel && run->boot.linux_program)
        snprintf(out, RECORD_PATH, "%s", files.file[0].path);
    run_files_free(&files);
}

/* What a later reader may want to find again on this host. */
static int start_record(struct run *run)
{
    struct record_info *info = run->record ? calloc(1, sizeof(*info)) : NULL;
    if (!info)
        return run->record ? why_fail(&run->why, -ENOMEM, "no memory") : 0;
    copy_path(info->image, image_path(run->boot.image));
    copy_program(run, info->program);
    for (unsigned i = 0; i < run->resources.count && info->devices < DENALI_MAX_DEVICES; i++) {
        const struct vm_resource *res = &run->resources.list[i];
        struct record_device *d = &info->device[info->devices];
        if (res->kind != DENALI_DEV_DISK || !res->name || strlen(res->name) >= sizeof(d->name))
            continue;
        d->kind = res->kind;
        strcpy(d->name, res->name);
        copy_path(d->path, run->resources.path[i]);
        info->devices++;
    }
    int err = record_start(run->record, run->vm, info, &run->why);
    free(info);
    return err;
}

static int build(struct run *run)
{
    int err = boot_plan(&run->options, &run->boot, &run->why);
    if (!err)
        err = run_resources_open(&run->options, &run->boot, &run->resources, &run->why);
    if (!err && console_stdio_create(&run->console))
        err = why_fail(&run->why, -ENOMEM, "no memory");
    if (!err)
        err = run_observe_create(&run->options, &run->observe, &run->why);
    if (!err)
        err = run_engine_create(&run->options, &run->engine, &run->why);
    if (!err)
        err = make_solo(run);
    if (!err && run->options.record)
        err = record_create(run->options.record, &run->record, &run->why);
    if (!err)
        err = make_vm(run);
    if (!err)
        err = start_record(run);
    if (!err && run->observe)
        err = run_files_find(&run->options, &run->boot, &run->files, &run->why);
    if (!err)
        err = run_observe_attach(run->observe, run->vm, &run->files, &run->why);
    return err;
}

static void give_terminal_back(struct run *run)
{
    if (run->console)
        run->console->ops->suspend(run->console);
}

static void unmake(struct run *run)
{
    vm_destroy(run->vm);
    record_destroy(run->record);
    solo_destroy(run->solo);
    if (run->engine)
        run->engine->ops->destroy(run->engine);
    run_observe_destroy(run->observe);
    run_files_free(&run->files);
    if (run->console)
        run->console->ops->destroy(run->console);
    run_resources_close(&run->resources);
    boot_fini(&run->boot);
    run_options_fini(&run->options);
}

static int run_status(struct run *run)
{
    switch (run->result) {
    case SOLO_TIMEOUT:
        return cli_complain(CLI_TIMEOUT, "the time given by --timeout is up; the guest was ended");
    case SOLO_SIGNAL:
        return 128 + solo_signal(run->solo);
    case SOLO_ENDED:
        break;
    }
    return run_end_status(run->vm, run->engine);
}

/* A recording that is not whole is told, and does not change the guest's status. */
static void finish_record(struct run *run)
{
    struct why why;
    if (run->record && record_finish(run->record, run->vm, &why))
        cli_complain(0, "%s", why.text);
}

static int run_guest(struct run *run)
{
    (void)run_sandbox_enter(); /* the guest has been given everything; not all hosts can do this */
    run->result = solo_run(run->solo, run->vm);
    give_terminal_back(run);
    finish_record(run);
    run_observe_finish(run->observe);
    int status = run_status(run);
    if (run->options.stats)
        vm_print_stats(run->vm, stderr, run->options.json);
    int number = run->result == SOLO_SIGNAL ? solo_signal(run->solo) : 0;
    unmake(run);
    if (number)
        host_signal_die(number);
    return status;
}

/* What cannot be had together. */
static int check_options(const struct run_options *o, struct why *why)
{
    bool debugged = o->gdb || o->alsos || o->monitor;
    if (o->stands && !o->gdb && !o->monitor)
        return why_fail(why, -EINVAL,
                        "-S: nobody would ever let the guest run; add --gdb PORT or --monitor");
    if (debugged && o->record)
        return why_fail(
            why, -EINVAL,
            "a run is recorded or debugged: record it, then denali replay %s --gdb PORT",
            o->record);
    return 0;
}

static int run_run(int argc, char **argv)
{
    struct run run;
    memset(&run, 0, sizeof(run));
    int err = run_options_parse(argc - 1, argv + 1, &run.options, &run.why);
    if (!err && run.options.help) {
        fputs(cli_run.help, stdout);
        run_options_fini(&run.options);
        return CLI_OK;
    }
    if (!err)
        err = check_options(&run.options, &run.why);
    if (!err && (run.options.gdb || run.options.alsos || run.options.monitor))
        return run_debug(&run.options, run.options.stands);
    if (!err)
        err = build(&run);
    if (!err)
        return run_guest(&run);
    unmake(&run);
    return cli_complain(err == -ENOEXEC ? CLI_CANNOT_RUN : CLI_FAILED, "%s", run.why.text);
}

const struct cli_verb cli_run = {
    .name = "run",
    .summary = "run a Denali image, or an i386 Linux program under Ilwaco",
    .help =
        "usage: denali run [options] IMAGE [args...]\n"
        "\n"
        "Runs IMAGE in a virtual machine. An ELF file with the Denali note boots directly;\n"
        "any other i386 Linux program runs under Ilwaco, the guest OS that comes with it.\n"
        "IMAGE may be disk:NAME, the image that begins on that --disk.\n"
        "\n"
        "  -m, --memory SIZE        memory, as 64M or 1G (default: what the image wishes;\n"
        "                           3G for Linux programs, given as it is used)\n"
        "      --root DIR|TAR       the file tree of a Linux program, read-only with a writable\n"
        "                           layer in memory. A program found in there (by its absolute\n"
        "                           path, or by PATH) is taken from there, else it is a file here\n"
        "      --cwd DIR            working directory of a Linux program (default /)\n"
        "      --disk NAME=FILE[,ro][,cow=LAYER]...\n"
        "                           disk image for the disk that the guest calls NAME; what is\n"
        "                           written goes to LAYER, which is made if need be (denali disk)\n"
        "  -p, --publish [ADDR:]HOSTPORT:PORT[/udp]\n"
        "                           lets the host's port lead to the guest's (default ADDR: \n"
        "                           127.0.0.1)\n"
        "      --net user|none|socket:PATH|tap:NAME\n"
        "                           what the NIC is connected to (default user: NAT).\n"
        "                           socket: connects, or listens where nothing exists. Behind\n"
        "                           any, a bad wire for tests: user,loss=1,delay=20\n"
        "      --pcap FILE          writes what passes the NIC, for tcpdump and wireshark\n"
        "  -e, --env NAME[=VALUE]   sets a variable of the environment\n"
        "      --engine dbt|interp|lockstep\n"
        "                           translator, interpreter, or both side by side\n"
        "      --verify             checks every translation before it may run\n"
        "      --timeout SECONDS    ends the guest after that time\n"
        "      --sync-interrupts    each is delivered alone, not all that are pending at once\n"
        "      --deterministic      time counts instructions, not the host's clock\n"
        "      --record DIR         keeps all that comes from outside, for denali replay DIR\n"
        "      --gdb [ADDR:]PORT    lets gdb attach (target remote 127.0.0.1:PORT; default ADDR:\n"
        "                           127.0.0.1; PORT 0: any). The guest runs as if it were not "
        "there\n"
        "  -S, --stop               the guest waits for gdb or the monitor before its first "
        "instruction\n"
        "      --no-history         the debugger keeps no past: nothing can be run backwards, and "
        "the\n"
        "                           guest runs at full speed\n"
        "      --also IMAGE         one more VM for the same gdb; any number of times\n"
        "      --monitor [unix:PATH]    the debugger's prompt when the guest is stopped (Ctrl-C), "
        "or\n"
        "                           its commands from a socket; see denali help debug\n"
        "      --trace KIND:FILE[,json][,from=ADDR,to=ADDR|,in=FUNCTION][,first=N,last=N]\n"
        "                           writes each instruction, block, call, syscall, port,\n"
        "                           interrupt or packet; may be given several times\n"
        "      --coverage drcov:FILE, lcov:FILE   which code ran, or which lines of source\n"
        "      --stats [--json]     tells on stderr what the guest did\n"
        "\n"
        "Exit status: 0 to 119 the guest's own; 120 it died of a fault (report on stderr);\n"
        "124 its time was up; 125 denali or the command line failed; 126 the image cannot be\n"
        "run.\n"
        "\n"
        "  denali run build/guests/hello\n"
        "  denali run --root debian xz --version\n"
        "  denali run -p 8080:80 --root site build/guests/httpd\n",
    .run = run_run,
};
