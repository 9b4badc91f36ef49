/* SPDX-License-Identifier: MIT */
/* The order of things: specifications, reporters, jobs, answers, status. */
#include "emu/test/tester_private.h"

#include "emu/base/host.h"
#include "emu/base/host_thread.h"
#include "emu/test/cover.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int complain(const char *text)
{
    fflush(stdout);
    fprintf(stderr, "denali: test: %s\n", text);
    return 0;
}

/* ---- reporters ---- */

static int open_reports(struct tester *t)
{
    const struct test_options *o = t->options;
    const char *usual = isatty(STDOUT_FILENO) ? "live" : "plain";
    unsigned wanted = o->formats ? o->formats : 1;
    int err = 0;
    for (unsigned i = 0; !err && i < wanted; i++) {
        err = report_open(o->formats ? o->format[i] : usual, o->quiet, &t->report[i], &t->why);
        t->reports += !err;
    }
    return err;
}

/* ---- specifications ---- */

/* What is always defined: the folder of this program, where guests/ lies. */
static const char *own_folder(char room[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", room, PATH_MAX - 1);
    char *slash = n > 0 ? (room[n] = 0, strrchr(room, '/')) : NULL;
    if (slash)
        *slash = 0;
    return slash ? room : ".";
}

static int load(struct tester *t)
{
    const struct test_options *o = t->options;
    struct spec_define define[TEST_MAX_WORDS + 1];
    char folder[PATH_MAX];
    define[0] = (struct spec_define){"build", own_folder(folder)};
    memcpy(define + 1, o->define, o->defines * sizeof(define[0]));
    const struct spec_config config = {.define = define, .defines = o->defines + 1};
    const struct suite_wish wish = {.path = o->path,
                                    .paths = o->paths,
                                    .config = &config,
                                    .filter = o->filter,
                                    .filters = o->filters,
                                    .shard = o->shard,
                                    .shards = o->shards};
    int err = suite_load(&t->suite, &wish);
    for (unsigned i = 0; o->timeout_ns && i < t->suite.tests; i++)
        t->suite.test[i]->timeout_ns = o->timeout_ns;
    return err;
}

static int refuse(struct tester *t, const char *lines)
{
    bool told = false;
    for (unsigned i = 0; i < t->reports; i++) {
        struct reporter *r = &t->report[i];
        r->ops->refuse(r, lines);
        told = told || (!r->owns_out && (r->ops == &report_plain || r->ops == &report_live));
    }
    fflush(stdout);
    if (!told)
        fputs(lines, stderr);
    return TESTER_WRONG;
}

/* ---- cases ---- */

/* OLD for a test: the file itself, or the one of the same name in the folder. */
static const char *old_image(struct tester *t, const struct spec *spec)
{
    const char *image = spec->kind == SPEC_PC ? spec->pc.kernel : spec->image;
    const char *old = t->options->against, *base = image ? strrchr(image, '/') : NULL;
    struct stat st;
    if (!image || stat(old, &st) || !S_ISDIR(st.st_mode))
        return old;
    return arena_print(&t->arena, "%s/%s", old, base ? base + 1 : image);
}

static int make_case(struct tester *t, struct tester_case *c, unsigned number)
{
    const struct test_options *o = t->options;
    unsigned variant = number % t->variants, engine = o->against ? variant / 2 : variant;
    bool old = o->against && variant % 2 == 0;
    c->spec = t->suite.test[number / t->variants];
    c->engine = o->engines ? o->engine[engine] : NULL;
    c->image = old ? old_image(t, c->spec) : NULL;
    c->wanted = o->repeat;
    bool named = o->engines > 1;
    if (asprintf(&c->name, "%s%s%s%s%s", c->spec->name, named ? "[" : "", named ? c->engine : "",
                 named ? "]" : "", old ? "[old]" : "") < 0)
        c->name = NULL;
    return c->name && (!old || c->image) ? 0 : -ENOMEM;
}

static int make_cases(struct tester *t)
{
    const struct test_options *o = t->options;
    t->variants = (o->engines ? o->engines : 1) * (o->against ? 2 : 1);
    t->count = t->suite.tests * t->variants;
    t->cases = calloc(t->count + 1, sizeof(*t->cases));
    int err = t->cases ? 0 : -ENOMEM;
    for (unsigned i = 0; !err && i < t->count; i++)
        err = make_case(t, &t->cases[i], i);
    return err;
}

static unsigned workers(const struct test_options *o)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return o->jobs ? o->jobs : n > 0 ? (unsigned)n : 1;
}

static bool tick(void *opaque)
{
    struct tester *t = opaque;
    int number = host_signals_next(t->signals);
    if (number == SIGINT || number == SIGTERM || number == SIGHUP)
        t->interrupted = true;
    return !t->interrupted;
}

static int run_jobs(struct tester *t)
{
    const struct farm_config config = {.jobs = t->count * t->options->repeat,
                                       .workers = workers(t->options),
                                       .run = tester_do_job,
                                       .leave = tester_leave,
                                       .limit_ns = tester_job_limit,
                                       .done = tester_job_done,
                                       .tick = tick,
                                       .opaque = t};
    t->signals = host_signals_open();
    if (t->signals < 0)
        return why_fail(&t->why, t->signals, "cannot take signals: %s", strerror(-t->signals));
    return farm_run(&config, &t->why);
}

static int status_of(const struct tester *t, int err)
{
    const unsigned *n = t->total.verdict;
    unsigned ran = n[VERDICT_PASSED] + n[VERDICT_FAILED] + n[VERDICT_KNOWN] + n[VERDICT_UNEXPECTED];
    if (err || t->interrupted)
        return TESTER_BROKEN;
    if (n[VERDICT_FAILED] || n[VERDICT_UNEXPECTED])
        return TESTER_FAILED;
    if (t->total.cut)
        return TESTER_BROKEN;
    return ran ? TESTER_PASSED : TESTER_NOTHING;
}

/* ---- coverage ---- */

static int begin_coverage(struct tester *t)
{
    const struct test_options *o = t->options;
    char folder[] = "/tmp/denali-coverage-XXXXXX";
    if (!o->lcov && !o->drcov)
        return 0;
    t->parts = mkdtemp(folder) ? arena_print(&t->arena, "%s", folder) : NULL;
    return t->parts ? 0 : why_fail(&t->why, -errno, "no temporary folder: %s", strerror(errno));
}

static int finish_coverage(struct tester *t)
{
    const struct test_options *o = t->options;
    int err = o->lcov ? cover_merge_lcov(t->parts, o->lcov, &t->why) : 0;
    if (!err && o->drcov)
        err = cover_merge_drcov(t->parts, o->drcov, &t->why);
    if (t->parts)
        cover_remove(t->parts);
    return err;
}

static int run_suite(struct tester *t)
{
    t->total.tests = t->count;
    t->total.seed = t->options->seed;
    t->began_ns = host_monotonic_ns();
    for (unsigned i = 0; i < t->reports; i++)
        t->report[i].ops->begin(&t->report[i], &t->total);
    int err = begin_coverage(t);
    if (!err)
        err = run_jobs(t);
    if (!err)
        err = finish_coverage(t);
    t->total.host_ns = host_monotonic_ns() - t->began_ns;
    t->total.cut = t->told < t->count;
    for (unsigned i = 0; i < t->reports; i++)
        t->report[i].ops->end(&t->report[i], &t->total);
    fflush(stdout);
    int status = status_of(t, err);
    if (err)
        complain(t->why.text);
    else if (t->interrupted)
        complain("interrupted; not all tests were run");
    else if (status == TESTER_NOTHING)
        complain("no test ran: all were skipped");
    return status;
}

static int list(const struct tester *t)
{
    for (unsigned i = 0; i < t->count; i++)
        printf("%s\n", t->cases[i].name);
    return TESTER_PASSED;
}

static int run_loaded(struct tester *t)
{
    if (t->suite.wrong)
        return refuse(t, buffer_string(&t->suite.errors));
    if (make_cases(t)) {
        complain("no memory");
        return TESTER_BROKEN;
    }
    if (!t->count) {
        complain(t->options->filters || t->options->shards
                     ? "no test is left by --filter and --shard"
                     : "there are no tests: no *.toml and no *.test.json in there");
        return TESTER_NOTHING;
    }
    return t->options->list ? list(t) : run_suite(t);
}

int tester_run(const struct test_options *options)
{
    struct tester *t = calloc(1, sizeof(*t));
    if (!t)
        return TESTER_BROKEN;
    t->options = options;
    int status = TESTER_WRONG, err = open_reports(t);
    if (err)
        complain(t->why.text);
    else if (load(t))
        complain("no memory"), status = TESTER_BROKEN;
    else
        status = run_loaded(t);
    for (unsigned i = 0; i < t->count && t->cases; i++) {
        outcome_free(&t->cases[i].first);
        free(t->cases[i].name);
    }
    free(t->cases);
    arena_free(&t->arena);
    suite_free(&t->suite);
    for (unsigned i = 0; i < t->reports; i++)
        report_close(&t->report[i]);
    free(t);
    return status;
}
