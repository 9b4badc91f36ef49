/* SPDX-License-Identifier: MIT */
/* For people: failures as they come, a line at the end; on a terminal with the progress below. */
#include "emu/test/report.h"

#include <string.h>

static const char *mark(const struct reporter *r, enum outcome_verdict verdict)
{
    static const char *const plain[VERDICTS] = {"ok  ", "FAIL", "SKIP", "known", "UNEXPECTED PASS"};
    static const char *const coloured[VERDICTS] = {"\033[32mok  \033[0m", "\033[1;31mFAIL\033[0m",
                                                   "\033[33mSKIP\033[0m", "\033[33mknown\033[0m",
                                                   "\033[1;31mUNEXPECTED PASS\033[0m"};
    return r->colour ? coloured[verdict] : plain[verdict];
}

static void begin(struct reporter *r, const struct report_total *plan)
{
    if (!r->quiet)
        fprintf(r->out, "%u tests, seed %llu\n", plan->tests, (unsigned long long)plan->seed);
}

/* A guest's bytes do nothing to the terminal. */
static void put_text(FILE *out, const char *text, const char *before)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        fputs(before, out);
        for (size_t i = 0; i < len; i++)
            fputc(((uint8_t)at[i] < ' ' && at[i] != '\t') || at[i] == 127 ? '?' : at[i], out);
        fputc('\n', out);
        at += len + (at[len] == '\n');
    }
}

static void clear_progress(struct reporter *r)
{
    if (r->ops == &report_live && r->colour)
        fputs("\r\033[K", r->out);
}

static void result(struct reporter *r, const struct report_case *c)
{
    const struct outcome *o = c->outcome;
    bool bad = outcome_is_bad(o);
    if (!bad && (r->quiet || r->ops == &report_live) && o->verdict == VERDICT_PASSED)
        return;
    if (r->quiet && !bad)
        return;
    clear_progress(r);
    fprintf(r->out, "%s %s", mark(r, o->verdict), c->name);
    if (o->verdict == VERDICT_SKIPPED || o->verdict == VERDICT_KNOWN) {
        const char *why = o->verdict == VERDICT_KNOWN ? c->spec->xfail : buffer_string(&o->why);
        fprintf(r->out, ": %.*s", (int)strcspn(why, "\n"), why);
    }
    fputc('\n', r->out);
    if (bad) {
        fprintf(r->out, "     %s:%d\n", c->spec->file, c->spec->line);
        put_text(r->out, buffer_string(&o->why), "     ");
        put_text(r->out, buffer_string(&o->report), "     | ");
        put_text(r->out, buffer_string(&o->story), "     ");
    }
    fflush(r->out);
}

static void progress(struct reporter *r, const struct report_total *t, const char *name)
{
    unsigned done = 0;
    for (unsigned i = 0; i < VERDICTS; i++)
        done += t->verdict[i];
    unsigned failed = t->verdict[VERDICT_FAILED] + t->verdict[VERDICT_UNEXPECTED];
    if (!r->colour || r->quiet)
        return;
    fprintf(r->out, "\r\033[K[%u/%u] %u failed  %.50s", done, t->tests, failed, name);
    fflush(r->out);
}

static void end(struct reporter *r, const struct report_total *t)
{
    clear_progress(r);
    fprintf(r->out, "%u passed, %u failed, %u skipped", t->verdict[VERDICT_PASSED],
            t->verdict[VERDICT_FAILED], t->verdict[VERDICT_SKIPPED]);
    if (t->verdict[VERDICT_KNOWN])
        fprintf(r->out, ", %u known to fail", t->verdict[VERDICT_KNOWN]);
    if (t->verdict[VERDICT_UNEXPECTED])
        fprintf(r->out, ", %u passed unexpectedly", t->verdict[VERDICT_UNEXPECTED]);
    if (t->flaky)
        fprintf(r->out, ", %u of the failed are flaky", t->flaky);
    fprintf(r->out, " (%.2f s, seed %llu)%s\n", (double)t->host_ns / 1e9,
            (unsigned long long)t->seed, t->cut ? "; not all were run" : "");
}

static void refuse(struct reporter *r, const char *lines)
{
    put_text(r->out, lines, "");
    fputs("no test was run\n", r->out);
}

const struct report_ops report_plain = {
    .name = "plain", .begin = begin, .result = result, .end = end, .refuse = refuse};
const struct report_ops report_live = {.name = "live",
                                       .begin = begin,
                                       .result = result,
                                       .progress = progress,
                                       .end = end,
                                       .refuse = refuse};
