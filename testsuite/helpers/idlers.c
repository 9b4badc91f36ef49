/* SPDX-License-Identifier: MIT */
/*
 * usage: idlers ADDRESS PORT COUNT. Opens COUNT connections to a web server, makes
 * one request on each, says "COUNT idle" and waits for SIGUSR1; then makes one more
 * on each. Exits 0 if every one was answered both times.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what, int index)
{
    fprintf(stderr, "idlers: %s, connection %d: %s\n", what, index, strerror(errno));
    exit(1);
}

static void ask(int fd, int index)
{
    static const char request[] = "GET /k1 HTTP/1.1\r\nHost: idle\r\n\r\n";
    char answer[4096];
    size_t have = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1)
        die("send", index);
    for (;;) {
        ssize_t n = recv(fd, answer + have, sizeof answer - 1 - have, 0);
        if (n <= 0)
            die("receive", index);
        have += (size_t)n;
        answer[have] = 0;
        const char *body = strstr(answer, "\r\n\r\n");
        if (body && have >= (size_t)(body + 4 - answer) + 1000)
            break;
    }
    if (strncmp(answer, "HTTP/1.1 200", 12))
        die("status", index);
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct rlimit files = {8192, 8192};
    sigset_t set;
    int signal;
    if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((unsigned short)atoi(argv[2]));
    int count = atoi(argv[3]), *fd = calloc((size_t)count, sizeof *fd);
    if (!fd)
        return 2;
    setrlimit(RLIMIT_NOFILE, &files);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < count; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (fd[i] < 0 || connect(fd[i], (struct sockaddr *)&to, sizeof to))
            die("connect", i);
        ask(fd[i], i);
    }
    printf("%d idle\n", count);
    fflush(stdout);
    sigwait(&set, &signal);
    for (int i = 0; i < count; i++)
        ask(fd[i], i);
    return 0;
}
