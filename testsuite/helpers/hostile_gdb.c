/* SPDX-License-Identifier: MIT */
/*
 * usage: hostile_gdb PORT SEED PACKETS
 *
 * A client of gdb's protocol that wants to do harm. First the usual tricks, one
 * connection each: half a packet and gone, negative acknowledgments without
 * end, lengths that overflow, an escape as a packet's last byte, a connection
 * that breaks while the machine runs, two clients at once. Then PACKETS packets
 * that are almost right, from SEED on. After each trick, and at the end, the
 * other side must answer a plain question. Prints how many packets went out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define ANSWER_ROOM 0x30000

static unsigned port;
static uint64_t state;

static void die(const char *what)
{
    fprintf(stderr, "hostile_gdb: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static int enter(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
        die("connect");
    return fd;
}

/* Takes away what has been answered so far. */
static void drain(int fd)
{
    char bytes[65536];
    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

static void put(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            die("send");
        if (n < 0) {
            struct pollfd p = {.fd = fd, .events = POLLOUT | POLLIN};
            poll(&p, 1, PATIENCE_MS);
            drain(fd);
            continue;
        }
        at += n;
        len -= (size_t)n;
    }
}

static void put_text(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

static void put_packet(int fd, const void *body, size_t len)
{
    const uint8_t *b = body;
    uint8_t sum = 0;
    char tail[4];
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + b[i]);
    snprintf(tail, sizeof(tail), "#%02x", sum);
    put(fd, "$", 1);
    put(fd, body, len);
    put(fd, tail, 3);
}

/* Asks until it answers: what the machine was told before may have to end first. */
static void expect_alive(int fd, const char *after)
{
    static char answer[ANSWER_ROOM];
    size_t len = 0;
    put_text(fd, "#00#00\003");
    put_packet(fd, "qHostileLittleQuestion", 22);
    put_packet(fd, "vCont?", 6);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, PATIENCE_MS) <= 0) {
            fprintf(stderr, "hostile_gdb: it said last: %s\n",
                    answer + (len > 300 ? len - 300 : 0));
            die(after);
        }
        ssize_t n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
        if (n <= 0) {
            fprintf(stderr, "hostile_gdb: %zd; it said last: %s\n", n,
                    answer + (len > 300 ? len - 300 : 0));
            die(after);
        }
        for (ssize_t i = 0; i < n; i++)
            if (!answer[len + (size_t)i])
                answer[len + (size_t)i] = '.';
        len += (size_t)n;
        answer[len] = 0;
        if (strstr(answer, "vCont;c"))
            return;
        if (strstr(answer, "$T") || strstr(answer, "$W") || strstr(answer, "$X"))
            put_packet(fd, "vCont?", 6); /* it ran when it was asked, and did not hear */
        if (len > ANSWER_ROOM / 2) {
            memmove(answer, answer + len - 64, 64);
            len = 64;
        }
    }
}

static void leave(int fd, const char *after)
{
    expect_alive(fd, after);
    close(fd);
}

static void play_tricks(void)
{
    static char big[0x40000];
    int fd = enter();
    put_text(fd, "$m1000");
    close(fd);

    fd = enter();
    put_text(fd, "+$vMustReplyEmpty#3");
    shutdown(fd, SHUT_WR);
    close(fd);

    fd = enter();
    put_packet(fd, "m10000,100", 10);
    for (int i = 0; i < 5000; i++)
        put_text(fd, "-");
    leave(fd, "negative acknowledgments");

    fd = enter();
    memset(big, 'm', sizeof(big));
    put_packet(fd, big, sizeof(big));
    static const char *const long_ones[] = {
        "mffffffffffffffff,ffffffffffffffff",
        "m0,ffffffffffffffffffffffffffffffff",
        "M10000,ffffffff:00",
        "X10000,fffffffffffffff0:a",
        "qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff",
        "qXfer:threads:read::fffffff0,ffffffff",
        "qCRC:0,ffffffffffffffff",
        "vFile:pread:0,ffffffffffffffff,ffffffffffffffff",
        "Z2,fffffff0,ffffffff",
        "Z1,ffffffffffffffffff,1",
        "vCont;s:pffffffffffff.ffffffffffff",
    };
    for (size_t i = 0; i < sizeof(long_ones) / sizeof(*long_ones); i++)
        put_packet(fd, long_ones[i], strlen(long_ones[i]));
    leave(fd, "huge lengths");

    fd = enter();
    put_packet(fd, "X10000,1:}", 10);
    put_packet(fd, "}", 1);
    put_text(fd, "$X10000,2:}#00$}");
    leave(fd, "escapes at the end");

    fd = enter();
    put_packet(fd, "vCont;c", 7);
    close(fd);
    fd = enter();
    put_packet(fd, "vCont;c", 7);
    put_text(fd, "\003\003\003");
    leave(fd, "a connection that breaks in the middle of a run");

    fd = enter();
    int second = enter();
    /* it may have been turned away already */
    bool refused = send(second, "$?#3f", 5, MSG_NOSIGNAL) < 0;
    char byte;
    struct pollfd p = {.fd = second, .events = POLLIN};
    expect_alive(fd, "two clients");
    if (!refused && poll(&p, 1, PATIENCE_MS) > 0 && recv(second, &byte, 1, 0) > 0)
        die("the second client was served beside the first");
    close(second);
    leave(fd, "two clients");
}

static const char *const seeds[] = {
    "?",
    "g",
    "G00",
    "p8",
    "P8=00000000",
    "m10000,40",
    "M10000,4:00000000",
    "X10000,4:abcd",
    "Z0,10000,1",
    "z0,10000,1",
    "Z2,20000,4",
    "z2,20000,4",
    "Z3,20000,4",
    "Z4,20000,1000",
    "vCont;s:p1.-1",
    "vCont;s:p1.3e8",
    "vCont;r10000,10100:p1.3e8",
    "bs",
    "bc",
    "Hgp1.3e8",
    "Hcp1.0",
    "Tp1.3e9",
    "qC",
    "qfThreadInfo",
    "qsThreadInfo",
    "qThreadExtraInfo,p1.3e8",
    "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+",
    "QPassSignals:e;10;14",
    "QCatchSyscalls:1;4;5",
    "QCatchSyscalls:0",
    "qXfer:threads:read::0,fff",
    "qXfer:features:read:target.xml:0,fff",
    "qXfer:auxv:read::0,1000",
    "qXfer:memory-map:read::0,fff",
    "qXfer:osdata:read:processes:0,fff",
    "qXfer:exec-file:read:1:0,fff",
    "vFile:open:2f70726f632f312f6d617073,0,1c0",
    "vFile:pread:0,1000,0",
    "vFile:fstat:0",
    "vFile:close:0",
    "vFile:setfs:0",
    "vFile:readlink:2f70726f632f312f657865",
    "qRcmd,696e666f20746872656164732e",
    "qRcmd,7072696e74202465697020202b2031",
    "qCRC:10000,1000",
    "qOffsets",
    "qSymbol::",
    "vCtrlC",
    "QNonStop:1",
    "qAttached:1",
    "vMustReplyEmpty",
};

/* A seed with a few bytes changed, left out, doubled, or put in. */
static size_t make_packet(uint8_t *out, size_t room)
{
    const char *seed = seeds[draw(sizeof(seeds) / sizeof(*seeds))];
    size_t len = strlen(seed);
    memcpy(out, seed, len);
    for (uint32_t i = draw(4); i && len; i--) {
        size_t at = draw((uint32_t)len);
        switch (draw(5)) {
        case 0:
            out[at] = (uint8_t)draw(256);
            break;
        case 1:
            out[at] = (uint8_t)("0123456789abcdef,;:.-*}$#"[draw(25)]);
            break;
        case 2:
            memmove(out + at, out + at + 1, len - at - 1);
            len--;
            break;
        case 3:
            if (len * 2 < room) {
                memcpy(out + len, out, len);
                len *= 2;
            }
            break;
        default:
            out[at] = 'f';
        }
    }
    return len;
}

static bool lets_go(const uint8_t *packet, size_t len)
{
    return len && (packet[0] == 'D' || packet[0] == 'k' ||
                   (len > 5 && (!memcmp(packet, "vKill", 5) || !memcmp(packet, "vRun;", 5))));
}

static void pour(unsigned packets)
{
    uint8_t packet[4096];
    int fd = enter();
    for (unsigned n = 0; n < packets; n++) {
        size_t len = make_packet(packet, sizeof(packet));
        if (lets_go(packet, len))
            continue;
        if (draw(8))
            put_packet(fd, packet, len);
        else
            put(fd, packet, len); /* no packet at all */
        if (!draw(16))
            put_text(fd, "\003");
        if (!draw(64))
            drain(fd);
        if (n % 500 == 499) {
            expect_alive(fd, "garbage");
            put_packet(fd, "vRun;", 5); /* if it has ended: again */
        }
    }
    expect_alive(fd, "garbage");
    put_packet(fd, "vRun;", 5);
    leave(fd, "garbage");
    printf("%u packets\n", packets);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    port = (unsigned)atoi(argv[1]);
    state = strtoull(argv[2], NULL, 10) * 2 + 1;
    play_tricks();
    pour((unsigned)atoi(argv[3]));
    return 0;
}
