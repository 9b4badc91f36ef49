/* SPDX-License-Identifier: MIT */
/*
 * The table for programs: a UNIX socket on which each line is a request and
 * each answer an object on a line.
 *
 *     {"id": 7, "command": "break post"}
 *     {"id": 7, "ok": true, "text": "Breakpoint 1 at ...\n", "breakpoint": 1, "address": 131536}
 *     {"ok": false, "error": "..."}
 *
 * A line that is no JSON object is taken for a command. The loop's callback only
 * collects lines, since a command may run the loop itself; "interrupt" alone is
 * done at once, while the machine runs, too. Clients are served in turn; what they send is bounded.
 */
#include "emu/debug/monitor_private.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#if HAVE_JANSSON
#include <jansson.h>

#define MAX_CLIENTS 8u
#define MAX_REQUEST 65536u

struct client {
    struct json_server *server;
    int fd;     /* -1: this place is free */
    bool ended; /* it sends no more, but may wait for answers */
    size_t have;
    char line[MAX_REQUEST];
};

struct json_server {
    struct monitor *monitor;
    int fd;
    char *path;
    struct client client[MAX_CLIENTS];
};

static void hang_up(struct client *c)
{
    loop_unwatch_fd(c->server->monitor->session->loop, c->fd);
    close(c->fd);
    c->fd = -1;
    c->have = 0;
    c->ended = false;
}

static void send_all(struct client *c, const char *text, size_t len)
{
    while (len && c->fd >= 0) {
        ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);
        struct pollfd p = {.fd = c->fd, .events = POLLOUT};
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else if (errno != EINTR && (errno != EAGAIN || poll(&p, 1, 5000) <= 0)) {
            hang_up(c); /* it does not read */
        }
    }
}

static void answer(struct client *c, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    if (text) {
        send_all(c, text, strlen(text));
        send_all(c, "\n", 1);
    }
    free(text);
    json_decref(object);
}

/* The command of a request; a line that is no object is one itself. */
static const char *command_of(const char *line, json_t **request)
{
    json_error_t error;
    *request = line[strspn(line, " \t")] == '{' ? json_loads(line, 0, &error) : NULL;
    return *request ? json_string_value(json_object_get(*request, "command")) : line;
}

static void run_command(struct session *s, const char *command, json_t *reply)
{
    struct command_out out = {.json = {reply}};
    struct why why;
    char *text = NULL;
    size_t len;
    out.file = open_memstream(&text, &len);
    if (!out.file)
        return;
    int err = command_run(s, command, &out, &why);
    fclose(out.file);
    for (size_t i = 0; i < len; i++)
        if (text[i] & 0x80)
            text[i] = '?';
    json_object_set_new(reply, "ok", json_boolean(!err));
    json_object_set_new(reply, "text", json_string(text));
    if (err)
        json_object_set_new(reply, "error", json_string(why.text));
    free(text);
}

static void run_request(struct client *c, const char *line)
{
    json_t *request, *reply = json_object();
    const char *command = command_of(line, &request);
    if (request && json_object_get(request, "id"))
        json_object_set(reply, "id", json_object_get(request, "id"));
    if (command) {
        run_command(c->server->monitor->session, command, reply);
    } else {
        json_object_set_new(reply, "ok", json_false());
        json_object_set_new(reply, "error",
                            json_string("say {\"command\": \"...\"}, one object on a line"));
    }
    json_decref(request);
    answer(c, reply);
}

/* Takes the first line out of what has come; false: there is no whole one. */
static bool take_line(struct client *c, char out[MAX_REQUEST])
{
    char *end = memchr(c->line, '\n', c->have);
    if (!end)
        return false;
    size_t len = (size_t)(end - c->line);
    memcpy(out, c->line, len);
    out[len] = 0;
    c->have -= len + 1;
    memmove(c->line, end + 1, c->have);
    return true;
}

static void run_lines(struct client *c, char *line)
{
    while (c->fd >= 0 && take_line(c, line))
        run_request(c, line);
    if (c->fd >= 0 && c->ended)
        hang_up(c);
}

void json_run_pending(struct json_server *server)
{
    char *line = server->monitor->session->running ? NULL : malloc(MAX_REQUEST);
    for (unsigned i = 0; line && i < MAX_CLIENTS; i++)
        run_lines(&server->client[i], line);
    free(line);
}

static bool is_interrupt(const char *line)
{
    json_t *request;
    const char *command = command_of(line, &request);
    bool is = command && !strcmp(command, "interrupt");
    json_decref(request);
    return is;
}

/* While a command lets the machine run only "interrupt" is done; other lines wait their turn. */
static void hear_interrupts(struct client *c)
{
    char *rest = malloc(MAX_REQUEST), *line = malloc(MAX_REQUEST);
    size_t kept = 0;
    while (rest && line && c->fd >= 0 && take_line(c, line)) {
        if (is_interrupt(line)) {
            run_request(c, line);
        } else {
            kept += (size_t)sprintf(rest + kept, "%s\n", line);
        }
    }
    if (rest && line && c->fd >= 0) {
        memmove(c->line + kept, c->line, c->have);
        memcpy(c->line, rest, kept);
        c->have += kept;
    }
    free(rest);
    free(line);
}

static void on_data(void *opaque, short revents)
{
    struct client *c = opaque;
    (void)revents;
    if (c->have == MAX_REQUEST) {
        hang_up(c);
        return;
    }
    ssize_t n = recv(c->fd, c->line + c->have, MAX_REQUEST - c->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        hang_up(c);
        return;
    }
    if (n == 0) {
        c->ended = true;
        loop_unwatch_fd(c->server->monitor->session->loop, c->fd);
        return;
    }
    c->have += (size_t)n;
    if (c->server->monitor->session->running)
        hear_interrupts(c);
}

static void on_connect(void *opaque, short revents)
{
    struct json_server *server = opaque;
    (void)revents;
    int fd = accept(server->fd, NULL, NULL);
    if (fd < 0)
        return;
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        struct client *c = &server->client[i];
        if (c->fd >= 0)
            continue;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        c->fd = fd;
        if (!loop_watch_fd(server->monitor->session->loop, fd, POLLIN, on_data, c))
            return;
        c->fd = -1;
        break;
    }
    close(fd);
}

/* A socket that nobody listens on any more is in the way. */
static void clear_way(const struct sockaddr_un *address)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead =
        fd >= 0 && connect(fd, (const void *)address, sizeof(*address)) && errno == ECONNREFUSED;
    if (dead && !lstat(address->sun_path, &st) && S_ISSOCK(st.st_mode))
        unlink(address->sun_path);
    if (fd >= 0)
        close(fd);
}

static int listen_on(const char *path, struct why *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return why_fail(why, -EINVAL, "--monitor unix:%.60s...: the path is longer than %zu bytes",
                        path, sizeof(address.sun_path) - 1);
    strcpy(address.sun_path, path);
    clear_way(&address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before = umask(0177); /* for its owner alone */
    if (fd < 0 || bind(fd, (void *)&address, sizeof(address)) || listen(fd, 8)) {
        int err = -errno;
        umask(before);
        if (fd >= 0)
            close(fd);
        return why_fail(why, err, "cannot listen on %s: %s", path, strerror(-err));
    }
    umask(before);
    return fd;
}

int json_create(struct monitor *m, const char *path, struct json_server **out, struct why *why)
{
    struct json_server *server = calloc(1, sizeof(*server));
    if (!server)
        return why_fail(why, -ENOMEM, "no memory");
    server->monitor = m;
    for (unsigned i = 0; i < MAX_CLIENTS; i++)
        server->client[i] = (struct client){.server = server, .fd = -1};
    server->fd = listen_on(path, why);
    if (server->fd < 0) {
        int err = server->fd;
        free(server);
        return err;
    }
    server->path = strdup(path);
    *out = server;
    int err = loop_watch_fd(m->session->loop, server->fd, POLLIN, on_connect, server);
    return err ? why_fail(why, err, "too many descriptors are watched") : 0;
}

void json_destroy(struct json_server *server)
{
    if (!server)
        return;
    for (unsigned i = 0; i < MAX_CLIENTS; i++)
        if (server->client[i].fd >= 0)
            hang_up(&server->client[i]);
    loop_unwatch_fd(server->monitor->session->loop, server->fd);
    close(server->fd);
    if (server->path)
        unlink(server->path);
    free(server->path);
    free(server);
}

bool json_is_connected(const struct json_server *server)
{
    for (unsigned i = 0; server && i < MAX_CLIENTS; i++)
        if (server->client[i].fd >= 0)
            return true;
    return false;
}

#else

int json_create(struct monitor *m, const char *path, struct json_server **out, struct why *why)
{
    (void)m, (void)out;
    return why_fail(why, -ENOTSUP, "--monitor unix:%s needs jansson (libjansson-dev)", path);
}

void json_destroy(struct json_server *server)
{
    (void)server;
}

void json_run_pending(struct json_server *server)
{
    (void)server;
}

bool json_is_connected(const struct json_server *server)
{
    (void)server;
    return false;
}

#endif
