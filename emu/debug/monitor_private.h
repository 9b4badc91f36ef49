/* SPDX-License-Identifier: MIT */
/* What monitor*.c share. */
#ifndef DENALI_DEBUG_MONITOR_PRIVATE_H
#define DENALI_DEBUG_MONITOR_PRIVATE_H

#include "emu/debug/loop.h"
#include "emu/debug/monitor.h"

struct prompt;
struct json_server;

struct monitor {
    struct monitor_config config;
    struct loop_front front;
    struct session *session;
    struct prompt *prompt;
    struct json_server *json;
    bool interrupted; /* Ctrl-C since the last look */
    int signal;       /* TERM, HUP: it is to end */
};

/* Serves what is ready, or waits so long; runs what came in by JSON. */
void monitor_serve(struct monitor *monitor, uint64_t wait_ns);

/* monitor_prompt.c */
MUST_CHECK int prompt_create(struct monitor *monitor, struct prompt **out, struct why *why);
void prompt_destroy(struct prompt *prompt);
/* The next line, good until the next call; NULL: the input has ended. "" after Ctrl-C. */
const char *prompt_read(struct prompt *prompt);

/* monitor_json.c */
MUST_CHECK int json_create(struct monitor *monitor, const char *path, struct json_server **out,
                           struct why *why);
void json_destroy(struct json_server *server);
/* Runs requests that have come in; outside the loop. */
void json_run_pending(struct json_server *server);
bool json_is_connected(const struct json_server *server);

#endif
