/* SPDX-License-Identifier: MIT */
/* `denali test` from its options to its exit status. */
#ifndef DENALI_TEST_TESTER_H
#define DENALI_TEST_TESTER_H

#include "emu/test/options.h"

enum tester_status {
    TESTER_PASSED = 0,  /* at least one test ran, and all that ran passed */
    TESTER_FAILED = 1,  /* one failed, passed unexpectedly, or is flaky */
    TESTER_WRONG = 2,   /* the command line or a specification is wrong: no test was run */
    TESTER_NOTHING = 3, /* no test ran: none was found, or all were skipped */
    TESTER_BROKEN = 4,  /* denali or the host failed: not all tests were run */
};

int tester_run(const struct test_options *options);

#endif
