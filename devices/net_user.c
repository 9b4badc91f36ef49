/* SPDX-License-Identifier: MIT */
/*
 * User-mode NAT, seen from the VM's process.
 *
 * libslirp parses hostile packets and has had memory bugs, so it lives in a
 * process of its own (devices/nat/) that shares nothing with us but one
 * SOCK_SEQPACKET pair; a message is a frame. The first message from there is not
 * a frame but the word of that process: "ok", or why it cannot start.
 *
 * Orders (net_user_publish) go the same way, and their answers come between the
 * frames: whoever receives puts them down where the one who ordered waits.
 *
 * Invariant: `gone` is set once, after the loss was reported; from then on no
 * call touches the socket.
 */
#include "devices/net_backends.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER_START_MS 10000
#define USER_ARG_LEN 64
#define USER_ORDER_NS 5000000000u
#define USER_SOCKET_FD 3
#define USER_END_NS 3000000000u
/* Room for a burst of a TCP window each way. */
#define USER_SOCKET_BYTES (1 << 20)

struct net_user {
    struct net_backend net;
    int fd;
    pid_t pid;
    bool started; /* the first message has been read */
    bool quiet;
    _Atomic bool gone;
    struct host_lock lock; /* below */
    bool ordering, answered;
    unsigned nobodys; /* answers that are awaited by nobody */
    int answer;
};

static struct net_user *user_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_user, net);
}

static int user_lost(struct net_user *user, const char *detail)
{
    if (!user->gone && !user->quiet)
        fprintf(stderr, "denali: the NAT process is gone%s%s: this VM has no network from now on\n",
                detail ? ": " : "", detail ? detail : "");
    user->gone = true;
    return -EPIPE;
}

static int user_send(struct net_backend *net, const void *frame, size_t len)
{
    struct net_user *user = user_of(net);
    if (user->gone)
        return -EPIPE;
    for (;;) {
        if (send(user->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EAGAIN || errno == ENOBUFS)
            return -EAGAIN;
        if (errno != EINTR)
            return user_lost(user, NULL);
    }
}

/* Bytes of one message, -EAGAIN, or -EPIPE when the process is gone. */
static int user_message(struct net_user *user, void *frame, size_t room, int flags)
{
    for (;;) {
        ssize_t got = recv(user->fd, frame, room, flags);
        if (got > 0)
            return (int)got;
        if (got < 0 && errno == EAGAIN)
            return -EAGAIN;
        if (got == 0 || errno != EINTR)
            return -EPIPE;
    }
}

/* Reads the first message; 0, -EAGAIN, or a negative errno with the reason. */
static int user_hear(struct net_user *user, int flags, struct net_error *why)
{
    char text[sizeof why->text];
    int got = user_message(user, text, sizeof text - 1, flags);
    if (got == -EAGAIN)
        return got;
    if (got < 0)
        return net_fail(why, -EPIPE, "the NAT process ended before it was ready");
    text[got] = 0;
    user->started = true;
    if (!strcmp(text, "ok"))
        return 0;
    return net_fail(why, -EADDRINUSE, "%s", text);
}

static void take_answer(struct net_user *user, const void *message)
{
    uint32_t answer;
    memcpy(&answer, message, sizeof answer);
    host_lock_enter(&user->lock);
    if (user->nobodys) {
        user->nobodys--;
    } else {
        user->answer = (int)ntohl(answer);
        user->answered = true;
    }
    host_lock_wake(&user->lock);
    host_lock_leave(&user->lock);
}

static int user_receive(struct net_backend *net, void *frame, size_t room)
{
    struct net_user *user = user_of(net);
    struct net_error why;
    if (user->gone)
        return -EPIPE;
    if (!user->started) {
        int err = user_hear(user, MSG_DONTWAIT, &why);
        if (err)
            return err == -EAGAIN ? err : user_lost(user, why.text);
    }
    int got = user_message(user, frame, room, MSG_DONTWAIT);
    while (got == NET_ANSWER_BYTES) {
        take_answer(user, frame);
        got = user_message(user, frame, room, MSG_DONTWAIT);
    }
    return got == -EPIPE ? user_lost(user, NULL) : got;
}

/* A dead process would poll readable for ever: then there is nothing to wait for. */
static int user_fd(const struct net_backend *net)
{
    return user_of(net)->gone ? -1 : user_of(net)->fd;
}

/* The process ends with the socket, after what the guest sent last is out; one that does not is
 * ended. */
static void user_reap(pid_t pid)
{
    uint64_t limit = host_monotonic_ns() + USER_END_NS;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (host_monotonic_ns() > limit) {
            if (!kill(pid, SIGKILL)) /* a sandboxed process may not; then it is init's */
                waitpid(pid, NULL, 0);
            return;
        }
        usleep(200);
    }
}

static void user_destroy(struct net_backend *net)
{
    struct net_user *user = user_of(net);
    close(user->fd);
    if (user->pid > 0)
        user_reap(user->pid);
    host_lock_fini(&user->lock);
    free(user);
}

static const struct net_backend_ops user_ops = {
    .name = "user",
    .send = user_send,
    .receive = user_receive,
    .fd = user_fd,
    .destroy = user_destroy,
};

/* The NAT program: the caller's, the environment's, the one beside us, or the installed one. */
static int user_program(const struct net_user_config *config, char *path, size_t room)
{
    const char *given = config->program ? config->program : getenv("DENALI_NAT");
    if (given)
        return snprintf(path, room, "%s", given) < (int)room ? 0 : -ENAMETOOLONG;
    ssize_t len = readlink("/proc/self/exe", path, room - 1);
    if (len < 0)
        return -errno;
    path[len] = 0;
    char *slash = strrchr(path, '/');
    static const char name[] = "/denali-nat";
    if (!slash || (size_t)(slash - path) + sizeof name > room)
        return -ENAMETOOLONG;
    memcpy(slash, name, sizeof name);
    if (access(path, X_OK) && snprintf(path, room, "%s%s", DENALI_LIBDIR, name) >= (int)room)
        return -ENAMETOOLONG;
    return 0;
}

static void publish_format(const struct net_publish *p, char *text)
{
    uint32_t a = p->host_addr, g = p->guest_addr;
    int n = snprintf(text, USER_ARG_LEN, "%u.%u.%u.%u:%u:", a >> 24, a >> 16 & 255, a >> 8 & 255,
                     a & 255, p->host_port);
    if (g)
        n += snprintf(text + n, USER_ARG_LEN - (size_t)n, "%u.%u.%u.%u:", g >> 24, g >> 16 & 255,
                      g >> 8 & 255, g & 255);
    snprintf(text + n, USER_ARG_LEN - (size_t)n, "%u%s", p->guest_port, p->udp ? "/udp" : "");
}

static void side_format(const struct net_user_side *side, char *text)
{
    static const struct net_user_side usual = {.net = 0x0a000200,
                                               .host = 0x0a000202,
                                               .dns = 0x0a000203,
                                               .guest = 0x0a00020f,
                                               .prefix = 24,
                                               .loopback = true};
    const struct net_user_side *s = side ? side : &usual;
    snprintf(text, USER_ARG_LEN, "%x/%u,%x,%x,%x,%d", s->net, s->prefix, s->host, s->dns, s->guest,
             s->loopback);
}

/* Starts `path` with its end of the pair as descriptor 3. */
static int user_exec(struct net_user *user, const struct net_user_config *config, char *path,
                     int theirs)
{
    extern char **environ;
    char text[NET_MAX_PUBLISH][USER_ARG_LEN], side[USER_ARG_LEN];
    char *argv[NET_MAX_PUBLISH + 3] = {path, side};
    side_format(config->side, side);
    for (size_t i = 0; i < config->publish_count; i++) {
        publish_format(&config->publish[i], text[i]);
        argv[i + 2] = text[i];
    }
    posix_spawn_file_actions_t actions;
    int err = posix_spawn_file_actions_init(&actions);
    if (err)
        return -err;
    err = posix_spawn_file_actions_adddup2(&actions, theirs, USER_SOCKET_FD);
    if (!err)
        err = posix_spawn(&user->pid, path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}

/* A pair whose numbers are above the one that the child expects, so that dup2 copies. */
static int user_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    int size = USER_SOCKET_BYTES;
    for (int i = 0; i < 2; i++) {
        int above = fcntl(pair[i], F_DUPFD_CLOEXEC, USER_SOCKET_FD + 1);
        if (above >= 0) {
            close(pair[i]);
            pair[i] = above;
        }
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    return 0;
}

/* Waits for the first message if ports were asked for: a busy one must stop us now. */
static int user_wait(struct net_user *user, const struct net_user_config *config,
                     struct net_error *why)
{
    struct pollfd wait = {.fd = user->fd, .events = POLLIN};
    if (!config->publish_count)
        return 0;
    int n;
    do
        n = poll(&wait, 1, USER_START_MS);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return net_fail(why, -ETIMEDOUT, "the NAT process does not answer");
    return user_hear(user, MSG_DONTWAIT, why);
}

static int user_start(struct net_user *user, const struct net_user_config *config,
                      struct net_error *why)
{
    char path[4096];
    int pair[2];
    int err = user_program(config, path, sizeof path);
    if (!err)
        err = user_pair(pair);
    if (err)
        return net_fail(why, err, "cannot start the NAT process: %s", strerror(-err));
    user->fd = pair[0];
    err = user_exec(user, config, path, pair[1]);
    close(pair[1]);
    if (err)
        return net_fail(why, err, "cannot start the NAT process %.150s: %s (try --net none)", path,
                        strerror(-err));
    return user_wait(user, config, why);
}

int net_user_create(const struct net_user_config *config, struct net_backend **out,
                    struct net_error *why)
{
    if (config->publish_count > NET_MAX_PUBLISH)
        return net_fail(why, -E2BIG, "at most %d ports can be published", NET_MAX_PUBLISH);
    struct net_user *user = calloc(1, sizeof *user);
    if (!user)
        return net_fail(why, -ENOMEM, "no memory for the network");
    *user = (struct net_user){.net.ops = &user_ops, .fd = -1, .quiet = config->quiet};
    int err = host_lock_init(&user->lock);
    if (err) {
        free(user);
        return net_fail(why, err, "no memory for the network");
    }
    err = user_start(user, config, why);
    if (err)
        user_destroy(&user->net);
    else
        *out = &user->net;
    return err;
}

/* Orders. */

static void order_write(const struct net_publish *p, bool on, uint8_t order[NET_CONTROL_BYTES])
{
    uint32_t host_addr = htonl(p->host_addr), guest_addr = htonl(p->guest_addr);
    uint16_t host_port = htons(p->host_port), guest_port = htons(p->guest_port);
    order[0] = (uint8_t)((on ? NET_CONTROL_ON : 0) | (p->udp ? NET_CONTROL_UDP : 0));
    memcpy(order + 1, &host_addr, 4);
    memcpy(order + 5, &host_port, 2);
    memcpy(order + 7, &guest_addr, 4);
    memcpy(order + 11, &guest_port, 2);
}

/* Inside the lock, left meanwhile: one order at a time, and its answer. */
static int order_and_wait(struct net_user *user, const uint8_t order[NET_CONTROL_BYTES])
{
    uint64_t end = host_monotonic_ns() + USER_ORDER_NS;
    user->answered = false;
    int err = -EAGAIN;
    while (err == -EAGAIN && !user->gone && host_monotonic_ns() < end) {
        host_lock_leave(&user->lock);
        err =
            send(user->fd, order, NET_CONTROL_BYTES, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
        host_poll(NULL, 0, 200000);
        host_lock_enter(&user->lock);
    }
    while (!err && !user->answered && !user->gone && host_monotonic_ns() < end) {
        host_lock_leave(&user->lock);
        host_poll(NULL, 0, 200000);
        host_lock_enter(&user->lock);
    }
    if (user->answered)
        return user->answer;
    return user->gone || err == -EPIPE ? -EPIPE : -ETIMEDOUT;
}

int net_user_publish(struct net_backend *net, const struct net_publish *publish, bool on)
{
    struct net_user *user = user_of(net);
    uint8_t order[NET_CONTROL_BYTES];
    order_write(publish, on, order);
    host_lock_enter(&user->lock);
    while (user->ordering)
        host_lock_wait(&user->lock);
    user->ordering = true;
    int err = order_and_wait(user, order);
    user->ordering = false;
    host_lock_wake(&user->lock);
    host_lock_leave(&user->lock);
    return err;
}

/* The process has just begun, so there is room. */
void net_user_publish_later(struct net_backend *net, const struct net_publish *publish)
{
    struct net_user *user = user_of(net);
    uint8_t order[NET_CONTROL_BYTES];
    order_write(publish, true, order);
    host_lock_enter(&user->lock);
    if (send(user->fd, order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        user->nobodys++;
    host_lock_leave(&user->lock);
}

int net_user_pid(const struct net_backend *net)
{
    return (int)user_of(net)->pid;
}
