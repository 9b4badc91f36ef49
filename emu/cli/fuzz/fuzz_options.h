/* SPDX-License-Identifier: MIT */
/* What `denali fuzz` was asked to do. Strings are argv's own. */
#ifndef DENALI_FUZZ_OPTIONS_H
#define DENALI_FUZZ_OPTIONS_H

#include "emu/cli/run/run_options.h"
#include "emu/fuzz/guest.h"

#define FUZZ_MAX_TRIES 64u

enum fuzz_task { FUZZ_CAMPAIGN, FUZZ_SERVE, FUZZ_TRY, FUZZ_SPEED, FUZZ_MINIMISE };

struct fuzz_options {
    struct run_options run;
    enum fuzz_task task;
    const char *input; /* --input; NULL: the console */
    const char *start; /* NULL: what the way wants */
    const char *end[FUZZ_MAX_ENDS];
    unsigned ends;
    uint64_t max_insns, boot_insns;
    uint8_t crash_status[FUZZ_MAX_STATUSES];
    unsigned crash_statuses;
    const char *seeds, *output, *dictionary;
    uint64_t seconds; /* 0: no end */
    unsigned jobs;
    bool until_crash;
    const char *try[FUZZ_MAX_TRIES];
    unsigned tries;
    const char *minimise;
    char **guest_words; /* argv from the verb on, for the servers */
};

/* From argv, the verb first. 0, or a negative errno and `why`. */
MUST_CHECK int fuzz_options_parse(int argc, char **argv, struct fuzz_options *out, struct why *why);
void fuzz_options_fini(struct fuzz_options *options);

/* Whether this word (and how many after it) is for the campaign alone, not for the guest. */
unsigned fuzz_option_of_campaign(char *const *words);

#endif
