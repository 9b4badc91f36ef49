/* SPDX-License-Identifier: MIT */
/*
 * Framing: $body#sum, acknowledgments, escapes. Everything that arrives may be
 * garbage; a packet that is too long or damaged is refused as a whole.
 */
#include "emu/debug/gdb/gdb_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ESCAPE '}'
#define ESCAPE_XOR 0x20

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Leaving. */

static bool append(struct gdb *gdb, const char *bytes, size_t len)
{
    if (gdb->out_len + len > gdb->out_room) {
        size_t room = (gdb->out_len + len) * 2;
        char *bigger = realloc(gdb->out, room);
        if (!bigger)
            return false;
        gdb->out = bigger;
        gdb->out_room = room;
    }
    memcpy(gdb->out + gdb->out_len, bytes, len);
    gdb->out_len += len;
    return true;
}

bool gdb_flush(struct gdb *gdb)
{
    while (gdb->out_sent < gdb->out_len) {
        ssize_t n = send(gdb->fd, gdb->out + gdb->out_sent, gdb->out_len - gdb->out_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        gdb->out_sent += (size_t)n;
    }
    return true;
}

/* What was sent is dropped, but for the last packet. */
static void compact(struct gdb *gdb)
{
    if (gdb->out_sent < gdb->out_len)
        return;
    gdb->out_len = gdb->out_sent = 0;
}

void gdb_send(struct gdb *gdb)
{
    uint8_t sum = 0;
    char tail[4];
    compact(gdb);
    gdb->last_at = gdb->out_len;
    for (uint32_t i = 0; i < gdb->reply.len; i++)
        sum = (uint8_t)(sum + (uint8_t)gdb->reply.text[i]);
    snprintf(tail, sizeof(tail), "#%02x", sum);
    if (!append(gdb, "$", 1) || !append(gdb, gdb->reply.text, gdb->reply.len) ||
        !append(gdb, tail, 3))
        gdb->out_len = gdb->last_at; /* no memory: gdb will ask again */
}

static void acknowledge(struct gdb *gdb, bool good)
{
    if (gdb->out_len > 4 * GDB_PACKET_MAX)
        compact(gdb);
    if (!gdb->no_ack && !append(gdb, good ? "+" : "-", 1))
        return;
}

/* gdb got the last packet damaged: it begins at last_at, and nothing came after it. */
static void send_again(struct gdb *gdb)
{
    if (!gdb->no_ack && gdb->out_sent == gdb->out_len)
        gdb->out_sent = gdb->last_at;
}

void gdb_begin(struct gdb *gdb)
{
    gdb->reply.len = 0;
    gdb->reply.full = false;
}

static void put_bytes(struct gdb *gdb, const char *bytes, size_t len)
{
    struct gdb_reply *r = &gdb->reply;
    if (len > sizeof(r->text) - r->len) {
        r->full = true;
        return;
    }
    memcpy(r->text + r->len, bytes, len);
    r->len += (uint32_t)len;
}

void gdb_put(struct gdb *gdb, const char *text)
{
    put_bytes(gdb, text, strlen(text));
}

void gdb_put_format(struct gdb *gdb, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n > 0)
        put_bytes(gdb, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void gdb_put_hex(struct gdb *gdb, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i++) {
        char two[2] = {digits[from[i] >> 4], digits[from[i] & 15]};
        put_bytes(gdb, two, 2);
    }
}

void gdb_put_binary(struct gdb *gdb, const void *bytes, size_t len)
{
    const char *from = bytes;
    for (size_t i = 0; i < len; i++) {
        bool special = from[i] == '$' || from[i] == '#' || from[i] == ESCAPE || from[i] == '*';
        char two[2] = {ESCAPE, (char)(from[i] ^ ESCAPE_XOR)};
        put_bytes(gdb, special ? two : from + i, special ? 2 : 1);
    }
}

void gdb_put_piece(struct gdb *gdb, const void *bytes, size_t size, uint64_t offset, uint64_t len)
{
    size_t most = GDB_PACKET_MAX / 2 - 1; /* all may need escapes */
    size_t left = offset < size ? size - (size_t)offset : 0;
    size_t n = len < most ? (size_t)len : most;
    bool last = left <= n;
    gdb_put(gdb, last ? "l" : "m");
    gdb_put_binary(gdb, (const char *)bytes + (size - left), last ? left : n);
}

void gdb_put_error(struct gdb *gdb, int err)
{
    gdb_begin(gdb);
    gdb_put_format(gdb, "E%02x", (unsigned)-err & 0xff);
}

/* Arriving. */

static void begin_body(struct gdb *gdb)
{
    gdb->parse = GDB_BODY;
    gdb->in_len = 0;
    gdb->sum = 0;
    gdb->escaped = gdb->too_long = false;
}

static void take_outside(struct gdb *gdb, char c)
{
    if (c == '$')
        begin_body(gdb);
    else if (c == INTERRUPT_BYTE && loop_is_running(gdb->loop))
        loop_interrupt(gdb->loop);
    else if (c == '-')
        send_again(gdb);
}

static void take_body(struct gdb *gdb, char c)
{
    if (c == '$') {
        begin_body(gdb); /* the rest of the last one was lost */
        return;
    }
    if (c == '#') {
        gdb->parse = GDB_SUM_HIGH;
        return;
    }
    gdb->sum = (uint8_t)(gdb->sum + (uint8_t)c);
    if (!gdb->escaped && c == ESCAPE) {
        gdb->escaped = true;
        return;
    }
    if (gdb->in_len == GDB_PACKET_MAX)
        gdb->too_long = true;
    else
        gdb->in[gdb->in_len++] = gdb->escaped ? (char)(c ^ ESCAPE_XOR) : c;
    gdb->escaped = false;
}

static void take_packet(struct gdb *gdb, bool sum_is_good)
{
    bool good = sum_is_good && !gdb->too_long;
    gdb->in[gdb->in_len] = 0;
    acknowledge(gdb, good);
    if (good)
        gdb_handle(gdb);
}

static void take(struct gdb *gdb, char c)
{
    int digit = hex_digit(c);
    switch (gdb->parse) {
    case GDB_OUTSIDE:
        take_outside(gdb, c);
        break;
    case GDB_BODY:
        take_body(gdb, c);
        break;
    case GDB_SUM_HIGH:
        gdb->sum_given = digit < 0 ? 0 : (uint8_t)(digit << 4);
        gdb->parse = digit < 0 ? GDB_OUTSIDE : GDB_SUM_LOW;
        break;
    case GDB_SUM_LOW:
        gdb->parse = GDB_OUTSIDE;
        take_packet(gdb, digit >= 0 && (gdb->no_ack || (gdb->sum_given | digit) == gdb->sum));
        break;
    }
}

void gdb_receive(struct gdb *gdb, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && gdb->fd >= 0; i++)
        take(gdb, bytes[i]);
}

/* Reading a packet's text. */

bool gdb_take_hex(const char **at, uint64_t *out)
{
    unsigned digits = 0;
    uint64_t value = 0;
    for (; hex_digit(**at) >= 0; (*at)++, digits++)
        value = value << 4 | (unsigned)hex_digit(**at);
    *out = value;
    return digits > 0 && digits <= 16;
}

bool gdb_take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

bool gdb_take_bytes(const char **at, void *out, size_t len)
{
    uint8_t *to = out;
    for (size_t i = 0; i < len; i++, *at += 2) {
        int high = hex_digit((*at)[0]), low = high < 0 ? -1 : hex_digit((*at)[1]);
        if (low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool gdb_take_text(const char **at, char *out, size_t room)
{
    size_t len = 0;
    while (len + 1 < room && hex_digit(**at) >= 0) {
        if (!gdb_take_bytes(at, out + len, 1))
            return false;
        len++;
    }
    out[len] = 0;
    return len > 0 && hex_digit(**at) < 0;
}
