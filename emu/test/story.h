/* SPDX-License-Identifier: MIT */
/*
 * What is told of a test that failed, beyond what failed: it runs once more, is recorded, and the
 * debugger looks at the recording. Everything lands in a folder; the report gets what fits a page,
 * and the command that leads into the recording.
 */
#ifndef DENALI_TEST_STORY_H
#define DENALI_TEST_STORY_H

#include "emu/test/run.h"

/* `outcome` failed. `folder` is the test's own, below that of all artifacts; it is made. */
void story_tell(struct runner *runner, const struct spec *spec, const struct run_wish *wish,
                const char *folder, bool record, struct outcome *outcome);

/* "a/b c" as a path without surprises. From malloc; NULL: no memory. */
char *story_folder(const char *output, const char *name);

#endif
