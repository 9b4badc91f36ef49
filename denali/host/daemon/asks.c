/* SPDX-License-Identifier: MIT */
/* Questions to workers. A worker answers each once, in any order; one that dies answers none. */
#include "denali/host/daemon/api.h"
#include "denali/host/daemon/daemon.h"

#include <stdlib.h>

static void forget(struct ask *ask)
{
    if (ask->call)
        call_forget_ask(ask->call);
    json_decref(ask->more);
    free(ask);
}

struct ask *ask_send(struct worker *worker, json_t *message,
                     void (*done)(struct daemon *d, struct ask *ask, const json_t *answer), int fd)
{
    struct ask *ask = worker->life == WORKER_DOWN ? NULL : calloc(1, sizeof(*ask));
    if (!ask) {
        json_decref(message);
        return NULL;
    }
    ask->seq = ++worker->next_seq;
    ask->worker = worker;
    ask->done = done;
    json_object_set_new(message, "seq", json_integer((json_int_t)ask->seq));
    if (link_send(&worker->link, message, fd)) {
        free(ask);
        return NULL;
    }
    ask->next = worker->asks;
    worker->asks = ask;
    return ask;
}

void ask_answered(struct daemon *d, struct worker *worker, const json_t *answer)
{
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(answer, "seq"));
    struct ask **at = &worker->asks, *ask;
    while (*at && (*at)->seq != seq)
        at = &(*at)->next;
    ask = *at;
    if (!ask)
        return;
    *at = ask->next;
    ask->done(d, ask, answer);
    forget(ask);
}

void asks_fail(struct daemon *d, struct worker *worker)
{
    struct ask *ask;
    while ((ask = worker->asks)) {
        worker->asks = ask->next;
        ask->done(d, ask, NULL);
        forget(ask);
    }
}
