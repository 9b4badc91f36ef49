/* SPDX-License-Identifier: MIT */
/* Medians and ratios of the PC's benchmark, as a table and as JSON. */
#include "testsuite/bench/pc/speed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const side_names[SPEED_SIDES] = {"denali", "qemu"};
static const char *const measure_names[SPEED_MEASURES] = {"host", "cpu", "guest"};

struct speed_row *speed_row(struct speed *s, const char *name)
{
    for (unsigned i = 0; i < s->rows; i++) {
        if (!strcmp(s->row[i].name, name))
            return &s->row[i];
    }
    if (s->rows == SPEED_MAX_ROWS || strlen(name) >= SPEED_NAME)
        return NULL;
    struct speed_row *row = &s->row[s->rows++];
    memcpy(row->name, name, strlen(name) + 1);
    return row;
}

void speed_add(struct speed_row *row, enum speed_side side, const struct speed_sample *sample)
{
    if (row->count[side] < SPEED_MAX_ROUNDS)
        row->sample[side][row->count[side]++] = *sample;
}

void speed_hash(struct speed_row *row, uint64_t hash)
{
    row->differs = row->differs || (row->has_hash && row->hash != hash);
    row->hash = hash;
    row->has_hash = true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(values[0]), by_value);
    return count ? (values[(count - 1) / 2] + values[count / 2]) / 2 : 0;
}

static double side_median(const struct speed_row *row, enum speed_side side,
                          enum speed_measure measure)
{
    double values[SPEED_MAX_ROUNDS];
    for (unsigned i = 0; i < row->count[side]; i++)
        values[i] = row->sample[side][i].seconds[measure];
    return median(values, row->count[side]);
}

/* The other side's sample of the same round. */
static const struct speed_sample *partner(const struct speed_row *row, unsigned round)
{
    for (unsigned i = 0; i < row->count[SPEED_QEMU]; i++) {
        if (row->sample[SPEED_QEMU][i].round == round)
            return &row->sample[SPEED_QEMU][i];
    }
    return NULL;
}

double speed_ratio(const struct speed_row *row, enum speed_measure measure)
{
    double ratios[SPEED_MAX_ROUNDS];
    unsigned count = 0;
    for (unsigned i = 0; i < row->count[SPEED_DENALI]; i++) {
        const struct speed_sample *ours = &row->sample[SPEED_DENALI][i];
        const struct speed_sample *theirs = partner(row, ours->round);
        if (theirs && ours->seconds[measure] > 0)
            ratios[count++] = theirs->seconds[measure] / ours->seconds[measure];
    }
    return median(ratios, count);
}

double speed_mean(const struct speed *s, enum speed_measure measure)
{
    double sum = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < s->rows; i++) {
        double ratio = speed_ratio(&s->row[i], measure);
        if (ratio > 0)
            sum += log(ratio), count++;
    }
    return count ? exp(sum / count) : 0;
}

double speed_worst(const struct speed *s, enum speed_measure measure, const char **name)
{
    double worst = 0;
    *name = "";
    for (unsigned i = 0; i < s->rows; i++) {
        double ratio = speed_ratio(&s->row[i], measure);
        if (ratio > 0 && (worst == 0 || ratio < worst)) {
            worst = ratio;
            *name = s->row[i].name;
        }
    }
    return worst;
}

/* A side that ran at all has a figure in every row. */
static bool row_failed(const struct speed *s, const struct speed_row *row)
{
    bool failed = row->differs;
    for (int side = 0; side < SPEED_SIDES; side++)
        failed = failed || row->failed[side] || (s->ran[side] && !row->count[side]);
    return failed;
}

bool speed_failed(const struct speed *s)
{
    bool failed = !s->rows;
    for (unsigned i = 0; i < s->rows; i++)
        failed = failed || row_failed(s, &s->row[i]);
    return failed;
}

/* The table. */

static void print_row(const struct speed_row *row)
{
    printf("%-10s", row->name);
    for (int side = 0; side < SPEED_SIDES; side++) {
        if (row->failed[side])
            printf(" %8s %8s %8s", "FAILED", "", "");
        else
            for (int m = 0; m < SPEED_MEASURES; m++)
                printf(" %8.2f", side_median(row, (enum speed_side)side, (enum speed_measure)m));
    }
    for (int m = 0; m < SPEED_MEASURES; m++)
        printf(" %7.2f", speed_ratio(row, (enum speed_measure)m));
    printf("%s\n", row->differs ? "  OUTPUT DIFFERS" : "");
}

void speed_print(const struct speed *s)
{
    printf("\n%-10s %26s %26s %23s\n%-10s", "", "denali (seconds)", "qemu (seconds)",
           "times faster than qemu", "");
    for (int side = 0; side < SPEED_SIDES; side++)
        for (int m = 0; m < SPEED_MEASURES; m++)
            printf(" %8s", measure_names[m]);
    for (int m = 0; m < SPEED_MEASURES; m++)
        printf(" %7s", measure_names[m]);
    putchar('\n');
    for (unsigned i = 0; i < s->rows; i++)
        print_row(&s->row[i]);
    printf("%-10s %53s", "mean", "");
    for (int m = 0; m < SPEED_MEASURES; m++)
        printf(" %7.2f", speed_mean(s, (enum speed_measure)m));
    printf("\n%-10s %53s", "worst", "");
    const char *name;
    for (int m = 0; m < SPEED_MEASURES; m++)
        printf(" %7.2f", speed_worst(s, (enum speed_measure)m, &name));
    speed_worst(s, SPEED_HOST, &name);
    printf("  (%s)\n", name);
}

/* JSON. */

static void json_side(FILE *f, const struct speed_row *row, enum speed_side side)
{
    fprintf(f, ",\n     \"%s\": {\"failed\": %s", side_names[side],
            row->failed[side] ? "true" : "false");
    for (int m = 0; m < SPEED_MEASURES; m++) {
        fprintf(f, ", \"%s\": {\"median\": %.6f, \"samples\": [", measure_names[m],
                side_median(row, side, (enum speed_measure)m));
        for (unsigned i = 0; i < row->count[side]; i++)
            fprintf(f, "%s%.6f", i ? ", " : "", row->sample[side][i].seconds[m]);
        fputs("]}", f);
    }
    fputs("}", f);
}

static void json_ratios(FILE *f, const struct speed_row *row)
{
    fprintf(f, "    {\"name\": \"%s\", \"differs\": %s, \"ratio\": {", row->name,
            row->differs ? "true" : "false");
    for (int m = 0; m < SPEED_MEASURES; m++)
        fprintf(f, "%s\"%s\": %.4f", m ? ", " : "", measure_names[m],
                speed_ratio(row, (enum speed_measure)m));
    fputs("}", f);
}

static void json_summary(FILE *f, const struct speed *s)
{
    const char *name;
    fputs("  ],\n  \"mean\": {", f);
    for (int m = 0; m < SPEED_MEASURES; m++)
        fprintf(f, "%s\"%s\": %.4f", m ? ", " : "", measure_names[m],
                speed_mean(s, (enum speed_measure)m));
    fputs("},\n  \"worst\": {", f);
    for (int m = 0; m < SPEED_MEASURES; m++) {
        double worst = speed_worst(s, (enum speed_measure)m, &name);
        fprintf(f, "%s\"%s\": {\"ratio\": %.4f, \"name\": \"%s\"}", m ? ", " : "", measure_names[m],
                worst, name);
    }
    fputs("}\n}\n", f);
}

bool speed_json(const struct speed *s, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    fprintf(f, "{\n  \"engine\": \"%s\", \"cpu\": \"%s\", \"scale\": %u,\n  \"programs\": [\n",
            s->engine ? s->engine : "default", s->cpu, s->scale);
    for (unsigned i = 0; i < s->rows; i++) {
        json_ratios(f, &s->row[i]);
        for (int side = 0; side < SPEED_SIDES; side++)
            json_side(f, &s->row[i], (enum speed_side)side);
        fprintf(f, "}%s\n", i + 1 < s->rows ? "," : "");
    }
    json_summary(f, s);
    return fclose(f) == 0;
}
