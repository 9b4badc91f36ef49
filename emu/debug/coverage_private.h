/* SPDX-License-Identifier: MIT */
/* What coverage.c and coverage_lcov.c share. */
#ifndef DENALI_DEBUG_COVERAGE_PRIVATE_H
#define DENALI_DEBUG_COVERAGE_PRIVATE_H

#include "emu/base/host_thread.h"
#include "emu/debug/coverage.h"

#include <stdio.h>

#define COVERAGE_FILES 8u

/* Blocks (start, length) or edges (end, target). */
struct coverage_pair {
    uint32_t a, b;
};

/* Open addressing; a pair of 0, 0 is an empty place. */
struct coverage_set {
    struct coverage_pair *pair;
    size_t room, count;
};

struct coverage_file {
    const char *path;
    uint32_t offset, begin, end, entry; /* as loaded */
    FILE *in;
};

struct coverage {
    struct engine_coverage engine;
    struct host_lock lock;
    struct coverage_set blocks, edges;
    bool lost; /* out of memory: what follows is not known */
    struct coverage_file file[COVERAGE_FILES];
    unsigned files;
    FILE *out[COVERAGE_FORMATS]; /* NULL: not wanted */
    const char *out_path[COVERAGE_FORMATS];
};

/* 0, -ENOMEM. */
MUST_CHECK int coverage_lcov(struct coverage *c, FILE *out);
extern const bool coverage_has_lcov;

/* Addresses that ran, as sorted runs that do not touch; for the caller to free. */
struct coverage_run {
    uint32_t begin, end;
};
MUST_CHECK int coverage_runs(const struct coverage *c, struct coverage_run **out, size_t *count);
bool coverage_ran(const struct coverage_run *run, size_t count, uint32_t address);
bool coverage_has_edge(const struct coverage *c, uint32_t end, uint32_t to);

#endif
