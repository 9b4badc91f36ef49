/* SPDX-License-Identifier: MIT */
/* The experiments of `denali bench`, one file each. */
#ifndef DENALI_BENCH_H
#define DENALI_BENCH_H

#include "emu/base/base.h"
#include "emu/base/why.h"

struct bench_options {
    const char *httpd; /* path of the web server */
    uint32_t vms;
    uint32_t sample; /* at most so many are asked */
    uint32_t max_windows;
    uint64_t memory_bytes; /* for VMs that have a window */
    const char *swap_path; /* NULL: none */
    uint64_t swap_bytes;
    unsigned workers;
    bool json;
    double alpha;     /* zipf */
    unsigned seconds; /* zipf */
    const char *svg;  /* where the picture goes; NULL: none */
    bool sync_interrupts;
};

/* 0; 1: an answer was missing or wrong; a negative errno and `why`. Prints the result. */
MUST_CHECK int bench_alive(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_zipf(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_cliff(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_switch(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_packet(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_interrupts(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_idle(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_game(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_http(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_tcp(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_hostile(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_soak(const struct bench_options *options, struct why *why);
MUST_CHECK int bench_create(const struct bench_options *options, struct why *why);

/* zipf, without a word. */
struct bench_zipf_result {
    double requests_per_s, p99_ms;
    uint64_t errors;
};
MUST_CHECK int bench_zipf_measure(const struct bench_options *options,
                                  struct bench_zipf_result *out, struct why *why);

/* For qsort: uint32_t, ascending; latencies in us are kept so. */
int bench_by_us(const void *a, const void *b);

#endif
