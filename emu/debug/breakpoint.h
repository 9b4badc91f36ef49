/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints, watchpoints and catchpoints of all targets of a loop: numbers,
 * conditions, ignore counts, temporary ones, command lists. The engine only
 * knows addresses (emu/cpu/debug.h); here is decided whether a hit is told.
 *
 * gdb's own breakpoints are in the engine alone. Both may be set at one address:
 * a stop is told if either wants it.
 */
#ifndef DENALI_DEBUG_BREAKPOINT_H
#define DENALI_DEBUG_BREAKPOINT_H

#include "emu/debug/target.h"

struct breakpoints;

enum breakpoint_kind { BREAKPOINT_CODE, BREAKPOINT_WATCH, BREAKPOINT_CATCH };

enum breakpoint_catch {
    CATCH_FAULT,      /* number: vector */
    CATCH_INTERRUPT,  /* number: bits of enum denali_irq, or a vector of the PC */
    CATCH_HYPERCALL,  /* number: of the virtual instruction */
    CATCH_PORT,       /* number: port */
    CATCH_SYSCALL,    /* number: of Linux's call */
    CATCH_WRITE_CODE, /* a write into the program's code */
};

#define BREAKPOINT_PLACES 16u
#define BREAKPOINT_ANY UINT32_MAX

struct breakpoint {
    unsigned number;
    unsigned target; /* its id */
    uint8_t kind;    /* enum breakpoint_kind */
    bool enabled, temporary, set /* the engine knows it */;
    char *spec; /* as it was asked for */
    unsigned places;
    uint32_t place[BREAKPOINT_PLACES]; /* CODE: linear addresses; WATCH, WRITE_CODE: beginnings */
    uint32_t len[BREAKPOINT_PLACES];   /* of what is watched */
    uint8_t access;                    /* WATCH: enum cpu_watch_access */
    uint8_t what;                      /* CATCH: enum breakpoint_catch */
    uint32_t which;                    /* CATCH: the number, or BREAKPOINT_ANY */
    char *condition;                   /* NULL: none */
    uint64_t ignore;                   /* hits that are passed over from now on */
    uint64_t hits;
    char **commands; /* NULL-ended; run when it stops */
    struct breakpoint *next;
};

/* Whether `text` is true at the target's stop. A negative errno: it cannot be told, and the
 * stop is told to the person with `why`. */
typedef int (*breakpoint_condition_fn)(void *opaque, struct target *target, const char *text,
                                       struct why *why);
/* A target by its id; NULL. */
typedef struct target *(*breakpoint_target_fn)(void *opaque, unsigned id);

MUST_CHECK int breakpoints_create(breakpoint_condition_fn condition, breakpoint_target_fn target,
                                  void *opaque, struct breakpoints **out);
/* Takes all back from the engines. */
void breakpoints_destroy(struct breakpoints *breakpoints);

/* Takes over a copy of `like` (its strings are copied, number and next are its own) and sets it.
 * Negative errno and `why`. */
MUST_CHECK int breakpoints_add(struct breakpoints *breakpoints, const struct breakpoint *like,
                               struct breakpoint **out, struct why *why);
void breakpoints_remove(struct breakpoints *breakpoints, struct breakpoint *breakpoint);
MUST_CHECK int breakpoints_enable(struct breakpoints *breakpoints, struct breakpoint *breakpoint,
                                  bool enabled, struct why *why);
struct breakpoint *breakpoints_find(struct breakpoints *breakpoints, unsigned number);
/* The next one after `before` (NULL: the first). */
struct breakpoint *breakpoints_next(struct breakpoints *breakpoints,
                                    const struct breakpoint *before);
/* NULL takes it away. -ENOMEM. */
MUST_CHECK int breakpoint_set_condition(struct breakpoint *breakpoint, const char *condition);
MUST_CHECK int breakpoint_add_command(struct breakpoint *breakpoint, const char *line);
void breakpoint_clear_commands(struct breakpoint *breakpoint);

/*
 * The loop's filter (loop_set_filter with the breakpoints as opaque), for stops at breakpoints,
 * watchpoints and what is caught. Counts hits; true: the stop is to be told.
 */
bool breakpoints_filter(void *opaque, struct target *target, struct target_stop *stop);
/* Those that the last stop was for, in order of numbers; NULL behind the last. */
struct breakpoint *breakpoints_hit(struct breakpoints *breakpoints, unsigned n);
/* Why a condition could not be told at the last stop; "" if all could. */
const char *breakpoints_trouble(const struct breakpoints *breakpoints);
/* Temporary ones that were hit go. */
void breakpoints_tidy(struct breakpoints *breakpoints);
/* How many of the engine's insertions at an address are of these; gdb's are the rest. */
unsigned breakpoints_count_at(const struct breakpoints *breakpoints, const struct target *target,
                              uint32_t linear);

#endif
