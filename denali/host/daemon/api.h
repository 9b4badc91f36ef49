/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side: connections, bodies, answers. A request becomes a struct call,
 * which routes.c hands to whoever does it; it is answered at once or later, once.
 */
#ifndef DENALI_HOST_DAEMON_API_H
#define DENALI_HOST_DAEMON_API_H

#include "denali/host/daemon/daemon.h"

#include <poll.h>

#define API_BODY_MAX (1u << 20)
#define API_CONNECTIONS_MAX 256u

struct MHD_Connection;

struct call {
    struct call *next, *prev; /* all that are being answered */
    struct daemon *daemon;
    struct MHD_Connection *connection;
    char method[8];
    char *path;
    char *body;
    size_t body_len;
    bool too_long, received, suspended, answered;
    uint64_t supervisor; /* the VM that asks by its capability; 0: the operator */

    unsigned status;
    char *answer;
    size_t answer_len;
    const char *type;
    uint64_t next_offset; /* of a log; sent as a header */
    bool has_offset;
    struct fleet_vm *console; /* to be attached: the answer is an upgrade */

    /* While it waits. */
    unsigned asks;
    uint64_t deadline_ns;
    void (*expired)(struct daemon *d, struct call *call);
    bool (*look)(struct daemon *d, struct call *call); /* every tick; true: it is answered */
    uint64_t vm, offset;                               /* what `look` looks at */
    struct fleet_vm *waits_for;
    struct call *next_waiter;
    json_t *gathered;
};

MUST_CHECK int api_create(struct daemon *d, struct api **out, struct why *why);
void api_destroy(struct api *api);
/* A connection that came elsewhere: from the VM `supervisor`. The descriptor is the API's. */
void api_add(struct api *api, int fd, uint64_t supervisor);

#define API_POLLS 2u
void api_poll(struct api *api, struct pollfd fds[API_POLLS]);
void api_run(struct api *api);
void api_tick(struct daemon *d, uint64_t now_ns);
uint64_t api_next_ns(const struct api *api);

/* Answers. Each ends the call's waiting; the call is void afterwards for who waited. */
void call_answer(struct call *call, unsigned status, json_t *object); /* takes it over */
void call_bytes(struct call *call, char *bytes, size_t len);          /* takes them over */
void call_fail(struct call *call, unsigned status, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Becomes a console of the VM. */
void call_attach(struct call *call, struct fleet_vm *vm);

/* The call is answered later; `expired` answers it if nothing does before. */
void call_wait(struct call *call, uint64_t wait_ns,
               void (*expired)(struct daemon *d, struct call *call));
/* Also: when the VM has ended, vms.c answers. */
void call_wait_for_end(struct call *call, struct fleet_vm *vm);
void call_forget_ask(struct call *call);

/* The value of a query parameter, of a header, or NULL. */
const char *call_query(const struct call *call, const char *name);
const char *call_header(const struct call *call, const char *name);

/* A worker says that a console's end has come, or it died (token 0: all of its). */
void api_console_ended(struct api *api, unsigned worker, uint64_t token);

/* routes.c: the request is whole. */
void route(struct daemon *d, struct call *call);

#endif
