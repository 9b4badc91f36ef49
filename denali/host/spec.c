/* SPDX-License-Identifier: MIT */
/* One table says which members there are; what a value means is for the command line's own parser
 * to judge, in the worker. */
#include "denali/host/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NAME, PATH, FLAG, SIZE, QUOTA, TEXTS, DISKS, POLICY };

struct member {
    const char *name;
    enum kind kind;
    const char *option; /* of denali run; NULL: not for it */
};

static const struct member members[] = {
    {"name", NAME, NULL},       {"image", TEXT, NULL},
    {"snapshot", NAME, NULL},   {"args", TEXTS, NULL},
    {"env", TEXTS, "--env"},    {"memory", SIZE, "--memory"},
    {"root", PATH, "--root"},   {"cwd", PATH, "--cwd"},
    {"disks", DISKS, "--disk"}, {"publish", TEXTS, "--publish"},
    {"net", TEXT, "--net"},     {"group", NAME, NULL},
    {"ip", TEXT, NULL},         {"tty", FLAG, NULL},
    {"supervisor", FLAG, NULL}, {"restart", POLICY, NULL},
    {"start", FLAG, NULL},      {"quota", QUOTA, NULL},
};

static const char *const kind_names[] = {
    [TEXT] = "a string",
    [NAME] = "a name (letters, digits, '.', '_', '-'; at most 63; not a number)",
    [PATH] = "an absolute path",
    [FLAG] = "true or false",
    [SIZE] = "a size: a number of bytes, or a string as \"64M\"",
    [QUOTA] = "an object of weight, cap, disk, console, send, receive (docs/HOST.md)",
    [TEXTS] = "a list of at most 256 strings",
    [DISKS] = "a list of {\"name\", \"file\", \"readonly\", \"cow\": [layers]}, absolute paths",
    [POLICY] = "\"no\", \"on-failure\" or \"always\"",
};

static const char *const policies[] = {"no", "on-failure", "always"};

bool spec_is_name(const char *name)
{
    size_t len = strlen(name), digits = strspn(name, "0123456789");
    if (!len || len > SPEC_NAME_MAX || digits == len || !isalnum((unsigned char)name[0]))
        return false;
    for (const char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return false;
    }
    return true;
}

static bool is_text(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) <= SPEC_TEXT_MAX;
}

static bool is_path(const json_t *value)
{
    return is_text(value) && json_string_value(value)[0] == '/';
}

static bool is_texts(const json_t *value)
{
    size_t i;
    json_t *item;
    if (!json_is_array(value) || json_array_size(value) > SPEC_LIST_MAX)
        return false;
    json_array_foreach(value, i, item)
    {
        if (!is_text(item))
            return false;
    }
    return true;
}

static bool is_paths(const json_t *value)
{
    size_t i;
    json_t *item;
    if (!is_texts(value))
        return false;
    json_array_foreach(value, i, item)
    {
        if (!is_path(item))
            return false;
    }
    return true;
}

static bool is_disk(json_t *value)
{
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item)
    {
        bool good = !strcmp(key, "name")       ? is_text(item)
                    : !strcmp(key, "file")     ? is_path(item)
                    : !strcmp(key, "readonly") ? json_is_boolean(item)
                    : !strcmp(key, "cow")      ? is_paths(item)
                                               : false;
        if (!good)
            return false;
    }
    return json_object_get(value, "name") && json_object_get(value, "file");
}

static bool is_disks(const json_t *value)
{
    size_t i;
    json_t *item;
    if (!json_is_array(value) || json_array_size(value) > SPEC_LIST_MAX)
        return false;
    json_array_foreach(value, i, item)
    {
        if (!is_disk(item))
            return false;
    }
    return true;
}

static bool is_policy(const json_t *value)
{
    for (unsigned i = 0; i < ARRAY_LEN(policies); i++) {
        if (json_is_string(value) && !strcmp(json_string_value(value), policies[i]))
            return true;
    }
    return false;
}

int spec_quota(const json_t *value, struct quota *out)
{
    const char *key;
    json_t *item;
    char number[24];
    memset(out, 0, sizeof(*out));
    if (!json_is_object(value))
        return value ? -EINVAL : 0;
    json_object_foreach((json_t *)value, key, item)
    {
        const char *text = json_string_value(item);
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(item));
        if (!text && !json_is_integer(item))
            return -EINVAL;
        if (quota_set(out, key, text ? text : number))
            return -EINVAL;
    }
    return 0;
}

static bool is_of_kind(const json_t *value, enum kind kind)
{
    switch (kind) {
    case TEXT:
        return is_text(value);
    case NAME:
        return is_text(value) && spec_is_name(json_string_value(value));
    case PATH:
        return is_path(value);
    case FLAG:
        return json_is_boolean(value);
    case SIZE:
        return is_text(value) || (json_is_integer(value) && json_integer_value(value) > 0);
    case QUOTA: {
        struct quota quota;
        return spec_quota(value, &quota) == 0;
    }
    case TEXTS:
        return is_texts(value);
    case DISKS:
        return is_disks(value);
    case POLICY:
        return is_policy(value);
    }
    return false;
}

static const struct member *find_member(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!strcmp(members[i].name, name))
            return &members[i];
    }
    return NULL;
}

/* A relative path is of the client's folder, which we do not know. A bare name is looked up in the
 * root. */
static int check_image(const json_t *spec, struct why *why)
{
    const char *image = spec_text(spec, "image");
    if (spec_text(spec, "snapshot"))
        return image ? why_fail(why, -EINVAL, "a VM is made from an image or a snapshot, not both")
                     : 0;
    if (!image || !*image)
        return why_fail(why, -EINVAL, "\"image\" is missing: the path of a program or image");
    if (*image != '/' && (strchr(image, '/') || !spec_text(spec, "root")))
        return why_fail(why, -EINVAL, "\"image\" must be an absolute path%s",
                        spec_text(spec, "root") ? ", or a name to be found in the root" : "");
    return 0;
}

int spec_check(const json_t *spec, struct why *why)
{
    const char *key;
    json_t *value;
    if (!json_is_object(spec))
        return why_fail(why, -EINVAL, "the body must be a JSON object");
    json_object_foreach((json_t *)spec, key, value)
    {
        const struct member *m = find_member(key);
        if (!m)
            return why_fail(why, -EINVAL, "there is no member \"%.40s\"; see docs/HOST.md", key);
        if (!is_of_kind(value, m->kind))
            return why_fail(why, -EINVAL, "\"%s\" must be %s", key, kind_names[m->kind]);
    }
    if (spec_text(spec, "group") && spec_text(spec, "net"))
        return why_fail(why, -EINVAL,
                        "\"group\" and \"net\" exclude each other: a VM of a group "
                        "is on the group's LAN");
    return check_image(spec, why);
}

enum spec_restart spec_restart(const json_t *spec)
{
    const char *text = spec_text(spec, "restart");
    for (unsigned i = 0; text && i < ARRAY_LEN(policies); i++) {
        if (!strcmp(text, policies[i]))
            return (enum spec_restart)i;
    }
    return SPEC_RESTART_NO;
}

const char *spec_text(const json_t *spec, const char *member)
{
    return json_string_value(json_object_get(spec, member));
}

bool spec_flag(const json_t *spec, const char *member)
{
    return json_is_true(json_object_get(spec, member));
}

/* Words. */

struct words {
    char **list;
    int count;
    bool failed;
};

/* Takes `word` over. */
static void add(struct words *w, char *word)
{
    char **bigger = word ? realloc(w->list, ((size_t)w->count + 2) * sizeof(*bigger)) : NULL;
    if (!bigger) {
        free(word);
        w->failed = true;
        return;
    }
    bigger[w->count++] = word;
    bigger[w->count] = NULL;
    w->list = bigger;
}

/* NAME=FILE[,ro][,cow=LAYER]... */
static char *disk_word(const json_t *disk)
{
    const json_t *cow = json_object_get(disk, "cow");
    char *word, *longer;
    int n = asprintf(&word, "%s=%s%s", spec_text(disk, "name"), spec_text(disk, "file"),
                     spec_flag(disk, "readonly") ? ",ro" : "");
    for (size_t i = 0; n >= 0 && i < json_array_size(cow); i++) {
        n = asprintf(&longer, "%s,cow=%s", word, json_string_value(json_array_get(cow, i)));
        free(word);
        word = n < 0 ? NULL : longer;
    }
    return n < 0 ? NULL : word;
}

static char *value_word(const json_t *value)
{
    char *word;
    if (json_is_string(value))
        return strdup(json_string_value(value));
    if (json_is_object(value))
        return disk_word(value);
    return asprintf(&word, "%lld", (long long)json_integer_value(value)) < 0 ? NULL : word;
}

static void add_option(struct words *w, const struct member *m, const json_t *value)
{
    if (!m->option || (m->kind == FLAG && !json_is_true(value)))
        return;
    add(w, strdup(m->option));
    if (m->kind != FLAG)
        add(w, value_word(value));
}

static void add_member(struct words *w, const struct member *m, const json_t *value)
{
    if (!json_is_array(value)) {
        add_option(w, m, value);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        add_option(w, m, json_array_get(value, i));
}

char **spec_words(const json_t *spec, int *count)
{
    struct words w = {NULL, 0, false};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *value = json_object_get(spec, members[i].name);
        if (value)
            add_member(&w, &members[i], value);
    }
    add(&w, strdup("--"));
    add(&w, strdup(spec_text(spec, "image") ? spec_text(spec, "image") : ""));
    const json_t *args = json_object_get(spec, "args");
    for (size_t i = 0; i < json_array_size(args); i++)
        add(&w, strdup(json_string_value(json_array_get(args, i))));
    if (w.failed) {
        spec_words_free(w.list);
        return NULL;
    }
    *count = w.count;
    return w.list;
}

void spec_words_free(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}
