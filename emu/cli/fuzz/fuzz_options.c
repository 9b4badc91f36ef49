/* SPDX-License-Identifier: MIT */
/* Options of `denali fuzz`: a table, before which those of `denali run` stand back. */
#include "emu/cli/fuzz/fuzz_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_INSNS 20000000u
#define DEFAULT_BOOT_INSNS 20000000000u
#define MAX_JOBS 256u

struct option {
    const char *name;
    bool has_value;
    bool of_campaign;
    int (*take)(struct fuzz_options *o, const char *value, struct why *why);
};

static int take_number(const char *name, const char *value, uint64_t min, uint64_t max,
                       uint64_t *out, struct why *why)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || n < min || n > max)
        return why_fail(why, -EINVAL, "--%s %s: a number from %llu to %llu is wanted", name, value,
                        (unsigned long long)min, (unsigned long long)max);
    *out = n;
    return 0;
}

#define TEXT(function, member)                                                                     \
    static int function(struct fuzz_options *o, const char *value, struct why *why)                \
    {                                                                                              \
        (void)why;                                                                                 \
        o->member = value;                                                                         \
        return 0;                                                                                  \
    }
TEXT(take_input, input)
TEXT(take_start, start)
TEXT(take_seeds, seeds)
TEXT(take_output, output)
TEXT(take_dictionary, dictionary)

static int take_end(struct fuzz_options *o, const char *value, struct why *why)
{
    if (o->ends == FUZZ_MAX_ENDS)
        return why_fail(why, -EINVAL, "more than %u places where a run ends", FUZZ_MAX_ENDS);
    o->end[o->ends++] = value;
    return 0;
}

static int take_max_insns(struct fuzz_options *o, const char *value, struct why *why)
{
    return take_number("max-insns", value, 1, UINT64_MAX / 2, &o->max_insns, why);
}

static int take_boot_insns(struct fuzz_options *o, const char *value, struct why *why)
{
    return take_number("boot-insns", value, 1, UINT64_MAX / 2, &o->boot_insns, why);
}

static int take_seconds(struct fuzz_options *o, const char *value, struct why *why)
{
    return take_number("seconds", value, 1, UINT32_MAX, &o->seconds, why);
}

static int take_jobs(struct fuzz_options *o, const char *value, struct why *why)
{
    uint64_t n;
    int err = take_number("jobs", value, 1, MAX_JOBS, &n, why);
    o->jobs = err ? o->jobs : (unsigned)n;
    return err;
}

static int take_crash_status(struct fuzz_options *o, const char *value, struct why *why)
{
    uint64_t n;
    if (o->crash_statuses == FUZZ_MAX_STATUSES)
        return why_fail(why, -EINVAL, "more than %u statuses", FUZZ_MAX_STATUSES);
    int err = take_number("crash-status", value, 0, 255, &n, why);
    if (!err)
        o->crash_status[o->crash_statuses++] = (uint8_t)n;
    return err;
}

static int take_until_crash(struct fuzz_options *o, const char *value, struct why *why)
{
    (void)value, (void)why;
    o->until_crash = true;
    return 0;
}

static int set_task(struct fuzz_options *o, enum fuzz_task task, struct why *why)
{
    if (o->task != FUZZ_CAMPAIGN && o->task != task)
        return why_fail(why, -EINVAL, "--serve, --try, --minimise, --speed: one of them at a time");
    o->task = task;
    return 0;
}

static int take_serve(struct fuzz_options *o, const char *value, struct why *why)
{
    (void)value;
    return set_task(o, FUZZ_SERVE, why);
}

static int take_try(struct fuzz_options *o, const char *value, struct why *why)
{
    if (o->tries == FUZZ_MAX_TRIES)
        return why_fail(why, -EINVAL, "more than %u times --try; it takes folders, too",
                        FUZZ_MAX_TRIES);
    o->try[o->tries++] = value;
    return set_task(o, FUZZ_TRY, why);
}

static int take_minimise(struct fuzz_options *o, const char *value, struct why *why)
{
    o->minimise = value;
    return set_task(o, FUZZ_MINIMISE, why);
}

static int take_speed(struct fuzz_options *o, const char *value, struct why *why)
{
    int err = take_number("speed", value, 1, 3600, &o->seconds, why);
    return err ? err : set_task(o, FUZZ_SPEED, why);
}

static const struct option options[] = {
    {"input", true, false, take_input},
    {"start", true, false, take_start},
    {"end", true, false, take_end},
    {"max-insns", true, false, take_max_insns},
    {"boot-insns", true, false, take_boot_insns},
    {"crash-status", true, false, take_crash_status},
    {"seeds", true, true, take_seeds},
    {"output", true, true, take_output},
    {"dictionary", true, true, take_dictionary},
    {"seconds", true, true, take_seconds},
    {"jobs", true, true, take_jobs},
    {"until-crash", false, true, take_until_crash},
    {"serve", false, true, take_serve},
    {"try", true, true, take_try},
    {"minimise", true, true, take_minimise},
    {"speed", true, true, take_speed},
};

/* The option that the first word is, and its value in that word or the next; words it takes. */
static const struct option *find(char *const *words, const char **value, unsigned *taken)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *opt = &options[i];
        size_t len = strlen(opt->name);
        const char *word = words[0];
        if (strncmp(word, "--", 2) || strncmp(word + 2, opt->name, len) ||
            (word[2 + len] && word[2 + len] != '='))
            continue;
        bool joined = word[2 + len] == '=';
        *value = joined ? word + 3 + len : opt->has_value ? words[1] : NULL;
        *taken = opt->has_value && !joined ? 2 : 1;
        return opt;
    }
    return NULL;
}

unsigned fuzz_option_of_campaign(char *const *words)
{
    const char *value;
    unsigned taken;
    const struct option *opt = find(words, &value, &taken);
    return opt && opt->of_campaign ? taken : 0;
}

static int take(void *opaque, char **words, struct why *why)
{
    const char *value;
    unsigned taken;
    const struct option *opt = find(words, &value, &taken);
    if (!opt)
        return 0;
    if (opt->has_value && !value)
        return why_fail(why, -EINVAL, "--%s: its value is missing; see denali help fuzz",
                        opt->name);
    if (!opt->has_value && value)
        return why_fail(why, -EINVAL, "--%s: this option takes no value", opt->name);
    int err = opt->take(opaque, value, why);
    return err ? err : (int)taken;
}

static int check(struct fuzz_options *o, struct why *why)
{
    struct run_options *run = &o->run;
    if (run->record || run->gdb || run->monitor || run->alsos || run->observe.traces ||
        observe_wants_coverage(&run->observe) || run->pcap || run->publishes)
        return why_fail(why, -EINVAL,
                        "--record, --gdb, --monitor, --trace, --coverage, --pcap and --publish are "
                        "for denali run, with an input that was found here");
    if (run->net && strcmp(run->net, "none"))
        return why_fail(why, -EINVAL, "a guest that is fuzzed has no network but --input packet");
    if (o->task == FUZZ_CAMPAIGN && !o->output)
        return why_fail(why, -EINVAL, "--output DIR: where to put what is found?");
    return 0;
}

int fuzz_options_parse(int argc, char **argv, struct fuzz_options *out, struct why *why)
{
    *out = (struct fuzz_options){.max_insns = DEFAULT_INSNS,
                                 .boot_insns = DEFAULT_BOOT_INSNS,
                                 .jobs = 1,
                                 .guest_words = argv};
    const struct run_options_more more = {take, out};
    int err = run_options_parse_more(argc - 1, argv + 1, &more, &out->run, why);
    if (err || out->run.help)
        return err;
    err = check(out, why);
    out->run.deterministic = true;
    out->run.net = "none";
    for (unsigned i = 0; i < out->run.disks; i++)
        out->run.disk[i].readonly = true; /* each run must find the same */
    return err;
}

void fuzz_options_fini(struct fuzz_options *o)
{
    run_options_fini(&o->run);
}
