/* SPDX-License-Identifier: MIT */
/*
 * The inside of the lockstep engine, and the constructor that takes any engine
 * as the one that is tried. lockstep_create (dbt.h) gives it the translator.
 */
#ifndef DENALI_LOCKSTEP_H
#define DENALI_LOCKSTEP_H

#include "dbt/lockstep/lockstep_mirror.h"
#include "emu/cpu/debug.h"
#include "emu/cpu/interp/interp_block.h"

/* Takes `subject` over: destroyed with the result, and on failure too. It must count exactly. */
MUST_CHECK int lockstep_create_pair(struct engine *subject, struct engine **out);

/* The engine that is tried. */
struct engine *lockstep_subject(struct engine *lockstep);

/* Pages written since lockstep_log_begin, with what they held. */
struct lockstep_page {
    gpa_t page;
    uint8_t before[PAGE_SIZE];
    uint8_t reference[PAGE_SIZE]; /* as the interpreter left it, once undone */
};

struct lockstep_log {
    struct cpu_write_log log;
    struct ram *ram;
    struct lockstep_mirror *mirror;
    struct lockstep_page *page;
    uint32_t count, room;
    uint32_t *index; /* by page number: 1 + its place in `page`, or 0 */
    bool lost;       /* no memory for a page: this stretch cannot be undone */
};

MUST_CHECK int lockstep_log_init(struct lockstep_log *log, struct ram *ram,
                                 struct lockstep_mirror *mirror);
void lockstep_log_fini(struct lockstep_log *log);
void lockstep_log_begin(struct lockstep_log *log);
/* [gpa, gpa+len) is about to be written. */
void lockstep_log_note(struct lockstep_log *log, gpa_t gpa, uint64_t len);
/* The subject is about to write a word: in a page that the reference did not, that is a difference.
 */
void lockstep_log_note_subject(struct lockstep_log *log, gpa_t gpa);
/* Keeps what the pages hold now as `reference` and puts `before` back. */
void lockstep_log_undo(struct lockstep_log *log);
/* Puts `before` back, whatever the pages hold. */
void lockstep_log_restore(struct lockstep_log *log);
/* Address of the first byte that is not as in `reference`, or UINT64_MAX. */
gpa_t lockstep_log_compare(const struct lockstep_log *log);
/* Is nothing in them otherwise but what may be accessed and dirty bits of page tables? */
bool lockstep_log_differs_in_marks(const struct lockstep_log *log);
/* What they hold now is right. */
void lockstep_log_accept(const struct lockstep_log *log);

#define LOCKSTEP_TRACE 64

/* One stretch, run by both: where it began, and how each left it. */
struct lockstep_stretch {
    struct cpu before, reference, subject;
    struct cpu_debug_now debug_before, debug_reference; /* where there is a debugger */
    enum engine_exit reference_exit, subject_exit;
    uint64_t count;                 /* instructions that the interpreter completed */
    uint32_t undefined;             /* flags that the last instructions leave undefined */
    uint32_t trace[LOCKSTEP_TRACE]; /* addresses of the last instructions, a ring */
    uint64_t traced;                /* how many were put in */
    const char *differs;            /* field, or what else; NULL: nothing */
    gpa_t memory_at;                /* when memory differs */
    uint8_t memory_reference, memory_subject;
    uint64_t stray_since; /* no difference of this stretch, but since then; UINT64_MAX: none */
};

/* Values that RDTSC gave to the interpreter, given again to the subject. */
struct lockstep_tsc {
    uint64_t *value;
    uint32_t count, room, next;
    uint64_t (*read)(void *opaque); /* the processor's own; NULL: the host's */
    void *opaque;
    uint8_t virtual_tsc;
};

struct lockstep_pc;

struct lockstep_cpu {
    struct cpu *cpu;
    struct lockstep_pc *pc; /* NULL: a flat machine */
    void *subject_state;
    struct interp_cache *cache; /* the interpreter's */
    struct lockstep_log log;
    struct lockstep_mirror mirror; /* a PC's */
    struct lockstep_tsc tsc;
    struct lockstep_stretch stretch;
    bool stopped;
};

/* Books one instruction that the interpreter has tried. False: the stretch ends here. */
bool lockstep_note_step(struct lockstep_stretch *s, enum cpu_status status, enum engine_exit exit,
                        const struct isa_flags *flags);

/* lockstep_pc.c: what is otherwise on a PC. Before the subject is attached, so that it finds what
 * stands in for pin and hooks; after it was detached. */
MUST_CHECK int lockstep_pc_attach(struct lockstep_cpu *lc);
void lockstep_pc_detach(struct lockstep_cpu *lc);
/* Around a run: who asks or writes outside of it is the machine. */
void lockstep_pc_enter(struct lockstep_cpu *lc);
void lockstep_pc_leave(struct lockstep_cpu *lc);
/* The interpreter's side of a stretch. False: the subject is not to try it, for devices have moved
 * the memory below it; then the interpreter's state stays. */
MUST_CHECK bool lockstep_pc_reference(struct lockstep_cpu *lc, uint64_t limit);
/* All as the subject has to find it. */
void lockstep_pc_before_subject(struct lockstep_cpu *lc);
/* What differs beside registers and memory, or NULL. */
const char *lockstep_pc_after_subject(struct lockstep_cpu *lc);
/* All as at the start of the stretch, memory apart. */
void lockstep_pc_restore(struct lockstep_cpu *lc);
/* To be called before the same stretch is run once more: both begin with an empty TLB, and devices
 * are not asked again. */
void lockstep_pc_repeat(struct lockstep_cpu *lc);
/* The map of the machine has changed. */
void lockstep_pc_forget(struct lockstep_cpu *lc);

void lockstep_report(const struct lockstep_stretch *stretch, struct cpu *cpu, void *out);

#endif
