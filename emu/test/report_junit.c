/* SPDX-License-Identifier: MIT */
/* JUnit's XML, as Jenkins, GitLab and the others read it. Its head has totals, so everything is
 * kept until the end. */
#include "emu/test/report.h"

#include <string.h>

static void begin(struct reporter *r, const struct report_total *plan)
{
    (void)r, (void)plan;
}

static void put_text(FILE *out, const char *tag, const struct buffer *text)
{
    if (!text->len)
        return;
    fprintf(out, "      <%s>", tag);
    report_xml_text(out, text->data, text->len);
    fprintf(out, "</%s>\n", tag);
}

static void put_failure(FILE *out, const struct report_case *c)
{
    const struct outcome *o = c->outcome;
    const char *why = buffer_string(&o->why);
    fputs("      <failure message=\"", out);
    report_xml_text(out, why, strcspn(why, "\n"));
    fprintf(out, "\" type=\"%s\">", c->flaky ? "flaky" : outcome_end_name(o->end));
    report_xml_text(out, why, o->why.len);
    report_xml_text(out, buffer_string(&o->report), o->report.len);
    report_xml_text(out, buffer_string(&o->story), o->story.len);
    fputs("</failure>\n", out);
}

static void put_skipped(FILE *out, const char *why)
{
    fputs("      <skipped message=\"", out);
    report_xml_text(out, why, strcspn(why, "\n"));
    fputs("\"/>\n", out);
}

/* "suite/case": the folder is the class. */
static void put_names(FILE *out, const char *name)
{
    const char *slash = strrchr(name, '/');
    fputs("    <testcase classname=\"", out);
    report_xml_text(out, slash ? name : "denali", slash ? (size_t)(slash - name) : 6);
    fputs("\" name=\"", out);
    report_xml_text(out, slash ? slash + 1 : name, strlen(slash ? slash + 1 : name));
}

static void result(struct reporter *r, const struct report_case *c)
{
    const struct outcome *o = c->outcome;
    FILE *out = buffer_open(&r->text);
    if (!out)
        return;
    put_names(out, c->name);
    fputs("\" file=\"", out);
    report_xml_text(out, c->spec->file, strlen(c->spec->file));
    fprintf(out, "\" line=\"%d\" time=\"%.3f\">\n", c->spec->line, (double)o->host_ns / 1e9);
    if (outcome_is_bad(o))
        put_failure(out, c);
    else if (o->verdict != VERDICT_PASSED)
        put_skipped(out, o->verdict == VERDICT_KNOWN ? c->spec->xfail : buffer_string(&o->why));
    if (outcome_is_bad(o) && !r->quiet) {
        put_text(out, "system-out", &o->out);
        put_text(out, "system-err", &o->err);
    }
    fputs("    </testcase>\n", out);
    buffer_close(&r->text, out);
}

static void end(struct reporter *r, const struct report_total *t)
{
    unsigned failed = t->verdict[VERDICT_FAILED] + t->verdict[VERDICT_UNEXPECTED];
    unsigned skipped = t->verdict[VERDICT_SKIPPED] + t->verdict[VERDICT_KNOWN];
    double s = (double)t->host_ns / 1e9;
    fprintf(
        r->out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\">\n"
        "  <testsuite name=\"denali\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\""
        " time=\"%.3f\">\n    <properties><property name=\"seed\" value=\"%llu\"/></properties>\n",
        t->tests, failed, t->cut, skipped, s, t->tests, failed, t->cut, skipped, s,
        (unsigned long long)t->seed);
    fputs(buffer_string(&r->text), r->out);
    if (t->cut)
        fputs("    <testcase classname=\"denali\" name=\"all tests run\"><error message=\"not all "
              "tests were run\"/></testcase>\n",
              r->out);
    fputs("  </testsuite>\n</testsuites>\n", r->out);
}

static void refuse(struct reporter *r, const char *lines)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<testsuites tests=\"1\" failures=\"0\" errors=\"1\">\n"
          "  <testsuite name=\"denali\" tests=\"1\" failures=\"0\" errors=\"1\">\n"
          "    <testcase classname=\"denali\" name=\"specifications\"><error message=\"no test was "
          "run\">",
          r->out);
    report_xml_text(r->out, lines, strlen(lines));
    fputs("</error></testcase>\n  </testsuite>\n</testsuites>\n", r->out);
}

const struct report_ops report_junit = {
    .name = "junit", .begin = begin, .result = result, .end = end, .refuse = refuse};
