/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of a hosted console. A log that has grown loses its beginning
 * to a hole in the file, so that an offset into it always means the same byte.
 */
#include "denali/host/hub_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct hub *self(const struct console_backend *console)
{
    return CONTAINER_OF(console, struct hub, base);
}

/* The log. */

static int open_log(struct hub *hub)
{
    struct stat st;
    int fd = open(hub->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && !fstat(fd, &st))
        hub->log_size = (uint64_t)st.st_size;
    return fd;
}

/* A host that makes no holes keeps all of it. */
static void forget_old(struct hub *hub, int fd)
{
    uint64_t keep_from = hub->log_size & ~(uint64_t)(HUB_LOG_KEPT - 1);
    if (keep_from < hub->punched + 2 * HUB_LOG_KEPT)
        return;
    hub->punched = keep_from - HUB_LOG_KEPT;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)hub->punched))
        return;
}

/* Thousands of VMs have more logs than a process has descriptors, so none stays open. What cannot
 * be logged is lost to the log alone. */
static void write_log(struct hub *hub, const void *bytes, size_t len)
{
    int fd = hub->log ? open_log(hub) : -1;
    if (fd < 0)
        return;
    ssize_t n = write(fd, bytes, len);
    if (n > 0)
        hub->log_size += (uint64_t)n;
    forget_old(hub, fd);
    close(fd);
}

/* The backend. */

static int64_t hub_write(struct console_backend *console, enum console_stream stream,
                         const void *bytes, size_t len)
{
    struct hub *hub = self(console);
    size_t part = len < 65536 ? len : 65536;
    host_lock_enter(&hub->lock);
    write_log(hub, bytes, part);
    hub_tell(hub, stream == CONSOLE_ERR ? HUB_ERROR : HUB_OUTPUT, bytes, part);
    bool unsent = hub_has_unsent(hub);
    host_lock_leave(&hub->lock);
    if (unsent)
        hub->config.rearm(hub->config.opaque);
    return (int64_t)part;
}

static int64_t hub_read(struct console_backend *console, void *bytes, size_t room)
{
    struct hub *hub = self(console);
    uint8_t *to = bytes;
    size_t n = 0;
    host_lock_enter(&hub->lock);
    while (n < room && hub->input_len) {
        to[n++] = hub->input[hub->input_at];
        hub->input_at = (hub->input_at + 1) % HUB_INPUT_MAX;
        hub->input_len--;
    }
    host_lock_leave(&hub->lock);
    return n || !room ? (int64_t)n : -EAGAIN;
}

static int hub_no_fd(const struct console_backend *console)
{
    (void)console;
    return -1;
}

static int hub_no_out_fd(const struct console_backend *console, enum console_stream stream)
{
    (void)console, (void)stream;
    return -1;
}

static bool hub_never_ended(const struct console_backend *console)
{
    (void)console;
    return false;
}

static bool hub_is_tty(const struct console_backend *console)
{
    return self(console)->config.tty;
}

static int hub_set_mode(struct console_backend *console, unsigned mode)
{
    struct hub *hub = self(console);
    uint32_t word = mode;
    if (!hub->config.tty)
        return -ENOTTY;
    host_lock_enter(&hub->lock);
    hub->mode = mode;
    hub_tell(hub, HUB_MODE, &word, sizeof(word));
    host_lock_leave(&hub->lock);
    return 0;
}

static bool hub_size(const struct console_backend *console, unsigned *columns, unsigned *rows)
{
    struct hub *hub = self(console);
    host_lock_enter(&hub->lock);
    *columns = hub->columns;
    *rows = hub->rows;
    host_lock_leave(&hub->lock);
    return hub->config.tty;
}

static void hub_nothing(struct console_backend *console)
{
    (void)console;
}

static const struct console_backend_ops hub_ops = {
    .name = "hub",
    .write = hub_write,
    .read = hub_read,
    .in_fd = hub_no_fd,
    .out_fd = hub_no_out_fd,
    .ended = hub_never_ended,
    .in_is_tty = hub_is_tty,
    .out_is_tty = hub_is_tty,
    .set_mode = hub_set_mode,
    .size = hub_size,
    .suspend = hub_nothing,
    .resume = hub_nothing,
    .destroy = hub_nothing, /* its owner's */
};

struct console_backend *hub_backend(struct hub *hub)
{
    return &hub->base;
}

/* Life and input. */

int hub_create(const struct hub_config *config, struct hub **out)
{
    struct hub *hub = calloc(1, sizeof(*hub));
    if (!hub)
        return -ENOMEM;
    hub->base.ops = &hub_ops;
    hub->config = *config;
    hub->columns = 80;
    hub->rows = 24;
    hub->mode = CONSOLE_LINES | CONSOLE_ECHO | CONSOLE_SIGNALS | CONSOLE_CR_IN | CONSOLE_NL_OUT |
                CONSOLE_FLOW;
    if (config->log && !(hub->log = strdup(config->log))) {
        free(hub);
        return -ENOMEM;
    }
    if (host_lock_init(&hub->lock)) {
        free(hub->log);
        free(hub);
        return -ENOMEM;
    }
    *out = hub;
    return 0;
}

void hub_destroy(struct hub *hub)
{
    if (!hub)
        return;
    for (unsigned i = 0; i < HUB_CLIENTS_MAX; i++)
        hub_client_free(hub->client[i]);
    host_lock_fini(&hub->lock);
    free(hub->input);
    free(hub->log);
    free(hub);
}

size_t hub_put_input(struct hub *hub, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    size_t n = 0;
    if (!hub->input)
        hub->input = malloc(HUB_INPUT_MAX);
    while (hub->input && n < len && hub->input_len < HUB_INPUT_MAX) {
        hub->input[(hub->input_at + hub->input_len) % HUB_INPUT_MAX] = from[n++];
        hub->input_len++;
    }
    return n;
}

size_t hub_type(struct hub *hub, const void *bytes, size_t len)
{
    host_lock_enter(&hub->lock);
    size_t n = hub_put_input(hub, bytes, len);
    host_lock_leave(&hub->lock);
    hub->config.input(hub->config.opaque);
    return n;
}
