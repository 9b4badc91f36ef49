/* SPDX-License-Identifier: MIT */
/* What `denali test` was asked to do. Strings are argv's own. */
#ifndef DENALI_TEST_OPTIONS_H
#define DENALI_TEST_OPTIONS_H

#include "emu/test/spec.h"

#define TEST_MAX_FORMATS 8u
#define TEST_MAX_ENGINES 4u
#define TEST_MAX_WORDS 256u

struct test_options {
    const char *path[TEST_MAX_WORDS];
    unsigned paths;
    const char *filter[TEST_MAX_WORDS];
    unsigned filters;
    struct spec_define define[TEST_MAX_WORDS];
    unsigned defines;
    const char *format[TEST_MAX_FORMATS];
    unsigned formats;
    const char *engine[TEST_MAX_ENGINES]; /* "native" among them: the host's own processor */
    unsigned engines;
    const char *against; /* NULL: not said */
    const char *output;  /* of artifacts */
    const char *drcov, *lcov;
    unsigned jobs; /* 0: as many as there are processors */
    unsigned repeat;
    unsigned shard, shards;
    uint64_t seed, timeout_ns; /* 0: each test's own */
    bool real_time, bless, fail_fast, quiet, list, fresh, no_record, help;
};

/* From the words after the verb. 0, or -EINVAL and `why`. The strings in `define` that were cut out
 * are freed by test_options_fini. */
MUST_CHECK int test_options_parse(int argc, char **argv, struct test_options *out, struct why *why);
void test_options_fini(struct test_options *options);

#endif
