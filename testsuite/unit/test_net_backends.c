/* SPDX-License-Identifier: MIT */
/* The NIC's host ends: what devices/net_backends.h promises. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/net_backends.h"

static struct net_error why;
static const struct net_user_config nobody;

static struct net_backend *made(const char *spec)
{
    struct net_backend *net = NULL;
    int err = net_backend_create(spec, &nobody, &net, &why);
    ck_assert_msg(!err, "%s: %s", spec, why.text);
    return net;
}

static const char *temp_path(const char *name)
{
    static char path[108];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/net-%d-%s", dir && strlen(dir) < 60 ? dir : "/tmp",
             (int)getpid(), name);
    return path;
}

/* Receives a frame within a tenth of a second; its bytes. */
static int receive(struct net_backend *net, void *frame)
{
    for (int tries = 0; tries < 100; tries++) {
        int got = net->ops->receive(net, frame, NET_FRAME_MAX);
        if (got != -EAGAIN)
            return got;
        struct pollfd wait = {net->ops->fd(net), POLLIN, 0};
        poll(&wait, 1, 1);
    }
    return -EAGAIN;
}

START_TEST(ports_are_read)
{
    struct net_publish p;
    ck_assert_int_eq(net_publish_parse("8080:80", &p, &why), 0);
    ck_assert(p.host_addr == 0x7f000001 && p.host_port == 8080 && p.guest_port == 80 && !p.udp);
    ck_assert_int_eq(net_publish_parse("0.0.0.0:53:5353/udp", &p, &why), 0);
    ck_assert(p.host_addr == 0 && p.host_port == 53 && p.guest_port == 5353 && p.udp);
    ck_assert_int_eq(net_publish_parse("1:65535/tcp", &p, &why), 0);
    static const char *const bad[] = {
        "",        "80",        ":",       "80:",     ":80",         "0:80",   "80:0",
        "65536:1", "1:65536",   "a:80",    "80:80/x", "1.2.3:80:80", "80:80 ", "-1:80",
        "80:80:",  "::1:80:80", "1:2:3:4", "+1:80",   "80:80/udpx",  "1e3:80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(net_publish_parse(bad[i], &p, &why) == -EINVAL, "%s was taken", bad[i]);
    char longest[200];
    memset(longest, '1', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    ck_assert_int_eq(net_publish_parse(longest, &p, &why), -EINVAL);
}
END_TEST

START_TEST(networks_are_read)
{
    static const char *const bad[] = {"",           "moon",        "socket:",       "tap:",
                                      "none,loss",  "none,loss=x", "none,loss=101", "none,speed=1",
                                      "none,loss=", "none,",       "none,loss=-1"};
    struct net_backend *net;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(net_backend_create(bad[i], &nobody, &net, &why) == -EINVAL, "%s was taken",
                      bad[i]);
    net = made("none");
    char frame[60] = {0};
    ck_assert_int_eq(net->ops->send(net, frame, sizeof frame), 0);
    ck_assert_int_eq(net->ops->receive(net, frame, sizeof frame), -EAGAIN);
    net->ops->destroy(net);
}
END_TEST

START_TEST(two_sockets_are_a_wire)
{
    char spec[128], frame[NET_FRAME_MAX], got[NET_FRAME_MAX];
    const char *path = temp_path("wire");
    snprintf(spec, sizeof spec, "socket:%s", path);
    struct net_backend *a = made(spec), *b = made(spec);
    ck_assert_int_eq(receive(a, got), -EAGAIN); /* takes the peer in */
    for (int len = 14; len <= NET_FRAME_MAX; len += 300) {
        memset(frame, len & 0xff, sizeof frame);
        ck_assert_int_eq(a->ops->send(a, frame, (size_t)len), 0);
        ck_assert_int_eq(b->ops->send(b, frame, (size_t)len), 0);
        ck_assert_int_eq(receive(b, got), len);
        ck_assert_int_eq(receive(a, got), len);
        ck_assert_int_eq(memcmp(got, frame, (size_t)len), 0);
    }
    b->ops->destroy(b);
    ck_assert_int_eq(receive(a, got), -EAGAIN); /* the listener awaits the next one */
    b = made(spec);
    ck_assert_int_eq(b->ops->send(b, frame, 100), 0);
    ck_assert_int_eq(receive(a, got), 100);
    a->ops->destroy(a);
    ck_assert_int_eq(receive(b, got), -EPIPE);
    ck_assert_int_eq(access(path, F_OK), -1);
    b->ops->destroy(b);
}
END_TEST

/* A full wire says so, and loses nothing of what it took. */
START_TEST(a_full_socket_keeps_its_frames_whole)
{
    char spec[128], frame[1000], got[NET_FRAME_MAX];
    snprintf(spec, sizeof spec, "socket:%s", temp_path("full"));
    struct net_backend *a = made(spec), *b = made(spec);
    int sent = 0, received = 0, n;
    ck_assert_int_eq(receive(a, got), -EAGAIN);
    do {
        memset(frame, sent & 0xff, sizeof frame);
        n = b->ops->send(b, frame, sizeof frame);
        sent += !n;
    } while (!n && sent < 100000);
    ck_assert_int_eq(n, -EAGAIN);
    while ((n = receive(a, got)) == 1000) {
        ck_assert_int_eq((unsigned char)got[999], received & 0xff);
        received++;
        if (received == sent - 1) /* the rest of the last one moves with the next send */
            ck_assert_int_eq(b->ops->send(b, frame, sizeof frame), 0);
    }
    ck_assert_int_ge(received, sent);
    a->ops->destroy(a);
    b->ops->destroy(b);
}
END_TEST

START_TEST(hostile_lengths_cut_the_peer_off)
{
    static const uint32_t lengths[] = {0, 13, 1515, 0x7fffffff, 0xffffffff};
    char spec[128], got[NET_FRAME_MAX];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = temp_path("hostile");
    snprintf(spec, sizeof spec, "socket:%s", path);
    strcpy(to.sun_path, path);
    struct net_backend *net = made(spec);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        uint32_t head = htonl(lengths[i]);
        char byte;
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        ck_assert_int_eq(write(fd, &head, sizeof head), sizeof head);
        ck_assert_int_eq(receive(net, got), -EAGAIN);
        ck_assert_int_le(read(fd, &byte, 1), 0);
        close(fd);
    }
    net->ops->destroy(net);
}
END_TEST

START_TEST(a_capture_is_whole_at_any_time)
{
    struct net_backend *net = made("none"), *pcap;
    const char *path = temp_path("pcap");
    char frame[100] = {0};
    struct stat st;
    ck_assert_int_eq(net_pcap_create(net, path, &pcap, &why), 0);
    ck_assert(!stat(path, &st) && st.st_size == 24);
    for (int i = 1; i <= 10; i++) {
        ck_assert_int_eq(pcap->ops->send(pcap, frame, sizeof frame), 0);
        ck_assert(!stat(path, &st) && st.st_size == 24 + i * (16 + 100));
    }
    uint32_t words[10];
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(read(fd, words, sizeof words), sizeof words);
    ck_assert(words[0] == 0xa1b23c4d && words[5] == 1 && words[8] == 100 && words[9] == 100);
    close(fd);
    pcap->ops->destroy(pcap);
    unlink(path);
    net = made("none");
    ck_assert_int_eq(net_pcap_create(net, "/nowhere/at/all", &pcap, &why), -ENOENT);
    net->ops->destroy(net);
}
END_TEST

/* Which of 2,000 frames arrive over a bad wire, as a checksum. */
static uint64_t bad_wire(const char *words)
{
    char spec[400], plain[200], frame[64], got[NET_FRAME_MAX];
    uint64_t sum = 0;
    snprintf(plain, sizeof plain, "socket:%s", temp_path("bad"));
    snprintf(spec, sizeof spec, "%s,%s", plain, words);
    struct net_backend *a = made(plain), *b = made(spec);
    ck_assert_int_eq(receive(a, got), -EAGAIN);
    for (int i = 0; i < 2000; i++) {
        memset(frame, i, sizeof frame);
        ck_assert_int_eq(b->ops->send(b, frame, sizeof frame), 0);
        while (a->ops->receive(a, got, sizeof got) > 0)
            sum = sum * 31 + (unsigned char)got[30] + (unsigned char)got[1];
    }
    a->ops->destroy(a);
    b->ops->destroy(b);
    return sum;
}

START_TEST(a_bad_wire_repeats_by_its_seed)
{
    static const char words[] = "loss=10,duplicate=5,corrupt=5,seed=3";
    uint64_t once = bad_wire(words);
    ck_assert(bad_wire(words) == once);
    ck_assert(bad_wire("loss=10,duplicate=5,corrupt=5,seed=4") != once);
    ck_assert(bad_wire("loss=100") == 0);
}
END_TEST

START_TEST(a_missing_nat_program_is_told)
{
    struct net_user_config config = {.program = "/nowhere/denali-nat"};
    struct net_backend *net = NULL;
    ck_assert_int_eq(net_user_create(&config, &net, &why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why.text, "/nowhere/denali-nat"));
    /* One that ends at once: said when ports were asked for. */
    struct net_publish port = {.host_addr = 0x7f000001, .host_port = 1, .guest_port = 1};
    config = (struct net_user_config){.publish = &port, .publish_count = 1, .program = "/bin/true"};
    ck_assert_int_lt(net_user_create(&config, &net, &why), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *tcase = tcase_create("net");
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, ports_are_read);
    tcase_add_test(tcase, networks_are_read);
    tcase_add_test(tcase, two_sockets_are_a_wire);
    tcase_add_test(tcase, a_full_socket_keeps_its_frames_whole);
    tcase_add_test(tcase, hostile_lengths_cut_the_peer_off);
    tcase_add_test(tcase, a_capture_is_whole_at_any_time);
    tcase_add_test(tcase, a_bad_wire_repeats_by_its_seed);
    tcase_add_test(tcase, a_missing_nat_program_is_told);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
