/* SPDX-License-Identifier: MIT */
/* Output goes through; the terminal's input and settings belong to another VM. */
#include "emu/cli/console_out.h"

#include <errno.h>
#include <stdlib.h>

struct console_out {
    struct console_backend base;
    struct console_backend *inner;
};

static struct console_backend *inner_of(const struct console_backend *console)
{
    const struct console_out *c = (const struct console_out *)(const void *)console;
    return c->inner;
}

static int64_t out_write(struct console_backend *console, enum console_stream stream,
                         const void *data, size_t len)
{
    struct console_backend *inner = inner_of(console);
    return inner->ops->write(inner, stream, data, len);
}

static int64_t out_read(struct console_backend *console, void *data, size_t room)
{
    (void)console, (void)data, (void)room;
    return 0;
}

static int out_in_fd(const struct console_backend *console)
{
    (void)console;
    return -1;
}

static int out_out_fd(const struct console_backend *console, enum console_stream stream)
{
    struct console_backend *inner = inner_of(console);
    return inner->ops->out_fd(inner, stream);
}

static bool yes(const struct console_backend *console)
{
    (void)console;
    return true;
}

static bool no(const struct console_backend *console)
{
    (void)console;
    return false;
}

static int out_set_mode(struct console_backend *console, unsigned mode)
{
    (void)console, (void)mode;
    return -ENOTTY;
}

static bool out_size(const struct console_backend *console, unsigned *columns, unsigned *rows)
{
    (void)console, (void)columns, (void)rows;
    return false;
}

static void nothing(struct console_backend *console)
{
    (void)console;
}

static void out_destroy(struct console_backend *console)
{
    free(CONTAINER_OF(console, struct console_out, base));
}

static const struct console_backend_ops ops = {
    .name = "out",
    .write = out_write,
    .read = out_read,
    .in_fd = out_in_fd,
    .out_fd = out_out_fd,
    .ended = yes,
    .in_is_tty = no,
    .out_is_tty = no,
    .set_mode = out_set_mode,
    .size = out_size,
    .suspend = nothing,
    .resume = nothing,
    .destroy = out_destroy,
};

int console_out_create(struct console_backend *inner, struct console_backend **out)
{
    struct console_out *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->base.ops = &ops;
    c->inner = inner;
    *out = &c->base;
    return 0;
}
