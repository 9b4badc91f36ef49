/* SPDX-License-Identifier: MIT */
/*
 * The parent gives a worker the number of a job through a pipe and gets a length and a packed
 * outcome through another. A worker that finds its pipe closed ends.
 */
#include "emu/test/farm.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 100
#define WORKERS_MAX 256u
#define LENGTH_MAX (1u << 30)

struct worker {
    pid_t pid; /* 0: none */
    int to, from;
    bool busy;
    unsigned job;
    uint64_t since_ns;
    struct buffer got; /* of the answer */
};

struct farm {
    const struct farm_config *config;
    struct worker *worker;
    unsigned workers, next, running;
    bool closing; /* no further job */
};

/* ---- in a worker ---- */

static bool read_whole(int fd, void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, (char *)data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool write_whole(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool answer(int fd, const struct outcome *outcome)
{
    struct buffer b = {0};
    outcome_pack(outcome, &b);
    uint64_t len = b.len;
    bool good = !b.failed && write_whole(fd, &len, sizeof(len)) && write_whole(fd, b.data, b.len);
    buffer_free(&b);
    return good;
}

NORETURN static void work(const struct farm_config *config, unsigned number, int from, int to)
{
    struct runner *runner;
    uint32_t job;
    signal(SIGINT, SIG_IGN); /* the parent ends us */
    if (runner_create(&runner))
        _exit(1);
    while (read_whole(from, &job, sizeof(job))) {
        struct outcome outcome = {0};
        config->run(config->opaque, runner, job, &outcome);
        if (!answer(to, &outcome))
            break;
        outcome_free(&outcome);
    }
    if (config->leave)
        config->leave(config->opaque, runner, number);
    runner_destroy(runner);
    fflush(NULL);
    _exit(0);
}

/* ---- in the parent ---- */

static void close_pipes(struct worker *w)
{
    close(w->to);
    close(w->from);
}

/* A new worker must not keep the others' pipes open. */
static void in_child(struct farm *farm, struct worker *w, int job_pipe[2], int answer_pipe[2])
{
    for (unsigned i = 0; i < farm->workers; i++) {
        if (farm->worker[i].pid)
            close_pipes(&farm->worker[i]);
    }
    close(job_pipe[1]);
    close(answer_pipe[0]);
    work(farm->config, (unsigned)(w - farm->worker), job_pipe[0], answer_pipe[1]);
}

static int start(struct farm *farm, struct worker *w, struct why *why)
{
    int job_pipe[2], answer_pipe[2];
    if (pipe2(job_pipe, O_CLOEXEC))
        return why_fail(why, -errno, "no pipe for a worker: %s", strerror(errno));
    if (pipe2(answer_pipe, O_CLOEXEC)) {
        close(job_pipe[0]);
        close(job_pipe[1]);
        return why_fail(why, -errno, "no pipe for a worker: %s", strerror(errno));
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        in_child(farm, w, job_pipe, answer_pipe);
    close(job_pipe[0]);
    close(answer_pipe[1]);
    *w = (struct worker){.pid = pid, .to = job_pipe[1], .from = answer_pipe[0]};
    if (pid > 0)
        return 0;
    close_pipes(w);
    w->pid = 0;
    return why_fail(why, -errno, "no process for a worker: %s", strerror(errno));
}

static int give_job(struct farm *farm, struct worker *w, struct why *why)
{
    uint32_t job = farm->next;
    int err = w->pid ? 0 : start(farm, w, why);
    if (err)
        return err;
    farm->next++;
    farm->running++;
    w->job = job;
    w->busy = true;
    w->since_ns = host_monotonic_ns();
    buffer_clear(&w->got);
    (void)write_whole(w->to, &job, sizeof(job)); /* a dead worker is noticed when it is read from */
    return 0;
}

static void finish_job(struct farm *farm, struct worker *w, struct outcome *outcome)
{
    w->busy = false;
    farm->running--;
    if (!farm->config->done(farm->config->opaque, w->job, outcome))
        farm->closing = true;
}

/* It is gone; its pipes and what it was about, too. */
static int bury(struct worker *w)
{
    int status = 0;
    close_pipes(w);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    buffer_free(&w->got);
    return status;
}

static void lose_job(struct farm *farm, struct worker *w, bool late)
{
    struct outcome outcome = {.verdict = VERDICT_FAILED, .end = late ? END_SECONDS : END_HOST};
    int status = bury(w);
    if (late)
        outcome_fail(&outcome, "no end within its time: its process was ended");
    else
        outcome_fail(&outcome, "the process that ran it died (%s %d): a bug of denali",
                     WIFSIGNALED(status) ? "signal" : "status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    buffer_text(&outcome.end_text, late ? "timeout" : "its process died");
    finish_job(farm, w, &outcome);
}

/* True: the answer is whole. */
static bool read_part(struct worker *w, bool *dead)
{
    char part[65536];
    uint64_t len;
    ssize_t n = read(w->from, part, sizeof(part));
    *dead = n <= 0 && !(n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n > 0)
        buffer_add(&w->got, part, (size_t)n);
    if (w->got.len < sizeof(len))
        return false;
    memcpy(&len, w->got.data, sizeof(len));
    *dead = *dead || len > LENGTH_MAX || w->got.failed;
    return w->got.len - sizeof(len) >= len;
}

static void hear(struct farm *farm, struct worker *w)
{
    bool dead;
    if (!read_part(w, &dead)) {
        if (dead && w->busy)
            lose_job(farm, w, false);
        return;
    }
    struct outcome outcome = {0};
    struct buffer_reader in = {w->got.data + sizeof(uint64_t), w->got.data + w->got.len, false};
    if (!outcome_unpack(&in, &outcome)) {
        outcome_free(&outcome);
        kill(w->pid, SIGKILL);
        lose_job(farm, w, false);
        return;
    }
    finish_job(farm, w, &outcome);
}

static void end_late_ones(struct farm *farm)
{
    uint64_t now = host_monotonic_ns();
    for (unsigned i = 0; i < farm->workers; i++) {
        struct worker *w = &farm->worker[i];
        if (!w->busy || now - w->since_ns < farm->config->limit_ns(farm->config->opaque, w->job))
            continue;
        kill(w->pid, SIGKILL);
        lose_job(farm, w, true);
    }
}

static void wait_for_some(struct farm *farm)
{
    struct pollfd fd[WORKERS_MAX];
    for (unsigned i = 0; i < farm->workers; i++)
        fd[i] = (struct pollfd){.fd = farm->worker[i].busy ? farm->worker[i].from : -1,
                                .events = POLLIN};
    if (poll(fd, farm->workers, TICK_MS) <= 0)
        return;
    for (unsigned i = 0; i < farm->workers; i++) {
        if (fd[i].revents && farm->worker[i].busy)
            hear(farm, &farm->worker[i]);
    }
}

static int give_jobs(struct farm *farm, struct why *why)
{
    int err = 0;
    for (unsigned i = 0; !err && i < farm->workers; i++) {
        struct worker *w = &farm->worker[i];
        if (!w->busy && farm->next < farm->config->jobs && !farm->closing)
            err = give_job(farm, w, why);
    }
    return err;
}

/* Lets workers leave, or ends them. */
static void dismiss(struct farm *farm, bool now)
{
    for (unsigned i = 0; i < farm->workers; i++) {
        struct worker *w = &farm->worker[i];
        if (!w->pid)
            continue;
        if (now)
            kill(w->pid, SIGKILL);
        bury(w);
    }
}

int farm_run(const struct farm_config *config, struct why *why)
{
    struct farm farm = {.config = config, .workers = config->workers};
    if (farm.workers > config->jobs)
        farm.workers = config->jobs;
    if (farm.workers > WORKERS_MAX)
        farm.workers = WORKERS_MAX;
    farm.worker = calloc(farm.workers + 1, sizeof(*farm.worker));
    if (!farm.worker)
        return why_fail(why, -ENOMEM, "no memory");
    signal(SIGPIPE, SIG_IGN);
    bool stop = false;
    int err = 0;
    while (!err && !stop && (farm.running || (farm.next < config->jobs && !farm.closing))) {
        err = give_jobs(&farm, why);
        wait_for_some(&farm);
        end_late_ones(&farm);
        stop = config->tick && !config->tick(config->opaque);
    }
    dismiss(&farm, stop || err);
    free(farm.worker);
    return err;
}
