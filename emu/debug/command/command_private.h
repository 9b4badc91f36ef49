/* SPDX-License-Identifier: MIT */
/* What the files command_*.c share: their rows, and how arguments are taken apart. */
#ifndef DENALI_DEBUG_COMMAND_PRIVATE_H
#define DENALI_DEBUG_COMMAND_PRIVATE_H

#include "emu/debug/command/command.h"
#include "emu/debug/session.h"
#include "emu/debug/session_run.h"

#include <errno.h>
#include <string.h>

#define COMMAND_WORD 256

/* One group of rows each, ended by a row without a name. */
extern const struct command command_running_rows[], command_break_rows[], command_catch_rows[],
    command_stack_rows[], command_data_rows[], command_register_rows[], command_memory_rows[],
    command_code_rows[], command_machine_rows[], command_past_rows[], command_debugger_rows[];

/* The function of a row. */
typedef int command_fn(struct session *s, const char *args, struct command_out *out,
                       struct why *why);

/* The first word of args, cut to the room; returns what follows it and its blanks. */
const char *command_word(const char *args, char word[COMMAND_WORD]);
/* A whole number, or `otherwise` where args is empty. -EINVAL and `why`. */
MUST_CHECK int command_count(struct session *s, const char *args, uint64_t otherwise, uint64_t *out,
                             struct why *why);
/* -EINVAL if anything was given. */
MUST_CHECK int command_no_args(const char *args, struct why *why);

/* "/8xw" of x and print: what stands there replaces what the fields held. Returns what follows. */
struct command_format {
    uint64_t count;
    char format;   /* x d u o t c a s f i z */
    unsigned size; /* 1, 2, 4, 8 */
};
const char *command_take_format(const char *args, struct command_format *format, struct why *why);

/* Runs lines from a file; -ENOENT... or the first error of a line, told with its number. */
MUST_CHECK int command_source(struct session *s, const char *path, struct command_out *out,
                              struct why *why);

/* Fields of a state list as text and fields. */
struct target_state;
void command_show_state(const struct target_state *state, struct command_out *out);

/* Rows of command_machine.c whose functions are in command_pages.c. */
command_fn command_page, command_tlb;

/* What a stop does beyond being told: temporary breakpoints go, command lists run. */
MUST_CHECK int command_stopped(struct session *s, struct command_out *out, struct why *why);

#endif
