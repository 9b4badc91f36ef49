/* SPDX-License-Identifier: MIT */
/* Answers: what became of the tests, for people and for machines. */
#ifndef DENALI_TEST_REPORT_H
#define DENALI_TEST_REPORT_H

#include "emu/test/outcome.h"

/* A test as it was run: a specification, under an engine where several were asked for. */
struct report_case {
    const struct spec *spec;
    const char *name;
    unsigned number; /* from 1, in the suite's order */
    const struct outcome *outcome;
    unsigned runs; /* that were compared */
    bool flaky;    /* they differ */
};

struct report_total {
    unsigned tests, verdict[VERDICTS], flaky;
    uint64_t seed, host_ns;
    bool cut; /* not all were run */
};

struct reporter;
struct report_ops {
    const char *name;
    void (*begin)(struct reporter *r, const struct report_total *plan);
    /* In the suite's order. */
    void (*result)(struct reporter *r, const struct report_case *c);
    /* At once, in the order in which they end; may be NULL. */
    void (*progress)(struct reporter *r, const struct report_total *so_far, const char *name);
    void (*end)(struct reporter *r, const struct report_total *total);
    /* Instead of the above: the specifications are wrong, or nothing could be begun. */
    void (*refuse)(struct reporter *r, const char *lines);
};

struct reporter {
    const struct report_ops *ops;
    FILE *out;
    bool owns_out, quiet, colour;
    struct buffer text; /* the format's own */
};

/* "tap", "junit", "json", "live" or "plain"; with ":FILE" into that file. -EINVAL and `why`. */
MUST_CHECK int report_open(const char *spec, bool quiet, struct reporter *out, struct why *why);
void report_close(struct reporter *r);

extern const struct report_ops report_tap, report_junit, report_json, report_live, report_plain;

/* Bytes of the UTF-8 character that a text begins with, which XML can hold, too; 0: it begins with
 * none. */
size_t report_character(const char *text, size_t len);
/* Text as the inside of a JSON string, an XML text or attribute. */
void report_json_text(FILE *out, const char *text, size_t len);
void report_xml_text(FILE *out, const char *text, size_t len);

#endif
