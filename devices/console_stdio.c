/* SPDX-License-Identifier: MIT */
/*
 * The console on descriptors 0, 1 and 2. They are shared with the program that
 * started us, so they are never made non-blocking: poll comes first, and then
 * no more is written than a ready descriptor is sure to take.
 *
 * Invariant: `changed` is set exactly while the terminal's settings are not
 * those in `found`; destroy and suspend put these back, and a guard process if
 * we never come to it.
 */
#include "devices/console.h"

#include "devices/tty_guard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* What a descriptor of each kind takes without blocking once it polls writable. */
#define CHUNK_TTY 256u
#define CHUNK_PIPE 4096u
#define CHUNK_FILE (1u << 20)

struct stdio {
    struct console_backend base;
    size_t chunk[3]; /* by descriptor */
    bool polls[3];   /* whether it can be not ready at all */
    bool in_tty, out_tty, ended, changed;
    struct termios found, wanted;
    struct tty_guard *guard; /* from the start: later there may be no processes to be had */
};

static struct stdio *self(const struct console_backend *console)
{
    return CONTAINER_OF(console, struct stdio, base);
}

static bool ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, 0) > 0;
}

static int64_t stdio_write(struct console_backend *console, enum console_stream stream,
                           const void *data, size_t len)
{
    struct stdio *s = self(console);
    int fd = (int)stream;
    if (s->polls[fd] && !ready(fd, POLLOUT))
        return -EAGAIN;
    ssize_t n = write(fd, data, len < s->chunk[fd] ? len : s->chunk[fd]);
    if (n >= 0)
        return n;
    return errno == EINTR ? -EAGAIN : -errno;
}

static int64_t stdio_read(struct console_backend *console, void *data, size_t room)
{
    struct stdio *s = self(console);
    if (s->ended)
        return 0;
    if (s->polls[0] && !ready(0, POLLIN))
        return -EAGAIN;
    ssize_t n = read(0, data, room);
    if (n < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (n == 0 && room && !s->in_tty)
        s->ended = true;
    return n;
}

static int stdio_in_fd(const struct console_backend *console)
{
    (void)console;
    return 0;
}

static int stdio_out_fd(const struct console_backend *console, enum console_stream stream)
{
    (void)console;
    return (int)stream;
}

static bool stdio_ended(const struct console_backend *console)
{
    return self(console)->ended;
}

static bool stdio_in_is_tty(const struct console_backend *console)
{
    return self(console)->in_tty;
}

static bool stdio_out_is_tty(const struct console_backend *console)
{
    return self(console)->out_tty;
}

static void set_flag(tcflag_t *word, tcflag_t flag, bool on)
{
    *word = on ? *word | flag : *word & ~flag;
}

/* The terminal as it was found, with what `mode` takes away taken away. */
static struct termios settings_for(const struct termios *found, unsigned mode)
{
    struct termios t = *found;
    if (!(mode & CONSOLE_LINES)) {
        t.c_lflag &= ~(tcflag_t)(ICANON | IEXTEN);
        t.c_cc[VMIN] = 1;
        t.c_cc[VTIME] = 0;
    }
    if (!(mode & CONSOLE_ECHO))
        t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    if (!(mode & CONSOLE_SIGNALS)) {
        t.c_lflag &= ~(tcflag_t)ISIG;
        t.c_iflag &= ~(tcflag_t)BRKINT;
    }
    if (!(mode & CONSOLE_CR_IN))
        t.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR);
    set_flag(&t.c_oflag, OPOST, (mode & CONSOLE_NL_OUT) && (found->c_oflag & OPOST));
    if (!(mode & CONSOLE_FLOW))
        t.c_iflag &= ~(tcflag_t)(IXON | IXOFF);
    return t;
}

static void restore(struct stdio *s)
{
    if (s->changed && tcsetattr(0, TCSANOW, &s->found) == 0)
        s->changed = false;
}

static int stdio_set_mode(struct console_backend *console, unsigned mode)
{
    struct stdio *s = self(console);
    if (!s->in_tty)
        return -ENOTTY;
    s->wanted = settings_for(&s->found, mode);
    s->changed = true;
    return tcsetattr(0, TCSANOW, &s->wanted) ? -errno : 0;
}

static bool stdio_size(const struct console_backend *console, unsigned *columns, unsigned *rows)
{
    struct stdio *s = self(console);
    struct winsize ws;
    int fd = s->out_tty ? 1 : 0;
    if ((!s->out_tty && !s->in_tty) || ioctl(fd, TIOCGWINSZ, &ws))
        return false;
    *columns = ws.ws_col;
    *rows = ws.ws_row;
    return true;
}

static void stdio_suspend(struct console_backend *console)
{
    struct stdio *s = self(console);
    if (s->changed)
        tcsetattr(0, TCSANOW, &s->found);
}

/* The person may have changed the terminal while we were stopped; what we took away goes again. */
static void stdio_resume(struct console_backend *console)
{
    struct stdio *s = self(console);
    if (s->changed)
        tcsetattr(0, TCSANOW, &s->wanted);
}

static void stdio_destroy(struct console_backend *console)
{
    struct stdio *s = self(console);
    restore(s);
    tty_guard_end(s->guard);
    free(s);
}

static const struct console_backend_ops stdio_ops = {
    .name = "stdio",
    .write = stdio_write,
    .read = stdio_read,
    .in_fd = stdio_in_fd,
    .out_fd = stdio_out_fd,
    .ended = stdio_ended,
    .in_is_tty = stdio_in_is_tty,
    .out_is_tty = stdio_out_is_tty,
    .set_mode = stdio_set_mode,
    .size = stdio_size,
    .suspend = stdio_suspend,
    .resume = stdio_resume,
    .destroy = stdio_destroy,
};

static void look_at(struct stdio *s, int fd)
{
    struct stat st;
    bool known = fstat(fd, &st) == 0;
    s->polls[fd] = !(known && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)));
    s->chunk[fd] = CHUNK_PIPE;
    if (known && S_ISREG(st.st_mode))
        s->chunk[fd] = CHUNK_FILE;
    else if (known && S_ISCHR(st.st_mode))
        s->chunk[fd] = isatty(fd) ? CHUNK_TTY : CHUNK_FILE;
}

int console_stdio_create(struct console_backend **out)
{
    struct stdio *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->base.ops = &stdio_ops;
    for (int fd = 0; fd < 3; fd++)
        look_at(s, fd);
    s->out_tty = s->chunk[1] == CHUNK_TTY;
    s->in_tty = tcgetattr(0, &s->found) == 0;
    if (s->in_tty && tty_guard_start(&s->found, &s->guard))
        s->guard = NULL; /* it works without one, as long as we do */
    *out = &s->base;
    return 0;
}
