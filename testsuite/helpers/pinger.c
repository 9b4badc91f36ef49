/* SPDX-License-Identifier: MIT */
/*
 * usage: pinger PATH COUNT. The host's end of guests/net over a UNIX stream
 * socket (devices/net_backends.h): asks by ARP, sends COUNT pings of changing
 * lengths, a few in flight, and checks every byte of every answer. Exits 0 if
 * none is lost. Prints the round trips a second on stderr.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 8
#define FRAME_MAX 1514
#define PING_HEADERS 42 /* Ethernet, IP, ICMP */

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, our_ip[4] = {10, 0, 0, 1};
static const uint8_t guest_ip[4] = {10, 0, 0, 2};

static void die(const char *what)
{
    fprintf(stderr, "pinger: %s\n", what);
    exit(1);
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void transfer(int fd, uint8_t *buf, size_t len, int writing)
{
    while (len) {
        ssize_t n = writing ? write(fd, buf, len) : read(fd, buf, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die(writing ? "the guest's side closed while sending" : "the guest's side closed");
        buf += n;
        len -= (size_t)n;
    }
}

static void send_frame(int fd, const uint8_t *frame, size_t len)
{
    uint8_t buf[4 + FRAME_MAX] = {0};
    put16(buf + 2, (unsigned)len);
    memcpy(buf + 4, frame, len);
    transfer(fd, buf, 4 + len, 1);
}

static size_t receive_frame(int fd, uint8_t *frame)
{
    uint8_t head[4];
    transfer(fd, head, 4, 0);
    size_t len = (size_t)head[2] << 8 | head[3];
    if (head[0] || head[1] || len > FRAME_MAX)
        die("a frame of an impossible length");
    transfer(fd, frame, len, 0);
    return len;
}

static unsigned checksum(const uint8_t *data, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += (uint32_t)data[i] << (i & 1 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static void ask_arp(int fd, uint8_t *mac)
{
    uint8_t frame[FRAME_MAX] = {255, 255, 255, 255, 255, 255};
    static const uint8_t arp[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    memcpy(frame + 6, our_mac, 6);
    put16(frame + 12, 0x0806);
    memcpy(frame + 14, arp, 8);
    memcpy(frame + 22, our_mac, 6);
    memcpy(frame + 28, our_ip, 4);
    memcpy(frame + 38, guest_ip, 4);
    send_frame(fd, frame, 42);
    size_t len = receive_frame(fd, frame);
    if (len < 42 || frame[21] != 2 || memcmp(frame + 28, guest_ip, 4) ||
        memcmp(frame + 32, our_mac, 6))
        die("a wrong answer to ARP");
    memcpy(mac, frame + 22, 6);
    if (memcmp(frame + 6, mac, 6))
        die("the ARP answer's sender differs from its frame's");
}

/* A ping whose length and bytes follow from its number. */
static size_t make_ping(uint8_t *frame, const uint8_t *mac, unsigned number, int is_last)
{
    size_t payload = is_last ? 4 : 16 + number * 7 % (FRAME_MAX - PING_HEADERS - 15);
    size_t len = PING_HEADERS + payload;
    memset(frame, 0, PING_HEADERS);
    memcpy(frame, mac, 6);
    memcpy(frame + 6, our_mac, 6);
    put16(frame + 12, 0x0800);
    frame[14] = 0x45;
    put16(frame + 16, (unsigned)len - 14);
    frame[22] = 64;
    frame[23] = 1;
    memcpy(frame + 26, our_ip, 4);
    memcpy(frame + 30, guest_ip, 4);
    put16(frame + 24, checksum(frame + 14, 20));
    frame[34] = 8;
    put16(frame + 38, number >> 16);
    put16(frame + 40, number);
    for (size_t i = 0; i < payload; i++)
        frame[PING_HEADERS + i] = (uint8_t)(number * 31 + i);
    if (is_last)
        memcpy(frame + PING_HEADERS, "stop", 4);
    put16(frame + 36, checksum(frame + 34, len - 34));
    return len;
}

static void check_answer(const uint8_t *frame, size_t len, const uint8_t *mac, unsigned number,
                         int is_last)
{
    uint8_t want[FRAME_MAX];
    size_t want_len = make_ping(want, mac, number, is_last);
    if (len != want_len)
        die("an answer of another length");
    if (memcmp(frame, our_mac, 6) || memcmp(frame + 6, mac, 6) || memcmp(frame + 26, guest_ip, 4) ||
        memcmp(frame + 30, our_ip, 4) || frame[34] != 0)
        die("an answer with wrong addresses, lost or out of order");
    if (checksum(frame + 14, 20) || checksum(frame + 34, len - 34))
        die("an answer with a wrong checksum");
    if (memcmp(frame + 38, want + 38, len - 38))
        die("an answer with other bytes, lost or out of order");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int accept_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
        die("the path is too long");
    strcpy(addr.sun_path, path);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
        die("cannot listen");
    return accept(fd, NULL, NULL);
}

int main(int argc, char **argv)
{
    uint8_t frame[FRAME_MAX], mac[6];
    if (argc != 3)
        die("usage: pinger PATH COUNT");
    unsigned count = (unsigned)atoi(argv[2]), sent = 0, got = 0;
    int fd = accept_at(argv[1]);
    if (fd < 0)
        die("cannot accept");
    ask_arp(fd, mac);
    double start = now();
    while (got < count) {
        for (; sent < count && sent - got < WINDOW; sent++)
            send_frame(fd, frame, make_ping(frame, mac, sent, sent + 1 == count));
        size_t len = receive_frame(fd, frame);
        check_answer(frame, len, mac, got, got + 1 == count);
        got++;
    }
    fprintf(stderr, "pinger: %u answers, %.0f a second\n", got, got / (now() - start));
    close(fd);
    return 0;
}
