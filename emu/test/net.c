/* SPDX-License-Identifier: MIT */
/* Frames between the guest and the peers' stacks. Each address has a stack of its own. */
#include "emu/test/net_private.h"

#include "emu/test/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_PAGES 4096u
#define FRAMES_KEPT 10000u

uint64_t net_now(const struct test_net *net)
{
    return net->config.now_ns(net->config.opaque);
}

/* ---- frames ---- */

static struct net_frame *new_frame(const void *data, size_t len)
{
    struct net_frame *f = calloc(1, sizeof(*f) + len);
    if (f) {
        f->len = len;
        memcpy(f->data, data, len);
    }
    return f;
}

/* Sets the event, or takes it back. */
static void tell_waiting(const struct test_net *net, bool waiting)
{
    eventfd_t ignored;
    if (net->waiting >= 0 && waiting)
        (void)eventfd_write(net->waiting, 1);
    else if (net->waiting >= 0)
        (void)eventfd_read(net->waiting, &ignored);
}

static void to_guest(struct test_net *net, const void *data, size_t len)
{
    struct net_frame *f = new_frame(data, len);
    if (!f)
        return; /* a wire loses frames */
    *net->end = f;
    net->end = &f->next;
    tell_waiting(net, true);
    net->config.arrived(net->config.opaque);
}

static void keep_sent(struct test_net *net, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++)
        net->sum = (net->sum ^ p[i]) * 0x100000001b3u;
    struct net_frame *f = net->kept < FRAMES_KEPT ? new_frame(data, len) : NULL;
    if (!f)
        return;
    net->kept++;
    *net->sent_end = f;
    net->sent_end = &f->next;
}

static struct test_net *self(const struct net_backend *base)
{
    return CONTAINER_OF(base, struct test_net, base);
}

static int backend_send(struct net_backend *base, const void *frame, size_t len)
{
    struct test_net *net = self(base);
    keep_sent(net, frame, len);
    for (unsigned i = 0; i < net->hosts; i++)
        netstack_input(net->host[i].stack, frame, len);
    test_net_run(net);
    return 0;
}

static int backend_receive(struct net_backend *base, void *frame, size_t room)
{
    struct test_net *net = self(base);
    struct net_frame *f = net->first;
    if (!f)
        return -EAGAIN;
    size_t len = f->len < room ? f->len : room;
    memcpy(frame, f->data, len);
    net->first = f->next;
    if (!net->first) {
        net->end = &net->first;
        tell_waiting(net, false);
    }
    free(f);
    return (int)len;
}

static int backend_fd(const struct net_backend *base)
{
    return self(base)->waiting;
}

static void backend_destroy(struct net_backend *base)
{
    (void)base; /* test_net_destroy does it */
}

static const struct net_backend_ops backend_ops = {.name = "test",
                                                   .send = backend_send,
                                                   .receive = backend_receive,
                                                   .fd = backend_fd,
                                                   .destroy = backend_destroy};

/* ---- what a stack asks of its user ---- */

static uint64_t clock_ns(void *arg)
{
    const struct net_host *host = arg;
    return net_now(host->net) + 1; /* never 0 */
}

static void *pages_alloc(void *arg, uint32_t pages)
{
    (void)arg;
    void *p = aligned_alloc(PAGE_SIZE, (size_t)pages * PAGE_SIZE);
    return p ? memset(p, 0, (size_t)pages * PAGE_SIZE) : NULL;
}

static void pages_free(void *arg, void *p, uint32_t pages)
{
    (void)arg, (void)pages;
    free(p);
}

static int output(void *arg, const void *frame, size_t len)
{
    const struct net_host *host = arg;
    to_guest(host->net, frame, len);
    return 0;
}

static int start_host(struct test_net *net, struct net_host *host)
{
    const struct netstack_host ops = {.arg = host,
                                      .clock_ns = clock_ns,
                                      .pages_alloc = pages_alloc,
                                      .pages_free = pages_free,
                                      .output = output};
    struct netstack_config config = {.mac = {0x02, 0x74, 0x65, 0x73, 0x74, (uint8_t)host->ip},
                                     .mtu = 1500,
                                     .addr = host->ip,
                                     .mask = NET_IP(255, 255, 255, 0),
                                     .max_pages = STACK_PAGES};
    memcpy(config.secret, &net->config.seed, sizeof(net->config.seed));
    host->net = net;
    host->stack = aligned_alloc(64, (netstack_bytes() + 63) & ~(size_t)63);
    if (!host->stack)
        return -ENOMEM;
    netstack_init(host->stack, &config, &ops);
    return 0;
}

static struct net_host *host_of(struct test_net *net, uint32_t ip)
{
    for (unsigned i = 0; i < net->hosts; i++) {
        if (net->host[i].ip == ip)
            return &net->host[i];
    }
    struct net_host *host = &net->host[net->hosts];
    host->ip = ip;
    if (start_host(net, host))
        return NULL;
    net->hosts++;
    return host;
}

/* ---- all of it ---- */

bool test_net_is_wanted(const struct spec *spec)
{
    bool frames = false;
    for (unsigned i = 0; i < spec->steps; i++)
        frames = frames || spec->step[i].act == ACT_FRAME;
    return frames || spec->peers || spec->expect.frames || spec->pc.nic;
}

int test_net_create(const struct test_net_config *config, struct test_net **out)
{
    struct test_net *net = calloc(1, sizeof(*net));
    if (!net)
        return -ENOMEM;
    net->base.ops = &backend_ops;
    net->config = *config;
    net->end = &net->first;
    net->sent_end = &net->sent;
    net->waiting = config->pollable ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    if (config->pollable && net->waiting < 0) {
        int err = -errno;
        free(net);
        return err;
    }
    for (unsigned i = 0; i < config->spec->peers && i < NET_PEERS; i++) {
        struct net_peer *peer = &net->peer[i];
        peer->spec = &config->spec->peer[i];
        peer->host = host_of(net, peer->spec->ip);
        if (!peer->host) {
            test_net_destroy(net);
            return -ENOMEM;
        }
        net->peers++;
    }
    *out = net;
    return 0;
}

static void free_frames(struct net_frame *f)
{
    for (struct net_frame *next; f; f = next) {
        next = f->next;
        free(f);
    }
}

void test_net_destroy(struct test_net *net)
{
    if (!net)
        return;
    for (unsigned i = 0; i < net->peers; i++)
        net_peer_close(&net->peer[i]);
    for (unsigned i = 0; i < net->hosts; i++) {
        netstack_fini(net->host[i].stack);
        free(net->host[i].stack);
    }
    if (net->waiting >= 0)
        close(net->waiting);
    free_frames(net->first);
    free_frames(net->sent);
    free(net);
}

struct net_backend *test_net_backend(struct test_net *net)
{
    return &net->base;
}

void test_net_run(struct test_net *net)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (unsigned i = 0; i < net->peers; i++)
            changed = net_peer_run(&net->peer[i]) || changed;
    }
    for (unsigned i = 0; i < net->hosts; i++)
        netstack_poll(net->host[i].stack);
}

uint64_t test_net_next_ns(const struct test_net *net)
{
    uint64_t next = UINT64_MAX, now = net_now(net);
    for (unsigned i = 0; i < net->hosts; i++) {
        uint64_t at = netstack_deadline(net->host[i].stack);
        if (at != UINT64_MAX && at < next)
            next = at > now ? at : now + 1;
    }
    for (unsigned i = 0; i < net->peers; i++) {
        uint64_t at = net->peer[i].until_ns;
        if (at > now && at < next)
            next = at;
    }
    return next;
}

void test_net_heard(struct test_net *net, const void *text, size_t len)
{
    for (unsigned i = 0; i < net->peers; i++)
        buffer_add(&net->peer[i].said, text, len);
    test_net_run(net);
}

void test_net_inject(struct test_net *net, const void *frame, size_t len)
{
    to_guest(net, frame, len);
}

bool test_net_is_done(const struct test_net *net)
{
    for (unsigned i = 0; i < net->peers; i++) {
        if (!net_peer_is_done(&net->peer[i]))
            return false;
    }
    return true;
}

/* ---- what was expected ---- */

static bool was_sent(const struct test_net *net, const struct spec_text *want)
{
    for (const struct net_frame *f = net->sent; f; f = f->next) {
        struct outcome one = {0};
        match_text("frame", want, f->data, f->len, &one);
        bool good = !one.failed;
        outcome_free(&one);
        if (good)
            return true;
    }
    return false;
}

void test_net_check(const struct test_net *net, struct outcome *out)
{
    const struct spec_expect *e = &net->config.spec->expect;
    for (unsigned i = 0; i < net->peers; i++) {
        struct buffer b = {0};
        net_peer_tell(&net->peer[i], &b);
        if (b.len)
            outcome_fail(out, "%s", b.data);
        buffer_free(&b);
    }
    for (unsigned i = 0; i < e->frames; i++) {
        if (!was_sent(net, &e->frame[i].text))
            outcome_fail(out, "frame %u (%s): none of the %u frames that it sent is like it", i + 1,
                         e->frame[i].name ? e->frame[i].name : "no name", net->kept);
    }
}

uint64_t test_net_sum(const struct test_net *net)
{
    return net->sum;
}
