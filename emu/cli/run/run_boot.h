/* SPDX-License-Identifier: MIT */
/*
 * What to boot for an IMAGE: a Denali image itself, or Ilwaco with the Linux
 * program that was named; and with which arguments, environment and disks.
 */
#ifndef DENALI_RUN_BOOT_H
#define DENALI_RUN_BOOT_H

#include "denali/image.h"
#include "emu/cli/run/run_options.h"

struct boot {
    struct image *image; /* to be booted */
    bool linux_program;
    uint64_t mem_bytes; /* 0: the image's wish */
    char *program;      /* a host file for the disk "program", or NULL */
    char *root;         /* a packed root for the disk "root", or NULL */
    char **args, **env; /* NULL-ended */
};

/* 0, or a negative errno and `why`; -ENOEXEC: cannot be run. */
MUST_CHECK int boot_plan(const struct run_options *options, struct boot *out, struct why *why);
void boot_fini(struct boot *boot);

#endif
