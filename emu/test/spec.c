/* SPDX-License-Identifier: MIT */
/* From a file to its tests. */
#include "emu/test/spec_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (8 * MIB)
#define TESTS_MAX 20000u

static int read_file(const char *path, char **text, size_t *len, struct why *why)
{
    FILE *file = fopen(path, "rbe");
    char *data = file ? malloc(FILE_MAX_BYTES + 1) : NULL;
    if (!file)
        return why_fail(why, -errno, "%s cannot be read: %s", path, strerror(errno));
    *len = data ? fread(data, 1, FILE_MAX_BYTES + 1, file) : 0;
    bool bad = ferror(file);
    fclose(file);
    if (!data || bad || *len > FILE_MAX_BYTES) {
        free(data);
        return !data ? why_fail(why, -ENOMEM, "no memory")
               : bad ? why_fail(why, -EIO, "%s cannot be read", path)
                     : why_fail(why, -EFBIG, "%s is larger than 8 MiB", path);
    }
    data[*len] = 0;
    *text = data;
    return 0;
}

static char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_print(arena, "%.*s", slash == path ? 1 : (int)(slash - path), path)
                 : arena_print(arena, ".");
}

/* "LABEL" or "LABEL/NAME"; `number` from 1 in a file of many, else 0. */
static int set_name(struct spec_reader *r, const struct toml *test, unsigned number)
{
    struct spec *spec = r->spec;
    for (const char *at = spec->name; at && *at; at++) {
        if ((uint8_t)*at < ' ' || *at == 127)
            return spec_fail(r, test, "a name has no control characters");
    }
    if (!number)
        spec->name = spec->name ? spec->name : arena_print(&spec->arena, "%s", r->label);
    else if (spec->name)
        spec->name = arena_print(&spec->arena, "%s/%s", r->label, spec->name);
    else
        spec->name = arena_print(&spec->arena, "%s/%u", r->label, number);
    return spec->name ? 0 : spec_no_memory(r);
}

void spec_free(struct spec *spec)
{
    if (!spec)
        return;
    toml_free(spec->tree);
    arena_free(&spec->arena);
    free(spec);
}

static int read_test(struct spec_reader *r, struct toml *tree, unsigned number)
{
    struct spec *spec = r->spec;
    spec->tree = tree;
    spec->line = tree->line;
    spec->file = arena_print(&spec->arena, "%s", r->file);
    spec->folder = folder_of(&spec->arena, r->file);
    if (!spec->file || !spec->folder)
        return spec_no_memory(r);
    int err = spec_read_table(r, tree, &spec_test_keys, spec);
    if (!err)
        err = spec_check_test(r, tree);
    return err ? err : set_name(r, tree, number);
}

/* The tree is taken over. */
static int one_test(struct spec_reader *r, struct toml *tree, unsigned number, spec_take_fn take,
                    void *opaque)
{
    r->spec = tree ? calloc(1, sizeof(*r->spec)) : NULL;
    if (!r->spec) {
        toml_free(tree);
        return spec_no_memory(r);
    }
    int err = read_test(r, tree, number);
    if (!err)
        return take(opaque, r->spec);
    spec_free(r->spec);
    return err;
}

static int many_tests(struct spec_reader *r, const struct toml *root, const struct toml *tests,
                      spec_take_fn take, void *opaque)
{
    unsigned number = 0;
    int err = spec_want(r, tests, TOML_ARRAY);
    for (const struct toml *at = err ? NULL : tests->first; !err && at; at = at->next) {
        err = spec_want(r, at, TOML_TABLE);
        if (!err && ++number > TESTS_MAX)
            err = spec_fail(r, at, "more than %u tests in a file", TESTS_MAX);
        if (!err)
            err = one_test(r, toml_merge(root, at, "test"), number, take, opaque);
    }
    if (!err && !number)
        err = spec_fail(r, tests, "no test in here");
    return err;
}

int spec_read_file(const char *path, const char *label, const struct spec_config *config,
                   spec_take_fn take, void *opaque, struct why *why)
{
    struct spec_reader r = {.file = path, .label = label, .config = config, .why = why};
    struct toml *root = NULL;
    char *text = NULL;
    size_t len = 0;
    int err = read_file(path, &text, &len, why);
    if (!err)
        err = toml_read(path, text, len, &root, why);
    free(text);
    if (err)
        return err;
    const struct toml *tests = root->kind == TOML_TABLE ? toml_get(root, "test") : NULL;
    if (!tests)
        return one_test(&r, root, 0, take, opaque);
    err = many_tests(&r, root, tests, take, opaque);
    toml_free(root);
    return err;
}
