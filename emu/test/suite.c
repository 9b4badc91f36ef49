/* SPDX-License-Identifier: MIT */
/* Folders are walked in the order of names, so that a suite is the same wherever it lies. */
#include "emu/test/suite.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 24u

struct loader {
    struct suite *suite;
    const struct suite_wish *wish;
};

static void wrong(struct suite *suite, const char *text)
{
    suite->wrong++;
    buffer_print(&suite->errors, "%s\n", text);
}

static int take(void *opaque, struct spec *spec)
{
    struct suite *suite = opaque;
    if (suite->tests == suite->room) {
        unsigned room = suite->room ? 2 * suite->room : 64;
        struct spec **bigger = realloc(suite->test, room * sizeof(struct spec *));
        if (!bigger) {
            spec_free(spec);
            return -ENOMEM;
        }
        suite->test = bigger;
        suite->room = room;
    }
    suite->test[suite->tests++] = spec;
    return 0;
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end);
}

/* Without the ending. */
static size_t label_len(const char *label)
{
    size_t n = strlen(label);
    if (ends_in(label, ".test.json"))
        return n - 10;
    return ends_in(label, ".toml") || ends_in(label, ".json") ? n - 5 : n;
}

static int load_file(struct loader *l, const char *path, const char *label)
{
    struct why why;
    char *name = strndup(label, label_len(label));
    if (!name)
        return -ENOMEM;
    int err = spec_read_file(path, name, l->wish->config, take, l->suite, &why);
    free(name);
    if (err && err != -ENOMEM)
        wrong(l->suite, why.text);
    return err == -ENOMEM ? err : 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int load_path(struct loader *l, const char *path, const char *label, unsigned depth);

static int load_entry(struct loader *l, const char *folder, const char *label, const char *name,
                      unsigned depth)
{
    char *path = NULL, *inside = NULL;
    struct stat st;
    int err = 0;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return -ENOMEM;
    if (asprintf(&inside, "%s%s%s", label, *label ? "/" : "", name) < 0) {
        free(path);
        return -ENOMEM;
    }
    bool folder_too = !stat(path, &st) && S_ISDIR(st.st_mode);
    if (folder_too || ends_in(name, ".toml") || ends_in(name, ".test.json"))
        err = load_path(l, path, inside, depth + 1);
    free(path);
    free(inside);
    return err;
}

static int load_folder(struct loader *l, const char *path, const char *label, unsigned depth)
{
    struct dirent **entry;
    int n = depth < DEPTH_MAX ? scandir(path, &entry, visible, by_name) : 0, err = 0;
    if (n < 0) {
        struct why why;
        why_fail(&why, -errno, "%s cannot be read: %s", path, strerror(errno));
        wrong(l->suite, why.text);
    }
    for (int i = 0; i < n; i++) {
        if (!err)
            err = load_entry(l, path, label, entry[i]->d_name, depth);
        free(entry[i]);
    }
    if (n >= 0 && depth < DEPTH_MAX)
        free(entry);
    return err;
}

static int load_path(struct loader *l, const char *path, const char *label, unsigned depth)
{
    struct stat st;
    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        return load_folder(l, path, label, depth);
    return load_file(l, path, label);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* A folder alone is not in its tests' names; of several the last part of each path is. */
static int load_named(struct loader *l, const char *path)
{
    struct stat st;
    bool folder = !stat(path, &st) && S_ISDIR(st.st_mode);
    char *clean = strdup(path);
    if (!clean)
        return -ENOMEM;
    for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--)
        clean[n - 1] = 0;
    const char *label = folder && l->wish->paths == 1 ? "" : last_part(clean);
    int err = load_path(l, clean, label, 0);
    free(clean);
    return err;
}

/* ---- which of them ---- */

static bool has_tag(const struct spec *spec, const char *tag)
{
    for (unsigned i = 0; i < spec->tags.count; i++) {
        if (!strcmp(spec->tags.item[i].data, tag))
            return true;
    }
    return false;
}

static bool is_wanted(const struct suite_wish *wish, const struct spec *spec)
{
    for (unsigned i = 0; i < wish->filters; i++) {
        const char *f = wish->filter[i];
        if (!strncmp(f, "tag:", 4) ? has_tag(spec, f + 4) : strstr(spec->name, f) != NULL)
            return true;
    }
    return !wish->filters;
}

static int compare(const void *a, const void *b)
{
    const struct spec *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void check_names(struct suite *suite)
{
    for (unsigned i = 1; i < suite->tests; i++) {
        const struct spec *a = suite->test[i - 1], *b = suite->test[i];
        struct why why;
        if (strcmp(a->name, b->name))
            continue;
        why_fail(&why, -EINVAL, "%s:%d: another test is called \"%s\", too (%s:%d)", b->file,
                 b->line, b->name, a->file, a->line);
        wrong(suite, why.text);
    }
}

static void choose(struct suite *suite, const struct suite_wish *wish)
{
    unsigned kept = 0, wanted = 0;
    for (unsigned i = 0; i < suite->tests; i++) {
        struct spec *spec = suite->test[i];
        bool mine =
            is_wanted(wish, spec) && (!wish->shards || wanted++ % wish->shards == wish->shard - 1);
        if (mine)
            suite->test[kept++] = spec;
        else
            spec_free(spec);
    }
    suite->tests = kept;
}

int suite_load(struct suite *suite, const struct suite_wish *wish)
{
    struct loader l = {.suite = suite, .wish = wish};
    int err = 0;
    for (unsigned i = 0; !err && i < wish->paths; i++)
        err = load_named(&l, wish->path[i]);
    if (suite->tests)
        qsort(suite->test, suite->tests, sizeof(struct spec *), compare);
    check_names(suite);
    choose(suite, wish);
    return err;
}

void suite_free(struct suite *suite)
{
    for (unsigned i = 0; i < suite->tests; i++)
        spec_free(suite->test[i]);
    free(suite->test);
    buffer_free(&suite->errors);
    *suite = (struct suite){0};
}
