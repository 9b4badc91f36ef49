/* SPDX-License-Identifier: MIT */
/* A console without a host's stream behind it: nothing here can block or fail. */
#include "emu/fuzz/console.h"

#include <errno.h>
#include <string.h>

static struct fuzz_console *of(const struct console_backend *base)
{
    return CONTAINER_OF((struct console_backend *)(uintptr_t)base, struct fuzz_console, base);
}

static int64_t console_write(struct console_backend *base, enum console_stream stream,
                             const void *data, size_t len)
{
    struct fuzz_console *c = of(base);
    const char *from = data;
    (void)stream;
    for (size_t i = len > FUZZ_TAIL ? len - FUZZ_TAIL : 0; i < len; i++)
        c->tail[(c->written + i) % FUZZ_TAIL] = from[i];
    c->written += len;
    return (int64_t)len;
}

static int64_t console_read(struct console_backend *base, void *data, size_t room)
{
    struct fuzz_console *c = of(base);
    size_t left = c->in_len - c->in_at, n = left < room ? left : room;
    if (!left) {
        c->asked = true;
        return c->open ? -EAGAIN : 0;
    }
    memcpy(data, c->in + c->in_at, n);
    c->in_at += n;
    return (int64_t)n;
}

static int no_in_fd(const struct console_backend *base)
{
    (void)base;
    return -1;
}

static int no_out_fd(const struct console_backend *base, enum console_stream stream)
{
    (void)base, (void)stream;
    return -1;
}

static bool console_ended(const struct console_backend *base)
{
    const struct fuzz_console *c = of(base);
    return !c->open && c->in_at == c->in_len;
}

static bool no_tty(const struct console_backend *base)
{
    (void)base;
    return false;
}

static int any_mode(struct console_backend *base, unsigned mode)
{
    (void)base, (void)mode;
    return 0;
}

static bool no_size(const struct console_backend *base, unsigned *columns, unsigned *rows)
{
    (void)base, (void)columns, (void)rows;
    return false;
}

static void nothing(struct console_backend *base)
{
    (void)base;
}

static const struct console_backend_ops ops = {
    .name = "fuzz",
    .write = console_write,
    .read = console_read,
    .in_fd = no_in_fd,
    .out_fd = no_out_fd,
    .ended = console_ended,
    .in_is_tty = no_tty,
    .out_is_tty = no_tty,
    .set_mode = any_mode,
    .size = no_size,
    .suspend = nothing,
    .resume = nothing,
    .destroy = nothing,
};

void fuzz_console_init(struct fuzz_console *c)
{
    *c = (struct fuzz_console){.base.ops = &ops};
}

void fuzz_console_give(struct fuzz_console *c, const uint8_t *in, size_t len)
{
    c->in = in;
    c->in_len = len;
    c->in_at = 0;
    c->open = false;
    c->asked = false;
    c->written = 0;
}

void fuzz_console_tail(const struct fuzz_console *c, char out[FUZZ_TAIL + 1])
{
    size_t n = c->written < FUZZ_TAIL ? (size_t)c->written : FUZZ_TAIL;
    for (size_t i = 0; i < n; i++)
        out[i] = c->tail[(c->written - n + i) % FUZZ_TAIL];
    out[n] = 0;
}
