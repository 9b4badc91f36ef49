/* SPDX-License-Identifier: MIT */
/* The command line: its verbs and exit statuses. One file for each verb. */
#ifndef DENALI_CLI_H
#define DENALI_CLI_H

#include "emu/base/base.h"
#include "emu/base/why.h"

/* 0 to 119 are the guest's own. */
enum cli_status {
    CLI_OK = 0,
    CLI_GUEST_MAX = 119,
    CLI_FAULT = 120,      /* the guest died of a fault; the report is on stderr */
    CLI_TIMEOUT = 124,    /* its time was up */
    CLI_FAILED = 125,     /* denali or the host failed, or the command line is wrong */
    CLI_CANNOT_RUN = 126, /* the image cannot be run; stderr says why */
};

struct cli_verb {
    const char *name;
    const char *summary;               /* one line */
    const char *help;                  /* the whole text of `denali help NAME` */
    int (*run)(int argc, char **argv); /* argv[0] is the verb; the exit status */
    void (*reference)(bool markdown);  /* NULL, or prints what `denali help NAME` tells beyond */
};

extern const struct cli_verb cli_run, cli_pc, cli_debug, cli_replay, cli_test, cli_fuzz, cli_disk,
    cli_bench, cli_help, cli_version;

/* denali replay, of a PC's recording: its folder is one of the words. False: there is none. */
bool cli_pc_replays(int argc, char **argv);
int cli_pc_replay(int argc, char **argv);

/* NULL-ended. */
extern const struct cli_verb *const cli_verbs[];
const struct cli_verb *cli_find_verb(const char *name);

/* "denali: TEXT" on stderr; returns `status`. */
int cli_complain(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
