/* SPDX-License-Identifier: MIT */
/*
 * make bench: every program natively, under denali and, where it is installed,
 * under QEMU's user mode; in turns, several rounds, so that a busy machine
 * hurts all of them alike. Prints medians and ratios to native, and writes
 * them as JSON and as a picture. A program whose output differs from the
 * native run's is an error.
 *
 *   run --programs DIR --scripts DIR --work DIR [--denali FILE] [--engine NAME]
 *       [--qemu FILE|none] [--root DIR] [--rounds N] [--cpu] [--json FILE]
 *       [--svg FILE] [NAME...]
 *
 * --programs: our own benchmark programs. --root: a Debian i386 root folder,
 * for the programs of the distribution; without it they are left out. --cpu:
 * compare processor time instead of elapsed time (for a machine that others
 * use too). NAME: only these.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "testsuite/bench/report.h"

enum { MAX_ARGS = 24, MAX_PATH = 1024, LIMIT_SECONDS = 300, ENOUGH_SECONDS = 25 };

struct options {
    const char *programs, *scripts, *work, *denali, *engine, *qemu, *root, *json, *svg;
    unsigned rounds;
    bool cpu;
    char **only;
};

/* What a program is and reads. */
static const struct bench {
    const char *name;
    const char *debian; /* program in the root; NULL: one of ours */
    const char *args[6];
    const char *script; /* standard input from the scripts folder, or */
    unsigned text_mib;  /* so much generated text */
} benches[] = {
    {.name = "fib"},
    {.name = "calls"},
    {.name = "branches"},
    {.name = "mandel"},
    {.name = "nbody87"},
    {.name = "nbodysse"},
    {.name = "matrix"},
    {.name = "strings"},
    {.name = "chase"},
    {.name = "sort"},
    {.name = "virtual"},
    {.name = "hash"},
    {.name = "memcopy"},
    {.name = "xz", .debian = "xz", .args = {"-6", "-T1", "-c"}, .text_mib = 3},
    {.name = "bzip2", .debian = "bzip2", .args = {"-9", "-c"}, .text_mib = 24},
    {.name = "zstd",
     .debian = "zstd",
     .args = {"-12", "-c", "-q", "--single-thread"},
     .text_mib = 24},
    {.name = "lua", .debian = "lua5.4", .args = {"-"}, .script = "bench.lua"},
    {.name = "sqlite", .debian = "sqlite3", .args = {":memory:"}, .script = "bench.sql"},
    {.name = "python", .debian = "python3", .args = {"-"}, .script = "bench.py"},
    {.name = "gawk", .debian = "gawk", .args = {"-f", "-"}, .script = "bench.awk"},
    {.name = "openssl", .debian = "openssl", .args = {"dgst", "-sha512"}, .text_mib = 200},
};

enum { BENCHES = sizeof(benches) / sizeof(benches[0]) };

/* ---- input ---- */

/* Text of a kind that compressors meet: words of uneven frequency, numbers, lines. */
static void write_text(FILE *f, size_t bytes)
{
    static const char *const syllables[] = {"de", "na", "li", "ri", "ver", "mo", "un", "tain",
                                            "or", "th", "es", "k",  "a",   "in", "gl", "ow"};
    uint32_t x = 1;

    for (size_t done = 0; done < bytes;) {
        x = x * 1664525 + 1013904223;
        unsigned word = (x >> 8) % ((x >> 24) + 1) * 37;
        int n = x >> 29 ? fprintf(f, "%s%s%s%c", syllables[word & 15], syllables[word >> 4 & 15],
                                  syllables[word >> 8 & 15], x >> 26 & 7 ? ' ' : '\n')
                        : fprintf(f, "%u ", x >> 12 & 4095);
        if (n < 0)
            return;
        done += (size_t)n;
    }
}

/* The path of a file with so much text, made when it is not there. */
static bool text_file(const struct options *o, unsigned mib, char path[MAX_PATH])
{
    FILE *f;

    snprintf(path, MAX_PATH, "%s/text-%u", o->work, mib);
    if (access(path, R_OK) == 0)
        return true;
    f = fopen(path, "w");
    if (!f)
        return false;
    write_text(f, (size_t)mib << 20);
    return fclose(f) == 0;
}

static int open_input(const struct options *o, const struct bench *b)
{
    char path[MAX_PATH] = "/dev/null";

    if (b->script)
        snprintf(path, sizeof(path), "%s/%s", o->scripts, b->script);
    else if (b->text_mib && !text_file(o, b->text_mib, path))
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- command lines ---- */

struct command {
    char *argv[MAX_ARGS];
    unsigned argc;
    char text[4 * MAX_PATH]; /* the arguments that are put together */
    size_t used;
};

static void add(struct command *c, const char *arg)
{
    if (c->argc + 1 < MAX_ARGS)
        c->argv[c->argc++] = (char *)(uintptr_t)arg;
}

static void add_path(struct command *c, const char *folder, const char *file)
{
    size_t room = sizeof(c->text) - c->used;
    int n = snprintf(c->text + c->used, room, "%s%s", folder, file);

    if (n < 0 || (size_t)n >= room)
        return;
    add(c, c->text + c->used);
    c->used += (size_t)n + 1;
}

static void add_program(struct command *c, const struct options *o, const struct bench *b)
{
    if (b->debian) {
        add_path(c, "/usr/bin/", b->debian);
    } else {
        char file[64];

        snprintf(file, sizeof(file), "/%s", b->name);
        add_path(c, o->programs, file);
    }
}

/* A program of the root outside it: the root's own loader and libraries. */
static void add_debian_native(struct command *c, const struct options *o, const struct bench *b)
{
    char file[64];

    add_path(c, o->root, "/lib/ld-linux.so.2");
    add(c, "--library-path");
    add_path(c, o->root, "/usr/lib/i386-linux-gnu");
    snprintf(file, sizeof(file), "/usr/bin/%s", b->debian);
    add_path(c, o->root, file);
}

static void make_command(struct command *c, const struct options *o, const struct bench *b,
                         enum report_side side)
{
    *c = (struct command){0};
    if (side == REPORT_DENALI) {
        add(c, o->denali);
        add(c, "run");
        if (o->engine) {
            add(c, "--engine");
            add(c, o->engine);
        }
        if (b->debian) {
            add(c, "--root");
            add(c, o->root);
            add(c, "--env");
            add(c, "OPENSSL_ia32cap=0x7800000:0");
        }
        add_program(c, o, b);
    } else {
        if (side == REPORT_QEMU)
            add(c, o->qemu);
        if (b->debian)
            add_debian_native(c, o, b);
        else
            add_program(c, o, b);
    }
    for (unsigned i = 0; i < 6 && b->args[i]; i++)
        add(c, b->args[i]);
}

/* ---- one run ---- */

struct outcome {
    double wall, cpu; /* seconds */
    uint64_t hash;    /* of the output */
    bool ok;          /* exit status 0 */
};

static double seconds(struct timespec t)
{
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static uint64_t hash_file(int fd)
{
    uint64_t hash = 14695981039346656037u;
    unsigned char buf[65536];
    ssize_t n;

    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++)
            hash = (hash ^ buf[i]) * 1099511628211u;
    return hash;
}

static void child(const struct options *o, const struct command *c, int in, int out)
{
    int err = open("/dev/null", O_WRONLY);
    char home[MAX_PATH];

    dup2(in, 0);
    dup2(out, 1);
    if (!getenv("BENCH_VERBOSE"))
        dup2(err, 2);
    if (o->root) {
        snprintf(home, sizeof(home), "%s/usr", o->root);
        setenv("PYTHONHOME", home, 1);
    }
    setenv("LC_ALL", "C", 1);
    setenv("PYTHONHASHSEED", "0", 1);
    setenv("OPENSSL_ia32cap", "0x7800000:0", 1); /* what the guest's processor has */
    alarm(LIMIT_SECONDS);
    execv(c->argv[0], c->argv);
    _exit(127);
}

static struct outcome run_once(const struct options *o, const struct bench *b,
                               enum report_side side)
{
    struct command command;
    struct outcome outcome = {0};
    struct timespec start, end;
    struct rusage usage;
    char path[MAX_PATH];
    int in = open_input(o, b), out, status = 0;
    pid_t pid;

    snprintf(path, sizeof(path), "%s/output", o->work);
    out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    make_command(&command, o, b, side);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid = in < 0 || out < 0 ? -1 : fork();
    if (pid == 0)
        child(o, &command, in, out);
    if (pid > 0 && wait4(pid, &status, 0, &usage) == pid) {
        clock_gettime(CLOCK_MONOTONIC, &end);
        outcome.wall = seconds(end) - seconds(start);
        outcome.cpu = cpu_seconds(&usage);
        outcome.ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        outcome.hash = hash_file(out);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return outcome;
}

/* ---- all rounds of one program ---- */

static bool has_side(const struct options *o, enum report_side side)
{
    if (side == REPORT_DENALI)
        return o->denali;
    return side == REPORT_NATIVE || o->qemu;
}

/* What takes this long is not run again: QEMU's x87 is fifty times slower than the processor's. */
static bool enough(const struct report_side_result *r)
{
    double sum = 0;

    for (unsigned i = 0; i < r->count; i++)
        sum += r->samples[REPORT_WALL][i];
    return sum > ENOUGH_SECONDS;
}

static void measure(const struct options *o, const struct bench *b, struct report_row *row)
{
    uint64_t native_hash = 0;

    for (unsigned round = 0; round < o->rounds; round++)
        for (int side = 0; side < REPORT_SIDES; side++) {
            struct report_side_result *r = &row->side[side];
            struct outcome outcome;

            if (!has_side(o, (enum report_side)side) || r->failed || r->wrong || enough(r))
                continue;
            outcome = run_once(o, b, (enum report_side)side);
            if (side == REPORT_NATIVE)
                native_hash = outcome.hash;
            r->failed = !outcome.ok;
            r->wrong = outcome.ok && outcome.hash != native_hash;
            report_add(r, outcome.wall, outcome.cpu);
        }
}

static bool wanted(const struct options *o, const struct bench *b)
{
    if (b->debian && !o->root)
        return false;
    if (!*o->only)
        return true;
    for (char **name = o->only; *name; name++)
        if (strcmp(*name, b->name) == 0)
            return true;
    return false;
}

static const struct option long_options[] = {
    {"programs", required_argument, NULL, 'p'},
    {"scripts", required_argument, NULL, 's'},
    {"work", required_argument, NULL, 'w'},
    {"denali", required_argument, NULL, 'd'},
    {"engine", required_argument, NULL, 'e'},
    {"qemu", required_argument, NULL, 'q'},
    {"root", required_argument, NULL, 'r'},
    {"rounds", required_argument, NULL, 'n'},
    {"cpu", no_argument, NULL, 'c'},
    {"json", required_argument, NULL, 'j'},
    {"svg", required_argument, NULL, 'g'},
    {NULL, 0, NULL, 0},
};

static bool parse_one(struct options *o, int letter)
{
    const char **texts[128] = {['p'] = &o->programs, ['s'] = &o->scripts, ['w'] = &o->work,
                               ['d'] = &o->denali,   ['e'] = &o->engine,  ['q'] = &o->qemu,
                               ['r'] = &o->root,     ['j'] = &o->json,    ['g'] = &o->svg};

    if (letter == 'n')
        o->rounds = (unsigned)strtoul(optarg, NULL, 10);
    else if (letter == 'c')
        o->cpu = true;
    else if (letter > 0 && letter < 128 && texts[letter])
        *texts[letter] = optarg;
    else
        return false;
    return true;
}

static bool parse(struct options *o, int argc, char **argv)
{
    int letter;

    *o = (struct options){.qemu = "/usr/bin/qemu-i386", .rounds = 3};
    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (!parse_one(o, letter))
            return false;
    o->only = argv + optind;
    if (o->qemu && access(o->qemu, X_OK) != 0)
        o->qemu = NULL;
    if (o->rounds > REPORT_MAX_ROUNDS)
        o->rounds = REPORT_MAX_ROUNDS;
    return o->programs && o->scripts && o->work && o->rounds > 0;
}

int main(int argc, char **argv)
{
    static struct report report;
    struct options o;

    if (!parse(&o, argc, argv)) {
        fputs("run: --programs, --scripts and --work are needed\n", stderr);
        return 2;
    }
    if (mkdir(o.work, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "run: %s: %s\n", o.work, strerror(errno));
        return 2;
    }
    report.measure = o.cpu ? REPORT_CPU : REPORT_WALL;
    report_head(&report);
    for (unsigned i = 0; i < BENCHES; i++) {
        struct report_row *row = &report.rows[report.count];

        if (!wanted(&o, &benches[i]))
            continue;
        *row = (struct report_row){.name = benches[i].name};
        measure(&o, &benches[i], row);
        report.count++;
        report_line(&report, row);
    }
    report_foot(&report);
    if (o.json && !report_json(&report, o.json))
        fprintf(stderr, "run: cannot write %s\n", o.json);
    if (o.svg && !report_svg(&report, o.svg))
        fprintf(stderr, "run: cannot write %s\n", o.svg);
    return report_failed(&report) ? 1 : 0;
}
