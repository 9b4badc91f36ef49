/* SPDX-License-Identifier: MIT */
/* A report as SVG: each chart a panel with axes, ticks, curves and a legend; figures below. */
#include "emu/cli/bench/bench_report.h"

#include <math.h>
#include <stdio.h>

#define WIDTH 760.0
#define PANEL 330.0
#define LEFT 90.0
#define RIGHT 190.0
#define TOP 40.0
#define BOTTOM 50.0

static const char *const colours[BENCH_SERIES] = {"#2a7ab9", "#c9542a", "#4a9a4a", "#8a5ab0"};

/* One axis: values from low to high onto pixels from `from` to `to`. */
struct axis {
    double low, high, from, to;
    bool log;
};

static double place(const struct axis *a, double value)
{
    double low = a->log ? log10(a->low) : a->low, high = a->log ? log10(a->high) : a->high;
    double at = a->log ? log10(value > a->low ? value : a->low) : value;
    return a->from + (high > low ? (at - low) / (high - low) : 0.5) * (a->to - a->from);
}

static void widen(struct axis *a, double value)
{
    if (a->log && value <= 0)
        return;
    if (value < a->low)
        a->low = value;
    if (value > a->high)
        a->high = value;
}

/* 1, 2 or 5 times a power of ten: about five ticks. */
static double tick_step(const struct axis *a)
{
    double raw = (a->high - a->low) / 5, power = pow(10, floor(log10(raw)));
    double head = raw / power;
    return power * (head < 1.5 ? 1 : head < 3.5 ? 2 : head < 7.5 ? 5 : 10);
}

static double next_tick(const struct axis *a, double tick)
{
    return a->log ? tick * 10 : tick + tick_step(a);
}

static double first_tick(const struct axis *a)
{
    if (a->log)
        return pow(10, ceil(log10(a->low) - 1e-9));
    double step = tick_step(a);
    return ceil(a->low / step - 1e-9) * step;
}

static void draw_x(FILE *f, const struct axis *x, double top, double bottom)
{
    for (double t = first_tick(x); t <= x->high * (1 + 1e-9); t = next_tick(x, t)) {
        double at = place(x, t);
        fprintf(f,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.6g</text>\n",
                at, top, at, bottom, at, bottom + 16, t);
    }
}

static void draw_y(FILE *f, const struct axis *y, double left, double right)
{
    for (double t = first_tick(y); t <= y->high * (1 + 1e-9); t = next_tick(y, t)) {
        double at = place(y, t);
        fprintf(f,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
                left, at, right, at, left - 6, at + 4, t);
    }
}

static void draw_series(FILE *f, const struct bench_series *s, const struct axis *x,
                        const struct axis *y, unsigned n, double top)
{
    fprintf(f, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colours[n]);
    for (unsigned i = 0; i < s->points; i++)
        fprintf(f, "%.1f,%.1f ", place(x, s->x[i]), place(y, s->y[i]));
    fprintf(f, "\"/>\n");
    for (unsigned i = 0; i < s->points; i++)
        fprintf(f, "<circle r=\"3\" fill=\"%s\" cx=\"%.1f\" cy=\"%.1f\"/>\n", colours[n],
                place(x, s->x[i]), place(y, s->y[i]));
    double at = top + 14 + 18 * n;
    fprintf(f,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"4\" fill=\"%s\"/>\n"
            "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n",
            WIDTH - RIGHT + 12, at - 6, colours[n], WIDTH - RIGHT + 30, at, s->name);
}

static void draw_chart(FILE *f, const struct bench_chart *c, double top)
{
    struct axis x = {INFINITY, -INFINITY, LEFT, WIDTH - RIGHT, c->log_x};
    struct axis y = {c->log_y ? INFINITY : 0, 0, top + PANEL - BOTTOM, top + TOP, c->log_y};
    for (unsigned s = 0; s < c->count; s++)
        for (unsigned i = 0; i < c->series[s].points; i++) {
            widen(&x, c->series[s].x[i]);
            widen(&y, c->series[s].y[i]);
        }
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" font-weight=\"bold\">%s</text>\n", LEFT, top + 22,
            c->title);
    if (!(x.high >= x.low) || !(y.high > y.low))
        return; /* nothing to draw */
    draw_x(f, &x, y.to, y.from);
    draw_y(f, &y, x.from, x.to);
    fprintf(f,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
            "stroke=\"#888\"/>\n"
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n"
            "<text transform=\"translate(16,%.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            x.from, y.to, x.to - x.from, y.from - y.to, (x.from + x.to) / 2, y.from + 36,
            c->x_label, (y.from + y.to) / 2, c->y_label);
    for (unsigned s = 0; s < c->count; s++)
        draw_series(f, &c->series[s], &x, &y, s, y.to);
}

bool bench_picture(const struct bench_report *r, void *out)
{
    FILE *f = out;
    double height = PANEL * r->charts + 18 * r->figures + 30;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            WIDTH, height);
    for (unsigned c = 0; c < r->charts; c++)
        draw_chart(f, &r->chart[c], c * PANEL);
    for (unsigned i = 0; i < r->figures; i++)
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\">%s: %.6g %s</text>\n", LEFT,
                PANEL * r->charts + 20 + 18 * i, r->figure[i].key, r->figure[i].value,
                r->figure[i].unit);
    fprintf(f, "</svg>\n");
    return !ferror(f);
}
