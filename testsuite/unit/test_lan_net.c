/* SPDX-License-Identifier: MIT */
/*
 * LANs with ways out. Guests are played by hand: they answer ARP and send every
 * datagram back. More of them than libslirp remembers, and a NAT process that is
 * killed.
 */
#include <check.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "denali/lan/lan_net.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#define GUESTS 40
#define PATIENCE_NS 20000000000u

static struct lan_net *net;
static struct lan_port guest[GUESTS];
static struct why why;
static char nat_program[4096];

static void quiet(struct lan_port *port)
{
    (void)port;
}

/* The NAT of this build is two folders up from here; without libslirp there is none. */
static bool have_nat(void)
{
    ssize_t len = readlink("/proc/self/exe", nat_program, sizeof(nat_program) - 32);
    if (len <= 0)
        return false;
    nat_program[len] = 0;
    for (unsigned i = 0; i < 2; i++)
        *strrchr(nat_program, '/') = 0;
    strcat(nat_program, "/denali-nat");
    return !access(nat_program, X_OK);
}

static void start(const char *const *uplink, unsigned uplinks)
{
    const struct lan_net_config config = {
        .subnet = "10.9.0.0/16", .uplink = uplink, .uplinks = uplinks, .nat_program = nat_program};
    int err = lan_net_create(&config, &net, &why);
    ck_assert_msg(!err, "%s", why.text);
    for (unsigned i = 0; i < GUESTS; i++)
        ck_assert_int_eq(lan_port_add(lan_net_lan(net), &guest[i], LAN_ANY_IP, 0, quiet), 0);
}

static void stop(void)
{
    for (unsigned i = 0; i < GUESTS; i++)
        lan_port_remove(&guest[i]);
    lan_net_destroy(net);
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* Checksums do not change when the two ends change places. */
static void echo(struct lan_port *port, uint8_t *frame, size_t len)
{
    uint8_t mac[6];
    lan_port_mac(port, mac);
    memcpy(frame, frame + 6, 6);
    memcpy(frame + 6, mac, 6);
    if (frame[13] == 6 && frame[21] == 1) {
        frame[21] = 2;
        swap(frame + 22, frame + 32, 10);
        memcpy(frame + 22, mac, 6);
    } else if (frame[13] == 0 && frame[23] == 17) {
        swap(frame + 26, frame + 30, 4);
        swap(frame + 34, frame + 36, 2);
    } else if (frame[13] == 0 && frame[23] == 1 && frame[34] == 8) {
        swap(frame + 26, frame + 30, 4);
        frame[34] = 0; /* an answer; the sum grows by what the type lost */
        uint32_t sum = ((uint32_t)frame[36] << 8 | frame[37]) + 0x0800;
        sum = (sum & 0xffff) + (sum >> 16);
        frame[36] = (uint8_t)(sum >> 8);
        frame[37] = (uint8_t)sum;
    } else {
        return;
    }
    lan_send(port, frame, len);
}

static void serve(void)
{
    uint8_t frame[NET_FRAME_MAX];
    size_t len;
    for (unsigned i = 0; i < GUESTS; i++) {
        while ((len = lan_receive(&guest[i], frame, sizeof(frame))))
            echo(&guest[i], frame, len);
    }
}

/* A UDP port that is free just now. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static struct net_publish publish_guest(unsigned i)
{
    struct net_publish p = {.host_addr = INADDR_LOOPBACK,
                            .host_port = free_port(),
                            .guest_addr = guest[i].ip,
                            .guest_port = 7,
                            .udp = true};
    int err = lan_net_publish(net, &p, &why);
    ck_assert_msg(!err, "%s", why.text);
    return p;
}

/* One datagram to each published port; true when all came back. */
static bool ask_all(const struct net_publish *p, unsigned count)
{
    bool heard[GUESTS] = {false};
    unsigned missing = count;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    uint64_t end = host_monotonic_ns() + PATIENCE_NS, again = 0;
    while (missing && host_monotonic_ns() < end) {
        uint8_t tag;
        for (uint8_t i = 0; host_monotonic_ns() >= again && i < count; i++) {
            const struct sockaddr_in to = {.sin_family = AF_INET,
                                           .sin_addr = {htonl(p[i].host_addr)},
                                           .sin_port = htons(p[i].host_port)};
            if (!heard[i])
                sendto(fd, &i, 1, 0, (const struct sockaddr *)&to, sizeof(to));
        }
        if (host_monotonic_ns() >= again)
            again = host_monotonic_ns() + 2000000000u;
        serve();
        while (recv(fd, &tag, 1, 0) == 1 && tag < count) {
            missing -= !heard[tag];
            heard[tag] = true;
        }
        host_poll(NULL, 0, 200000);
    }
    close(fd);
    return !missing;
}

START_TEST(one_nat_for_many)
{
    static const char *const user[] = {"user"};
    struct net_publish p[GUESTS], other;
    struct uplink_counters counters;
    uint32_t restarts;
    if (!have_nat())
        return;
    start(user, 1);
    for (unsigned i = 0; i < GUESTS; i++)
        p[i] = publish_guest(i);
    ck_assert(ask_all(p, GUESTS));
    uint64_t before = host_monotonic_ns();
    ck_assert(ask_all(p, GUESTS)); /* all known by now, and more than libslirp remembers */
    ck_assert_uint_lt(host_monotonic_ns() - before, 1900000000u);
    other = p[0];
    ck_assert_int_eq(lan_net_publish(net, &other, &why), -EADDRINUSE);
    other.host_port = free_port();
    other.guest_addr = 0x7f000001;
    ck_assert_int_eq(lan_net_publish(net, &other, &why), -ENETUNREACH);
    ck_assert_int_eq(lan_net_unpublish(net, &p[0]), 0);
    ck_assert_int_eq(lan_net_unpublish(net, &p[0]), -ENOENT);
    ck_assert(ask_all(p + 1, 1));
    ck_assert_int_eq(lan_net_publish(net, &p[0], &why), 0);

    /* The process is killed: another one comes, with the same ports. */
    int pid = lan_net_nat_pid(net, &restarts);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert(ask_all(p, GUESTS));
    ck_assert_int_ne(lan_net_nat_pid(net, &restarts), pid);
    ck_assert_uint_eq(restarts, 1);
    ck_assert(lan_net_count(net, 0, &counters));
    ck_assert(counters.alive && counters.in >= 3 * GUESTS && counters.out >= 3 * GUESTS);
    lan_net_unpublish_all(net, guest[3].ip);
    ck_assert_int_eq(lan_net_unpublish(net, &p[3]), -ENOENT);
    stop();
}
END_TEST

/* The NAT dies when the host has no descriptors left: VMs go on, and it comes back when it can. */
START_TEST(no_descriptors)
{
    static const char *const user[] = {"user"};
    struct rlimit was, none;
    uint8_t frame[60] = {0};
    uint32_t restarts;
    if (!have_nat())
        return;
    start(user, 1);
    struct net_publish p = publish_guest(0);
    ck_assert(ask_all(&p, 1));
    int free_fd = open("/dev/null", O_RDONLY);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = (rlim_t)free_fd;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct lan_net *other;
    const struct lan_net_config config = {
        .subnet = "10.8.0.0/16", .uplink = user, .uplinks = 1, .nat_program = nat_program};
    int err = lan_net_create(&config, &other, &why);
    kill(lan_net_nat_pid(net, &restarts), SIGKILL);
    host_poll(NULL, 0, 300000000u);
    bool gone = !lan_net_nat_pid(net, &restarts);
    lan_port_mac(&guest[1], frame);
    lan_port_mac(&guest[0], frame + 6);
    frame[12] = 8;
    for (unsigned i = 0; i < 4; i++)
        frame[26 + i] = (uint8_t)(guest[0].ip >> (24 - 8 * i));
    lan_send(&guest[0], frame, sizeof(frame));
    bool heard = lan_waits(&guest[1]);
    setrlimit(RLIMIT_NOFILE, &was);
    close(free_fd);
    ck_assert_int_eq(err, -EMFILE);
    ck_assert(gone && heard);
    ck_assert(ask_all(&p, 1));
    stop();
}
END_TEST

/* A datagram of a guest to a port of the subnet's first address, by hand. */
static void send_to_host(struct lan_port *from, uint16_t port)
{
    uint8_t frame[60] = {0x52, 0x55, 10, 9, 0, 1};
    static const uint8_t ip[] = {0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17};
    uint32_t sum = 0;
    lan_port_mac(from, frame + 6);
    frame[12] = 8;
    memcpy(frame + 14, ip, sizeof(ip));
    for (unsigned i = 0; i < 4; i++) {
        frame[26 + i] = (uint8_t)(from->ip >> (24 - 8 * i));
        frame[30 + i] = (uint8_t)(0x0a090001u >> (24 - 8 * i));
    }
    for (unsigned i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
    frame[35] = 99;
    frame[36] = (uint8_t)(port >> 8);
    frame[37] = (uint8_t)port;
    frame[39] = 26;
    lan_send(from, frame, sizeof(frame));
}

/* What listens on the host's 127.0.0.1 is not for guests, unless somebody said so. */
START_TEST(the_host_itself)
{
    static const char *const user[] = {"user"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    char byte;
    if (!have_nat())
        return;
    const struct lan_net_config config = {.subnet = "10.9.0.0/16",
                                          .uplink = user,
                                          .uplinks = 1,
                                          .host_loopback = _i,
                                          .nat_program = nat_program};
    ck_assert_int_eq(lan_net_create(&config, &net, &why), 0);
    ck_assert_int_eq(lan_port_add(lan_net_lan(net), &guest[0], LAN_ANY_IP, 0, quiet), 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    bool heard = false;
    uint64_t end = host_monotonic_ns() + (_i ? PATIENCE_NS : 600000000u);
    while (!heard && host_monotonic_ns() < end) {
        send_to_host(&guest[0], ntohs(a.sin_port));
        host_poll(NULL, 0, 20000000);
        heard = recv(fd, &byte, 1, 0) >= 0;
    }
    ck_assert_int_eq(heard, _i);
    close(fd);
    lan_port_remove(&guest[0]);
    lan_net_destroy(net);
}
END_TEST

/* What a guest says in a hurry, and a host's port that is taken. */
START_TEST(a_taken_port_is_told)
{
    static const char *const user[] = {"user,loss=1,delay=1"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    if (!have_nat())
        return;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    start(user, 1);
    struct net_publish p = {.host_addr = INADDR_LOOPBACK,
                            .host_port = ntohs(a.sin_port),
                            .guest_addr = guest[0].ip,
                            .guest_port = 80};
    ck_assert_int_eq(lan_net_publish(net, &p, &why), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(why.text, "cannot publish port"));
    close(fd);
    p.host_port = 0;
    p = publish_guest(0);
    ck_assert(ask_all(&p, 1));
    stop();
}
END_TEST

/* Two LANs on one socket, each with guests of its own. */
START_TEST(a_socket_joins_two_lans)
{
    char spec[128];
    const char *const uplink[] = {spec};
    struct lan_net *other;
    struct lan_port far;
    uint8_t frame[60] = {0}, mac[6];
    snprintf(spec, sizeof(spec), "socket:/tmp/denali-lan-%d", (int)getpid());
    start(uplink, 1);
    const struct lan_net_config config = {.subnet = "10.9.0.0/16", .uplink = uplink, .uplinks = 1};
    ck_assert_int_eq(lan_net_create(&config, &other, &why), 0);
    ck_assert_int_eq(lan_port_add(lan_net_lan(other), &far, 0x0a090900, 0, quiet), 0);
    /* The tags may, seldom, be the same: then they are not told apart, and this is not tried. */
    lan_port_mac(&far, frame);
    lan_port_mac(&guest[0], mac);
    bool apart = frame[2] != mac[2];
    memcpy(frame + 6, mac, 6);
    frame[12] = 8;
    for (unsigned i = 0; i < 4; i++)
        frame[26 + i] = (uint8_t)(guest[0].ip >> (24 - 8 * i));
    uint64_t end = host_monotonic_ns() + PATIENCE_NS;
    while (apart && !lan_waits(&far) && host_monotonic_ns() < end) {
        lan_send(&guest[0], frame, sizeof(frame));
        host_poll(NULL, 0, 1000000);
    }
    ck_assert(!apart || lan_waits(&far));
    lan_port_remove(&far);
    lan_net_destroy(other);
    stop();
}
END_TEST

/* A tap device in a network namespace of its own: the host there pings guests. */
START_TEST(a_tap_leads_to_a_host)
{
    static const char *const tap[] = {"tap:lan0"};
    static const char up[] = "ip addr add 10.9.200.1/16 dev lan0 && ip link set lan0 up";
    static const char ping[] = "ping -n -q -c 5 -i 0.2 -w 20 10.9.0.1 >/dev/null && "
                               "ping -n -q -c 5 -i 0.2 -w 20 10.9.0.40 >/dev/null; exit $?";
    if (system("ip -V >/dev/null 2>&1 && ping -V >/dev/null 2>&1") ||
        (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)))
        return;
    start(tap, 1);
    ck_assert_uint_eq(guest[0].ip, 0x0a090001);
    ck_assert_int_eq(system(up), 0);
    pid_t pid = fork();
    if (!pid)
        execl("/bin/sh", "sh", "-c", ping, (char *)NULL);
    int status, ended;
    while (!(ended = waitpid(pid, &status, WNOHANG))) {
        serve();
        host_poll(NULL, 0, 200000);
    }
    ck_assert_int_eq(ended, pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    stop();
}
END_TEST

START_TEST(wrong_configs)
{
    static const char *const uplinks[][2] = {{"moon", NULL},   {"tap:", NULL},
                                             {"user", "user"}, {"user,speed=1", NULL},
                                             {"userx", NULL},  {"none,loss=101", NULL}};
    static const char *const subnets[] = {"10.0.0.0", "10.0.0.0/7", "10.0.0.0/30", "10.0.0.1/24",
                                          "10.0/16",  "",           "x/8",         "10.0.0.0/8x"};
    for (size_t i = 0; i < ARRAY_LEN(uplinks); i++) {
        const struct lan_net_config c = {.subnet = "10.9.0.0/16",
                                         .uplink = uplinks[i],
                                         .uplinks = uplinks[i][1] ? 2 : 1,
                                         .nat_program = nat_program};
        ck_assert_int_lt(lan_net_create(&c, &net, &why), 0);
        ck_assert_uint_gt(strlen(why.text), 10);
    }
    for (size_t i = 0; i < ARRAY_LEN(subnets); i++) {
        const struct lan_net_config c = {.subnet = subnets[i]};
        ck_assert_msg(lan_net_create(&c, &net, &why) == -EINVAL, "%s was taken", subnets[i]);
    }
    const struct lan_net_config c = {.uplink = uplinks[2], .uplinks = 1};
    ck_assert_int_eq(lan_net_create(&c, &net, &why), -EINVAL); /* user without a subnet */
}
END_TEST

int main(void)
{
    if (!have_nat())
        puts("no denali-nat: without its tests");
    Suite *suite = suite_create("lan_net");
    TCase *tc = tcase_create("lan_net");
    tcase_set_timeout(tc, 90);
    tcase_add_test(tc, one_nat_for_many);
    tcase_add_test(tc, no_descriptors);
    tcase_add_loop_test(tc, the_host_itself, 0, 2);
    tcase_add_test(tc, a_taken_port_is_told);
    tcase_add_test(tc, a_socket_joins_two_lans);
    tcase_add_test(tc, a_tap_leads_to_a_host);
    tcase_add_test(tc, wrong_configs);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
