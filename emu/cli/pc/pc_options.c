/* SPDX-License-Identifier: MIT */
/*
 * Options of `denali pc`: a table of names and the places where their values go.
 * Those that may be given more than once have a function.
 */
#include "emu/cli/pc/pc_options.h"

#include "devices/pc/machine_pc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct option {
    const char *name;                      /* long, without dashes */
    char letter;                           /* 0: none */
    enum { TEXT, FLAG, CALL, MAYBE } kind; /* MAYBE: a value only if it begins with "unix:" */
    size_t place;                          /* of a const char * or a bool in struct pc_options */
    int (*take)(struct pc_options *o, const char *value, struct why *why);
};

static int take_serial(struct pc_options *o, const char *value, struct why *why)
{
    if (o->serials == ARRAY_LEN(o->serial))
        return why_fail(why, -EINVAL, "--serial: a PC has four serial ports");
    o->serial[o->serials++] = value;
    return 0;
}

static int take_parallel(struct pc_options *o, const char *value, struct why *why)
{
    if (o->parallels == ARRAY_LEN(o->parallel))
        return why_fail(why, -EINVAL, "--parallel: a PC has three parallel ports");
    o->parallel[o->parallels++] = value;
    return 0;
}

static int take_publish(struct pc_options *o, const char *value, struct why *why)
{
    struct net_error error;
    if (net_publish_add(value, o->publish, &o->publishes, &error))
        return why_fail(why, -EINVAL, "%s", error.text);
    return 0;
}

static int add_step(struct pc_options *o, const struct pc_step *step, struct why *why)
{
    if (o->steps == PC_MAX_STEPS)
        return why_fail(why, -EINVAL, "more than %u times --wait and --type", PC_MAX_STEPS);
    o->step[o->steps++] = *step;
    return 0;
}

static int take_wait(struct pc_options *o, const char *value, struct why *why)
{
    return add_step(o, &(struct pc_step){PC_STEP_WAIT, value}, why);
}

static int take_type(struct pc_options *o, const char *value, struct why *why)
{
    return add_step(o, &(struct pc_step){PC_STEP_TYPE, value}, why);
}

static int take_coverage(struct pc_options *o, const char *value, struct why *why)
{
    return observe_take_coverage(&o->observe, value, why);
}

static int take_trace(struct pc_options *o, const char *value, struct why *why)
{
    return observe_take_trace(&o->observe, value, why);
}

static int take_monitor(struct pc_options *o, const char *value, struct why *why)
{
    o->monitor = true;
    if (!value)
        return 0;
    if (strncmp(value, "unix:", 5) || !value[5])
        return why_fail(why, -EINVAL, "--monitor %s: say --monitor, or --monitor unix:PATH", value);
    o->monitor_socket = value + 5;
    return 0;
}

#define OPTION(name, letter, kind, member)                                                         \
    {                                                                                              \
        name, letter, kind, offsetof(struct pc_options, member), NULL                              \
    }
#define TEXT_OPTION(name, member) OPTION(name, 0, TEXT, member)
#define FLAG_OPTION(name, member) OPTION(name, 0, FLAG, member)
#define CALL_OPTION(name, letter, function)                                                        \
    {                                                                                              \
        name, letter, CALL, 0, function                                                            \
    }

static const struct option options[] = {
    OPTION("memory", 'm', TEXT, memory),
    TEXT_OPTION("machine", machine),
    TEXT_OPTION("cpu", cpu),
    TEXT_OPTION("bios", bios),
    TEXT_OPTION("vgabios", vgabios),
    TEXT_OPTION("kernel", kernel),
    TEXT_OPTION("initrd", initrd),
    TEXT_OPTION("append", append),
    TEXT_OPTION("cmos", cmos),
    TEXT_OPTION("hda", hd[0]),
    TEXT_OPTION("hdb", hd[1]),
    TEXT_OPTION("hdc", hd[2]),
    TEXT_OPTION("hdd", hd[3]),
    TEXT_OPTION("cdrom", cdrom),
    TEXT_OPTION("fda", fd[0]),
    TEXT_OPTION("fdb", fd[1]),
    TEXT_OPTION("virtio-disk", virtio_disk),
    TEXT_OPTION("virtio-console", virtio_console),
    TEXT_OPTION("boot", boot),
    TEXT_OPTION("display", display),
    TEXT_OPTION("debugcon", debugcon),
    TEXT_OPTION("screenshot", screenshot),
    TEXT_OPTION("engine", engine),
    TEXT_OPTION("net", net),
    TEXT_OPTION("nic", nic),
    TEXT_OPTION("pcap", pcap),
    TEXT_OPTION("timeout", timeout),
    TEXT_OPTION("at", at),
    CALL_OPTION("serial", 0, take_serial),
    CALL_OPTION("parallel", 0, take_parallel),
    CALL_OPTION("publish", 'p', take_publish),
    CALL_OPTION("wait", 0, take_wait),
    CALL_OPTION("type", 0, take_type),
    CALL_OPTION("coverage", 0, take_coverage),
    CALL_OPTION("trace", 0, take_trace),
    FLAG_OPTION("boot-menu", boot_menu),
    FLAG_OPTION("exit-port", exit_port),
    FLAG_OPTION("exit-halt", exit_halt),
    FLAG_OPTION("screen-text", screen_text),
    FLAG_OPTION("deterministic", deterministic),
    FLAG_OPTION("no-reboot", no_reboot),
    FLAG_OPTION("verify", verify),
    TEXT_OPTION("gdb", gdb),
    {"monitor", 0, MAYBE, 0, take_monitor},
    TEXT_OPTION("commands", commands),
    FLAG_OPTION("batch", batch),
    TEXT_OPTION("snapshot-save", snapshot_save),
    TEXT_OPTION("restore", restore),
    TEXT_OPTION("record", record),
    FLAG_OPTION("state-hash", state_hash),
    OPTION("stop", 'S', FLAG, stands),
    OPTION("help", 'h', FLAG, help),
};

/* Finds the option of a word and, if it is joined to it (--x=V, -xV), its value. */
static const struct option *find_option(const char *word, const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *opt = &options[i];
        size_t len = strlen(opt->name);
        if (word[0] == '-' && word[1] == '-' && !strncmp(word + 2, opt->name, len) &&
            (!word[2 + len] || word[2 + len] == '=')) {
            *value = word[2 + len] ? word + 3 + len : NULL;
            return opt;
        }
        if (word[0] == '-' && word[1] != '-' && opt->letter && word[1] == opt->letter) {
            *value = word[2] ? word + 2 : NULL;
            return opt;
        }
    }
    return NULL;
}

static int store(const struct option *opt, struct pc_options *o, const char *value, struct why *why)
{
    char *place = (char *)o + opt->place;
    if (opt->kind == CALL || opt->kind == MAYBE)
        return opt->take(o, value, why);
    if (opt->kind == FLAG)
        *(bool *)(void *)place = true;
    else
        *(const char **)(void *)place = value;
    return 0;
}

static int take_option(char **argv, int *i, struct pc_options *out, struct why *why)
{
    const char *word = argv[*i], *value;
    const struct option *opt = find_option(word, &value);
    if (!opt)
        return why_fail(why, -EINVAL, "there is no option %s; see denali help pc", word);
    if (opt->kind == FLAG && value)
        return why_fail(why, -EINVAL, "%s: this option takes no value", word);
    bool needs = opt->kind == TEXT || opt->kind == CALL;
    const char *next = argv[*i + 1];
    if (!value && (needs || (opt->kind == MAYBE && next && !strncmp(next, "unix:", 5))))
        value = argv[++*i];
    if (needs && !value)
        return why_fail(why, -EINVAL, "%s: its value is missing; see denali help pc", word);
    return store(opt, out, value, why);
}

static int find_memory(struct pc_options *o, struct why *why)
{
    static const char units[] = "kKmMgG";
    const char *text = o->memory ? o->memory : "128M";
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = !*end ? 20 : unit ? (unsigned)(unit - units) / 2 * 10 + 10 : 0;
    if (*text < '0' || *text > '9' || errno || !shift || (*end && end[1]))
        return why_fail(why, -EINVAL, "--memory %s is not a size; say 256M or 1G", text);
    if (n > PC_MAX_RAM >> shift)
        return why_fail(why, -EINVAL, "--memory %s is too much; a PC has at most 3G", text);
    o->ram_bytes = ((uint64_t)n << shift) & ~(uint64_t)PAGE_MASK;
    if (o->ram_bytes < 2 * MIB)
        return why_fail(why, -EINVAL, "--memory %s is too little; a PC has at least 2M", text);
    return 0;
}

static int find_seconds(const char *name, const char *text, uint64_t *out_ns, struct why *why)
{
    char *end;
    if (!text)
        return 0;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0) || seconds > 1e9)
        return why_fail(why, -EINVAL, "--%s %s is not a number of seconds", name, text);
    *out_ns = (uint64_t)(seconds * 1e9);
    return 0;
}

/* `words` has the allowed values, each with a blank behind it. */
static int check_word(const char *name, const char *value, const char *words, struct why *why)
{
    size_t len = value ? strlen(value) : 0;
    for (const char *at = words; value && *at; at = strchr(at, ' ') + 1) {
        if (!strncmp(at, value, len) && at[len] == ' ')
            return 0;
    }
    return value ? why_fail(why, -EINVAL, "--%s %s: there are: %s", name, value, words) : 0;
}

/* What the smallest machine cannot do for whoever asks it. */
static int check_isa(const struct pc_options *o, struct why *why)
{
    bool looks =
        o->screenshot || o->screen_text || o->steps || (o->display && strcmp(o->display, "none"));
    if (!o->machine || strcmp(o->machine, "isa"))
        return 0;
    if (!o->kernel)
        return why_fail(why, -EINVAL, "--machine isa has no firmware: give --kernel");
    if (looks)
        return why_fail(why, -EINVAL,
                        "--machine isa has neither screen nor keyboard: --display, --screenshot, "
                        "--screen-text, --wait and --type are not for it");
    return 0;
}

int pc_options_check(struct pc_options *o, struct why *why)
{
    int err = find_memory(o, why);
    if (!err)
        err = find_seconds("timeout", o->timeout, &o->timeout_ns, why);
    if (!err)
        err = find_seconds("at", o->at, &o->at_ns, why);
    if (!err)
        err = check_word("machine", o->machine, "pc isa ", why);
    if (!err)
        err = check_word("engine", o->engine, "interp dbt lockstep ", why);
    if (!err)
        err = check_word("display", o->display, "none sdl text ", why);
    if (!err)
        err = check_word("nic", o->nic, "virtio ne2k ", why);
    if (!err && o->boot && strspn(o->boot, "acdn") != strlen(o->boot))
        err = why_fail(why, -EINVAL, "--boot %s: letters are a floppy, c disk, d CD, n network",
                       o->boot);
    if (!err && o->cdrom && o->hd[2])
        err = why_fail(why, -EINVAL, "--cdrom is drive hdc; give one of them");
    if (!err && o->at && !o->screenshot && !o->screen_text && !o->snapshot_save)
        err = why_fail(why, -EINVAL,
                       "--at %s: nothing is to be done then; add --screenshot, --screen-text or "
                       "--snapshot-save",
                       o->at);
    if (!err && o->record && (o->observe.traces || observe_wants_coverage(&o->observe)))
        err = why_fail(why, -EINVAL,
                       "--trace and --coverage of a recording are the replay's: denali replay "
                       "--trace ... DIR");
    if (!err && o->record && (pc_options_debug(o) || o->restore))
        err = why_fail(why, -EINVAL,
                       "--record is not for debugged or restored machines; debug the replay");
    if (!err && pc_options_debug(o) && o->engine && !strcmp(o->engine, "lockstep"))
        err = why_fail(why, -EINVAL,
                       "--engine lockstep has no debugger of a PC; record it, and "
                       "debug the replay");
    if (!err && o->verify && o->engine && strcmp(o->engine, "interp"))
        err = why_fail(why, -EINVAL,
                       "--verify: there is no verifier of a PC's translations; without --engine %s "
                       "the machine is interpreted",
                       o->engine);
    if (!err && o->verify && observe_wants_coverage(&o->observe))
        err = why_fail(why, -EINVAL,
                       "--verify and --coverage: a PC's translations collect it, "
                       "and nobody verifies them");
    o->deterministic |= o->record != NULL;
    if (!err && !o->kernel && (o->initrd || o->append))
        err = why_fail(why, -EINVAL, "--initrd and --append want --kernel");
    return err ? err : check_isa(o, why);
}

int pc_options_parse(int argc, char **argv, struct pc_options *out, struct why *why)
{
    memset(out, 0, sizeof(*out));
    int err = 0;
    for (int i = 0; !err && i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            return why_fail(why, -EINVAL,
                            "\"%s\" is no option; give images as --hda, --cdrom, "
                            "--fda or --kernel",
                            argv[i]);
        err = take_option(argv, &i, out, why);
    }
    return err || out->help ? err : pc_options_check(out, why);
}
