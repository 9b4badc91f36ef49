/* SPDX-License-Identifier: MIT */
/*
 * usage: pty [-s] KEYS COMMAND ARGS... Runs the command on a terminal of its own,
 * 80 by 24, and types the lines of the file KEYS: one when the screen has
 * been quiet for a while. "\e" is Escape, "\n" Enter, "\xHH" any byte; a line
 * is not followed by Enter of itself. -s: the command says nothing before it
 * is spoken to. Writes what the terminal showed; exits
 * with the command's status, or 99 if it does not end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define QUIET_MS 300
#define FIRST_MS 20000 /* a first start may take long */
#define END_MS 10000

static void die(const char *what)
{
    perror(what);
    exit(98);
}

static int open_terminal(char *name, size_t room)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    if (fd < 0 || grantpt(fd) || unlockpt(fd) || ioctl(fd, TIOCSWINSZ, &size)) {
        perror("SKIP: no terminals here");
        exit(77);
    }
    snprintf(name, room, "%s", ptsname(fd));
    return fd;
}

static pid_t start(const char *terminal, char **argv)
{
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid)
        return pid;
    setsid();
    int fd = open(terminal, O_RDWR);
    if (fd < 0)
        _exit(98);
    ioctl(fd, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++)
        dup2(fd, i);
    if (fd > 2)
        close(fd);
    execvp(argv[0], argv);
    _exit(98);
}

/* Copies output until it has been quiet for `quiet_ms`; -1 when the terminal is gone. */
static int drain(int fd, int first_ms)
{
    char buf[4096];
    for (int wait_ms = first_ms;; wait_ms = QUIET_MS) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, wait_ms) == 0)
            return 0;
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n <= 0)
            return -1;
        fwrite(buf, 1, (size_t)n, stdout);
    }
}

static size_t unescape(const char *from, char *to)
{
    size_t len = 0;
    unsigned byte;
    for (; *from && *from != '\n'; from++) {
        if (from[0] != '\\') {
            to[len++] = *from;
        } else if (from[1] == 'x' && sscanf(from + 2, "%2x", &byte) == 1) {
            to[len++] = (char)byte;
            from += 3;
        } else {
            from++;
            to[len++] = *from == 'e' ? '\033' : *from == 'n' ? '\r' : *from;
        }
    }
    return len;
}

static int status_of(pid_t pid)
{
    int status;
    for (int ms = 0; ms < END_MS; ms += 20) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        usleep(20000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return 99;
}

int main(int argc, char **argv)
{
    char name[64], line[1024], keys[1024];
    int silent = argc > 1 && !strcmp(argv[1], "-s");
    argv += silent;
    argc -= silent;
    if (argc < 3)
        die("usage: pty KEYS COMMAND ARGS...");
    FILE *script = fopen(argv[1], "r");
    if (!script)
        die(argv[1]);
    int fd = open_terminal(name, sizeof(name));
    pid_t pid = start(name, argv + 2);
    int open = drain(fd, silent ? QUIET_MS : FIRST_MS) == 0;
    while (open && fgets(line, sizeof(line), script)) {
        size_t len = unescape(line, keys);
        if (write(fd, keys, len) != (ssize_t)len)
            die("typing");
        open = drain(fd, QUIET_MS) == 0;
    }
    fclose(script);
    for (int ms = 0; open && ms < END_MS; ms += QUIET_MS)
        open = drain(fd, QUIET_MS) == 0;
    fflush(stdout);
    return status_of(pid);
}
