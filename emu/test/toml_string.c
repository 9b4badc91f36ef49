/* SPDX-License-Identifier: MIT */
/* Strings and keys: "basic" and 'literal' ones, and those of several lines between three quotes. */
#include "emu/test/buffer.h"
#include "emu/test/toml_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int put(struct buffer *b, char c)
{
    buffer_add(b, &c, 1);
    return b->failed ? -ENOMEM : 0;
}

static int put_utf8(struct buffer *b, uint32_t c)
{
    if (c < 0x80)
        return put(b, (char)c);
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    int err = put(b, (char)(lead[more] | (c >> (6 * more))));
    while (!err && more--)
        err = put(b, (char)(0x80 | ((c >> (6 * more)) & 0x3f)));
    return err;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A character by its number. */
static int numbered(struct toml_reader *r, struct buffer *b, unsigned digits)
{
    uint32_t c = 0;
    for (unsigned i = 0; i < digits; i++) {
        int d = hex_digit(toml_peek(r));
        if (d < 0)
            return toml_fail(r, "%u hexadecimal digits belong here", digits);
        c = c << 4 | (uint32_t)d;
        r->at++;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return toml_fail(r, "there is no such character");
    return put_utf8(b, c);
}

/* Behind a backslash. */
static int escape(struct toml_reader *r, struct buffer *b)
{
    static const char from[] = "btnfre\"\\/", to[] = "\b\t\n\f\r\033\"\\/";
    char c = toml_peek(r);
    const char *found = c ? strchr(from, c) : NULL;
    if (c)
        r->at++;
    if (found)
        return put(b, to[found - from]);
    if (c == 'x')
        return numbered(r, b, 2);
    if (c == 'u' || c == 'U')
        return numbered(r, b, c == 'u' ? 4 : 8);
    return toml_fail(r, "a backslash is followed by one of b t n f r e \" \\ x u U; in 'single "
                        "quotes' it means itself");
}

/* A backslash at a line's end: it and all blanks that follow are nothing. */
static bool skip_line_end(struct toml_reader *r)
{
    const char *at = r->at;
    while (at < r->end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    if (at == r->end || *at != '\n')
        return false;
    for (; at < r->end && strchr(" \t\r\n", *at) && *at; at++) {
        r->at = at + 1;
        if (*at == '\n')
            toml_newline(r);
    }
    return true;
}

static int one_char(struct toml_reader *r, struct buffer *b, bool basic, bool lines)
{
    char c = *r->at++;
    if (c == '\\' && basic)
        return lines && skip_line_end(r) ? 0 : escape(r, b);
    if (c == '\r' && toml_peek(r) == '\n')
        return 0;
    if (c == '\n' && !lines) {
        r->at--;
        return toml_fail(r, "the string has no end on this line");
    }
    if (c == '\n')
        toml_newline(r);
    else if ((uint8_t)c < ' ' && c != '\t')
        return toml_fail(r, "a control character in a string: write it as \\u%04x", (uint8_t)c);
    return put(b, c);
}

static int string_body(struct toml_reader *r, struct buffer *b, const char *quotes)
{
    bool lines = quotes[1] != 0;
    int line = r->line, column = (int)(r->at - r->line_start) + 1 - (int)strlen(quotes), err = 0;
    buffer_add(b, "", 0);
    if (lines && toml_peek(r) == '\r')
        r->at++;
    if (lines && toml_peek(r) == '\n')
        r->at++, toml_newline(r);
    while (!err && !toml_begins(r, quotes)) {
        if (r->at == r->end)
            return toml_fail_at(r, line, column, "the string that begins here has no end");
        err = one_char(r, b, *quotes == '"', lines);
    }
    r->at += err ? 0 : strlen(quotes);
    /* Up to two more quotes belong to the text. */
    for (int i = 0; !err && lines && i < 2 && toml_peek(r) == *quotes; i++, r->at++)
        err = put(b, *quotes);
    return err;
}

int toml_string(struct toml_reader *r, char **text, size_t *len)
{
    static const char *const kinds[] = {"\"\"\"", "'''", "\"", "'"};
    struct buffer b = {0};
    unsigned kind = r->json ? 2 : 0;
    while (!toml_begins(r, kinds[kind]))
        kind++;
    r->at += strlen(kinds[kind]);
    int err = string_body(r, &b, kinds[kind]);
    if (err) {
        buffer_free(&b);
        return err == -ENOMEM ? why_fail(r->why, err, "no memory") : err;
    }
    *text = b.data;
    *len = b.len;
    return 0;
}

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

int toml_key(struct toml_reader *r, char **key)
{
    size_t len = 0;
    char c = toml_peek(r);
    if (c == '"' || c == '\'') {
        int err = toml_string(r, key, &len);
        if (!err && strlen(*key) != len) {
            free(*key);
            return toml_fail(r, "a key has no character 0");
        }
        return err;
    }
    while (r->at + len < r->end && is_bare(r->at[len]))
        len++;
    if (!len || r->json)
        return toml_fail(r, "a key belongs here");
    *key = strndup(r->at, len);
    r->at += len;
    return *key ? 0 : why_fail(r->why, -ENOMEM, "no memory");
}
