/* SPDX-License-Identifier: MIT */
/*
 * gdb's protocol: what a client sends, for two targets. Bytes go as they are; a piece that begins
 * with 01h goes as a packet with its sum, up to the next 00h.
 * fuzz: max_len=1024
 */
#include "emu/debug/gdb/gdb.h"
#include "testsuite/fuzz/fuzz.h"
#include "testsuite/fuzz/machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 8u

struct world {
    struct loop *loop;
    struct gdb *gdb;
    struct fuzz_machine machine[2];
    int client;
};

static int command(void *opaque, struct target *target, const char *line, FILE *out,
                   struct why *why)
{
    (void)opaque, (void)target;
    fprintf(out, "%s\n", line);
    return line[0] == 'e' ? why_fail(why, -22, "no such command") : 0;
}

/* Reads what has come, so that nothing waits for it. */
static void serve(struct world *w)
{
    char reply[65536];
    for (unsigned i = 0; i < ROUNDS; i++) {
        loop_poll(w->loop, 0);
        if (loop_is_running(w->loop))
            FUZZ_REQUIRE(loop_run_until_stop(w->loop) == 0);
        if (recv(w->client, reply, sizeof(reply), MSG_DONTWAIT) <= 0 && i > 1)
            return;
    }
}

static void put(struct world *w, const void *bytes, size_t len)
{
    (void)!send(w->client, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void put_packet(struct world *w, const uint8_t *body, size_t len)
{
    uint8_t sum = 0;
    char tail[4];
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + body[i]);
    snprintf(tail, sizeof(tail), "#%02x", sum);
    put(w, "$", 1);
    put(w, body, len);
    put(w, tail, 3);
}

static void talk(struct world *w, const uint8_t *data, size_t len)
{
    while (len) {
        const uint8_t *end = memchr(data, 0, len);
        size_t n = end ? (size_t)(end - data) : len;
        if (n && data[0] == 1)
            put_packet(w, data + 1, n - 1);
        else
            put(w, data, n);
        serve(w);
        n += end != NULL;
        data += n;
        len -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world w;
    struct why why;
    const struct gdb_config config = {.command = command};
    int pair[2];
    FUZZ_REQUIRE(loop_create(&w.loop) == 0);
    fuzz_machine_make(&w.machine[0], w.loop, "one");
    fuzz_machine_make(&w.machine[1], w.loop, "<two>");
    w.machine[0].target.files = 1;
    w.machine[0].target.file[0].path = "/proc/self/exe";
    FUZZ_REQUIRE(gdb_create(w.loop, &config, &w.gdb, &why) == 0);
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    FUZZ_REQUIRE(gdb_adopt(w.gdb, pair[0]) == 0);
    w.client = pair[1];
    talk(&w, data, len);
    close(w.client);
    loop_poll(w.loop, 0);
    gdb_destroy(w.gdb);
    loop_destroy(w.loop);
    fuzz_machine_end(&w.machine[0]);
    fuzz_machine_end(&w.machine[1]);
    return 0;
}
