/* SPDX-License-Identifier: MIT */
/*
 * A VM that makes VMs. It has the capability when its host gave it one
 * (denali create --supervisor): then $DENALI_API is an address on its LAN where
 * the host's API (docs/HOST.md) answers this VM, and nobody else.
 *
 *     supervisor METHOD PATH [BODY]    one request; prints the answer
 *     supervisor demo SNAPSHOT COUNT   clones, asks each clone for its page, ends it
 *
 * Exits 0; 1: the host refused; 2: there is no API; 3: a clone did not answer.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX (1 << 20)
#define PATIENCE_S 20

static void complain(const char *what)
{
    fprintf(stderr, "supervisor: %s\n", what);
}

static int connect_to(const char *ip)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (inet_pton(AF_INET, ip, &to.sin_addr) == 1 &&
        connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The whole answer in `out`, ended by a 0; its HTTP status, or -1. */
static int ask(const char *ip, const char *method, const char *path, const char *body, char *out)
{
    char head[512];
    int fd = connect_to(ip), status = -1;
    size_t len = 0, n = strlen(body);
    ssize_t got = 0;
    if (fd < 0)
        return -1;
    int head_len = snprintf(head, sizeof(head),
                            "%s %s HTTP/1.1\r\nHost: denali\r\nConnection: close\r\n"
                            "Content-Length: %zu\r\n\r\n",
                            method, path, n);
    if (write(fd, head, head_len) == head_len && write(fd, body, n) == (ssize_t)n) {
        while (len < ANSWER_MAX && (got = read(fd, out + len, ANSWER_MAX - len)) > 0)
            len += (size_t)got;
    }
    close(fd);
    out[len] = 0;
    if (sscanf(out, "HTTP/1.%*d %d", &status) != 1)
        return -1;
    return status;
}

static const char *body_of(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    return body ? body + 4 : answer;
}

static const char *api(void)
{
    const char *ip = getenv("DENALI_API");
    if (!ip)
        complain("this VM has no capability: no DENALI_API");
    return ip;
}

static int request(const char *method, const char *path, const char *body, char *answer)
{
    const char *ip = api();
    int status = ip ? ask(ip, method, path, body, answer) : -1;
    if (status < 0) {
        if (ip)
            complain("the API does not answer");
        return 2;
    }
    return status >= 200 && status < 300 ? 0 : 1;
}

/* The next string member `name` of the text: copied; where it ends, or NULL. */
static const char *next_member(const char *text, const char *name, char *out, size_t room)
{
    char key[32];
    snprintf(key, sizeof(key), "\"%s\":\"", name);
    const char *at = strstr(text, key);
    if (!at)
        return NULL;
    at += strlen(key);
    size_t len = strcspn(at, "\"");
    snprintf(out, room, "%.*s", (int)len, at);
    return at + len;
}

static int check_clone(const char *ip, char *answer)
{
    return ask(ip, "GET", "/index.html", "", answer) == 200 ? 0 : 3;
}

static int end_clone(const char *name, char *answer)
{
    char path[128];
    snprintf(path, sizeof(path), "/v1/vms/%s/stop", name);
    int err = request("POST", path, "{\"grace_s\":2}", answer);
    snprintf(path, sizeof(path), "/v1/vms/%s", name);
    return err ? err : request("DELETE", path, "", answer);
}

static int demo(const char *snapshot, const char *count, char *answer)
{
    char path[128], body[128], name[64], ip[16];
    char *one = malloc(ANSWER_MAX + 1);
    int answered = 0, ended = 0;
    snprintf(path, sizeof(path), "/v1/snapshots/%s/clone", snapshot);
    snprintf(body, sizeof(body), "{\"count\":%d,\"name\":\"made\"}", atoi(count));
    int err = one ? request("POST", path, body, answer) : 2;
    if (err)
        fputs(body_of(answer), stdout);
    const char *at = strstr(answer, "\"vms\":");
    while (!err && at && (at = next_member(at, "name", name, sizeof(name))) &&
           (at = next_member(at, "ip", ip, sizeof(ip)))) {
        answered += check_clone(ip, one) == 0;
        ended += end_clone(name, one) == 0;
    }
    if (!err)
        printf("%d clones answered, %d ended\n", answered, ended);
    free(one);
    return err ? err : answered == atoi(count) && ended == answered ? 0 : 3;
}

int main(int argc, char **argv)
{
    char *answer = calloc(1, ANSWER_MAX + 1);
    if (!answer)
        return 2;
    if (argc == 4 && !strcmp(argv[1], "demo"))
        return demo(argv[2], argv[3], answer);
    if (argc < 3) {
        complain("say METHOD PATH [BODY], or demo SNAPSHOT COUNT");
        return 2;
    }
    int err = request(argv[1], argv[2], argc > 3 ? argv[3] : "", answer);
    fputs(body_of(answer), stdout);
    return err;
}
