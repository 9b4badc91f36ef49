/* SPDX-License-Identifier: MIT */
/*
 * Requests (RFC 9112). What is ambiguous is refused, so that no proxy before us can
 * be made to see another request than we do: space before a colon, folded lines,
 * control characters, two lengths, a length beside a transfer coding.
 */
#include "guests/httpd/httpd.h"

#include <string.h>

static bool is_token(struct text t)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.at[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z', digit = c >= '0' && c <= '9';
        if (!letter && !digit && (!c || !strchr(marks, c)))
            return false;
    }
    return t.len > 0;
}

static enum method method_of(struct text t)
{
    static const char *const known[] = {"POST",  "PUT",   "DELETE", "OPTIONS",
                                        "PATCH", "TRACE", "CONNECT"};
    if (t.len == 3 && !memcmp(t.at, "GET", 3))
        return METHOD_GET;
    if (t.len == 4 && !memcmp(t.at, "HEAD", 4))
        return METHOD_HEAD;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (t.len == strlen(known[i]) && !memcmp(t.at, known[i], t.len))
            return METHOD_KNOWN;
    return METHOD_UNKNOWN;
}

/* Cuts the text before `mark` off *rest; false: there is no mark. */
static bool cut(struct text *rest, char mark, struct text *out)
{
    const char *end = memchr(rest->at, mark, rest->len);
    if (!end)
        return false;
    out->at = rest->at;
    out->len = (size_t)(end - rest->at);
    rest->len -= out->len + 1;
    rest->at = end + 1;
    return true;
}

static int version_read(struct request *r, struct text t)
{
    if (t.len != 8 || memcmp(t.at, "HTTP/", 5) || t.at[6] != '.' || t.at[5] < '0' ||
        t.at[5] > '9' || t.at[7] < '0' || t.at[7] > '9')
        return 400;
    if (t.at[5] != '1')
        return 505;
    r->minor = t.at[7] > '0';
    r->keep_alive = r->minor;
    return 0;
}

/* "http://host/path" asks for "/path" (RFC 9112 3.2.2). */
static void target_shorten(struct text *t)
{
    if (t->len < 7 || memcmp(t->at, "http://", 7))
        return;
    const char *slash = memchr(t->at + 7, '/', t->len - 7);
    if (!slash)
        return;
    t->len -= (size_t)(slash - t->at);
    t->at = slash;
}

static int start_line(struct request *r, struct text line)
{
    struct text method;
    if (!cut(&line, ' ', &method) || !is_token(method) || !cut(&line, ' ', &r->target))
        return 400;
    for (size_t i = 0; i < r->target.len; i++)
        if ((unsigned char)r->target.at[i] <= ' ' || r->target.at[i] == 127)
            return 400;
    if (!r->target.len)
        return 400;
    r->method = method_of(method);
    target_shorten(&r->target);
    int status = version_read(r, line);
    return !status && r->target.len > TARGET_MAX ? 414 : status;
}

static int length_read(struct request *r, struct text value)
{
    uint64_t n = 0;
    if (!value.len || value.len > 18)
        return 400;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return 400;
        n = n * 10 + (uint64_t)(value.at[i] - '0');
    }
    if (r->has_body && r->body != n)
        return 400;
    r->has_body = true;
    r->body = n;
    return n > BODY_MAX ? 413 : 0;
}

static int header_take(struct request *r, struct text name, struct text value)
{
    if (text_is(name, "host")) {
        if (r->has_host)
            return 400;
        r->has_host = true;
    } else if (text_is(name, "connection")) {
        if (text_has_token(value, "close"))
            r->keep_alive = false;
        else if (text_has_token(value, "keep-alive"))
            r->keep_alive = true;
    } else if (text_is(name, "content-length")) {
        return length_read(r, value);
    } else if (text_is(name, "transfer-encoding")) {
        r->chunked = true;
    } else if (text_is(name, "range")) {
        r->range = value;
    } else if (text_is(name, "if-range")) {
        r->if_range = value;
    } else if (text_is(name, "if-modified-since")) {
        r->if_modified_since = value;
    } else if (text_is(name, "if-none-match")) {
        r->if_none_match = value;
    }
    return 0;
}

static int header_line(struct request *r, struct text line)
{
    struct text name;
    if (!cut(&line, ':', &name) || !is_token(name))
        return 400;
    for (size_t i = 0; i < line.len; i++)
        if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 127)
            return 400;
    while (line.len && (*line.at == ' ' || *line.at == '\t'))
        line.at++, line.len--;
    while (line.len && (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
        line.len--;
    return header_take(r, name, line);
}

/* One line off *rest, without its end. */
static bool line_cut(struct text *rest, struct text *line)
{
    if (!cut(rest, '\n', line))
        return false;
    if (line->len && line->at[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* The head is not whole: wait, unless it is too long already. */
static int unfinished(const char *in, size_t len)
{
    if (len < HEAD_MAX)
        return 0;
    return memchr(in, '\n', len) ? -431 : -414;
}

static int consistent(const struct request *r)
{
    if (r->minor && !r->has_host)
        return 400;
    if (r->chunked)
        return r->has_body ? 400 : 501;
    return 0;
}

int request_parse(struct request *r, const char *in, size_t len)
{
    struct text rest = {in, len < HEAD_MAX ? len : HEAD_MAX}, line;
    int headers = 0;
    *r = (struct request){0};
    do { /* empty lines before a request are skipped (RFC 9112 2.2) */
        if (!line_cut(&rest, &line))
            return unfinished(in, len);
    } while (!line.len);
    int status = start_line(r, line);
    while (!status) {
        if (!line_cut(&rest, &line))
            return unfinished(in, len);
        if (!line.len)
            break;
        status = ++headers > HEADERS_MAX ? 431 : header_line(r, line);
    }
    if (!status)
        status = consistent(r);
    return status ? -status : (int)(rest.at - in);
}
