/* SPDX-License-Identifier: MIT */
/*
 * Sockets as a program uses them: AF_INET over loopback, AF_UNIX, poll, epoll,
 * options, messages, errors. The same static i386 binary runs natively and in a VM
 * (sockets.sh); what is checked is what Linux does. Prints one line per check that
 * fails.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int failures;

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            printf("%s:%d: not true: %s (errno %d)\n", __func__, __LINE__, #cond, errno);          \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)
/* -1 with this errno. */
#define ERROR(call, code) CHECK((call) == -1 && errno == (code))

static struct sockaddr_in local_address(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int listener_create(struct sockaddr_in *a)
{
    socklen_t len = sizeof *a;
    *a = local_address(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)a, sizeof *a) && !listen(fd, 5));
    CHECK(!getsockname(fd, (struct sockaddr *)a, &len) && len == sizeof *a && a->sin_port);
    return fd;
}

static void tcp_pair(int pair[2])
{
    struct sockaddr_in a;
    int listener = listener_create(&a);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!connect(pair[0], (struct sockaddr *)&a, sizeof a));
    pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(pair[1] >= 0);
    close(listener);
}

static int revents(int fd, int events)
{
    struct pollfd p = {fd, events, 0};
    return poll(&p, 1, 500) < 0 ? -1 : p.revents;
}

/* ---- AF_INET ---- */

static void test_stream(void)
{
    int s[2];
    char buffer[100];
    tcp_pair(s);
    CHECK(revents(s[0], POLLOUT) == POLLOUT);
    CHECK(write(s[0], "hello", 5) == 5);
    CHECK(revents(s[1], POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    int queued = 0;
    CHECK(!ioctl(s[1], FIONREAD, &queued) && queued == 5);
    CHECK(recv(s[1], buffer, 3, MSG_PEEK) == 3 && !memcmp(buffer, "hel", 3));
    CHECK(recv(s[1], buffer, 100, 0) == 5 && !memcmp(buffer, "hello", 5));
    ERROR(recv(s[1], buffer, 100, MSG_DONTWAIT), EAGAIN);
    struct msghdr none = {0};
    ERROR(recvmsg(s[1], &none, MSG_ERRQUEUE), EAGAIN); /* never waits */
    CHECK(!shutdown(s[0], SHUT_WR));
    CHECK(revents(s[1], POLLIN | POLLRDHUP) == (POLLIN | POLLRDHUP));
    CHECK(read(s[1], buffer, 100) == 0);
    CHECK(write(s[1], "back", 4) == 4 && recv(s[0], buffer, 4, MSG_WAITALL) == 4);
    ERROR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(s[1]);
    CHECK(read(s[0], buffer, 100) == 0);
    CHECK((revents(s[0], POLLIN) & (POLLIN | POLLHUP)) == (POLLIN | POLLHUP));
    close(s[0]);
}

static void test_names(void)
{
    int s[2];
    struct sockaddr_in a, b;
    socklen_t len = sizeof a;
    tcp_pair(s);
    CHECK(!getsockname(s[0], (struct sockaddr *)&a, &len));
    CHECK(!getpeername(s[1], (struct sockaddr *)&b, &len));
    CHECK(!memcmp(&a, &b, sizeof a) && a.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    len = 4;
    CHECK(!getpeername(s[0], (struct sockaddr *)&a, &len) && len == sizeof a);
    int fresh = socket(AF_INET, SOCK_STREAM, 0);
    len = sizeof a;
    ERROR(getpeername(fresh, (struct sockaddr *)&a, &len), ENOTCONN);
    ERROR(shutdown(fresh, SHUT_RDWR), ENOTCONN);
    ERROR(getsockname(1000, (struct sockaddr *)&a, &len), EBADF);
    int file = open("/", O_RDONLY);
    ERROR(getsockname(file, (struct sockaddr *)&a, &len), ENOTSOCK);
    struct stat st;
    CHECK(!fstat(fresh, &st) && S_ISSOCK(st.st_mode));
    ERROR(lseek(fresh, 0, SEEK_SET), ESPIPE);
    close(file);
    close(fresh);
    close(s[0]);
    close(s[1]);
}

static void test_bind(void)
{
    struct sockaddr_in a;
    int listener = listener_create(&a), one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ERROR(bind(fd, (struct sockaddr *)&a, sizeof a), EADDRINUSE);
    CHECK(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    ERROR(bind(fd, (struct sockaddr *)&a, sizeof a), EADDRINUSE); /* somebody listens there */
    struct sockaddr_in foreign = a;
    foreign.sin_addr.s_addr = htonl(0x01020304);
    ERROR(bind(fd, (struct sockaddr *)&foreign, sizeof foreign), EADDRNOTAVAIL);
    ERROR(bind(fd, (struct sockaddr *)&a, 4), EINVAL);
    close(listener);
    CHECK(!bind(fd, (struct sockaddr *)&a, sizeof a));
    ERROR(bind(fd, (struct sockaddr *)&a, sizeof a), EINVAL);
    close(fd);
}

static void test_connect_errors(void)
{
    struct sockaddr_in a;
    int listener = listener_create(&a), error;
    socklen_t len = sizeof error;
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ERROR(connect(fd, (struct sockaddr *)&a, sizeof a), ECONNREFUSED);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int result = connect(fd, (struct sockaddr *)&a, sizeof a);
    CHECK(result == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
    if (errno == EINPROGRESS) {
        CHECK(revents(fd, POLLOUT) & POLLERR);
        CHECK(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) && error == ECONNREFUSED);
        CHECK(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) && error == 0);
    }
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_family = 77;
    ERROR(connect(fd, (struct sockaddr *)&a, sizeof a), EAFNOSUPPORT);
    ERROR(listen(1000, 5), EBADF);
    ERROR(accept(fd, NULL, NULL), EINVAL);
    close(fd);
    ERROR(socket(AF_INET, 9, 0), ESOCKTNOSUPPORT);
    ERROR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    ERROR(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int signal)
{
    (void)signal;
    pipes++;
}

static void test_reset(void)
{
    int s[2];
    struct linger hard = {1, 0};
    char byte;
    signal(SIGPIPE, on_pipe);
    tcp_pair(s);
    CHECK(!setsockopt(s[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
    close(s[1]);
    CHECK(revents(s[0], POLLIN) & (POLLERR | POLLHUP));
    ERROR(read(s[0], &byte, 1), ECONNRESET);
    CHECK(read(s[0], &byte, 1) == 0);
    ERROR(write(s[0], &byte, 1), EPIPE);
    CHECK(pipes == 1);
    ERROR(send(s[0], &byte, 1, MSG_NOSIGNAL), EPIPE);
    CHECK(pipes == 1);
    close(s[0]);
}

static void set_and_get(int fd, int level, int name, int value, int expected)
{
    int got = -1;
    socklen_t len = sizeof got;
    CHECK(!setsockopt(fd, level, name, &value, sizeof value));
    CHECK(!getsockopt(fd, level, name, &got, &len) && len == sizeof got);
    if (got != expected)
        printf("option %d/%d: %d, not %d\n", level, name, got, expected), failures++;
}

static void test_options(void)
{
    int s[2], value;
    socklen_t len = sizeof value;
    tcp_pair(s);
    set_and_get(s[0], SOL_SOCKET, SO_REUSEADDR, 1, 1);
    set_and_get(s[0], SOL_SOCKET, SO_KEEPALIVE, 1, 1);
    set_and_get(s[0], SOL_SOCKET, SO_RCVBUF, 10000, 20000);
    set_and_get(s[0], IPPROTO_TCP, TCP_NODELAY, 1, 1);
    set_and_get(s[0], IPPROTO_TCP, TCP_KEEPIDLE, 33, 33);
    set_and_get(s[0], IPPROTO_TCP, TCP_KEEPINTVL, 7, 7);
    set_and_get(s[0], IPPROTO_TCP, TCP_KEEPCNT, 3, 3);
    set_and_get(s[0], IPPROTO_IP, IP_TTL, 33, 33);
    CHECK(!getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &len) && value == SOCK_STREAM);
    CHECK(!getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &value, &len) && value == AF_INET);
    CHECK(!getsockopt(s[0], SOL_SOCKET, SO_PROTOCOL, &value, &len) && value == IPPROTO_TCP);
    struct tcp_info info;
    len = sizeof info;
    CHECK(!getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &len) && len >= 104);
    CHECK(info.tcpi_state == TCP_ESTABLISHED && info.tcpi_snd_mss > 500);
    struct timeval tv = {1, 500000}, got = {0};
    len = sizeof got;
    CHECK(!setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    CHECK(!getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len) && got.tv_sec == 1);
    CHECK(got.tv_usec == 500000);
    ERROR(setsockopt(s[0], SOL_SOCKET, 9999, &value, sizeof value), ENOPROTOOPT);
    ERROR(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, &value, 1), EINVAL);
    ERROR(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, (void *)1, 4), EFAULT);
    close(s[0]);
    close(s[1]);
}

static long elapsed_ms(struct timespec since)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1000000;
}

static void test_timeouts(void)
{
    int s[2];
    char byte;
    struct timeval tv = {0, 120000};
    struct timespec start;
    tcp_pair(s);
    CHECK(!setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    clock_gettime(CLOCK_MONOTONIC, &start);
    ERROR(read(s[0], &byte, 1), EAGAIN);
    CHECK(elapsed_ms(start) >= 115 && elapsed_ms(start) < 5000);
    CHECK(!setsockopt(s[1], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    char big[65536] = {0};
    ssize_t n;
    while ((n = send(s[1], big, sizeof big, MSG_NOSIGNAL)) > 0)
        ;
    CHECK(n == -1 && errno == EAGAIN);
    close(s[0]);
    close(s[1]);
}

/* ---- bulk ---- */

struct bulk {
    int fd;
    size_t total;
};

static void *bulk_write(void *arg)
{
    struct bulk *b = arg;
    unsigned char buffer[7001];
    for (size_t at = 0; at < b->total;) {
        size_t n = b->total - at < sizeof buffer ? b->total - at : sizeof buffer;
        for (size_t i = 0; i < n; i++)
            buffer[i] = (unsigned char)((at + i) * 31 >> 3);
        if (write(b->fd, buffer, n) != (ssize_t)n) {
            CHECK(!"a blocking write is whole");
            break;
        }
        at += n;
    }
    shutdown(b->fd, SHUT_WR);
    return NULL;
}

static void bulk_through(int s[2], size_t total)
{
    struct bulk bulk = {s[0], total};
    pthread_t thread;
    unsigned char buffer[9000];
    size_t at = 0;
    int wrong = 0;
    CHECK(!pthread_create(&thread, NULL, bulk_write, &bulk));
    for (ssize_t n; (n = read(s[1], buffer, sizeof buffer)) > 0; at += (size_t)n)
        for (ssize_t i = 0; i < n; i++)
            wrong += buffer[i] != (unsigned char)((at + (size_t)i) * 31 >> 3);
    pthread_join(thread, NULL);
    CHECK(at == total && !wrong);
    close(s[0]);
    close(s[1]);
}

static void test_bulk(void)
{
    int s[2];
    tcp_pair(s);
    bulk_through(s, 5000000);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    bulk_through(s, 5000000);
}

/* ---- epoll ---- */

static void test_epoll(void)
{
    int s[2], ep = epoll_create1(0);
    struct epoll_event e = {EPOLLIN | EPOLLET, {.u32 = 7}}, got[4];
    char buffer[10];
    tcp_pair(s);
    CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e));
    CHECK(epoll_wait(ep, got, 4, 0) == 0);
    CHECK(write(s[1], "abc", 3) == 3);
    CHECK(epoll_wait(ep, got, 4, 500) == 1 && got[0].data.u32 == 7 && got[0].events == EPOLLIN);
    CHECK(epoll_wait(ep, got, 4, 0) == 0); /* edge */
    CHECK(write(s[1], "d", 1) == 1);
    CHECK(epoll_wait(ep, got, 4, 500) == 1);
    CHECK(read(s[0], buffer, 10) == 4);
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    CHECK(!epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &e));
    CHECK(epoll_wait(ep, got, 4, 500) == 1 && got[0].events == EPOLLOUT);
    close(s[1]);
    usleep(20000);
    CHECK(epoll_wait(ep, got, 4, 500) == 1 && got[0].events & EPOLLRDHUP &&
          got[0].events & EPOLLIN);
    close(s[0]);
    CHECK(epoll_wait(ep, got, 4, 0) == 0);
    close(ep);
}

/* ---- datagrams ---- */

static void test_udp(void)
{
    struct sockaddr_in a = local_address(0), from;
    socklen_t len = sizeof a;
    char buffer[70000];
    int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(!bind(server, (struct sockaddr *)&a, sizeof a));
    CHECK(!getsockname(server, (struct sockaddr *)&a, &len));
    CHECK(sendto(client, "one", 3, 0, (struct sockaddr *)&a, sizeof a) == 3);
    CHECK(sendto(client, "", 0, 0, (struct sockaddr *)&a, sizeof a) == 0);
    CHECK(sendto(client, "three3", 6, 0, (struct sockaddr *)&a, sizeof a) == 6);
    CHECK(recvfrom(server, buffer, 100, 0, (struct sockaddr *)&from, &len) == 3);
    CHECK(len == sizeof from && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && from.sin_port);
    CHECK(recv(server, buffer, 100, 0) == 0);
    CHECK(recv(server, buffer, 2, MSG_TRUNC) == 6);
    ERROR(recv(server, buffer, 2, MSG_DONTWAIT), EAGAIN);
    ERROR(send(client, "x", 1, 0), EDESTADDRREQ);
    CHECK(!connect(client, (struct sockaddr *)&a, sizeof a));
    memset(buffer, 'y', sizeof buffer);
    CHECK(send(client, buffer, 60000, 0) == 60000);
    CHECK(recv(server, buffer, sizeof buffer, 0) == 60000 && buffer[59999] == 'y');
    ERROR(send(client, buffer, 65508, 0), EMSGSIZE);
    close(server);
    CHECK(send(client, "x", 1, 0) == 1);
    CHECK(revents(client, POLLIN) & POLLERR);
    ERROR(recv(client, buffer, 1, 0), ECONNREFUSED);
    a.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    ERROR(sendto(client, "x", 1, 0, (struct sockaddr *)&a, sizeof a), EACCES);
    close(client);
}

static void test_messages(void)
{
    int s[2];
    char a[10], b[10];
    struct iovec out[2] = {{"hello, ", 7}, {"world", 5}}, in[2] = {{a, 5}, {b, 10}};
    struct msghdr m = {.msg_iov = out, .msg_iovlen = 2};
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    CHECK(sendmsg(s[0], &m, 0) == 12);
    m.msg_iov = in;
    CHECK(recvmsg(s[1], &m, 0) == 12 && !memcmp(a, "hello", 5) && !memcmp(b, ", world", 7));
    CHECK(write(s[0], "0123456789abcdef", 16) == 16);
    m.msg_iovlen = 1;
    CHECK(recvmsg(s[1], &m, 0) == 5 && m.msg_flags & MSG_TRUNC);
    struct mmsghdr many[3] = {0};
    for (int i = 0; i < 3; i++) {
        many[i].msg_hdr.msg_iov = &out[i % 2];
        many[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK(sendmmsg(s[0], many, 3, 0) == 3 && many[1].msg_len == 5);
    struct iovec whole = {a, 10};
    for (int i = 0; i < 3; i++)
        many[i].msg_hdr.msg_iov = &whole;
    CHECK(recvmmsg(s[1], many, 3, MSG_DONTWAIT, NULL) == 3 && many[0].msg_len == 7);
    ERROR(recvmmsg(s[1], many, 3, MSG_DONTWAIT, NULL), EAGAIN);
    close(s[0]);
    close(s[1]);
}

/* ---- AF_UNIX ---- */

static struct sockaddr_un unix_address(const char *name, socklen_t *len)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path + 1, name, strlen(name)); /* abstract */
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    return a;
}

static void test_unix_stream(void)
{
    socklen_t len;
    struct sockaddr_un a = unix_address("denali-test", &len);
    char buffer[20];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    ERROR(connect(client, (struct sockaddr *)&a, len), ECONNREFUSED);
    CHECK(!bind(listener, (struct sockaddr *)&a, len) && !listen(listener, 2));
    CHECK(!connect(client, (struct sockaddr *)&a, len));
    CHECK(revents(listener, POLLIN) == POLLIN);
    CHECK(write(client, "early", 5) == 5);
    int server = accept(listener, NULL, NULL);
    CHECK(server >= 0 && read(server, buffer, 20) == 5);
    struct ucred cred;
    socklen_t cred_len = sizeof cred;
    CHECK(!getsockopt(server, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) && cred.pid == getpid());
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    ERROR(bind(other, (struct sockaddr *)&a, len), EADDRINUSE);
    close(other);
    close(client);
    CHECK(revents(server, POLLIN) & POLLHUP);
    CHECK(read(server, buffer, 20) == 0);
    ERROR(send(server, "x", 1, MSG_NOSIGNAL), EPIPE);
    close(server);
    close(listener);
}

static void test_unix_packets(void)
{
    int s[2];
    char buffer[10];
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s));
    CHECK(write(s[0], "first", 5) == 5 && write(s[0], "second", 6) == 6);
    CHECK(read(s[1], buffer, 3) == 3 && read(s[1], buffer, 10) == 6);
    ERROR(read(s[1], buffer, 10), EAGAIN);
    int full = 0;
    while (write(s[0], buffer, 10) == 10)
        full++;
    CHECK(errno == EAGAIN && full > 20);
    close(s[0]);
    while (read(s[1], buffer, 10) == 10)
        full--;
    CHECK(full == 0 && read(s[1], buffer, 10) == 0);
    close(s[1]);
}

static void test_interfaces(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq r[8];
    struct ifconf conf = {.ifc_len = sizeof r, .ifc_req = r};
    CHECK(!ioctl(fd, SIOCGIFCONF, &conf) && conf.ifc_len >= (int)sizeof r[0]);
    strcpy(r[0].ifr_name, "lo");
    CHECK(!ioctl(fd, SIOCGIFADDR, &r[0]));
    CHECK(((struct sockaddr_in *)&r[0].ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(!ioctl(fd, SIOCGIFFLAGS, &r[0]) && r[0].ifr_flags & IFF_LOOPBACK);
    strcpy(r[0].ifr_name, "nothing7");
    ERROR(ioctl(fd, SIOCGIFFLAGS, &r[0]), ENODEV);
    close(fd);
}

static void test_getifaddrs(void)
{
    struct ifaddrs *all = NULL;
    int found = 0;
    CHECK(!getifaddrs(&all));
    for (struct ifaddrs *i = all; i; i = i->ifa_next)
        if (!strcmp(i->ifa_name, "lo") && i->ifa_addr && i->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in *in = (struct sockaddr_in *)i->ifa_addr;
            found += in->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && i->ifa_flags & IFF_LOOPBACK;
        }
    CHECK(found == 1 && if_nametoindex("lo") == 1);
    freeifaddrs(all);
}

static void test_many(void)
{
    enum { COUNT = 300 };
    static int a[COUNT], b[COUNT];
    struct sockaddr_in address;
    int listener = listener_create(&address);
    char byte;
    for (int i = 0; i < COUNT; i++) {
        a[i] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(!connect(a[i], (struct sockaddr *)&address, sizeof address));
        b[i] = accept(listener, NULL, NULL);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK(write(a[i], &i, 1) == 1);
    for (int i = 0; i < COUNT; i++)
        CHECK(read(b[i], &byte, 1) == 1 && byte == (char)i);
    for (int i = 0; i < COUNT; i++) {
        close(i & 1 ? a[i] : b[i]);
        CHECK(read(i & 1 ? b[i] : a[i], &byte, 1) == 0);
        close(i & 1 ? b[i] : a[i]);
    }
    close(listener);
}

/* send ADDRESS PORT BYTES: writes them and ends at once. */
static int mode_send(char **argv)
{
    struct sockaddr_in to = local_address(atoi(argv[3]));
    static char bytes[65536];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, argv[2], &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to))
        return perror("connect"), 1;
    for (long left = atol(argv[4]); left > 0;) {
        ssize_t n = write(fd, bytes, left < 65536 ? (size_t)left : 65536);
        if (n < 0)
            return perror("write"), 1;
        left -= n;
    }
    return 0;
}

/* udp PORT: echoes datagrams until one says "stop". */
static int mode_udp(char **argv)
{
    struct sockaddr_in a = local_address(atoi(argv[2])), from;
    char buffer[65536];
    socklen_t len = sizeof from;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    a.sin_addr.s_addr = htonl(INADDR_ANY);
    if (bind(fd, (struct sockaddr *)&a, sizeof a))
        return perror("bind"), 1;
    puts("serving");
    for (;;) {
        ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &len);
        if (n < 0)
            return perror("recvfrom"), 1;
        sendto(fd, buffer, (size_t)n, 0, (struct sockaddr *)&from, len);
        if (n >= 4 && !memcmp(buffer, "stop", 4))
            return 0;
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 5 && !strcmp(argv[1], "send"))
        return mode_send(argv);
    if (argc == 3 && !strcmp(argv[1], "udp"))
        return mode_udp(argv);
    test_stream();
    test_names();
    test_bind();
    test_connect_errors();
    test_reset();
    test_options();
    test_timeouts();
    test_bulk();
    test_epoll();
    test_udp();
    test_messages();
    test_unix_stream();
    test_unix_packets();
    test_interfaces();
    test_getifaddrs();
    test_many();
    printf("%d failures\n", failures);
    return failures > 0;
}
