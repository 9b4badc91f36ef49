/* SPDX-License-Identifier: MIT */
/* The search: afl-fuzz as child processes, and what becomes of what they found. */
#ifndef DENALI_FUZZ_CAMPAIGN_H
#define DENALI_FUZZ_CAMPAIGN_H

#include "emu/cli/fuzz/fuzz_inputs.h"
#include "emu/cli/fuzz/fuzz_target.h"

#define FUZZ_STATUS_FOUND 1
#define FUZZ_MINIMISE_RUNS 20000u

/* The exit status. */
int fuzz_campaign(const struct fuzz_options *options, struct fuzz_target *target);

/* Looks through what afl-fuzz left in OUTPUT: for each different crash the smallest input and a
 * test go to OUTPUT/found. How many there are, or a negative errno and `why`. */
MUST_CHECK int fuzz_collect(const struct fuzz_options *options, struct fuzz_target *target,
                            struct why *why);

/* Of one crash. */
struct fuzz_found {
    const char *label; /* a file's name in OUTPUT/found */
    const char *what;  /* one line */
    const struct fuzz_seed *input;
    bool linux_program;
};
/* A test beside the input, label.toml or label.sh, that fails while the crash is there. */
MUST_CHECK int fuzz_write_test(const struct fuzz_options *options, const struct fuzz_found *found,
                               struct why *why);

#endif
