/* SPDX-License-Identifier: MIT */
/*
 * The worker processes. Each listens on a socket of its own in the state folder,
 * so that a daemon that comes after us finds them: workers outlive a daemon that
 * was killed, for a while. The end of a link is the end of its worker, whoever
 * started it; a new one takes its place, sooner or later.
 */
#include "denali/host/daemon/daemon.h"
#include "denali/host/daemon/group.h"

#include "denali/host/place.h"
#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"

#define SECOND_NS 1000000000u
#define PING_NS (1 * (uint64_t)SECOND_NS)
#define STALLED_NS (5 * (uint64_t)SECOND_NS)
#define BACKOFF_NS 100000000u
#define BACKOFF_MAX_NS (10 * (uint64_t)SECOND_NS)
/* A worker that lived this long did not die of how it was started. */
#define LIVED_NS (10 * (uint64_t)SECOND_NS)
#define LISTEN_FD 3

static char *socket_path(const struct daemon *d, unsigned index)
{
    char *path;
    return asprintf(&path, "%s/worker-%u.sock", d->config.state, index) < 0 ? NULL : path;
}

/* Its program: `denali`, beside this one or where it was installed. */
static int worker_program(char *path, size_t room)
{
    ssize_t len = readlink("/proc/self/exe", path, room - 1);
    if (len < 0)
        return -errno;
    path[len] = 0;
    char *slash = strrchr(path, '/');
    if (!slash || (size_t)(slash - path) + sizeof("/denali") > room)
        return -ENAMETOOLONG;
    strcpy(slash, "/denali");
    if (!access(path, X_OK))
        return 0;
    return snprintf(path, room, "%s/denali", DENALI_BINDIR) < (int)room ? 0 : -ENAMETOOLONG;
}

struct worker_args {
    char index[16], threads[16], memory[24], orphan[16], grace[16];
};

/* posix_spawn takes words that it does not change. */
#define W(word) ((char *)(uintptr_t)(word))

static int exec_worker(struct daemon *d, struct worker *w, int listener)
{
    extern char **environ;
    char program[PATH_MAX];
    struct worker_args a;
    int err = worker_program(program, sizeof(program));
    if (err)
        return err;
    snprintf(a.index, sizeof(a.index), "%u", w->index);
    snprintf(a.threads, sizeof(a.threads), "%u", d->config.threads);
    snprintf(a.memory, sizeof(a.memory), "%llu",
             (unsigned long long)(d->config.memory_bytes / d->workers));
    snprintf(a.orphan, sizeof(a.orphan), "%u", d->config.orphan_s);
    char *argv[18] = {program,        W("host"), W("--worker"), a.index,
                      W("--threads"), a.threads, W("--memory"), a.memory,
                      W("--orphan"),  a.orphan,  W("--state"),  d->config.state};
    unsigned n = 12;
    if (d->config.swap) {
        argv[n++] = W("--swap");
        argv[n++] = d->config.swap;
    }
    if (d->config.sync_interrupts)
        argv[n++] = W("--sync-interrupts");
    if (d->config.verify || d->config.no_verify)
        argv[n++] = d->config.verify ? W("--verify") : W("--no-verify");
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    /* A session of its own: what ends the daemon's terminal does not end the VMs. */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    err = posix_spawn_file_actions_adddup2(&actions, listener, LISTEN_FD);
    for (int fd = 1; !err && fd <= 2; fd++)
        err = posix_spawn_file_actions_adddup2(&actions, d->log_fd >= 0 ? d->log_fd : 2, fd);
    if (!err)
        err = posix_spawn(&w->pid, program, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return -err;
}

static int connect_to(struct worker *w, const char *path)
{
    int fd = place_connect(path);
    if (fd < 0)
        return fd;
    if (fcntl(fd, F_SETFL, O_NONBLOCK)) {
        close(fd);
        return -errno;
    }
    link_init(&w->link, fd);
    w->life = WORKER_GREETING;
    w->heard_ns = w->started_ns = host_monotonic_ns();
    return 0;
}

/* dup2 onto the same number would leave close-on-exec set. */
static int above(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, LISTEN_FD + 1);
    close(fd);
    return high < 0 ? -errno : high;
}

static int spawn(struct daemon *d, struct worker *w, struct why *why)
{
    char *path = socket_path(d, w->index);
    int listener = path ? place_listen(path, why) : -ENOMEM;
    if (listener >= 0)
        listener = above(listener);
    int err = listener < 0 ? listener : exec_worker(d, w, listener);
    if (!err) {
        w->child = true;
        err = connect_to(w, path); /* it is ours that accepts, or nobody */
    }
    if (listener >= 0)
        close(listener);
    free(path);
    return err;
}

static uint64_t backoff(unsigned deaths)
{
    uint64_t ns = deaths ? (uint64_t)BACKOFF_NS << (deaths < 8 ? deaths - 1 : 7) : 0;
    return ns < BACKOFF_MAX_NS ? ns : BACKOFF_MAX_NS;
}

/* Whom signals will go to: one that we started we know; of one that an earlier daemon started the
 * kernel must say the same as it does itself. 0: nobody. */
static pid_t pid_of(const struct worker *w, json_int_t said)
{
    pid_t known = w->child ? w->pid : place_peer(w->link.fd);
    if (known > 0 && known == said)
        return known;
    daemon_log("worker %u says that it is process %lld, and is %d", w->index, (long long)said,
               (int)known);
    return w->child ? w->pid : 0;
}

/* The greeting: who it is and what it runs, which is nothing if we have just started it. */
static void greeted(struct daemon *d, struct ask *ask, const json_t *answer)
{
    struct worker *w = ask->worker;
    if (!answer)
        return;
    w->life = WORKER_UP;
    w->pid = pid_of(w, json_integer_value(json_object_get(answer, "pid")));
    daemon_log("worker %u is up (pid %d)%s", w->index, (int)w->pid,
               w->child ? "" : ", from an earlier daemon");
    if (!w->child)
        vms_adopt(d, w, json_object_get(answer, "vms"));
    vms_all_adopted(d);
}

static void greet(struct daemon *d, struct worker *w)
{
    (void)d;
    if (!ask_send(w, json_pack("{s:s}", "op", "hello"), greeted, -1))
        daemon_log("worker %u cannot be greeted", w->index);
}

static void bring_up(struct daemon *d, struct worker *w)
{
    struct why why = {""};
    int err = spawn(d, w, &why);
    if (!err) {
        greet(d, w);
        return;
    }
    w->deaths++;
    w->spawn_ns = host_monotonic_ns() + backoff(w->deaths);
    daemon_log("worker %u cannot be started: %s", w->index,
               why.text[0] ? why.text : strerror(-err));
}

/* One that an earlier daemon left. */
static bool find_old(struct daemon *d, struct worker *w)
{
    char *path = socket_path(d, w->index);
    int err = path ? connect_to(w, path) : -ENOMEM;
    free(path);
    if (!err)
        greet(d, w);
    return !err;
}

int workers_start(struct daemon *d, struct why *why)
{
    unsigned up = 0;
    d->workers = d->config.workers;
    for (unsigned i = 0; i < CONFIG_WORKERS_MAX; i++) {
        d->worker[i].index = i;
        link_init(&d->worker[i].link, -1);
        /* More than are wanted now: they go on until they are empty. */
        if (find_old(d, &d->worker[i]) && i >= d->workers)
            d->workers = i + 1;
    }
    for (unsigned i = 0; i < d->workers; i++) {
        if (d->worker[i].life == WORKER_DOWN)
            bring_up(d, &d->worker[i]);
        up += d->worker[i].life != WORKER_DOWN;
    }
    return up ? 0 : why_fail(why, -EAGAIN, "no worker could be started; see above");
}

static void describe_status(int status, char *out, size_t room)
{
    if (WIFSIGNALED(status))
        snprintf(out, room, "was killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        snprintf(out, room, "ended with status %d", WEXITSTATUS(status));
    else
        snprintf(out, room, "ended");
}

static void take_down(struct daemon *d, struct worker *w, const char *how)
{
    uint64_t now = host_monotonic_ns();
    link_fini(&w->link);
    w->life = WORKER_DOWN;
    w->deaths = now - w->started_ns > LIVED_NS ? 1 : w->deaths + 1;
    w->spawn_ns = now + (w->deaths > 1 ? backoff(w->deaths) : 0);
    if (!d->quit)
        daemon_log("worker %u (pid %d) %s", w->index, (int)w->pid, how);
    asks_fail(d, w);
    if (!d->quit)
        vms_worker_died(d, w, how);
    w->pid = 0;
    w->child = false;
}

/* Its link has ended. It is dead, or good for nothing. */
static void lost(struct daemon *d, struct worker *w)
{
    char how[64] = "is gone";
    int status;
    kill(w->pid, w->pid > 0 ? SIGKILL : 0);
    if (w->child && w->pid > 0 && waitpid(w->pid, &status, 0) == w->pid)
        describe_status(status, how, sizeof(how));
    take_down(d, w, how);
}

void workers_reap(struct daemon *d)
{
    int status;
    for (unsigned i = 0; i < d->workers; i++) {
        struct worker *w = &d->worker[i];
        char how[64];
        if (!w->child || w->pid <= 0 || waitpid(w->pid, &status, WNOHANG) != w->pid)
            continue;
        describe_status(status, how, sizeof(how));
        take_down(d, w, how);
    }
}

static void heard(struct daemon *d, struct worker *w, const json_t *message, int fd)
{
    uint64_t now = host_monotonic_ns();
    if (now - w->heard_ns > STALLED_NS)
        daemon_log("worker %u answers again", w->index);
    w->heard_ns = now;
    if (json_object_get(message, "seq"))
        ask_answered(d, w, message);
    else
        vms_event(d, w, message, fd);
    if (json_object_get(message, "seq") && fd >= 0)
        close(fd);
}

static void receive(struct daemon *d, struct worker *w)
{
    json_t *message;
    int fd, err;
    while (!(err = link_receive(&w->link, &message, &fd))) {
        heard(d, w, message, fd);
        json_decref(message);
        if (w->life == WORKER_DOWN)
            return;
    }
    if (err != -EAGAIN)
        lost(d, w);
}

unsigned workers_poll(struct daemon *d, struct pollfd *fds)
{
    for (unsigned i = 0; i < d->workers; i++) {
        struct worker *w = &d->worker[i];
        short events = POLLIN | (link_has_unsent(&w->link) ? POLLOUT : 0);
        fds[i] = (struct pollfd){.fd = w->life == WORKER_DOWN ? -1 : w->link.fd, .events = events};
    }
    return d->workers;
}

void workers_ready(struct daemon *d, const struct pollfd *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct worker *w = &d->worker[i];
        if (!fds[i].revents || w->life == WORKER_DOWN || w->link.fd != fds[i].fd)
            continue;
        if ((fds[i].revents & POLLOUT) && link_flush(&w->link))
            lost(d, w);
        else if (fds[i].revents & ~POLLOUT)
            receive(d, w);
    }
}

bool worker_is_stalled(const struct worker *w, uint64_t now_ns)
{
    return w->life != WORKER_DOWN && w->ping_ns > w->heard_ns && now_ns - w->heard_ns > STALLED_NS;
}

static void ponged(struct daemon *d, struct ask *ask, const json_t *answer)
{
    (void)d;
    if (!answer || !json_object_get(answer, "used_bytes"))
        return;
    json_decref(ask->worker->figures);
    ask->worker->figures = json_copy((json_t *)answer);
    json_object_del(ask->worker->figures, "seq");
}

/* One ping at a time: a worker that is stopped is not flooded. */
static void ping(struct worker *w, uint64_t now_ns)
{
    if (w->life != WORKER_UP || now_ns - w->ping_ns < PING_NS ||
        (w->ping_ns > w->heard_ns && now_ns - w->heard_ns < 3600 * (uint64_t)SECOND_NS))
        return;
    if (ask_send(w, json_pack("{s:s}", "op", "ping"), ponged, -1))
        w->ping_ns = now_ns;
}

void workers_tick(struct daemon *d, uint64_t now_ns)
{
    for (unsigned i = 0; i < d->workers && !d->quit; i++) {
        struct worker *w = &d->worker[i];
        if (w->life == WORKER_DOWN && now_ns >= w->spawn_ns && i < d->config.workers)
            bring_up(d, w);
        ping(w, now_ns);
    }
}

uint64_t workers_next_ns(const struct daemon *d)
{
    uint64_t now = host_monotonic_ns(), next = now + PING_NS;
    for (unsigned i = 0; i < d->workers; i++) {
        const struct worker *w = &d->worker[i];
        if (w->life == WORKER_DOWN && i < d->config.workers && w->spawn_ns < next)
            next = w->spawn_ns;
    }
    return next > now ? next : now;
}

static void quit_one(struct daemon *d, struct worker *w)
{
    json_t *m = json_pack("{s:s, s:i}", "op", "quit", "grace_s", (int)d->config.grace_s);
    if (!ask_send(w, m, ponged, -1))
        daemon_log("worker %u cannot be asked to end", w->index);
}

void workers_quit(struct daemon *d, bool kill_them)
{
    for (unsigned i = 0; i < d->workers; i++) {
        struct worker *w = &d->worker[i];
        if (w->life == WORKER_DOWN)
            continue;
        if (!kill_them)
            quit_one(d, w);
        else if (w->pid > 0)
            kill(w->pid, SIGKILL);
    }
}

bool workers_quit_done(const struct daemon *d)
{
    for (unsigned i = 0; i < d->workers; i++) {
        if (d->worker[i].life != WORKER_DOWN)
            return false;
    }
    return true;
}

/* A group's worker; else the one with the fewest VMs. */
struct worker *workers_pick(struct daemon *d, const struct fleet_vm *vm)
{
    struct worker *best = NULL;
    uint64_t now = host_monotonic_ns();
    if (vm && vm->group && vm->group->worker >= 0)
        return &d->worker[vm->group->worker];
    for (unsigned i = 0; i < d->config.workers; i++) {
        struct worker *w = &d->worker[i];
        if (w->life != WORKER_DOWN && !worker_is_stalled(w, now) && (!best || w->vms < best->vms))
            best = w;
    }
    if (best && vm && vm->group)
        vm->group->worker = (int)best->index;
    return best;
}

json_t *worker_describe(const struct worker *w)
{
    uint64_t now = host_monotonic_ns();
    const char *state = w->life == WORKER_DOWN       ? "down"
                        : worker_is_stalled(w, now)  ? "stalled"
                        : w->life == WORKER_GREETING ? "starting"
                                                     : "up";
    json_t *o = json_pack("{s:i, s:i, s:s, s:i}", "index", (int)w->index, "pid", (int)w->pid,
                          "state", state, "vms", (int)w->vms);
    if (o && w->figures && w->life == WORKER_UP)
        json_object_update_missing(o, w->figures);
    return o;
}
