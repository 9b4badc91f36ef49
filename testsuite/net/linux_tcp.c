/* SPDX-License-Identifier: MIT */
/*
 * Ilwaco's TCP against Linux's: the stack is attached to a tap device in a network
 * namespace made for the test, behind a wire that is clean or bad, and ordinary
 * Linux sockets of this process talk to it. usage: net_linux [SEED]
 */
#include "devices/net_backends.h"
#include "emu/base/host.h"
#include "testsuite/net/services.h"
#include "testsuite/net/sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUR_IP "10.9.0.1"
#define STACK_IP "10.9.0.2"

/* What the Linux side asks of the stack's thread. */
struct order {
    _Atomic int wanted; /* 1: connect; 2: end */
    uint16_t port;
    uint64_t bytes;
    _Atomic int result;
};

struct rig {
    struct net_backend *net;
    struct netstack *ns;
    uint32_t pages;
    struct order order;
    pthread_t thread;
};

/* ---- the stack's thread ---- */

static uint64_t rig_clock(void *arg)
{
    (void)arg;
    return host_monotonic_ns();
}

static void *rig_pages(void *arg, uint32_t pages)
{
    void *p = aligned_alloc(4096, pages * 4096u);
    if (p) {
        memset(p, 0, pages * 4096u);
        ((struct rig *)arg)->pages += pages;
    }
    return p;
}

static void rig_pages_free(void *arg, void *p, uint32_t pages)
{
    ((struct rig *)arg)->pages -= pages;
    free(p);
}

static int rig_output(void *arg, const void *frame, size_t len)
{
    struct net_backend *net = ((struct rig *)arg)->net;
    return net->ops->send(net, frame, len) == -EAGAIN ? -EAGAIN : 0;
}

static void rig_wait(struct rig *rig, struct services *services)
{
    uint64_t now = host_monotonic_ns(), due = netstack_deadline(rig->ns);
    if (services_deadline(services) < due)
        due = services_deadline(services);
    uint64_t ns = due > now ? due - now : 0;
    struct pollfd wait = {rig->net->ops->fd(rig->net), POLLIN, 0};
    struct timespec limit = {0, ns < 5000000 ? (long)ns : 5000000};
    ppoll(&wait, 1, &limit, NULL);
}

static void *rig_main(void *arg)
{
    struct rig *rig = arg;
    struct services *services = services_create(rig->ns);
    uint8_t frame[NET_FRAME_MAX];
    while (rig->order.wanted != 2) {
        int len;
        while ((len = rig->net->ops->receive(rig->net, frame, sizeof frame)) > 0)
            netstack_input(rig->ns, frame, (size_t)len);
        netstack_output_ready(rig->ns);
        if (rig->order.wanted == 1) {
            rig->order.wanted = 0;
            services_client(services, NET_IP(10, 9, 0, 1), rig->order.port, rig->order.bytes,
                            &rig->order.result);
        }
        services_run(services, host_monotonic_ns());
        netstack_poll(rig->ns);
        rig_wait(rig, services);
    }
    services_destroy(services);
    return NULL;
}

/* ---- the namespace ---- */

static void interface_up(const char *name, const char *address)
{
    struct ifreq r = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&r.ifr_addr;
    strcpy(r.ifr_name, name);
    in->sin_family = AF_INET;
    inet_pton(AF_INET, address, &in->sin_addr);
    REQUIRE(fd >= 0);
    REQUIRE(!ioctl(fd, SIOCSIFADDR, &r));
    inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
    REQUIRE(!ioctl(fd, SIOCSIFNETMASK, &r));
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    REQUIRE(!ioctl(fd, SIOCSIFFLAGS, &r));
    close(fd);
}

/* A namespace of our own; exits with 77 where that is not allowed. */
static void namespace_enter(void)
{
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
        printf("needs a network namespace: %s\n", strerror(errno));
        exit(77);
    }
}

static void rig_start(struct rig *rig, const struct wire_config *fault, unsigned number)
{
    struct net_error why;
    struct net_backend *tap;
    char name[16];
    memset(rig, 0, sizeof *rig);
    snprintf(name, sizeof name, "test%u", number);
    if (net_tap_create(name, &tap, &why)) {
        printf("%s\n", why.text);
        exit(77);
    }
    interface_up(name, OUR_IP);
    REQUIRE(!net_fault_create(tap, fault, &rig->net, &why));
    struct netstack_host host = {rig, rig_clock, rig_pages, rig_pages_free, rig_output, NULL, NULL};
    struct netstack_config config = {
        .mac = {2, 0, 0, 0, 9, 2},
        .mtu = 1500,
        .addr = NET_IP(10, 9, 0, 2),
        .mask = 0xffffff00,
        .max_pages = 8192,
        .secret = {(uint8_t)fault->seed, 1, 2, 3},
    };
    rig->ns = aligned_alloc(16, (netstack_bytes() + 15) & ~(size_t)15);
    REQUIRE(rig->ns);
    netstack_init(rig->ns, &config, &host);
    REQUIRE(!pthread_create(&rig->thread, NULL, rig_main, rig));
}

static void rig_stop(struct rig *rig)
{
    rig->order.wanted = 2;
    pthread_join(rig->thread, NULL);
    netstack_fini(rig->ns);
    REQUIRE(rig->pages == 0);
    free(rig->ns);
    rig->net->ops->destroy(rig->net);
}

/* ---- the Linux side ---- */

static int linux_connect(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, STACK_IP, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

/* Reads exactly n bytes and checks the pattern from `at` on (check false: any bytes). */
static void read_exactly(int fd, uint64_t at, uint64_t n, uint8_t *keep)
{
    uint8_t buffer[65536];
    while (n) {
        ssize_t got = read(fd, buffer, n < sizeof buffer ? n : sizeof buffer);
        REQUIRE(got > 0);
        for (ssize_t i = 0; i < got; i++) {
            if (keep)
                *keep++ = buffer[i];
            else
                REQUIRE(buffer[i] == pattern_byte(at + (uint64_t)i));
        }
        at += (uint64_t)got;
        n -= (uint64_t)got;
    }
}

static void write_pattern(int fd, uint64_t n)
{
    uint8_t buffer[30000];
    for (uint64_t at = 0; at < n;) {
        uint64_t part = n - at < sizeof buffer ? n - at : sizeof buffer;
        for (uint64_t i = 0; i < part; i++)
            buffer[i] = pattern_byte(at + i);
        ssize_t done = write(fd, buffer, part);
        REQUIRE(done > 0);
        at += (uint64_t)done;
    }
}

static void end_of_stream(int fd)
{
    char byte;
    REQUIRE(read(fd, &byte, 1) == 0);
    close(fd);
}

static void test_echo(uint64_t bytes)
{
    int fd = linux_connect(SERVICE_ECHO);
    REQUIRE(fd >= 0);
    pid_t child = fork();
    if (!child) {
        write_pattern(fd, bytes);
        shutdown(fd, SHUT_WR);
        _exit(0);
    }
    read_exactly(fd, 0, bytes, NULL);
    end_of_stream(fd);
    int status;
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
}

static void test_sink(unsigned port, uint64_t bytes)
{
    uint8_t answer[8];
    uint64_t count = 0;
    int fd = linux_connect(port);
    REQUIRE(fd >= 0);
    write_pattern(fd, bytes);
    shutdown(fd, SHUT_WR);
    read_exactly(fd, 0, sizeof answer, answer);
    for (unsigned i = 0; i < 8; i++)
        count = count << 8 | answer[i];
    REQUIRE(count == bytes);
    end_of_stream(fd);
}

/* `pause_ms` before the first read: the stack meets a closed window. */
static void test_source(uint64_t bytes, unsigned pause_ms)
{
    uint8_t order[8];
    int small = 4096, fd = linux_connect(SERVICE_SOURCE);
    REQUIRE(fd >= 0);
    if (pause_ms)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (unsigned i = 0; i < 8; i++)
        order[i] = (uint8_t)(bytes >> (56 - 8 * i));
    REQUIRE(write(fd, order, sizeof order) == sizeof order);
    usleep(pause_ms * 1000);
    read_exactly(fd, 0, bytes, NULL);
    end_of_stream(fd);
}

static void test_refused(struct rig *rig)
{
    REQUIRE(linux_connect(SERVICE_CLOSED) == -ECONNREFUSED);
    rig->order.port = 9999;
    rig->order.bytes = 10;
    rig->order.result = 0;
    rig->order.wanted = 1;
    while (!rig->order.result)
        usleep(1000);
    REQUIRE(rig->order.result == -ECONNREFUSED);
}

static void test_reset(void)
{
    char byte = 'x';
    int fd = linux_connect(SERVICE_RESET);
    REQUIRE(fd >= 0 && write(fd, &byte, 1) == 1);
    /* A reset that the wire lost comes again only when there is something to reset. */
    struct timeval soon = {0, 300000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    while (read(fd, &byte, 1) == -1 && errno == EAGAIN) {
        if (write(fd, &byte, 1) != 1)
            break;
    }
    REQUIRE(errno == ECONNRESET || errno == EPIPE);
    close(fd);
    /* And the other way: a reader that goes away in the middle. */
    struct linger hard = {1, 0};
    for (int i = 0; i < 5; i++) {
        fd = linux_connect(SERVICE_SOURCE);
        uint8_t order[8] = {0, 0, 0, 0, 1, 0, 0, 0};
        REQUIRE(fd >= 0 && write(fd, order, 8) == 8);
        read_exactly(fd, 0, 10000, NULL);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd);
    }
}

/* A Linux echo server for one connection of the stack's. */
static void test_client(struct rig *rig, uint64_t bytes)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    uint8_t buffer[65536];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(listener >= 0 && !bind(listener, (struct sockaddr *)&any, sizeof any));
    REQUIRE(!listen(listener, 1) && !getsockname(listener, (struct sockaddr *)&any, &len));
    rig->order.port = ntohs(any.sin_port);
    rig->order.bytes = bytes;
    rig->order.result = 0;
    rig->order.wanted = 1;
    int fd = accept(listener, NULL, NULL);
    REQUIRE(fd >= 0);
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) != 0;) {
        REQUIRE(n > 0);
        for (ssize_t at = 0, done; at < n; at += done)
            REQUIRE((done = write(fd, buffer + at, (size_t)(n - at))) > 0);
    }
    close(fd);
    close(listener);
    while (!rig->order.result)
        usleep(1000);
    REQUIRE(rig->order.result == 1);
}

static void test_many(unsigned count)
{
    int fd[256];
    uint8_t answer[16];
    for (unsigned i = 0; i < count; i++) {
        fd[i] = linux_connect(SERVICE_ECHO);
        REQUIRE(fd[i] >= 0);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < count; i++)
            REQUIRE(write(fd[i], "hello, stack 16b", 16) == 16);
        for (unsigned i = 0; i < count; i++) {
            read_exactly(fd[i], 0, 16, answer);
            REQUIRE(!memcmp(answer, "hello, stack 16b", 16));
        }
    }
    for (unsigned i = 0; i < count; i++)
        close(fd[i]);
}

static void test_udp(bool clean)
{
    static const size_t sizes[] = {0, 1, 17, 1472, 1473, 3000, 9000, 65507};
    static uint8_t out[65536], in[65536];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SERVICE_ECHO)};
    struct timeval second = {0, 200000};
    inet_pton(AF_INET, STACK_IP, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof to));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            out[k] = pattern_byte(k + i);
        REQUIRE(send(fd, out, sizes[i], 0) == (ssize_t)sizes[i]);
        ssize_t n = recv(fd, in, sizeof in, 0);
        REQUIRE(!clean || n == (ssize_t)sizes[i]);
        /* On a bad wire a datagram may be lost or late, never wrong. */
        if (n == (ssize_t)sizes[i])
            REQUIRE(!memcmp(in, out, sizes[i]) || !clean);
    }
    to.sin_port = htons(SERVICE_CLOSED);
    REQUIRE(!connect(fd, (struct sockaddr *)&to, sizeof to));
    REQUIRE(send(fd, "x", 1, 0) == 1);
    REQUIRE(recv(fd, in, sizeof in, 0) == -1 && (errno == ECONNREFUSED || !clean));
    close(fd);
}

static uint64_t elapsed_ms(uint64_t since)
{
    return (host_monotonic_ns() - since) / 1000000;
}

#define RUN(call)                                                                                  \
    do {                                                                                           \
        uint64_t since = host_monotonic_ns();                                                      \
        call;                                                                                      \
        printf("  %-32s %6llu ms\n", #call, (unsigned long long)elapsed_ms(since));                \
    } while (0)

static void run_wire(const char *name, const struct wire_config *fault, uint64_t bulk,
                     unsigned number)
{
    struct rig rig;
    bool clean = !fault->loss;
    printf("%s:\n", name);
    rig_start(&rig, fault, number);
    RUN(test_echo(bulk));
    RUN(test_sink(SERVICE_SINK, bulk));
    RUN(test_sink(SERVICE_SLOW, 400000));
    RUN(test_source(bulk, 0));
    RUN(test_source(300000, 1500));
    RUN(test_client(&rig, bulk));
    RUN(test_many(clean ? 200 : 30));
    RUN(test_reset());
    RUN(test_udp(clean));
    RUN(test_refused(&rig));
    RUN(test_sink(SERVICE_SINK, 0));
    RUN(test_echo(1));
    rig_stop(&rig);
}

#define PERCENT 655

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    struct wire_config clean = {.seed = seed};
    struct wire_config bad = {.seed = seed,
                              .loss = PERCENT,
                              .duplicate = PERCENT,
                              .reorder = 3 * PERCENT,
                              .corrupt = PERCENT / 2,
                              .delay_ns = 500000};
    struct wire_config awful = {.seed = seed,
                                .loss = 5 * PERCENT,
                                .duplicate = 2 * PERCENT,
                                .reorder = 10 * PERCENT,
                                .corrupt = PERCENT,
                                .delay_ns = 2000000};
    setvbuf(stdout, NULL, _IOLBF, 0);
    namespace_enter();
    run_wire("clean", &clean, 20000000, 0);
    run_wire("1% loss, 3% reordered", &bad, 3000000, 1);
    run_wire("5% loss, 10% reordered", &awful, 300000, 2);
    return 0;
}
