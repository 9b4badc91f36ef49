/* SPDX-License-Identifier: MIT */
/* Expectations of texts, each with a message that shows what came instead. */
#include "emu/test/match.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define DIFF_LINES 20u
#define QUOTE_MOST 200u

const char *match_find(const char *text, size_t len, const struct spec_bytes *part)
{
    return part->len <= len ? memmem(text, len, part->data, part->len) : NULL;
}

/* A text may hold any byte: where the host's regexec knows no length, up to the first 0. */
bool match_regex_end(const char *expression, const char *text, size_t len, size_t *end)
{
    regex_t regex;
    regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)len};
    if (regcomp(&regex, expression, REG_EXTENDED | REG_NEWLINE))
        return false;
#ifdef REG_STARTEND
    bool found = !regexec(&regex, text, 1, &whole, REG_STARTEND);
#else
    bool found = !regexec(&regex, text, 1, &whole, 0);
#endif
    regfree(&regex);
    *end = found ? (size_t)whole.rm_eo : 0;
    return found;
}

bool match_regex(const char *expression, const char *text, size_t len)
{
    size_t end;
    return match_regex_end(expression, text, len, &end);
}

/* The end of what came: there it mostly went wrong. */
static void add_tail(const char *text, size_t len, struct buffer *out)
{
    size_t from = len > QUOTE_MOST ? len - QUOTE_MOST : 0;
    buffer_text(out, from ? "it ends with " : "it is ");
    match_quote(text + from, len - from, QUOTE_MOST, out);
}

static void fail_part(struct outcome *o, const char *name, const char *what,
                      const struct spec_bytes *part, const char *text, size_t len, bool shows)
{
    struct buffer b = {0};
    buffer_print(&b, "%s %s ", name, what);
    match_quote(part->data, part->len, QUOTE_MOST, &b);
    if (shows) {
        buffer_text(&b, "; ");
        add_tail(text, len, &b);
    }
    outcome_fail(o, "%s", buffer_string(&b));
    buffer_free(&b);
}

static void match_parts(const char *name, const struct spec_text *want, const char *text,
                        size_t len, struct outcome *o)
{
    for (unsigned i = 0; i < want->has.count; i++)
        if (!match_find(text, len, &want->has.item[i]))
            fail_part(o, name, "does not contain", &want->has.item[i], text, len, true);
    for (unsigned i = 0; i < want->has_not.count; i++)
        if (match_find(text, len, &want->has_not.item[i]))
            fail_part(o, name, "contains, and must not,", &want->has_not.item[i], text, len, false);
    for (unsigned i = 0; i < want->like.count; i++)
        if (!match_regex(want->like.item[i].data, text, len))
            fail_part(o, name, "does not match", &want->like.item[i], text, len, true);
    for (unsigned i = 0; i < want->unlike.count; i++)
        if (match_regex(want->unlike.item[i].data, text, len))
            fail_part(o, name, "matches, and must not,", &want->unlike.item[i], text, len, false);
}

static void match_order(const char *name, const struct spec_text *want, const char *text,
                        size_t len, struct outcome *o)
{
    const char *at = text, *end = text + len;
    for (unsigned i = 0; i < want->in_order.count; i++) {
        const struct spec_bytes *part = &want->in_order.item[i];
        const char *found = match_find(at, (size_t)(end - at), part);
        if (!found) {
            fail_part(o, name, i ? "does not go on with" : "does not contain", part, text, len,
                      true);
            return;
        }
        at = found + part->len;
    }
}

static bool fail_exact(const char *name, const char *want, size_t want_len, const char *text,
                       size_t len, const char *than, struct outcome *o)
{
    struct buffer diff = {0};
    if (want_len == len && !(len && memcmp(want, text, len)))
        return false;
    match_diff(want, want_len, text, len, DIFF_LINES, &diff);
    outcome_fail(o, "%s is not %s (- expected, + came):\n%s", name, than, buffer_string(&diff));
    buffer_free(&diff);
    return true;
}

static void match_golden(const char *name, const char *path, const char *text, size_t len,
                         struct outcome *o)
{
    struct buffer want = {0};
    char part[4096];
    size_t n;
    FILE *file = fopen(path, "rbe");
    while (file && (n = fread(part, 1, sizeof(part), file)) > 0)
        buffer_add(&want, part, n);
    if (file)
        fclose(file);
    if (!file) {
        outcome_fail(o, "%s: the golden file %s cannot be read: %s (denali test --bless makes it)",
                     name, path, strerror(errno));
        outcome_add_golden(o, path, text, len, false);
    } else if (fail_exact(name, buffer_string(&want), want.len, text, len, path, o)) {
        outcome_add_golden(o, path, text, len, false);
    }
    buffer_free(&want);
}

static bool is_ignored(const struct spec_list *ignore, const char *line, size_t len)
{
    for (unsigned i = 0; i < ignore->count; i++)
        if (match_regex(ignore->item[i].data, line, len))
            return true;
    return false;
}

/* Without the lines that are to be ignored. */
static void without(const struct spec_list *ignore, const char *text, size_t len,
                    struct buffer *out)
{
    buffer_add(out, "", 0);
    for (const char *at = text, *end = text + len; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = stop ? (size_t)(stop - at) : (size_t)(end - at);
        if (!is_ignored(ignore, at, n))
            buffer_add(out, at, n + (stop != NULL));
        at += n + (stop != NULL);
    }
}

void match_text(const char *name, const struct spec_text *want, const void *actual, size_t len,
                struct outcome *o)
{
    struct buffer rest = {0};
    const char *text = actual ? actual : "";
    if (!want->given)
        return;
    if (want->ignore.count) {
        without(&want->ignore, text, len, &rest);
        text = buffer_string(&rest);
        len = rest.len;
    }
    if (want->is.data)
        fail_exact(name, want->is.data, want->is.len, text, len, "as expected", o);
    match_parts(name, want, text, len, o);
    match_order(name, want, text, len, o);
    if (want->max_bytes && len > want->max_bytes)
        outcome_fail(o, "%s has %zu bytes, and may have %llu", name, len,
                     (unsigned long long)want->max_bytes);
    if (want->golden)
        match_golden(name, want->golden, text, len, o);
    buffer_free(&rest);
}
