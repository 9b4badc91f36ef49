/* SPDX-License-Identifier: MIT */
/* The tree of a file that was read. */
#include "emu/test/toml.h"

#include <stdlib.h>
#include <string.h>

void toml_free(struct toml *value)
{
    if (!value)
        return;
    for (struct toml *at = value->first, *next; at; at = next) {
        next = at->next;
        toml_free(at);
    }
    free(value->key);
    free(value->text);
    free(value);
}

struct toml *toml_get(const struct toml *table, const char *key)
{
    struct toml *at = table->kind == TOML_TABLE ? table->first : NULL;
    while (at && strcmp(at->key, key))
        at = at->next;
    return at;
}

const char *toml_kind_name(enum toml_kind kind)
{
    static const char *const names[] = {"a table",  "an array",   "a string",
                                        "a number", "a fraction", "true or false"};
    return names[kind];
}

static char *copy_text(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy)
        memcpy(copy, text, len + 1);
    return copy;
}

/* The value without its members. */
static struct toml *copy_self(const struct toml *value)
{
    struct toml *copy = malloc(sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *value;
    copy->first = copy->last = copy->next = NULL;
    copy->key = value->key ? strdup(value->key) : NULL;
    copy->text = value->text ? copy_text(value->text, value->len) : NULL;
    if ((value->key && !copy->key) || (value->text && !copy->text)) {
        toml_free(copy);
        return NULL;
    }
    return copy;
}

static bool append(struct toml *in, struct toml *member)
{
    if (!member)
        return false;
    if (in->first)
        in->last->next = member;
    else
        in->first = member;
    in->last = member;
    return true;
}

static struct toml *member_of_both(const struct toml *base, const struct toml *over)
{
    bool tables = over && base->kind == TOML_TABLE && over->kind == TOML_TABLE;
    return over && !tables ? toml_merge(over, NULL, NULL) : toml_merge(base, over, NULL);
}

struct toml *toml_merge(const struct toml *base, const struct toml *over, const char *without)
{
    struct toml *out = copy_self(over ? over : base);
    bool good = out;
    for (const struct toml *at = base->first; good && at; at = at->next) {
        if (!without || !at->key || strcmp(at->key, without))
            good =
                append(out, member_of_both(at, over && at->key ? toml_get(over, at->key) : NULL));
    }
    for (const struct toml *at = over ? over->first : NULL; good && at; at = at->next) {
        if (!toml_get(base, at->key) || (without && !strcmp(at->key, without)))
            good = append(out, toml_merge(at, NULL, NULL));
    }
    if (good)
        return out;
    toml_free(out);
    return NULL;
}
