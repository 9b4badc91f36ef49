/* SPDX-License-Identifier: MIT */
/* The ELF files of a VM on this host, for the debugger's symbols. */
#ifndef DENALI_RUN_FILES_H
#define DENALI_RUN_FILES_H

#include "denali/record/record.h"
#include "emu/cli/run/run_boot.h"
#include "emu/debug/target.h"

struct run_files {
    const char *name; /* of the program, for people */
    unsigned count;
    struct target_file file[TARGET_FILES]; /* as target.h has them; the paths are owned */
    int copy[TARGET_FILES]; /* the descriptors behind copies, of files that have one */
    const char *root;       /* the packed root, NULL: none; as long as the boot, or the recording */
};

/* -ENOMEM and `why`. */
MUST_CHECK int run_files_find(const struct run_options *options, const struct boot *boot,
                              struct run_files *out, struct why *why);
/* Those that the recorder noted, where they still are. */
MUST_CHECK int run_files_of_recording(const struct record_info *info, struct run_files *out,
                                      struct why *why);
/* The files, without the root. -ENOMEM: nothing is left of the copy. */
MUST_CHECK int run_files_copy(const struct run_files *from, struct run_files *to);
bool run_files_are_same(const struct run_files *a, const struct run_files *b);
void run_files_free(struct run_files *files);

#endif
