/* SPDX-License-Identifier: MIT */
/* Words, dates and names of HTTP. */
#include "guests/httpd/httpd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void out_format(struct out *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof out->bytes - out->len;
    int n = vsnprintf(out->bytes + out->len, room, format, args);
    va_end(args);
    if (n > 0)
        out->len += (size_t)n < room ? (size_t)n : room - 1;
}

void out_text(struct out *out, const char *text)
{
    size_t n = strlen(text), room = sizeof out->bytes - out->len;
    n = n < room ? n : room;
    memcpy(out->bytes + out->len, text, n);
    out->len += n;
}

bool text_is(struct text text, const char *word)
{
    return text.len == strlen(word) && !strncasecmp(text.at, word, text.len);
}

static struct text trimmed(struct text t)
{
    while (t.len && (*t.at == ' ' || *t.at == '\t'))
        t.at++, t.len--;
    while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
        t.len--;
    return t;
}

bool text_has_token(struct text list, const char *token)
{
    while (list.len) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t n = comma ? (size_t)(comma - list.at) : list.len;
        if (text_is(trimmed((struct text){list.at, n}), token))
            return true;
        list.at += n + !!comma;
        list.len -= n + !!comma;
    }
    return false;
}

/* ---- dates ---- */

/* Of a day counted from 1970-01-01. The year is taken to begin in March, so that the day that only
 * leap years have is its last. */
static void date_of(int64_t day, int *year, int *month, int *mday)
{
    day += 719468; /* from 0000-03-01 */
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    int64_t of_era = day - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153; /* 0: March */
    *mday = (int)(of_year - (153 * m + 2) / 5) + 1;
    *month = (int)(m < 10 ? m + 2 : m - 10); /* 0: January */
    *year = (int)(y + era * 400 + (*month < 2));
}

/* Not gmtime_r, which starts the C library's time zones: memory that each clone of this server
 * would write and keep. */
const char *http_date(time_t when, char buffer[32])
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t day = (int64_t)when / 86400 - (when % 86400 < 0);
    unsigned second = (unsigned)((int64_t)when - day * 86400) % 86400;
    int year, month, mday;
    date_of(day, &year, &month, &mday);
    snprintf(buffer, 32, "%.3s, %02u %.3s %04d %02u:%02u:%02u GMT", days + 3 * ((day % 7 + 7) % 7),
             (unsigned)mday % 32, months + 3 * month, year % 10000, second / 3600, second / 60 % 60,
             second % 60);
    return buffer;
}

/* The three forms of RFC 9110 5.6.7. */
bool http_date_parse(struct text text, time_t *out)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    char copy[64];
    if (!text.len || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(copy, forms[i], &tm);
        if (end && !*end) {
            *out = timegm(&tm);
            return true;
        }
    }
    return false;
}

/* ---- names ---- */

const char *content_type(const char *path)
{
    static const char *const types[][2] = {
        {"html", "text/html; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"c", "text/plain; charset=utf-8"},
        {"h", "text/plain; charset=utf-8"},
        {"csv", "text/csv; charset=utf-8"},
        {"xml", "application/xml"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"ico", "image/vnd.microsoft.icon"},
        {"pdf", "application/pdf"},
        {"wasm", "application/wasm"},
        {"woff", "font/woff"},
        {"woff2", "font/woff2"},
        {"mp3", "audio/mpeg"},
        {"mp4", "video/mp4"},
        {"webm", "video/webm"},
        {"gz", "application/gzip"},
        {"zip", "application/zip"},
        {"tar", "application/x-tar"},
    };
    const char *name = strrchr(path, '/'), *dot = strrchr(name ? name : path, '.');
    if (dot)
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            if (!strcasecmp(dot + 1, types[i][0]))
                return types[i][1];
    return "application/octet-stream";
}

const char *status_text(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 206:
        return "Partial Content";
    case 301:
        return "Moved Permanently";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 416:
        return "Range Not Satisfiable";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

/* ---- paths ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the last segment of out[0..at) off, for ".."; -1: there is none. */
static int segment_drop(const char *out, int at)
{
    if (at <= 1)
        return -1;
    at--; /* the slash at the end */
    while (at && out[at - 1] != '/')
        at--;
    return at;
}

/* A segment begins behind out[start - 1] == '/' and ends at `at`: where the path ends without dots.
 */
static int segment_end(const char *out, int start, int at)
{
    int len = at - start;
    if (len == 1 && out[start] == '.')
        return start;
    if (len == 2 && out[start] == '.' && out[start + 1] == '.')
        return segment_drop(out, start);
    return at;
}

/* One byte of the target: its value, moves *i; -1: no valid escape, or NUL. */
static int target_byte(struct text target, size_t *i)
{
    char c = target.at[(*i)++];
    if (c != '%')
        return c ? (unsigned char)c : -1;
    if (target.len - *i < 2)
        return -1;
    int high = hex(target.at[*i]), low = hex(target.at[*i + 1]);
    *i += 2;
    return high < 0 || low < 0 || !(high | low) ? -1 : high << 4 | low;
}

int path_decode(struct text target, char *out)
{
    int at = 1, start = 1;
    size_t i = 1;
    if (!target.len || *target.at != '/')
        return 400;
    out[0] = '/';
    while (i < target.len && target.at[i] != '?' && target.at[i] != '#') {
        int byte = target_byte(target, &i);
        if (byte < 0)
            return 400;
        if (byte != '/') {
            out[at++] = (char)byte;
            continue;
        }
        at = segment_end(out, start, at);
        if (at < 0)
            return 403;
        if (out[at - 1] != '/')
            out[at++] = '/';
        start = at;
    }
    at = segment_end(out, start, at);
    if (at < 0)
        return 403;
    out[at] = 0;
    return 0;
}
