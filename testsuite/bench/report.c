/* SPDX-License-Identifier: MIT */
/* Medians and ratios of a benchmark run, as text, JSON and a bar chart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testsuite/bench/report.h"

static const char *const side_names[REPORT_SIDES] = {"native", "denali", "qemu"};

static const char *const measure_names[REPORT_MEASURES] = {"wall", "cpu"};

void report_add(struct report_side_result *r, double wall, double cpu)
{
    if (r->count >= REPORT_MAX_ROUNDS)
        return;
    r->samples[REPORT_WALL][r->count] = wall;
    r->samples[REPORT_CPU][r->count] = cpu;
    r->count++;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double report_median(const struct report_side_result *r, enum report_measure measure)
{
    double sorted[REPORT_MAX_ROUNDS];

    if (r->count == 0 || r->failed)
        return 0;
    memcpy(sorted, r->samples[measure], r->count * sizeof(sorted[0]));
    qsort(sorted, r->count, sizeof(sorted[0]), by_value);
    return (sorted[(r->count - 1) / 2] + sorted[r->count / 2]) / 2;
}

double report_ratio(const struct report_row *row, enum report_side side,
                    enum report_measure measure)
{
    double native = report_median(&row->side[REPORT_NATIVE], measure);

    return native > 0 ? report_median(&row->side[side], measure) / native : 0;
}

double report_mean(const struct report *report, enum report_side side, enum report_measure measure)
{
    double sum = 0;
    unsigned count = 0;

    for (unsigned i = 0; i < report->count; i++) {
        double ratio = report_ratio(&report->rows[i], side, measure);

        if (ratio > 0) {
            sum += log(ratio);
            count++;
        }
    }
    return count ? exp(sum / count) : 0;
}

double report_worst(const struct report *report, enum report_side side, enum report_measure measure)
{
    double worst = 0;

    for (unsigned i = 0; i < report->count; i++)
        worst = fmax(worst, report_ratio(&report->rows[i], side, measure));
    return worst;
}

bool report_failed(const struct report *report)
{
    for (unsigned i = 0; i < report->count; i++) {
        const struct report_side_result *side = report->rows[i].side;

        if (side[REPORT_NATIVE].failed || side[REPORT_DENALI].failed || side[REPORT_DENALI].wrong)
            return true;
    }
    return false;
}

/* ---- text ---- */

void report_head(const struct report *report)
{
    printf("%-10s %10s %10s %8s %10s %8s   (%s seconds, median)\n", "", "native", "denali", "ratio",
           "qemu", "ratio", measure_names[report->measure]);
    fflush(stdout);
}

static void print_side(const struct report_row *row, enum report_side side,
                       enum report_measure measure)
{
    const struct report_side_result *r = &row->side[side];

    if (r->count == 0)
        printf(" %10s %8s", "-", "-");
    else if (r->failed || r->wrong)
        printf(" %10s %8s", r->failed ? "FAILED" : "WRONG", "-");
    else
        printf(" %10.3f %8.2f", report_median(r, measure), report_ratio(row, side, measure));
}

void report_line(const struct report *report, const struct report_row *row)
{
    const struct report_side_result *native = &row->side[REPORT_NATIVE];

    printf("%-10s ", row->name);
    if (native->failed)
        printf("%10s", "FAILED");
    else
        printf("%10.3f", report_median(native, report->measure));
    print_side(row, REPORT_DENALI, report->measure);
    print_side(row, REPORT_QEMU, report->measure);
    putchar('\n');
    fflush(stdout);
}

static void print_summary(const char *name, double denali, double qemu)
{
    printf("%-10s %10s %10s %8.2f %10s %8.2f\n", name, "", "", denali, "", qemu);
}

void report_foot(const struct report *report)
{
    enum report_measure m = report->measure;

    print_summary("mean", report_mean(report, REPORT_DENALI, m),
                  report_mean(report, REPORT_QEMU, m));
    print_summary("worst", report_worst(report, REPORT_DENALI, m),
                  report_worst(report, REPORT_QEMU, m));
}

/* ---- JSON ---- */

static void json_measure(FILE *f, const struct report_row *row, enum report_side side,
                         enum report_measure measure)
{
    const struct report_side_result *r = &row->side[side];

    fprintf(f, ", \"%s\": {\"median\": %.6f, \"ratio\": %.4f, \"samples\": [",
            measure_names[measure], report_median(r, measure), report_ratio(row, side, measure));
    for (unsigned i = 0; i < r->count; i++)
        fprintf(f, "%s%.6f", i ? ", " : "", r->samples[measure][i]);
    fputs("]}", f);
}

static void json_side(FILE *f, const struct report_row *row, enum report_side side)
{
    const struct report_side_result *r = &row->side[side];

    fprintf(f, ",\n     \"%s\": {\"failed\": %s, \"wrong\": %s", side_names[side],
            r->failed ? "true" : "false", r->wrong ? "true" : "false");
    for (int m = 0; m < REPORT_MEASURES; m++)
        json_measure(f, row, side, (enum report_measure)m);
    fputs("}", f);
}

typedef double summary_fn(const struct report *, enum report_side, enum report_measure);

static void json_summary(FILE *f, const struct report *report, const char *name, summary_fn *fn)
{
    fprintf(f, ",\n  \"%s\": {", name);
    for (int m = 0; m < REPORT_MEASURES; m++)
        fprintf(f, "%s\"%s\": {\"denali\": %.4f, \"qemu\": %.4f}", m ? ", " : "", measure_names[m],
                fn(report, REPORT_DENALI, (enum report_measure)m),
                fn(report, REPORT_QEMU, (enum report_measure)m));
    fputs("}", f);
}

bool report_json(const struct report *report, const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return false;
    fputs("{\n  \"programs\": [\n", f);
    for (unsigned i = 0; i < report->count; i++) {
        fprintf(f, "    {\"name\": \"%s\"", report->rows[i].name);
        for (int side = 0; side < REPORT_SIDES; side++)
            json_side(f, &report->rows[i], (enum report_side)side);
        fprintf(f, "}%s\n", i + 1 < report->count ? "," : "");
    }
    fputs("  ]", f);
    json_summary(f, report, "mean", report_mean);
    json_summary(f, report, "worst", report_worst);
    fputs("\n}\n", f);
    return fclose(f) == 0;
}

/* ---- picture ---- */

enum { LEFT = 90, WIDTH = 620, BAR = 12, STEP = 34, TOP = 56 };

/* Ratios are drawn on a logarithmic scale from 1/2 to 32 times native. */
static double position(double ratio)
{
    double p = (log2(fmin(fmax(ratio, 0.5), 32)) + 1) / 6;

    return LEFT + p * WIDTH;
}

static void svg_axis(FILE *f, double height)
{
    for (int ratio = 1; ratio <= 32; ratio *= 2)
        fprintf(f,
                "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555\">%d</text>\n",
                position(ratio), TOP - 8, position(ratio), height - 10,
                ratio == 1 ? "#333" : "#ddd", position(ratio), TOP - 12, ratio);
}

static void svg_bar(FILE *f, double y, double ratio, const char *colour)
{
    double from = position(fmin(ratio, 1)), to = position(fmax(ratio, 1));

    if (ratio <= 0)
        return;
    fprintf(f,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n"
            "<text x=\"%.1f\" y=\"%.1f\" fill=\"#333\">%.2f</text>\n",
            from, y, fmax(to - from, 1), BAR, colour, to + 4, y + BAR - 2, ratio);
}

static void svg_group(FILE *f, double y, const char *name, double denali, double qemu)
{
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"#111\">%s</text>\n", LEFT - 8,
            y + BAR + 4, name);
    svg_bar(f, y, denali, "#2a7ab9");
    svg_bar(f, y + BAR + 1, qemu, "#c9a227");
}

bool report_svg(const struct report *report, const char *path)
{
    FILE *f = fopen(path, "w");
    double height = TOP + (report->count + 1.0) * STEP + 10;

    if (!f)
        return false;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
            "font-family=\"sans-serif\" font-size=\"11\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"10\" y=\"18\" font-size=\"14\">Time by native time (native = 1, less is "
            "better)</text>\n"
            "<text x=\"10\" y=\"34\"><tspan fill=\"#2a7ab9\">denali</tspan> <tspan "
            "fill=\"#c9a227\">qemu-i386</tspan></text>\n",
            LEFT + WIDTH + 60, height);
    svg_axis(f, height);
    for (unsigned i = 0; i < report->count; i++)
        svg_group(f, TOP + i * (double)STEP, report->rows[i].name,
                  report_ratio(&report->rows[i], REPORT_DENALI, report->measure),
                  report_ratio(&report->rows[i], REPORT_QEMU, report->measure));
    svg_group(f, TOP + report->count * (double)STEP, "geo. mean",
              report_mean(report, REPORT_DENALI, report->measure),
              report_mean(report, REPORT_QEMU, report->measure));
    fputs("</svg>\n", f);
    return fclose(f) == 0;
}
