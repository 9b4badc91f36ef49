/* SPDX-License-Identifier: MIT */
/*
 * A small web server: static files over HTTP/1.1 (RFC 9110, 9112), one thread,
 * epoll. An ordinary Linux program:
 *
 *     httpd [-p PORT] [-a ADDRESS] [-nv] [DIR]       (port 80, directory /)
 *     cc -O2 -I. -o httpd $(ls guests/httpd/[a-z]*.c)       (from the top of the tree)
 *
 *     httpd.c     arguments, the event loop, connections and their time limits
 *     request.c   bytes to a request
 *     respond.c   a request to a response
 *     listing.c   directories as pages
 *     text.c      buffers, dates, escapes, content types
 *
 * Limits: a request's head has 8 KiB (431; its target 4 KiB: 414) and 20 s (408), a
 * body that is discarded has 1 MiB (413), an idle connection stays 60 s, a reader
 * that takes nothing 60 s. One byte range a request; several at once are answered
 * by the whole file, which RFC 9110 14.2 allows. As it starts it reads up to 256 KiB of the
 * directory's files, so that they are in memory, and shared, where the machine is cloned.
 */
#ifndef HTTPD_H
#define HTTPD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#define HEAD_MAX 8192
#define TARGET_MAX 4096
#define BODY_MAX (1 << 20)
#define HEADERS_MAX 100
#define OUT_ROOM 65536

/* A part of the input. */
struct text {
    const char *at;
    size_t len;
};

enum method { METHOD_GET, METHOD_HEAD, METHOD_KNOWN, METHOD_UNKNOWN };

struct request {
    enum method method;
    struct text target;
    unsigned minor; /* HTTP/1.minor */
    bool keep_alive;
    uint64_t body; /* bytes that follow the head */
    bool has_body, chunked, has_host;
    struct text range, if_range, if_modified_since, if_none_match;
};

/*
 * Reads one request's head from `in`. > 0: its bytes; 0: not whole yet; < 0: minus the
 * status to answer before the connection is closed.
 */
int request_parse(struct request *request, const char *in, size_t len);

/* Bytes to be sent. The date in their heads is written once a second. */
struct out {
    time_t dated;
    char date[32];
    size_t len;
    char bytes[OUT_ROOM];
};

void out_text(struct out *out, const char *text);
void out_format(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What follows the bytes in `out`: a part of a file. */
struct response {
    bool close;
    int file; /* -1: nothing */
    off_t at;
    uint64_t left;
    char *page; /* a page that is longer than `out`; to be freed, NULL: none */
    size_t page_len;
};

struct site {
    int root; /* descriptor of the directory */
    bool verbose;
};

/* Answers a request; appends to `out`, which has OUT_RESERVE bytes of room at least. */
#define OUT_RESERVE 2048
void respond(const struct site *site, const struct request *request, struct out *out,
             struct response *response);
/* Every answer says which host it comes from. */
void head_names_host(bool on);
/* Answers what was no request; the connection ends after it. */
void respond_error(int status, struct out *out, struct response *response);

/* The page of a directory, from malloc; NULL: no memory or unreadable. */
char *listing_page(int dir, const char *path, size_t *len);

/* text.c */
bool text_is(struct text text, const char *word);         /* without regard to case */
bool text_has_token(struct text list, const char *token); /* in a comma-separated list */
const char *http_date(time_t when, char buffer[32]);
bool http_date_parse(struct text text, time_t *out);
const char *content_type(const char *path);
const char *status_text(int status);
/* Percent-decodes a target's path, takes "." and ".." out. 0, or the status: 400, 403 (it leads out
 * of the root). `out` has room for one byte more than the target and begins with "/". */
int path_decode(struct text target, char *out);

#endif
