/* SPDX-License-Identifier: MIT */
/* What the files that tell stories share. */
#ifndef DENALI_TEST_STORY_PRIVATE_H
#define DENALI_TEST_STORY_PRIVATE_H

#include "emu/test/story.h"

#define RECORD_MOST_NS 30000000000u /* what ran longer is not run again */
#define TAIL_BYTES 1500u

struct story {
    const struct spec *spec;
    const char *folder;
    char *recording, *commands, *snapshot;
    struct outcome *out;
};

MUST_CHECK int story_make_folder(const char *path);
char *story_path(const char *folder, const char *name); /* from malloc; NULL */
/* A file of the folder; none if there is nothing to write. */
void story_write(const char *folder, const char *name, const struct buffer *text);
void story_forget_recording(const char *folder);
/* This program again, with what it says; its wait status, or negative. */
int story_run_self(const char *const argv[], struct buffer *out);

/* At most so many lines, indented. */
void story_add_lines(struct buffer *to, const char *text, unsigned most);
/* What the debugger, which is this program with `argv` (it reads s->commands), says to the
 * commands. */
void story_ask(struct story *s, const char *const argv[], const char *title,
               const struct buffer *commands);
/* story_pc.c. `records`: it may be run once more. */
void story_tell_pc(struct story *s, struct runner *runner, const struct run_wish *wish,
                   bool records);

#endif
