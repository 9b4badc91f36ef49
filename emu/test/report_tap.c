/* SPDX-License-Identifier: MIT */
/* TAP 13, https://testanything.org, which readers of 14 take, too; Perl's prove takes no later one.
 * No time and nothing of the host is in it, so that two runs of the same suite can be compared by
 * their bytes. */
#include "emu/test/report.h"

#include <string.h>

static void begin(struct reporter *r, const struct report_total *plan)
{
    fprintf(r->out, "TAP version 13\n1..%u\n# seed %llu\n", plan->tests,
            (unsigned long long)plan->seed);
}

/* A name must not look like a directive. */
static void put_name(FILE *out, const char *name)
{
    for (; *name; name++) {
        if (*name == '#' || *name == '\\')
            fputc('\\', out);
        fputc((uint8_t)*name < ' ' ? '?' : *name, out);
    }
}

static void put_text(FILE *out, const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        n = report_character(text + i, len - i);
        if (n && ((uint8_t)text[i] >= ' ' || text[i] == '\t'))
            fwrite(text + i, 1, n, out);
        else
            fprintf(out, "\\x%02x", (uint8_t)text[i]);
    }
}

static void put_line(FILE *out, const char *text)
{
    put_text(out, text, strcspn(text, "\n"));
}

static void put_block(FILE *out, const char *key, const struct buffer *text)
{
    if (!text->len)
        return;
    fprintf(out, "  %s: |\n", key);
    for (const char *at = text->data; *at;) {
        size_t len = strcspn(at, "\n");
        fputs("    ", out);
        put_text(out, at, len);
        fputc('\n', out);
        at += len + (at[len] == '\n');
    }
}

static void put_diagnostic(struct reporter *r, const struct report_case *c)
{
    const struct outcome *o = c->outcome;
    fprintf(r->out, "  ---\n  at: %s:%d\n", c->spec->file, c->spec->line);
    fprintf(r->out, "  end: %s\n", outcome_end_name(o->end));
    put_block(r->out, "message", &o->why);
    put_block(r->out, "report", &o->report);
    put_block(r->out, "story", &o->story);
    fputs("  ...\n", r->out);
}

static void result(struct reporter *r, const struct report_case *c)
{
    const struct outcome *o = c->outcome;
    bool bad = o->verdict == VERDICT_FAILED || o->verdict == VERDICT_KNOWN ||
               o->verdict == VERDICT_UNEXPECTED;
    fprintf(r->out, "%sok %u - ", bad ? "not " : "", c->number);
    put_name(r->out, c->name);
    if (o->verdict == VERDICT_SKIPPED)
        fputs(" # SKIP ", r->out);
    if (o->verdict == VERDICT_KNOWN)
        fputs(" # TODO ", r->out);
    if (o->verdict == VERDICT_SKIPPED)
        put_line(r->out, buffer_string(&o->why));
    else if (o->verdict == VERDICT_KNOWN)
        put_line(r->out, c->spec->xfail);
    fputc('\n', r->out);
    if (outcome_is_bad(o) && !r->quiet)
        put_diagnostic(r, c);
    fflush(r->out);
}

static void end(struct reporter *r, const struct report_total *total)
{
    if (total->cut)
        fputs("Bail out! not all tests were run\n", r->out);
    fprintf(r->out, "# passed %u, failed %u, skipped %u, known failures %u, unexpected passes %u\n",
            total->verdict[VERDICT_PASSED], total->verdict[VERDICT_FAILED],
            total->verdict[VERDICT_SKIPPED], total->verdict[VERDICT_KNOWN],
            total->verdict[VERDICT_UNEXPECTED]);
}

static void refuse(struct reporter *r, const char *lines)
{
    fputs("TAP version 13\n", r->out);
    for (const char *at = lines; *at;) {
        size_t len = strcspn(at, "\n");
        fprintf(r->out, "# %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
    fputs("Bail out! no test was run\n", r->out);
}

const struct report_ops report_tap = {
    .name = "tap", .begin = begin, .result = result, .end = end, .refuse = refuse};
