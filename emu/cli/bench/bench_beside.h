/* SPDX-License-Identifier: MIT */
/* Frames for VMs that compute: what each arm of bench interrupts leaves of the processor. */
#ifndef DENALI_BENCH_BESIDE_H
#define DENALI_BENCH_BESIDE_H

#include "emu/cli/bench/bench.h"

#define BENCH_BESIDE_NS 300000000u /* of the processor, for one measurement */

struct bench_beside_result {
    double frames_per_s; /* work done; per second of the VMs' one processor */
    double switches;     /* for each frame */
    double dropped;      /* share of the frames that found a queue full */
    double batch;        /* frames that a VM was told of at a time */
};

MUST_CHECK int bench_beside(const struct bench_options *options, uint32_t vms, bool sync,
                            struct bench_beside_result *out, struct why *why);

#endif
