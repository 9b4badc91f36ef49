/* SPDX-License-Identifier: MIT */
/* A console that takes everything and remembers its last part; a key can be typed. */
#include "testsuite/hostile/world_private.h"

#include <errno.h>
#include <string.h>

static struct hostile_console *self(const struct console_backend *base)
{
    return CONTAINER_OF((struct console_backend *)(uintptr_t)base, struct hostile_console, base);
}

static int64_t take(struct console_backend *base, enum console_stream stream, const void *data,
                    size_t len)
{
    struct hostile_console *c = self(base);
    const char *from = data;
    size_t n = len;
    (void)stream;
    if (n > HOSTILE_TEXT / 2) {
        from += n - HOSTILE_TEXT / 2;
        n = HOSTILE_TEXT / 2;
    }
    host_lock_enter(&c->lock);
    if (c->len + n > HOSTILE_TEXT) {
        memmove(c->text, c->text + HOSTILE_TEXT / 2, c->len - HOSTILE_TEXT / 2);
        c->len -= HOSTILE_TEXT / 2;
    }
    memcpy(c->text + c->len, from, n);
    c->text[c->len += n] = 0;
    c->round |= n < 64 && strstr(c->text, "round") != NULL;
    host_lock_leave(&c->lock);
    return (int64_t)len;
}

static int64_t give(struct console_backend *base, void *data, size_t room)
{
    struct hostile_console *c = self(base);
    host_lock_enter(&c->lock);
    bool key = c->key && room;
    c->key = false;
    host_lock_leave(&c->lock);
    if (key)
        *(char *)data = '?';
    return key;
}

static int in_fd(const struct console_backend *base)
{
    (void)base;
    return -1;
}

static int out_fd(const struct console_backend *base, enum console_stream stream)
{
    (void)base, (void)stream;
    return -1;
}

static bool no(const struct console_backend *base)
{
    (void)base;
    return false;
}

static int set_mode(struct console_backend *base, unsigned mode)
{
    (void)base, (void)mode;
    return -ENOTTY;
}

static bool size(const struct console_backend *base, unsigned *columns, unsigned *rows)
{
    (void)base, (void)columns, (void)rows;
    return false;
}

static const struct console_backend_ops ops = {
    .name = "hostile",
    .write = take,
    .read = give,
    .in_fd = in_fd,
    .out_fd = out_fd,
    .ended = no,
    .in_is_tty = no,
    .out_is_tty = no,
    .set_mode = set_mode,
    .size = size,
};

int hostile_console_init(struct hostile_console *c)
{
    memset(c, 0, sizeof(*c));
    c->base.ops = &ops;
    return host_lock_init(&c->lock);
}

void hostile_console_type(struct hostile_console *c)
{
    host_lock_enter(&c->lock);
    c->len = 0;
    c->text[0] = 0;
    c->key = true;
    host_lock_leave(&c->lock);
}

void hostile_console_read(struct hostile_console *c, char text[HOSTILE_TEXT + 1])
{
    host_lock_enter(&c->lock);
    memcpy(text, c->text, c->len + 1);
    host_lock_leave(&c->lock);
}
