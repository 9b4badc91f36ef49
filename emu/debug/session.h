/* SPDX-License-Identifier: MIT */
/*
 * One debugging session: the loop with its targets, what is known of each, the
 * breakpoints, and what the person has selected. Every reader of commands works
 * on the same session.
 */
#ifndef DENALI_DEBUG_SESSION_H
#define DENALI_DEBUG_SESSION_H

#include "emu/debug/breakpoint.h"
#include "emu/debug/command/command.h"
#include "emu/debug/expr.h"
#include "emu/debug/loop.h"

#define SESSION_VALUES 64u /* of the history: $1, $2, ... */
#define SESSION_NAMES 64u  /* $name */
#define SESSION_SNAPSHOTS 16u

struct session_vm {
    struct target *target;
    struct symbols *symbols;
    struct session_vm *next;
};

struct session_settings {
    int64_t listsize, history, limit_instructions;
    bool basename, confirm, source, intel;
};

struct session_name {
    char name[32];
    struct value value;
};

/* What is on the host: given by whoever makes the session. */
struct session_hooks {
    /* The terminal is the guest's from now on, or the debugger's again. May be NULL. */
    void (*terminal)(void *opaque, bool guest);
    void *opaque;
};

struct session {
    struct loop *loop;
    struct breakpoints *breakpoints;
    struct session_vm *vms;
    struct target *target; /* the selected one */
    unsigned frame;        /* and its frame's number */
    unsigned thread;       /* 0: the processor; else the number of a thread that is looked at */
    struct session_settings settings;
    struct value value[SESSION_VALUES];
    unsigned values; /* so far */
    struct session_name name[SESSION_NAMES];
    unsigned names;
    struct session_hooks hooks;

    bool in_gdb;      /* commands come from gdb: nothing may run */
    bool running;     /* a command lets the machine run */
    bool quit;        /* the reader of commands is to end */
    unsigned collect; /* breakpoint that takes the lines up to "end" as its commands; 0: none */
    unsigned depth;   /* of command files and lists in each other */
    /* Where "x", "list" and "disassemble" go on. */
    uint32_t next_examine, next_disassemble;
    char list_file[512];
    int list_line;
    bool list_fresh; /* the line is that of a stop: not listed yet */
    char examine_format;
    unsigned examine_size;
    char last[512]; /* the line that Enter repeats */
};

MUST_CHECK int session_create(struct loop *loop, struct session **out);
void session_destroy(struct session *session);

/* What is known of a target: made, and its files read, when first asked for. NULL: no memory. */
struct session_vm *session_vm(struct session *session, struct target *target);
struct symbols *session_symbols(struct session *session);

/* The selected frame as expressions see it. -ENOENT and `why`: there is no such frame. */
MUST_CHECK int session_context(struct session *session, struct expr_context *out, struct why *why);
/* The threads of a target's operating system: how many, `room` at most. */
unsigned session_threads(struct session *session, struct target *target, struct target_thread *out,
                         unsigned room);
/* The n-th thread of the selected target, from 0; false: there are no more. The registers of
 * the running one are the processor's. */
bool session_thread(struct session *session, unsigned n, struct target_thread *out);
/* Selects a target and its innermost frame. */
void session_select(struct session *session, struct target *target);

/* A number from `low` to `high`; else -ERANGE and `why`, which calls it `what` ("a port"). As
 * session_address. */
MUST_CHECK int session_number(struct session *session, const char *text, const char **end,
                              const char *what, int64_t low, int64_t high, int64_t *out,
                              struct why *why);
/* An address from an expression, of 32 bits (negative ones count from the end); a whole argument,
 * or its beginning (see expr_evaluate). */
MUST_CHECK int session_address(struct session *session, const char *text, const char **end,
                               uint32_t *out, struct why *why);
/*
 * A PLACE: FUNCTION, FILE:LINE, LINE (of the present file), +N or -N lines, 0xADDRESS, or
 * *EXPRESSION; nothing: the present instruction. Returns how many addresses, or a negative errno
 * and `why`. `after_prologue`: of a function, where its frame is set up.
 */
MUST_CHECK int session_place(struct session *session, const char *text, bool after_prologue,
                             uint32_t *out, unsigned room, struct why *why);

/* Puts a value into the history and shows it: "$1 = 5", or with `label` before it. */
void session_show_value(struct session *session, const struct value *value, char format,
                        const char *label, struct command_out *out);
/* "hello.c", or the whole path, by the settings. */
const char *session_file(const struct session *session, const char *path);

#endif
