/* SPDX-License-Identifier: MIT */
/*
 * What the measured guest runs beside the distribution's programs; static, in the initramfs.
 *
 *   work time NAME COMMAND...   runs it; prints "BEGIN NAME", then "END NAME SECONDS STATUS HASH":
 *                               by the guest's clock, and a hash of what the command wrote
 *   work text KIB               text as compressors meet it, to stdout
 *   work syscalls N             getppid, N times
 *   work forks N                fork and wait, N times
 *   work switches N             a byte to another process and back, N times
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t hash_all(int fd)
{
    static unsigned char buffer[65536];
    uint64_t hash = 14695981039346656037u;
    ssize_t n;

    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        /* Every 61st byte: the hash is not what is measured. */
        for (ssize_t i = 0; i < n; i += 61)
            hash = (hash ^ buffer[i]) * 1099511628211u;
        hash = (hash ^ (uint64_t)n) * 1099511628211u;
    }
    return hash;
}

/* The output goes through a file, so that the hashing comes behind the command's end. */
static int run(char **argv, FILE *out)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        dup2(fileno(out), 1);
        execvp(argv[0], argv);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 255;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int time_command(char **argv)
{
    FILE *out = tmpfile();
    double start;
    int status;

    if (!argv[0] || !argv[1] || !out)
        return 2;
    printf("BEGIN %s\n", argv[0]);
    fflush(stdout);
    start = now();
    status = run(argv + 1, out);
    printf("END %s %.6f %d ", argv[0], now() - start, status);
    lseek(fileno(out), 0, SEEK_SET);
    printf("%016llx\n", (unsigned long long)hash_all(fileno(out)));
    return status;
}

static int write_text(unsigned long kib)
{
    static const char *const syllables[] = {"de", "na", "li", "ri", "ver", "mo", "un", "tain",
                                            "or", "th", "es", "k",  "a",   "in", "gl", "ow"};
    uint32_t x = 1;

    for (unsigned long done = 0; done < kib << 10;) {
        x = x * 1664525 + 1013904223;
        unsigned word = (x >> 8) % ((x >> 24) + 1) * 37;
        int n = x >> 29 ? printf("%s%s%s%c", syllables[word & 15], syllables[word >> 4 & 15],
                                 syllables[word >> 8 & 15], x >> 26 & 7 ? ' ' : '\n')
                        : printf("%u ", x >> 12 & 4095);
        if (n < 0)
            return 1;
        done += (unsigned long)n;
    }
    return 0;
}

static int call_system(unsigned long n)
{
    unsigned long sum = 0;

    for (unsigned long i = 0; i < n; i++)
        sum += (unsigned long)syscall(SYS_getppid) > 0;
    printf("%lu\n", sum);
    return 0;
}

static int fork_children(unsigned long n)
{
    unsigned long sum = 0;

    for (unsigned long i = 0; i < n; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0)
            _exit((int)(i & 63));
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 1;
        sum += (unsigned long)WEXITSTATUS(status);
    }
    printf("%lu\n", sum);
    return 0;
}

/* What comes in goes out, incremented, until the other end closes. */
static int echo(int in, int out)
{
    uint8_t byte;

    while (read(in, &byte, 1) == 1) {
        byte++;
        if (write(out, &byte, 1) != 1)
            return 1;
    }
    return 0;
}

static int switch_processes(unsigned long n)
{
    int there[2], back[2];
    uint8_t byte = 0;
    pid_t child;

    if (pipe(there) || pipe(back) || (child = fork()) < 0)
        return 1;
    if (child == 0) {
        close(there[1]);
        _exit(echo(there[0], back[1]));
    }
    for (unsigned long i = 0; i < n; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            return 1;
    close(there[1]);
    printf("%u\n", byte);
    return waitpid(child, NULL, 0) == child ? 0 : 1;
}

int main(int argc, char **argv)
{
    unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

    if (argc < 3)
        return 2;
    if (!strcmp(argv[1], "time"))
        return time_command(argv + 2);
    if (!strcmp(argv[1], "text"))
        return write_text(n);
    if (!strcmp(argv[1], "syscalls"))
        return call_system(n);
    if (!strcmp(argv[1], "switches"))
        return switch_processes(n);
    return strcmp(argv[1], "forks") ? 2 : fork_children(n);
}
