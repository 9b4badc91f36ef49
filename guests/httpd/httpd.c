/* SPDX-License-Identifier: MIT */
/*
 * The event loop and its connections.
 *
 * A connection owns memory only for what is unfinished: the rest of a request that
 * has not come whole, the rest of a response that was not taken. An idle one is
 * its struct alone. Buffers for reading and writing are the loop's.
 *
 * A machine with this server in it is cloned by the thousand, and each clone has
 * pages of its own for what it writes. So all that an ordinary request needs lies at
 * the start of struct server, which is the first thing on the heap and so beside what
 * the C library writes: a page in all, and one of the stack. malloc's own books,
 * which would be a third, are not touched.
 *
 * Each connection is on one list by what it waits for; a list is in the order of
 * time, so the first of each is the next to run out of it. Connections that end are
 * freed when the round of events is over, because later events may name them.
 */
#include "guests/httpd/httpd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 16 /* a turn; on the stack, of which the server uses a page in all */
#define ACCEPTS 64
#define IN_ROOM 16384
#define IN_SMALL 512 /* most requests */
#define SPARE_CONNS 2
#define TURN_BYTES (1 << 20) /* of one file, before others get their turn */
#define WARM_FILES 64        /* looked at */
#define WARM_BYTES (256 << 10)
#define LINGER_BYTES 65536 /* read and dropped after an error, so that the answer arrives */

enum waits { WAITS_REQUEST, WAITS_HEAD, WAITS_READER, WAITS_DROP, WAITS };

static const int limits_s[WAITS] = {60, 20, 60, 2};

struct link {
    struct link *next, *prev;
};

struct conn {
    struct link link; /* on the list of what it waits for; first, see conn_of() */
    int fd;
    enum waits waits;
    time_t since;
    bool writing; /* epoll watches for room */
    bool dead;
    struct conn *free; /* the next among the dead, or the spare */
    char *in;          /* of a request that is not whole */
    size_t in_len;
    uint64_t skip; /* of a body, to be dropped */
    char *rest;    /* of a response: at rest + rest_at */
    size_t rest_at, rest_len;
    struct response response;
};

struct server {
    struct site site;
    int listener, epoll;
    bool full; /* the listener is not watched: no descriptors left */
    struct link list[WAITS];
    struct conn *dead, *spare;
    struct conn conns[SPARE_CONNS]; /* of the spare ones */
    time_t now;
    char small[IN_SMALL];
    struct out out;
    char in[IN_ROOM];
};

/* ---- lists ---- */

static struct conn *conn_of(struct link *link)
{
    return (struct conn *)link;
}

static void conn_unlist(struct conn *c)
{
    c->link.prev->next = c->link.next;
    c->link.next->prev = c->link.prev;
}

static void conn_wait(struct server *s, struct conn *c, enum waits waits)
{
    struct link *head = &s->list[waits];
    conn_unlist(c);
    c->waits = waits;
    c->since = s->now;
    c->link = (struct link){head, head->prev};
    head->prev->next = &c->link;
    head->prev = &c->link;
}

/* ---- connections ---- */

static void watch(struct server *s, int op, struct conn *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(s->epoll, op, c ? c->fd : s->listener, &event);
}

static void conn_end(struct server *s, struct conn *c)
{
    if (c->dead)
        return;
    close(c->fd);
    if (c->response.file >= 0)
        close(c->response.file);
    free(c->response.page);
    free(c->in);
    free(c->rest);
    conn_unlist(c);
    c->dead = true;
    c->free = s->dead;
    s->dead = c;
    if (s->full) {
        s->full = false;
        watch(s, EPOLL_CTL_ADD, NULL, EPOLLIN);
    }
}

static struct conn *conn_alloc(struct server *s)
{
    struct conn *c = s->spare;
    if (c)
        s->spare = c->free;
    else
        c = malloc(sizeof *c);
    if (c)
        *c = (struct conn){.link = {&c->link, &c->link}};
    return c;
}

static void conn_free(struct server *s, struct conn *c)
{
    if (c >= s->conns && c < s->conns + SPARE_CONNS) {
        c->free = s->spare;
        s->spare = c;
    } else {
        free(c);
    }
}

static void conn_create(struct server *s, int fd)
{
    int on = 1;
    struct conn *c = conn_alloc(s);
    if (!c) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->fd = fd;
    c->response.file = -1;
    conn_wait(s, c, WAITS_REQUEST);
    watch(s, EPOLL_CTL_ADD, c, EPOLLIN | EPOLLRDHUP);
}

/* ---- writing ---- */

/* Keeps what the socket did not take; false: no memory. */
static bool rest_keep(struct conn *c, const char *bytes, size_t len)
{
    c->rest = malloc(len);
    if (!c->rest)
        return false;
    memcpy(c->rest, bytes, len);
    c->rest_at = 0;
    c->rest_len = len;
    return true;
}

/* Bytes taken, 0: no room now, -1: the peer is gone. */
static ssize_t send_some(struct conn *c, const char *bytes, size_t len, bool more)
{
    ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static bool body_waits(const struct conn *c)
{
    return c->response.file >= 0 || c->response.page;
}

/* Sends what the loop's buffer holds. false: the connection is over. */
static bool out_flush(struct server *s, struct conn *c)
{
    size_t at = 0;
    while (at < s->out.len) {
        ssize_t n = send_some(c, s->out.bytes + at, s->out.len - at, body_waits(c));
        if (n < 0)
            return false;
        if (!n)
            break;
        at += (size_t)n;
    }
    bool good = at == s->out.len || rest_keep(c, s->out.bytes + at, s->out.len - at);
    s->out.len = 0;
    return good;
}

static void file_done(struct conn *c)
{
    close(c->response.file);
    c->response.file = -1;
}

/* The next part of the file: as send_some; a file that ended early is an end as well. */
static ssize_t file_some(struct conn *c)
{
    struct response *r = &c->response;
    size_t part = r->left < TURN_BYTES ? (size_t)r->left : TURN_BYTES;
    ssize_t n = sendfile(c->fd, r->file, &r->at, part);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    r->left -= (uint64_t)n;
    if (!r->left)
        file_done(c);
    return n ? n : -1;
}

/* Sends what waits: > 0 all is out, 0 later, -1 the connection is over. */
static int conn_flush(struct server *s, struct conn *c)
{
    size_t turn = 0;
    while (c->rest || body_waits(c)) {
        ssize_t n;
        if (c->rest) {
            n = send_some(c, c->rest + c->rest_at, c->rest_len - c->rest_at, body_waits(c));
            c->rest_at += n > 0 ? (size_t)n : 0;
            if (c->rest_at == c->rest_len) {
                free(c->rest);
                c->rest = NULL;
            }
        } else if (c->response.page) {
            c->rest = c->response.page;
            c->rest_at = 0;
            c->rest_len = c->response.page_len;
            c->response.page = NULL;
            continue;
        } else {
            n = file_some(c);
        }
        if (n < 0)
            return -1;
        if (n > 0)
            conn_wait(s, c, WAITS_READER);
        turn += n > 0 ? (size_t)n : 0;
        if (!n || turn >= TURN_BYTES)
            return !c->rest && !body_waits(c);
    }
    return 1;
}

/* ---- requests ---- */

static void answer_error(struct server *s, struct conn *c, int status)
{
    respond_error(status, &s->out, &c->response);
}

/* Answers what of [*in, *in + *len) is whole. Stops where a response must go out first. */
static void requests_answer(struct server *s, struct conn *c, const char **in, size_t *len)
{
    struct request request;
    while (*len && !c->response.close && !body_waits(c) &&
           s->out.len + OUT_RESERVE <= sizeof s->out.bytes) {
        if (c->skip) {
            size_t n = c->skip < *len ? (size_t)c->skip : *len;
            c->skip -= n;
            *in += n;
            *len -= n;
            continue;
        }
        int n = request_parse(&request, *in, *len);
        if (!n)
            return;
        if (n < 0) {
            answer_error(s, c, -n);
            return;
        }
        respond(&s->site, &request, &s->out, &c->response);
        c->skip = request.body;
        *in += n;
        *len -= (size_t)n;
    }
}

/* Keeps the unfinished part of the input. false: no memory. */
static bool input_keep(struct conn *c, const char *in, size_t len)
{
    char *old = c->in;
    c->in = NULL;
    c->in_len = 0;
    if (len) {
        c->in = malloc(len);
        if (c->in) {
            memcpy(c->in, in, len);
            c->in_len = len;
        }
    }
    free(old);
    return !len || c->in;
}

/* The connection closes once its answer has been read: a reset would destroy it on the way. */
static void conn_linger(struct server *s, struct conn *c)
{
    shutdown(c->fd, SHUT_WR);
    input_keep(c, NULL, 0);
    c->skip = LINGER_BYTES;
    conn_wait(s, c, WAITS_DROP);
}

static void conn_drop_input(struct server *s, struct conn *c)
{
    ssize_t n = recv(c->fd, s->in, sizeof s->in, 0);
    if (n > 0 && (uint64_t)n < c->skip)
        c->skip -= (uint64_t)n;
    else if (n >= 0 || errno != EAGAIN)
        conn_end(s, c);
}

/* After something was sent or read: what the connection waits for now. */
static void conn_settle(struct server *s, struct conn *c, int flushed)
{
    bool writing = flushed == 0;
    if (writing != c->writing) {
        c->writing = writing;
        watch(s, EPOLL_CTL_MOD, c, writing ? EPOLLOUT : EPOLLIN | EPOLLRDHUP);
    }
    if (flushed && c->response.close)
        conn_linger(s, c);
    else if (!writing && c->in_len && c->waits != WAITS_HEAD)
        conn_wait(s, c, WAITS_HEAD);
    else if (!writing && !c->in_len)
        conn_wait(s, c, WAITS_REQUEST);
    else if (writing && c->waits != WAITS_READER)
        conn_wait(s, c, WAITS_READER);
}

/* Answers the input, sends, and goes on while both make progress. */
static void conn_work(struct server *s, struct conn *c, const char *in, size_t len)
{
    int flushed;
    for (;;) {
        const char *before = in;
        requests_answer(s, c, &in, &len);
        if (!out_flush(s, c)) {
            conn_end(s, c);
            return;
        }
        flushed = conn_flush(s, c);
        if (flushed < 0) {
            conn_end(s, c);
            return;
        }
        if (!flushed || !len || in == before || c->response.close)
            break;
    }
    if (!input_keep(c, in, len))
        conn_end(s, c);
    else
        conn_settle(s, c, flushed);
}

static void conn_readable(struct server *s, struct conn *c)
{
    bool small = !c->in_len;
    char *in = small ? s->small : s->in;
    size_t have = c->in_len, room = small ? sizeof s->small : sizeof s->in;
    if (have)
        memcpy(in, c->in, have);
    ssize_t n = recv(c->fd, in + have, room - have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_end(s, c);
        return;
    }
    have += (size_t)n;
    if (small && have == room) { /* there may be more */
        in = memcpy(s->in, in, have);
        n = recv(c->fd, in + have, sizeof s->in - have, 0);
        have += n > 0 ? (size_t)n : 0; /* an end or an error will be there again */
    }
    conn_work(s, c, in, have);
}

static void conn_writable(struct server *s, struct conn *c)
{
    int flushed = conn_flush(s, c);
    if (flushed < 0) {
        conn_end(s, c);
        return;
    }
    if (!flushed)
        return;
    /* Pipelined requests may wait behind the response. */
    size_t have = c->in_len;
    if (have)
        memcpy(s->in, c->in, have);
    conn_work(s, c, s->in, have);
}

static void conn_event(struct server *s, struct conn *c, uint32_t events)
{
    if (c->dead)
        return;
    if (events & (EPOLLERR | EPOLLHUP))
        conn_end(s, c);
    else if (c->waits == WAITS_DROP)
        conn_drop_input(s, c);
    else if (events & EPOLLOUT)
        conn_writable(s, c);
    else
        conn_readable(s, c);
}

/* ---- the loop ---- */

/* No descriptor is left: the connection that idles longest gives its own. */
static bool make_room(struct server *s)
{
    struct link *oldest = s->list[WAITS_REQUEST].next;
    if (oldest == &s->list[WAITS_REQUEST]) {
        s->full = true;
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listener, NULL);
        return false;
    }
    conn_end(s, conn_of(oldest));
    return true;
}

static void accept_some(struct server *s)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            conn_create(s, fd);
        else if ((errno != EMFILE && errno != ENFILE) || !make_room(s))
            return;
    }
}

/* Ends what waited too long; milliseconds until the next one will have. */
static int time_check(struct server *s)
{
    int next = -1;
    for (int w = 0; w < WAITS; w++) {
        struct link *head = &s->list[w];
        struct conn *c;
        while ((c = conn_of(head->next)) != conn_of(head) && s->now - c->since >= limits_s[w]) {
            if (w == WAITS_HEAD) {
                answer_error(s, c, 408);
                out_flush(s, c);
            }
            conn_end(s, c);
        }
        int left = c != conn_of(head) ? (int)(limits_s[w] - (s->now - c->since)) * 1000 : -1;
        if (left >= 0 && (next < 0 || left < next))
            next = left;
    }
    return next;
}

static void bury_dead(struct server *s)
{
    while (s->dead) {
        struct conn *c = s->dead;
        s->dead = c->free;
        conn_free(s, c);
    }
}

static time_t clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static int serve(struct server *s)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        s->now = clock_s();
        int n = epoll_wait(s->epoll, events, EVENTS, time_check(s));
        if (n < 0 && errno != EINTR) {
            perror("httpd: epoll_wait");
            return 1;
        }
        s->now = clock_s();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                conn_event(s, events[i].data.ptr, events[i].events);
            else
                accept_some(s);
        }
        bury_dead(s);
    }
}

/* ---- start ---- */

static int listen_on(const char *address, unsigned long port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, address, &in.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(fd, (struct sockaddr *)&in, sizeof in) || listen(fd, 1024))
        return -1;
    return fd;
}

/*
 * Reads the folder's small files once: the machine has them in memory from then on, and where it is
 * cloned, its clones have them there together.
 */
static void files_warm(struct server *s)
{
    size_t left = WARM_BYTES;
    int dir = openat(s->site.root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = dir >= 0 ? fdopendir(dir) : NULL;
    struct dirent *entry;
    for (int i = 0; list && i < WARM_FILES && (entry = readdir(list)); i++) {
        struct stat st;
        int file = openat(s->site.root, entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (file >= 0 && !fstat(file, &st) && S_ISREG(st.st_mode) && (size_t)st.st_size <= left) {
            left -= (size_t)st.st_size;
            while (read(file, s->in, sizeof s->in) > 0)
                ;
        }
        if (file >= 0)
            close(file);
    }
    if (list)
        closedir(list);
    else if (dir >= 0)
        close(dir);
}

static void files_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int usage(void)
{
    fputs("usage: httpd [-p PORT] [-a ADDRESS] [-nv] [DIR]\n"
          "Serves the files of DIR (/) on PORT (80). -v prints each target, -n names this host\n"
          "in every answer (X-Served-By).\n",
          stderr);
    return 2;
}

static bool start(struct server *s, const char *address, unsigned long port, const char *dir)
{
    for (int w = 0; w < WAITS; w++)
        s->list[w].next = s->list[w].prev = &s->list[w];
    for (int i = 0; i < SPARE_CONNS; i++) {
        s->conns[i].free = s->spare;
        s->spare = &s->conns[i];
    }
    s->site.root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->site.root < 0) {
        fprintf(stderr, "httpd: %s: %s\n", dir, strerror(errno));
        return false;
    }
    s->listener = listen_on(address, port);
    if (s->listener < 0) {
        fprintf(stderr, "httpd: %s:%lu: %s\n", address, port, strerror(errno));
        return false;
    }
    files_warm(s);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(s, EPOLL_CTL_ADD, NULL, EPOLLIN);
    return s->epoll >= 0;
}

int main(int argc, char **argv)
{
    const char *address = "0.0.0.0", *dir = "/";
    unsigned long port = 80;
    struct server *server = calloc(1, sizeof *server); /* before anything else is on the heap */
    if (!server)
        return 1;
    for (int opt; (opt = getopt(argc, argv, "p:a:nv")) != -1;) {
        char *end = NULL;
        if (opt == 'p')
            port = strtoul(optarg, &end, 10);
        else if (opt == 'a')
            address = optarg;
        else if (opt == 'n')
            head_names_host(true);
        else if (opt == 'v')
            server->site.verbose = true;
        else
            return usage();
        if (end && (*end || port < 1 || port > 65535))
            return usage();
    }
    if (argc - optind > 1)
        return usage();
    if (optind < argc)
        dir = argv[optind];
    signal(SIGPIPE, SIG_IGN);
    files_raise();
    if (!start(server, address, port, dir))
        return 1;
    fprintf(stderr, "httpd: serving %s on port %lu\n", dir, port);
    return serve(server);
}
