/* SPDX-License-Identifier: MIT */
/* What a value may be: text, numbers with units, paths, expressions. */
#include "emu/test/spec_private.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int spec_want(struct spec_reader *r, const struct toml *v, enum toml_kind kind)
{
    if (v->kind == kind)
        return 0;
    return spec_fail(r, v, "%s must be %s, not %s", v->key ? v->key : "this", toml_kind_name(kind),
                     toml_kind_name(v->kind));
}

/* ---- text ---- */

static const char *defined(const struct spec_reader *r, const char *name, size_t len)
{
    const struct spec_config *c = r->config;
    for (unsigned i = c->defines; i--;) {
        if (strlen(c->define[i].name) == len && !memcmp(c->define[i].name, name, len))
            return c->define[i].value;
    }
    return NULL;
}

const char *spec_expand(struct spec_reader *r, const struct toml *at, const char *text)
{
    const char *open = strstr(text, "${"), *close = open ? strchr(open, '}') : NULL;
    if (!open)
        return text;
    const char *value = close ? defined(r, open + 2, (size_t)(close - open - 2)) : NULL;
    if (!close) {
        spec_fail(r, at, "${ without a }");
        return NULL;
    }
    if (!value) {
        spec_fail(r, at, "nobody has said what %.*s is; say it: denali test --define %.*s=VALUE",
                  (int)(close + 1 - open), open, (int)(close - open - 2), open + 2);
        return NULL;
    }
    const char *rest = spec_expand(r, at, close + 1);
    const char *whole =
        rest ? arena_print(&r->spec->arena, "%.*s%s%s", (int)(open - text), text, value, rest)
             : NULL;
    if (rest && !whole)
        spec_no_memory(r);
    return whole;
}

int spec_key_text(struct spec_reader *r, const struct toml *v, void *to)
{
    int err = spec_want(r, v, TOML_STRING);
    if (!err && strlen(v->text) != v->len)
        err = spec_fail(r, v, "a character 0 has no place here");
    if (!err)
        *(const char **)to = v->text;
    return err;
}

int spec_key_note(struct spec_reader *r, const struct toml *v, void *to)
{
    (void)to;
    return spec_want(r, v, TOML_STRING);
}

int spec_key_path(struct spec_reader *r, const struct toml *v, void *to)
{
    const char *text = NULL;
    int err = spec_key_text(r, v, &text);
    if (!err && !*text)
        err = spec_fail(r, v, "an empty path");
    if (err)
        return err;
    text = spec_expand(r, v, text);
    if (text && *text != '/' && strcmp(r->spec->folder, "."))
        text = arena_print(&r->spec->arena, "%s/%s", r->spec->folder, text);
    *(const char **)to = text;
    return text ? 0 : -EINVAL;
}

int spec_key_bytes(struct spec_reader *r, const struct toml *v, void *to)
{
    int err = spec_want(r, v, TOML_STRING);
    if (!err)
        *(struct spec_bytes *)to = (struct spec_bytes){v->text, v->len};
    return err;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int spec_key_hex(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_bytes *out = to;
    int err = spec_want(r, v, TOML_STRING);
    char *data = err ? NULL : arena_alloc(&r->spec->arena, v->len / 2 + 1);
    if (err || !data)
        return err ? err : spec_no_memory(r);
    size_t digits = 0;
    for (size_t i = 0; i < v->len; i++) {
        int d = hex_digit(v->text[i]);
        if (d < 0 && strchr(" :\n\t", v->text[i]))
            continue;
        if (d < 0)
            return spec_fail(r, v, "\"%c\" is no hexadecimal digit", v->text[i]);
        data[digits / 2] = (char)(data[digits / 2] << 4 | d);
        digits++;
    }
    *out = (struct spec_bytes){data, digits / 2};
    return digits % 2 ? spec_fail(r, v, "an odd number of hexadecimal digits") : 0;
}

int spec_key_list(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_list *list = to;
    unsigned n = 0;
    if (v->kind != TOML_ARRAY && v->kind != TOML_STRING)
        return spec_fail(r, v, "a string, or an array of strings, must be here, not %s",
                         toml_kind_name(v->kind));
    const struct toml *first = v->kind == TOML_ARRAY ? v->first : v;
    for (const struct toml *at = first; at; at = v->kind == TOML_ARRAY ? at->next : NULL)
        n++;
    list->item = arena_alloc(&r->spec->arena, (n + 1) * sizeof(*list->item));
    if (!list->item)
        return spec_no_memory(r);
    int err = 0;
    const struct toml *at = first;
    for (list->count = 0; !err && list->count < n; list->count++, at = at->next)
        err = spec_key_bytes(r, at, &list->item[list->count]);
    return err;
}

int spec_key_regex(struct spec_reader *r, const struct toml *v, void *to)
{
    struct spec_list *list = to;
    regex_t regex;
    char text[160];
    int err = spec_key_list(r, v, to);
    for (unsigned i = 0; !err && i < list->count; i++) {
        int bad = regcomp(&regex, list->item[i].data, REG_EXTENDED | REG_NEWLINE);
        if (bad) {
            regerror(bad, &regex, text, sizeof(text));
            err = spec_fail(r, v, "the expression \"%s\" cannot be used: %s", list->item[i].data,
                            text);
        } else {
            regfree(&regex);
        }
    }
    return err;
}

/* ---- numbers ---- */

int spec_key_yes(struct spec_reader *r, const struct toml *v, void *to)
{
    int err = spec_want(r, v, TOML_BOOL);
    if (!err)
        *(bool *)to = v->yes;
    return err;
}

int spec_key_count(struct spec_reader *r, const struct toml *v, void *to)
{
    bool whole = v->kind == TOML_FLOAT && v->number >= 0 && v->number < 1e18 &&
                 v->number == (double)(uint64_t)v->number;
    if (v->kind != TOML_INTEGER && !whole)
        return spec_fail(r, v, "a number must be here, not %s", toml_kind_name(v->kind));
    if (!whole && v->integer < 0)
        return spec_fail(r, v, "a negative number has no meaning here");
    *(uint64_t *)to = whole ? (uint64_t)v->number : (uint64_t)v->integer;
    return 0;
}

struct unit {
    const char *name;
    double factor;
};

/* A number with a unit in a string. */
static int with_unit(struct spec_reader *r, const struct toml *v, const struct unit *unit,
                     const char *known, double *out)
{
    char *end;
    double n = strtod(v->text, &end);
    while (*end == ' ')
        end++;
    while (unit->name && strcmp(unit->name, end))
        unit++;
    if (end == v->text || !unit->name || n < 0 || n > 1e15)
        return spec_fail(r, v, "\"%s\" is not understood: a number and one of %s", v->text, known);
    *out = n * unit->factor;
    return *out < 9e18 ? 0 : spec_fail(r, v, "\"%s\" is too much", v->text);
}

int spec_key_size(struct spec_reader *r, const struct toml *v, void *to)
{
    static const struct unit units[] = {
        {"", 1},       {"K", 1024},      {"M", 1048576},      {"G", 1073741824},
        {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};
    double n;
    if (v->kind != TOML_STRING)
        return spec_key_count(r, v, to);
    int err = with_unit(r, v, units, "K, M, G", &n);
    if (!err)
        *(uint64_t *)to = (uint64_t)n;
    return err;
}

int spec_key_time(struct spec_reader *r, const struct toml *v, void *to)
{
    static const struct unit units[] = {{"ns", 1},  {"us", 1e3},   {"ms", 1e6},
                                        {"s", 1e9}, {"min", 6e10}, {NULL, 0}};
    double ns = v->number * 1e9;
    int err = 0;
    if (v->kind == TOML_STRING)
        err = with_unit(r, v, units, "ns, us, ms, s, min", &ns);
    else if (v->kind != TOML_INTEGER && v->kind != TOML_FLOAT)
        err = spec_fail(r, v, "a time must be here: seconds, or \"10ms\"");
    else if (ns < 0 || ns > 9e18)
        err = spec_fail(r, v, "no such time");
    if (!err)
        *(uint64_t *)to = (uint64_t)ns;
    return err;
}

int spec_key_ipv4(struct spec_reader *r, const struct toml *v, void *to)
{
    unsigned a, b, c, d;
    char rest;
    int err = spec_want(r, v, TOML_STRING);
    if (!err && (sscanf(v->text, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) != 4 || a > 255 ||
                 b > 255 || c > 255 || d > 255))
        err = spec_fail(r, v, "\"%s\" is no address like 10.0.2.2", v->text);
    if (!err)
        *(uint32_t *)to = a << 24 | b << 16 | c << 8 | d;
    return err;
}
