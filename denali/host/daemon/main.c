/* SPDX-License-Identifier: MIT */
/* denali-host: `denali host` becomes this program. */
#include "denali/host/daemon/api.h"
#include "denali/host/daemon/daemon.h"
#include "denali/host/place.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATUS_FAILED 125
#define TICK_NS 1000000u
#define START_NS 30000000000u /* for who waits for a detached daemon */
#define LEAVING_NS 2000000000u
#define MORE_NS 5000000000u /* after the grace, until the rest is killed */

void daemon_log(const char *fmt, ...)
{
    char text[512], stamp[32];
    va_list args;
    time_t now = time(NULL);
    struct tm tm;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    strftime(stamp, sizeof(stamp), "%FT%TZ", gmtime_r(&now, &tm));
    fprintf(stderr, "denali-host: %s %s\n", stamp, text);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a full disk is an error that is told */
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* A daemon that was killed a moment ago may still be on its way out. */
static bool lock_patiently(int fd)
{
    uint64_t late = host_monotonic_ns() + LEAVING_NS;
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        if (host_monotonic_ns() > late)
            return false;
        host_poll(NULL, 0, LEAVING_NS / 100);
    }
    return true;
}

static int open_api(struct daemon *d, struct why *why)
{
    uint64_t late = host_monotonic_ns() + LEAVING_NS;
    int err;
    while ((err = api_create(d, &d->api, why)) == -EADDRINUSE && host_monotonic_ns() < late)
        host_poll(NULL, 0, LEAVING_NS / 100);
    return err;
}

/* Two daemons with one state would each undo what the other does. */
static int lock_state(struct daemon *d, struct why *why)
{
    char *path;
    int err = place_private_folder(d->config.state, why);
    if (err)
        return err;
    static const char *const folders[] = {"logs", "snapshots"};
    for (size_t i = 0; !err && i < ARRAY_LEN(folders); i++) {
        if (asprintf(&path, "%s/%s", d->config.state, folders[i]) < 0)
            return why_fail(why, -ENOMEM, "no memory");
        err = place_private_folder(path, why);
        free(path);
    }
    if (err || asprintf(&path, "%s/lock", d->config.state) < 0)
        return err ? err : why_fail(why, -ENOMEM, "no memory");
    d->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (d->state_lock < 0)
        return why_fail(why, -errno, "cannot write in %s: %s", d->config.state, strerror(errno));
    if (!lock_patiently(d->state_lock))
        return why_fail(why, -EBUSY, "another daemon uses %s", d->config.state);
    return 0;
}

/* Every VM may cost descriptors, here and in the workers. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int absolute(char **path)
{
    char cwd[4096], *whole;
    if (!*path || **path == '/')
        return 0;
    if (!getcwd(cwd, sizeof(cwd)) || asprintf(&whole, "%s/%s", cwd, *path) < 0)
        return -ENOMEM;
    free(*path);
    *path = whole;
    return 0;
}

/* Of a detached daemon: its workers' words from the first, its own once it is ready to be left
 * alone. Without a file they go nowhere. */
static int open_log(const struct daemon *d)
{
    char *path;
    if (asprintf(&path, "%s/host.log", d->config.state) < 0)
        return -1;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    free(path);
    return fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int open_all(struct daemon *d, struct why *why)
{
    int err = absolute(&d->config.state) || absolute(&d->config.socket) || absolute(&d->config.swap)
                  ? why_fail(why, -ENOMEM, "no memory")
                  : lock_state(d, why);
    if (!err && d->config.detach)
        d->log_fd = open_log(d);
    if (!err && (d->signals = open_signals()) < 0)
        err = why_fail(why, d->signals, "cannot take signals");
    if (!err)
        err = fleet_open(&d->fleet, d->config.state, why);
    if (!err)
        err = open_api(d, why);
    if (!err)
        err = workers_start(d, why);
    return err;
}

static void take_signals(struct daemon *d)
{
    struct signalfd_siginfo info;
    while (read(d->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            workers_reap(d);
        } else if (!d->quit) {
            daemon_log("ending: signal %u", info.ssi_signo);
            d->quit = true;
            d->quit_ns = host_monotonic_ns() + d->config.grace_s * 1000000000ull + MORE_NS;
            workers_quit(d, false);
        }
    }
}

static uint64_t wait_ns(const struct daemon *d)
{
    uint64_t now = host_monotonic_ns(), next = workers_next_ns(d);
    uint64_t other[] = {vms_next_ns(d), api_next_ns(d->api)};
    for (unsigned i = 0; i < 2; i++)
        next = other[i] < next ? other[i] : next;
    return next > now + TICK_NS ? next - now : TICK_NS;
}

static void turn(struct daemon *d)
{
    struct pollfd fds[CONFIG_WORKERS_MAX + API_POLLS + 1];
    unsigned n = workers_poll(d, fds);
    api_poll(d->api, fds + n);
    fds[n + API_POLLS] = (struct pollfd){.fd = d->signals, .events = POLLIN};
    host_poll(fds, n + API_POLLS + 1, wait_ns(d));
    workers_ready(d, fds, n);
    take_signals(d);
    uint64_t now = host_monotonic_ns();
    workers_tick(d, now);
    vms_tick(d, now);
    api_tick(d, now);
    if (d->fleet.unsynced && fleet_sync(&d->fleet))
        daemon_log("the journal could not be written");
    api_run(d->api);
}

static void tell_ready(struct daemon *d)
{
    if (d->ready_fd < 0)
        return;
    if (write(d->ready_fd, "", 1) != 1)
        daemon_log("nobody waits for us");
    close(d->ready_fd);
    d->ready_fd = -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup2(null, 1);
}

static bool all_up(const struct daemon *d)
{
    for (unsigned i = 0; i < d->config.workers; i++) {
        if (d->worker[i].life != WORKER_UP)
            return false;
    }
    return true;
}

/* What ran when the host went down, or is always to run, begins when the workers are there. */
static int loop(struct daemon *d, struct why *why)
{
    bool told = false;
    uint64_t late = host_monotonic_ns() + START_NS;
    while (!d->quit) {
        turn(d);
        if (!told && d->ready_fd >= 0 && host_monotonic_ns() > late) {
            workers_quit(d, true);
            return why_fail(why, -ETIMEDOUT, "the workers do not come up; see %s/host.log",
                            d->config.state);
        }
        if (!told && all_up(d)) {
            told = true;
            daemon_log("ready: %u workers, socket %s", d->config.workers, d->config.socket);
            tell_ready(d);
        }
    }
    while (!workers_quit_done(d) && host_monotonic_ns() < d->quit_ns)
        turn(d);
    if (!workers_quit_done(d))
        workers_quit(d, true);
    return 0;
}

static void close_all(struct daemon *d)
{
    api_destroy(d->api);
    for (unsigned i = 0; i < CONFIG_WORKERS_MAX; i++)
        json_decref(d->worker[i].figures);
    fleet_close(&d->fleet);
    config_fini(&d->config);
    if (d->signals >= 0)
        close(d->signals);
    if (d->state_lock >= 0)
        close(d->state_lock);
}

/* The parent of a detached daemon: waits until it is ready, or has failed. */
static int await_ready(int fd, pid_t pid, const struct daemon *d)
{
    char byte;
    if (read(fd, &byte, 1) != 1) {
        fprintf(stderr, "denali: the daemon has not started; see above, and %s/host.log\n",
                d->config.state ? d->config.state : "");
        return STATUS_FAILED;
    }
    printf("denali-host: ready, pid %d, socket %s\n", (int)pid, d->config.socket);
    return 0;
}

/* 1: the child, which goes on; else the parent's status is in *status. */
static int detach(struct daemon *d, int *status)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC))
        return -errno;
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid) {
        close(pair[1]);
        *status = await_ready(pair[0], pid, d);
        return 0;
    }
    close(pair[0]);
    d->ready_fd = pair[1];
    setsid();
    return 1;
}

static int serve(struct daemon *d, struct why *why)
{
    int err = open_all(d, why);
    if (!err) {
        if (d->log_fd >= 0)
            dup2(d->log_fd, 2);
        err = loop(d, why);
    }
    return err;
}

int main(int argc, char **argv)
{
    struct daemon d = {.signals = -1, .state_lock = -1, .log_fd = -1, .ready_fd = -1};
    struct why why = {""};
    int status = 0;
    raise_limits();
    int err = config_parse(argc - 1, argv + 1, &d.config, &why);
    int go = err ? err : d.config.detach ? detach(&d, &status) : 1;
    if (go == 1)
        err = serve(&d, &why);
    else if (go < 0 && !err)
        err = why_fail(&why, go, "cannot detach: %s", strerror(-go));
    if (err)
        fprintf(stderr, "denali: %s\n", why.text);
    if (go == 1)
        close_all(&d);
    else
        config_fini(&d.config);
    return err ? STATUS_FAILED : status;
}
