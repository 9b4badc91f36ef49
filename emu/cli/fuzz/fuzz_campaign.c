/* SPDX-License-Identifier: MIT */
/*
 * Each afl-fuzz is started with this program as its target, the words of our
 * own command line, and --serve. What they print goes to files in OUTPUT; we
 * read their statistics and show one line.
 */
#include "emu/cli/fuzz/fuzz_campaign.h"

#include "emu/base/host.h"
#include "emu/cli/cli.h"
#include "emu/cli/fuzz/fuzz_inputs.h"
#include "emu/cli/fuzz/fuzz_live.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_TIMEOUT_MS "200"
#define TICK_US 200000u

extern char **environ;

struct words {
    char **word;
    size_t count, room;
    bool failed;
};

static void add(struct words *w, const char *word)
{
    if (w->count + 1 >= w->room) {
        size_t room = w->room * 2 + 32;
        char **more = realloc(w->word, room * sizeof(*more));
        if (!more) {
            w->failed = true;
            return;
        }
        w->word = more;
        w->room = room;
    }
    w->word[w->count++] = (char *)(uintptr_t)word;
    w->word[w->count] = NULL;
}

struct campaign {
    const struct fuzz_options *options;
    char self[4096], seeds[4096], seconds[24];
    pid_t job[FUZZ_LIVE_JOBS];
    unsigned jobs, running;
    bool failed;
    uint64_t begin_ns;
    struct fuzz_live *live; /* by job */
    int live_fd;
};

/* Of the child: the same guest, served. */
static void add_guest_words(struct words *w, const struct fuzz_options *o)
{
    char **at = o->guest_words + 1;
    while (*at && *at != o->run.image) {
        unsigned skip = fuzz_option_of_campaign(at);
        if (!skip)
            add(w, *at);
        at += skip ? skip : 1;
    }
    for (; *at; at++)
        add(w, *at);
}

static void make_words(struct campaign *c, const char *name, bool first, struct words *w)
{
    const struct fuzz_options *o = c->options;
    const char *const head[] = {"afl-fuzz", "-i", c->seeds, "-o", o->output, "-t", RUN_TIMEOUT_MS};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        add(w, head[i]);
    add(w, first ? "-M" : "-S");
    add(w, name);
    if (o->seconds) {
        add(w, "-V");
        add(w, c->seconds);
    }
    if (o->dictionary) {
        add(w, "-x");
        add(w, o->dictionary);
    }
    add(w, "--");
    add(w, c->self);
    add(w, "fuzz");
    add(w, "--serve");
    add_guest_words(w, o);
}

static void set_environment(const struct fuzz_options *o)
{
    static const char *const set[][2] = {
        {"AFL_NO_UI", "1"},
        {"AFL_SKIP_CPUFREQ", "1"},
        {"AFL_TRY_AFFINITY", "1"},
        {"AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES", "1"},
        {"AFL_AUTORESUME", "1"},
        {"AFL_FORKSRV_INIT_TMOUT", "120000"},
        {"AFL_IGNORE_UNKNOWN_ENVS", "1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(set); i++)
        setenv(set[i][0], set[i][1], 0);
    unsetenv("ASAN_OPTIONS"); /* afl-fuzz takes none but its own; ours are in host_signal.c */
    if (o->until_crash)
        setenv("AFL_BENCH_UNTIL_CRASH", "1", 1);
}

static int start_job(struct campaign *c, unsigned n)
{
    struct words w = {0};
    char name[16], log[4096];
    posix_spawn_file_actions_t actions;
    snprintf(name, sizeof(name), n ? "job%u" : "main", n);
    snprintf(log, sizeof(log), "%.4000s/afl-%s.log", c->options->output, name);
    make_words(c, name, n == 0, &w);
    fuzz_live_offer(c->live_fd, n);
    int err = w.failed ? ENOMEM : posix_spawn_file_actions_init(&actions);
    if (err) {
        free(w.word);
        return -err;
    }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    err = posix_spawnp(&c->job[n], "afl-fuzz", &actions, NULL, w.word, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(w.word);
    c->running += !err;
    c->jobs += !err;
    return -err;
}

static void show(const struct campaign *c, bool last)
{
    uint64_t runs = 0, crashes = 0, hangs = 0;
    double seconds = (double)(host_monotonic_ns() - c->begin_ns) / 1e9;
    for (unsigned n = 0; n < c->jobs; n++) {
        runs += c->live[n].runs;
        crashes += c->live[n].crashes;
        hangs += c->live[n].hangs;
    }
    fprintf(stderr, "%s%.0f s: %llu runs (%.0f/s), %llu crashed, %llu hung%s",
            isatty(2) ? "\r\033[K" : "", seconds, (unsigned long long)runs, (double)runs / seconds,
            (unsigned long long)crashes, (unsigned long long)hangs, isatty(2) && !last ? "" : "\n");
}

static void reap(struct campaign *c)
{
    int status;
    for (unsigned n = 0; n < c->jobs; n++) {
        if (!c->job[n] || waitpid(c->job[n], &status, WNOHANG) != c->job[n])
            continue;
        c->job[n] = 0;
        c->running--;
        c->failed |= !WIFEXITED(status) || WEXITSTATUS(status);
    }
}

/* Where one has ended, by a crash or an error, so do the others. */
static void wait_for_jobs(struct campaign *c)
{
    unsigned ticks = 0, every = isatty(2) ? 5 : 50;
    bool told = false;
    while (c->running) {
        reap(c);
        if (c->running < c->jobs && !told) {
            for (unsigned n = 0; n < c->jobs; n++)
                if (c->job[n])
                    kill(c->job[n], SIGINT);
            told = true;
        }
        if (!c->options->run.quiet && ++ticks % every == 0)
            show(c, false);
        if (c->running)
            usleep(TICK_US);
    }
    if (!c->options->run.quiet)
        show(c, true);
}

static int count_seed(void *opaque, const char *path, const uint8_t *input, size_t len)
{
    (void)path, (void)input, (void)len;
    ++*(unsigned *)opaque;
    return 0;
}

static int make_seeds(struct campaign *c, struct why *why)
{
    unsigned seeds = 0;
    const char *given = c->options->seeds;
    struct stat st;
    if (given && !stat(given, &st) && S_ISDIR(st.st_mode)) {
        snprintf(c->seeds, sizeof(c->seeds), "%.4000s", given);
        int err = fuzz_each_input(given, count_seed, &seeds, why);
        return err || seeds ? err
                            : why_fail(why, -ENOENT, "--seeds %s: no file is in there", given);
    }
    if (given && stat(given, &st))
        return why_fail(why, -errno, "--seeds %s: %s", given, strerror(errno));
    snprintf(c->seeds, sizeof(c->seeds), "%.4000s/seeds", c->options->output);
    if (mkdir(c->seeds, 0777) && errno != EEXIST)
        return why_fail(why, -errno, "%s: %s", c->seeds, strerror(errno));
    char path[4096 + 16];
    snprintf(path, sizeof(path), "%s/seed", c->seeds);
    return fuzz_write_file(path, "0\n", 2, why);
}

static int copy_seed(void *opaque, const char *path, const uint8_t *input, size_t len)
{
    struct campaign *c = opaque;
    char name[4096 + 16];
    struct why why;
    (void)path;
    snprintf(name, sizeof(name), "%s/seed", c->seeds);
    return fuzz_write_file(name, input, len, &why);
}

static int prepare(struct campaign *c, struct why *why)
{
    const struct fuzz_options *o = c->options;
    struct stat st;
    c->live = fuzz_live_create(&c->live_fd);
    if (!c->live)
        return why_fail(why, -ENOMEM, "no memory");
    ssize_t n = readlink("/proc/self/exe", c->self, sizeof(c->self) - 1);
    if (n <= 0)
        return why_fail(why, -errno, "/proc is needed");
    c->self[n] = 0;
    if (mkdir(o->output, 0777) && errno != EEXIST)
        return why_fail(why, -errno, "--output %s: %s", o->output, strerror(errno));
    snprintf(c->seconds, sizeof(c->seconds), "%llu", (unsigned long long)o->seconds);
    int err = make_seeds(c, why);
    if (!err && o->seeds && !stat(o->seeds, &st) && !S_ISDIR(st.st_mode))
        err = fuzz_each_input(o->seeds, copy_seed, c, why);
    return err;
}

static int search(struct campaign *c, struct why *why)
{
    int err = prepare(c, why);
    if (err)
        return err;
    set_environment(c->options);
    c->begin_ns = host_monotonic_ns();
    signal(SIGINT, SIG_IGN); /* afl-fuzz takes it, ends in order, and so do we */
    for (unsigned n = 0; !err && n < c->options->jobs; n++)
        err = start_job(c, n);
    if (err == -ENOENT)
        return why_fail(why, err,
                        "afl-fuzz is not installed (package afl++): it is what makes "
                        "new inputs. --try and --speed work without it");
    if (err)
        return why_fail(why, err, "cannot start afl-fuzz: %s", strerror(-err));
    wait_for_jobs(c);
    signal(SIGINT, SIG_DFL);
    if (c->failed && !c->live[0].runs)
        return why_fail(why, -EIO, "afl-fuzz failed; it says why in %s/afl-main.log",
                        c->options->output);
    return 0;
}

int fuzz_campaign(const struct fuzz_options *o, struct fuzz_target *target)
{
    struct campaign *c = calloc(1, sizeof(*c));
    struct why why = {""};
    int found = c ? 0 : why_fail(&why, -ENOMEM, "no memory");
    if (c) {
        c->options = o;
        found = search(c, &why);
    }
    free(c);
    if (!found)
        found = fuzz_collect(o, target, &why);
    if (found < 0)
        return cli_complain(CLI_FAILED, "%s", why.text);
    printf("%d different crash%s%s%s\n", found, found == 1 ? "" : "es", found ? " in " : "",
           found ? o->output : "");
    return found ? FUZZ_STATUS_FOUND : CLI_OK;
}
