/* SPDX-License-Identifier: MIT */
/*
 * What the debugger costs: processor time of programs under denali run with
 * gdb's port open, with a client that has set a breakpoint or a watchpoint
 * which is never hit, against a plain run. In turns, several rounds; medians.
 *
 *   debug_cost --denali FILE [--plain FILE] [--rounds N] [--json FILE] PROGRAM...
 *
 * --plain: another denali for the plain runs, to see what having a debugger in
 * the program costs those who do not use it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ROUNDS = 15, MAX_PROGRAMS = 16 };

/* Behind a Linux program's first stack frames, in their page: written before it begins, and never
 * after. And a page that no program here has mapped. */
#define HOT_WORD "bffffff8"
#define COLD_WORD "70000000"

#define RECORDING "bench/recording.tmp"

static const struct arm {
    const char *name, *packet; /* NULL: nobody attaches */
    bool plain, past;
    double limit;          /* 0: none */
    const char *option[2]; /* of a run without a debugger */
} arms[] = {
    {"plain", NULL, true, false, 0, {NULL}},
    {"port open", NULL, false, false, 0, {NULL}},
    {"breakpoint elsewhere", "Z0," COLD_WORD ",1", false, false, 1.05, {NULL}},
    {"watchpoint elsewhere", "Z2," COLD_WORD ",4", false, false, 3, {NULL}},
    {"watchpoint in a hot page", "Z2," HOT_WORD ",4", false, false, 3, {NULL}},
    {"with its past", "", false, true, 0, {NULL}},
    {"counting", NULL, true, false, 1.25, {"--deterministic"}},
    {"recording", NULL, true, false, 1.15, {"--record", RECORDING}},
    {"coverage", NULL, true, false, 1.3, {"--coverage", "drcov:/dev/null"}},
};
enum { ARMS = sizeof(arms) / sizeof(arms[0]) };

struct options {
    const char *denali, *plain, *json;
    unsigned rounds, programs;
    char **program;
};

static void die(const char *what)
{
    fprintf(stderr, "debug_cost: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Runs denali; *err is a pipe from its standard error. */
static pid_t start(const char *const argv[], int *err)
{
    int pipes[2];
    if (pipe(pipes))
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (!pid) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(pipes[1], 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(pipes[1]);
    *err = pipes[0];
    return pid;
}

static double finish(pid_t pid, const char *program)
{
    struct rusage use;
    int status;
    if (wait4(pid, &status, 0, &use) != pid)
        die("wait");
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "debug_cost: %s: status %x\n", program, (unsigned)status);
        exit(1);
    }
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* The port that it says it listens on. */
static int read_port(int err)
{
    char line[256];
    size_t len = 0;
    while (len < sizeof(line) - 1 && read(err, line + len, 1) == 1 && line[len] != '\n')
        len++;
    line[len] = 0;
    const char *colon = strrchr(line, ':');
    return colon ? atoi(colon + 1) : 0;
}

static int attach(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
        die("connect");
    return fd;
}

/* Sends a packet and reads the first character of its answer; 0: the connection is gone. */
static char ask(int fd, const char *body)
{
    char text[256], c = 0, first = 0;
    uint8_t sum = 0;
    for (const char *at = body; *at; at++)
        sum = (uint8_t)(sum + (uint8_t)*at);
    int len = snprintf(text, sizeof(text), "$%s#%02x", body, sum);
    if (write(fd, text, (size_t)len) != len)
        return 0;
    while (c != '#') {
        if (read(fd, &c, 1) != 1)
            return 0;
        first = first || c == '+' || c == '$' ? first : c;
    }
    return read(fd, text, 2) == 2 && write(fd, "+", 1) == 1 ? first : 0;
}

static double run(const struct options *o, const struct arm *arm, const char *program)
{
    const char *plain[8] = {arm->option[0] ? o->denali : o->plain, "run", "--net", "none"};
    const char *debug[10] = {o->denali, "run", "--net", "none", "--gdb", "0"};
    unsigned words = 6, plains = 4;
    for (unsigned i = 0; i < 2 && arm->option[i]; i++)
        plain[plains++] = arm->option[i];
    plain[plains] = program;
    unlink(RECORDING "/tape");
    if (!arm->past)
        debug[words++] = "--no-history";
    if (arm->packet)
        debug[words++] = "-S";
    debug[words] = program;
    int err;
    pid_t pid = start(arm->plain ? plain : debug, &err);
    if (arm->packet) {
        int fd = attach(read_port(err)); /* it stands at the program's entry */
        if (*arm->packet && ask(fd, arm->packet) != 'O')
            die("a packet is refused");
        if (ask(fd, "vCont;c") != 'W')
            die("the program stopped before its end");
        close(fd);
    }
    double seconds = finish(pid, program);
    close(err);
    return seconds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *value, unsigned count)
{
    qsort(value, count, sizeof(*value), compare);
    return count % 2 ? value[count / 2] : (value[count / 2 - 1] + value[count / 2]) / 2;
}

static void measure(const struct options *o, const char *program, FILE *json, bool first)
{
    double seconds[ARMS][MAX_ROUNDS], ratio[MAX_ROUNDS];
    const char *slash = strrchr(program, '/');
    for (unsigned round = 0; round < o->rounds; round++)
        for (unsigned a = 0; a < ARMS; a++)
            seconds[a][round] = run(o, &arms[a], program);
    printf("%s\n", slash ? slash + 1 : program);
    if (json)
        fprintf(json, "%s{\"program\":\"%s\"", first ? "" : ",", slash ? slash + 1 : program);
    for (unsigned a = 0; a < ARMS; a++) {
        for (unsigned round = 0; round < o->rounds; round++)
            ratio[round] = seconds[a][round] / seconds[0][round];
        double r = median(ratio, o->rounds);
        printf("  %-26s %6.3f s  %5.2f%s\n", arms[a].name, median(seconds[a], o->rounds), r,
               arms[a].limit && r > arms[a].limit ? "  over the limit" : "");
        if (json)
            fprintf(json, ",\"%s\":%.3f", arms[a].name, r);
    }
    if (json)
        fputs("}", json);
    fflush(stdout);
}

static void parse(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {{"denali", required_argument, NULL, 'd'},
                                          {"plain", required_argument, NULL, 'p'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"json", required_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    *o = (struct options){.rounds = 5};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd')
            o->denali = optarg;
        else if (c == 'p')
            o->plain = optarg;
        else if (c == 'j')
            o->json = optarg;
        else if (c == 'r')
            o->rounds = (unsigned)atoi(optarg);
        else
            exit(2);
    }
    if (!o->plain)
        o->plain = o->denali;
    if (o->rounds < 1 || o->rounds > MAX_ROUNDS)
        o->rounds = 5;
    o->program = argv + optind;
    o->programs = (unsigned)(argc - optind);
}

int main(int argc, char **argv)
{
    struct options o;
    parse(argc, argv, &o);
    if (!o.denali || !o.programs) {
        fprintf(stderr, "debug_cost --denali FILE PROGRAM...\n");
        return 2;
    }
    FILE *json = o.json ? fopen(o.json, "w") : NULL;
    if (json)
        fputs("[", json);
    for (unsigned i = 0; i < o.programs; i++)
        measure(&o, o.program[i], json, i == 0);
    if (json) {
        fputs("]\n", json);
        fclose(json);
    }
    return 0;
}
