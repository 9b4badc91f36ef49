/* SPDX-License-Identifier: MIT */
/* Tables of a specification by their rows of keys; what was probably meant. */
#include "emu/test/spec_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 40u

int spec_fail(struct spec_reader *r, const struct toml *at, const char *fmt, ...)
{
    char text[260];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return why_fail(r->why, -EINVAL, "%s:%d:%d: %s", r->file, at->line, at->column, text);
}

int spec_no_memory(struct spec_reader *r)
{
    return why_fail(r->why, -ENOMEM, "no memory");
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters have to be changed, put in or taken out. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NAME_MAX_LEN + 1];
    size_t m = strlen(a), n = strlen(b);
    if (m > NAME_MAX_LEN || n > NAME_MAX_LEN)
        return UINT32_MAX;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; i <= m; i++) {
        unsigned before = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned changed = before + (a[i - 1] != b[j - 1]);
            before = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

static const char *nearest(const struct spec_keys *keys, const char *name)
{
    unsigned best = (unsigned)strlen(name) / 2 + 1;
    const char *found = NULL;
    for (unsigned i = 0; i < keys->count; i++) {
        unsigned d = distance(name, keys->key[i].name);
        if (d < best) {
            best = d;
            found = keys->key[i].name;
        }
    }
    return found;
}

/* All that there are, as far as they fit. */
static void list_keys(const struct spec_keys *keys, char *out, size_t room)
{
    size_t len = 0;
    for (unsigned i = 0; i < keys->count && len + NAME_MAX_LEN < room; i++)
        len += (size_t)snprintf(out + len, room - len, "%s%s", i ? ", " : "", keys->key[i].name);
}

static int unknown(struct spec_reader *r, const struct toml *at, const struct spec_keys *keys)
{
    char all[200] = "";
    const char *meant = nearest(keys, at->key);
    if (meant)
        return spec_fail(r, at, "%s has no key \"%s\"; is \"%s\" meant?", keys->what, at->key,
                         meant);
    list_keys(keys, all, sizeof(all));
    return spec_fail(r, at, "%s has no key \"%s\", but: %s", keys->what, at->key, all);
}

static int read_member(struct spec_reader *r, const struct toml *at, const struct spec_keys *keys,
                       void *object)
{
    for (unsigned i = 0; i < keys->count; i++) {
        const struct spec_key *key = &keys->key[i];
        if (!strcmp(key->name, at->key))
            return key->read(r, at, (char *)object + key->offset);
    }
    return unknown(r, at, keys);
}

int spec_read_table(struct spec_reader *r, const struct toml *table, const struct spec_keys *keys,
                    void *object)
{
    int err = spec_want(r, table, TOML_TABLE);
    for (const struct toml *at = table->first; !err && at; at = at->next)
        err = read_member(r, at, keys, object);
    return err;
}

int spec_read_tables(struct spec_reader *r, const struct toml *v, const struct spec_keys *keys,
                     size_t size, void **out, unsigned *count)
{
    if (v->kind != TOML_ARRAY && v->kind != TOML_TABLE)
        return spec_fail(r, v, "an array of tables must be here, not %s", toml_kind_name(v->kind));
    bool many = v->kind == TOML_ARRAY;
    const struct toml *first = many ? v->first : v;
    unsigned n = 0;
    for (const struct toml *at = first; at; at = many ? at->next : NULL)
        n++;
    char *objects = arena_alloc(&r->spec->arena, (n + 1) * size);
    if (!objects)
        return spec_no_memory(r);
    int err = 0;
    *count = 0;
    *out = objects;
    for (const struct toml *at = first; !err && at; at = many ? at->next : NULL)
        err = spec_read_table(r, at, keys, objects + size * (*count)++);
    return err;
}
