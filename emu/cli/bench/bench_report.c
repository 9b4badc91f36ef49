/* SPDX-License-Identifier: MIT */
/* Keys, names and labels are this program's own words, so nothing in them needs escapes. */
#include "emu/cli/bench/bench_report.h"

#include "emu/cli/bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void bench_figure(struct bench_report *r, const char *key, double value, const char *unit)
{
    BUG_ON(r->figures == BENCH_FIGURES, "more figures than a report has room for");
    r->figure[r->figures].key = key;
    r->figure[r->figures].unit = unit;
    r->figure[r->figures++].value = value;
}

struct bench_chart *bench_chart(struct bench_report *r, const char *title, const char *x_label,
                                const char *y_label)
{
    BUG_ON(r->charts == BENCH_CHARTS, "more charts than a report has room for");
    struct bench_chart *chart = &r->chart[r->charts++];
    *chart = (struct bench_chart){.title = title, .x_label = x_label, .y_label = y_label};
    return chart;
}

struct bench_series *bench_series(struct bench_chart *chart, const char *name)
{
    BUG_ON(chart->count == BENCH_SERIES, "more curves than a chart has room for");
    struct bench_series *series = &chart->series[chart->count++];
    series->name = name;
    return series;
}

void bench_point(struct bench_series *series, double x, double y)
{
    BUG_ON(series->points == BENCH_POINTS, "more points than a curve has room for");
    series->x[series->points] = x;
    series->y[series->points++] = y;
}

static void print_series_json(const struct bench_chart *chart, const struct bench_series *series)
{
    printf("{\"chart\":\"%s\",\"x\":\"%s\",\"y\":\"%s\",\"name\":\"%s\",\"points\":[", chart->title,
           chart->x_label, chart->y_label, series->name);
    for (unsigned i = 0; i < series->points; i++)
        printf("%s[%.10g,%.6g]", i ? "," : "", series->x[i], series->y[i]);
    printf("]}");
}

static void print_json(const struct bench_report *r)
{
    printf("{\"experiment\":\"%s\"", r->experiment);
    for (unsigned i = 0; i < r->figures; i++)
        printf(",\"%s\":%.10g", r->figure[i].key, r->figure[i].value);
    printf(",\"curves\":[");
    bool first = true;
    for (unsigned c = 0; c < r->charts; c++)
        for (unsigned s = 0; s < r->chart[c].count; s++) {
            printf("%s", first ? "" : ",");
            print_series_json(&r->chart[c], &r->chart[c].series[s]);
            first = false;
        }
    printf("]}\n");
}

/* The y of a series at this x; false: it has none there. */
static bool value_at(const struct bench_series *series, double x, double *y)
{
    for (unsigned i = 0; i < series->points; i++)
        if (series->x[i] == x) {
            *y = series->y[i];
            return true;
        }
    return false;
}

/* A table: rows by the first series' x. */
static void print_chart(const struct bench_chart *chart)
{
    printf("\n%s: %s\n%12s", chart->title, chart->y_label, chart->x_label);
    for (unsigned s = 0; s < chart->count; s++)
        printf(" %18s", chart->series[s].name);
    putchar('\n');
    for (unsigned i = 0; chart->count && i < chart->series[0].points; i++) {
        double y;
        printf("%12.10g", chart->series[0].x[i]);
        for (unsigned s = 0; s < chart->count; s++)
            if (value_at(&chart->series[s], chart->series[0].x[i], &y))
                printf(" %18.5g", y);
            else
                printf(" %18s", "-");
        putchar('\n');
    }
}

static void print_text(const struct bench_report *r)
{
    for (unsigned i = 0; i < r->figures; i++)
        printf("%-28s %12.6g %s\n", r->figure[i].key, r->figure[i].value, r->figure[i].unit);
    for (unsigned c = 0; c < r->charts; c++)
        print_chart(&r->chart[c]);
}

int bench_report_draw(const struct bench_report *r, const char *svg, struct why *why)
{
    if (!svg)
        return 0;
    FILE *f = fopen(svg, "we");
    bool good = f && bench_picture(r, f);
    if (f && fclose(f))
        good = false;
    return good ? 0 : why_fail(why, -EIO, "cannot write %s: %s", svg, strerror(errno));
}

int bench_report_print(const struct bench_report *r, bool json, const char *svg, struct why *why)
{
    if (json)
        print_json(r);
    else
        print_text(r);
    return bench_report_draw(r, svg, why);
}

int bench_by_us(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}
