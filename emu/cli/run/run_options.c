/* SPDX-License-Identifier: MIT */
/*
 * Options of `denali run`: a table of names and functions. Options end at the
 * image; what follows is the guest's, whatever it looks like.
 */
#include "emu/cli/run/run_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option {
    const char *name; /* long, without dashes */
    char letter;      /* 0: none */
    bool has_value;
    int (*take)(struct run_options *o, const char *value, struct why *why);
    const char *optional; /* what has no value takes the next word if that begins so */
};

static uint64_t unit_of(const char *suffix)
{
    if (!*suffix || !strcmp(suffix, "B"))
        return 1;
    uint64_t unit = 0;
    switch (*suffix) {
    case 'k':
    case 'K':
        unit = KIB;
        break;
    case 'm':
    case 'M':
        unit = MIB;
        break;
    case 'g':
    case 'G':
        unit = GIB;
        break;
    }
    return !suffix[1] || !strcmp(suffix + 1, "B") || !strcmp(suffix + 1, "iB") ? unit : 0;
}

bool run_options_size(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    uint64_t unit = unit_of(end);
    if (*text < '0' || *text > '9' || errno || !unit || n > UINT64_MAX / unit)
        return false;
    *out = n * unit;
    return true;
}

static int take_memory(struct run_options *o, const char *value, struct why *why)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    uint64_t unit = unit_of(end);
    if (*value < '0' || *value > '9' || errno || !unit)
        return why_fail(why, -EINVAL, "--memory %s is not a size; say 64M or 1G", value);
    if (n > UINT64_MAX / unit || n * unit > 4 * GIB - 64 * KIB)
        return why_fail(why, -EINVAL, "--memory %s is too much; a VM has at most 4194240K", value);
    if (n * unit < 128 * KIB)
        return why_fail(why, -EINVAL, "--memory %s is too little; a VM has at least 128K%s", value,
                        n && unit == 1 ? " (did you forget the M?)" : "");
    o->memory = n * unit;
    return 0;
}

static int take_root(struct run_options *o, const char *value, struct why *why)
{
    (void)why;
    o->root = value;
    return 0;
}

static int take_cwd(struct run_options *o, const char *value, struct why *why)
{
    if (*value != '/')
        return why_fail(why, -EINVAL, "--cwd %s is not an absolute path of the guest", value);
    o->cwd = value;
    return 0;
}

/* Cuts ",ro" and ",cow=LAYER"s off the end; the last layer comes first. */
static int take_disk_words(struct run_disk *disk, char *text, struct why *why)
{
    char *comma;
    while ((comma = strrchr(text, ','))) {
        if (!strcmp(comma, ",ro")) {
            disk->readonly = true;
        } else if (strncmp(comma, ",cow=", 5)) {
            break;
        } else {
            if (disk->layers == DISK_MAX_LAYERS || !comma[5])
                return why_fail(why, -EINVAL, "--disk %s: at most %u layers, each a file",
                                disk->name, DISK_MAX_LAYERS);
            memmove(disk->layer + 1, disk->layer, disk->layers++ * sizeof(disk->layer[0]));
            disk->layer[0] = comma + 5;
        }
        *comma = 0;
    }
    return 0;
}

static int take_disk(struct run_options *o, const char *value, struct why *why)
{
    const char *equals = strchr(value, '=');
    size_t len = equals ? (size_t)(equals - value) : 0;
    if (!len || !equals[1])
        return why_fail(why, -EINVAL,
                        "--disk %s: say NAME=FILE, NAME=FILE,ro or "
                        "NAME=FILE,cow=LAYER",
                        value);
    if (o->disks == RUN_MAX_DISKS)
        return why_fail(why, -EINVAL, "more than %d disks", RUN_MAX_DISKS);
    struct run_disk *disk = &o->disk[o->disks];
    if (len >= sizeof(disk->name))
        return why_fail(why, -EINVAL, "--disk %s: a name has at most 15 characters", value);
    memcpy(disk->name, value, len);
    for (unsigned i = 0; i < o->disks; i++) {
        if (!strcmp(o->disk[i].name, disk->name))
            return why_fail(why, -EINVAL, "--disk %s is given twice", disk->name);
    }
    disk->file = equals + 1;
    int err = take_disk_words(disk, (char *)(uintptr_t)disk->file, why); /* argv is ours to write */
    o->disks += !err;
    return err;
}

static int take_publish(struct run_options *o, const char *value, struct why *why)
{
    struct net_error error;
    if (net_publish_add(value, o->publish, &o->publishes, &error))
        return why_fail(why, -EINVAL, "%s", error.text);
    return 0;
}

static int take_net(struct run_options *o, const char *value, struct why *why)
{
    (void)why;
    o->net = value;
    return 0;
}

static int take_pcap(struct run_options *o, const char *value, struct why *why)
{
    (void)why;
    o->pcap = value;
    return 0;
}

static int take_engine(struct run_options *o, const char *value, struct why *why)
{
    if (strcmp(value, "dbt") && strcmp(value, "interp") && strcmp(value, "lockstep"))
        return why_fail(why, -EINVAL, "--engine %s: there are dbt, interp and lockstep", value);
    o->engine = value;
    return 0;
}

static int take_record(struct run_options *o, const char *value, struct why *why)
{
    (void)why;
    o->record = value;
    return 0;
}

static int take_coverage(struct run_options *o, const char *value, struct why *why)
{
    return observe_take_coverage(&o->observe, value, why);
}

static int take_trace(struct run_options *o, const char *value, struct why *why)
{
    return observe_take_trace(&o->observe, value, why);
}

static int take_count(const char *name, const char *value, uint64_t *out, struct why *why)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno)
        return why_fail(why, -EINVAL, "--%s %s is not a number of instructions", name, value);
    *out = n;
    return 0;
}

static int take_until(struct run_options *o, const char *value, struct why *why)
{
    return take_count("until", value, &o->until, why);
}

static int take_live_from(struct run_options *o, const char *value, struct why *why)
{
    return take_count("live-from", value, &o->live_from, why);
}

static int take_timeout(struct run_options *o, const char *value, struct why *why)
{
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds > 0) || seconds > 1e9)
        return why_fail(why, -EINVAL, "--timeout %s is not a number of seconds", value);
    o->timeout_ns = (uint64_t)(seconds * 1e9);
    return 0;
}

static int take_env(struct run_options *o, const char *value, struct why *why)
{
    if (!*value || *value == '=')
        return why_fail(why, -EINVAL, "--env %s: say NAME=VALUE, or NAME for the host's value",
                        value);
    const char **env = realloc(o->env, (o->envs + 1) * sizeof(*env));
    if (!env)
        return why_fail(why, -ENOMEM, "no memory");
    o->env = env;
    o->env[o->envs++] = value;
    return 0;
}

static int take_commands(struct run_options *o, const char *value, struct why *why)
{
    (void)why;
    o->commands = value;
    return 0;
}

static int take_monitor(struct run_options *o, const char *value, struct why *why)
{
    o->monitor = true;
    if (!value)
        return 0;
    if (strncmp(value, "unix:", 5) || !value[5])
        return why_fail(why, -EINVAL, "--monitor %s: say --monitor, or --monitor unix:PATH", value);
    o->monitor_socket = value + 5;
    return 0;
}

static int take_gdb(struct run_options *o, const char *value, struct why *why)
{
    (void)why;
    o->gdb = value;
    return 0;
}

static int take_also(struct run_options *o, const char *value, struct why *why)
{
    if (o->alsos == RUN_MAX_ALSO)
        return why_fail(why, -EINVAL, "--also: at most %d more images", RUN_MAX_ALSO);
    o->also[o->alsos++] = value;
    return 0;
}

#define FLAG(function, member)                                                                     \
    static int function(struct run_options *o, const char *value, struct why *why)                 \
    {                                                                                              \
        (void)value, (void)why;                                                                    \
        o->member = true;                                                                          \
        return 0;                                                                                  \
    }
FLAG(take_deterministic, deterministic)
FLAG(take_verify, verify)
FLAG(take_sync_interrupts, sync_interrupts)
FLAG(take_stats, stats)
FLAG(take_json, json)
FLAG(take_quiet, quiet)
FLAG(take_batch, batch)
FLAG(take_stands, stands)
FLAG(take_no_history, no_history)
FLAG(take_help, help)

static const struct option options[] = {
    {"memory", 'm', true, take_memory, NULL},
    {"root", 0, true, take_root, NULL},
    {"cwd", 0, true, take_cwd, NULL},
    {"disk", 0, true, take_disk, NULL},
    {"publish", 'p', true, take_publish, NULL},
    {"net", 0, true, take_net, NULL},
    {"pcap", 0, true, take_pcap, NULL},
    {"engine", 0, true, take_engine, NULL},
    {"timeout", 0, true, take_timeout, NULL},
    {"record", 0, true, take_record, NULL},
    {"coverage", 0, true, take_coverage, NULL},
    {"trace", 0, true, take_trace, NULL},
    {"until", 0, true, take_until, NULL},
    {"live-from", 0, true, take_live_from, NULL},
    {"commands", 0, true, take_commands, NULL},
    {"batch", 0, false, take_batch, NULL},
    {"monitor", 0, false, take_monitor, "unix:"},
    {"gdb", 0, true, take_gdb, NULL},
    {"also", 0, true, take_also, NULL},
    {"stop", 'S', false, take_stands, NULL},
    {"no-history", 0, false, take_no_history, NULL},
    {"env", 'e', true, take_env, NULL},
    {"deterministic", 0, false, take_deterministic, NULL},
    {"verify", 0, false, take_verify, NULL},
    {"sync-interrupts", 0, false, take_sync_interrupts, NULL},
    {"stats", 0, false, take_stats, NULL},
    {"json", 0, false, take_json, NULL},
    {"quiet", 'q', false, take_quiet, NULL},
    {"help", 'h', false, take_help, NULL},
};

/* Finds the option of a word and, if it is joined to it (--x=V, -xV), its value. */
static const struct option *find_option(const char *word, const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *opt = &options[i];
        size_t len = strlen(opt->name);
        if (word[1] == '-' && !strncmp(word + 2, opt->name, len) &&
            (!word[2 + len] || word[2 + len] == '=')) {
            *value = word[2 + len] ? word + 3 + len : NULL;
            return opt;
        }
        if (word[1] != '-' && opt->letter && word[1] == opt->letter) {
            *value = word[2] ? word + 2 : NULL;
            return opt;
        }
    }
    return NULL;
}

/* Takes the option at argv[*i] and its value. */
static int take_option(char **argv, int *i, struct run_options *out, struct why *why)
{
    const char *word = argv[*i], *value;
    const struct option *opt = find_option(word, &value);
    if (!opt)
        return why_fail(why, -EINVAL, "there is no option %s; see denali help run", word);
    if (opt->optional && !value && argv[*i + 1] &&
        !strncmp(argv[*i + 1], opt->optional, strlen(opt->optional)))
        value = argv[++*i];
    if (!opt->has_value && !opt->optional && value)
        return why_fail(why, -EINVAL, "%s: this option takes no value", word);
    if (opt->has_value && !value)
        value = argv[++*i];
    if (opt->has_value && !value)
        return why_fail(why, -EINVAL, "%s: its value is missing; see denali help run", word);
    return opt->take(out, value, why);
}

static int no_more(void *opaque, char **words, struct why *why)
{
    (void)opaque, (void)words, (void)why;
    return 0;
}

int run_options_parse(int argc, char **argv, struct run_options *out, struct why *why)
{
    return run_options_parse_more(argc, argv, &(struct run_options_more){no_more, NULL}, out, why);
}

int run_options_parse_more(int argc, char **argv, const struct run_options_more *more,
                           struct run_options *out, struct why *why)
{
    memset(out, 0, sizeof(*out));
    out->until = out->live_from = UINT64_MAX;
    int i = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (!strcmp(argv[i], "--")) {
            i++;
            break;
        }
        int taken = more->take(more->opaque, argv + i, why);
        i += taken > 0 ? taken - 1 : 0;
        int err = taken ? 0 : take_option(argv, &i, out, why);
        if (taken < 0 || err)
            return taken < 0 ? taken : err;
    }
    if (out->help)
        return 0;
    if (i >= argc)
        return why_fail(why, -EINVAL, "which image? denali run [options] IMAGE [args...]");
    out->image = argv[i];
    out->args = argv + i + 1;
    return 0;
}

void run_options_fini(struct run_options *o)
{
    free(o->env);
}
