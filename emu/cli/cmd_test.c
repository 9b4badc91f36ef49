/* SPDX-License-Identifier: MIT */
/* denali test: guests as tests (emu/test). */
#include "emu/cli/cli.h"
#include "emu/test/tester.h"

#include <stdio.h>

static int run_test_verb(int argc, char **argv)
{
    struct test_options options;
    struct why why;
    int err = test_options_parse(argc - 1, argv + 1, &options, &why);
    int status = TESTER_WRONG;
    if (err)
        cli_complain(0, "test: %s", why.text);
    else if (options.help)
        status = fputs(cli_test.help, stdout) < 0 ? TESTER_BROKEN : TESTER_PASSED;
    else
        status = tester_run(&options);
    test_options_fini(&options);
    return status;
}

const struct cli_verb cli_test = {
    .name = "test",
    .summary = "run guests as tests, and say what became of them",
    .help =
        "usage: denali test [options] DIR|FILE...\n"
        "\n"
        "Runs the tests that are specified in *.toml and *.test.json below DIR: each a guest (a\n"
        "Denali image, a Linux program, a PC) and what it must do. docs/TESTING.md tells how\n"
        "they are written. Each runs in a machine of its own whose time counts instructions, so\n"
        "what it does depends on nothing but the test.\n"
        "\n"
        "      --format tap|junit|json|live|plain[:FILE]\n"
        "                           how to answer; several times, to have files besides\n"
        "  -j, --jobs N             tests at once (default: one for each processor)\n"
        "  -k, --filter PART        tests whose name contains PART, or tag:TAG; several times\n"
        "      --list               the names, and nothing is run\n"
        "      --shard i/n          the i-th of n equal parts\n"
        "      --repeat N           runs each N times; one that differs is flaky, and fails\n"
        "      --seed N             of the guests' random numbers (default 1)\n"
        "      --real-time          time follows the host's clock\n"
        "      --fresh              each PC boots by itself (the answers are the same)\n"
        "      --timeout SECONDS    for each test, instead of its own\n"
        "  -x, --fail-fast          begins no test after one has failed\n"
        "      --bless              golden files that differ are shown, then written anew\n"
        "      --engines LIST       under each of interp, dbt, lockstep, native; they must agree\n"
        "      --against OLD        also with OLD (an image, or a folder of such) in the image's\n"
        "                           place; the first difference in behaviour is shown\n"
        "      --coverage lcov:FILE, drcov:FILE\n"
        "                           which lines, or which code, the whole suite ran\n"
        "  -o, --output DIR         what is kept of failed tests (default denali-test)\n"
        "      --no-record          keeps no recordings of them\n"
        "  -D, --define NAME=VALUE  what ${NAME} is in paths of specifications\n"
        "  -q, --quiet              failures alone\n"
        "\n"
        "Exit status: 0 at least one test ran, and all that ran passed; 1 one failed, was flaky,\n"
        "or passed though it is known to fail; 2 the command line or a specification is wrong,\n"
        "and nothing was run; 3 no test ran; 4 denali or the host failed, or it was interrupted.\n"
        "\n"
        "  denali test tests\n"
        "  denali test --format junit:report.xml --shard 1/4 tests\n"
        "  denali test --coverage lcov:cover.info tests && genhtml -o html cover.info\n",
    .run = run_test_verb,
};
