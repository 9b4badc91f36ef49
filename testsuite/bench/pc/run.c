/* SPDX-License-Identifier: MIT */
/*
 * make bench-pc: the same Debian kernel with the same initramfs in `denali pc` and in QEMU's full
 * system emulation (TCG), in turns, several rounds: the time to the first program's first line
 * ("boot"), then each program's. Prints medians and how many times faster than QEMU, and writes
 * JSON. A program that fails, or whose output differs between any two runs, is an error.
 *
 *   run --kernel FILE --initrd FILE [--denali FILE|none] [--qemu FILE|none] [--engine NAME]
 *       [--cpu MODEL] [--memory SIZE] [--programs A,B,...] [--scale PERCENT] [--repeat N]
 *       [--append TEXT] [--timeout SECONDS] [--json FILE] [--verbose]
 *
 * --scale: percent of the work that takes each program about a second natively. --timeout: for
 * one whole run of a machine. --engine, and --option WORD (any number): go to denali alone.
 */
#define _GNU_SOURCE
#include "testsuite/bench/pc/speed.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGS = 48, MAX_OPTIONS = 16 };

struct options {
    const char *kernel, *initrd, *denali, *qemu, *engine, *cpu, *memory, *programs, *append, *json;
    const char *option[MAX_OPTIONS];
    unsigned option_count, scale, repeat, timeout;
    bool verbose;
};

/* One emulator at work. */
struct machine {
    pid_t pid;
    int out;
    char text[4096]; /* the line that comes */
    size_t len;
    double start, end;
};

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) ? 0 : (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

static double cpu_of(const struct machine *m)
{
    clockid_t clock;
    return clock_getcpuclockid(m->pid, &clock) ? 0 : seconds_of(clock);
}

/* Command lines. */

static void add(char **argv, const char *word)
{
    unsigned n = 0;
    while (argv[n])
        n++;
    if (n + 1 < MAX_ARGS)
        argv[n] = (char *)(uintptr_t)word;
}

static void add_pair(char **argv, const char *option, const char *value)
{
    add(argv, option);
    add(argv, value);
}

static void denali_command(const struct options *o, const char *line, char **argv)
{
    add_pair(argv, o->denali, "pc");
    if (o->engine)
        add_pair(argv, "--engine", o->engine);
    for (unsigned i = 0; i < o->option_count; i++)
        add(argv, o->option[i]);
    add_pair(argv, "--memory", o->memory);
    add_pair(argv, "--cpu", o->cpu);
    add_pair(argv, "--kernel", o->kernel);
    add_pair(argv, "--initrd", o->initrd);
    add_pair(argv, "--append", line);
    add_pair(argv, "--serial", "stdio");
    add(argv, "--no-reboot");
}

static void qemu_command(const struct options *o, const char *line, char **argv)
{
    add_pair(argv, o->qemu, "-nodefaults");
    add_pair(argv, "-accel", "tcg");
    add_pair(argv, "-vga", "std");
    add_pair(argv, "-m", o->memory);
    add_pair(argv, "-cpu", o->cpu);
    add_pair(argv, "-kernel", o->kernel);
    add_pair(argv, "-initrd", o->initrd);
    add_pair(argv, "-append", line);
    add_pair(argv, "-display", "none");
    add_pair(argv, "-serial", "stdio");
    add(argv, "-no-reboot");
}

/* A machine's life. */

static void become(char **argv, int out)
{
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(out, 1);
    execvp(argv[0], argv);
    fprintf(stderr, "run: cannot start %s\n", argv[0]);
    _exit(127);
}

static bool start(const struct options *o, enum speed_side side, struct machine *m)
{
    char line[1024], *argv[MAX_ARGS] = {NULL};
    int ends[2];
    snprintf(line, sizeof(line), "console=ttyS0 quiet panic=-1 %s scale=%u programs=%s", o->append,
             o->scale, o->programs);
    if (side == SPEED_DENALI)
        denali_command(o, line, argv);
    else
        qemu_command(o, line, argv);
    *m = (struct machine){.start = now(), .end = now() + o->timeout};
    if (pipe2(ends, O_CLOEXEC))
        return false;
    m->out = ends[0];
    m->pid = fork();
    if (m->pid == 0)
        become(argv, ends[1]);
    close(ends[1]);
    return m->pid > 0;
}

/* The end of a machine that may hang. */
static int finish(struct machine *m, bool in_time)
{
    int status = 0;
    if (!in_time)
        kill(m->pid, SIGKILL);
    close(m->out);
    waitpid(m->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Up to the next end of a line; false: no more comes in time. */
static bool next_line(struct machine *m)
{
    m->len = 0;
    for (;;) {
        struct pollfd ready = {.fd = m->out, .events = POLLIN};
        int wait_ms = (int)((m->end - now()) * 1000);
        char c;
        if (wait_ms <= 0 || poll(&ready, 1, wait_ms) <= 0 || read(m->out, &c, 1) != 1)
            return false;
        if (c == '\n')
            break;
        if (c != '\r' && m->len + 1 < sizeof(m->text))
            m->text[m->len++] = c;
    }
    m->text[m->len] = 0;
    return true;
}

/* What the lines mean. */

struct reader {
    struct speed *speed;
    enum speed_side side;
    unsigned round;
    double host, cpu; /* at the last BEGIN */
    bool ended;
};

static void take_boot(struct reader *r, const struct machine *m)
{
    struct speed_row *row = speed_row(r->speed, "boot");
    struct speed_sample s = {.round = r->round};
    s.seconds[SPEED_HOST] = now() - m->start;
    s.seconds[SPEED_CPU] = cpu_of(m);
    speed_add(row, r->side, &s);
}

static void take_end(struct reader *r, const struct machine *m, const char *text)
{
    struct speed_sample s = {.round = r->round};
    char name[SPEED_NAME];
    unsigned status;
    unsigned long long hash;
    s.seconds[SPEED_HOST] = now() - r->host;
    s.seconds[SPEED_CPU] = cpu_of(m) - r->cpu;
    if (sscanf(text, "END %23s %lf %u %llx", name, &s.seconds[SPEED_GUEST], &status, &hash) != 4)
        return;
    struct speed_row *row = speed_row(r->speed, name);
    if (!row)
        return;
    row->failed[r->side] = row->failed[r->side] || status;
    speed_hash(row, hash);
    speed_add(row, r->side, &s);
}

static void take_line(struct reader *r, const struct machine *m)
{
    if (!strcmp(m->text, "MARKER boot"))
        take_boot(r, m);
    else if (!strncmp(m->text, "BEGIN ", 6))
        r->host = now(), r->cpu = cpu_of(m);
    else if (!strncmp(m->text, "END ", 4))
        take_end(r, m, m->text);
    else if (!strcmp(m->text, "MARKER end"))
        r->ended = true;
}

static bool run_once(const struct options *o, struct speed *speed, enum speed_side side,
                     unsigned round)
{
    static const char *const names[SPEED_SIDES] = {"denali", "qemu"};
    struct machine m;
    struct reader r = {.speed = speed, .side = side, .round = round};
    if (!start(o, side, &m))
        return false;
    speed->ran[side] = true;
    while (!r.ended && next_line(&m)) {
        take_line(&r, &m);
        if (o->verbose)
            fprintf(stderr, "%s %8.2f  %s\n", names[side], now() - m.start, m.text);
    }
    int status = finish(&m, false);
    if (!r.ended)
        fprintf(stderr, "run: %s did not come to its end in round %u (status %d); last: %s\n",
                names[side], round, status, m.text);
    return r.ended;
}

/* Both in turns, each round the other first. */
static bool run_round(const struct options *o, struct speed *speed, unsigned round)
{
    bool ok = true;
    for (unsigned i = 0; i < SPEED_SIDES; i++) {
        enum speed_side side = (enum speed_side)((i + round) % SPEED_SIDES);
        const char *program = side == SPEED_DENALI ? o->denali : o->qemu;
        if (strcmp(program, "none") != 0)
            ok = run_once(o, speed, side, round) && ok;
    }
    return ok;
}

/* Options. */

static const struct option long_options[] = {
    {"kernel", required_argument, NULL, 'k'},  {"initrd", required_argument, NULL, 'i'},
    {"denali", required_argument, NULL, 'd'},  {"qemu", required_argument, NULL, 'q'},
    {"engine", required_argument, NULL, 'e'},  {"cpu", required_argument, NULL, 'c'},
    {"memory", required_argument, NULL, 'm'},  {"programs", required_argument, NULL, 'p'},
    {"append", required_argument, NULL, 'a'},  {"json", required_argument, NULL, 'j'},
    {"scale", required_argument, NULL, 's'},   {"repeat", required_argument, NULL, 'r'},
    {"timeout", required_argument, NULL, 't'}, {"option", required_argument, NULL, 'o'},
    {"verbose", no_argument, NULL, 'v'},       {NULL, 0, NULL, 0},
};

static bool parse_number(struct options *o, int letter)
{
    unsigned *const numbers[128] = {['s'] = &o->scale, ['r'] = &o->repeat, ['t'] = &o->timeout};
    if (!numbers[letter])
        return false;
    *numbers[letter] = (unsigned)strtoul(optarg, NULL, 10);
    return *numbers[letter] > 0 && *numbers[letter] < 1000000;
}

static bool parse_one(struct options *o, int letter)
{
    const char **const texts[128] = {
        ['k'] = &o->kernel, ['i'] = &o->initrd, ['d'] = &o->denali, ['q'] = &o->qemu,
        ['e'] = &o->engine, ['c'] = &o->cpu,    ['m'] = &o->memory, ['p'] = &o->programs,
        ['a'] = &o->append, ['j'] = &o->json};
    if (letter <= 0 || letter >= 128)
        return false;
    if (letter == 'v')
        return o->verbose = true;
    if (letter == 'o' && o->option_count < MAX_OPTIONS)
        o->option[o->option_count++] = optarg;
    else if (texts[letter])
        *texts[letter] = optarg;
    else
        return parse_number(o, letter);
    return true;
}

static bool parse(struct options *o, int argc, char **argv)
{
    int letter;
    *o =
        (struct options){.denali = "./denali",
                         .qemu = "qemu-system-i386",
                         .cpu = "pentium3",
                         .memory = "512M",
                         .programs = "xz,bzip2,zstd,lua,sqlite,python,gawk,syscalls,forks,switches",
                         .append = "",
                         .scale = 20,
                         .repeat = 3,
                         .timeout = 1200};
    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!parse_one(o, letter))
            return false;
    }
    return o->kernel && o->initrd && optind == argc && o->repeat <= SPEED_MAX_ROUNDS;
}

/* One for each program, so that none is missed. */
static void make_rows(struct speed *speed, const char *programs)
{
    char name[SPEED_NAME];
    speed_row(speed, "boot");
    for (const char *at = programs; *at; at += strspn(at, ",")) {
        size_t len = strcspn(at, ",");
        snprintf(name, sizeof(name), "%.*s", (int)len, at);
        speed_row(speed, name);
        at += len;
    }
}

int main(int argc, char **argv)
{
    static struct speed speed;
    struct options o;
    bool ok = true;
    if (!parse(&o, argc, argv)) {
        fputs("run: the head of testsuite/bench/pc/run.c tells its options\n", stderr);
        return 2;
    }
    speed.engine = o.engine;
    speed.cpu = o.cpu;
    speed.scale = o.scale;
    make_rows(&speed, o.programs);
    for (unsigned round = 0; round < o.repeat; round++)
        ok = run_round(&o, &speed, round) && ok;
    speed_print(&speed);
    if (o.json && !speed_json(&speed, o.json))
        fprintf(stderr, "run: cannot write %s\n", o.json);
    return ok && !speed_failed(&speed) ? 0 : 1;
}
