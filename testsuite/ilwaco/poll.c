/* SPDX-License-Identifier: MIT */
/* Pipes, poll, select, epoll and the files that are events. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <signal.h>
#include <unistd.h>

static int in, out;

static void open_pipe(void)
{
    int fds[2];
    MUST(pipe(fds) == 0);
    in = fds[0];
    out = fds[1];
}

static void *write_later(void *p)
{
    usleep(20000);
    MUST(write(*(int *)p, "later", 5) == 5);
    return NULL;
}

static void pipes(void)
{
    char buf[100000] = {0};
    open_pipe();
    SHOW(write(out, "abc", 3));
    int waiting;
    SHOW(ioctl(in, FIONREAD, &waiting));
    SHOW(waiting);
    SHOW(read(in, buf, 2));
    SHOW(read(in, buf, 10));
    SHOW(lseek(in, 0, SEEK_SET));
    fcntl(in, F_SETFL, O_NONBLOCK);
    fcntl(out, F_SETFL, O_NONBLOCK);
    SHOW(read(in, buf, 1));
    SHOW(write(out, buf, sizeof buf));
    SHOW(write(out, buf, 1));
    SHOW(read(in, buf, sizeof buf));
    SHOW(write(in, buf, 1));
    SHOW(read(out, buf, 1));
    SHOW(close(out));
    SHOW(read(in, buf, 1));
    close(in);
    open_pipe();
    signal(SIGPIPE, SIG_IGN);
    close(in);
    SHOW(write(out, "x", 1));
    close(out);
    int fds[2];
    SHOW(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
    SHOW(fcntl(fds[0], F_GETFD));
    close(fds[0]);
    close(fds[1]);
}

static int poll_one(int fd, int events, int ms)
{
    struct pollfd p = {.fd = fd, .events = (short)events};
    int n = poll(&p, 1, ms);
    return n <= 0 ? n : p.revents;
}

static void polling(void)
{
    pthread_t t;
    char buf[100000];
    open_pipe();
    SHOW(poll_one(in, POLLIN, 0));
    SHOW(poll_one(out, POLLOUT, 0));
    SHOW(poll_one(in, POLLIN, 10));
    pthread_create(&t, NULL, write_later, &out);
    SHOW(poll_one(in, POLLIN, 5000));
    pthread_join(t, NULL);
    SHOW(read(in, buf, 10));
    SHOW(poll_one(999, POLLIN, 0));
    SHOW(poll_one(-1, POLLIN, 0));
    int file = open("/proc/self/exe", O_RDONLY);
    SHOW(poll_one(file, POLLIN | POLLOUT, 0));
    close(file);
    fcntl(out, F_SETFL, O_NONBLOCK);
    while (write(out, buf, sizeof buf) > 0)
        ;
    SHOW(poll_one(out, POLLOUT, 0));
    close(out);
    SHOW(poll_one(in, POLLIN, 0));
    close(in);
    open_pipe();
    close(in);
    SHOW(poll_one(out, POLLOUT, 0));
    close(out);
}

static void selecting(void)
{
    pthread_t t;
    char buf[10];
    open_pipe();
    fd_set r, w;
    struct timeval tv = {0, 10000};
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(in, &r);
    SHOW(select(in + 1, &r, NULL, NULL, &tv));
    SHOW(!!FD_ISSET(in, &r));
    FD_SET(in, &r);
    FD_SET(out, &w);
    SHOW(select(out + 1, &r, &w, NULL, NULL));
    SHOW(!!FD_ISSET(in, &r) * 10 + !!FD_ISSET(out, &w));
    pthread_create(&t, NULL, write_later, &out);
    FD_SET(in, &r);
    SHOW(select(in + 1, &r, NULL, NULL, NULL));
    pthread_join(t, NULL);
    SHOW(read(in, buf, 10));
    FD_ZERO(&r);
    FD_SET(63, &r);
    SHOW(select(64, &r, NULL, NULL, &(struct timeval){0, 0}));
    struct timespec ts = {0, 1000000};
    SHOW(pselect(0, NULL, NULL, NULL, &ts, NULL));
    close(in);
    close(out);
}

static void show_events(int ep, int ms)
{
    struct epoll_event events[8];
    int n = epoll_wait(ep, events, 8, ms);
    printf("epoll: %d:", n);
    for (int i = 0; i < n; i++)
        printf(" %x/%d", events[i].events, events[i].data.u32);
    printf("\n");
}

static void epolls(void)
{
    char buf[16];
    pthread_t t;
    int ep = epoll_create1(0);
    open_pipe();
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = 1};
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, in, &e));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, in, &e));
    SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, out, &e));
    show_events(ep, 0);
    MUST(write(out, "ab", 2) == 2);
    show_events(ep, 0);
    show_events(ep, 0);
    SHOW(read(in, buf, 16));
    show_events(ep, 0);
    e.events = EPOLLIN | EPOLLET;
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, in, &e));
    MUST(write(out, "ab", 2) == 2);
    show_events(ep, 0);
    show_events(ep, 0);
    MUST(write(out, "cd", 2) == 2);
    show_events(ep, 0);
    e.events = EPOLLIN | EPOLLONESHOT;
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, in, &e));
    show_events(ep, 0);
    show_events(ep, 0);
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, in, &e));
    show_events(ep, 0);
    SHOW(read(in, buf, 16));
    e.events = EPOLLIN;
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, in, &e));
    pthread_create(&t, NULL, write_later, &out);
    show_events(ep, 5000);
    pthread_join(t, NULL);
    SHOW(poll_one(ep, POLLIN, 0));
    int ev = eventfd(0, EFD_NONBLOCK);
    e.data.u32 = 2;
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e));
    close(in);
    show_events(ep, 0);
    eventfd_write(ev, 3);
    show_events(ep, 0);
    close(ev);
    show_events(ep, 0);
    int file = open("/proc/self/exe", O_RDONLY);
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e));
    SHOW(epoll_wait(ep, NULL, 0, 0));
    close(file);
    close(ep);
    close(out);
}

static void events(void)
{
    eventfd_t v;
    int ev = eventfd(5, EFD_NONBLOCK);
    SHOW(eventfd_read(ev, &v));
    SHOW(v);
    SHOW(eventfd_read(ev, &v));
    SHOW(eventfd_write(ev, ~0ull - 1));
    SHOW(eventfd_write(ev, 1));
    SHOW(poll_one(ev, POLLIN | POLLOUT, 0));
    close(ev);
    ev = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    SHOW(eventfd_read(ev, &v));
    SHOW(v);
    SHOW(eventfd_read(ev, &v));
    SHOW(eventfd_read(ev, &v));
    close(ev);
    int tfd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec spec = {.it_value = {0, 5000000}, .it_interval = {0, 5000000}};
    uint64_t n;
    SHOW(timerfd_settime(tfd, 0, &spec, NULL));
    SHOW(poll_one(tfd, POLLIN, 5000));
    usleep(20000);
    SHOW(read(tfd, &n, sizeof n));
    SHOW(n >= 3);
    spec = (struct itimerspec){0};
    SHOW(timerfd_settime(tfd, 0, &spec, NULL));
    SHOW(poll_one(tfd, POLLIN, 10));
    close(tfd);
}

static void *open_writer(void *p)
{
    int fd = open(p, O_WRONLY);
    MUST(fd >= 0 && write(fd, "through", 7) == 7);
    close(fd);
    return NULL;
}

static void fifos(const char *path)
{
    char buf[16] = {0};
    pthread_t t;
    SHOW(mkfifo(path, 0600));
    SHOW(open(path, O_WRONLY | O_NONBLOCK));
    pthread_create(&t, NULL, open_writer, (void *)path);
    int fd = open(path, O_RDONLY);
    SHOW(read(fd, buf, 16));
    printf("%s\n", buf);
    pthread_join(t, NULL);
    SHOW(read(fd, buf, 16));
    close(fd);
    SHOW(unlink(path));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pipes();
    polling();
    selecting();
    epolls();
    events();
    fifos(argc > 1 ? argv[1] : "/tmp/ilwaco-fifo");
    return 0;
}
