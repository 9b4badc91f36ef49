/* SPDX-License-Identifier: MIT */
/* The processes are this program's children, and are ended with it. The client is one thread with
 * poll. */
#include "emu/cli/bench/bench_peers.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_NS 10000000000u
#define CONNECTIONS 64u
#define BUFFER 262144u

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that nobody has at the moment; 0: none. */
static uint16_t free_port(void)
{
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof(at)) &&
              !getsockname(fd, (struct sockaddr *)&at, &len);
    if (fd >= 0)
        close(fd);
    return ok ? ntohs(at.sin_port) : 0;
}

/* Processes. */

static pid_t start_process(char *const *argv)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    host_signals_reset();
    execv(argv[0], argv);
    _exit(127);
}

static void end_process(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    for (unsigned i = 0; i < 100; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return;
        host_poll(NULL, 0, 10000000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool can_connect(uint16_t port)
{
    struct sockaddr_in at = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && !connect(fd, (struct sockaddr *)&at, sizeof(at));
    if (fd >= 0)
        close(fd);
    return ok;
}

static int wait_ready(pid_t pid, uint16_t port, const char *which, struct why *why)
{
    uint64_t end = host_monotonic_ns() + READY_NS;
    while (host_monotonic_ns() < end) {
        if (can_connect(port))
            return 0;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            break;
        host_poll(NULL, 0, 10000000);
    }
    return why_fail(why, -EIO, "the web server %s did not start", which);
}

static int make_file(const char *folder, uint32_t size, struct why *why)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/%u", folder, size);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && !ftruncate(fd, size);
    if (fd >= 0)
        close(fd);
    return ok ? 0 : why_fail(why, -EIO, "cannot write %s", path);
}

static int start_native(struct bench_peers *p, char *httpd, struct why *why)
{
    char port[8];
    snprintf(port, sizeof(port), "%u", p->native_port);
    char address[] = "127.0.0.1", a[] = "-a", n[] = "-n", o[] = "-p";
    char *const argv[] = {httpd, a, address, n, o, port, p->folder, NULL};
    p->native = start_process(argv);
    return p->native > 0 ? wait_ready(p->native, p->native_port, "of the host", why)
                         : why_fail(why, -errno, "cannot start a process");
}

static int start_vm(struct bench_peers *p, char *httpd, struct why *why)
{
    char self[4096], publish[24];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len < 0)
        return why_fail(why, -errno, "cannot find this program");
    self[len] = 0;
    snprintf(publish, sizeof(publish), "%u:80", p->vm_port);
    char run[] = "run", o[] = "-p", root[] = "--root", n[] = "-n", top[] = "/";
    char *const argv[] = {self, run, o, publish, root, p->folder, httpd, n, top, NULL};
    p->vm = start_process(argv);
    return p->vm > 0 ? wait_ready(p->vm, p->vm_port, "in the VM", why)
                     : why_fail(why, -errno, "cannot start a process");
}

int bench_peers_init(struct bench_peers *p, const char *httpd, const uint32_t *sizes,
                     struct why *why)
{
    *p = (struct bench_peers){.native_port = free_port(), .vm_port = free_port()};
    strcpy(p->folder, "/tmp/denali-bench-XXXXXX");
    if (!mkdtemp(p->folder)) {
        p->folder[0] = 0;
        return why_fail(why, -errno, "cannot make a folder in /tmp: %s", strerror(errno));
    }
    int err = 0;
    for (; *sizes && !err; sizes++)
        err = make_file(p->folder, *sizes, why);
    char *program = (char *)(uintptr_t)httpd; /* execv only reads it */
    if (!err)
        err = start_native(p, program, why);
    return err ? err : start_vm(p, program, why);
}

void bench_peers_fini(struct bench_peers *p)
{
    end_process(p->vm);
    end_process(p->native);
    if (!p->folder[0])
        return;
    char command[96];
    snprintf(command, sizeof(command), "rm -rf '%s'", p->folder);
    if (system(command))
        fprintf(stderr, "denali: %s is left\n", p->folder);
}

/* The client. */

struct fetch {
    int fd;
    uint64_t left; /* bytes of the answer still to come; UINT64_MAX: its head is not whole */
    size_t head;   /* bytes of the head so far */
    char text[2048];
};

static int open_fetch(struct fetch *f, uint16_t port)
{
    struct sockaddr_in at = loopback(port);
    int one = 1;
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->fd < 0 || connect(f->fd, (struct sockaddr *)&at, sizeof(at)))
        return -errno;
    setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return 0;
}

static bool ask(struct fetch *f, uint32_t size)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "GET /%u HTTP/1.1\r\nHost: bench\r\n\r\n", size);
    f->left = UINT64_MAX;
    f->head = 0;
    return send(f->fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Bytes of a head; false: it is no good answer. */
static bool take_head(struct fetch *f, const char *data, size_t len, uint32_t size)
{
    size_t room = sizeof(f->text) - 1 - f->head, take = len < room ? len : room;
    memcpy(f->text + f->head, data, take);
    f->head += take;
    f->text[f->head] = 0;
    const char *end = strstr(f->text, "\r\n\r\n");
    if (!end)
        return take == len && f->head < sizeof(f->text) - 1;
    size_t head = (size_t)(end + 4 - f->text), before = f->head - take;
    uint64_t whole = head + (uint64_t)size, have = before + len;
    f->left = whole >= have ? whole - have : 0;
    return !strncmp(f->text, "HTTP/1.1 200 ", 13) && whole >= have;
}

/* False: the connection is of no more use. */
static bool take(struct fetch *f, char *buffer, uint32_t size, struct bench_fetches *out)
{
    ssize_t n = recv(f->fd, buffer, BUFFER, 0);
    if (n <= 0)
        return false;
    out->bytes += (uint64_t)n;
    if (f->left == UINT64_MAX) {
        if (!take_head(f, buffer, (size_t)n, size))
            return false;
    } else {
        if ((uint64_t)n > f->left)
            return false;
        f->left -= (uint64_t)n;
    }
    if (f->left)
        return true;
    out->answers++;
    return ask(f, size);
}

static void load(struct fetch *fetch, unsigned count, uint32_t size, uint64_t end_ns, char *buffer,
                 struct bench_fetches *out)
{
    struct pollfd fds[CONNECTIONS];
    unsigned good = count;
    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = fetch[i].fd, .events = POLLIN};
    while (good && host_monotonic_ns() < end_ns) {
        if (poll(fds, count, 100) <= 0)
            continue;
        for (unsigned i = 0; i < count; i++)
            if (fds[i].revents && !take(&fetch[i], buffer, size, out)) {
                fds[i].fd = -1;
                out->errors++;
                good--;
            }
    }
}

int bench_peers_load(uint16_t port, uint32_t size, unsigned connections, double seconds,
                     struct bench_fetches *out, struct why *why)
{
    static const struct fetch closed = {.fd = -1};
    struct fetch fetch[CONNECTIONS];
    char *buffer = malloc(BUFFER);
    int err = buffer ? 0 : -ENOMEM;
    *out = (struct bench_fetches){0};
    connections = connections < CONNECTIONS ? connections : CONNECTIONS;
    for (unsigned i = 0; i < connections; i++)
        fetch[i] = closed;
    for (unsigned i = 0; i < connections && !err; i++)
        err = open_fetch(&fetch[i], port);
    for (unsigned i = 0; i < connections && !err; i++)
        err = ask(&fetch[i], size) ? 0 : -EIO;
    uint64_t start = host_monotonic_ns();
    if (!err)
        load(fetch, connections, size, start + (uint64_t)(seconds * 1e9), buffer, out);
    out->seconds = (double)(host_monotonic_ns() - start) / 1e9;
    for (unsigned i = 0; i < connections; i++)
        if (fetch[i].fd >= 0)
            close(fetch[i].fd);
    free(buffer);
    return err ? why_fail(why, err, "cannot reach the web server: %s", strerror(-err)) : 0;
}
