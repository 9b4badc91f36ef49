/* SPDX-License-Identifier: MIT */
/* What story.c and story_files.c share. */
#ifndef DENALI_TEST_STORY_PRIVATE_H
#define DENALI_TEST_STORY_PRIVATE_H

#include "emu/test/story.h"

MUST_CHECK int story_make_folder(const char *path);
char *story_path(const char *folder, const char *name); /* from malloc; NULL */
/* A file of the folder; none if there is nothing to write. */
void story_write(const char *folder, const char *name, const struct buffer *text);
void story_forget_recording(const char *folder);
/* This program again, with what it says; its wait status, or negative. */
int story_run_self(const char *const argv[], struct buffer *out);

#endif
