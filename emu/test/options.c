/* SPDX-License-Identifier: MIT */
/* The command line of `denali test`. */
#include "emu/test/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { FLAG, TEXT, TEXTS, NUMBER, COUNT, SECONDS, DEFINE, ENGINES, SHARD, COVERAGE };

struct option {
    const char *name, *letter;
    enum kind kind;
    size_t at, count_at;
};

#define AT(member) offsetof(struct test_options, member)
static const struct option options[] = {
    {"--format", NULL, TEXTS, AT(format), AT(formats)},
    {"--filter", "-k", TEXTS, AT(filter), AT(filters)},
    {"--define", "-D", DEFINE, 0, 0},
    {"--jobs", "-j", COUNT, AT(jobs), 0},
    {"--repeat", NULL, COUNT, AT(repeat), 0},
    {"--seed", NULL, NUMBER, AT(seed), 0},
    {"--timeout", NULL, SECONDS, AT(timeout_ns), 0},
    {"--output", "-o", TEXT, AT(output), 0},
    {"--engines", NULL, ENGINES, 0, 0},
    {"--engine", NULL, ENGINES, 0, 0},
    {"--against", NULL, TEXT, AT(against), 0},
    {"--coverage", NULL, COVERAGE, 0, 0},
    {"--shard", NULL, SHARD, 0, 0},
    {"--fresh", NULL, FLAG, AT(fresh), 0},
    {"--real-time", NULL, FLAG, AT(real_time), 0},
    {"--bless", NULL, FLAG, AT(bless), 0},
    {"--fail-fast", "-x", FLAG, AT(fail_fast), 0},
    {"--quiet", "-q", FLAG, AT(quiet), 0},
    {"--list", NULL, FLAG, AT(list), 0},
    {"--no-record", NULL, FLAG, AT(no_record), 0},
    {"--help", "-h", FLAG, AT(help), 0},
};

static int add_text(struct test_options *o, const struct option *opt, const char *value,
                    struct why *why)
{
    unsigned *count = (unsigned *)((char *)o + opt->count_at);
    unsigned most = opt->at == AT(format) ? TEST_MAX_FORMATS : TEST_MAX_WORDS;
    if (*count == most)
        return why_fail(why, -EINVAL, "%s: at most %u times", opt->name, most);
    ((const char **)((char *)o + opt->at))[(*count)++] = value;
    return 0;
}

static int read_number(const char *name, const char *value, uint64_t most, uint64_t *out,
                       struct why *why)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 0);
    if (errno || end == value || *end || *value == '-' || n > most)
        return why_fail(why, -EINVAL, "%s takes a number up to %llu, not \"%s\"", name,
                        (unsigned long long)most, value);
    *out = n;
    return 0;
}

static int read_count(const char *name, const char *value, unsigned *out, struct why *why)
{
    uint64_t n = 0;
    int err = read_number(name, value, 1000000, &n, why);
    if (!err && !n)
        err = why_fail(why, -EINVAL, "%s takes a number from 1 on", name);
    *out = (unsigned)n;
    return err;
}

static int read_seconds(const char *name, const char *value, uint64_t *out, struct why *why)
{
    char *end;
    double s = strtod(value, &end);
    if (end == value || *end || !(s > 0) || s > 1e9)
        return why_fail(why, -EINVAL, "%s takes a number of seconds, not \"%s\"", name, value);
    *out = (uint64_t)(s * 1e9);
    return 0;
}

static int read_define(struct test_options *o, const char *value, struct why *why)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value || o->defines == TEST_MAX_WORDS)
        return why_fail(why, -EINVAL, "--define takes NAME=VALUE, not \"%s\"", value);
    char *name = strndup(value, (size_t)(equals - value));
    if (!name)
        return why_fail(why, -ENOMEM, "no memory");
    o->define[o->defines++] = (struct spec_define){name, equals + 1};
    return 0;
}

static int read_engine(struct test_options *o, const char *word, size_t len, struct why *why)
{
    static const char *const known[] = {"interp", "dbt", "lockstep", "native"};
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        if (strlen(known[i]) != len || memcmp(known[i], word, len))
            continue;
        for (unsigned k = 0; k < o->engines; k++) {
            if (o->engine[k] == known[i])
                return why_fail(why, -EINVAL, "--engines: %s is there twice", known[i]);
        }
        o->engine[o->engines++] = known[i];
        return 0;
    }
    return why_fail(why, -EINVAL,
                    "--engines: there are interp, dbt, lockstep and native, not \"%.*s\"", (int)len,
                    word);
}

static int read_engines(struct test_options *o, const char *value, struct why *why)
{
    int err = 0;
    for (const char *at = value; !err;) {
        size_t len = strcspn(at, ",");
        err = read_engine(o, at, len, why);
        if (!at[len])
            break;
        at += len + 1;
    }
    return err;
}

static int read_shard(struct test_options *o, const char *value, struct why *why)
{
    char *end;
    unsigned long i = strtoul(value, &end, 10), n = *end == '/' ? strtoul(end + 1, &end, 10) : 0;
    if (*end || !i || i > n || n > 100000)
        return why_fail(why, -EINVAL, "--shard takes i/n with i from 1 to n, not \"%s\"", value);
    o->shard = (unsigned)i;
    o->shards = (unsigned)n;
    return 0;
}

static int read_coverage(struct test_options *o, const char *value, struct why *why)
{
    if (!strncmp(value, "drcov:", 6) && value[6])
        o->drcov = value + 6;
    else if (!strncmp(value, "lcov:", 5) && value[5])
        o->lcov = value + 5;
    else
        return why_fail(why, -EINVAL, "--coverage takes drcov:FILE or lcov:FILE, not \"%s\"",
                        value);
    return 0;
}

static int set(struct test_options *o, const struct option *opt, const char *value, struct why *why)
{
    void *to = (char *)o + opt->at;
    switch (opt->kind) {
    case FLAG:
        *(bool *)to = true;
        return 0;
    case TEXT:
        *(const char **)to = value;
        return 0;
    case TEXTS:
        return add_text(o, opt, value, why);
    case NUMBER:
        return read_number(opt->name, value, UINT64_MAX, to, why);
    case COUNT:
        return read_count(opt->name, value, to, why);
    case SECONDS:
        return read_seconds(opt->name, value, to, why);
    case DEFINE:
        return read_define(o, value, why);
    case ENGINES:
        return read_engines(o, value, why);
    case SHARD:
        return read_shard(o, value, why);
    case COVERAGE:
        break;
    }
    return read_coverage(o, value, why);
}

/* "--name", "--name=VALUE", "-n" or "-nVALUE"; *value: what stands with it, or NULL. */
static const struct option *find(const char *word, const char **value)
{
    size_t len = strcspn(word, "=");
    *value = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];
        if (strlen(o->name) == len && !memcmp(o->name, word, len)) {
            *value = word[len] ? word + len + 1 : NULL;
            return o;
        }
        if (o->letter && !strncmp(word, o->letter, 2)) {
            *value = word[2] ? word + 2 : NULL;
            return o;
        }
    }
    return NULL;
}

static int parse_option(struct test_options *o, int argc, char **argv, int *i, struct why *why)
{
    const char *value;
    const struct option *opt = find(argv[*i], &value);
    if (!opt)
        return why_fail(why, -EINVAL, "there is no option %s; see denali help test", argv[*i]);
    if (opt->kind == FLAG && value)
        return why_fail(why, -EINVAL, "%s takes no value", opt->name);
    if (opt->kind != FLAG && !value) {
        if (*i + 1 >= argc)
            return why_fail(why, -EINVAL, "%s needs a value", opt->name);
        value = argv[++*i];
    }
    return set(o, opt, value, why);
}

int test_options_parse(int argc, char **argv, struct test_options *o, struct why *why)
{
    memset(o, 0, sizeof(*o));
    o->seed = 1;
    o->repeat = 1;
    o->output = "denali-test";
    int err = 0;
    bool words = false;
    for (int i = 0; !err && i < argc; i++) {
        if (!words && !strcmp(argv[i], "--"))
            words = true;
        else if (!words && argv[i][0] == '-' && argv[i][1])
            err = parse_option(o, argc, argv, &i, why);
        else if (o->paths < TEST_MAX_WORDS)
            o->path[o->paths++] = argv[i];
        else
            err = why_fail(why, -EINVAL, "more than %u folders", TEST_MAX_WORDS);
    }
    if (!err && !o->help && !o->paths)
        err = why_fail(why, -EINVAL, "say which tests: denali test DIR...");
    return err;
}

void test_options_fini(struct test_options *o)
{
    for (unsigned i = 0; i < o->defines; i++)
        free((char *)o->define[i].name);
    o->defines = 0;
}
