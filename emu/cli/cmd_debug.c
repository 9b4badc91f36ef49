/* SPDX-License-Identifier: MIT */
/* denali debug: a VM that stands before its first instruction, and the monitor. */
#include "emu/cli/cli.h"
#include "emu/cli/run/run_debug.h"
#include "emu/debug/command/command.h"

#include <stdio.h>

static int debug_run(int argc, char **argv)
{
    struct run_options options;
    struct why why;
    int err = run_options_parse(argc - 1, argv + 1, &options, &why);
    if (!err && options.help) {
        fputs(cli_debug.help, stdout);
        run_options_fini(&options);
        return CLI_OK;
    }
    if (err) {
        run_options_fini(&options);
        return cli_complain(CLI_FAILED, "%s", why.text);
    }
    options.monitor = true;
    return run_debug(&options, true);
}

static void print_reference(bool markdown)
{
    command_print_reference(stdout, markdown);
}

const struct cli_verb cli_debug = {
    .name = "debug",
    .summary = "run a guest under the monitor: step, break, look, go back",
    .help = "usage: denali debug [options of run] [--commands FILE] [--batch] IMAGE [args...]\n"
            "\n"
            "Makes a VM as denali run does, and stops it before its first instruction. Then\n"
            "commands are read: from FILE, and from the terminal, where there is line editing\n"
            "(Tab completes, Ctrl-R searches, Ctrl-C stops the guest). If standard input is no\n"
            "terminal and there is no FILE, commands are read from it.\n"
            "\n"
            "      --commands FILE      run these commands first; the first that fails ends them\n"
            "      --batch              end after them, also on a terminal\n"
            "      --monitor unix:PATH  take commands from a socket as lines, and answer in JSON\n"
            "\n"
            "The commands are those of gdb as far as there are such; \"help\" lists them.\n"
            "docs/DEBUGGING.md has a session from beginning to end.\n"
            "\n"
            "Exit status: that of the guest if it has ended (see denali help run), else 0;\n"
            "125 if a command of FILE or denali failed; 126 if the image cannot be run.\n"
            "\n"
            "  denali debug build/guests/accounts\n"
            "  denali debug --commands session.txt --batch build/guests/accounts\n"
            "  echo 'break main\n"
            "  continue\n"
            "  backtrace' | denali debug build/guests/httpd\n",
    .run = debug_run,
    .reference = print_reference,
};
