/* SPDX-License-Identifier: MIT */
/*
 * Processes: afl-fuzz starts us; a nursery, which we start first of all, keeps
 * one decoy alive, tells us its number over a pipe, and makes a new one when it
 * was killed. Both die with us.
 */
#include "emu/fuzz/afl.h"

#include "emu/base/host_thread.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL_FD 198
#define STATUS_FD 199
#define MAP_BYTES 65536u

/* The handshake's words. */
#define OPT_ENABLED 0x80000001u
#define OPT_MAP_SIZE 0x40000000u
#define OPT_SHARED_INPUT 0x01000000u

struct afl {
    uint8_t *map;
    const uint8_t *shared; /* NULL: inputs come from standard input */
    uint8_t *own;          /* then they are read into this */
    size_t own_room;
    int decoys; /* numbers of decoys, as they come to life */
    pid_t nursery;
    struct host_thread watcher;
    bool watched;
    _Atomic int decoy; /* 0: it was killed, and the next one is not known yet */
    _Atomic bool running;
    const struct afl_hooks *hooks;
};

static bool read_all(int fd, void *to, size_t len)
{
    uint8_t *at = to;
    while (len) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_word(uint32_t word)
{
    return write(STATUS_FD, &word, 4) == 4;
}

/* Decoys. */

static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static void raise_decoys(int out)
{
    pid_t self = getpid();
    for (;;) {
        pid_t decoy = fork();
        if (!decoy) {
            die_with(self);
            for (;;)
                pause();
        }
        int32_t number = decoy;
        if (decoy < 0 || write(out, &number, sizeof(number)) != sizeof(number) ||
            waitpid(decoy, NULL, 0) != decoy)
            _exit(1);
    }
}

static int start_nursery(struct afl *a)
{
    int pipes[2];
    pid_t self = getpid();
    if (pipe2(pipes, 0))
        return -errno;
    a->nursery = fork();
    if (!a->nursery) {
        die_with(self);
        close(pipes[0]);
        close(CONTROL_FD);
        close(STATUS_FD);
        raise_decoys(pipes[1]);
    }
    close(pipes[1]);
    a->decoys = pipes[0];
    return a->nursery < 0 ? -EAGAIN : 0;
}

/* Hears of each decoy's death by the birth of the next. */
static void watch(void *opaque)
{
    struct afl *a = opaque;
    int32_t number;
    while (read_all(a->decoys, &number, sizeof(number))) {
        bool killed = atomic_exchange(&a->decoy, number) != 0;
        if (killed && atomic_load(&a->running))
            a->hooks->stop(a->hooks->opaque);
    }
}

/* Shared memory. */

static void *attach(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    long id = text ? strtol(text, &end, 10) : -1;
    if (!text || end == text || *end)
        return NULL;
    void *at = shmat((int)id, NULL, 0);
    return at == (void *)-1 ? NULL : at; /* NOLINT: System V's way of saying no */
}

int afl_open(struct afl **out, struct why *why)
{
    /* afl-fuzz looks for this in the program, and then shares its inputs with it. */
    static const char signature[] __attribute__((used)) = "##SIG_AFL_PERSISTENT##";
    struct afl *a = calloc(1, sizeof(*a));
    if (!a)
        return why_fail(why, -ENOMEM, "no memory");
    a->decoys = -1;
    a->map = attach("__AFL_SHM_ID");
    int err = a->map ? start_nursery(a) : -ENOENT;
    if (err) {
        afl_close(a);
        return why_fail(why, err, "afl-fuzz has not started this program: --serve is for it alone");
    }
    *out = a;
    return 0;
}

void afl_close(struct afl *a)
{
    if (a->nursery > 0)
        kill(a->nursery, SIGKILL);
    if (a->map)
        shmdt(a->map);
    if (a->shared)
        shmdt(a->shared);
    if (a->watched)
        host_thread_join(&a->watcher);
    if (a->decoys >= 0)
        close(a->decoys);
    free(a->own);
    free(a);
}

static bool shake_hands(struct afl *a)
{
    uint32_t answer = 0;
    const uint32_t wish = OPT_ENABLED | OPT_MAP_SIZE | (MAP_BYTES - 1) << 1;
    if (getenv("__AFL_SHM_FUZZ_ID")) {
        if (!write_word(wish | OPT_SHARED_INPUT) || !read_all(CONTROL_FD, &answer, 4))
            return false;
        a->shared = attach("__AFL_SHM_FUZZ_ID");
        return (answer & OPT_SHARED_INPUT) && a->shared;
    }
    return write_word(wish);
}

/* The input: in shared memory behind its length, or the file that standard input is. */
static const uint8_t *fetch(struct afl *a, size_t *len)
{
    if (a->shared) {
        uint32_t n;
        memcpy(&n, a->shared, 4);
        *len = n;
        return a->shared + 4;
    }
    *len = 0;
    if (lseek(STDIN_FILENO, 0, SEEK_SET) < 0)
        return a->own;
    for (;;) {
        if (*len == a->own_room) {
            uint8_t *more = realloc(a->own, a->own_room * 2 + 4096);
            if (!more)
                return a->own;
            a->own = more;
            a->own_room = a->own_room * 2 + 4096;
        }
        ssize_t n = read(STDIN_FILENO, a->own + *len, a->own_room - *len);
        if (n <= 0)
            return a->own;
        *len += (size_t)n;
    }
}

static bool serve_one(struct afl *a)
{
    size_t len;
    int decoy;
    while (!(decoy = atomic_load(&a->decoy)))
        usleep(100);
    if (!write_word((uint32_t)decoy))
        return false;
    const uint8_t *input = fetch(a, &len);
    atomic_store(&a->running, true);
    int status = a->hooks->run(a->hooks->opaque, input, len);
    atomic_store(&a->running, false);
    a->hooks->hits(a->hooks->opaque, a->map, MAP_BYTES);
    return write_word((uint32_t)status);
}

int afl_serve(struct afl *a, const struct afl_hooks *hooks, struct why *why)
{
    uint32_t killed;
    a->hooks = hooks;
    int err = host_thread_start(&a->watcher, "decoys", watch, a);
    if (err)
        return why_fail(why, err, "cannot start a thread");
    a->watched = true;
    if (!shake_hands(a))
        return why_fail(why, -EPROTO, "afl-fuzz does not answer as AFL++ 4 does");
    while (read_all(CONTROL_FD, &killed, 4))
        if (!serve_one(a))
            break;
    return 0;
}
