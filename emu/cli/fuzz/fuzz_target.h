/* SPDX-License-Identifier: MIT */
/* The guest of `denali fuzz`, with all that it needs around it, and its symbols. */
#ifndef DENALI_FUZZ_TARGET_H
#define DENALI_FUZZ_TARGET_H

#include "emu/cli/fuzz/fuzz_options.h"
#include "emu/debug/symbols/symbols.h"

struct fuzz_target;

/* 0, or a negative errno (-ENOEXEC: the image cannot be run) and `why`. */
MUST_CHECK int fuzz_target_create(const struct fuzz_options *options, struct fuzz_target **out,
                                  struct why *why);
void fuzz_target_destroy(struct fuzz_target *target); /* NULL is harmless */

struct fuzz_guest *fuzz_target_guest(struct fuzz_target *target);
/* Counters of translated code since they were cleared, DBT_HITS bytes; NULL: this engine has none.
 */
uint8_t *fuzz_target_hits(struct fuzz_target *target);
/* Whether it is a Linux program under Ilwaco. */
bool fuzz_target_is_linux(const struct fuzz_target *target);

/* "page fault at 0x8049a2b in copy_name (parser.c:31)". */
#define FUZZ_TEXT 320u
const char *fuzz_target_tell(const struct fuzz_target *target, const struct fuzz_result *result,
                             char text[FUZZ_TEXT]);
/* The same for a file's name: "pf-copy_name-parser.c-31". */
const char *fuzz_target_label(const struct fuzz_target *target, const struct fuzz_result *result,
                              char text[FUZZ_TEXT]);
/* Tells of the last run in full: registers, the console's end; to `out`, a FILE *. */
void fuzz_target_report(struct fuzz_target *target, const struct fuzz_result *result, void *out);

#endif
