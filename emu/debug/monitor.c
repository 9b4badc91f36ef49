/* SPDX-License-Identifier: MIT */
/*
 * Commands from a file, then from where the person is. A command that lets the
 * machine run returns when it has stopped, so there is never more than one
 * reader at work.
 */
#include "emu/debug/monitor_private.h"

#include "emu/base/host_thread.h"
#include "emu/debug/command/command_private.h"
#include "emu/debug/session_run.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define ANYTIME HOST_FOREVER

static void on_signals(void *opaque, short revents)
{
    struct monitor *m = opaque;
    (void)revents;
    for (int n; (n = host_signals_next(m->config.signals)) > 0;) {
        if (n == SIGINT)
            m->interrupted = true;
        if (n == SIGTERM || n == SIGHUP || n == SIGQUIT) {
            m->signal = n;
            m->session->quit = true;
        }
        if (n == SIGINT || m->signal)
            loop_interrupt(m->session->loop);
    }
}

static void on_stopped(struct loop_front *front, struct target *target)
{
    (void)front, (void)target; /* who let it run is told, too */
}

static bool asks(struct loop_front *front)
{
    struct monitor *m = CONTAINER_OF(front, struct monitor, front);
    on_signals(m, POLLIN);
    return m->interrupted || m->signal;
}

int monitor_create(const struct monitor_config *config, struct monitor **out, struct why *why)
{
    struct monitor *m = calloc(1, sizeof(*m));
    int err = m ? 0 : why_fail(why, -ENOMEM, "no memory");
    if (err)
        return err;
    m->config = *config;
    m->session = config->session;
    m->front = (struct loop_front){.stopped = on_stopped, .asks = asks};
    loop_add_front(m->session->loop, &m->front);
    if (config->signals >= 0)
        err = loop_watch_fd(m->session->loop, config->signals, POLLIN, on_signals, m);
    if (err)
        why_fail(why, err, "too many descriptors are watched");
    if (!err && config->socket)
        err = json_create(m, config->socket, &m->json, why);
    if (!err && config->prompt)
        err = prompt_create(m, &m->prompt, why);
    if (err) {
        monitor_destroy(m);
        return err;
    }
    *out = m;
    return 0;
}

void monitor_destroy(struct monitor *m)
{
    if (!m)
        return;
    loop_remove_front(m->session->loop, &m->front);
    prompt_destroy(m->prompt);
    json_destroy(m->json);
    if (m->config.signals >= 0)
        loop_unwatch_fd(m->session->loop, m->config.signals);
    free(m);
}

int monitor_signal(const struct monitor *m)
{
    return m->signal;
}

/* gdb has let the machine run: the monitor waits until it stands again. */
static void run_for_gdb(struct monitor *m)
{
    struct why why;
    if (session_go_on(m->session, &why))
        fprintf(stderr, "denali: %s\n", why.text);
}

void monitor_serve(struct monitor *m, uint64_t wait_ns)
{
    loop_poll(m->session->loop, wait_ns);
    if (loop_is_running(m->session->loop))
        run_for_gdb(m);
    if (m->json)
        json_run_pending(m->json);
}

/* A line and its error, which is told and forgotten. */
static int run_line(struct monitor *m, const char *line)
{
    struct command_out out = {.file = stdout};
    struct why why;
    m->interrupted = false;
    int err = command_run(m->session, line, &out, &why);
    fflush(stdout);
    if (err)
        fprintf(stderr, "%s\n", why.text);
    return err;
}

static int run_file(struct monitor *m)
{
    struct command_out out = {.file = stdout};
    struct why why;
    int err = command_source(m->session, m->config.commands, &out, &why);
    fflush(stdout);
    if (err)
        fprintf(stderr, "denali: %s\n", why.text);
    return err;
}

static void run_input(struct monitor *m)
{
    char *line = NULL;
    size_t room = 0;
    while (!m->session->quit && getline(&line, &room, m->config.input) > 0)
        run_line(m, line);
    free(line);
}

static void run_prompt(struct monitor *m)
{
    const char *line;
    while (!m->session->quit && (line = prompt_read(m->prompt)))
        run_line(m, line);
    if (!m->session->quit)
        putchar('\n');
}

static bool anything_left(const struct monitor *m)
{
    struct loop *loop = m->session->loop;
    for (unsigned n = 0; n < loop_targets(loop); n++)
        if (!loop_target(loop, n)->ended)
            return true;
    return json_is_connected(m->json);
}

/* Nobody but the socket: commands come in while the machine stands or runs. */
static void run_socket(struct monitor *m)
{
    while (!m->session->quit && anything_left(m))
        monitor_serve(m, ANYTIME);
}

static void start(struct monitor *m)
{
    struct command_out out = {.file = stdout};
    struct why why;
    if (session_go(m->session, 0, &why))
        fprintf(stderr, "denali: %s\n", why.text);
    else if (!m->session->quit && !loop_is_over(m->session->loop))
        session_tell_stop(m->session, &out);
    fflush(stdout);
}

int monitor_run(struct monitor *m)
{
    int err = m->config.commands ? run_file(m) : 0;
    if (!err && m->config.start && !m->session->quit)
        start(m);
    if (err && !m->prompt)
        return err;
    if (m->config.input)
        run_input(m);
    if (m->prompt)
        run_prompt(m);
    else if (m->json)
        run_socket(m);
    return err;
}

int monitor_gdb_command(void *opaque, struct target *target, const char *line, FILE *file,
                        struct why *why)
{
    struct session *s = opaque;
    struct command_out out = {.file = file};
    if (s->running)
        return why_fail(why, -EBUSY, "the machine runs by a command of the monitor's");
    if (s->target != target)
        session_select(s, target);
    s->in_gdb = true;
    int err = command_run(s, line, &out, why);
    s->in_gdb = false;
    return err;
}
