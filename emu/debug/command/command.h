/* SPDX-License-Identifier: MIT */
/*
 * The debugger's commands: one table, read by the prompt, by command files, by
 * gdb's `monitor`, and by the JSON socket. A row tells everything of a command:
 * names, arguments, help, an example that runs, and the function.
 */
#ifndef DENALI_DEBUG_COMMAND_H
#define DENALI_DEBUG_COMMAND_H

#include "emu/base/why.h"

#include <stdio.h>

struct session; /* emu/debug/session.h */

/*
 * Where a command's answer goes. Text goes to `file`. With `json` (a jansson object) the same is
 * also given as fields; without it the out_... functions for fields do nothing.
 */
#define OUT_DEPTH 8u
struct command_out {
    FILE *file;
    void *json[OUT_DEPTH]; /* the object or list that is being filled, by depth */
    unsigned depth;
};
void out_text(struct command_out *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A field of the object that is open (in a list: an element; `key` is then not used). */
void out_string(struct command_out *out, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void out_number(struct command_out *out, const char *key, int64_t number);
void out_bool(struct command_out *out, const char *key, bool yes);
/* Opens and closes a list or an object inside what is open. */
void out_list(struct command_out *out, const char *key);
void out_object(struct command_out *out, const char *key);
void out_close(struct command_out *out);

enum command_group {
    COMMAND_RUNNING,
    COMMAND_STOPPING,
    COMMAND_STACK,
    COMMAND_DATA,
    COMMAND_CODE,
    COMMAND_MACHINE,
    COMMAND_PAST,
    COMMAND_DEBUGGER,
    COMMAND_GROUPS
};

/* What completes its arguments. */
enum command_complete {
    COMPLETE_NOTHING,
    COMPLETE_PLACE,      /* functions, FILE:LINE */
    COMPLETE_EXPRESSION, /* symbols, $registers */
    COMPLETE_FILE,       /* of the host */
    COMPLETE_COMMAND,
    COMPLETE_WORDS, /* those of `words` */
};

struct command {
    const char *name;    /* "break", "info registers" */
    const char *aliases; /* "b br", or NULL */
    const char *syntax;  /* of the arguments: "[PLACE] [if CONDITION]" */
    const char *summary; /* a line */
    const char *help;    /* more lines, or NULL */
    /* Runs in the guest of the examples, guests/accounts, that stands at a breakpoint in `post`. */
    const char *example;
    const char *words; /* COMPLETE_WORDS */
    uint8_t group;     /* enum command_group */
    uint8_t complete;  /* enum command_complete */
    bool runs;         /* lets the machine run: not for gdb's `monitor` */
    /* 0, or a negative errno and `why`. `args` has no blanks at either end. */
    int (*run)(struct session *session, const char *args, struct command_out *out, struct why *why);
};

/* Rows in the order of the reference; NULL behind the last. */
const struct command *command_row(unsigned n);
const char *command_group_name(enum command_group group);
/*
 * The row that a line begins with: whole names and aliases first, else the one that has this
 * beginning. `*args` is set to what follows. -ENOENT, -EINVAL (ambiguous) and `why`.
 */
MUST_CHECK int command_find(const char *line, const struct command **out, const char **args,
                            struct why *why);

/*
 * Runs one line; an empty one and a comment (#) do nothing. Errors are returned, not printed.
 * -EBUSY: the machine runs. Inside gdb's `monitor` set session->in_gdb first.
 */
MUST_CHECK int command_run(struct session *session, const char *line, struct command_out *out,
                           struct why *why);

/* Full help of one row; the whole reference, as text or as Markdown. */
void command_print_help(const struct command *row, FILE *out);
void command_print_reference(FILE *out, bool markdown);

/* Words for the last word of a line that is being typed, until fn returns false. Returns whether a
 * blank follows a word that is whole: not within an expression. */
typedef bool (*command_word_fn)(void *opaque, const char *word);
bool command_complete(struct session *session, const char *line, command_word_fn fn, void *opaque);

#endif
