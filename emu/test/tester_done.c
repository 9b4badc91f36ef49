/* SPDX-License-Identifier: MIT */
/*
 * From outcomes to verdicts. The first run of a case is kept; the others are held against it and
 * forgotten. A case is told when all its runs are done and all cases before it were told, so
 * answers come in the suite's order.
 */
#include "emu/test/tester_private.h"

#include <string.h>

/* Every run must have been the same as the first. */
static void compare_run(struct tester_case *c, const struct outcome *again)
{
    struct buffer what = {0};
    if (c->flaky || c->first.verdict == VERDICT_SKIPPED || outcome_same(&c->first, again, &what))
        return;
    c->flaky = true;
    outcome_fail(&c->first, "flaky: run %u was not as the first: %s", c->runs + 1,
                 buffer_string(&what));
    c->first.verdict = VERDICT_FAILED;
    buffer_free(&what);
}

/* The first one's reasons are told; a later failure counts as much. */
static void take_run(struct tester_case *c, struct outcome *out, bool real_time)
{
    if (c->runs == 0) {
        c->first = *out;
    } else {
        if (!real_time && !c->spec->real_time)
            compare_run(c, out);
        if (outcome_is_bad(out) && !outcome_is_bad(&c->first)) {
            c->flaky = true;
            outcome_fail(&c->first, "flaky: run %u failed:\n%s", c->runs + 1,
                         buffer_string(&out->why));
            c->first.verdict = VERDICT_FAILED;
        }
        outcome_free(out);
    }
    c->runs++;
}

static void judge(struct tester_case *c)
{
    struct outcome *o = &c->first;
    if (!c->spec->xfail || o->verdict == VERDICT_SKIPPED)
        return;
    if (o->verdict == VERDICT_FAILED && !c->flaky) {
        o->verdict = VERDICT_KNOWN;
    } else if (o->verdict == VERDICT_PASSED) {
        o->verdict = VERDICT_UNEXPECTED;
        outcome_fail(o, "it passed, but is known to fail: %s; take xfail out", c->spec->xfail);
    }
}

static void tell(struct tester *t, struct tester_case *c, unsigned number)
{
    const struct report_case line = {.spec = c->spec,
                                     .name = c->name,
                                     .number = number,
                                     .outcome = &c->first,
                                     .runs = c->runs,
                                     .flaky = c->flaky};
    for (unsigned i = 0; i < t->reports; i++)
        t->report[i].ops->result(&t->report[i], &line);
    outcome_free(&c->first);
}

static void tell_those_in_order(struct tester *t)
{
    while (t->told < t->count && t->cases[t->told].over) {
        tell(t, &t->cases[t->told], t->told + 1);
        t->told++;
    }
}

static void show_progress(struct tester *t, const char *name)
{
    for (unsigned i = 0; i < t->reports; i++) {
        if (t->report[i].ops->progress)
            t->report[i].ops->progress(&t->report[i], &t->total, name);
    }
}

/* Once all cases of a test are done. False: one of them is bad. */
static bool finish_test(struct tester *t, unsigned first)
{
    bool good = true;
    for (unsigned i = 0; i < t->variants; i++) {
        if (!t->cases[first + i].done)
            return true;
    }
    for (unsigned i = 0; i < t->variants; i++) {
        struct tester_case *c = &t->cases[first + i];
        tester_agree(t, c);
        if (t->options->bless && c->first.goldens)
            tester_bless(t, c);
        judge(c);
        c->over = true;
        t->total.verdict[c->first.verdict]++;
        t->total.flaky += c->flaky;
        good = good && !outcome_is_bad(&c->first);
    }
    return good;
}

bool tester_job_done(void *opaque, unsigned job, struct outcome *out)
{
    struct tester *t = opaque;
    struct tester_case *c = tester_case_of(t, job);
    take_run(c, out, t->options->real_time);
    if (c->runs < c->wanted)
        return true;
    c->done = true;
    bool good = finish_test(t, job % t->count / t->variants * t->variants);
    tell_those_in_order(t);
    show_progress(t, c->name);
    return good || !t->options->fail_fast;
}
