/* SPDX-License-Identifier: MIT */
/*
 * Ends of serial lines. Output is kept in a bounded queue so that the guest's
 * transmitter is always ready; a reader that is merely slow holds the guest up
 * for a moment before anything is lost.
 *
 * Invariant: a terminal on stdin is raw from the first use to serial_close, and
 * a guard process gives it back if we never come to it.
 */
#include "devices/serial.h"

#include "devices/gate.h"

#include "devices/tty_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define QUEUE 65536u
#define SLOW_MS 2000 /* a reader that takes nothing for this long loses output */
#define FINAL_MS 500
#define ESCAPE 1 /* Ctrl-A */

struct serial_backend {
    int in, out, listener; /* -1: none */
    int slave;             /* of a pty: the other side, held open; else -1 */
    struct gate *gate;     /* NULL: nobody records */
    uint8_t number;        /* there */
    bool owns, ended, escaped, wants_end, is_tty, suspended, deaf;
    char *path; /* of a socket that we made */
    struct termios found;
    struct tty_guard *guard;
    size_t first, count; /* of the queue */
    uint8_t queue[QUEUE];
};

static void accept_peer(struct serial_backend *s)
{
    if (s->listener < 0 || s->out >= 0)
        return;
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        s->in = s->out = fd;
}

static void lose_peer(struct serial_backend *s)
{
    if (s->listener < 0) {
        s->ended = true;
        return;
    }
    close(s->out);
    s->in = s->out = -1;
    s->count = 0;
}

static bool poll_out(const struct serial_backend *s, int wait_ms)
{
    struct pollfd p = {.fd = s->out, .events = POLLOUT};
    return s->out >= 0 && poll(&p, 1, wait_ms) > 0;
}

/* Bytes taken. Descriptors that are shared with others are not made non-blocking: a ready pipe or
 * terminal takes a small piece. */
static size_t write_piece(struct serial_backend *s, const uint8_t *data, size_t len)
{
    size_t piece = len < 512 ? len : 512;
    if (s->out < 0 || !poll_out(s, 0))
        return 0;
    ssize_t n = write(s->out, data, piece);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose_peer(s);
        return len; /* nobody reads it */
    }
    return n > 0 ? (size_t)n : 0;
}

void serial_flush(struct serial_backend *s)
{
    accept_peer(s);
    while (s->count) {
        size_t run = QUEUE - s->first < s->count ? QUEUE - s->first : s->count;
        size_t n = write_piece(s, s->queue + s->first, run);
        if (!n)
            return;
        n = n < s->count ? n : s->count;
        s->first = (s->first + n) % QUEUE;
        s->count -= n;
    }
}

static void keep(struct serial_backend *s, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s->count == QUEUE) {
            s->first = (s->first + 1) % QUEUE;
            s->count--;
        }
        s->queue[(s->first + s->count++) % QUEUE] = data[i];
    }
}

void serial_write(struct serial_backend *s, const void *data, size_t len)
{
    accept_peer(s);
    if (s->ended || s->out < 0)
        return;
    if (s->count + len > QUEUE && !s->deaf) {
        s->deaf = !poll_out(s, SLOW_MS);
        serial_flush(s);
    }
    keep(s, data, len);
    serial_flush(s);
    if (!s->count)
        s->deaf = false;
}

/* Takes the escape key out of what was typed. */
static size_t unescape(struct serial_backend *s, uint8_t *data, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len; i++) {
        if (s->escaped && (data[i] == 'x' || data[i] == 'X'))
            s->wants_end = true;
        else if (data[i] == ESCAPE && !s->escaped) {
            s->escaped = true;
            continue;
        } else
            data[kept++] = data[i];
        s->escaped = false;
    }
    return kept;
}

void serial_set_gate(struct serial_backend *s, struct gate *gate, uint8_t number)
{
    s->gate = gate;
    s->number = number;
}

static size_t read_host(struct serial_backend *s, void *data, size_t room)
{
    accept_peer(s);
    struct pollfd p = {.fd = s->in, .events = POLLIN};
    if (s->in < 0 || s->suspended || !room || poll(&p, 1, 0) <= 0)
        return 0;
    ssize_t n = read(s->in, data, room);
    if (n > 0)
        return s->is_tty ? unescape(s, data, (size_t)n) : (size_t)n;
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        if (s->listener >= 0)
            lose_peer(s);
        else
            s->in = -1; /* end of the input; output goes on */
    }
    return 0;
}

size_t serial_read(struct serial_backend *s, void *data, size_t room)
{
    struct gate_event e = {.kind = GATE_READ, .device = s->number, .data = data};
    if (!s->gate)
        return read_host(s, data, room);
    e.len = s->gate->replays ? 0 : (uint32_t)read_host(s, data, room);
    if (!gate_exchange(s->gate, &e))
        return 0;
    size_t n = e.len < room ? e.len : room;
    if (s->gate->replays && n)
        memcpy(data, e.data, n);
    return n;
}

int serial_poll_fd(const struct serial_backend *s, bool wants_input, short *events)
{
    *events = POLLIN;
    if (s->listener >= 0 && s->out < 0)
        return s->listener;
    if (s->count && s->out >= 0 && !s->deaf) {
        *events = (short)(POLLOUT | (wants_input && s->in == s->out ? POLLIN : 0));
        return s->out;
    }
    return wants_input && !s->suspended ? s->in : -1;
}

bool serial_is_connected(const struct serial_backend *s)
{
    return s->out >= 0 && !s->ended;
}

bool serial_wants_end(const struct serial_backend *s)
{
    return s->wants_end;
}

static int make_raw(struct serial_backend *s)
{
    struct termios raw = s->found;
    cfmakeraw(&raw);
    raw.c_oflag = s->found.c_oflag;
    return tcsetattr(0, TCSANOW, &raw) ? -errno : 0;
}

void serial_suspend(struct serial_backend *s)
{
    if (!s->is_tty || s->suspended)
        return;
    s->suspended = true;
    tcsetattr(0, TCSADRAIN, &s->found);
}

void serial_resume(struct serial_backend *s)
{
    if (!s->suspended)
        return;
    s->suspended = false;
    int err = make_raw(s);
    (void)err; /* the terminal is gone: so is its reader */
}

static int open_stdio(struct serial_backend *s)
{
    s->in = 0;
    s->out = 1;
    s->is_tty = tcgetattr(0, &s->found) == 0;
    if (!s->is_tty)
        return 0;
    if (tty_guard_start(&s->found, &s->guard))
        s->guard = NULL; /* it works without one, as long as we do */
    return make_raw(s);
}

static int open_pty(struct serial_backend *s, struct why *why)
{
    s->owns = true;
    s->in = s->out = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    const char *name = NULL;
    if (s->in >= 0 && grantpt(s->in) == 0 && unlockpt(s->in) == 0)
        name = ptsname(s->in);
    if (!name)
        return why_fail(why, -errno, "cannot make a pseudo terminal: %s", strerror(errno));
    /* Somebody holds the other side, so that it may be opened and closed at will. */
    struct termios raw;
    s->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s->slave >= 0 && tcgetattr(s->slave, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(s->slave, TCSANOW, &raw);
    }
    s->listener = -1;
    fprintf(stderr, "denali: the serial line is %s\n", name);
    return 0;
}

static int open_file(struct serial_backend *s, const char *path, struct why *why)
{
    s->owns = true;
    s->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->out < 0)
        return why_fail(why, -errno, "cannot write %s: %s", path, strerror(errno));
    return 0;
}

static int listen_at(struct serial_backend *s, const struct sockaddr_un *at, struct why *why)
{
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (const void *)at, sizeof(*at)) ||
        listen(s->listener, 1))
        return why_fail(why, -errno, "cannot listen at %s: %s", at->sun_path, strerror(errno));
    s->path = strdup(at->sun_path);
    return s->path ? 0 : -ENOMEM;
}

static int open_unix(struct serial_backend *s, const char *path, struct why *why)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    s->owns = true;
    if (strlen(path) >= sizeof(at.sun_path))
        return why_fail(why, -EINVAL, "the path of a socket has at most %zu characters",
                        sizeof(at.sun_path) - 1);
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return why_fail(why, -errno, "cannot make a socket: %s", strerror(errno));
    if (connect(fd, (const void *)&at, sizeof(at)) == 0) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        s->in = s->out = fd;
        return 0;
    }
    int err = errno;
    close(fd);
    if (err == ENOENT)
        return listen_at(s, &at, why);
    return why_fail(why, -err, "cannot connect to %s: %s", path, strerror(err));
}

static int open_spec(struct serial_backend *s, const char *spec, struct why *why)
{
    if (!strcmp(spec, "null") || !strcmp(spec, "none"))
        return 0;
    if (!strcmp(spec, "stdio"))
        return open_stdio(s);
    if (!strcmp(spec, "pty"))
        return open_pty(s, why);
    if (!strncmp(spec, "file:", 5) && spec[5])
        return open_file(s, spec + 5, why);
    if (!strncmp(spec, "unix:", 5) && spec[5])
        return open_unix(s, spec + 5, why);
    return why_fail(why, -EINVAL, "\"%s\": say stdio, pty, file:PATH, unix:PATH or null", spec);
}

int serial_open(const char *spec, struct serial_backend **out, struct why *why)
{
    struct serial_backend *s = calloc(1, sizeof(*s));
    if (!s)
        return why_fail(why, -ENOMEM, "no memory");
    s->in = s->out = s->listener = s->slave = -1;
    int err = open_spec(s, spec, why);
    if (err) {
        serial_close(s);
        return err;
    }
    *out = s;
    return 0;
}

int serial_open_fds(int in, int to, struct serial_backend **out)
{
    struct serial_backend *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->in = in;
    s->out = to;
    s->listener = s->slave = -1;
    *out = s;
    return 0;
}

/* What a pty's reader has not taken yet would be lost with our side. Asked by poll, which waits for
 * what is still on its way from our side to the other one; FIONREAD does not count that. */
static bool is_unread(const struct serial_backend *s)
{
    struct pollfd p = {.fd = s->slave, .events = POLLIN};
    return s->slave >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

static void wait_for_reader(struct serial_backend *s)
{
    for (int waited = 0; s->count && waited < FINAL_MS && !s->ended; waited += 50) {
        poll_out(s, 50);
        serial_flush(s);
    }
    for (int waited = 0; is_unread(s) && waited < FINAL_MS; waited += 10)
        poll(NULL, 0, 10);
}

void serial_close(struct serial_backend *s)
{
    if (!s)
        return;
    wait_for_reader(s);
    if (s->slave >= 0)
        close(s->slave);
    if (s->is_tty)
        tcsetattr(0, TCSADRAIN, &s->found);
    tty_guard_end(s->guard);
    if (s->owns && s->out >= 0)
        close(s->out);
    if (s->listener >= 0)
        close(s->listener);
    if (s->path)
        unlink(s->path);
    free(s->path);
    free(s);
}
