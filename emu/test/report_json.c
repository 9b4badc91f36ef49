/* SPDX-License-Identifier: MIT */
/* One JSON object on a line for the beginning, for each test, and for the end. */
#include "emu/test/report.h"

#include <string.h>

static void put_string(FILE *out, const char *key, const char *text, size_t len)
{
    fprintf(out, ",\"%s\":\"", key);
    report_json_text(out, text, len);
    fputc('"', out);
}

static void put_buffer(FILE *out, const char *key, const struct buffer *b)
{
    if (b->len)
        put_string(out, key, b->data, b->len);
}

static void begin(struct reporter *r, const struct report_total *plan)
{
    fprintf(r->out, "{\"event\":\"begin\",\"tests\":%u,\"seed\":%llu}\n", plan->tests,
            (unsigned long long)plan->seed);
}

static void put_lines(FILE *out, const char *key, const char *text)
{
    fprintf(out, ",\"%s\":[", key);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        fputs(at == text ? "\"" : ",\"", out);
        report_json_text(out, at, len);
        fputc('"', out);
        at += len + (at[len] == '\n');
    }
    fputc(']', out);
}

static void result(struct reporter *r, const struct report_case *c)
{
    const struct outcome *o = c->outcome;
    FILE *out = r->out;
    fprintf(out, "{\"event\":\"test\",\"number\":%u", c->number);
    put_string(out, "name", c->name, strlen(c->name));
    put_string(out, "file", c->spec->file, strlen(c->spec->file));
    fprintf(out, ",\"line\":%d,\"verdict\":\"%s\",\"end\":\"%s\"", c->spec->line,
            outcome_verdict_name(o->verdict), outcome_end_name(o->end));
    put_buffer(out, "end_text", &o->end_text);
    fprintf(out,
            ",\"status\":%llu,\"instructions\":%llu,\"guest_ns\":%llu,\"host_ns\":%llu"
            ",\"state\":\"%016llx\",\"result\":\"%016llx\",\"runs\":%u,\"flaky\":%s",
            (unsigned long long)o->status, (unsigned long long)o->instructions,
            (unsigned long long)o->guest_ns, (unsigned long long)o->host_ns,
            (unsigned long long)o->sum, (unsigned long long)outcome_sum(o), c->runs,
            c->flaky ? "true" : "false");
    if (o->booted)
        fputs(",\"booted\":true", out);
    put_lines(out, "failures", buffer_string(&o->why));
    if (c->spec->xfail)
        put_string(out, "xfail", c->spec->xfail, strlen(c->spec->xfail));
    put_buffer(out, "artifacts", &o->folder);
    if (outcome_is_bad(o) && !r->quiet) {
        put_buffer(out, "stdout", &o->out);
        put_buffer(out, "stderr", &o->err);
        put_buffer(out, "serial", &o->serial);
        put_buffer(out, "screen", &o->screen);
        put_buffer(out, "report", &o->report);
        put_buffer(out, "story", &o->story);
    }
    fputs("}\n", out);
    fflush(out);
}

static void end(struct reporter *r, const struct report_total *t)
{
    fprintf(r->out, "{\"event\":\"end\",\"tests\":%u", t->tests);
    for (unsigned i = 0; i < VERDICTS; i++)
        fprintf(r->out, ",\"%s\":%u", outcome_verdict_name(i), t->verdict[i]);
    fprintf(r->out, ",\"flaky\":%u,\"cut\":%s,\"seed\":%llu,\"host_ns\":%llu}\n", t->flaky,
            t->cut ? "true" : "false", (unsigned long long)t->seed, (unsigned long long)t->host_ns);
}

static void refuse(struct reporter *r, const char *lines)
{
    fputs("{\"event\":\"refused\"", r->out);
    put_lines(r->out, "errors", lines);
    fputs("}\n", r->out);
}

const struct report_ops report_json = {
    .name = "json", .begin = begin, .result = result, .end = end, .refuse = refuse};
