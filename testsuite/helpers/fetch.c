/* SPDX-License-Identifier: MIT */
/*
 * usage: fetch PORT PATH SECONDS. Gets http://127.0.0.1:PORT/PATH, trying for
 * SECONDS until somebody answers. Prints the request's lines after "> ", the
 * answer's after "< ", and, last, how long the tries and the answer took.
 * Exits 0 if the answer is a complete one of status 200.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 65536

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int connect_to(unsigned port, double until)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = (long)(until - now()) + 1};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* One try: the bytes of the answer, 0 if nobody answered. */
static size_t ask(unsigned port, const char *request, double until, char *answer)
{
    size_t len = 0;
    int fd = connect_to(port, until);
    if (fd < 0)
        return 0;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request)) {
        ssize_t n;
        while ((n = recv(fd, answer + len, ANSWER_MAX - len, 0)) > 0)
            len += (size_t)n;
    }
    close(fd);
    return len;
}

static void print_lines(const char *mark, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\r\n");
        printf("%s%.*s\n", mark, (int)len, text);
        text += len;
        text += *text == '\r';
        text += *text == '\n';
    }
}

static int is_whole(const char *answer, size_t len)
{
    const char *length = strstr(answer, "Content-Length: "), *body = strstr(answer, "\r\n\r\n");
    return !strncmp(answer, "HTTP/1.1 200 ", 13) && length && body && length < body &&
           (size_t)(body + 4 - answer) + (size_t)atol(length + 16) == len;
}

int main(int argc, char **argv)
{
    static char answer[ANSWER_MAX + 1];
    char request[1024];
    if (argc != 4) {
        fprintf(stderr, "usage: fetch PORT PATH SECONDS\n");
        return 2;
    }
    double start = now(), until = start + atof(argv[3]), asked = start;
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n", argv[2],
             argv[1]);
    size_t len = 0;
    while (!len && (asked = now()) < until) {
        len = ask((unsigned)atoi(argv[1]), request, until, answer);
        if (!len)
            usleep(1000);
    }
    if (!len) {
        fprintf(stderr, "fetch: no answer on port %s\n", argv[1]);
        return 1;
    }
    double end = now();
    print_lines("> ", request);
    print_lines("< ", answer);
    printf("%.1f ms from the first try, %.1f ms for the answer\n", (end - start) * 1e3,
           (end - asked) * 1e3);
    return is_whole(answer, len) ? 0 : 1;
}
