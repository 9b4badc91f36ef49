/* SPDX-License-Identifier: MIT */
/* It never makes the guest wait: output is kept up to a bound, and there are no descriptors. */
#include "emu/test/test_console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct test_console *self(const struct console_backend *console)
{
    return CONTAINER_OF(console, struct test_console, base);
}

#define MARKS_MAX 100000u

static void add_mark(struct test_console *c)
{
    if (c->marks == c->marks_room && c->marks < MARKS_MAX) {
        unsigned room = c->marks_room ? 2 * c->marks_room : 64;
        struct test_console_mark *bigger = realloc(c->mark, room * sizeof(*bigger));
        if (!bigger)
            return;
        c->mark = bigger;
        c->marks_room = room;
    }
    if (c->marks < c->marks_room)
        c->mark[c->marks++] = (struct test_console_mark){c->out->len, c->icount(c->opaque)};
}

uint64_t test_console_when(const struct test_console *c, size_t offset)
{
    for (unsigned i = 0; i < c->marks; i++) {
        if (offset < c->mark[i].end)
            return c->mark[i].icount;
    }
    return 0;
}

static int64_t console_write(struct console_backend *console, enum console_stream stream,
                             const void *data, size_t len)
{
    struct test_console *c = self(console);
    uint64_t room = c->max_bytes - c->all->len;
    size_t kept = len < room ? len : (size_t)room;
    c->flooded = c->flooded || kept < len;
    buffer_add(stream == CONSOLE_ERR ? c->err : c->out, data, kept);
    buffer_add(c->all, data, kept);
    if (c->icount && stream != CONSOLE_ERR)
        add_mark(c);
    if (c->heard)
        c->heard(c->opaque, data, kept);
    return (int64_t)len;
}

static int64_t console_read(struct console_backend *console, void *data, size_t room)
{
    struct test_console *c = self(console);
    size_t left = c->input.len - c->taken, n = left < room ? left : room;
    if (!n)
        return c->ended || !room ? 0 : -EAGAIN;
    memcpy(data, c->input.data + c->taken, n);
    c->taken += n;
    return (int64_t)n;
}

static int no_fd(const struct console_backend *console)
{
    (void)console;
    return -1;
}

static int no_out_fd(const struct console_backend *console, enum console_stream stream)
{
    (void)console, (void)stream;
    return -1;
}

static bool console_ended(const struct console_backend *console)
{
    const struct test_console *c = self(console);
    return c->ended && c->taken == c->input.len;
}

static bool is_tty(const struct console_backend *console)
{
    return self(console)->is_tty;
}

static int set_mode(struct console_backend *console, unsigned mode)
{
    struct test_console *c = self(console);
    c->mode = mode;
    return c->is_tty ? 0 : -ENOTTY;
}

static bool size(const struct console_backend *console, unsigned *columns, unsigned *rows)
{
    *columns = 80;
    *rows = 25;
    return self(console)->is_tty;
}

static void nothing(struct console_backend *console)
{
    (void)console;
}

static const struct console_backend_ops ops = {.name = "test",
                                               .write = console_write,
                                               .read = console_read,
                                               .in_fd = no_fd,
                                               .out_fd = no_out_fd,
                                               .ended = console_ended,
                                               .in_is_tty = is_tty,
                                               .out_is_tty = is_tty,
                                               .set_mode = set_mode,
                                               .size = size,
                                               .suspend = nothing,
                                               .resume = nothing,
                                               .destroy = nothing};

void test_console_init(struct test_console *c)
{
    *c = (struct test_console){.base = {&ops},
                               .mode = CONSOLE_LINES | CONSOLE_SIGNALS | CONSOLE_CR_IN};
}

void test_console_free(struct test_console *c)
{
    buffer_free(&c->input);
    free(c->mark);
}

bool test_console_has_input(const struct test_console *c)
{
    return c->ended || c->taken < c->input.len;
}
