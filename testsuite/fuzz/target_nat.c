/* SPDX-License-Identifier: MIT */
/*
 * The NAT process: frames of the guest's and orders, through our filters into libslirp. It runs
 * where there is no network (a namespace of its own); where that cannot be had, only our filters
 * are tried. A message is two bytes of length and flags, and its bytes.
 * fuzz: max_len=2048
 */
#define _GNU_SOURCE
#include "devices/nat/doors.h"
#include "devices/nat/early.h"
#include "devices/nat/fragments.h"
#include "devices/nat/nat.h"
#include "devices/nat/neighbours.h"
#include "testsuite/fuzz/fuzz.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NET 0x0a000200u
#define MESSAGES 64u

static bool have_no_network(void)
{
    static int state;
    if (!state)
        state = unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET) ? -1 : 1;
    return state > 0;
}

static uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    return len & 1 ? sum + (uint32_t)(p[len - 1] << 8) : sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    at[0] = (uint8_t)(~sum >> 8);
    at[1] = (uint8_t)~sum;
}

/* Heads and sums as they must be, so that what is behind them counts. */
static void repair(uint8_t *frame, size_t len)
{
    static const uint8_t sum_at[256] = {[1] = 2, [6] = 16, [17] = 6};
    static const uint8_t head[] = {8, 0, 0x45};
    uint8_t *ip = frame + 14;
    if (len < 42)
        return;
    memcpy(frame + 12, head, sizeof(head));
    ip[2] = (uint8_t)((len - 14) >> 8);
    ip[3] = (uint8_t)(len - 14);
    unsigned at = sum_at[ip[9]];
    if (at && len - 34 >= at + 2u) {
        ip[20 + at] = ip[21 + at] = 0;
        put_sum(ip + 20 + at,
                sum_of(ip + 20, len - 34,
                       ip[9] == 1 ? 0 : sum_of(ip + 12, 8, ip[9] + (uint32_t)len - 34)));
    }
    ip[10] = ip[11] = 0;
    put_sum(ip + 10, sum_of(ip, 20, 0));
}

/* The next message; its length, 0 at the end. */
static size_t message(struct fuzz_in *in, uint8_t out[NET_FRAME_MAX], uint8_t *flags)
{
    size_t got, len = fuzz_u8(in);
    *flags = fuzz_u8(in);
    const uint8_t *bytes = fuzz_bytes(in, len, &got);
    memset(out, 0, NET_FRAME_MAX);
    memcpy(out, bytes, got);
    if (*flags & 2 && got >= 14)
        got = *flags & 4 ? NET_FRAME_MAX : 600;
    if (*flags & 1)
        repair(out, got);
    return got;
}

static void swallow(void *opaque, const void *frame, size_t len)
{
    uint8_t *sum = opaque;
    for (size_t i = 0; i < len; i++)
        *sum ^= ((const uint8_t *)frame)[i];
}

static void filters(const uint8_t *data, size_t len)
{
    static struct doors doors;
    static struct neighbours n;
    static struct early early;
    static struct fragments fragments;
    uint8_t frame[NET_FRAME_MAX], answer[NEIGHBOUR_ANSWER_BYTES], flags, sum = 0;
    struct fuzz_in in = {data, len};
    size_t bytes;
    int64_t now_ms = 0;
    memset(&doors, 0, sizeof(doors));
    memset(&early, 0, sizeof(early));
    memset(&fragments, 0, sizeof(fragments));
    doors.host = NET + 2;
    doors.dns = NET + 3;
    early_init(&early, 0);
    FUZZ_REQUIRE(neighbours_init(&n, NET, 24) == 0);
    for (unsigned i = 0; i < MESSAGES && in.left; i++) {
        bytes = message(&in, frame, &flags);
        uint8_t *exact = fuzz_exact(frame, bytes);
        if (flags & 8) {
            (void)neighbours_note_out(&n, exact, bytes);
            doors_note_out(&doors, exact, bytes);
            early_note_out(&early, exact, bytes, now_ms);
        } else {
            neighbours_note_in(&n, exact, bytes);
            (void)doors_let_pass(&doors, exact, bytes);
            (void)early_note_in(&early, exact, bytes, now_ms);
            (void)fragments_let_pass(&fragments, exact, bytes, now_ms);
        }
        free(exact);
        now_ms += flags >> 4;
        (void)early_run(&early, now_ms, swallow, &sum);
        (void)neighbours_answer(&n, answer);
    }
    neighbours_fini(&n);
}

static void whole(const uint8_t *data, size_t len, bool loopback)
{
    const struct net_user_side side = {NET, NET + 2, NET + 3, NET + 15, 24, loopback};
    const struct net_publish publish = {0x7f000001, 0, 8080, 80, false};
    struct fuzz_in in = {data, len};
    struct net_error why;
    struct nat *nat;
    uint8_t frame[NET_FRAME_MAX], flags;
    int pair[2];
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    if (nat_create(pair[0], &side, &publish, 0, &nat, &why)) {
        close(pair[0]);
        close(pair[1]);
        return;
    }
    for (unsigned i = 0; i < MESSAGES && in.left; i++) {
        size_t bytes = message(&in, frame, &flags);
        if (bytes && send(pair[1], frame, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            break;
    }
    shutdown(pair[1], SHUT_WR);
    nat_run(nat);
    nat_destroy(nat);
    close(pair[0]);
    close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 4)
        return 0;
    filters(data + 1, len - 1);
    if (have_no_network())
        whole(data + 1, len - 1, data[0] & 1);
    return 0;
}
