/* SPDX-License-Identifier: MIT */
/*
 * What an experiment found, in its three forms: text, one JSON object, and a
 * picture (SVG). Figures are single values; curves are series of points in charts.
 *
 * JSON: {"experiment": NAME, FIGURE: value, ..., "curves": [{"chart": TITLE, "x": LABEL,
 * "y": LABEL, "name": SERIES, "points": [[x, y], ...]}, ...]}
 */
#ifndef DENALI_BENCH_REPORT_H
#define DENALI_BENCH_REPORT_H

#include "emu/base/base.h"
#include "emu/base/why.h"

#define BENCH_FIGURES 32u
#define BENCH_CHARTS 3u
#define BENCH_SERIES 4u
#define BENCH_POINTS 40u

struct bench_series {
    const char *name;
    unsigned points;
    double x[BENCH_POINTS], y[BENCH_POINTS];
};

struct bench_chart {
    const char *title, *x_label, *y_label;
    bool log_x, log_y;
    unsigned count;
    struct bench_series series[BENCH_SERIES];
};

struct bench_report {
    const char *experiment;
    unsigned figures, charts;
    struct {
        const char *key, *unit; /* "requests_per_s"; for people */
        double value;
    } figure[BENCH_FIGURES];
    struct bench_chart chart[BENCH_CHARTS];
};

void bench_figure(struct bench_report *report, const char *key, double value, const char *unit);
struct bench_chart *bench_chart(struct bench_report *report, const char *title, const char *x_label,
                                const char *y_label);
struct bench_series *bench_series(struct bench_chart *chart, const char *name);
void bench_point(struct bench_series *series, double x, double y);

/* On stdout, as JSON or text; and to `svg` if it is not NULL. A negative errno and `why`. */
MUST_CHECK int bench_report_print(const struct bench_report *report, bool json, const char *svg,
                                  struct why *why);

/* The picture alone, to the file `svg`; NULL: nowhere. */
MUST_CHECK int bench_report_draw(const struct bench_report *report, const char *svg,
                                 struct why *why);

/* bench_picture.c. False: it could not be written. */
bool bench_picture(const struct bench_report *report, void *out);

#endif
