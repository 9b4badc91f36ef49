/* SPDX-License-Identifier: MIT */
/*
 * A Linux program on the host's own processor and kernel, as a yardstick: the same file, arguments,
 * environment and input. It runs with the rights of whoever runs the test, in the root folder of
 * the specification if it comes from there.
 */
#include "emu/test/run_native.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/test/match.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 113 /* of the child: it could not be started */

struct native {
    const struct spec *spec;
    struct outcome *out;
    const char *path; /* of the program, as the child sees it */
    bool in_root;
    char **argv, **env;
    int input, from[2]; /* stdout and stderr */
    pid_t pid;
    uint64_t end_ns;
    bool flooded, late;
};

/* Why it has no native run; NULL: it has. */
static const char *excuse(const struct spec *spec)
{
    struct stat st;
#if !defined(__x86_64__) && !defined(__i386__)
    return "the host is no x86";
#endif
    if (spec->kind != SPEC_LINUX)
        return "only Linux programs run natively";
    if (spec->steps || spec->terminal || spec->peers || spec->disks || spec->guest_files)
        return "a script, a terminal, peers, disks and files are a machine's";
    if (spec->root && (stat(spec->root, &st) || !S_ISDIR(st.st_mode)))
        return "its root is no folder";
    return NULL;
}

/* ---- the child ---- */

static int enter_root(const struct native *n)
{
    if (!n->in_root)
        return chdir(n->spec->cwd ? n->spec->cwd : "/");
    if (chroot(n->spec->root) && (unshare(CLONE_NEWUSER) || chroot(n->spec->root)))
        return -1;
    return chdir(n->spec->cwd ? n->spec->cwd : "/");
}

NORETURN static void in_child(const struct native *n, const int to[2])
{
    host_signals_reset();
    setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    if (dup2(n->input, 0) >= 0 && dup2(to[0], 1) >= 0 && dup2(to[1], 2) >= 0 && !enter_root(n))
        execvpe(n->path, n->argv, n->env);
    _exit(CANNOT);
}

/* ---- the parent ---- */

static int make_lists(struct native *n)
{
    const struct spec *spec = n->spec;
    const char *slash = strrchr(spec->image, '/');
    n->argv = calloc(spec->args.count + 2, sizeof(*n->argv));
    n->env = calloc(spec->env.count + 5, sizeof(*n->env));
    if (!n->argv || !n->env)
        return -ENOMEM;
    unsigned count = 0;
    n->argv[0] = (char *)(slash && !n->in_root ? slash + 1 : spec->image);
    for (unsigned i = 0; i < spec->args.count; i++)
        n->argv[i + 1] = (char *)spec->args.item[i].data;
    for (unsigned i = 0; i < spec->env.count; i++)
        n->env[count++] = (char *)spec->env.item[i].data;
    static const char *const usual[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
        "LANG=C.UTF-8", "TERM=dumb"};
    for (unsigned i = 0; i < ARRAY_LEN(usual); i++)
        n->env[count++] = (char *)usual[i];
    return 0;
}

static int start(struct native *n)
{
    int out[2], err[2];
    n->input = host_memobj_create("stdin", 0);
    if (n->input < 0 || pipe2(out, O_CLOEXEC))
        return -errno;
    if (pipe2(err, O_CLOEXEC)) {
        close(out[0]);
        close(out[1]);
        return -errno;
    }
    if (n->spec->input.len &&
        write(n->input, n->spec->input.data, n->spec->input.len) != (ssize_t)n->spec->input.len)
        buffer_text(&n->out->story, "its input is not whole\n");
    lseek(n->input, 0, SEEK_SET);
    const int to[2] = {out[1], err[1]};
    n->from[0] = out[0];
    n->from[1] = err[0];
    fflush(NULL);
    n->pid = fork();
    if (n->pid == 0)
        in_child(n, to);
    close(out[1]);
    close(err[1]);
    return n->pid < 0 ? -errno : 0;
}

/* False: this stream has ended. */
static bool read_some(struct native *n, unsigned stream)
{
    char part[65536];
    ssize_t got = read(n->from[stream], part, sizeof(part));
    uint64_t room = n->spec->max_output - n->out->all.len;
    if (got <= 0)
        return got < 0 && errno == EINTR;
    size_t kept = (uint64_t)got < room ? (size_t)got : (size_t)room;
    n->flooded = n->flooded || kept < (size_t)got;
    buffer_add(stream ? &n->out->err : &n->out->out, part, kept);
    buffer_add(&n->out->all, part, kept);
    return true;
}

static void read_all(struct native *n)
{
    struct pollfd fd[2] = {{.fd = n->from[0], .events = POLLIN},
                           {.fd = n->from[1], .events = POLLIN}};
    while ((fd[0].fd >= 0 || fd[1].fd >= 0) && !n->flooded && !n->late) {
        uint64_t now = host_monotonic_ns();
        n->late = now >= n->end_ns;
        if (n->late || host_poll(fd, 2, n->end_ns - now) <= 0)
            continue;
        for (unsigned i = 0; i < 2; i++) {
            if (fd[i].revents && !read_some(n, i))
                fd[i].fd = -1;
        }
    }
}

static void tell(struct native *n, int status)
{
    struct outcome *out = n->out;
    buffer_clear(&out->end_text);
    if (n->late || n->flooded) {
        out->end = n->late ? END_SECONDS : END_OUTPUT;
        buffer_text(&out->end_text, n->late ? "no end within the timeout" : "too much output");
    } else if (WIFSIGNALED(status)) {
        out->end = END_SIGNAL;
        out->signal = (uint64_t)WTERMSIG(status);
        out->status = 128 + out->signal;
        buffer_print(&out->end_text, "signal %d", WTERMSIG(status));
    } else {
        out->end = END_EXIT;
        out->status = (uint64_t)WEXITSTATUS(status);
        buffer_print(&out->end_text, "exit status %d", WEXITSTATUS(status));
    }
}

static void finish(struct native *n)
{
    int status = 0;
    if (n->late || n->flooded)
        kill(-n->pid, SIGKILL);
    while (waitpid(n->pid, &status, 0) < 0 && errno == EINTR)
        ;
    kill(-n->pid, SIGKILL); /* what it left behind */
    tell(n, status);
    close(n->from[0]);
    close(n->from[1]);
}

static void check(struct native *n)
{
    const struct spec_expect *e = &n->spec->expect;
    struct outcome *out = n->out;
    bool ended = out->end == END_EXIT || out->end == END_SIGNAL;
    if (!ended || (!e->any_status && !e->signal && out->status != e->status))
        outcome_fail(out, "natively it did not end as expected, but: %s",
                     buffer_string(&out->end_text));
    match_text("stdout", &e->out, out->out.data, out->out.len, out);
    match_text("stderr", &e->err, out->err.data, out->err.len, out);
}

void run_native(const struct spec *spec, const struct run_wish *wish, struct outcome *out)
{
    struct native n = {.spec = spec, .out = out, .input = -1, .path = spec->image};
    const char *why = excuse(spec);
    out->verdict = VERDICT_SKIPPED;
    if (why) {
        buffer_print(&out->why, "not natively: %s", why);
        return;
    }
    n.in_root = spec->root && (*spec->image == '/' || !strchr(spec->image, '/'));
    char *whole = n.in_root ? NULL : realpath(spec->image, NULL);
    n.path = whole ? whole : n.path;
    n.end_ns = host_monotonic_ns() + spec->timeout_ns;
    int err = make_lists(&n);
    if (!err)
        err = start(&n);
    if (!err) {
        read_all(&n);
        finish(&n);
    }
    if (n.input >= 0)
        close(n.input);
    free(n.argv);
    free(n.env);
    free(whole);
    if (err || (out->end == END_EXIT && out->status == CANNOT)) {
        buffer_print(&out->why, "not natively: it cannot be started on this host");
        return;
    }
    if (wish->check)
        check(&n);
    out->verdict = out->failed ? VERDICT_FAILED : VERDICT_PASSED;
}
