/* SPDX-License-Identifier: MIT */
/* A closed load on many web servers: each of them in turn, for some seconds. */
#ifndef DENALI_BENCH_LOAD_H
#define DENALI_BENCH_LOAD_H

#include "emu/cli/bench/bench_world.h"

struct bench_load {
    uint64_t answers, errors;
    double seconds, p50_ms, p99_ms;
    struct pool_counters before, after;
};

/*
 * A world of options->vms clones of `server`, asked for `target` (whose whole answer has
 * at least `least` bytes), `at_once` at a time, after each was asked once.
 */
MUST_CHECK int bench_load(const struct bench_options *options, const struct bench_server *server,
                          const char *target, size_t least, unsigned at_once,
                          struct bench_load *out, struct why *why);

#endif
