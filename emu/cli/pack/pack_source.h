/* SPDX-License-Identifier: MIT */
/* Where a root comes from: a folder of the host, or a tar file. */
#ifndef DENALI_PACK_SOURCE_H
#define DENALI_PACK_SOURCE_H

#include "emu/base/why.h"
#include "emu/cli/pack/pack_write.h"

/*
 * A number that changes when anything below the folder changes: names, types,
 * sizes, owners, rights, times. `path` is only for messages. Negative errno.
 */
MUST_CHECK int pack_folder_key(const char *path, uint64_t *key, struct why *why);

/* Puts the folder's files into the image and its names into the tree. *skipped: files that could
 * not be read and are left out, the first of them named in first_skipped. */
struct pack_skips {
    unsigned count;
    char first[200];
};
MUST_CHECK int pack_folder(const char *path, struct pack_writer *writer, struct pack_tree *tree,
                           struct pack_skips *skips, struct why *why);

/* The same for a tar file (ustar, pax, GNU; gzip is undone). Its bytes are taken for hostile. */
MUST_CHECK int pack_tar_key(const char *path, uint64_t *key, struct why *why);
MUST_CHECK int pack_tar(const char *path, struct pack_writer *writer, struct pack_tree *tree,
                        struct pack_skips *skips, struct why *why);

#endif
