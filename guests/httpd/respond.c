/* SPDX-License-Identifier: MIT */
/* What a request is answered with. */
#include "guests/httpd/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- heads ---- */

static const char *date_now(struct out *out)
{
    time_t now = time(NULL);
    if (now != out->dated || !*out->date)
        http_date(out->dated = now, out->date);
    return out->date;
}

static bool names_host;

void head_names_host(bool on)
{
    names_host = on;
}

/* The host's name is asked for anew: a machine that was cloned has another one. */
static void head_begin(struct out *out, int status)
{
    char name[65] = "";
    out_format(out, "HTTP/1.1 %d %s\r\nServer: httpd\r\nDate: %s\r\n", status, status_text(status),
               date_now(out));
    if (names_host && !gethostname(name, sizeof name - 1))
        out_format(out, "X-Served-By: %s\r\n", name);
}

static void head_end(struct out *out, const struct request *request, bool close)
{
    if (close)
        out_text(out, "Connection: close\r\n");
    else if (request && !request->minor)
        out_text(out, "Connection: keep-alive\r\n");
    out_text(out, "\r\n");
}

/* A short page that says what the status means; `extra`: header lines. */
static void short_page(int status, const struct request *request, const char *extra,
                       struct out *out, bool close)
{
    char page[256];
    int n = snprintf(page, sizeof page,
                     "<!DOCTYPE html>\n<html><head><title>%d %s</title></head>"
                     "<body><h1>%d %s</h1></body></html>\n",
                     status, status_text(status), status, status_text(status));
    head_begin(out, status);
    out_format(out, "Content-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n", n);
    if (extra)
        out_text(out, extra);
    head_end(out, request, close);
    if (!request || request->method != METHOD_HEAD)
        out_text(out, page);
}

void respond_error(int status, struct out *out, struct response *response)
{
    *response = (struct response){.file = -1, .close = true};
    short_page(status, NULL, NULL, out, true);
}

/* ---- conditions and ranges ---- */

struct entity {
    uint64_t size;
    time_t modified;
    char tag[48], date[32];
};

static void entity_of(const struct stat *st, struct entity *e)
{
    e->size = (uint64_t)st->st_size;
    e->modified = st->st_mtime;
    snprintf(e->tag, sizeof e->tag, "\"%" PRIx64 "-%" PRIx64 "\"", e->size, (uint64_t)st->st_mtime);
    http_date(st->st_mtime, e->date);
}

static bool tag_matches(struct text list, const struct entity *e)
{
    return text_has_token(list, e->tag) || text_has_token(list, "*");
}

static bool not_modified(const struct request *r, const struct entity *e)
{
    time_t since;
    if (r->if_none_match.len)
        return tag_matches(r->if_none_match, e);
    return http_date_parse(r->if_modified_since, &since) && e->modified <= since;
}

/* If-Range: a changed file is sent whole. */
static bool range_applies(const struct request *r, const struct entity *e)
{
    time_t since;
    if (r->method != METHOD_GET || !r->range.len)
        return false;
    if (!r->if_range.len)
        return true;
    if (*r->if_range.at == '"')
        return text_is(r->if_range, e->tag);
    return http_date_parse(r->if_range, &since) && e->modified == since;
}

/* Decimal digits; false: none, or too many. */
static bool digits(const char **p, const char *end, uint64_t *out)
{
    const char *start = *p;
    *out = 0;
    while (*p < end && **p >= '0' && **p <= '9' && *p - start < 18)
        *out = *out * 10 + (uint64_t)(*(*p)++ - '0');
    return *p > start;
}

/*
 * 206 with [*from, *to] set; 200: no range that we know, the whole file; 416:
 * none of its bytes exists.
 */
static int range_read(struct text range, uint64_t size, uint64_t *from, uint64_t *to)
{
    static const char unit[] = "bytes=";
    const char *p = range.at, *end = range.at + range.len;
    uint64_t a = 0, b = 0;
    if (range.len < sizeof unit || memcmp(p, unit, sizeof unit - 1))
        return 200;
    p += sizeof unit - 1;
    bool has_a = digits(&p, end, &a);
    if (p == end || *p++ != '-')
        return 200;
    bool has_b = digits(&p, end, &b);
    if (p != end || (!has_a && !has_b) || (has_a && has_b && b < a))
        return 200;
    if (!has_a) { /* the last b bytes */
        a = b < size ? size - b : 0;
        if (!b || !size)
            return 416;
        b = size - 1;
    } else if (!has_b || b >= size) {
        b = size ? size - 1 : 0;
    }
    if (a >= size)
        return 416;
    *from = a;
    *to = b;
    return 206;
}

/* ---- files ---- */

/* [from, from + left) goes out after the head. */
static void body_add(int file, uint64_t from, uint64_t left, struct response *response)
{
    response->file = file;
    response->at = (off_t)from;
    response->left = left;
}

static void send_file(const struct request *r, const char *path, int file, const struct stat *st,
                      struct out *out, struct response *response)
{
    struct entity e;
    uint64_t from = 0, to = 0;
    entity_of(st, &e);
    int status = not_modified(r, &e) ? 304 : 200;
    if (status == 200 && range_applies(r, &e))
        status = range_read(r->range, e.size, &from, &to);
    if (status == 416) {
        char extra[64];
        snprintf(extra, sizeof extra, "Content-Range: bytes */%" PRIu64 "\r\n", e.size);
        short_page(416, r, extra, out, response->close);
        close(file);
        return;
    }
    uint64_t len = status == 206 ? to - from + 1 : e.size;
    head_begin(out, status);
    out_format(out, "Last-Modified: %s\r\nETag: %s\r\nAccept-Ranges: bytes\r\n", e.date, e.tag);
    if (status == 206)
        out_format(out, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", from, to,
                   e.size);
    if (status != 304)
        out_format(out, "Content-Type: %s\r\nContent-Length: %" PRIu64 "\r\n", content_type(path),
                   len);
    head_end(out, r, response->close);
    if (status == 304 || r->method == METHOD_HEAD || !len)
        close(file);
    else
        body_add(file, from, len, response);
}

/* ---- directories ---- */

static void send_listing(const struct request *r, const char *path, int dir, struct out *out,
                         struct response *response)
{
    size_t len;
    char *page = listing_page(dir, path, &len);
    if (!page) {
        short_page(500, r, NULL, out, response->close);
        return;
    }
    head_begin(out, 200);
    out_format(out, "Content-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\n", len);
    head_end(out, r, response->close);
    if (r->method == METHOD_HEAD) {
        free(page);
        return;
    }
    response->page = page;
    response->page_len = len;
}

/* A Location may hold no byte that ends the line: such names are only listed with their slash. */
static void redirect_to_slash(const struct request *r, struct out *out, struct response *response)
{
    char *extra;
    size_t path = r->target.len;
    for (size_t i = 0; i < r->target.len; i++)
        if (r->target.at[i] == '?' || r->target.at[i] == '#') {
            path = i;
            break;
        }
    /* "//host" would lead elsewhere. */
    size_t skip = 0;
    while (skip + 1 < path && r->target.at[skip + 1] == '/')
        skip++;
    if (asprintf(&extra, "Location: %.*s/%.*s\r\n", (int)(path - skip), r->target.at + skip,
                 (int)(r->target.len - path), r->target.at + path) < 0) {
        short_page(503, r, NULL, out, response->close);
        return;
    }
    short_page(301, r, extra, out, response->close);
    free(extra);
}

static void send_directory(const struct request *r, const char *path, int dir, struct out *out,
                           struct response *response)
{
    struct stat st;
    if (path[strlen(path) - 1] != '/') {
        redirect_to_slash(r, out, response);
        close(dir);
        return;
    }
    int file = openat(dir, "index.html", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0 && !fstat(file, &st) && S_ISREG(st.st_mode)) {
        send_file(r, "index.html", file, &st, out, response);
    } else {
        if (file >= 0)
            close(file);
        send_listing(r, path, dir, out, response);
    }
    close(dir);
}

/* ---- all of it ---- */

static int open_status(int err)
{
    switch (err) {
    case ENOENT:
    case ENOTDIR:
        return 404;
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENXIO:
        return 403;
    case ENAMETOOLONG:
        return 414;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return 503;
    default:
        return 500;
    }
}

/* A path with a slash at its end names a directory. */
static bool slash_on_file(const char *path, const struct stat *st)
{
    return S_ISREG(st->st_mode) && path[strlen(path) - 1] == '/';
}

static void send_path(const struct site *site, const struct request *r, const char *path,
                      struct out *out, struct response *response)
{
    struct stat st;
    const char *relative = path[1] ? path + 1 : ".";
    /* O_NONBLOCK: a FIFO must not hold the server. */
    int file = openat(site->root, relative, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int status = file < 0 ? open_status(errno) : 0;
    if (file >= 0 && fstat(file, &st))
        status = 500;
    if (!status && slash_on_file(path, &st))
        status = 404;
    if (!status && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        status = 403;
    if (status) {
        if (file >= 0)
            close(file);
        short_page(status, r, NULL, out, response->close);
    } else if (S_ISDIR(st.st_mode)) {
        send_directory(r, path, file, out, response);
    } else {
        send_file(r, path, file, &st, out, response);
    }
}

void respond(const struct site *site, const struct request *r, struct out *out,
             struct response *response)
{
    *response = (struct response){.file = -1, .close = !r->keep_alive};
    if (r->method == METHOD_UNKNOWN) {
        short_page(501, r, NULL, out, response->close);
        return;
    }
    if (r->method == METHOD_KNOWN) {
        short_page(405, r, "Allow: GET, HEAD\r\n", out, response->close);
        return;
    }
    char small[128];
    char *path = r->target.len + 2 <= sizeof small ? small : malloc(r->target.len + 2);
    int status = path ? path_decode(r->target, path) : 503;
    if (status)
        short_page(status, r, NULL, out, response->close);
    else
        send_path(site, r, path, out, response);
    if (path != small)
        free(path);
    if (site->verbose)
        fprintf(stderr, "%.*s\n", (int)r->target.len, r->target.at);
}
