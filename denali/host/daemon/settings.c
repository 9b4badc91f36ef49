/* SPDX-License-Identifier: MIT */
/* One table for both: an option --NAME VALUE is the config file's member NAME. */
#include "denali/host/daemon/settings.h"

#include "denali/host/place.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

struct option {
    const char *name;
    int (*take)(struct config *c, const char *value, struct why *why);
};

static int take_string(char **slot, const char *value, struct why *why)
{
    char *copy = strdup(value);
    if (!copy)
        return why_fail(why, -ENOMEM, "no memory");
    free(*slot);
    *slot = copy;
    return 0;
}

static int take_socket(struct config *c, const char *value, struct why *why)
{
    return take_string(&c->socket, value, why);
}

static int take_state(struct config *c, const char *value, struct why *why)
{
    return take_string(&c->state, value, why);
}

static int take_swap(struct config *c, const char *value, struct why *why)
{
    return take_string(&c->swap, value, why);
}

static int take_memory(struct config *c, const char *value, struct why *why)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    unsigned shift = strchr("kK", *end)   ? 10
                     : strchr("mM", *end) ? 20
                     : strchr("gG", *end) ? 30
                                          : 0;
    if (!*end)
        shift = 0;
    if (errno || *value < '0' || *value > '9' || (*end && (!shift || end[1])) ||
        n > UINT64_MAX >> shift || n << shift < 16 * MIB)
        return why_fail(why, -EINVAL, "memory %s: say a size of at least 16M, as 8G", value);
    c->memory_bytes = n << shift;
    return 0;
}

static int take_number(unsigned *out, const char *name, const char *value, unsigned min,
                       unsigned max, struct why *why)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || n < min || n > max)
        return why_fail(why, -EINVAL, "%s %s: say a number from %u to %u", name, value, min, max);
    *out = (unsigned)n;
    return 0;
}

static int take_workers(struct config *c, const char *value, struct why *why)
{
    return take_number(&c->workers, "workers", value, 1, CONFIG_WORKERS_MAX, why);
}

static int take_threads(struct config *c, const char *value, struct why *why)
{
    return take_number(&c->threads, "threads", value, 1, 16, why);
}

static int take_orphan(struct config *c, const char *value, struct why *why)
{
    return take_number(&c->orphan_s, "orphan", value, 0, 86400, why);
}

static int take_grace(struct config *c, const char *value, struct why *why)
{
    return take_number(&c->grace_s, "grace", value, 0, 3600, why);
}

static const struct option options[] = {
    {"socket", take_socket}, {"state", take_state},     {"swap", take_swap},
    {"memory", take_memory}, {"workers", take_workers}, {"threads", take_threads},
    {"orphan", take_orphan}, {"grace", take_grace},
};

static const struct option *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (strlen(options[i].name) == len && !strncmp(options[i].name, name, len))
            return &options[i];
    }
    return NULL;
}

static int take_member(struct config *c, const char *file, const char *key, const json_t *value,
                       struct why *why)
{
    char number[32];
    const struct option *o = find(key, strlen(key));
    const char *text = json_string_value(value);
    if (!o)
        return why_fail(why, -EINVAL, "%s: there is no setting \"%.40s\"", file, key);
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        text = number;
    }
    if (!text)
        return why_fail(why, -EINVAL, "%s: \"%s\" must be a string or a number", file, key);
    return o->take(c, text, why);
}

static int take_file(struct config *c, const char *file, struct why *why)
{
    json_error_t error;
    const char *key;
    json_t *value, *root = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    int err = 0;
    if (!root)
        return why_fail(why, -EINVAL, "%s, line %d: %s", file, error.line, error.text);
    if (!json_is_object(root))
        err = why_fail(why, -EINVAL, "%s must hold one JSON object", file);
    json_object_foreach(root, key, value)
    {
        if (!err)
            err = take_member(c, file, key, value, why);
    }
    json_decref(root);
    return err;
}

/* NULL: the word is no flag. */
static bool *flag_of(struct config *c, const char *word)
{
    if (!strcmp(word, "--detach"))
        return &c->detach;
    if (!strcmp(word, "--sync-interrupts"))
        return &c->sync_interrupts;
    if (!strcmp(word, "--verify"))
        return &c->verify;
    return strcmp(word, "--no-verify") ? NULL : &c->no_verify;
}

/* One pass over the words: the config file alone, or everything else. */
static int take_words(int argc, char **argv, struct config *c, bool file, struct why *why)
{
    int err = 0;
    for (int i = 0; !err && i < argc; i++) {
        const char *word = argv[i];
        bool *flag = flag_of(c, word);
        if (flag) {
            *flag = true;
            continue;
        }
        const char *name = !strncmp(word, "--", 2) ? word + 2 : "";
        size_t len = strcspn(name, "=");
        const char *value = name[len] ? name + len + 1 : argv[i + 1];
        bool is_file = len == 6 && !strncmp(name, "config", 6);
        const struct option *o = find(name, len);
        if (!o && !is_file)
            return why_fail(why, -EINVAL, "there is no option %s; see denali help host", word);
        if (!value)
            return why_fail(why, -EINVAL, "%s: its value is missing; see denali help host", word);
        i += !name[len];
        if (is_file && file)
            err = take_file(c, value, why);
        else if (!is_file && !file)
            err = o->take(c, value, why);
    }
    return err;
}

static int set_defaults(struct config *c, struct why *why)
{
    struct sysinfo info;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = cores < 1 ? 1 : cores > 16 ? 16 : (unsigned)cores;
    if (!c->workers)
        c->workers = n;
    if (!c->threads)
        c->threads = n;
    if (!c->memory_bytes && !sysinfo(&info))
        c->memory_bytes = (uint64_t)info.totalram * info.mem_unit / 4 * 3;
    if (!c->socket)
        c->socket = place_default_socket();
    if (!c->state)
        c->state = place_default_state();
    return c->socket && c->state ? 0 : why_fail(why, -ENOMEM, "no memory");
}

int config_parse(int argc, char **argv, struct config *out, struct why *why)
{
    *out = (struct config){.orphan_s = 30, .grace_s = 10};
    int err = take_words(argc, argv, out, true, why);
    if (!err)
        err = take_words(argc, argv, out, false, why);
    if (!err)
        err = set_defaults(out, why);
    return err;
}

void config_fini(struct config *c)
{
    free(c->socket);
    free(c->state);
    free(c->swap);
}
