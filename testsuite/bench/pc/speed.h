/* SPDX-License-Identifier: MIT */
/* What the PC's benchmark measures, and its forms (text, JSON). */
#ifndef DENALI_BENCH_PC_SPEED_H
#define DENALI_BENCH_PC_SPEED_H

#include <stdbool.h>
#include <stdint.h>

enum speed_side { SPEED_DENALI, SPEED_QEMU, SPEED_SIDES };
enum { SPEED_MAX_ROWS = 24, SPEED_MAX_ROUNDS = 32, SPEED_NAME = 24 };

/* host: between two lines on the serial port, by the host's clock. cpu: what the emulator's
 * process used meanwhile. guest: by the guest's own clock, which may lie. */
enum speed_measure { SPEED_HOST, SPEED_CPU, SPEED_GUEST, SPEED_MEASURES };

struct speed_sample {
    double seconds[SPEED_MEASURES];
    unsigned round;
};

struct speed_row {
    char name[SPEED_NAME];
    struct speed_sample sample[SPEED_SIDES][SPEED_MAX_ROUNDS];
    unsigned count[SPEED_SIDES];
    bool failed[SPEED_SIDES]; /* a status that is not 0 */
    uint64_t hash;            /* of the output, as the first run had it */
    bool has_hash, differs;   /* a later run printed something else */
};

struct speed {
    struct speed_row row[SPEED_MAX_ROWS];
    unsigned rows;
    bool ran[SPEED_SIDES];
    const char *engine; /* NULL: the program's choice */
    const char *cpu;
    unsigned scale;
};

/* The row of a name, made where there is none; NULL: no room. */
struct speed_row *speed_row(struct speed *s, const char *name);
void speed_add(struct speed_row *row, enum speed_side side, const struct speed_sample *sample);
/* A program's output: all runs must have the same. */
void speed_hash(struct speed_row *row, uint64_t hash);

/* Median over the rounds of qemu's time by ours in the same round: above 1 we are faster; 0 where
 * a side has no figure. */
double speed_ratio(const struct speed_row *row, enum speed_measure measure);
double speed_mean(const struct speed *s, enum speed_measure measure);
double speed_worst(const struct speed *s, enum speed_measure measure, const char **name);
/* Something failed, is missing or differs. */
bool speed_failed(const struct speed *s);

void speed_print(const struct speed *s);
/* False when the file cannot be written. */
bool speed_json(const struct speed *s, const char *path);

#endif
