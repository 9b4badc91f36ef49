/* SPDX-License-Identifier: MIT */
/*
 * How long the host kept those threads waiting for a processor that questions and
 * answers pass through: who asks, and the pool's (Linux: the second number of
 * /proc/self/task/TID/schedstat). What other programs of the host do is not the
 * attack's doing, so it is taken off the victim's time; elsewhere it is 0. The pool's
 * disk threads are not among them: if they keep a worker from running, that counts.
 */
#include "testsuite/hostile/world_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_known(const struct hostile_waits *waits, int tid)
{
    for (unsigned i = 0; i < waits->seen_count; i++) {
        if (waits->seen[i] == tid)
            return true;
    }
    return false;
}

static void open_one(struct hostile_waits *waits, int tid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
    int fd = waits->count < HOSTILE_THREADS ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0)
        waits->fd[waits->count++] = fd;
}

void hostile_waits_look(struct hostile_waits *waits, bool open_new)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *e;
    while (tasks && (e = readdir(tasks))) {
        int tid = atoi(e->d_name);
        if (!tid || is_known(waits, tid))
            continue;
        if (waits->seen_count < HOSTILE_THREADS)
            waits->seen[waits->seen_count++] = tid;
        if (open_new)
            open_one(waits, tid);
    }
    if (tasks)
        closedir(tasks);
}

void hostile_waits_open_self(struct hostile_waits *waits)
{
    open_one(waits, (int)getpid());
}

uint64_t hostile_waits_ns(const struct hostile_waits *waits)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < waits->count; i++) {
        char text[96];
        ssize_t n = pread(waits->fd[i], text, sizeof(text) - 1, 0);
        char *space = n > 0 ? (text[n] = 0, strchr(text, ' ')) : NULL;
        sum += space ? strtoull(space, NULL, 10) : 0;
    }
    return sum;
}

void hostile_waits_fini(struct hostile_waits *waits)
{
    while (waits->count)
        close(waits->fd[--waits->count]);
}
