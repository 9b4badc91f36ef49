/* SPDX-License-Identifier: MIT */
/* A NIC on a Linux tap device: a read or a write is a frame. */
#include "devices/net_backends.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct net_tap {
    struct net_backend net;
    int fd;
};

static struct net_tap *tap_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_tap, net);
}

static int tap_send(struct net_backend *net, const void *frame, size_t len)
{
    for (;;) {
        if (write(tap_of(net)->fd, frame, len) >= 0)
            return 0;
        if (errno == EAGAIN || errno == ENOBUFS)
            return -EAGAIN;
        if (errno == EBADFD)
            return -EPIPE;
        if (errno != EINTR)
            return 0; /* the device is down: a wire without a peer */
    }
}

static int tap_receive(struct net_backend *net, void *frame, size_t room)
{
    for (;;) {
        ssize_t got = read(tap_of(net)->fd, frame, room);
        if (got > 0)
            return (int)got;
        if (got < 0 && errno == EBADFD)
            return -EPIPE;
        if (got == 0 || errno != EINTR)
            return -EAGAIN;
    }
}

static int tap_fd(const struct net_backend *net)
{
    return tap_of(net)->fd;
}

static void tap_destroy(struct net_backend *net)
{
    struct net_tap *tap = tap_of(net);
    if (tap->fd >= 0)
        close(tap->fd);
    free(tap);
}

static const struct net_backend_ops tap_ops = {
    .name = "tap",
    .send = tap_send,
    .receive = tap_receive,
    .fd = tap_fd,
    .destroy = tap_destroy,
};

static int tap_open(struct net_tap *tap, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (strlen(name) >= sizeof request.ifr_name)
        return -ENAMETOOLONG;
    strcpy(request.ifr_name, name);
    tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap->fd < 0)
        return -errno;
    return ioctl(tap->fd, TUNSETIFF, &request) ? -errno : 0;
}

int net_tap_create(const char *name, struct net_backend **out, struct net_error *why)
{
    struct net_tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        return net_fail(why, -ENOMEM, "no memory for the network");
    tap->net.ops = &tap_ops;
    tap->fd = -1;
    int err = tap_open(tap, name);
    if (err) {
        tap_destroy(&tap->net);
        return net_fail(why, err,
                        "--net tap:%.40s: %s (make it with: ip tuntap add %.40s mode tap user "
                        "$USER)",
                        name, strerror(-err), name);
    }
    *out = &tap->net;
    return 0;
}
