/* SPDX-License-Identifier: MIT */
/* All tests of the folders and files that were named. */
#ifndef DENALI_TEST_SUITE_H
#define DENALI_TEST_SUITE_H

#include "emu/test/buffer.h"
#include "emu/test/spec.h"

struct suite {
    struct spec **test; /* sorted by name */
    unsigned tests, room;
    struct buffer errors; /* one line for each specification that is wrong */
    unsigned wrong;
};

struct suite_wish {
    const char *const *path; /* folders are searched for *.toml and *.test.json */
    unsigned paths;
    const struct spec_config *config;
    const char *const
        *filter; /* a test whose name contains one of them, or that has the tag "tag:T" */
    unsigned filters;
    unsigned shard, shards; /* every shards-th test, from the shard-th on (from 1); 0: all */
};

/* What is wrong is in `errors`; -ENOMEM. */
MUST_CHECK int suite_load(struct suite *suite, const struct suite_wish *wish);
void suite_free(struct suite *suite);

#endif
