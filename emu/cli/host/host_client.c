/* SPDX-License-Identifier: MIT */
/*
 * One request of HTTP/1.1 over the daemon's socket, which closes the connection
 * after its answer. The daemon is ours; what it sends is still measured.
 */
#include "emu/cli/host/host_client.h"

#include "denali/host/place.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (512u << 20)
#define HEAD_MAX 16384u
#define PROGRESS_NS 500000000u

void host_reply_fini(struct host_reply *reply)
{
    json_decref(reply->json);
    free(reply->body);
    memset(reply, 0, sizeof(*reply));
}

static size_t escape(const char *text, char *out, size_t room)
{
    size_t n = 0;
    for (; *text && n + 4 < room; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._", c);
        if (plain)
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, room - n, "%%%02X", c);
    }
    out[n] = 0;
    return n;
}

char *host_path(const char *fmt, const char *ref, const char *more)
{
    char name[1024], other[1024], *path;
    escape(ref, name, sizeof(name));
    escape(more ? more : "", other, sizeof(other));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = asprintf(&path, fmt, name, other);
#pragma GCC diagnostic pop
    return n < 0 ? NULL : path;
}

static int connect_daemon(const struct host_args *args, struct why *why)
{
    char *path = args->socket ? strdup(args->socket) : place_default_socket();
    int fd = path ? place_connect(path) : -ENOMEM;
    if (fd < 0)
        why_fail(why, fd, "no daemon answers at %s (%s); start one: denali host --detach",
                 path ? path : "?", strerror(-fd));
    free(path);
    return fd;
}

static int send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_request(int fd, const struct host_request *r, const char *connection)
{
    char *head, *text = r->body ? json_dumps(r->body, JSON_COMPACT) : NULL;
    size_t len = r->body ? text ? strlen(text) : 0 : r->len;
    int n = asprintf(&head, "%s %s HTTP/1.1\r\nHost: denali\r\n%sContent-Length: %zu\r\n\r\n",
                     r->method, r->path, connection, len);
    int err = n < 0 || (r->body && !text) ? -ENOMEM : send_all(fd, head, (size_t)n);
    if (!err)
        err = send_all(fd, text ? text : r->bytes, len);
    if (n >= 0)
        free(head);
    free(text);
    /* A daemon that refuses early may have closed already, and has answered. */
    return err == -EPIPE || err == -ECONNRESET ? 0 : err;
}

/* Says what is being waited for, on a terminal alone. */
struct progress {
    const char *text;
    uint64_t since_ns;
    bool shown;
};

static void show_progress(struct progress *p)
{
    unsigned long long s = (host_monotonic_ns() - p->since_ns) / 1000000000u;
    if (!p->text || !isatty(2))
        return;
    fprintf(stderr, "\rdenali: %s, %llu s ", p->text, s);
    p->shown = true;
}

static void end_progress(const struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
}

/* Everything until the other side closes. */
static int read_answer(int fd, const char *progress, char **out, size_t *len)
{
    struct progress p = {progress, host_monotonic_ns(), false};
    size_t room = 65536;
    char *text = malloc(room + 1);
    int err = text ? 0 : -ENOMEM;
    *len = 0;
    while (!err) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (host_poll(&wait, 1, PROGRESS_NS) == 0) {
            show_progress(&p);
            continue;
        }
        ssize_t n = read(fd, text + *len, room - *len);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR && errno != ECONNRESET)
            err = -errno;
        else if (n < 0 && errno == ECONNRESET)
            break;
        *len += n > 0 ? (size_t)n : 0;
        if (*len == room) {
            char *bigger = room < ANSWER_MAX ? realloc(text, 2 * room + 1) : NULL;
            err = bigger ? 0 : -ENOMEM;
            text = bigger ? bigger : text;
            room *= 2;
        }
    }
    end_progress(&p);
    if (err)
        free(text);
    else
        text[*len] = 0;
    *out = err ? NULL : text;
    return err;
}

static int parse(char *text, size_t len, struct host_reply *out)
{
    char *body = strstr(text, "\r\n\r\n"), *offset;
    if (sscanf(text, "HTTP/1.%*d %d", &out->status) != 1 || !body)
        return -EPROTO;
    *body = 0;
    body += 4;
    offset = strcasestr(text, "\nDenali-Next-Offset:");
    if (offset)
        out->next_offset = strtoull(offset + 20, NULL, 10);
    bool json = strcasestr(text, "application/json");
    out->len = len - (size_t)(body - text);
    out->json = json ? json_loadb(body, out->len, 0, NULL) : NULL;
    out->body = malloc(out->len + 1);
    if (!out->body)
        return -ENOMEM;
    memcpy(out->body, body, out->len + 1);
    return 0;
}

int host_ask(const struct host_args *args, const struct host_request *r, struct host_reply *out,
             struct why *why)
{
    char *text = NULL;
    size_t len;
    memset(out, 0, sizeof(*out));
    int fd = connect_daemon(args, why);
    if (fd < 0)
        return fd;
    int err = send_request(fd, r, "Connection: close\r\n");
    if (!err)
        err = read_answer(fd, r->progress, &text, &len);
    close(fd);
    if (!err)
        err = parse(text, len, out);
    free(text);
    if (err)
        host_reply_fini(out);
    return err ? why_fail(why, err, "the daemon did not answer: %s", strerror(-err)) : 0;
}

static const char *error_text(const struct host_reply *reply)
{
    const char *text = host_text(json_object_get(reply->json, "error"), "message");
    return *text ? text : "the daemon refused";
}

int host_do(const struct host_args *args, const struct host_request *r, struct host_reply *out)
{
    struct why why = {""};
    if (host_ask(args, r, out, &why))
        return cli_complain(CLI_FAILED, "%s", why.text);
    if (out->status >= 200 && out->status < 300)
        return CLI_OK;
    int status = out->status == 504 ? CLI_TIMEOUT : HOST_REFUSED;
    if (args->json && out->json)
        host_print_json(out->json);
    cli_complain(status, "%s", error_text(out));
    host_reply_fini(out);
    return status;
}

/* The head of an answer, and what came behind it. */
static int read_head(int fd, char *text, size_t room, size_t *len)
{
    *len = 0;
    while (*len < room - 1) {
        ssize_t n = read(fd, text + *len, room - 1 - *len);
        if (n <= 0)
            return n < 0 && errno == EINTR ? 0 : -EPROTO;
        *len += (size_t)n;
        text[*len] = 0;
        if (strstr(text, "\r\n\r\n"))
            return 0;
    }
    return -EPROTO;
}

int host_upgrade(const struct host_args *args, const char *path, char extra[4096],
                 size_t *extra_len, struct why *why)
{
    char text[4096];
    size_t len;
    struct host_reply reply = {0};
    const struct host_request r = {.method = "POST", .path = path};
    int fd = connect_daemon(args, why);
    if (fd < 0)
        return fd;
    int err = send_request(fd, &r, "Connection: Upgrade\r\nUpgrade: denali-console\r\n");
    if (!err)
        err = read_head(fd, text, sizeof(text), &len);
    char *body = err ? NULL : strstr(text, "\r\n\r\n") + 4;
    if (!err && !strncmp(text, "HTTP/1.1 101", 12)) {
        *extra_len = len - (size_t)(body - text);
        memcpy(extra, body, *extra_len);
        return fd;
    }
    if (!err && !parse(text, len, &reply))
        err = why_fail(why, -ECONNREFUSED, "%s", error_text(&reply));
    else
        err = why_fail(why, -EPROTO, "the daemon did not answer");
    host_reply_fini(&reply);
    close(fd);
    return err;
}

const char *host_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

long long host_integer(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

void host_print_json(const json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}
