/* SPDX-License-Identifier: MIT */
/*
 * The daemon between clients of its HTTP API, VMs with the supervisor's capability, and a worker,
 * none of whom it trusts: requests as bytes or well-formed with any body, and the worker's answers
 * and events. Each input has a daemon of its own, with an empty state.
 * fuzz: max_len=2048
 */
#include "denali/host/daemon/api.h"
#include "denali/host/daemon/daemon.h"
#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "testsuite/fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENTS 3u
#define STEPS 24u
#define TURNS 3u
#define NOBODY 0x3ffffe /* a process number that no process has */

struct world {
    struct daemon d;
    int client[CLIENTS], worker;
    uint64_t now_ns;
};

/* In the place of main.c's. */
void daemon_log(const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
}

static char state_dir[64], socket_path[96];

static int forget_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type;
    return ftw->level ? remove(path) : 0;
}

static void end_state(void)
{
    nftw(state_dir, forget_file, 8, FTW_DEPTH | FTW_PHYS);
    rmdir(state_dir);
}

static void clean_state(void)
{
    char path[128];
    if (!state_dir[0]) {
        snprintf(state_dir, sizeof(state_dir), "%s/denali-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        FUZZ_REQUIRE(mkdtemp(state_dir));
        snprintf(socket_path, sizeof(socket_path), "%s/socket", state_dir);
        atexit(end_state);
    }
    nftw(state_dir, forget_file, 8, FTW_DEPTH | FTW_PHYS);
    snprintf(path, sizeof(path), "%s/logs", state_dir);
    FUZZ_REQUIRE(mkdir(path, 0700) == 0);
    snprintf(path, sizeof(path), "%s/snapshots", state_dir);
    FUZZ_REQUIRE(mkdir(path, 0700) == 0);
}

static int pair_with(int *theirs)
{
    int pair[2];
    FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    *theirs = pair[0];
    return pair[1];
}

static void world_make(struct world *w)
{
    struct why why;
    int theirs;
    clean_state();
    memset(w, 0, sizeof(*w));
    for (unsigned i = 0; i < CLIENTS; i++)
        w->client[i] = -1;
    w->d = (struct daemon){.signals = -1, .state_lock = -1, .log_fd = -1, .ready_fd = -1};
    w->d.config = (struct config){.socket = socket_path,
                                  .state = state_dir,
                                  .memory_bytes = GIB,
                                  .workers = 1,
                                  .threads = 1,
                                  .grace_s = 1};
    w->d.workers = 1;
    FUZZ_REQUIRE(fleet_open(&w->d.fleet, state_dir, &why) == 0);
    FUZZ_REQUIRE(api_create(&w->d, &w->d.api, &why) == 0);
    w->worker = pair_with(&theirs);
    link_init(&w->d.worker[0].link, theirs);
    w->d.worker[0].life = WORKER_UP;
    w->d.worker[0].pid = NOBODY;
    w->now_ns = host_monotonic_ns();
    w->d.worker[0].started_ns = w->d.worker[0].heard_ns = w->d.worker[0].ping_ns = w->now_ns;
}

static void swallow(int fd)
{
    char bytes[65536];
    while (fd >= 0 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

/* A turn of main.c's loop, but for its waiting. A worker that is lost is not started again. */
static void turn(struct world *w)
{
    struct daemon *d = &w->d;
    struct pollfd fds[CONFIG_WORKERS_MAX];
    for (unsigned i = 0; i < TURNS; i++) {
        unsigned n = workers_poll(d, fds);
        host_poll(fds, n, 0);
        workers_ready(d, fds, n);
        d->worker[0].spawn_ns = HOST_FOREVER;
        vms_tick(d, w->now_ns);
        api_tick(d, w->now_ns);
        if (d->fleet.unsynced)
            (void)!fleet_sync(&d->fleet);
        api_run(d->api);
        swallow(w->worker);
        for (unsigned c = 0; c < CLIENTS; c++)
            swallow(w->client[c]);
    }
}

static void put(int fd, const void *bytes, size_t len)
{
    (void)!send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The first client is the operator, the others are VMs 1 and 2. */
static int client_of(struct world *w, unsigned i)
{
    int theirs;
    if (w->client[i] < 0) {
        w->client[i] = pair_with(&theirs);
        api_add(w->d.api, theirs, i);
    }
    return w->client[i];
}

/* A request in good form: the words of its path are chosen, the body is what is given. */
static void op_request(struct world *w, unsigned client, struct fuzz_in *in)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "PUT"};
    static const char *const paths[] = {"/v1/vms",
                                        "/v1/vms/1",
                                        "/v1/vms/vm-1",
                                        "/v1/vms/1/start",
                                        "/v1/vms/1/stop",
                                        "/v1/vms/1/kill",
                                        "/v1/vms/1/input",
                                        "/v1/vms/1/stats",
                                        "/v1/vms/1/wait?timeout_s=1",
                                        "/v1/vms/1/logs?offset=0&follow_s=1",
                                        "/v1/vms/1/console",
                                        "/v1/vms/1/snapshot",
                                        "/v1/snapshots",
                                        "/v1/snapshots/a",
                                        "/v1/snapshots/a/clone",
                                        "/v1/stats",
                                        "/v1/host",
                                        "/v1/vms/2/start",
                                        "/v1/vms/2?force=true",
                                        "/v1/vms?group=g"};
    char head[512];
    uint8_t how = fuzz_u8(in), path = fuzz_u8(in);
    size_t len = fuzz_u8(in), got;
    const uint8_t *body = fuzz_bytes(in, len, &got);
    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n",
             methods[how & 3], paths[path % ARRAY_LEN(paths)], got,
             how & 4 ? "Connection: Upgrade\r\nUpgrade: denali-console\r\n" : "");
    put(client_of(w, client), head, strlen(head));
    put(client_of(w, client), body, got);
}

static void op_bytes(struct world *w, unsigned client, struct fuzz_in *in)
{
    size_t got;
    const uint8_t *bytes = fuzz_bytes(in, fuzz_u8(in), &got);
    put(client_of(w, client), bytes, got);
}

static void op_worker(struct world *w, struct fuzz_in *in, bool framed)
{
    size_t got;
    const uint8_t *bytes = fuzz_bytes(in, fuzz_u8(in), &got);
    uint32_t head = (uint32_t)got;
    if (framed)
        put(w->worker, &head, sizeof(head));
    put(w->worker, bytes, got);
}

/* What a worker that does its work says: to the questions so far, and that VM 1 has ended. */
static void op_good_worker(struct world *w, uint8_t what)
{
    static const char *const says[] = {
        "{\"seq\":%llu}",
        "{\"seq\":%llu,\"vms\":[{\"vm\":1,\"run\":1}],\"failed\":[]}",
        "{\"event\":\"ended\",\"vm\":1,\"run\":%llu,\"reason\":\"exit\",\"status\":0}",
        "{\"seq\":%llu,\"error\":\"no\"}",
        "{\"seq\":%llu,\"bytes\":4096,\"disks\":[]}",
        "{\"seq\":%llu,\"used_bytes\":1,\"vms\":[]}"};
    char text[128];
    int n = snprintf(text, sizeof(text), says[what % ARRAY_LEN(says)],
                     (unsigned long long)w->d.worker[0].next_seq);
    uint32_t head = (uint32_t)n;
    put(w->worker, &head, sizeof(head));
    put(w->worker, text, (size_t)n);
}

static void step(struct world *w, struct fuzz_in *in)
{
    uint8_t op = fuzz_u8(in);
    unsigned client = (op >> 4) % CLIENTS;
    switch (op & 7) {
    case 0:
        op_bytes(w, client, in);
        break;
    case 1:
        op_worker(w, in, op & 8);
        break;
    case 2:
        if (w->client[client] >= 0)
            close(w->client[client]);
        w->client[client] = -1;
        break;
    case 3:
        w->now_ns += (uint64_t)fuzz_u8(in) << 28;
        break;
    case 4:
        op_good_worker(w, op >> 3);
        break;
    default:
        op_request(w, client, in);
    }
    turn(w);
}

static void world_end(struct world *w)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (w->client[i] >= 0)
            close(w->client[i]);
    turn(w);
    asks_fail(&w->d, &w->d.worker[0]);
    api_destroy(w->d.api);
    json_decref(w->d.worker[0].figures);
    fleet_close(&w->d.fleet);
    link_fini(&w->d.worker[0].link);
    close(w->worker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct world w; /* large */
    struct fuzz_in in = {data, len};
    world_make(&w);
    for (unsigned n = 0; in.left && n < STEPS; n++)
        step(&w, &in);
    world_end(&w);
    return 0;
}
