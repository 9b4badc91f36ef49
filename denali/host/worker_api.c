/* SPDX-License-Identifier: MIT */
/*
 * The port through which a supervisor VM reaches the API (emu/cli/host/host_bridge.c is
 * its other end). Frames are carried from that VM alone, whose MAC the switch does
 * not let anybody forge, and to it alone: nobody else on the LAN finds anything
 * at this address. A bridge that dies is started anew.
 */
#include "denali/host/worker_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES_FD 3
#define CONTROL_FD 4
#define RETRY_NS 300000000u

struct api_port {
    struct lan_port port;
    struct worker *worker;
    uint64_t vm;
    uint32_t ip, vm_ip;
    int waker, frames, control; /* frames, control: -1 while there is no bridge */
    pid_t pid;
    bool joined, started;
    _Atomic bool quit;
    struct host_thread thread;
};

static void frames_arrived(struct lan_port *port)
{
    host_waker_wake(CONTAINER_OF(port, struct api_port, port)->waker);
}

/* The bridge. */

static void end_bridge(struct api_port *a)
{
    if (a->frames >= 0)
        close(a->frames);
    if (a->control >= 0)
        close(a->control);
    a->frames = a->control = -1;
    if (a->pid > 0) {
        kill(a->pid, SIGKILL);
        waitpid(a->pid, NULL, 0);
    }
    a->pid = 0;
}

/* Above the numbers that the bridge expects, so that dup2 copies. */
static int make_pair(int type, int pair[2])
{
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
        return -errno;
    for (int i = 0; i < 2; i++) {
        int above = fcntl(pair[i], F_DUPFD_CLOEXEC, CONTROL_FD + 1);
        if (above >= 0) {
            close(pair[i]);
            pair[i] = above;
        }
    }
    return 0;
}

static int exec_bridge(struct api_port *a, int frames, int control)
{
    extern char **environ;
    char ip[16], mac[24];
    uint8_t m[6];
    lan_port_mac(&a->port, m);
    snprintf(ip, sizeof(ip), "%u", a->ip);
    snprintf(mac, sizeof(mac), "%02x%02x%02x%02x%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    char program[] = "/proc/self/exe", host[] = "host", bridge[] = "--bridge";
    char *const argv[] = {program, host, bridge, ip, mac, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int err = posix_spawn_file_actions_adddup2(&actions, frames, FRAMES_FD);
    if (!err)
        err = posix_spawn_file_actions_adddup2(&actions, control, CONTROL_FD);
    if (!err)
        err = posix_spawn(&a->pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}

static int start_bridge(struct api_port *a)
{
    int frames[2], control[2];
    int err = make_pair(SOCK_SEQPACKET, frames);
    if (err)
        return err;
    err = make_pair(SOCK_SEQPACKET, control);
    if (err) {
        close(frames[0]);
        close(frames[1]);
        return err;
    }
    err = exec_bridge(a, frames[1], control[1]);
    close(frames[1]);
    close(control[1]);
    a->frames = frames[0];
    a->control = control[0];
    if (err)
        end_bridge(a);
    return err;
}

/* Carrying. */

/* From the VM, and from nobody else. */
static void carry_out(struct api_port *a)
{
    uint8_t frame[NET_FRAME_MAX], mac[6];
    size_t len;
    while ((len = lan_receive(&a->port, frame, sizeof(frame)))) {
        bool mine = lan_find(a->port.lan, a->vm_ip, mac) && !memcmp(frame + 6, mac, sizeof(mac));
        if (mine && a->frames >= 0 && send(a->frames, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            continue; /* lost, as on a wire */
    }
}

/* False: the bridge is gone. Broadcasts are its questions for the VM. */
static bool carry_in(struct api_port *a)
{
    uint8_t frame[NET_FRAME_MAX], mac[6];
    ssize_t n;
    while ((n = recv(a->frames, frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
        bool mine = n >= 14 && lan_find(a->port.lan, a->vm_ip, mac) &&
                    (!memcmp(frame, mac, sizeof(mac)) || (frame[0] & 1));
        if (mine)
            lan_send(&a->port, frame, (size_t)n);
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Ends of connections go to the daemon. */
static bool pass_connections(struct api_port *a)
{
    for (;;) {
        char byte;
        union {
            struct cmsghdr head;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {&byte, 1};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control.room)};
        ssize_t n = recvmsg(a->control, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int fd;
        if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
            continue;
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        worker_post_fd(a->worker, json_pack("{s:s, s:I}", "event", "api", "vm", (json_int_t)a->vm),
                       fd);
    }
}

static void run(void *opaque)
{
    struct api_port *a = opaque;
    while (!atomic_load(&a->quit)) {
        struct pollfd fds[3] = {{.fd = a->waker, .events = POLLIN},
                                {.fd = a->frames, .events = POLLIN},
                                {.fd = a->control, .events = POLLIN}};
        int n = host_poll(fds, 3, a->frames < 0 ? RETRY_NS : HOST_FOREVER);
        if (fds[0].revents)
            host_waker_clear(a->waker);
        carry_out(a);
        if (a->frames < 0) {
            if (n == 0 && start_bridge(a))
                continue; /* tried again in a while */
        } else if (!carry_in(a) || !pass_connections(a)) {
            end_bridge(a);
        }
    }
}

int api_port_create(struct worker *w, struct network *network, const struct vm_wish *wish,
                    struct api_port **out, struct why *why)
{
    struct api_port *a = calloc(1, sizeof(*a));
    if (!a)
        return why_fail(why, -ENOMEM, "no memory");
    a->worker = w;
    a->vm = wish->id;
    a->ip = wish->api_ip;
    a->vm_ip = wish->ip;
    a->frames = a->control = -1;
    a->waker = host_waker_create();
    int err = a->waker < 0 ? a->waker : 0;
    if (!err)
        err = lan_port_add(lan_net_lan(network->net), &a->port, a->ip, 0, frames_arrived);
    a->joined = !err;
    if (!err)
        err = start_bridge(a);
    if (!err)
        err = host_thread_start(&a->thread, "api", run, a);
    a->started = !err;
    if (err) {
        api_port_destroy(a);
        return why_fail(why, err, "the API cannot be put on the VM's LAN: %s", strerror(-err));
    }
    *out = a;
    return 0;
}

void api_port_destroy(struct api_port *a)
{
    if (!a)
        return;
    atomic_store(&a->quit, true);
    if (a->started) {
        host_waker_wake(a->waker);
        host_thread_join(&a->thread);
    }
    if (a->joined)
        lan_port_remove(&a->port);
    end_bridge(a);
    if (a->waker >= 0)
        close(a->waker);
    free(a);
}
