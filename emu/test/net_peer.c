/* SPDX-License-Identifier: MIT */
/* One peer's script. Every function goes on as far as it can without waiting. */
#include "emu/test/net_private.h"

#include "emu/test/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A connection that was refused is tried again after ever longer times, and at last no more. */
#define RETRY_NS 1000000u
#define TRIES 17u
#define PART 16384u

struct copy {
    struct net_io io;
    char *at;
    bool in; /* from the kernel */
};

static int copy(struct net_io *io, void *kernel, size_t n)
{
    struct copy *c = CONTAINER_OF(io, struct copy, io);
    memcpy(c->in ? c->at : kernel, c->in ? kernel : c->at, n);
    c->at += n;
    io->left -= n;
    return 0;
}

static const struct spec_peer_step *current(const struct net_peer *p)
{
    return p->step < p->spec->steps ? &p->spec->step[p->step] : NULL;
}

bool net_peer_is_done(const struct net_peer *p)
{
    return !current(p);
}

static bool next_step(struct net_peer *p)
{
    p->step++;
    p->sent = 0;
    p->waiting = false;
    return true;
}

void net_peer_close(struct net_peer *p)
{
    if (p->sock)
        net_close(p->sock);
    if (p->listener)
        net_close(p->listener);
    p->sock = p->listener = NULL;
    buffer_free(&p->got);
    buffer_free(&p->said);
}

/* ---- getting a socket ---- */

static bool fail_connect(struct net_peer *p)
{
    net_close(p->sock);
    p->sock = NULL;
    p->connecting = false;
    p->until_ns = ++p->tries < TRIES ? net_now(p->host->net) + (RETRY_NS << p->tries) : UINT64_MAX;
    return false;
}

static bool open_udp(struct net_peer *p)
{
    const struct net_addr any = {0, p->spec->port};
    const struct net_addr guest = {TEST_NET_GUEST, p->spec->port};
    if (net_socket(p->host->stack, NET_DGRAM, 0, &p->sock))
        return false;
    int err = p->spec->listens ? net_bind(p->sock, &any) : net_connect(p->sock, &guest);
    return err ? fail_connect(p) : true;
}

static bool begin_connect(struct net_peer *p)
{
    const struct net_addr guest = {TEST_NET_GUEST, p->spec->port};
    if (net_socket(p->host->stack, NET_STREAM, 0, &p->sock))
        return false;
    int err = net_connect(p->sock, &guest);
    if (err && err != -EINPROGRESS)
        return fail_connect(p);
    p->connecting = true;
    return true;
}

static bool finish_connect(struct net_peer *p)
{
    int error = 0;
    unsigned ready = net_ready(p->sock);
    if (!(ready & (NET_OUT | NET_ERR | NET_HUP)))
        return false;
    if ((ready & (NET_ERR | NET_HUP)) || net_get(p->sock, NET_OPT_ERROR, &error) || error)
        return fail_connect(p);
    p->connecting = false;
    p->tries = 0;
    return true;
}

static bool listen_and_accept(struct net_peer *p)
{
    const struct net_addr any = {0, p->spec->port};
    if (p->listener)
        return !net_accept(p->listener, &p->sock);
    if (net_socket(p->host->stack, NET_STREAM, 0, &p->listener))
        return false;
    if (!net_bind(p->listener, &any) && !net_listen(p->listener, 8))
        return true;
    net_close(p->listener);
    p->listener = NULL;
    return false;
}

/* True: there is one, or something was done for it. */
static bool open_socket(struct net_peer *p)
{
    if (p->connecting)
        return finish_connect(p);
    if (p->until_ns > net_now(p->host->net))
        return false;
    if (p->spec->udp)
        return open_udp(p);
    return p->spec->listens ? listen_and_accept(p) : begin_connect(p);
}

/* ---- steps ---- */

static bool receive(struct net_peer *p)
{
    char part[PART];
    struct copy c = {.io = {copy, sizeof(part)}, .at = part, .in = true};
    struct net_addr from = {0, 0};
    if (p->ended)
        return false;
    int n = net_recv(p->sock, &c.io, 0, &from);
    if (n == -EAGAIN)
        return false;
    if (n <= 0 && !p->spec->udp) {
        p->ended = true;
        return true;
    }
    if (p->spec->udp)
        p->from = from;
    if (n > 0)
        buffer_add(&p->got, part, (size_t)n);
    return n > 0;
}

static bool send(struct net_peer *p, const struct spec_bytes *data)
{
    bool answer = p->spec->udp && p->spec->listens;
    if (answer && !p->from.port)
        return receive(p); /* nobody to answer yet */
    if (p->sent == data->len)
        return next_step(p);
    struct copy c = {.io = {copy, data->len - p->sent}, .at = (char *)data->data + p->sent};
    int n = net_send(p->sock, &c.io, 0, answer ? &p->from : NULL);
    if (n <= 0)
        return false;
    p->sent += (size_t)n;
    return p->sent == data->len ? next_step(p) : true;
}

static void use_up(struct buffer *b, size_t n)
{
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = 0;
}

static bool expect(struct net_peer *p, const struct spec_peer_step *step)
{
    const char *found;
    size_t end;
    if (step->act == PEER_LIKE && p->got.len &&
        match_regex_end(step->data.data, p->got.data, p->got.len, &end)) {
        use_up(&p->got, end);
        return next_step(p);
    }
    if (step->act == PEER_EXPECT && p->got.len &&
        (found = match_find(p->got.data, p->got.len, &step->data)) != NULL) {
        use_up(&p->got, (size_t)(found - p->got.data) + step->data.len);
        return next_step(p);
    }
    return receive(p);
}

static bool wait(struct net_peer *p, uint64_t ns)
{
    uint64_t now = net_now(p->host->net);
    if (!p->waiting) {
        p->waiting = true;
        p->until_ns = now + ns;
    }
    return p->until_ns <= now && next_step(p);
}

static bool after(struct net_peer *p, const struct spec_bytes *text)
{
    const char *found = p->said.len ? match_find(p->said.data, p->said.len, text) : NULL;
    if (!found)
        return false;
    use_up(&p->said, (size_t)(found - p->said.data) + text->len);
    return next_step(p);
}

static bool close_socket(struct net_peer *p)
{
    net_close(p->sock);
    p->sock = NULL;
    p->ended = false;
    buffer_clear(&p->got);
    return next_step(p);
}

/* The script is done: the guest sees the end of the connection. */
static bool finish(struct net_peer *p)
{
    if (p->sock && !p->spec->udp) {
        net_close(p->sock);
        p->sock = NULL;
        return true;
    }
    return false;
}

bool net_peer_run(struct net_peer *p)
{
    const struct spec_peer_step *step = current(p);
    if (!step)
        return finish(p);
    if (step->act == PEER_WAIT)
        return wait(p, step->wait_ns);
    if (step->act == PEER_AFTER)
        return after(p, &step->data);
    if (!p->sock || p->connecting)
        return open_socket(p);
    if (step->act == PEER_SEND)
        return send(p, &step->data);
    return step->act == PEER_CLOSE ? close_socket(p) : expect(p, step);
}

void net_peer_tell(const struct net_peer *p, struct buffer *out)
{
    static const char *const acts[] = {"send ", "get ", "get what matches ",
                                       "close", "wait", "hear on the console "};
    const struct spec_peer_step *step = current(p);
    if (!step)
        return;
    buffer_print(out, "peer %s, step %u (of %u): it was to %s",
                 p->spec->name      ? p->spec->name
                 : p->spec->listens ? "that listens"
                                    : "that connects",
                 p->step + 1, p->spec->steps, acts[step->act]);
    if (step->data.data)
        match_quote(step->data.data, step->data.len, 100, out);
    if (!p->sock && step->act != PEER_WAIT && step->act != PEER_AFTER)
        buffer_text(out, "; there is no connection");
    if (p->ended)
        buffer_text(out, "; the guest has closed");
    if (p->got.len) {
        buffer_text(out, "; it got ");
        match_quote(p->got.data, p->got.len, 200, out);
    }
}
