/* SPDX-License-Identifier: MIT */
/*
 * gdb's remote protocol over a socket, for all targets of a loop at once (each
 * is a process of gdb's). While nobody is connected it costs nothing and the
 * targets run as they did; who connects finds them stopped; who detaches lets
 * them go on, without his breakpoints. A connection that ends otherwise leaves
 * them as they are.
 *
 * What arrives is untrusted: nothing that a client sends can do more than what
 * the debugger may do to its targets. Files are served only if they are among
 * the targets' (target.h).
 */
#ifndef DENALI_DEBUG_GDB_H
#define DENALI_DEBUG_GDB_H

#include "emu/debug/loop.h"

#include <stdio.h>

struct gdb;

/* What gdb asks of a Linux program's kernel. */
enum gdb_linux_word {
    GDB_SYSCALL_ENTRY, /* where INT 0x80 leads */
    GDB_AUXV_START,    /* the program's auxiliary vector */
    GDB_AUXV_END,
    GDB_KERNEL_START, /* its code */
    GDB_KERNEL_END,
    GDB_PROGRAM_START, /* a function: f(registers that the program begins with) */
    GDB_SIGNAL_SEND,   /* f(thread, number and more of it) */
    GDB_SIGNAL_DEATH,  /* f(number of the signal that the program dies of) */
};

struct gdb_config {
    const char *listen; /* [ADDR:]PORT, PORT 0 for any that is free; ADDR is 127.0.0.1 if not said.
                           NULL: only gdb_adopt */
    /* gdb's `monitor LINE`, about that target; NULL: there are no commands. 0, or a negative errno
     * and `why`. */
    int (*command)(void *opaque, struct target *target, const char *line, FILE *out,
                   struct why *why);
    /* A number of a Linux program's kernel; false: not known (yet). NULL: there is none. */
    bool (*linux_word)(void *opaque, struct target *target, enum gdb_linux_word what,
                       uint32_t *out);
    /* A Linux program's threads, `room` at most: how many. NULL: they are not known. */
    unsigned (*threads)(void *opaque, struct target *target, struct target_thread *out,
                        unsigned room);
    /* /proc/PID/`name` of a Linux program into `out`; false: there is none. May be NULL. */
    bool (*proc)(void *opaque, struct target *target, const char *name, FILE *out);
    void *command_opaque; /* of all */
};

MUST_CHECK int gdb_create(struct loop *loop, const struct gdb_config *config, struct gdb **out,
                          struct why *why);
/* NULL is harmless. */
void gdb_destroy(struct gdb *gdb);

/* "127.0.0.1:1234", as `target remote` takes it. */
const char *gdb_address(const struct gdb *gdb);
bool gdb_is_attached(const struct gdb *gdb);
/* A client is connected by this socket, which is gdb's from now on. -EBUSY: there is one already.
 */
MUST_CHECK int gdb_adopt(struct gdb *gdb, int fd);

#endif
