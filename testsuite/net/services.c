/* SPDX-License-Identifier: MIT */
/* Each connection is a small state machine; all are visited whenever something happened. */
#include "testsuite/net/services.h"
#include "testsuite/net/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER 65536
#define SLOW_STEP_NS 20000000u
#define SLOW_START_NS 1000000000u

struct program {
    struct program *next;
    struct net_sock *sk;
    unsigned kind; /* enum service_port; CLIENT */
    uint64_t received, sent, total;
    uint64_t wait_until;
    bool ended, connected;
    _Atomic int *result;
    uint32_t at, len; /* echo: bytes in the buffer that are still to be sent */
    uint8_t buffer[BUFFER];
};

#define CLIENT 100

struct services {
    struct netstack *ns;
    struct net_sock *listener[32];
    struct net_sock *udp;
    struct program *first;
    uint64_t deadline;
};

static int send_bytes(struct net_sock *sk, const void *bytes, size_t len)
{
    struct sim_io io;
    sim_io_write(&io, bytes, len);
    return net_send(sk, &io.io, 0, NULL);
}

static int recv_bytes(struct net_sock *sk, void *bytes, size_t room)
{
    struct sim_io io;
    sim_io_read(&io, bytes, room);
    return net_recv(sk, &io.io, 0, NULL);
}

static struct program *program_add(struct services *s, struct net_sock *sk, unsigned kind)
{
    struct program *p = calloc(1, sizeof *p);
    REQUIRE(p);
    p->sk = sk;
    p->kind = kind;
    p->next = s->first;
    s->first = p;
    return p;
}

/* The steps answer: true, it is over and the socket is to be closed. */
static bool step_echo(struct program *p)
{
    for (;;) {
        while (p->at < p->len) {
            int n = send_bytes(p->sk, p->buffer + p->at, p->len - p->at);
            if (n < 0)
                return n != -EAGAIN;
            p->at += (uint32_t)n;
        }
        int n = recv_bytes(p->sk, p->buffer, sizeof p->buffer);
        if (n <= 0)
            return n != -EAGAIN;
        p->at = 0;
        p->len = (uint32_t)n;
    }
}

/* Answers the count when the end came. */
static bool sink_answer(struct program *p)
{
    uint8_t count[8];
    for (unsigned i = 0; i < 8; i++)
        count[i] = (uint8_t)(p->received >> (56 - 8 * i));
    send_bytes(p->sk, count, sizeof count);
    return true;
}

static bool sink_take(struct program *p, size_t room, bool *more)
{
    int n = recv_bytes(p->sk, p->buffer, room);
    *more = n > 0;
    for (int i = 0; i < n; i++)
        if (p->buffer[i] != pattern_byte(p->received + (uint64_t)i))
            return true; /* no answer: the other side sees it */
    if (n > 0)
        p->received += (uint64_t)n;
    if (n == 0)
        return sink_answer(p);
    return n < 0 && n != -EAGAIN;
}

static bool step_sink(struct program *p)
{
    bool more = true, over = false;
    while (more && !over)
        over = sink_take(p, sizeof p->buffer, &more);
    return over;
}

static bool step_slow(struct program *p, uint64_t now)
{
    bool more;
    if (!p->wait_until)
        p->wait_until = now + SLOW_START_NS;
    if (now < p->wait_until)
        return false;
    p->wait_until = now + SLOW_STEP_NS;
    return sink_take(p, 4096, &more);
}

static bool step_source(struct program *p)
{
    while (p->received < 8) {
        int n = recv_bytes(p->sk, p->buffer, 8 - p->received);
        if (n <= 0)
            return n != -EAGAIN;
        for (int i = 0; i < n; i++)
            p->total = p->total << 8 | p->buffer[i];
        p->received += (uint64_t)n;
    }
    while (p->sent < p->total) {
        uint64_t n = p->total - p->sent < BUFFER ? p->total - p->sent : BUFFER;
        for (uint64_t i = 0; i < n; i++)
            p->buffer[i] = pattern_byte(p->sent + i);
        int done = send_bytes(p->sk, p->buffer, n);
        if (done < 0)
            return done != -EAGAIN;
        p->sent += (uint64_t)done;
    }
    return true;
}

static bool step_reset(struct program *p)
{
    int n = recv_bytes(p->sk, p->buffer, 1);
    if (n == -EAGAIN)
        return false;
    net_set(p->sk, NET_OPT_LINGER, 0);
    return true;
}

static bool client_end(struct program *p, int result)
{
    *p->result = result;
    return true;
}

static bool step_client(struct program *p)
{
    int error;
    if (!p->connected) {
        unsigned events = net_ready(p->sk);
        net_get(p->sk, NET_OPT_ERROR, &error);
        if (error)
            return client_end(p, -error);
        if (!(events & NET_OUT))
            return false;
        p->connected = true;
    }
    while (p->sent < p->total) {
        uint64_t n = p->total - p->sent < BUFFER ? p->total - p->sent : BUFFER;
        for (uint64_t i = 0; i < n; i++)
            p->buffer[i] = pattern_byte(p->sent + i);
        int done = send_bytes(p->sk, p->buffer, n);
        if (done == -EAGAIN)
            break;
        if (done < 0)
            return client_end(p, done);
        p->sent += (uint64_t)done;
        if (p->sent == p->total)
            net_shutdown(p->sk, NET_SHUT_OUT);
    }
    for (;;) {
        int n = recv_bytes(p->sk, p->buffer, BUFFER);
        if (n == -EAGAIN)
            return false;
        if (n <= 0)
            return client_end(p, n < 0 ? n : p->received == p->total ? 1 : -EIO);
        for (int i = 0; i < n; i++)
            if (p->buffer[i] != pattern_byte(p->received + (uint64_t)i))
                return client_end(p, -EBADMSG);
        p->received += (uint64_t)n;
    }
}

static bool program_step(struct program *p, uint64_t now)
{
    switch (p->kind) {
    case SERVICE_ECHO:
        return step_echo(p);
    case SERVICE_SINK:
        return step_sink(p);
    case SERVICE_SLOW:
        return step_slow(p, now);
    case SERVICE_SOURCE:
        return step_source(p);
    case SERVICE_RESET:
        return step_reset(p);
    default:
        return step_client(p);
    }
}

static void listener_add(struct services *s, unsigned port)
{
    struct net_addr any = {0, (uint16_t)port};
    REQUIRE(!net_socket(s->ns, NET_STREAM, 0, &s->listener[port]));
    REQUIRE(!net_bind(s->listener[port], &any));
    REQUIRE(!net_listen(s->listener[port], 512));
}

struct services *services_create(struct netstack *ns)
{
    static const unsigned ports[] = {SERVICE_ECHO, SERVICE_SINK, SERVICE_SOURCE, SERVICE_SLOW,
                                     SERVICE_RESET};
    struct net_addr udp = {0, SERVICE_ECHO};
    struct services *s = calloc(1, sizeof *s);
    REQUIRE(s);
    s->ns = ns;
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
        listener_add(s, ports[i]);
    REQUIRE(!net_socket(ns, NET_DGRAM, 0, &s->udp));
    REQUIRE(!net_bind(s->udp, &udp));
    return s;
}

void services_destroy(struct services *s)
{
    for (size_t i = 0; i < 32; i++)
        if (s->listener[i])
            net_close(s->listener[i]);
    net_close(s->udp);
    while (s->first) {
        struct program *p = s->first;
        s->first = p->next;
        net_close(p->sk);
        free(p);
    }
    free(s);
}

static void udp_echo(struct services *s)
{
    static uint8_t buffer[65536];
    struct net_addr from;
    struct sim_io io;
    for (;;) {
        sim_io_read(&io, buffer, sizeof buffer);
        int n = net_recv(s->udp, &io.io, 0, &from);
        if (n < 0)
            return;
        sim_io_write(&io, buffer, (size_t)n);
        net_send(s->udp, &io.io, 0, &from);
    }
}

void services_run(struct services *s, uint64_t now)
{
    struct net_sock *sk;
    for (unsigned port = 0; port < 32; port++)
        while (s->listener[port] && !net_accept(s->listener[port], &sk))
            program_add(s, sk, port);
    udp_echo(s);
    s->deadline = UINT64_MAX;
    for (struct program **at = &s->first, *p; (p = *at);) {
        if (program_step(p, now)) {
            net_close(p->sk);
            *at = p->next;
            free(p);
            continue;
        }
        if (p->wait_until > now && p->wait_until < s->deadline)
            s->deadline = p->wait_until;
        at = &p->next;
    }
}

uint64_t services_deadline(const struct services *s)
{
    return s->deadline;
}

void services_client(struct services *s, uint32_t ip, uint16_t port, uint64_t bytes,
                     _Atomic int *result)
{
    struct net_sock *sk;
    struct net_addr to = {ip, port};
    REQUIRE(!net_socket(s->ns, NET_STREAM, 0, &sk));
    int err = net_connect(sk, &to);
    struct program *p = program_add(s, sk, CLIENT);
    p->total = bytes;
    p->result = result;
    if (err != -EINPROGRESS)
        *result = err;
}
