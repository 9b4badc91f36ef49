/* SPDX-License-Identifier: MIT */
/*
 * replay TAPE: the calls of a tape (tape.c) made of the stack in this process, as a plain 32-bit
 * program of the host. What the stack asks is answered as it was then: so it runs through the same
 * lines, which gcov counts. What it answers, and every frame that it sends, must be what is on the
 * tape.
 */
#include "guests/ilwaco/net/netstack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 8
#define SOCKETS 1024

struct replay {
    FILE *in;
    char *line;
    size_t room;
    unsigned long number;
    char *word[WORDS]; /* of the line that was read last; "" behind its end */
    struct netstack *ns;
    struct {
        unsigned long then; /* its address on the tape */
        struct net_sock *now;
    } socket[SOCKETS];
    size_t sockets;
    unsigned long calls, frames_in, frames_out;
};

static _Noreturn void end(const struct replay *r, const char *what, const char *detail)
{
    fprintf(stderr, "line %lu of the tape: %s %s\n", r->number, what, detail);
    exit(1);
}

/* The next line of the tape; false: there is none. What others wrote in between is none of it. */
static bool next(struct replay *r)
{
    do {
        if (getline(&r->line, &r->room, r->in) < 0)
            return false;
        r->number++;
    } while (*r->line != '@');
    char *at = r->line;
    for (size_t i = 0; i < WORDS; i++) {
        at += strspn(at, " \n");
        r->word[i] = at;
        at += strcspn(at, " \n");
        if (*at)
            *at++ = 0;
    }
    return true;
}

static void want(struct replay *r, const char *word)
{
    if (!next(r))
        end(r, "the tape ends before", word);
    if (strcmp(r->word[0], word))
        end(r, r->word[0], word);
}

static unsigned long number(const struct replay *r, unsigned i)
{
    return strtoul(r->word[i], NULL, 10);
}

static unsigned long hex(const struct replay *r, unsigned i)
{
    return strtoul(r->word[i], NULL, 16);
}

static void same(const struct replay *r, unsigned i, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    if (strtoull(text, NULL, 10) != strtoull(r->word[i], NULL, 10))
        end(r, r->word[i], text);
}

/* A word's bytes; *len is their number. The caller frees them. */
static uint8_t *bytes(const struct replay *r, unsigned i, size_t *len)
{
    const char *text = r->word[i];
    uint8_t *out = malloc(strlen(text) / 2 + 1);
    if (!out)
        abort();
    for (*len = 0; text[0] && text[0] != '-'; text += 2)
        out[(*len)++] = (uint8_t)strtoul((char[]){text[0], text[1], 0}, NULL, 16);
    return out;
}

/* ---- what the stack asks ---- */

/* Ilwaco's assertions end in this. */
_Noreturn void kernel_bug(const char *file, int line, const char *message);
void kernel_bug(const char *file, int line, const char *message)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, message);
    abort();
}

static uint64_t host_clock(void *arg)
{
    struct replay *r = arg;
    want(r, "@clock");
    return strtoull(r->word[1], NULL, 10);
}

static void *host_pages(void *arg, uint32_t pages)
{
    struct replay *r = arg;
    want(r, "@pages");
    same(r, 1, pages);
    void *p = number(r, 2) ? aligned_alloc(4096, pages * 4096) : NULL;
    return p ? memset(p, 0, pages * 4096) : NULL;
}

static void host_free(void *arg, void *p, uint32_t pages)
{
    want(arg, "@free");
    same(arg, 1, pages);
    free(p);
}

static int host_output(void *arg, const void *frame, size_t len)
{
    struct replay *r = arg;
    size_t then;
    want(r, "@frame");
    uint8_t *data = bytes(r, 1, &then);
    if (then != len || memcmp(data, frame, len))
        end(r, "another frame than", r->word[1]);
    free(data);
    r->frames_out++;
    return atoi(r->word[2]);
}

static void host_configured(void *arg)
{
    (void)arg;
}

static void host_notify(void *arg, unsigned events)
{
    (void)arg, (void)events;
}

struct replay_io {
    struct net_io io;
    struct replay *r;
    bool send;
};

static int host_copy(struct net_io *io, void *kernel, size_t n)
{
    struct replay_io *at = (struct replay_io *)io;
    size_t len;
    want(at->r, "@copy");
    uint8_t *data = bytes(at->r, 1, &len);
    if (len != n || (!at->send && memcmp(data, kernel, n)))
        end(at->r, "other bytes than", at->r->word[1]);
    if (at->send)
        memcpy(kernel, data, n);
    free(data);
    io->left -= n;
    return atoi(at->r->word[2]);
}

/* ---- sockets have other addresses here ---- */

static struct net_sock *socket_of(const struct replay *r)
{
    unsigned long then = hex(r, 2);
    for (size_t i = r->sockets; i--;)
        if (r->socket[i].then == then)
            return r->socket[i].now;
    end(r, "no socket is called", r->word[2]);
}

static void socket_new(struct replay *r, unsigned word, struct net_sock *now)
{
    if (r->sockets == SOCKETS)
        end(r, "too many sockets", "");
    r->socket[r->sockets].then = hex(r, word);
    r->socket[r->sockets++].now = now;
}

/* ---- the calls ---- */

static void call_init(struct replay *r)
{
    struct netstack_host host = {.arg = r,
                                 .clock_ns = host_clock,
                                 .pages_alloc = host_pages,
                                 .pages_free = host_free,
                                 .output = host_output,
                                 .configured = host_configured};
    size_t len;
    uint8_t *config = bytes(r, 2, &len);
    size_t room = (netstack_bytes() + 15) & ~(size_t)15;
    r->ns = aligned_alloc(16, room);
    if (!r->ns || len != sizeof(struct netstack_config))
        end(r, "not a configuration of this size", "");
    memset(r->ns, 0, room);
    netstack_init(r->ns, (struct netstack_config *)config, &host);
    free(config);
    want(r, "@ret");
}

static void call_input(struct replay *r)
{
    size_t len;
    uint8_t *frame = bytes(r, 2, &len);
    netstack_input(r->ns, frame, len);
    free(frame);
    r->frames_in++;
    want(r, "@ret");
}

static void call_poll(struct replay *r)
{
    netstack_poll(r->ns);
    want(r, "@ret");
}

static void call_deadline(struct replay *r)
{
    uint64_t due = netstack_deadline(r->ns);
    want(r, "@ret");
    same(r, 1, (long long)due);
}

static void call_output_ready(struct replay *r)
{
    netstack_output_ready(r->ns);
    want(r, "@ret");
}

static void call_finish(struct replay *r)
{
    netstack_finish(r->ns);
    want(r, "@ret");
}

static void call_busy(struct replay *r)
{
    bool busy = netstack_busy(r->ns);
    want(r, "@ret");
    same(r, 1, busy);
}

static void call_info(struct replay *r)
{
    struct netstack_info info;
    netstack_info(r->ns, &info);
    want(r, "@ret");
    if (hex(r, 1) != info.addr)
        end(r, "another address than", r->word[1]);
    same(r, 2, (long long)info.rx_frames);
    same(r, 3, (long long)info.tx_frames);
}

/* The answer of a call that may have made a socket. */
static void answer_socket(struct replay *r, int err, struct net_sock *now)
{
    want(r, "@ret");
    same(r, 1, err);
    if (!err)
        socket_new(r, 2, now);
}

static void call_socket(struct replay *r)
{
    struct net_sock *sk = NULL;
    int err = net_socket(r->ns, (enum net_type)number(r, 2), (unsigned)number(r, 3), &sk);
    answer_socket(r, err, sk);
}

static void call_accept(struct replay *r)
{
    struct net_sock *sk = NULL;
    int err = net_accept(socket_of(r), &sk);
    answer_socket(r, err, sk);
}

static void call_close(struct replay *r)
{
    net_close(socket_of(r));
    want(r, "@ret");
}

static void call_watch(struct replay *r)
{
    net_watch(socket_of(r), host_notify, NULL);
    want(r, "@ret");
}

static void answer(struct replay *r, int result)
{
    want(r, "@ret");
    same(r, 1, result);
}

static void call_ready(struct replay *r)
{
    answer(r, (int)net_ready(socket_of(r)));
}

static struct net_addr address(const struct replay *r, unsigned i)
{
    return (struct net_addr){(uint32_t)hex(r, i), (uint16_t)number(r, i + 1)};
}

static void call_bind(struct replay *r)
{
    struct net_addr addr = address(r, 3);
    answer(r, net_bind(socket_of(r), &addr));
}

static void call_connect(struct replay *r)
{
    struct net_addr addr = address(r, 3);
    answer(r, net_connect(socket_of(r), &addr));
}

static void call_disconnect(struct replay *r)
{
    answer(r, net_disconnect(socket_of(r)));
}

static void call_listen(struct replay *r)
{
    answer(r, net_listen(socket_of(r), (uint32_t)number(r, 3)));
}

static void call_shutdown(struct replay *r)
{
    answer(r, net_shutdown(socket_of(r), (unsigned)number(r, 3)));
}

static void call_send(struct replay *r)
{
    struct replay_io io = {{host_copy, number(r, 3)}, r, true};
    struct net_addr to = address(r, 6);
    answer(r, net_send(socket_of(r), &io.io, (unsigned)number(r, 4), number(r, 5) ? &to : NULL));
}

static void call_recv(struct replay *r)
{
    struct replay_io io = {{host_copy, number(r, 3)}, r, false};
    struct net_addr from;
    answer(r, net_recv(socket_of(r), &io.io, (unsigned)number(r, 4), number(r, 5) ? &from : NULL));
}

static void call_local(struct replay *r)
{
    struct net_addr addr;
    net_local(socket_of(r), &addr);
    want(r, "@ret");
    same(r, 2, addr.port);
}

static void call_remote(struct replay *r)
{
    struct net_addr addr = {0};
    int err = net_remote(socket_of(r), &addr);
    answer(r, err);
    same(r, 3, addr.port);
}

static void call_set(struct replay *r)
{
    answer(r, net_set(socket_of(r), (enum net_option)number(r, 3), atoi(r->word[4])));
}

static void call_get(struct replay *r)
{
    int value = 0, err = net_get(socket_of(r), (enum net_option)number(r, 3), &value);
    answer(r, err);
    same(r, 2, err ? 0 : value);
}

static const struct {
    const char *name;
    void (*make)(struct replay *r);
} calls[] = {
    {"init", call_init},
    {"input", call_input},
    {"poll", call_poll},
    {"deadline", call_deadline},
    {"output_ready", call_output_ready},
    {"finish", call_finish},
    {"busy", call_busy},
    {"info", call_info},
    {"socket", call_socket},
    {"accept", call_accept},
    {"close", call_close},
    {"watch", call_watch},
    {"ready", call_ready},
    {"bind", call_bind},
    {"connect", call_connect},
    {"disconnect", call_disconnect},
    {"listen", call_listen},
    {"shutdown", call_shutdown},
    {"send", call_send},
    {"recv", call_recv},
    {"local", call_local},
    {"remote", call_remote},
    {"set", call_set},
    {"get", call_get},
};

static void call_make(struct replay *r)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (!strcmp(calls[i].name, r->word[1])) {
            calls[i].make(r);
            r->calls++;
            return;
        }
    }
    end(r, "no call is named", r->word[1]);
}

int main(int argc, char **argv)
{
    static struct replay r;
    r.in = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!r.in) {
        fprintf(stderr, "usage: replay TAPE\n");
        return 2;
    }
    while (next(&r)) {
        if (strcmp(r.word[0], "@call"))
            end(&r, "not a call:", r.word[0]);
        call_make(&r);
    }
    printf("%lu calls, %lu frames in, %lu out\n", r.calls, r.frames_in, r.frames_out);
    free(r.line);
    fclose(r.in);
    return 0;
}
