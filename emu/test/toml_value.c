/* SPDX-License-Identifier: MIT */
/* Values: numbers, arrays, tables between braces. */
#include "emu/test/toml_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '+' || c == '-' || c == '.' || c == ':';
}

/* The word without its underscores; its length. 0: too long. */
static size_t clean(const char *from, size_t len, char *to, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (n + 1 >= room)
            return 0;
        if (from[i] != '_')
            to[n++] = from[i];
    }
    to[n] = 0;
    return n;
}

static bool read_integer(const char *word, int64_t *out)
{
    const char *digits = word + (*word == '-' || *word == '+');
    int base = 10;
    if (digits[0] == '0' && digits[1]) {
        base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : digits[1] == 'b' ? 2 : 0;
        if (!base || digits != word)
            return false;
        word = digits + 2;
    }
    char *end;
    errno = 0;
    long long n = base == 10 ? strtoll(word, &end, 10) : (long long)strtoull(word, &end, base);
    *out = n;
    return *word && !*end && !errno && (base == 10 || n >= 0) &&
           strchr("+-0123456789abcdefABCDEF", *word) != NULL;
}

static bool read_float(const char *word, double *out)
{
    char *end;
    const char *digits = word + (*word == '-' || *word == '+');
    if (*digits < '0' || *digits > '9' || strpbrk(word, "xX") || !strpbrk(word, ".eE"))
        return false;
    *out = strtod(word, &end);
    return !*end && isfinite(*out);
}

static int number(struct toml_reader *r, struct toml *v, size_t len)
{
    char word[64];
    if (!clean(r->at, len, word, sizeof(word)))
        return toml_fail(r,
                         "a value belongs here: \"text\", a number, true, false, [...] or {...}");
    if (read_integer(word, &v->integer)) {
        v->kind = TOML_INTEGER;
        v->number = (double)v->integer;
    } else if (read_float(word, &v->number)) {
        v->kind = TOML_FLOAT;
    } else {
        return toml_fail(r, "%s is no value; text stands in quotes: \"%s\"", word, word);
    }
    return 0;
}

static int scalar(struct toml_reader *r, struct toml *v)
{
    size_t len = 0;
    while (r->at + len < r->end && is_word(r->at[len]))
        len++;
    int err = 0;
    v->kind = TOML_BOOL;
    if (len == 4 && !memcmp(r->at, "true", 4))
        v->yes = true;
    else if (len != 5 || memcmp(r->at, "false", 5))
        err = number(r, v, len);
    r->at += err ? 0 : len;
    return err;
}

static int array(struct toml_reader *r, struct toml *v)
{
    v->kind = TOML_ARRAY;
    v->sealed = true;
    r->at++;
    int err = toml_spaces(r);
    while (!err && toml_peek(r) != ']') {
        struct toml *item;
        if ((err = toml_value(r, &item)))
            return err;
        toml_append(v, item);
        err = toml_spaces(r);
        if (!err && toml_peek(r) != ',' && toml_peek(r) != ']')
            return toml_fail(r, "a comma or ] belongs here");
        if (!err && toml_peek(r) == ',') {
            r->at++;
            err = toml_spaces(r);
        }
    }
    r->at += err ? 0 : 1;
    return err;
}

/* The table that a dotted key of an inline table leads to. */
static int inline_step(struct toml_reader *r, struct toml **table, char *key)
{
    struct toml *found = toml_get(*table, key);
    if (found) {
        free(key);
        if (found->kind != TOML_TABLE)
            return toml_fail(r, "this is no table");
    } else {
        found = toml_new(r, TOML_TABLE);
        if (!found) {
            free(key);
            return why_fail(r->why, -ENOMEM, "no memory");
        }
        found->key = key;
        toml_append(*table, found);
    }
    *table = found;
    return 0;
}

static int inline_member(struct toml_reader *r, struct toml *table)
{
    char *key;
    int err = toml_key(r, &key);
    for (; !err; err = toml_key(r, &key)) {
        toml_blanks(r);
        if (toml_peek(r) != '.' || r->json)
            break;
        r->at++;
        toml_blanks(r);
        if ((err = inline_step(r, &table, key)))
            return err;
    }
    if (err)
        return err;
    struct toml *value = NULL;
    if (toml_get(table, key))
        err = toml_fail(r, "%s is said twice", key);
    else if (toml_peek(r) != (r->json ? ':' : '='))
        err = toml_fail(r, "%c belongs here", r->json ? ':' : '=');
    else
        r->at++, err = toml_spaces(r);
    if (!err)
        err = toml_value(r, &value);
    if (err) {
        free(key);
        return err;
    }
    value->key = key;
    toml_append(table, value);
    return 0;
}

static int inline_table(struct toml_reader *r, struct toml *v)
{
    v->kind = TOML_TABLE;
    v->sealed = true;
    r->at++;
    int err = toml_spaces(r);
    while (!err && toml_peek(r) != '}') {
        err = inline_member(r, v);
        if (!err)
            err = toml_spaces(r);
        if (!err && toml_peek(r) != ',' && toml_peek(r) != '}')
            return toml_fail(r, "a comma or } belongs here");
        if (!err && toml_peek(r) == ',') {
            r->at++;
            err = toml_spaces(r);
        }
    }
    r->at += err ? 0 : 1;
    return err;
}

static int any(struct toml_reader *r, struct toml *v)
{
    char c = toml_peek(r);
    if (c == '"' || (c == '\'' && !r->json)) {
        v->kind = TOML_STRING;
        return toml_string(r, &v->text, &v->len);
    }
    if (c != '[' && c != '{')
        return scalar(r, v);
    if (r->depth >= TOML_DEPTH)
        return toml_fail(r, "deeper than %u", TOML_DEPTH);
    r->depth++;
    int err = c == '[' ? array(r, v) : inline_table(r, v);
    r->depth--;
    return err;
}

int toml_value(struct toml_reader *r, struct toml **out)
{
    struct toml *v = toml_new(r, TOML_BOOL);
    int err = v ? any(r, v) : why_fail(r->why, -ENOMEM, "no memory");
    if (err)
        toml_free(v);
    else
        *out = v;
    return err;
}
