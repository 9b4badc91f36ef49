/* SPDX-License-Identifier: MIT */
/*
 * A capture around any backend, in the pcap format with nanoseconds. A record is
 * written with one write(), so a killed process leaves a file that is whole up to
 * its last frame. A full disk ends the capture, not the network: said once.
 */
#include "devices/net_backends.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct pcap_head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap_len, link_type;
};

struct pcap_record {
    uint32_t seconds, nanoseconds, captured, length;
};

#define PCAP_MAGIC_NS 0xa1b23c4du
#define PCAP_ETHERNET 1

struct net_pcap {
    struct net_backend net;
    struct net_backend *inner;
    int file;             /* -1: the capture has ended */
    pthread_mutex_t lock; /* both directions write to one file */
};

static struct net_pcap *pcap_of(const struct net_backend *net)
{
    return CONTAINER_OF(net, struct net_pcap, net);
}

/* All or nothing: a record that the disk has no room for is taken back. */
static int pcap_write(int file, const struct iovec *part, int parts, size_t len)
{
    off_t before = lseek(file, 0, SEEK_CUR);
    ssize_t n = writev(file, part, parts);
    if (n == (ssize_t)len)
        return 0;
    int err = n < 0 ? -errno : -ENOSPC;
    if (before >= 0 && n > 0 && ftruncate(file, before))
        return -errno;
    return err;
}

static void pcap_record(struct net_pcap *pcap, const void *frame, size_t len)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct pcap_record record = {(uint32_t)now.tv_sec, (uint32_t)now.tv_nsec, (uint32_t)len,
                                 (uint32_t)len};
    struct iovec part[] = {{&record, sizeof record}, {(void *)(uintptr_t)frame, len}};
    pthread_mutex_lock(&pcap->lock);
    int err = pcap->file < 0 ? 0 : pcap_write(pcap->file, part, 2, sizeof record + len);
    if (err) {
        fprintf(stderr, "denali: the capture ends here: %s\n", strerror(-err));
        close(pcap->file);
        pcap->file = -1;
    }
    pthread_mutex_unlock(&pcap->lock);
}

static int pcap_send(struct net_backend *net, const void *frame, size_t len)
{
    struct net_pcap *pcap = pcap_of(net);
    int err = pcap->inner->ops->send(pcap->inner, frame, len);
    if (!err)
        pcap_record(pcap, frame, len);
    return err;
}

static int pcap_receive(struct net_backend *net, void *frame, size_t room)
{
    struct net_pcap *pcap = pcap_of(net);
    int got = pcap->inner->ops->receive(pcap->inner, frame, room);
    if (got > 0)
        pcap_record(pcap, frame, (size_t)got);
    return got;
}

static int pcap_fd(const struct net_backend *net)
{
    return pcap_of(net)->inner->ops->fd(pcap_of(net)->inner);
}

static void pcap_destroy(struct net_backend *net)
{
    struct net_pcap *pcap = pcap_of(net);
    pcap->inner->ops->destroy(pcap->inner);
    if (pcap->file >= 0)
        close(pcap->file);
    pthread_mutex_destroy(&pcap->lock);
    free(pcap);
}

static const struct net_backend_ops pcap_ops = {
    .name = "pcap",
    .send = pcap_send,
    .receive = pcap_receive,
    .fd = pcap_fd,
    .destroy = pcap_destroy,
};

static int pcap_open(const char *file)
{
    static const struct pcap_head head = {PCAP_MAGIC_NS, 2, 4, 0, 0, 65535, PCAP_ETHERNET};
    struct iovec part = {(void *)(uintptr_t)&head, sizeof head};
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int err = pcap_write(fd, &part, 1, sizeof head);
    if (err)
        close(fd);
    return err ? err : fd;
}

int net_pcap_create(struct net_backend *inner, const char *file, struct net_backend **out,
                    struct net_error *why)
{
    struct net_pcap *pcap = calloc(1, sizeof *pcap);
    if (!pcap)
        return net_fail(why, -ENOMEM, "no memory for the capture");
    pcap->file = pcap_open(file);
    if (pcap->file < 0) {
        int err = pcap->file;
        free(pcap);
        return net_fail(why, err, "--pcap %.120s: %s", file, strerror(-err));
    }
    pcap->net.ops = &pcap_ops;
    pcap->inner = inner;
    pthread_mutex_init(&pcap->lock, NULL);
    *out = &pcap->net;
    return 0;
}
