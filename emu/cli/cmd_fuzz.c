/* SPDX-License-Identifier: MIT */
/*
 * denali fuzz: a guest is run from one place again and again, with inputs that
 * AFL++ makes of others by what code they reached.
 */
#include "dbt/dbt.h"
#include "emu/base/host.h"
#include "emu/cli/cli.h"
#include "emu/cli/fuzz/fuzz_campaign.h"
#include "emu/cli/fuzz/fuzz_inputs.h"
#include "emu/cli/fuzz/fuzz_live.h"
#include "emu/cli/fuzz/fuzz_target.h"
#include "emu/fuzz/afl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int complain(int err, const struct why *why)
{
    return cli_complain(err == -ENOEXEC ? CLI_CANNOT_RUN : CLI_FAILED, "%s", why->text);
}

/* For AFL++. */

struct server {
    struct fuzz_target *target;
    uint8_t *hits; /* of the last run */
    struct fuzz_live *live, own;
    _Atomic bool told; /* AFL++ has had enough of this run */
};

/* AFL++ keeps an input for one that hangs if it had to stop the run itself. */
static void wait_to_be_told(struct server *s)
{
    for (unsigned i = 0; i < 10000 && !s->told; i++)
        usleep(1000);
}

static int serve_run(void *opaque, const uint8_t *input, size_t len)
{
    struct server *s = opaque;
    struct fuzz_result result;
    s->hits = fuzz_target_hits(s->target);
    memset(s->hits, 0, DBT_HITS);
    s->told = false;
    fuzz_guest_run(fuzz_target_guest(s->target), input, len, &result);
    s->live->runs++;
    s->live->crashes += result.end == FUZZ_CRASH;
    s->live->hangs += result.end == FUZZ_HANG || result.end == FUZZ_STOPPED;
    if (result.end == FUZZ_HANG)
        wait_to_be_told(s);
    if (result.end == FUZZ_CRASH)
        return SIGSEGV;
    return result.end == FUZZ_DONE ? 0 : SIGKILL;
}

static void serve_stop(void *opaque)
{
    struct server *s = opaque;
    s->told = true;
    fuzz_guest_stop(fuzz_target_guest(s->target));
}

static void serve_hits(void *opaque, uint8_t *map, size_t bytes)
{
    const struct server *s = opaque;
    memcpy(map, s->hits, bytes < DBT_HITS ? bytes : DBT_HITS);
    map[0] |= 1; /* AFL++ takes a map of zeroes for a program without counters */
}

static int serve(const struct fuzz_options *o)
{
    struct server s = {0};
    s.live = fuzz_live_find(&s.own);
    struct why why;
    struct afl *afl;
    int err = afl_open(&afl, &why);
    if (err)
        return complain(err, &why);
    err = fuzz_target_create(o, &s.target, &why);
    if (!err && !fuzz_target_hits(s.target))
        err = why_fail(&why, -ENOTSUP, "only the translator counts coverage, on x86-64 hosts");
    const struct afl_hooks hooks = {serve_run, serve_stop, serve_hits, &s};
    if (!err)
        err = afl_serve(afl, &hooks, &why);
    int status = err ? complain(err, &why) : CLI_OK;
    afl_close(afl);
    fuzz_target_destroy(s.target);
    return status;
}

/* By hand. */

struct
try {
    struct fuzz_target *target;
    unsigned inputs, crashes, hangs;
};

static int try_one(void *opaque, const char *path, const uint8_t *input, size_t len)
{
    struct try *t = opaque;
    struct fuzz_result result;
    fuzz_guest_run(fuzz_target_guest(t->target), input, len, &result);
    printf("%s: ", path);
    fuzz_target_report(t->target, &result, stdout);
    t->inputs++;
    t->crashes += result.end == FUZZ_CRASH;
    t->hangs += result.end == FUZZ_HANG;
    return result.end == FUZZ_FAILED ? -EIO : 0;
}

static int try_all(const struct fuzz_options *o, struct fuzz_target *target)
{
    struct try t = {.target = target};
    struct why why;
    for (unsigned i = 0; i < o->tries; i++) {
        int err = fuzz_each_input(o->try[i], try_one, &t, &why);
        if (err)
            return complain(err, &why);
    }
    printf("%u inputs, %u crashes, %u hangs\n", t.inputs, t.crashes, t.hangs);
    return t.crashes || t.hangs ? FUZZ_STATUS_FOUND : CLI_OK;
}

static int minimise_one(void *opaque, const char *path, const uint8_t *input, size_t len)
{
    struct try *t = opaque;
    struct fuzz_result result;
    struct why why;
    char text[FUZZ_TEXT], name[4096];
    size_t small = len;
    uint8_t *copy = malloc(len + 1);
    if (!copy || snprintf(name, sizeof(name), "%s.min", path) >= (int)sizeof(name)) {
        free(copy);
        return -ENOMEM;
    }
    memcpy(copy, input, len);
    fuzz_minimise(fuzz_target_guest(t->target), copy, &small, FUZZ_MINIMISE_RUNS);
    fuzz_guest_run(fuzz_target_guest(t->target), copy, small, &result);
    t->inputs++;
    t->crashes += result.end == FUZZ_CRASH;
    printf("%s: %s\n", path, fuzz_target_tell(t->target, &result, text));
    int err = result.end == FUZZ_CRASH ? fuzz_write_file(name, copy, small, &why) : 0;
    if (!err && result.end == FUZZ_CRASH)
        printf("%s: %zu bytes of %zu\n", name, small, len);
    free(copy);
    return err;
}

static int minimise(const struct fuzz_options *o, struct fuzz_target *target)
{
    struct try t = {.target = target};
    struct why why;
    int err = fuzz_each_input(o->minimise, minimise_one, &t, &why);
    if (err)
        return complain(err, &why);
    if (!t.crashes)
        return cli_complain(CLI_FAILED, "%s: no input there crashes the guest", o->minimise);
    return CLI_OK;
}

/* How fast runs and going back are, with the first of the seeds (or an empty input). */
static int first_input(void *opaque, const char *path, const uint8_t *input, size_t len)
{
    struct fuzz_seed *seed = opaque;
    (void)path;
    if (!seed->bytes && (seed->bytes = malloc(len + 1))) {
        memcpy(seed->bytes, input, len);
        seed->len = len;
    }
    return 0;
}

struct speed {
    uint64_t runs, spent_ns, insns;
    uint64_t backs, back_ns;
    uint32_t pages;
};

static void measure_runs(struct fuzz_guest *guest, const struct fuzz_seed *seed, uint64_t for_ns,
                         struct speed *s)
{
    struct fuzz_result result;
    uint64_t begin = host_monotonic_ns();
    do {
        fuzz_guest_run(guest, seed->bytes, seed->len, &result);
        s->runs++;
        s->spent_ns = host_monotonic_ns() - begin;
    } while (s->spent_ns < for_ns && result.end != FUZZ_FAILED);
    s->insns = result.insns;
}

/* Going back alone, after a run each time. */
static void measure_backs(struct fuzz_guest *guest, const struct fuzz_seed *seed, uint64_t for_ns,
                          struct speed *s)
{
    uint64_t end = host_monotonic_ns() + for_ns, now;
    do {
        struct fuzz_result result;
        fuzz_guest_run(guest, seed->bytes, seed->len, &result);
        uint64_t before = host_monotonic_ns();
        if (fuzz_guest_rewind(guest, &s->pages))
            break;
        now = host_monotonic_ns();
        s->back_ns += now - before;
        s->backs++;
    } while (now < end);
}

static void measure(struct fuzz_guest *guest, const struct fuzz_seed *seed, uint64_t seconds)
{
    struct speed s = {0};
    measure_runs(guest, seed, seconds * 500000000u, &s);
    measure_backs(guest, seed, seconds * 500000000u, &s);
    printf("{\"runs_per_s\":%.0f,\"insns_per_run\":%llu,\"rewind_us\":%.2f,\"pages\":%u}\n",
           (double)s.runs * 1e9 / (double)s.spent_ns, (unsigned long long)s.insns,
           s.backs ? (double)s.back_ns / 1e3 / (double)s.backs : 0.0, s.pages);
}

static int speed(const struct fuzz_options *o, struct fuzz_target *target)
{
    struct fuzz_seed seed = {0};
    struct why why;
    int err = o->seeds ? fuzz_each_input(o->seeds, first_input, &seed, &why) : 0;
    if (err)
        return complain(err, &why);
    measure(fuzz_target_guest(target), &seed, o->seconds);
    free(seed.bytes);
    return CLI_OK;
}

static int work(const struct fuzz_options *o)
{
    struct fuzz_target *target;
    struct why why;
    if (o->task == FUZZ_SERVE)
        return serve(o);
    int err = fuzz_target_create(o, &target, &why);
    if (err)
        return complain(err, &why);
    int status = o->task == FUZZ_TRY        ? try_all(o, target)
                 : o->task == FUZZ_MINIMISE ? minimise(o, target)
                 : o->task == FUZZ_SPEED    ? speed(o, target)
                                            : fuzz_campaign(o, target);
    fuzz_target_destroy(target);
    return status;
}

static int fuzz_run(int argc, char **argv)
{
    struct fuzz_options options;
    struct why why;
    int err = fuzz_options_parse(argc, argv, &options, &why);
    int status = CLI_OK;
    if (err)
        status = complain(err, &why);
    else if (options.run.help)
        fputs(cli_fuzz.help, stdout);
    else
        status = work(&options);
    fuzz_options_fini(&options);
    return status;
}

const struct cli_verb cli_fuzz = {
    .name = "fuzz",
    .summary = "search a guest for inputs that crash it, with AFL++",
    .help =
        "usage: denali fuzz [options] --output DIR [options of run] IMAGE [args...]\n"
        "\n"
        "Boots IMAGE once to the place where it wants its input, takes a snapshot, and runs it\n"
        "from there with one input after the other, which AFL++ (afl-fuzz, of the package afl++)\n"
        "makes from the seeds by what code they reached. No guest needs to be built for it.\n"
        "Time is counted in instructions: a run depends on nothing but its input.\n"
        "\n"
        "Where the input goes:\n"
        "      --input console          what is typed, or a program's standard input (default)\n"
        "      --input memory:PLACE[,len=PLACE][,max=N]\n"
        "                               a buffer: SYMBOL, 0xADDRESS, or where a register or argN "
        "(the\n"
        "                               N-th argument of the function at --start) points; at most "
        "N\n"
        "                               bytes, their number in the other PLACE\n"
        "      --input packet           Ethernet frames, each behind its length (two bytes, low "
        "first)\n"
        "      --input packet:udp:PORT  a datagram to that port of the guest (10.0.2.15)\n"
        "      --input packet:tcp:PORT  the bytes of a connection that was made to that port\n"
        "      --input disk:NAME[,size=SIZE]\n"
        "                               what is on that disk (default 64K)\n"
        "Where a run begins and ends:\n"
        "      --start input|boot|FUNCTION|0xADDRESS\n"
        "                               where it first waits for input (default), before its "
        "first\n"
        "                               instruction (default for disks), or a place\n"
        "      --end return|FUNCTION|0xADDRESS\n"
        "                               also ends when the function of --start returns (default "
        "for\n"
        "                               memory), or at a place; may be given several times\n"
        "      --max-insns N            a run of more instructions hangs (default 20000000)\n"
        "      --boot-insns N           to its start (default 20000000000)\n"
        "      --crash-status N         this exit status is a crash, too\n"
        "The search:\n"
        "      --seeds FILE|DIR         inputs to begin with (default: one line)\n"
        "      --dictionary FILE        words of the input's language, as AFL++ has them\n"
        "      --seconds N              how long (default: until Ctrl-C)\n"
        "      --until-crash            or until the first crash\n"
        "      --jobs N                 as many afl-fuzz at once (default 1)\n"
        "      --output DIR             everything of AFL++'s, and DIR/found: for each different\n"
        "                               crash the smallest input, and a test for denali test\n"
        "Instead of a search:\n"
        "      --try FILE|DIR           runs these inputs and tells how each ended\n"
        "      --minimise FILE|DIR      makes crashing inputs smaller: FILE.min\n"
        "      --speed SECONDS          measures runs and going back, with the first seed; JSON\n"
        "      --serve                  what afl-fuzz itself is to start\n"
        "\n"
        "A crash is a fault that ends the guest, or, under Ilwaco, a signal that ends the "
        "program.\n"
        "Disks are read-only. A run ends when the guest waits for more than the input has.\n"
        "\n"
        "Exit status: 0 nothing was found; 1 crashes (or hangs, with --try) were; 125 denali or\n"
        "the command line; 126 the image cannot be run.\n"
        "\n"
        "  denali fuzz --seeds seeds --output out --seconds 60 ./parser\n"
        "  denali fuzz --input memory:arg1,len=arg2 --start parse --output out ./parser\n"
        "  denali fuzz --input packet:tcp:80 --output out build/guests/httpd\n"
        "  denali fuzz --try out/found ./parser\n",
    .run = fuzz_run,
};
