/* SPDX-License-Identifier: MIT */
/* denali help [VERB] */
#include "emu/cli/cli.h"

#include <stdio.h>
#include <string.h>

static int print_overview(void)
{
    puts("usage: denali VERB [options] ...\n");
    for (unsigned i = 0; cli_verbs[i]; i++)
        printf("  %-10s %s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
    puts("\ndenali help VERB tells more of one.");
    return CLI_OK;
}

static int run_help(int argc, char **argv)
{
    if (argc < 2)
        return print_overview();
    const struct cli_verb *verb = cli_find_verb(argv[1]);
    if (!verb)
        return cli_complain(CLI_FAILED, "there is no verb \"%s\"; see denali help", argv[1]);
    bool markdown = argc > 2 && !strcmp(argv[2], "--markdown");
    if (!markdown)
        fputs(verb->help, stdout);
    if (verb->reference)
        verb->reference(markdown);
    return CLI_OK;
}

const struct cli_verb cli_help = {
    .name = "help",
    .summary = "tell what can be done, or more of one verb",
    .help =
        "usage: denali help [VERB [--markdown]]\n\nLists the verbs, or tells everything about one. "
        "--markdown: what its reference in docs/ holds.\n",
    .run = run_help,
};
