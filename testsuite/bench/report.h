/* SPDX-License-Identifier: MIT */
/* The figures of a benchmark run: medians, ratios, and their three forms (text, JSON, picture). */
#ifndef DENALI_BENCH_REPORT_H
#define DENALI_BENCH_REPORT_H

#include <stdbool.h>

enum report_side { REPORT_NATIVE, REPORT_DENALI, REPORT_QEMU, REPORT_SIDES };
enum { REPORT_MAX_ROWS = 40, REPORT_MAX_ROUNDS = 99 };

enum report_measure { REPORT_WALL, REPORT_CPU, REPORT_MEASURES };

struct report_side_result {
    double samples[REPORT_MEASURES][REPORT_MAX_ROUNDS]; /* seconds */
    unsigned count;
    bool failed; /* did not end with status 0 */
    bool wrong;  /* its output is not the native run's */
};

struct report_row {
    const char *name;
    struct report_side_result side[REPORT_SIDES];
};

struct report {
    enum report_measure measure; /* of the text and the picture; the JSON has both */
    struct report_row rows[REPORT_MAX_ROWS];
    unsigned count;
};

void report_add(struct report_side_result *r, double wall, double cpu);

/* The middle of the samples; 0 without any. */
double report_median(const struct report_side_result *r, enum report_measure measure);

/* Median of `side` by the native one; 0 where there is none. */
double report_ratio(const struct report_row *row, enum report_side side,
                    enum report_measure measure);

/* Geometric mean of the ratios, and the greatest; 0 without any. */
double report_mean(const struct report *report, enum report_side side, enum report_measure measure);
double report_worst(const struct report *report, enum report_side side,
                    enum report_measure measure);

/* A run of ours failed or printed something else than the native one. */
bool report_failed(const struct report *report);

void report_head(const struct report *report);
void report_line(const struct report *report, const struct report_row *row);
void report_foot(const struct report *report);

/* False when the file cannot be written. */
bool report_json(const struct report *report, const char *path);
bool report_svg(const struct report *report, const char *path);

#endif
