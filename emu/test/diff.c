/* SPDX-License-Identifier: MIT */
/*
 * The difference of two texts by lines. Equal beginnings and ends are cut off first; what remains
 * is compared by the longest common subsequence as long as that is small, else shown as it is.
 */
#include "emu/test/match.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_MAX 1000u /* lines on either side */
#define LINE_MOST 160u

struct line {
    const char *text;
    size_t len; /* with its end */
};

struct lines {
    struct line *line;
    unsigned count;
};

static struct lines split(const char *text, size_t len)
{
    struct lines l = {0};
    unsigned n = 1;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    l.line = calloc(n, sizeof(*l.line));
    for (const char *at = text, *end = text + len; l.line && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t have = stop ? (size_t)(stop - at) + 1 : (size_t)(end - at);
        l.line[l.count++] = (struct line){at, have};
        at += have;
    }
    return l;
}

static bool equal(const struct line *a, const struct line *b)
{
    return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

void match_quote(const char *text, size_t len, size_t most, struct buffer *out)
{
    buffer_text(out, "\"");
    for (size_t i = 0; i < len && i < most; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == '\n' || c == '\t' || c == '\r')
            buffer_print(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (c == '"' || c == '\\')
            buffer_print(out, "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            buffer_print(out, "\\x%02x", c);
        else
            buffer_add(out, &text[i], 1);
    }
    buffer_text(out, len > most ? "\"..." : "\"");
}

struct diff {
    struct buffer *out;
    unsigned left; /* lines that may still be shown */
};

static void show(struct diff *d, char sign, const struct line *line)
{
    size_t len = line->len, shown = len < LINE_MOST ? len : LINE_MOST;
    if (!d->left || !--d->left) {
        if (!d->left)
            buffer_text(d->out, "  ...\n");
        return;
    }
    buffer_print(d->out, "  %c", sign);
    for (size_t i = 0; i < shown && line->text[i] != '\n'; i++) {
        uint8_t c = (uint8_t)line->text[i];
        if (c < ' ' && c != '\t')
            buffer_print(d->out, "\\x%02x", c);
        else
            buffer_add(d->out, &line->text[i], 1);
    }
    buffer_text(d->out, shown < len                   ? "...\n"
                        : line->text[len - 1] != '\n' ? "  (no newline)\n"
                                                      : "\n");
}

/* Longest common subsequences of all ends, by rows of b's. */
static uint16_t *make_table(const struct line *a, unsigned m, const struct line *b, unsigned n)
{
    uint16_t *t = calloc((size_t)(m + 1) * (n + 1), sizeof(*t));
    for (unsigned i = m; t && i--;) {
        for (unsigned j = n; j--;) {
            uint16_t down = t[(i + 1) * (n + 1) + j], right = t[i * (n + 1) + j + 1];
            t[i * (n + 1) + j] = equal(&a[i], &b[j]) ? (uint16_t)(t[(i + 1) * (n + 1) + j + 1] + 1)
                                 : down > right      ? down
                                                     : right;
        }
    }
    return t;
}

static void walk(struct diff *d, const struct line *a, unsigned m, const struct line *b, unsigned n,
                 const uint16_t *t)
{
    unsigned i = 0, j = 0;
    while (i < m || j < n) {
        bool both = t && i < m && j < n;
        if (both && equal(&a[i], &b[j])) {
            show(d, ' ', &a[i]);
            i++, j++;
        } else if (i < m && (!both || t[(i + 1) * (n + 1) + j] >= t[i * (n + 1) + j + 1])) {
            show(d, '-', &a[i++]);
        } else {
            show(d, '+', &b[j++]);
        }
    }
}

void match_diff(const char *want, size_t want_len, const char *actual, size_t len, unsigned most,
                struct buffer *out)
{
    struct lines a = split(want ? want : "", want_len), b = split(actual ? actual : "", len);
    struct diff d = {.out = out, .left = most + 1};
    unsigned head = 0, tail = 0;
    while (head < a.count && head < b.count && equal(&a.line[head], &b.line[head]))
        head++;
    while (tail < a.count - head && tail < b.count - head &&
           equal(&a.line[a.count - 1 - tail], &b.line[b.count - 1 - tail]))
        tail++;
    unsigned m = a.count - head - tail, n = b.count - head - tail;
    buffer_print(out, "  line %u\n", head + 1);
    if (head)
        show(&d, ' ', &a.line[head - 1]);
    uint16_t *t =
        m <= TABLE_MAX && n <= TABLE_MAX ? make_table(a.line + head, m, b.line + head, n) : NULL;
    walk(&d, a.line + head, m, b.line + head, n, t);
    free(t);
    free(a.line);
    free(b.line);
}
