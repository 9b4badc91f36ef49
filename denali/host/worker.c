/* SPDX-License-Identifier: MIT */
/*
 * The loop of a worker: the daemon's link, the consoles' clients, and what other
 * threads have to say. It never waits for a VM.
 */
#include "denali/host/worker_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUANTUM_NS 5000000u
#define DISK_THREADS 8u
#define MAX_WINDOWS 8000u
#define POLLS_MAX (3 + 64 * HUB_CLIENTS_MAX)
#define TICK_NS 1000000000u
#define QUIT_POLL_NS 20000000u

void worker_post(struct worker *w, json_t *message)
{
    worker_post_fd(w, message, -1);
}

void worker_post_fd(struct worker *w, json_t *message, int fd)
{
    struct outgoing *out = message ? calloc(1, sizeof(*out)) : NULL;
    if (!out) {
        json_decref(message);
        if (fd >= 0)
            close(fd);
        return;
    }
    out->message = message;
    out->fd = fd;
    host_lock_enter(&w->lock);
    if (w->last)
        w->last->next = out;
    else
        w->first = out;
    w->last = out;
    host_lock_leave(&w->lock);
    host_waker_wake(w->waker);
}

static void disconnect(struct worker *w)
{
    link_fini(&w->link);
    w->connected = false;
    w->alone_ns = host_monotonic_ns();
}

/* Without a daemon, answers are nobody's; how VMs ended is kept in them. */
static void send_outbox(struct worker *w)
{
    host_lock_enter(&w->lock);
    struct outgoing *out = w->first;
    w->first = w->last = NULL;
    host_lock_leave(&w->lock);
    while (out) {
        struct outgoing *next = out->next;
        if (!w->connected)
            json_decref(out->message);
        else if (link_send(&w->link, out->message, out->fd) == -EPIPE)
            disconnect(w);
        if (out->fd >= 0)
            close(out->fd);
        free(out);
        out = next;
    }
}

static json_t *end_event(const struct hosted *h)
{
    const char *report = h->report ? h->report : "";
    json_t *text = json_string(report);
    return json_pack("{s:s, s:I, s:I, s:s, s:i, s:o}", "event", "ended", "vm", (json_int_t)h->id,
                     "run", (json_int_t)h->run, "reason", h->reason, "status", h->status, "message",
                     text ? text : json_string("(the report is no text)"));
}

static void tell_end(struct worker *w, struct hosted *h)
{
    json_t *event = end_event(h);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    hub_end(h->hub, text ? text : "{}");
    free(text);
    h->told = true;
    if (event && link_send(&w->link, event, -1) == -EPIPE)
        disconnect(w);
}

/* Each VM that has ended, once to each daemon. */
static void tell_ends(struct worker *w)
{
    host_lock_enter(&w->lock);
    bool news = w->news && w->connected;
    w->news = w->news && !w->connected;
    for (unsigned i = 0; news && i < WORKER_BUCKETS; i++) {
        for (struct hosted *h = w->bucket[i]; h; h = h->next) {
            if (h->has_ended && h->settled && !h->told && w->connected)
                tell_end(w, h);
        }
    }
    host_lock_leave(&w->lock);
}

static void accept_daemon(struct worker *w)
{
    int fd = accept4(w->config.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        host_poll(NULL, 0, QUIT_POLL_NS); /* no descriptors: it waits, and we do not spin */
        return;
    }
    link_init(&w->link, fd);
    w->connected = true;
    host_lock_enter(&w->lock);
    for (unsigned i = 0; i < WORKER_BUCKETS; i++) {
        for (struct hosted *h = w->bucket[i]; h; h = h->next)
            h->told = false;
    }
    host_lock_leave(&w->lock);
}

static void hear_daemon(struct worker *w)
{
    json_t *message;
    int fd, err = 0;
    while (w->connected && !(err = link_receive(&w->link, &message, &fd)))
        worker_take(w, message, fd);
    if (w->connected && err != -EAGAIN)
        disconnect(w);
}

/* Consoles. */

struct watched {
    struct hosted *hosted[64];
    unsigned count;
};

static unsigned poll_consoles(struct worker *w, struct pollfd *fds, struct watched *watched)
{
    unsigned n = 0;
    watched->count = 0;
    host_lock_enter(&w->lock);
    for (unsigned i = 0; i < WORKER_BUCKETS; i++) {
        for (struct hosted *h = w->bucket[i]; h; h = h->next) {
            if (!h->attached || watched->count == ARRAY_LEN(watched->hosted))
                continue;
            watched->hosted[watched->count++] = h;
            n += hub_poll(h->hub, fds + n);
        }
    }
    host_lock_leave(&w->lock);
    return n;
}

static void serve_consoles(struct worker *w, const struct pollfd *fds,
                           const struct watched *watched)
{
    uint64_t gone[HUB_CLIENTS_MAX];
    for (unsigned i = 0; i < watched->count; i++) {
        struct hosted *h = watched->hosted[i];
        unsigned n = hub_ready(h->hub, fds + (size_t)i * HUB_CLIENTS_MAX, HUB_CLIENTS_MAX, gone);
        for (unsigned k = 0; k < n; k++)
            worker_post(w, json_pack("{s:s, s:I, s:I}", "event", "detached", "vm",
                                     (json_int_t)h->id, "token", (json_int_t)gone[k]));
        host_lock_enter(&w->lock);
        h->attached = hub_has_clients(h->hub);
        if (worker_may_remove(h) || worker_is_overdue(h))
            worker_remove(w, h);
        host_lock_leave(&w->lock);
    }
}

/* The loop. */

static uint64_t wait_ns(const struct worker *w)
{
    return w->quit ? QUIT_POLL_NS : TICK_NS;
}

static void turn(struct worker *w)
{
    struct pollfd fds[POLLS_MAX];
    struct watched watched;
    short events = POLLIN | (link_has_unsent(&w->link) ? POLLOUT : 0);
    fds[0] = (struct pollfd){.fd = w->waker, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = w->connected ? w->link.fd : -1, .events = events};
    fds[2] = (struct pollfd){.fd = w->connected ? -1 : w->config.listener, .events = POLLIN};
    unsigned n = poll_consoles(w, fds + 3, &watched);
    int ready = host_poll(fds, n + 3, wait_ns(w));
    serve_consoles(w, fds + 3, &watched);
    if (ready > 0) {
        if (fds[0].revents)
            host_waker_clear(w->waker);
        if ((fds[1].revents & POLLOUT) && link_flush(&w->link))
            disconnect(w);
        if (fds[1].revents & ~POLLOUT)
            hear_daemon(w);
        if (fds[2].revents)
            accept_daemon(w);
    }
    networks_watch(w);
    send_outbox(w);
    tell_ends(w);
}

/* A worker that is told to end waits for its VMs, for a while. */
static bool is_over(struct worker *w)
{
    uint64_t now = host_monotonic_ns();
    if (!w->quit && !w->connected && now - w->alone_ns > w->config.orphan_ns)
        return true;
    return w->quit && (!w->alive || now > w->quit_ns);
}

/* Life. */

/* Each worker has a file of its own beside the one that was named; NULL: none, or no memory. */
static char *swap_path(const struct worker *w)
{
    char *path = NULL;
    if (w->config.swap && asprintf(&path, "%s.%u", w->config.swap, w->config.index) < 0)
        return NULL;
    return path;
}

static int make_pool(struct worker *w, struct why *why)
{
    w->swap = swap_path(w);
    if (w->config.swap && !w->swap)
        return why_fail(why, -ENOMEM, "no memory");
    struct pool_config config = {.engine = w->engine,
                                 .workers = w->config.threads,
                                 .sync_interrupts = w->config.sync_interrupts,
                                 .memory_bytes = w->config.memory_bytes,
                                 .max_windows = MAX_WINDOWS,
                                 .swap_path = w->swap,
                                 .seed = host_wall_ns() ^ host_tsc(),
                                 .io = w->disks,
                                 .ended = worker_on_end,
                                 .opaque = w};
    if (sched_fair(QUANTUM_NS, &config.sched))
        return why_fail(why, -ENOMEM, "no memory");
    return pool_create(&config, &w->pool, why);
}

static int make_engine(struct worker *w, struct why *why)
{
    enum worker_verify verify = w->config.verify;
    int err = w->config.wiring->engine(verify != WORKER_VERIFY_NOT, &w->engine, why);
    if (err == -ENOPKG && verify == WORKER_VERIFY_IF_CAN)
        err = w->config.wiring->engine(false, &w->engine, why);
    return err;
}

static int open_all(struct worker *w, struct why *why)
{
    int err = make_engine(w, why);
    if (err)
        return err;
    w->waker = host_waker_create();
    if (w->waker < 0 || io_pool_create(DISK_THREADS, &w->disks) ||
        io_pool_create(WORKER_JOBS, &w->jobs))
        return why_fail(why, -ENOMEM, "no memory or descriptors");
    return make_pool(w, why);
}

static void close_all(struct worker *w)
{
    io_pool_destroy(w->jobs);
    if (w->pool)
        pool_destroy(w->pool);
    io_pool_destroy(w->disks);
    if (w->swap)
        unlink(w->swap);
    free(w->swap);
    if (w->engine)
        w->engine->ops->destroy(w->engine);
    if (w->connected)
        link_fini(&w->link);
    if (w->waker >= 0)
        close(w->waker);
    host_lock_fini(&w->network_lock);
    host_lock_fini(&w->lock);
    free(w);
}

int worker_run(const struct worker_config *config, struct why *why)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w || host_lock_init(&w->lock) || host_lock_init(&w->network_lock)) {
        free(w);
        return why_fail(why, -ENOMEM, "no memory");
    }
    w->config = *config;
    w->waker = -1;
    w->link.fd = -1;
    w->alone_ns = host_monotonic_ns();
    signal(SIGPIPE, SIG_IGN);
    fcntl(config->listener, F_SETFL, O_NONBLOCK);
    int err = open_all(w, why);
    while (!err && !is_over(w))
        turn(w);
    if (!err)
        turn(w); /* the last words */
    close_all(w);
    return err;
}
