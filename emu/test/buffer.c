/* SPDX-License-Identifier: MIT */
/* Doubling room; a buffer that failed stays as it was. */
#include "emu/test/buffer.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct buffer *b, size_t more)
{
    size_t room = b->room ? b->room : 64;
    while (room - b->len <= more)
        room *= 2;
    if (room == b->room)
        return true;
    char *bigger = realloc(b->data, room);
    b->failed = b->failed || !bigger;
    if (!bigger)
        return false;
    b->data = bigger;
    b->room = room;
    return true;
}

void buffer_add(struct buffer *b, const void *data, size_t len)
{
    if (b->failed || !make_room(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = 0;
}

void buffer_text(struct buffer *b, const char *text)
{
    buffer_add(b, text, strlen(text));
}

void buffer_print(struct buffer *b, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    b->failed = b->failed || len < 0;
    if (len >= 0) {
        buffer_add(b, text, (size_t)len);
        free(text);
    }
}

FILE *buffer_open(struct buffer *b)
{
    FILE *file = tmpfile();
    b->failed = b->failed || !file;
    return file;
}

void buffer_close(struct buffer *b, FILE *file)
{
    char part[4096];
    size_t n;
    if (!file)
        return;
    rewind(file);
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        buffer_add(b, part, n);
    fclose(file);
}

const char *buffer_string(const struct buffer *b)
{
    return b->data ? b->data : "";
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = 0;
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

void buffer_put_number(struct buffer *b, uint64_t n)
{
    buffer_add(b, &n, sizeof(n));
}

void buffer_put_bytes(struct buffer *b, const void *data, size_t len)
{
    buffer_put_number(b, len);
    buffer_add(b, data, len);
}

uint64_t buffer_get_number(struct buffer_reader *r)
{
    uint64_t n = 0;
    r->bad = r->bad || (size_t)(r->end - r->at) < sizeof(n);
    if (r->bad)
        return 0;
    memcpy(&n, r->at, sizeof(n));
    r->at += sizeof(n);
    return n;
}

void buffer_get_bytes(struct buffer_reader *r, struct buffer *out)
{
    uint64_t len = buffer_get_number(r);
    r->bad = r->bad || (uint64_t)(r->end - r->at) < len;
    if (r->bad)
        return;
    buffer_add(out, r->at, len);
    r->at += len;
}
