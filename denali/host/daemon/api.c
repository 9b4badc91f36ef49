/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd, driven by our loop. Clients may be slow, huge and malformed:
 * every connection has a time by which its request must be whole, bodies have a
 * bound, and there are only so many connections. None of this touches a worker.
 *
 * Invariant: a call that is suspended is in the list `calls`, and whatever ends
 * its waiting goes through `settle`, once.
 */
#include "denali/host/daemon/api.h"

#include "denali/host/place.h"
#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_NS 30000000000u /* for a request to be whole, and between two */
#define LOOK_NS 100000000u
#define JSON_TYPE "application/json"

struct conn {
    struct conn *next, *prev;
    int fd;
    uint64_t since_ns;
    bool busy; /* a request is whole and not yet answered */
};

struct console {
    struct console *next;
    struct MHD_UpgradeResponseHandle *handle;
    unsigned worker;
    uint64_t token;
};

struct api {
    struct daemon *daemon;
    struct MHD_Daemon *http;
    int listener, epoll;
    unsigned count;
    struct conn conns; /* head of the ring */
    struct call calls; /* the same */
    unsigned looking;
    struct console *consoles;
    uint64_t next_token;
    uint64_t accept_ns; /* no descriptors: not before then */
    struct stat socket; /* as it was made: another daemon's is not ours to remove */
};

/* Answers. */

static void stop_waiting(struct call *call)
{
    struct daemon *d = call->daemon;
    struct fleet_vm *vm = call->waits_for;
    if (vm) {
        struct call **at = &vm->waiters;
        while (*at != call)
            at = &(*at)->next_waiter;
        *at = call->next_waiter;
        call->waits_for = NULL;
    }
    for (unsigned i = 0; call->asks && i < d->workers; i++) {
        for (struct ask *ask = d->worker[i].asks; ask; ask = ask->next) {
            if (ask->call == call)
                ask->call = NULL;
        }
    }
    call->asks = 0;
}

static void settle(struct call *call)
{
    BUG_ON(call->answered, "a call is answered twice");
    call->answered = true;
    stop_waiting(call);
    if (!call->suspended)
        return;
    call->suspended = false;
    call->daemon->api->looking -= !!call->look;
    MHD_resume_connection(call->connection);
}

void call_bytes(struct call *call, char *bytes, size_t len)
{
    call->status = MHD_HTTP_OK;
    call->answer = bytes;
    call->answer_len = len;
    call->type = "application/octet-stream";
    settle(call);
}

/* What names the host's files and processes is not for VMs. */
static void hide_host(json_t *object)
{
    static const char *const members[] = {"spec", "disks", "worker"};
    size_t i;
    json_t *item;
    for (i = 0; i < ARRAY_LEN(members); i++)
        json_object_del(object, members[i]);
    json_array_foreach(json_object_get(object, "vms"), i, item)
    {
        hide_host(item);
    }
}

void call_answer(struct call *call, unsigned status, json_t *object)
{
    if (call->supervisor)
        hide_host(object);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text) {
        call->answer_len = strlen(text) + 1;
        text[call->answer_len - 1] = '\n';
    }
    call->status = text ? status : MHD_HTTP_INTERNAL_SERVER_ERROR;
    call->answer = text;
    call->type = JSON_TYPE;
    settle(call);
}

void call_fail(struct call *call, unsigned status, const char *code, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_t *message = json_string(text);
    if (!message) /* what a client sent may be no text */
        message = json_string("the request is not valid");
    call_answer(call, status,
                json_pack("{s:{s:s, s:o}}", "error", "code", code, "message", message));
}

void call_attach(struct call *call, struct fleet_vm *vm)
{
    call->console = vm;
    settle(call);
}

void call_wait(struct call *call, uint64_t wait_ns,
               void (*expired)(struct daemon *d, struct call *call))
{
    call->deadline_ns = host_monotonic_ns() + wait_ns;
    call->expired = expired;
}

void call_wait_for_end(struct call *call, struct fleet_vm *vm)
{
    call->waits_for = vm;
    call->next_waiter = vm->waiters;
    vm->waiters = call;
}

void call_forget_ask(struct call *call)
{
    if (call->asks)
        call->asks--;
}

const char *call_query(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *call_header(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* Consoles. */

void api_console_ended(struct api *api, unsigned worker, uint64_t token)
{
    struct console **at = &api->consoles, *c;
    while ((c = *at)) {
        if (c->worker != worker || (token && c->token != token)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        MHD_upgrade_action(c->handle, MHD_UPGRADE_ACTION_CLOSE);
        free(c);
    }
}

static void attached(struct daemon *d, struct ask *ask, const json_t *answer)
{
    if (answer && json_object_get(answer, "error"))
        api_console_ended(d->api, ask->worker->index, ask->run);
}

/* The connection is a console now: the worker gets it; we keep it open until the worker says that
 * it has ended. */
static void upgraded(void *opaque, struct MHD_Connection *connection, void *request,
                     const char *extra, size_t extra_len, MHD_socket sock,
                     struct MHD_UpgradeResponseHandle *handle)
{
    struct call *call = request;
    struct api *api = opaque;
    struct fleet_vm *vm = fleet_by_id(&api->daemon->fleet, call->vm);
    struct console *c = vm && vm->worker >= 0 ? calloc(1, sizeof(*c)) : NULL;
    struct ask *ask = NULL;
    (void)connection, (void)extra, (void)extra_len;
    if (c) {
        *c = (struct console){api->consoles, handle, (unsigned)vm->worker, ++api->next_token};
        ask = ask_send(&api->daemon->worker[vm->worker],
                       json_pack("{s:s, s:I, s:I}", "op", "attach", "vm", (json_int_t)vm->id,
                                 "token", (json_int_t)c->token),
                       attached, sock);
    }
    if (!ask) {
        free(c);
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        return;
    }
    ask->run = c->token;
    api->consoles = c;
}

/* Requests. */

static struct MHD_Response *make_response(struct api *api, struct call *call)
{
    struct MHD_Response *r;
    char offset[24];
    if (call->console) {
        call->vm = call->console->id;
        call->status = MHD_HTTP_SWITCHING_PROTOCOLS;
        r = MHD_create_response_for_upgrade(upgraded, api);
        if (r)
            MHD_add_response_header(r, MHD_HTTP_HEADER_UPGRADE, "denali-console");
        return r;
    }
    r = MHD_create_response_from_buffer(call->answer_len, call->answer, MHD_RESPMEM_MUST_FREE);
    if (!r)
        return NULL;
    call->answer = NULL;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, call->type);
    snprintf(offset, sizeof(offset), "%llu", (unsigned long long)call->next_offset);
    if (call->has_offset)
        MHD_add_response_header(r, "Denali-Next-Offset", offset);
    return r;
}

static enum MHD_Result respond(struct api *api, struct call *call)
{
    struct MHD_Response *r = make_response(api, call);
    if (!r)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(call->connection, call->status, r);
    MHD_destroy_response(r);
    return result;
}

/* The VM in whose name a connection was added (api_add); 0: it is the operator's. */
static uint64_t supervisor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr_un *un = info ? (const struct sockaddr_un *)info->client_addr : NULL;
    unsigned long long id = 0;
    if (un && un->sun_family == AF_UNIX && sscanf(un->sun_path, "vm:%llu", &id) == 1)
        return id;
    return 0;
}

static struct call *new_call(struct api *api, struct MHD_Connection *connection, const char *path,
                             const char *method)
{
    struct call *call = calloc(1, sizeof(*call));
    if (!call || !(call->path = strdup(path))) {
        free(call);
        return NULL;
    }
    call->daemon = api->daemon;
    call->connection = connection;
    call->supervisor = supervisor_of(connection);
    snprintf(call->method, sizeof(call->method), "%s", method);
    call->next = &api->calls;
    call->prev = api->calls.prev;
    call->prev->next = call;
    api->calls.prev = call;
    return call;
}

static void free_call(struct call *call)
{
    stop_waiting(call);
    call->prev->next = call->next;
    call->next->prev = call->prev;
    json_decref(call->gathered);
    free(call->answer);
    free(call->path);
    free(call->body);
    free(call);
}

static struct conn *conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static bool promises_too_much(struct MHD_Connection *connection)
{
    const char *len =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return len && strtoull(len, NULL, 10) > API_BODY_MAX;
}

static void take_body(struct call *call, const char *data, size_t len)
{
    if (call->body_len + len > API_BODY_MAX)
        call->too_long = true;
    char *bigger = call->too_long ? NULL : realloc(call->body, call->body_len + len);
    if (!bigger) {
        call->too_long = true;
        return;
    }
    memcpy(bigger + call->body_len, data, len);
    call->body = bigger;
    call->body_len += len;
}

static void refuse_body(struct call *call)
{
    call_fail(call, MHD_HTTP_CONTENT_TOO_LARGE, "too_large",
              "the body of a request has at most %u bytes", API_BODY_MAX);
}

/* The request is whole: it is answered now, or the connection sleeps until it is. */
static enum MHD_Result take_request(struct api *api, struct call *call)
{
    struct conn *conn = conn_of(call->connection);
    call->received = true;
    if (conn)
        conn->busy = true;
    if (call->too_long)
        refuse_body(call);
    else
        route(api->daemon, call);
    if (call->answered)
        return respond(api, call);
    call->suspended = true;
    api->looking += !!call->look;
    MHD_suspend_connection(call->connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *opaque, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **state)
{
    struct api *api = opaque;
    struct call *call = *state;
    (void)version;
    if (!call) {
        *state = call = new_call(api, connection, path, method);
        if (!call)
            return MHD_NO;
        if (!promises_too_much(connection))
            return MHD_YES;
        refuse_body(call);
        return respond(api, call);
    }
    if (*len) {
        take_body(call, data, *len);
        *len = 0;
        return MHD_YES;
    }
    return call->answered ? respond(api, call) : take_request(api, call);
}

static void on_completed(void *opaque, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct conn *conn = conn_of(connection);
    (void)opaque, (void)how;
    if (*state)
        free_call(*state);
    *state = NULL;
    if (conn) {
        conn->busy = false;
        conn->since_ns = host_monotonic_ns();
    }
}

static void on_connection(void *opaque, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = opaque;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct conn *c = calloc(1, sizeof(*c));
        if (!c || !info)
            return;
        *c = (struct conn){&api->conns, api->conns.prev, info->connect_fd, host_monotonic_ns(),
                           false};
        c->prev->next = c;
        api->conns.prev = c;
        api->count++;
        *context = c;
    } else if (*context) {
        struct conn *c = *context;
        c->prev->next = c->next;
        c->next->prev = c->prev;
        api->count--;
        free(c);
        *context = NULL;
    }
}

/* Life. */

static void on_panic(void *opaque, const char *file, unsigned line, const char *reason)
{
    (void)opaque;
    base_bug(file, (int)line, reason ? reason : "libmicrohttpd gave up");
}

int api_create(struct daemon *d, struct api **out, struct why *why)
{
    struct api *api = calloc(1, sizeof(*api));
    if (!api)
        return why_fail(why, -ENOMEM, "no memory");
    api->daemon = d;
    api->conns.next = api->conns.prev = &api->conns;
    api->calls.next = api->calls.prev = &api->calls;
    api->listener = place_listen(d->config.socket, why);
    if (api->listener < 0) {
        int err = api->listener;
        free(api);
        return err;
    }
    if (stat(d->config.socket, &api->socket))
        memset(&api->socket, 0, sizeof(api->socket));
    MHD_set_panic_func(on_panic, NULL);
    api->http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_NO_LISTEN_SOCKET, 0,
        NULL, NULL, on_request, api, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, api, MHD_OPTION_CONNECTION_LIMIT,
        API_CONNECTIONS_MAX + 1, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        api->http ? MHD_get_daemon_info(api->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        api_destroy(api);
        return why_fail(why, -ENOMEM, "libmicrohttpd does not start");
    }
    api->epoll = info->epoll_fd;
    *out = api;
    return 0;
}

void api_destroy(struct api *api)
{
    struct stat st;
    if (!api)
        return;
    const char *path = api->daemon->config.socket;
    for (struct call *call = api->calls.next; call != &api->calls; call = call->next) {
        if (call->suspended)
            call_fail(call, MHD_HTTP_SERVICE_UNAVAILABLE, "ending", "the daemon ends");
    }
    while (api->consoles)
        api_console_ended(api, api->consoles->worker, api->consoles->token);
    if (api->http) {
        MHD_run(api->http);
        MHD_stop_daemon(api->http);
    }
    close(api->listener);
    if (!stat(path, &st) && st.st_ino == api->socket.st_ino && st.st_dev == api->socket.st_dev)
        unlink(path);
    free(api);
}

void api_add(struct api *api, int fd, uint64_t supervisor)
{
    struct sockaddr_un from = {.sun_family = AF_UNIX};
    if (supervisor)
        snprintf(from.sun_path, sizeof(from.sun_path), "vm:%llu", (unsigned long long)supervisor);
    /* A connection that libmicrohttpd refuses it has closed. */
    if (MHD_add_connection(api->http, fd, (struct sockaddr *)&from, sizeof(from)) != MHD_YES)
        daemon_log("a connection could not be taken");
}

void api_poll(struct api *api, struct pollfd fds[API_POLLS])
{
    bool room = api->count < API_CONNECTIONS_MAX && host_monotonic_ns() >= api->accept_ns;
    fds[0] = (struct pollfd){.fd = room ? api->listener : -1, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = api->epoll, .events = POLLIN};
}

void api_run(struct api *api)
{
    while (api->count < API_CONNECTIONS_MAX) {
        int fd = accept4(api->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR)
                api->accept_ns = host_monotonic_ns() + LOOK_NS;
            break;
        }
        api_add(api, fd, 0);
    }
    MHD_run(api->http);
}

/* Those who take too long over their request are sent away. */
static void end_slow(struct api *api, uint64_t now_ns)
{
    for (struct conn *c = api->conns.next; c != &api->conns; c = c->next) {
        if (!c->busy && now_ns - c->since_ns > REQUEST_NS)
            shutdown(c->fd, SHUT_RDWR);
    }
}

void api_tick(struct daemon *d, uint64_t now_ns)
{
    struct api *api = d->api;
    struct call *next;
    for (struct call *call = api->calls.next; call != &api->calls; call = next) {
        next = call->next;
        if (!call->suspended)
            continue;
        if (call->look && call->look(d, call))
            continue;
        if (now_ns >= call->deadline_ns)
            call->expired(d, call);
    }
    end_slow(api, now_ns);
}

uint64_t api_next_ns(const struct api *api)
{
    uint64_t now = host_monotonic_ns(), next = now + 1000000000u;
    MHD_UNSIGNED_LONG_LONG ms;
    if (api->looking || api->accept_ns > now)
        next = now + LOOK_NS;
    for (const struct call *call = api->calls.next; call != &api->calls; call = call->next) {
        if (call->suspended && call->deadline_ns < next)
            next = call->deadline_ns;
    }
    if (MHD_get_timeout(api->http, &ms) == MHD_YES && now + ms * 1000000 < next)
        next = now + ms * 1000000;
    return next;
}
