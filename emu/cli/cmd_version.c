/* SPDX-License-Identifier: MIT */
/* denali version */
#include "config.h"
#include "denali/abi.h"
#include "emu/cli/cli.h"

#include <stdio.h>

static int run_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("denali %s, Denali architecture version %u\n", DENALI_VERSION, DENALI_ABI_VERSION);
    return CLI_OK;
}

const struct cli_verb cli_version = {
    .name = "version",
    .summary = "tell the version",
    .help = "usage: denali version\n\nTells the program's version and that of the virtual "
            "architecture.\n",
    .run = run_version,
};
