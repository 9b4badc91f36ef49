/* SPDX-License-Identifier: MIT */
/*
 * The stack remembers a few dozen neighbours, and here every request goes to
 * another one. So it is told that all of them lie behind one gateway, and that
 * gateway is `output`, which asks the switch whose an address is. A request is over when the answer
 * is as long as its Content-Length says; then the client closes.
 */
#include "emu/cli/bench/bench_client.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "guests/ilwaco/net/netstack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_PAGES 8192u
#define GATEWAY_MASK NET_IP(255, 255, 255, 252)
#define ETH_LEN 14u
#define ARP_LEN 28u
#define LOOK_NS 100000000u

struct call {
    struct net_sock *sock; /* NULL: free */
    struct bench_request request;
    uint64_t since_ns;
    bool sent, stirred; /* its socket has something to tell */
    int err;            /* what reading said */
    size_t len;
    char text[BENCH_ANSWER_MAX + 1];
};

struct bench_client {
    struct lan_port port;
    struct netstack *stack;
    int waker;
    uint32_t ip;
    bool gateway_asked; /* an ARP request for it waits for its answer */
    struct call call[BENCH_AT_ONCE_MAX];
    uint64_t look_ns;             /* when all calls are looked at again, stirred or not */
    struct bench_outcome outcome; /* of the call that ends now */
};

/* The stack's own bugs. */
NORETURN void kernel_bug(const char *file, int line, const char *message);
void kernel_bug(const char *file, int line, const char *message)
{
    base_bug(file, line, message);
}

static uint64_t clock_ns(void *arg)
{
    (void)arg;
    return host_monotonic_ns();
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

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t gateway_of(const struct bench_client *client)
{
    return client->ip ^ 3; /* its neighbour in GATEWAY_MASK */
}

static int output(void *arg, const void *data, size_t len)
{
    struct bench_client *client = arg;
    uint8_t frame[NET_FRAME_MAX];
    memcpy(frame, data, len);
    bool arp = frame[12] == 8 && frame[13] == 6;
    if (arp && len >= ETH_LEN + ARP_LEN && get32(frame + 38) == gateway_of(client))
        client->gateway_asked = true;
    else if (arp || lan_find(client->port.lan, get32(frame + 30), frame))
        lan_send(&client->port, frame, len);
    return 0;
}

/* The gateway's answer, from nowhere. */
static void answer_arp(struct bench_client *client)
{
    uint8_t frame[ETH_LEN + ARP_LEN] = {0};
    static const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 2};
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    client->gateway_asked = false;
    lan_port_mac(&client->port, frame);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, head, sizeof(head));
    memcpy(frame + 22, mac, 6);
    put32(frame + 28, gateway_of(client));
    lan_port_mac(&client->port, frame + 32);
    put32(frame + 38, client->ip);
    netstack_input(client->stack, frame, sizeof(frame));
}

static void arrived(struct lan_port *port)
{
    host_waker_wake(CONTAINER_OF(port, struct bench_client, port)->waker);
}

static int make_stack(struct bench_client *client, uint32_t ip)
{
    const struct netstack_host host = {.arg = client,
                                       .clock_ns = clock_ns,
                                       .pages_alloc = pages_alloc,
                                       .pages_free = pages_free,
                                       .output = output};
    struct netstack_config config = {.mtu = 1500,
                                     .addr = ip,
                                     .mask = GATEWAY_MASK,
                                     .gateway = gateway_of(client),
                                     .max_pages = STACK_PAGES};
    lan_port_mac(&client->port, config.mac);
    uint64_t secret = host_tsc();
    memcpy(config.secret, &secret, sizeof(secret));
    client->stack = aligned_alloc(64, (netstack_bytes() + 63) & ~(size_t)63);
    if (!client->stack)
        return -ENOMEM;
    netstack_init(client->stack, &config, &host);
    return 0;
}

int bench_client_create(struct lan *lan, uint32_t ip, struct bench_client **out)
{
    struct bench_client *client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->ip = ip;
    client->waker = host_waker_create();
    int err =
        client->waker < 0 ? client->waker : lan_port_add(lan, &client->port, ip, LAN_WIDE, arrived);
    if (!err)
        err = make_stack(client, ip);
    if (err) {
        bench_client_destroy(client);
        return err;
    }
    *out = client;
    return 0;
}

uint64_t bench_client_lost(const struct bench_client *client)
{
    struct lan_port_counters c;
    lan_port_count(&client->port, &c);
    return (uint64_t)c.dropped + c.refused;
}

void bench_client_destroy(struct bench_client *client)
{
    if (!client)
        return;
    if (client->stack)
        netstack_fini(client->stack);
    free(client->stack);
    if (client->port.lan)
        lan_port_remove(&client->port);
    if (client->waker >= 0)
        close(client->waker);
    free(client);
}

struct load {
    bench_next_fn next;
    bench_answer_fn answer;
    void *opaque;
    uint64_t patience_ns;
    unsigned at_once;
};

/* Bytes between the caller's buffer and the stack. */
struct buffer {
    struct net_io io;
    char *at;
    bool out;
};

static int copy(struct net_io *io, void *kernel, size_t n)
{
    struct buffer *b = CONTAINER_OF(io, struct buffer, io);
    if (b->out)
        memcpy(kernel, b->at, n);
    else
        memcpy(b->at, kernel, n);
    b->at += n;
    io->left -= n;
    return 0;
}

static void stir(void *arg, unsigned events)
{
    struct call *call = arg;
    (void)events;
    call->stirred = true;
}

static bool start(struct bench_client *client, struct call *call, const struct bench_request *r)
{
    struct net_addr to = {r->ip, 80};
    if (net_socket(client->stack, NET_STREAM, 0, &call->sock))
        return false;
    call->request = *r;
    call->since_ns = host_monotonic_ns();
    call->sent = false;
    call->len = 0;
    call->err = 0;
    net_watch(call->sock, stir, call);
    int err = net_connect(call->sock, &to);
    return !err || err == -EINPROGRESS;
}

static bool send_request(struct call *call)
{
    char text[256];
    int n =
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: vm\r\n\r\n", call->request.target);
    struct buffer b = {{copy, (size_t)n}, text, true};
    call->sent = true;
    return net_send(call->sock, &b.io, 0, NULL) == n;
}

/* The length that the head tells of the whole answer; 0: not known yet. */
static size_t whole_length(const struct call *call)
{
    const char *end = strstr(call->text, "\r\n\r\n");
    const char *field = end ? strstr(call->text, "Content-Length: ") : NULL;
    if (!field || field > end)
        return 0;
    return (size_t)(end + 4 - call->text) + strtoul(field + 16, NULL, 10);
}

/* False: it goes on. */
static bool receive(struct call *call)
{
    int n;
    do {
        char rest[16384]; /* beyond what is kept */
        bool kept = call->len < BENCH_ANSWER_MAX;
        struct buffer b = {{copy, kept ? BENCH_ANSWER_MAX - call->len : sizeof(rest)},
                           kept ? call->text + call->len : rest,
                           false};
        n = net_recv(call->sock, &b.io, 0, NULL);
        if (n > 0)
            call->len += (size_t)n;
    } while (n > 0);
    call->text[call->len < BENCH_ANSWER_MAX ? call->len : BENCH_ANSWER_MAX] = 0;
    size_t whole = whole_length(call);
    call->err = n < 0 && n != -EAGAIN ? -n : 0;
    return n != -EAGAIN || (whole && call->len >= whole);
}

static bool is_late(const struct call *call, uint64_t patience_ns)
{
    return host_monotonic_ns() - call->since_ns > patience_ns;
}

/* True: it is over, well or not. */
static bool step(struct call *call, uint64_t patience_ns)
{
    unsigned ready = net_ready(call->sock);
    if (is_late(call, patience_ns))
        return true;
    if (!call->sent && (ready & NET_ERR))
        return true;
    if (!call->sent && (ready & NET_OUT) && !send_request(call))
        return true;
    return call->sent && (ready & (NET_IN | NET_ERR | NET_HUP)) && receive(call);
}

/* Frames in, timers, frames out. */
static void drive(struct bench_client *client)
{
    uint8_t frame[NET_FRAME_MAX];
    size_t len;
    while ((len = lan_receive(&client->port, frame, sizeof(frame))))
        netstack_input(client->stack, frame, len);
    if (client->gateway_asked)
        answer_arp(client);
    netstack_poll(client->stack);
}

static void wait_for_frames(struct bench_client *client, uint64_t end_ns)
{
    struct pollfd fd = {.fd = client->waker, .events = POLLIN};
    uint64_t due = netstack_deadline(client->stack), now = host_monotonic_ns();
    if (due > end_ns)
        due = end_ns;
    uint64_t wait = due > now ? due - now : 0;
    if (wait > 100000000)
        wait = 100000000;
    if (lan_waits(&client->port) || client->gateway_asked || !wait)
        return;
    if (host_poll(&fd, 1, wait) > 0)
        host_waker_clear(client->waker);
}

static void note_outcome(struct bench_client *client, const struct call *call, uint64_t patience_ns)
{
    struct net_tcp_info tcp = {0};
    struct bench_outcome *o = &client->outcome;
    *o = (struct bench_outcome){
        .late = is_late(call, patience_ns), .asked = call->sent, .len = call->len};
    if (call->err)
        o->err = call->err;
    else if (net_get(call->sock, NET_OPT_ERROR, &o->err))
        o->err = 0;
    if (!net_tcp_info(call->sock, &tcp)) {
        o->tcp_state = tcp.state;
        o->resent = tcp.total_retrans;
    }
}

const struct bench_outcome *bench_client_outcome(const struct bench_client *client)
{
    return &client->outcome;
}

static void end_call(struct bench_client *client, struct call *call, const struct load *load)
{
    note_outcome(client, call, load->patience_ns);
    load->answer(load->opaque, call->request.id, call->text, client->outcome.late ? 0 : call->len,
                 host_monotonic_ns() - call->since_ns);
    net_close(call->sock);
    call->sock = NULL;
}

/* Ends what is over and begins what is next; how many are under way, or a negative errno. */
static int turn(struct bench_client *client, struct load *load)
{
    int under_way = 0;
    uint64_t now = host_monotonic_ns();
    bool all = now >= client->look_ns;
    client->look_ns = all ? now + LOOK_NS : client->look_ns;
    for (unsigned i = 0; i < load->at_once; i++) {
        struct call *call = &client->call[i];
        struct bench_request request;
        bool looks = call->sock && (all || call->stirred);
        call->stirred = false;
        if (looks && step(call, load->patience_ns))
            end_call(client, call, load);
        if (!call->sock && load->next(load->opaque, &request) && !start(client, call, &request))
            return -ENOMEM;
        under_way += call->sock != NULL;
    }
    return under_way;
}

static int run(struct bench_client *client, struct load *load)
{
    int under_way;
    while ((under_way = turn(client, load)) > 0) {
        netstack_poll(client->stack);
        wait_for_frames(client, HOST_FOREVER);
        drive(client);
    }
    return under_way;
}

int bench_client_load(struct bench_client *client, bench_next_fn next, unsigned at_once,
                      uint64_t patience_ns, bench_answer_fn answer, void *opaque)
{
    struct load load = {next, answer, opaque, patience_ns, at_once};
    return run(client, &load);
}

/* A list. */

struct list {
    const struct bench_request *next, *end;
    bench_answer_fn answer;
    void *opaque;
};

static bool next_of_list(void *opaque, struct bench_request *request)
{
    struct list *list = opaque;
    if (list->next == list->end)
        return false;
    *request = *list->next++;
    return true;
}

static void answer_of_list(void *opaque, uint32_t id, const char *text, size_t len,
                           uint64_t took_ns)
{
    struct list *list = opaque;
    list->answer(list->opaque, id, text, len, took_ns);
}

int bench_client_ask(struct bench_client *client, const struct bench_request *request,
                     unsigned count, unsigned at_once, uint64_t patience_ns, bench_answer_fn answer,
                     void *opaque)
{
    struct list list = {request, request + count, answer, opaque};
    return bench_client_load(client, next_of_list, at_once, patience_ns, answer_of_list, &list);
}

/* Datagrams. */

int bench_client_datagrams(struct bench_client *client, uint16_t port, struct net_sock **out)
{
    const struct net_addr at = {client->ip, port};
    int err = net_socket(client->stack, NET_DGRAM, 0, out);
    if (err)
        return err;
    err = net_bind(*out, &at);
    if (!err)
        err = net_set(*out, NET_OPT_RCVBUF, 4 << 20);
    if (err)
        net_close(*out);
    return err;
}

void bench_client_close(struct net_sock *sock)
{
    net_close(sock);
}

int bench_client_send(struct net_sock *sock, uint32_t ip, uint16_t port, const void *data,
                      size_t len)
{
    const struct net_addr to = {ip, port};
    struct buffer b = {{copy, len}, (char *)(uintptr_t)data, true};
    return net_send(sock, &b.io, 0, &to);
}

int bench_client_receive(struct net_sock *sock, void *data, size_t room, uint32_t *ip)
{
    struct net_addr from;
    struct buffer b = {{copy, room}, data, false};
    int n = net_recv(sock, &b.io, 0, &from);
    if (n >= 0)
        *ip = from.ip;
    return n;
}

void bench_client_drive(struct bench_client *client, uint64_t end_ns)
{
    netstack_poll(client->stack);
    wait_for_frames(client, end_ns);
    drive(client);
}
