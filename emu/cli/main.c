/* SPDX-License-Identifier: MIT */
/* The program: finds the verb and runs it. */
#include "emu/cli/cli.h"
#include "emu/cli/host/host_verbs.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct cli_verb *const cli_verbs[] = {
    &cli_run,   &cli_pc,   &cli_debug, &cli_replay,
#if HAVE_HOST
    HOST_VERBS,
#endif
    &cli_test,  &cli_fuzz, &cli_disk,  &cli_bench,  &cli_help, &cli_version, NULL,
};

const struct cli_verb *cli_find_verb(const char *name)
{
    for (unsigned i = 0; cli_verbs[i]; i++) {
        if (!strcmp(cli_verbs[i]->name, name))
            return cli_verbs[i];
    }
    return NULL;
}

int cli_complain(int status, const char *fmt, ...)
{
    va_list args;
    fflush(stdout);
    fputs("denali: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

/* A descriptor that is closed now would otherwise become a disk image that output goes to. */
static int open_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return -errno;
    } while (fd < 3);
    close(fd);
    return 0;
}

static const struct cli_verb *verb_of(const char *word)
{
    if (!strcmp(word, "--version") || !strcmp(word, "-V"))
        word = "version";
    else if (!strcmp(word, "--help") || !strcmp(word, "-h"))
        word = "help";
    return cli_find_verb(word);
}

int main(int argc, char **argv)
{
    if (open_standard_descriptors())
        return CLI_FAILED;
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error that the guest is told */
    if (argc < 2)
        return cli_complain(CLI_FAILED, "say what to do: denali run IMAGE, or denali help");
    const struct cli_verb *verb = verb_of(argv[1]);
    if (!verb)
        return cli_complain(CLI_FAILED, "there is no verb \"%s\"; see denali help", argv[1]);
    return verb->run(argc - 1, argv + 1);
}
