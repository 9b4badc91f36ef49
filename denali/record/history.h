/* SPDX-License-Identifier: MIT */
/*
 * The past of one VM: everything that came from outside since it began is on a tape in
 * memory, and the machine is kept as it was every so often. So it can be put back to any
 * count of instructions (cpu->icount) by taking the last machine before it and running on.
 *
 * Memory is bounded: machines share all pages that are equal, and are thinned out so that they lie
 * the farther apart the longer ago they are. Where the tape itself becomes too long, its beginning
 * is forgotten, and the history begins later.
 *
 * The VM counts and has a tape: one that records into memory (history_tape), or that of a
 * recording that is replayed. From the creation on it runs through history_run alone.
 * Changing registers or memory (history_changed) in the past begins a new future; the old one is
 * forgotten. All calls from the thread that runs the VM.
 */
#ifndef DENALI_HISTORY_H
#define DENALI_HISTORY_H

#include "denali/vm.h"
#include "emu/cpu/debug.h"

struct history;

#define HISTORY_BYTES (512 * MIB) /* default bound of what is kept */

/* From where the VM stands. */
MUST_CHECK int history_create(struct vm *vm, uint64_t max_bytes, struct history **out,
                              struct why *why);
void history_destroy(struct history *history); /* before the VM; NULL is harmless */

/* As vm_run. VM_REPLAYED: a replay is at its end. */
enum vm_slice history_run(struct history *history, uint64_t budget);
/* Memory or registers were changed from outside. Registers alone are noticed without it. */
void history_changed(struct history *history);

uint64_t history_first(const struct history *history);
/* The latest place that is known. */
uint64_t history_last(const struct history *history);

/* -EINVAL: not between these. -EINTR: its end was asked for. Afterwards the VM stands before the
 * instruction (or delivery) with this number, and before anything that arrives there. */
MUST_CHECK int history_seek(struct history *history, uint64_t icount, struct why *why);

/* Which of vm_run's stops count when stops are searched; NULL: all. */
typedef bool (*history_stop_fn)(void *opaque, enum vm_slice slice);
void history_set_filter(struct history *history, history_stop_fn fn, void *opaque);

/* Asked every so often while it searches or seeks: true ends that, and the VM stands where it
 * stood. NULL: it goes on to its end. */
typedef bool (*history_asked_fn)(void *opaque);
void history_set_asked(struct history *history, history_asked_fn fn, void *opaque);

/*
 * To the latest place before here where a breakpoint, a watchpoint or what is
 * caught would have stopped a run, standing as vm_run left it there, whose result it returns;
 * VM_REPLAYED: there is none, and it stands at the beginning; VM_STOPPED: its end was asked for.
 */
enum vm_slice history_continue_back(struct history *history);
/* The latest instruction before here that wrote into [linear, linear+len): VM_WATCHPOINT, as
 * above, whatever else is set; or VM_REPLAYED, and it stands where it stood; or VM_STOPPED. */
enum vm_slice history_last_write(struct history *history, uint32_t linear, uint32_t len);

/* Machines with names, which are kept. -ENOENT: there is none of this name. */
MUST_CHECK int history_save(struct history *history, const char *name, struct why *why);
MUST_CHECK int history_restore(struct history *history, const char *name, struct why *why);
MUST_CHECK int history_forget(struct history *history, const char *name, struct why *why);
struct history_saved {
    const char *name;
    uint64_t icount;
    uint64_t own_bytes; /* of pages that the one before does not have */
};
/* The n-th; false: there are no more. */
bool history_saved(const struct history *history, unsigned n, struct history_saved *out);
/* Its memory, with all rights. -EFAULT. */
MUST_CHECK int history_read(const struct history *history, const char *name, gpa_t gpa, void *out,
                            uint64_t len);
/* Its processor: the declared state, in a zeroed struct cpu. */
MUST_CHECK int history_read_cpu(const struct history *history, const char *name, struct cpu *out);
/* The next page from `page` on where the machine now and the saved one differ; -ENOENT: none. */
MUST_CHECK int history_diff(struct history *history, const char *name, gpa_t *page);

struct history_counters {
    uint64_t machines, bytes, tape_bytes;
    uint64_t taken, restored, take_ns;
};
void history_counters(const struct history *history, struct history_counters *out);

#endif
