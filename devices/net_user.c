/* SPDX-License-Identifier: MIT */
/*
 * User-mode NAT, seen from the VM's process.
 *
 * libslirp parses hostile packets and has had memory bugs, so it lives in a
 * process of its own (devices/nat/) that shares nothing with us but one
 * SOCK_SEQPACKET pair; a message is a frame. The first message from there is not
 * a frame but the word of that process: "ok", or why it cannot start.
 *
 * Invariant: `gone` is set once, after the loss was reported; from then on no
 * call touches the socket.
 */
#include "devices/net_backends.h"
#include "emu/base/host.h"

#include "config.h"

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
#define USER_ARG_LEN 48
#define USER_SOCKET_FD 3
#define USER_END_NS 3000000000u
/* Room for a burst of a TCP window each way. */
#define USER_SOCKET_BYTES (1 << 20)

struct net_user {
    struct net_backend net;
    int fd;
    pid_t pid;
    bool started; /* the first message has been read */
    bool gone;
};

static struct net_user *user_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_user, net);
}

static int user_lost(struct net_user *user, const char *detail)
{
    if (!user->gone)
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
            kill(pid, SIGKILL);
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
    uint32_t a = p->host_addr;
    snprintf(text, USER_ARG_LEN, "%u.%u.%u.%u:%u:%u%s", a >> 24, a >> 16 & 255, a >> 8 & 255,
             a & 255, p->host_port, p->guest_port, p->udp ? "/udp" : "");
}

/* Starts `path` with its end of the pair as descriptor 3. */
static int user_exec(struct net_user *user, const struct net_user_config *config, char *path,
                     int theirs)
{
    extern char **environ;
    char text[NET_MAX_PUBLISH][USER_ARG_LEN];
    char *argv[NET_MAX_PUBLISH + 2] = {path};
    for (size_t i = 0; i < config->publish_count; i++) {
        publish_format(&config->publish[i], text[i]);
        argv[i + 1] = text[i];
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
    *user = (struct net_user){.net.ops = &user_ops, .fd = -1};
    int err = user_start(user, config, why);
    if (err)
        user_destroy(&user->net);
    else
        *out = &user->net;
    return err;
}
