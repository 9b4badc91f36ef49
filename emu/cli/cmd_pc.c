/* SPDX-License-Identifier: MIT */
/*
 * denali pc: a PC from power-on to its end. The machine runs in short turns; between
 * them the person's wishes are looked after: time, signals, the screen, keys.
 */
#include "devices/pc/machine_pc.h"

#include "dbt/dbt.h"
#include "devices/pc/display.h"
#include "devices/pc/i8042.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/cli/cli.h"
#include "emu/cli/debug_input.h"
#include "emu/cli/pc/pc_debug.h"
#include "emu/cli/pc/pc_observe.h"
#include "emu/cli/pc/pc_record.h"
#include "emu/cli/pc/pc_resources.h"
#include "emu/cli/pc/pc_screen.h"
#include "emu/cli/pc/pc_snapshot.h"
#include "emu/base/host_sandbox.h"
#include "emu/cli/run/run_sandbox.h"
#include "emu/cpu/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_NS 10000000u
#define REPLAY_DIFFERS 1
#define KEY_NS 30000000u /* from key to key, of the machine's time */

struct pc_session {
    struct pc_options options;
    struct pc_resources resources;
    struct engine *engine;
    struct pc *pc;
    struct pc_record *record; /* NULL: neither recorded nor replayed */
    struct pc_observe *observe;
    struct display *display; /* NULL: none */
    struct why why;
    uint64_t end_ns; /* of the host's clock; HOST_FOREVER: none */
    int signals, signal;
    FILE *input; /* the debugger's commands */
    bool shot;   /* the picture was taken */
    unsigned step, typed;
    uint64_t next_key_ns;
    bool key_down;
};

static int create_engine(const char *name, const struct engine_options *e, struct engine **out)
{
    if (!strcmp(name, "interp"))
        return interp_create(out);
    return strcmp(name, "dbt") ? lockstep_create(e, out) : dbt_create(e, out);
}

/* Lines of a trace begin with a count; a debugger steps by it. */
static bool counts(const struct pc_options *o)
{
    return o->deterministic || o->observe.traces || pc_options_debug(o);
}

static int make_engine(struct pc_session *s, const char *name)
{
    const struct engine_options e = {.verify = s->options.verify,
                                     .count = counts(&s->options),
                                     .coverage = pc_observe_coverage(s->observe)};
    int err = create_engine(name, &e, &s->engine);
    if (err == -ENOPKG)
        return why_fail(&s->why, err, "--verify needs the Zydis library (libzydis4.0)");
    return err ? why_fail(&s->why, err, "--engine %s: cannot start it: %s", name, strerror(-err))
               : 0;
}

static void drop_engine(struct pc_session *s)
{
    if (s->engine)
        s->engine->ops->destroy(s->engine);
    s->engine = NULL;
}

static int make_pc_with(struct pc_session *s, const char *engine)
{
    int err = make_engine(s, engine);
    s->resources.config.engine = s->engine;
    return err ? err : pc_create(&s->resources.config, &s->pc, &s->why);
}

/* The translator where it can run a PC on this host, unless an engine was named. */
static int make_pc(struct pc_session *s)
{
    if (s->options.engine)
        return make_pc_with(s, s->options.engine);
    int err = make_pc_with(s, "dbt");
    if (err != -ENOTSUP)
        return err;
    drop_engine(s);
    return make_pc_with(s, "interp");
}

/* Commands by standard input, unless a file, a socket or the terminal has them. */
static int take_input(struct pc_session *s)
{
    const struct pc_options *o = &s->options;
    if (!o->monitor || o->commands || o->monitor_socket || isatty(STDIN_FILENO))
        return 0;
    return debug_input_take(&s->input, &s->why);
}

/* A replay begins with the CMOS memory of then, and leaves the file alone. */
static int begin_with_cmos(struct pc_session *s)
{
    if (!pc_record_gate(s->record)->replays)
        return pc_record_put_cmos(s->record, s->resources.config.cmos, &s->why);
    s->resources.config.cmos = pc_record_cmos(s->record);
    return 0;
}

static int build(struct pc_session *s)
{
    s->signals = host_signals_open();
    if (s->signals < 0)
        return why_fail(&s->why, s->signals, "cannot take signals: %s", strerror(-s->signals));
    int err = take_input(s);
    if (!err)
        err = pc_resources_open(&s->options, &s->resources, &s->why);
    if (!err && s->record)
        err = begin_with_cmos(s);
    if (!err && !s->record && s->options.deterministic && pc_options_debug(&s->options) &&
        !s->options.restore)
        err = pc_record_keep(&s->record, &s->why);
    if (!err && s->record)
        err = pc_resources_set_gate(&s->resources, pc_record_gate(s->record), &s->why);
    if (!err)
        err = pc_observe_create(&s->options, &s->observe, &s->why);
    if (!err)
        err =
            pc_observe_net(s->observe, s->resources.config.net, &s->resources.config.net, &s->why);
    if (!err)
        err = make_pc(s);
    if (!err && s->record)
        pc_record_set_pc(s->record, s->pc);
    if (!err)
        err = pc_observe_attach(s->observe, s->pc, &s->why);
    if (!err && s->options.restore)
        err = pc_snapshot_load(s->pc, s->options.restore, &s->why);
    if (!err && s->options.display && strcmp(s->options.display, "none") && pc_vga(s->pc)) {
        (void)host_descriptors_give_up(); /* before a window's libraries open theirs */
        err =
            display_open(s->options.display, pc_vga(s->pc), pc_i8042(s->pc), &s->display, &s->why);
    }
    return err;
}

static void unmake(struct pc_session *s)
{
    display_close(s->display);
    pc_destroy(s->pc);
    drop_engine(s);
    pc_resources_close(&s->resources);
    pc_observe_destroy(s->observe);
    pc_record_close(s->record);
    if (s->input)
        fclose(s->input);
}

static int take_shot(struct pc_session *s)
{
    struct vga *vga = pc_vga(s->pc);
    s->shot = true;
    if (s->options.snapshot_save) {
        int err = pc_snapshot_save(s->pc, s->options.snapshot_save, &s->why);
        if (err)
            return err;
    }
    if (!vga)
        return 0;
    if (s->options.screen_text)
        pc_screen_print(vga);
    return s->options.screenshot ? pc_screen_save(vga, s->options.screenshot, &s->why) : 0;
}

static bool wants_shot(const struct pc_session *s)
{
    return !s->shot &&
           (s->options.screenshot || s->options.screen_text || s->options.snapshot_save);
}

/* One key at a time, pressed and released; what no key has is left out. */
static void type_next(struct pc_session *s, const char *text)
{
    struct i8042 *keyboard = pc_i8042(s->pc);
    unsigned key = i8042_key_of((uint8_t)text[s->typed]);
    bool shift = key & I8042_SHIFT;
    if (pc_now_ns(s->pc) < s->next_key_ns)
        return;
    if (!s->key_down && shift)
        i8042_key(keyboard, 0x2a, true);
    if (key && !i8042_key(keyboard, key & ~I8042_SHIFT, !s->key_down))
        return;
    if (s->key_down && shift)
        i8042_key(keyboard, 0x2a, false);
    s->next_key_ns = pc_now_ns(s->pc) + KEY_NS;
    s->typed += s->key_down;
    s->key_down = !s->key_down;
}

/* True: the last step was done. */
static bool run_steps(struct pc_session *s)
{
    const struct pc_options *o = &s->options;
    if (s->step == o->steps || !pc_vga(s->pc))
        return false;
    const struct pc_step *step = &o->step[s->step];
    bool done;
    if (step->kind == PC_STEP_TYPE) {
        if (step->text[s->typed])
            type_next(s, step->text);
        done = !step->text[s->typed];
    } else {
        done = pc_screen_shows(pc_vga(s->pc), step->text);
    }
    if (!done)
        return false;
    s->typed = 0;
    return ++s->step == o->steps;
}

static bool wants_end(const struct pc_session *s)
{
    for (unsigned i = 0; i < PC_SERIALS; i++) {
        if (s->resources.config.serial[i] && serial_wants_end(s->resources.config.serial[i]))
            return true;
    }
    return s->display && display_is_closed(s->display);
}

enum { GO_ON = -1 };

static int look_at_signals(struct pc_session *s)
{
    if (pc_debug_has_monitor(&s->options))
        return GO_ON; /* they are the monitor's */
    int number = host_signals_next(s->signals);
    if (number != 2 && number != 15 && number != 1 && number != 3)
        return GO_ON;
    s->signal = number;
    return 128 + number;
}

/* The end that --exit-halt asks for. */
static int look_at_halt(const struct pc_session *s)
{
    char post[32] = "";
    if (!s->options.exit_halt || !pc_is_dead(s->pc))
        return GO_ON;
    if (pc_post_code(s->pc))
        snprintf(post, sizeof(post), " (POST code %02X)", pc_post_code(s->pc));
    return cli_complain(CLI_OK, "the guest has halted for ever, with interrupts off%s", post);
}

/* The picture at its time. Without --timeout that was all that was wanted. */
static int look_at_screen(struct pc_session *s)
{
    bool last = run_steps(s);
    bool due = s->options.at_ns ? pc_now_ns(s->pc) >= s->options.at_ns : last;
    if (!due || !(wants_shot(s) || last))
        return GO_ON;
    if (take_shot(s))
        return cli_complain(CLI_FAILED, "%s", s->why.text);
    return s->options.timeout_ns && s->options.at_ns ? GO_ON : CLI_OK;
}

static int time_is_up(const struct pc_session *s)
{
    char post[32] = "";
    if (pc_post_code(s->pc))
        snprintf(post, sizeof(post), " (POST code %02X)", pc_post_code(s->pc));
    return cli_complain(CLI_TIMEOUT, "the time given by --timeout is up%s%s",
                        pc_is_dead(s->pc) ? "; the guest has halted for ever, with interrupts off"
                        : s->step < s->options.steps ? "; --wait was still waiting"
                                                     : "",
                        post);
}

static bool is_recorded(const struct pc_session *s)
{
    return s->record && !pc_record_gate(s->record)->replays;
}

static int between_turns(struct pc_session *s)
{
    int status = look_at_signals(s);
    if (is_recorded(s) && pc_record_turn(s->record, &s->why))
        return cli_complain(CLI_FAILED, "%s", s->why.text);
    if (status == GO_ON)
        status = look_at_screen(s);
    if (status == GO_ON && wants_end(s))
        status = CLI_OK;
    if (status == GO_ON)
        status = look_at_halt(s);
    if (s->display)
        display_update(s->display);
    if (status == GO_ON && host_monotonic_ns() >= s->end_ns)
        status = time_is_up(s);
    return status;
}

static void print_cpu(const struct pc *pc)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    const struct cpu *cpu = pc_processor(pc);
    for (unsigned i = 0; i < 8; i++)
        fprintf(stderr, "  %s %08x%s", names[i], cpu->gpr[i], i % 4 == 3 ? "\n" : "");
    fprintf(stderr, "  cs:eip %04x:%08x  eflags %08x  cr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x\n",
            cpu->seg[ISA_CS].selector, cpu->eip, cpu->eflags, cpu->sys.cr0, cpu->sys.cr2,
            cpu->sys.cr3, cpu->sys.cr4);
    fprintf(stderr, "  idt %08x,%04x  gdt %08x,%04x  POST code %02x\n", cpu->sys.idt.base,
            cpu->sys.idt.limit, cpu->sys.gdt.base, cpu->sys.gdt.limit, pc_post_code(pc));
}

static int engine_failed(const struct pc_session *s, const char *what)
{
    s->engine->ops->report(s->engine, pc_processor(s->pc), stderr);
    return cli_complain(CLI_FAILED, "%s; see above", what);
}

static int shut_down(const struct pc_session *s)
{
    const struct cpu *cpu = pc_processor(s->pc);
    int status =
        cli_complain(CLI_FAULT, "the guest died of a triple fault (the last: %s, error %#x)",
                     cpu_vector_name(cpu->fault.vector), cpu->fault.error);
    print_cpu(s->pc);
    return status;
}

/* From 128 on none means an end of ours: suites have such (155 is "skipped"). */
static int exit_status(const struct pc_session *s)
{
    uint32_t status = pc_exit_status(s->pc) & 0xff;
    if (status <= CLI_GUEST_MAX || status > 127)
        return (int)status;
    return cli_complain(CLI_GUEST_MAX, "the guest's exit status is %u; told as %d", status,
                        CLI_GUEST_MAX);
}

static int status_of(const struct pc_session *s, enum pc_state state)
{
    switch (state) {
    case PC_RESET:
        return s->options.no_reboot ? CLI_OK : GO_ON;
    case PC_OFF:
    case PC_REPLAYED:
        return CLI_OK;
    case PC_EXIT:
        return exit_status(s);
    case PC_SHUTDOWN:
        return shut_down(s);
    case PC_DIVERGED:
        return engine_failed(s, "the interpreter and the translator differ");
    case PC_REJECTED:
        return engine_failed(s, "a translation was refused by the verifier");
    default:
        return GO_ON;
    }
}

static int loop(struct pc_session *s)
{
    int status = GO_ON;
    while (status == GO_ON) {
        status = status_of(s, pc_run_for(s->pc, TURN_NS));
        if (status == GO_ON)
            status = between_turns(s);
    }
    return status;
}

static int turn(void *opaque, enum pc_state state)
{
    struct pc_session *s = opaque;
    int status = status_of(s, state);
    return status == GO_ON ? between_turns(s) : status;
}

/* The machine runs in turns between which the debugger is heard. */
static int debug(struct pc_session *s)
{
    const struct pc_debug_config config = {.options = &s->options,
                                           .target = {.pc = s->pc,
                                                      .kernel = s->options.kernel,
                                                      .record = s->record,
                                                      .turn = turn,
                                                      .opaque = s},
                                           .input = s->input,
                                           .signals = s->signals};
    int status, number;
    if (pc_debug_run(&config, &status, &number, &s->why))
        return cli_complain(CLI_FAILED, "%s", s->why.text);
    s->signal = number ? number : s->signal;
    return status;
}

static int print_hash(struct pc_session *s)
{
    uint64_t hash;
    int err = pc_state_hash(s->pc, &hash, &s->why);
    if (!err)
        fprintf(stderr, "denali: state %016llx after %llu instructions\n", (unsigned long long)hash,
                (unsigned long long)pc_processor(s->pc)->icount);
    return err;
}

/* A replay's status is not the guest's: it tells whether it went as recorded. */
static int end_replay(struct pc_session *s)
{
    unsigned sums;
    if (pc_run_for(s->pc, 0) != PC_REPLAYED)
        pc_record_gate(s->record)->lost = true; /* the guest has ended, its recording has not */
    bool same = pc_record_was_same(s->record, &sums, &s->why);
    unsigned long long count = pc_processor(s->pc)->icount;
    if (!same)
        return cli_complain(REPLAY_DIFFERS, "after %llu instructions: %s", count, s->why.text);
    return cli_complain(CLI_OK, "replayed %llu instructions: all was as recorded (%u sums)", count,
                        sums);
}

static int end_record(struct pc_session *s, int status)
{
    if (!s->record || pc_record_is_kept(s->record) || pc_options_debug(&s->options))
        return status;
    if (!is_recorded(s))
        return end_replay(s);
    if (pc_record_finish(s->record, &s->why))
        return cli_complain(CLI_FAILED, "%s", s->why.text);
    return status;
}

static int run_session(struct pc_session *s)
{
    if (pc_options_debug(&s->options))
        (void)run_sandbox_enter_with_programs();
    else if (!s->display || !strcmp(s->options.display, "text"))
        (void)run_sandbox_enter_with_files();
    else
        (void)run_sandbox_enter_with_window();
    s->end_ns = HOST_FOREVER;
    if (s->options.timeout_ns)
        s->end_ns = host_monotonic_ns() + s->options.timeout_ns;
    int status = pc_options_debug(&s->options) ? debug(s) : loop(s);
    status = end_record(s, status);
    pc_observe_finish(s->observe);
    if (wants_shot(s) && take_shot(s))
        status = cli_complain(CLI_FAILED, "%s", s->why.text);
    if (pc_resources_save_cmos(&s->options, s->pc, &s->why))
        status = cli_complain(CLI_FAILED, "%s", s->why.text);
    if (s->options.state_hash && print_hash(s))
        status = cli_complain(CLI_FAILED, "%s", s->why.text);
    int signal = s->signal;
    unmake(s);
    if (signal)
        host_signal_die(signal);
    return status;
}

static int run_built(struct pc_session *s)
{
    int err = build(s);
    if (!err)
        return run_session(s);
    unmake(s);
    return cli_complain(err == -ENOEXEC ? CLI_CANNOT_RUN : CLI_FAILED, "%s", s->why.text);
}

static int run_pc(int argc, char **argv)
{
    struct pc_session s;
    memset(&s, 0, sizeof(s));
    int err = pc_options_parse(argc - 1, argv + 1, &s.options, &s.why);
    if (!err && s.options.help) {
        fputs(cli_pc.help, stdout);
        return CLI_OK;
    }
    if (!err && s.options.stands && !pc_options_debug(&s.options))
        err = why_fail(&s.why, -EINVAL,
                       "-S: nobody would ever let the machine run; add --gdb PORT or --monitor");
    if (!err && s.options.record)
        err = pc_record_create(s.options.record, argc - 1, argv + 1, &s.record, &s.why);
    if (err)
        return cli_complain(CLI_FAILED, "%s", s.why.text);
    return run_built(&s);
}

static const char *recording_among(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-' && pc_record_is(argv[i]))
            return argv[i];
    return NULL;
}

bool cli_pc_replays(int argc, char **argv)
{
    return recording_among(argc, argv) != NULL;
}

/* What only the first run was to do. */
static void leave_out(struct pc_options *o)
{
    o->record = o->display = o->snapshot_save = o->cmos = NULL;
    o->timeout_ns = o->at_ns = o->steps = 0;
    if (o->net || o->publishes || o->pcap)
        o->net = "none";
    o->publishes = 0;
    o->pcap = NULL;
}

/* All but --record DIR; its time stays. */
static int copy_options(char **to, char **from, int words)
{
    static char counted[] = "--deterministic";
    int n = 0;
    for (int i = 0; i < words; i++) {
        if (!strcmp(from[i], "--record"))
            i++;
        else if (strncmp(from[i], "--record=", 9))
            to[n++] = from[i];
    }
    to[n++] = counted;
    return n;
}

/* The recorded options, then those of the replay. */
int cli_pc_replay(int argc, char **argv)
{
    struct pc_session s;
    const char *folder = recording_among(argc, argv);
    int words = 0;
    memset(&s, 0, sizeof(s));
    int err = pc_record_open(folder, &s.record, &s.why);
    char **recorded = err ? NULL : pc_record_argv(s.record, &words);
    char **all = err ? NULL : calloc((size_t)(words + argc) + 2, sizeof(*all));
    words = all ? copy_options(all, recorded, words) : 0;
    for (int i = 1; all && i < argc; i++)
        if (argv[i] != folder)
            all[words++] = argv[i];
    if (!err && !all)
        err = why_fail(&s.why, -ENOMEM, "no memory for the options");
    if (!err)
        err = pc_options_parse(words, all, &s.options, &s.why);
    int status = CLI_FAILED;
    if (err) {
        (void)cli_complain(CLI_FAILED, "%s", s.why.text);
        pc_record_close(s.record);
    } else {
        leave_out(&s.options);
        status = run_built(&s);
    }
    free(all);
    return status;
}

const struct cli_verb cli_pc = {
    .name = "pc",
    .summary = "run a PC: firmware, kernels, disks of ordinary operating systems",
    .help =
        "usage: denali pc [options]\n"
        "\n"
        "Runs a PC with an i386 processor. Without --kernel it starts with SeaBIOS.\n"
        "\n"
        "  -m, --memory SIZE        memory, as 256M (default 128M, at most 3G)\n"
        "      --cpu MODEL          386, 486, pentium, pentium3 or max (default); 286: see docs\n"
        "      --machine pc|isa     isa: a PIC, a PIT and a 16550 alone\n"
        "      --kernel FILE        Linux bzImage or Multiboot kernel, started without firmware\n"
        "      --initrd FILE        its initrd; Multiboot: modules \"FILE ARGS,FILE ARGS\"\n"
        "      --append TEXT        its command line\n"
        "      --bios FILE  --vgabios FILE   firmware (default: the packages seabios, vgabios)\n"
        "      --hda IMAGE ... --hdd IMAGE   disks: FILE[,ro|,snapshot|,cow=OVERLAY]\n"
        "      --cdrom FILE         ISO image, as drive hdc\n"
        "      --fda IMAGE  --fdb IMAGE      floppies\n"
        "      --virtio-disk IMAGE  --virtio-console LINE   by virtio\n"
        "      --boot LETTERS       order of drives: a floppy, c disk, d CD\n"
        "      --boot-menu          lets firmware offer its menu\n"
        "      --cmos FILE          CMOS memory, kept from run to run\n"
        "      --display none|sdl|text       window, or text in the terminal (default none)\n"
        "      --serial LINE        stdio, pty, file:PATH, unix:PATH, null; up to four times.\n"
        "                           On a terminal, Ctrl-A x ends the run\n"
        "      --parallel [PORT:]FILE    what is printed; up to three, at 378h, 278h, 3BCh.\n"
        "                           FILE may be a LINE, too, as for --debugcon\n"
        "      --debugcon FILE      what is written to port E9h\n"
        "      --exit-port          a write to port F4h ends the run: status 2 * value + 1;\n"
        "                           and the test device of public suites\n"
        "      --exit-halt          HLT with interrupts off ends the run: status 0, the last\n"
        "                           POST code on stderr\n"
        "      --net user|none|socket:PATH|tap:NAME   puts a card in (default: no card)\n"
        "      --nic virtio|ne2k    which one (default virtio)\n"
        "  -p, --publish [ADDR:]HOSTPORT:PORT[/udp]   lets the host's port lead to the guest's\n"
        "      --pcap FILE          writes what passes the card\n"
        "      --wait TEXT          waits until the screen shows TEXT,\n"
        "      --type TEXT          types it; any number of both, in this order\n"
        "      --screenshot FILE.png  --screen-text   the picture as a file, the text to stdout:\n"
        "      --at SECONDS         at this time of the machine, else after the last --wait or\n"
        "                           --type, else at the end. Without --timeout this is the end\n"
        "      --snapshot-save FILE keeps the machine's state in FILE, at the same time\n"
        "      --restore FILE       goes on from there: the other options must be those it was\n"
        "                           saved with, and disks as they were\n"
        "      --state-hash         tells a hash of the whole state at the end\n"
        "      --engine dbt|interp|lockstep\n"
        "      --verify             nothing unverified: a PC is interpreted then\n"
        "      --timeout SECONDS    ends the machine after that time\n"
        "      --deterministic      time counts instructions, not the host's clock\n"
        "      --coverage drcov:FILE, lcov:FILE   which code ran, or which lines of the kernel's "
        "source\n"
        "      --trace KIND:FILE    instruction, block, call, syscall, port, interrupt or packet; "
        "with\n"
        "                           ,json ,from=ADDR ,to=ADDR ,in=FUNCTION ,first=N ,last=N\n"
        "      --record DIR         by counted time, and keeps what comes from outside for\n"
        "                           denali replay DIR\n"
        "      --no-reboot          a reset is the end\n"
        "      --gdb [ADDR:]PORT    lets gdb attach (target remote 127.0.0.1:PORT)\n"
        "      --monitor [unix:PATH]    the debugger's prompt when the machine is stopped "
        "(Ctrl-C),\n"
        "                           or its commands from a socket; see denali help debug\n"
        "      --commands FILE      runs these commands of the debugger first; --batch: no more\n"
        "  -S, --stop               the machine waits for gdb or the monitor before its first\n"
        "                           instruction\n"
        "\n"
        "Exit status: 0 powered off; the guest's by the exit port; 120 it died of a triple\n"
        "fault (report on stderr); 124 its time was up; 125 denali or the command line failed;\n"
        "126 the kernel or firmware cannot be run.\n"
        "\n"
        "  denali pc --cdrom debian.iso -m 512M --display sdl\n"
        "  denali pc --kernel vmlinuz --initrd initrd.gz --append console=ttyS0\n",
    .run = run_pc,
};
