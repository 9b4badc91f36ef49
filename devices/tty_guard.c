/* SPDX-License-Identifier: MIT */
/*
 * The guard is a fork of a process that may have threads, so between fork and
 * _exit it calls only what is safe in a signal handler. It keeps the terminal
 * and the pipe and nothing else: not a lock on a disk, not the end of somebody's
 * pipeline.
 */
#include "devices/tty_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct tty_guard {
    int pipe;
    pid_t pid;
};

static const int ignored[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN};

static NORETURN void watch(int pipe, const struct termios *found)
{
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    dup2(pipe, 1);
    close(2);
    syscall(SYS_close_range, 3u, ~0u, 0u);
    char byte;
    ssize_t n;
    do
        n = read(1, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 0) /* no word that all is well */
        tcsetattr(0, TCSANOW, found);
    _exit(0);
}

static int start(struct tty_guard *guard, const struct termios *found)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    guard->pid = fork();
    if (guard->pid == 0)
        watch(ends[0], found);
    close(ends[0]);
    guard->pipe = ends[1];
    if (guard->pid > 0)
        return 0;
    int err = -errno;
    close(ends[1]);
    return err;
}

int tty_guard_start(const struct termios *found, struct tty_guard **out)
{
    struct tty_guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return -ENOMEM;
    int err = start(guard, found);
    if (err)
        free(guard);
    else
        *out = guard;
    return err;
}

void tty_guard_end(struct tty_guard *guard)
{
    if (!guard)
        return;
    ssize_t n = write(guard->pipe, "", 1);
    (void)n;
    close(guard->pipe);
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(guard);
}
