/* SPDX-License-Identifier: MIT */
/*
 * The connection: who listens, who is connected, and which room answers a
 * packet. An empty reply says that a packet is not known, as the protocol has
 * it. Invariant: gdb->general.target is never NULL while there is a target.
 */
#include "emu/debug/gdb/gdb_private.h"

#include "emu/base/host_thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than this waiting to be read by gdb: nothing more is taken from it. */
#define OUT_LIMIT (16 * GDB_PACKET_MAX)

static void on_ready(void *opaque, short revents);

static struct gdb *of_front(struct loop_front *front)
{
    return CONTAINER_OF(front, struct gdb, front);
}

/* Coming and going. */

/* What runs runs on; what stands (gdb's `disconnect`, or a gdb that died) waits for the next gdb.
 */
static void disconnect(struct gdb *gdb)
{
    if (gdb->fd < 0)
        return;
    loop_unwatch_fd(gdb->loop, gdb->fd);
    close(gdb->fd);
    gdb->fd = -1;
    gdb->front.attached = false;
    gdb_remove_points(gdb, NULL);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++) {
        gdb_leave_signal(gdb, loop_target(gdb->loop, n), true);
        gdb_ignore_signals(gdb, loop_target(gdb->loop, n));
    }
    gdb_close_files(gdb);
    gdb->waiting = false;
    gdb->step.target = NULL;
    gdb->syscalls = (struct gdb_syscalls){.on = false};
}

/* What was waiting to be sent goes now or when the socket can take it. */
static void flush(struct gdb *gdb)
{
    if (gdb->fd < 0)
        return;
    if (!gdb_flush(gdb)) {
        disconnect(gdb);
        return;
    }
    size_t left = gdb->out_len - gdb->out_sent;
    short events = (short)((left ? POLLOUT : 0) | (left < OUT_LIMIT ? POLLIN : 0));
    if (loop_watch_fd(gdb->loop, gdb->fd, events, on_ready, gdb))
        disconnect(gdb);
}

static void on_ready(void *opaque, short revents)
{
    struct gdb *gdb = opaque;
    char bytes[16384];
    if (revents & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t n = recv(gdb->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            disconnect(gdb);
            return;
        }
        if (n > 0)
            gdb_receive(gdb, bytes, (size_t)n);
    }
    flush(gdb);
}

static void reset(struct gdb *gdb)
{
    gdb->parse = GDB_OUTSIDE;
    gdb->out_len = gdb->out_sent = gdb->last_at = 0;
    gdb->no_ack = gdb->multiprocess = gdb->swbreak = gdb->hwbreak = gdb->waiting = false;
    struct target *first = gdb_live(gdb, NULL);
    gdb->general = gdb->control =
        (struct gdb_thread_id){.target = first ? first : loop_target(gdb->loop, 0)};
    gdb->signals = (struct gdb_signals){.told = 0};
    gdb->step.target = NULL;
    gdb_forget_threads(gdb);
}

int gdb_adopt(struct gdb *gdb, int fd)
{
    if (gdb->fd >= 0 || !loop_targets(gdb->loop))
        return -EBUSY;
    int err = loop_watch_fd(gdb->loop, fd, POLLIN, on_ready, gdb);
    if (err)
        return err;
    gdb->fd = fd;
    gdb->front.attached = true;
    loop_halt(gdb->loop);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++)
        gdb_run_to_program(gdb, loop_target(gdb->loop, n));
    reset(gdb);
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++)
        gdb_watch_signals(gdb, loop_target(gdb->loop, n));
    return 0;
}

/* Whether the one who is connected has gone already is told by reading to the end of what he sent.
 */
static void read_to_end(struct gdb *gdb)
{
    for (unsigned n = 0; n < 64 && gdb->fd >= 0; n++) {
        struct pollfd p = {.fd = gdb->fd, .events = POLLIN};
        if (host_poll(&p, 1, 0) <= 0)
            break;
        on_ready(gdb, p.revents);
    }
}

static void on_knock(void *opaque, short revents)
{
    struct gdb *gdb = opaque;
    int one = 1;
    (void)revents;
    int fd = accept4(gdb->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    read_to_end(gdb);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (gdb_adopt(gdb, fd))
        close(fd);
}

/* Stops. */

/* ^C, or the connection's end, while the past is searched. */
static bool asks(struct loop_front *front)
{
    const struct gdb *gdb = of_front(front);
    char c;
    ssize_t n = gdb->fd < 0 ? -1 : recv(gdb->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 1 && c == INTERRUPT_BYTE)
        n = recv(gdb->fd, &c, 1, MSG_DONTWAIT) - 1;
    return n == 0;
}

static void on_stopped(struct loop_front *front, struct target *target)
{
    struct gdb *gdb = of_front(front);
    uint64_t steps = 0;
    if (gdb->fd < 0 || !gdb->waiting)
        return;
    gdb_forget_threads(gdb);
    if (gdb_passes_syscall(gdb, target) || gdb_passes_signal(gdb, target) ||
        gdb_passes_arrival(gdb, target, &steps) || gdb_passes_step(gdb, target) ||
        gdb_passes_interrupt(gdb, target)) {
        gdb_go_on(gdb, target, steps);
        return;
    }
    gdb->waiting = false;
    gdb_end_step(gdb);
    gdb_remove_kind(gdb, NULL, GDB_POINT_ARRIVE);
    gdb_begin(gdb);
    gdb_put_stop(gdb, target);
    gdb_send(gdb);
    flush(gdb);
}

/* Packets. */

static void handle_why(struct gdb *gdb, const char *packet)
{
    (void)packet;
    gdb_put_stop(gdb, gdb->general.target);
}

static void handle_select(struct gdb *gdb, const char *packet)
{
    const char *at = packet + 2;
    struct gdb_thread_id id;
    if (!packet[1] || !gdb_take_thread(gdb, &at, &id)) {
        gdb_put_error(gdb, -ESRCH);
        return;
    }
    if (id.target && packet[1] == 'g')
        gdb->general = id;
    else if (id.target)
        gdb->control = id;
    gdb_put(gdb, "OK");
}

static void handle_alive(struct gdb *gdb, const char *packet)
{
    const char *at = packet + 1;
    struct gdb_thread_id id;
    if (gdb_take_thread(gdb, &at, &id) && id.target && !id.target->ended)
        gdb_put(gdb, "OK");
    else
        gdb_put_error(gdb, -ESRCH);
}

/* "D" or "D;PID": it goes on without gdb. */
static void handle_detach(struct gdb *gdb, const char *packet)
{
    const char *at = packet + 1;
    uint64_t id;
    struct target *target = gdb->general.target;
    if (gdb_take_char(&at, ';'))
        target =
            gdb_take_hex(&at, &id) && id <= UINT32_MAX ? loop_find(gdb->loop, (unsigned)id) : NULL;
    if (!target) {
        gdb_put_error(gdb, -ESRCH);
        return;
    }
    gdb_remove_points(gdb, target);
    gdb_leave_signal(gdb, target, true);
    gdb_ignore_signals(gdb, target);
    loop_resume(gdb->loop, target, 0);
    gdb_put(gdb, "OK");
}

static void handle_kill_all(struct gdb *gdb, const char *packet)
{
    (void)packet;
    for (unsigned n = 0; n < loop_targets(gdb->loop); n++)
        loop_kill(gdb->loop, loop_target(gdb->loop, n));
}

static void handle_extended(struct gdb *gdb, const char *packet)
{
    (void)packet;
    gdb_put(gdb, "OK");
}

static void handle_v(struct gdb *gdb, const char *packet)
{
    if (!strncmp(packet, "vCont", 5))
        gdb_handle_run(gdb, packet);
    else if (!strncmp(packet, "vFile:", 6))
        gdb_handle_file(gdb, packet);
    else
        gdb_handle_query(gdb, packet);
}

static void handle_b(struct gdb *gdb, const char *packet)
{
    if (packet[1] == 's' || packet[1] == 'c')
        gdb_handle_run(gdb, packet);
}

static void (*const rooms[128])(struct gdb *gdb, const char *packet) = {
    ['?'] = handle_why,
    ['!'] = handle_extended,
    ['H'] = handle_select,
    ['T'] = handle_alive,
    ['D'] = handle_detach,
    ['k'] = handle_kill_all,
    ['g'] = gdb_handle_register,
    ['G'] = gdb_handle_register,
    ['p'] = gdb_handle_register,
    ['P'] = gdb_handle_register,
    ['m'] = gdb_handle_memory,
    ['M'] = gdb_handle_memory,
    ['X'] = gdb_handle_memory,
    ['Z'] = gdb_handle_point,
    ['z'] = gdb_handle_point,
    ['c'] = gdb_handle_run,
    ['s'] = gdb_handle_run,
    ['C'] = gdb_handle_run,
    ['S'] = gdb_handle_run,
    ['b'] = handle_b,
    ['v'] = handle_v,
    ['q'] = gdb_handle_query,
    ['Q'] = gdb_handle_query,
};

/* While targets run, nobody may look at them: gdb waits too, but for ^C. */
void gdb_handle(struct gdb *gdb)
{
    unsigned char first = (unsigned char)gdb->in[0];
    if (gdb->waiting)
        return;
    gdb_begin(gdb);
    if (first < ARRAY_LEN(rooms) && rooms[first])
        rooms[first](gdb, gdb->in);
    if (gdb->waiting || first == 'k')
        return; /* the reply comes with the stop */
    if (gdb->reply.full)
        gdb_put_error(gdb, -EMSGSIZE);
    gdb_send(gdb);
}

/* Listening. */

static int parse_listen(const char *text, struct sockaddr_in *out, struct why *why)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon ? colon + 1 : text;
    char host[64] = "127.0.0.1", *end;
    errno = 0;
    unsigned long number = strtoul(port, &end, 10);
    if (colon && (size_t)(colon - text) < sizeof(host)) {
        memcpy(host, text, (size_t)(colon - text));
        host[colon - text] = 0;
    }
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    bool good = *port >= '0' && *port <= '9' && !*end && !errno && number <= UINT16_MAX;
    if (!good || inet_pton(AF_INET, host[0] ? host : "0.0.0.0", &out->sin_addr) != 1)
        return why_fail(why, -EINVAL, "--gdb %s: say PORT or ADDRESS:PORT, as 1234 or 127.0.0.1:0",
                        text);
    return 0;
}

static int bind_to(struct gdb *gdb, struct sockaddr_in *addr)
{
    socklen_t len = sizeof(*addr);
    int one = 1;
    gdb->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (gdb->listen_fd < 0)
        return -errno;
    setsockopt(gdb->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(gdb->listen_fd, (struct sockaddr *)addr, len) || listen(gdb->listen_fd, 1) ||
        getsockname(gdb->listen_fd, (struct sockaddr *)addr, &len))
        return -errno;
    return loop_watch_fd(gdb->loop, gdb->listen_fd, POLLIN, on_knock, gdb);
}

static int start_listening(struct gdb *gdb, struct why *why)
{
    struct sockaddr_in addr;
    char host[INET_ADDRSTRLEN];
    if (!gdb->config.listen)
        return 0;
    int err = parse_listen(gdb->config.listen, &addr, why);
    if (err)
        return err;
    err = bind_to(gdb, &addr);
    if (err)
        return why_fail(why, err, "cannot listen for gdb on %s: %s", gdb->config.listen,
                        strerror(-err));
    inet_ntop(AF_INET, &addr.sin_addr, host, sizeof(host));
    snprintf(gdb->address, sizeof(gdb->address), "%s:%u", host, ntohs(addr.sin_port));
    return 0;
}

int gdb_create(struct loop *loop, const struct gdb_config *config, struct gdb **out,
               struct why *why)
{
    struct gdb *gdb = calloc(1, sizeof(*gdb));
    if (!gdb)
        return why_fail(why, -ENOMEM, "no memory");
    gdb->loop = loop;
    gdb->config = *config;
    gdb->front.stopped = on_stopped;
    gdb->front.asks = asks;
    gdb->listen_fd = gdb->fd = -1;
    for (unsigned i = 0; i < GDB_FILES; i++)
        gdb->file[i].fd = -1;
    int err = start_listening(gdb, why);
    if (err) {
        if (gdb->listen_fd >= 0)
            close(gdb->listen_fd);
        free(gdb);
        return err;
    }
    loop_add_front(loop, &gdb->front);
    *out = gdb;
    return 0;
}

void gdb_destroy(struct gdb *gdb)
{
    if (!gdb)
        return;
    disconnect(gdb);
    loop_remove_front(gdb->loop, &gdb->front);
    if (gdb->listen_fd >= 0) {
        loop_unwatch_fd(gdb->loop, gdb->listen_fd);
        close(gdb->listen_fd);
    }
    free(gdb->point);
    free(gdb->thread);
    free(gdb->out);
    free(gdb);
}

const char *gdb_address(const struct gdb *gdb)
{
    return gdb->address;
}

bool gdb_is_attached(const struct gdb *gdb)
{
    return gdb->fd >= 0;
}
