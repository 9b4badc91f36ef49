/* SPDX-License-Identifier: MIT */
/*
 * A machine as the debugger sees it, of whatever kind: a struct of function
 * pointers that is handed down to emu/debug by whoever owns the machine. Front
 * ends (monitor, gdb) and the loop know nothing else.
 *
 * Everything here is called from the loop's thread while the machine stands,
 * except target->ops->stop, which is for any thread and for signal handlers.
 *
 * Registers are those of cpu(): read and written in place. After writing eip,
 * eflags or memory the machine simply goes on from there.
 */
#ifndef DENALI_DEBUG_TARGET_H
#define DENALI_DEBUG_TARGET_H

#include "emu/base/why.h"
#include "emu/cpu/debug.h"
#include "emu/cpu/engine.h"
#include "emu/machine/state.h"

#include <poll.h>

struct target;

enum target_space { TARGET_LINEAR, TARGET_PHYSICAL };

/* What run_slice came back for. */
enum target_slice {
    TARGET_RAN,     /* the budget is used up, or somebody called stop: it would go on */
    TARGET_IDLE,    /* nothing to do until wait->ns are over or a descriptor is ready */
    TARGET_STOPPED, /* *stop tells why; its registers are those at the stop */
    TARGET_ENDED,   /* *stop tells how; it will not run any more, but can be looked at */
};

enum target_stop_kind {
    TARGET_STOP_NONE,
    TARGET_STOP_START,      /* has not run yet */
    TARGET_STOP_STEP,       /* as many instructions as were asked for are done (the loop's) */
    TARGET_STOP_ASKED,      /* a person wanted it: Ctrl-C (the loop's) */
    TARGET_STOP_BREAKPOINT, /* at eip, not executed */
    TARGET_STOP_WATCHPOINT, /* hit; eip is after the instruction, or the upcall that followed */
    TARGET_STOP_FAULT,      /* caught: `fault` at eip, not delivered yet */
    TARGET_STOP_INTERRUPT, /* caught: `number` = delivered interrupts; eip is the handler's first */
    TARGET_STOP_HYPERCALL, /* caught: virtual instruction `number` before eip, not done yet */
    TARGET_STOP_PORT,      /* caught: port `number`, `write`, not done yet */
    TARGET_STOP_EXITED,    /* ended: by itself with `status` */
    TARGET_STOP_DIED,      /* ended: `text` tells of what; `fault` if has_fault */
    TARGET_STOP_HISTORY,   /* backwards: here the history begins; forwards in it: here it ends */
    TARGET_STOP_KINDS
};

struct target_stop {
    enum target_stop_kind kind;
    uint32_t eip;    /* where it stands, linear */
    uint64_t icount; /* instructions done; good when the engine counts */
    struct cpu_watch_hit hit;
    struct cpu_fault fault;
    bool has_fault;
    bool fatal; /* of FAULT: the guest has no handler for it, and ends if it goes on */
    uint32_t number;
    uint32_t from_eip, from_esp; /* of INTERRUPT: where the guest goes on after its handler */
    bool write;
    int status;
    char text[200]; /* one line for people, of DIED and others; may be empty */
};

/* What of it the machine is to stop for: set by bits in target_ops.catch_events. */
enum target_catch {
    TARGET_CATCH_FAULT = 1,
    TARGET_CATCH_INTERRUPT = 2,
    TARGET_CATCH_HYPERCALL = 4,
    TARGET_CATCH_PORT = 8,
};

/* Who asks for that. */
enum target_catcher { TARGET_CATCHER_BREAKPOINTS, TARGET_CATCHER_GDB, TARGET_CATCHERS };

#define TARGET_WAIT_FDS 40u
struct target_wait {
    uint64_t ns; /* from now; HOST_FOREVER */
    unsigned count;
    struct pollfd fd[TARGET_WAIT_FDS];
};

/* State apart from the processor's that can be shown by its field list. */
struct target_state {
    char name[48]; /* "regs", "nic0", "pit" */
    const struct state_list *list;
    void *object; /* the live one */
    bool writable;
};

/* A thread of the guest's operating system, as its symbols tell. Number 1 is always the processor
 * as it stands when a target has none to tell of. */
struct target_thread {
    uint32_t number; /* from 1 */
    bool running;    /* the processor is in it, in the program or in the kernel for it */
    /* The program's registers, as they were when it last came into the kernel; meanwhile they lie
     * at `saved` in the guest's memory, and the x87's and SSE's (as FXSAVE has them) at `fpu`.
     * 0: not known. */
    uint32_t gpr[8], eip, eflags;
    uint32_t saved, fpu;
    uint32_t gs_base; /* the C library's thread, while another runs; else the processor's is */
    bool in_call;     /* it came by a system call, which may still write into them */
    char name[32], state[32];
};

/*
 * The past, where it is recorded. icount is the coordinate. All leave the target standing at the
 * place found, with *stop told; breakpoints, watchpoints and what is caught stay set.
 * -EINVAL: outside the history. -EINTR: a person asked for the end of it; it stands where it stood.
 * A target that keeps snapshots alone has none of seek, step_back,
 * continue_back and last_write.
 */
struct target_history_ops {
    uint64_t (*now)(struct target *target);
    uint64_t (*first)(struct target *target);
    uint64_t (*last)(struct target *target);
    int (*seek)(struct target *target, uint64_t icount, struct target_stop *stop, struct why *why);
    /* To before the last instruction; to the latest place before here where a breakpoint or
     * watchpoint would have stopped a run, else to the beginning with TARGET_STOP_HISTORY. */
    int (*step_back)(struct target *target, struct target_stop *stop, struct why *why);
    int (*continue_back)(struct target *target, struct target_stop *stop, struct why *why);
    int (*save)(struct target *target, const char *name, struct why *why);
    int (*restore)(struct target *target, const char *name, struct target_stop *stop,
                   struct why *why);
    int (*forget)(struct target *target, const char *name, struct why *why);
    /* The n-th saved state: its name (until the next call) and place; false: there are no more. */
    bool (*saved)(struct target *target, unsigned n, const char **name, uint64_t *icount);
    /* A saved state's physical memory. -ENOENT, -EFAULT. */
    int (*read_saved)(struct target *target, const char *name, uint64_t addr, void *out,
                      uint64_t len);
    /* Its processor: the declared state, in a zeroed struct cpu. */
    int (*saved_cpu)(struct target *target, const char *name, struct cpu *out);
    /* The next page from *page on that differs from now; -ENOENT: there is none. */
    int (*differs)(struct target *target, const char *name, uint64_t *page);
    /* To right after the latest instruction before here that wrote into the linear range, whatever
     * is set; TARGET_STOP_HISTORY: there is none. */
    int (*last_write)(struct target *target, uint32_t linear, uint32_t len,
                      struct target_stop *stop, struct why *why);
};

struct target_ops {
    struct cpu *(*cpu)(struct target *target);

    /* All of it or -EFAULT. What the guest may not access, the debugger may; what does not exist,
     * nobody. Writing tells the engine; watchpoints do not see it. */
    int (*read)(struct target *target, enum target_space space, uint64_t addr, void *out,
                uint64_t len);
    int (*write)(struct target *target, enum target_space space, uint64_t addr, const void *in,
                 uint64_t len);
    /* Bytes of physical memory, from 0; a range beyond may be the bus's. */
    uint64_t (*memory)(struct target *target);

    /* At most `budget` instructions (ENGINE_UNLIMITED: until something comes up). `wait` is filled
     * in after IDLE, and as far as descriptors go after RAN. */
    enum target_slice (*run_slice)(struct target *target, uint64_t budget, struct target_wait *wait,
                                   struct target_stop *stop);
    /* After poll() has filled in revents, or after `slept_ns` of an idle wait. */
    void (*ready)(struct target *target, const struct target_wait *wait, uint64_t slept_ns);
    /* run_slice returns soon. Any thread, signal handlers. */
    void (*stop)(struct target *target);
    void (*kill)(struct target *target);
    /* NULL: it has a clock of its own that does not mind. Time stands still for the guest between
     * the two, as far as the machine can do that. */
    void (*pause)(struct target *target, bool paused);

    /* Use target_catch. */
    void (*catch_events)(struct target *target, unsigned catches);
    /* What was caught and is not done yet is not done: the instruction is tried again. NULL: that
     * cannot be. */
    void (*forget_caught)(struct target *target);
    /* Before its first instruction: it begins with these arguments behind its name (`args` ends
     * with a NULL). NULL: it has none. */
    int (*set_args)(struct target *target, const char *const *args, struct why *why);

    /* A regular file of the guest's own tree, as it was at the start: an open file of the host, the
     * caller's, and where in it the contents lie; -ENOENT. NULL: no tree is known. */
    int (*open_file)(struct target *target, const char *path, uint64_t *offset, uint64_t *size);

    /* The n-th group of state; false: there are no more. */
    bool (*describe)(struct target *target, unsigned n, struct target_state *out);
    /* NULL, or: */
    bool (*thread)(struct target *target, unsigned n, struct target_thread *out);
    void (*counters)(struct target *target, void *out); /* as text, to a FILE * */
    /* Guest and host code of the block at eip, as text, to a FILE *. */
    void (*translation)(struct target *target, uint32_t eip, void *out);
};

/* An ELF file that runs in the target: for gdb's exec-file and for symbols. */
#define TARGET_FILES 4u
struct target_file {
    const char *path; /* absolute; what people call it */
    const char *copy; /* where its bytes are on this host, if not there; may be NULL */
    bool kernel;      /* under the program: Ilwaco under a Linux program */
    uint32_t offset;  /* what is added to its addresses */
};

/* How it is to run when the loop lets it; see loop.h. */
enum target_run { TARGET_HALTED, TARGET_RUNS, TARGET_STEPS };

struct target {
    const struct target_ops *ops;
    const struct target_history_ops *history; /* NULL: none is kept */
    const char *name;
    unsigned id; /* from 1, unique in its loop; gdb's process number */
    unsigned files;
    struct target_file file[TARGET_FILES]; /* the program first */
    struct target_stop stop;               /* the last one */

    /* The loop's. */
    bool (*asked)(void *opaque); /* a person wants a search of the past to end; NULL: nobody */
    void *asked_opaque;
    enum target_run run;
    unsigned catches[TARGET_CATCHERS];
    uint64_t steps;                  /* left, while it steps */
    uint32_t range_begin, range_end; /* steps go on while eip is in there; see loop_set_range */
    bool ended, resumed;
    void *breakpoints; /* emu/debug/breakpoint.h's */
    uint64_t begin;    /* gdb's: who goes back from behind this instruction comes no further */
};

static inline const char *target_file_place(const struct target_file *file)
{
    return file->copy ? file->copy : file->path;
}

static inline bool target_goes_back(const struct target *target)
{
    return target->history && target->history->step_back;
}

static inline struct cpu *target_cpu(struct target *target)
{
    return target->ops->cpu(target);
}

/* What `who` wants it to stop for, whatever others do. */
static inline void target_catch(struct target *target, enum target_catcher who, unsigned catches)
{
    unsigned all = 0;
    target->catches[who] = catches;
    for (unsigned i = 0; i < TARGET_CATCHERS; i++)
        all |= target->catches[i];
    if (target->ops->catch_events)
        target->ops->catch_events(target, all);
}

static inline bool target_is_asked(const struct target *target)
{
    return target->asked && target->asked(target->asked_opaque);
}

/* The linear address of the instruction that comes next. */
static inline uint32_t target_eip(struct target *target)
{
    const struct cpu *cpu = target_cpu(target);
    return cpu->flat ? cpu->eip : cpu->seg[ISA_CS].base + cpu->eip;
}

#endif
