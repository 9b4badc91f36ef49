/* SPDX-License-Identifier: MIT */
/* The parent's side of native32.c: starts it and passes batches through shared memory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testsuite/insn/runner.h"

struct native {
    struct runner runner;
    struct insn_shared *shared;
    pid_t pid;
    int to_child, from_child;
};

static int native_run(struct runner *runner, const struct insn_case *cases, unsigned count,
                      struct insn_outcome *outcomes)
{
    struct native *n = (struct native *)runner;
    uint8_t byte = 0;
    n->shared->count = count;
    memcpy(n->shared->cases, cases, count * sizeof(*cases));
    if (write(n->to_child, &byte, 1) != 1 || read(n->from_child, &byte, 1) != 1)
        return -EPIPE;
    memcpy(outcomes, n->shared->outcomes, count * sizeof(*outcomes));
    return 0;
}

static void native_destroy(struct runner *runner)
{
    struct native *n = (struct native *)runner;
    close(n->to_child);
    close(n->from_child);
    if (n->pid > 0) {
        kill(n->pid, SIGKILL);
        waitpid(n->pid, NULL, 0);
    }
    if (n->shared != MAP_FAILED)
        munmap(n->shared, sizeof(*n->shared));
    free(n);
}

static void child_exec(const char *helper, int memory, int in, int out)
{
    /* memory may be 3 already: dup2 would leave close-on-exec set. */
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(memory, 3) < 0 || fcntl(3, F_SETFD, 0) < 0)
        _exit(127);
    execl(helper, helper, (char *)NULL);
    _exit(127);
}

static int start(struct native *n, const char *helper, int memory)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0)
        return -errno;
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]);
        close(to[1]);
        return -errno;
    }
    n->to_child = to[1];
    n->from_child = from[0];
    n->pid = fork();
    if (n->pid == 0)
        child_exec(helper, memory, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    return n->pid < 0 ? -errno : 0;
}

struct runner *runner_native_create(const char *helper)
{
    struct native *n = calloc(1, sizeof(*n));
    if (!n || access(helper, X_OK) != 0) {
        free(n);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    n->runner = (struct runner){.name = "native", .run = native_run, .destroy = native_destroy};
    n->to_child = n->from_child = -1;
    int memory = memfd_create("insn", MFD_CLOEXEC);
    if (memory >= 0 && ftruncate(memory, sizeof(*n->shared)) != 0) {
        close(memory);
        memory = -1;
    }
    n->shared = mmap(NULL, sizeof(*n->shared), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    int err = n->shared == MAP_FAILED ? -errno : start(n, helper, memory);
    if (memory >= 0)
        close(memory);
    if (err) {
        native_destroy(&n->runner);
        return NULL;
    }
    return &n->runner;
}
