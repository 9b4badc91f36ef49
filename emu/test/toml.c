/* SPDX-License-Identifier: MIT */
/*
 * The structure of a file: lines "key = value" and headers. What a table was made by decides what
 * may be added to it: a [header] once, an inline table never.
 */
#include "emu/test/toml_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int toml_fail_at(struct toml_reader *r, int line, int column, const char *fmt, ...)
{
    char text[240];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return why_fail(r->why, -EINVAL, "%s:%d:%d: %s", r->name, line, column, text);
}

int toml_fail(struct toml_reader *r, const char *fmt, ...)
{
    char text[240];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return toml_fail_at(r, r->line, (int)(r->at - r->line_start) + 1, "%s", text);
}

char toml_peek(const struct toml_reader *r)
{
    return r->at < r->end ? *r->at : 0;
}

bool toml_begins(const struct toml_reader *r, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(r->end - r->at) >= n && !memcmp(r->at, word, n);
}

void toml_newline(struct toml_reader *r)
{
    r->line++;
    r->line_start = r->at;
}

void toml_blanks(struct toml_reader *r)
{
    while (toml_peek(r) == ' ' || toml_peek(r) == '\t')
        r->at++;
}

static void skip_comment(struct toml_reader *r)
{
    while (r->at < r->end && *r->at != '\n')
        r->at++;
}

int toml_spaces(struct toml_reader *r)
{
    for (;;) {
        char c = toml_peek(r);
        if (c == '#' && !r->json)
            skip_comment(r);
        else if (c == '\n')
            r->at++, toml_newline(r);
        else if (c == ' ' || c == '\t' || c == '\r')
            r->at++;
        else
            return 0;
    }
}

int toml_line_end(struct toml_reader *r)
{
    toml_blanks(r);
    if (toml_peek(r) == '#')
        skip_comment(r);
    if (toml_peek(r) == '\r')
        r->at++;
    return r->at == r->end || *r->at == '\n' ? 0 : toml_fail(r, "the line should end here");
}

struct toml *toml_new(const struct toml_reader *r, enum toml_kind kind)
{
    struct toml *v = calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    v->kind = kind;
    v->line = r->line;
    v->column = (int)(r->at - r->line_start) + 1;
    return v;
}

void toml_append(struct toml *in, struct toml *value)
{
    if (in->first)
        in->last->next = value;
    else
        in->first = value;
    in->last = value;
}

/* A new member of a table; the key is taken over. NULL: no memory. */
static struct toml *add(struct toml_reader *r, struct toml *table, char *key, enum toml_kind kind)
{
    struct toml *v = toml_new(r, kind);
    if (!v) {
        free(key);
        return NULL;
    }
    v->key = key;
    toml_append(table, v);
    return v;
}

/* Into the table `key` of *table, which is made if there is none; the key is taken over. */
static int step_into(struct toml_reader *r, struct toml **table, char *key, int column)
{
    struct toml *found = toml_get(*table, key);
    if (found && found->kind == TOML_ARRAY && !found->sealed) {
        found = found->last;
    } else if (found && (found->kind != TOML_TABLE || found->sealed)) {
        int err =
            toml_fail(r, "%s is said already (line %d) and cannot be added to", key, found->line);
        free(key);
        return err;
    }
    if (found)
        free(key);
    else if ((found = add(r, *table, key, TOML_TABLE)) != NULL)
        found->column = column;
    *table = found;
    return found ? 0 : why_fail(r->why, -ENOMEM, "no memory");
}

/* A dotted key: enters all but its last part, which is returned. */
static int dotted(struct toml_reader *r, struct toml **table, char **last)
{
    for (unsigned depth = 0;; depth++) {
        char *key;
        toml_blanks(r);
        int column = (int)(r->at - r->line_start) + 1, err = toml_key(r, &key);
        if (err)
            return err;
        toml_blanks(r);
        if (toml_peek(r) != '.') {
            *last = key;
            return 0;
        }
        r->at++;
        if (depth >= TOML_DEPTH) {
            free(key);
            return toml_fail(r, "deeper than %u", TOML_DEPTH);
        }
        if ((err = step_into(r, table, key, column)))
            return err;
    }
}

static int assignment(struct toml_reader *r, struct toml *table)
{
    char *key;
    struct toml *value = NULL;
    int line = r->line, column = (int)(r->at - r->line_start) + 1;
    int err = dotted(r, &table, &key);
    if (err)
        return err;
    struct toml *older = toml_get(table, key);
    if (older)
        err =
            toml_fail_at(r, line, column, "%s is said twice (before in line %d)", key, older->line);
    else if (toml_peek(r) != '=')
        err = toml_fail(r, "= belongs behind the key %s", key);
    if (!err) {
        r->at++;
        toml_blanks(r);
        err = toml_value(r, &value);
    }
    if (err) {
        free(key);
        return err;
    }
    value->key = key;
    value->line = line;
    value->column = column;
    toml_append(table, value);
    return toml_line_end(r);
}

/* [[name]]: one more table of an array. The key is taken over. */
static int begin_item(struct toml_reader *r, struct toml **table, char *key)
{
    struct toml *array = toml_get(*table, key);
    if (array && (array->kind != TOML_ARRAY || array->sealed)) {
        free(key);
        return toml_fail(r, "said already, otherwise, in line %d", array->line);
    }
    if (!array)
        array = add(r, *table, key, TOML_ARRAY);
    else
        free(key);
    struct toml *item = array ? toml_new(r, TOML_TABLE) : NULL;
    if (!item)
        return why_fail(r->why, -ENOMEM, "no memory");
    toml_append(array, item);
    *table = item;
    return 0;
}

static int begin_table(struct toml_reader *r, struct toml **table, char *key)
{
    struct toml *older = toml_get(*table, key);
    if (older && (older->header || older->kind != TOML_TABLE)) {
        int err = toml_fail(r, "[%s] is there already, in line %d", key, older->line);
        free(key);
        return err;
    }
    int err = step_into(r, table, key, 1);
    if (!err) {
        (*table)->header = true;
        (*table)->line = r->line;
    }
    return err;
}

static int header(struct toml_reader *r, struct toml *root, struct toml **table)
{
    const char *close = toml_begins(r, "[[") ? "]]" : "]";
    char *key;
    r->at += strlen(close);
    *table = root;
    int err = dotted(r, table, &key);
    if (err)
        return err;
    if (!toml_begins(r, close)) {
        free(key);
        return toml_fail(r, "%s belongs here", close);
    }
    err = close[1] ? begin_item(r, table, key) : begin_table(r, table, key);
    r->at += strlen(close);
    return err ? err : toml_line_end(r);
}

static int read_lines(struct toml_reader *r, struct toml *root)
{
    struct toml *table = root;
    int err = toml_spaces(r);
    while (!err && r->at < r->end) {
        err = *r->at == '[' ? header(r, root, &table) : assignment(r, table);
        if (!err)
            err = toml_spaces(r);
    }
    return err;
}

static int read_json(struct toml_reader *r, struct toml **root)
{
    toml_free(*root);
    *root = NULL;
    r->json = true;
    int err = toml_value(r, root);
    if (!err)
        err = toml_spaces(r);
    return err || r->at == r->end ? err : toml_fail(r, "the file should end here");
}

int toml_read(const char *name, const char *text, size_t len, struct toml **out, struct why *why)
{
    struct toml_reader r = {
        .name = name, .at = text, .end = text + len, .line_start = text, .line = 1, .why = why};
    struct toml *root = toml_new(&r, TOML_TABLE);
    int err = root ? toml_spaces(&r) : why_fail(why, -ENOMEM, "no memory");
    if (!err)
        err = toml_peek(&r) == '{' ? read_json(&r, &root) : read_lines(&r, root);
    if (err) {
        toml_free(root);
        return err;
    }
    *out = root;
    return 0;
}
