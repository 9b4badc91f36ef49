/* SPDX-License-Identifier: MIT */
/*
 * The readers of commands of a session: a file, a prompt with line editing, a
 * JSON socket. One thread: while a reader waits, the loop's descriptors (gdb's
 * socket, the JSON socket) are served.
 */
#ifndef DENALI_DEBUG_MONITOR_H
#define DENALI_DEBUG_MONITOR_H

#include "emu/debug/gdb/gdb.h"
#include "emu/debug/session.h"

struct monitor;

struct monitor_config {
    struct session *session;
    const char *commands; /* a file that is run first, or NULL */
    FILE *input;          /* lines that come after it, or NULL */
    bool prompt;          /* then a prompt on the terminal */
    bool start;           /* the guest runs at once, until something stops it */
    const char *socket;   /* path of the JSON socket, or NULL */
    int signals;          /* of host_signals_open, or -1 */
};

MUST_CHECK int monitor_create(const struct monitor_config *config, struct monitor **out,
                              struct why *why);
void monitor_destroy(struct monitor *monitor);

/* Until quit, or there is nothing more to read; a JSON socket alone is served until all VMs have
 * ended and nobody is connected. 0, or the error of a command file, which has been told. */
MUST_CHECK int monitor_run(struct monitor *monitor);
/* The signal that ended it, or 0. */
int monitor_signal(const struct monitor *monitor);

/* gdb's `monitor LINE` (struct gdb_config); opaque: the session. */
bool monitor_gdb_linux(void *opaque, struct target *target, enum gdb_linux_word what,
                       uint32_t *out);
unsigned monitor_gdb_threads(void *opaque, struct target *target, struct target_thread *out,
                             unsigned room);
bool monitor_gdb_proc(void *opaque, struct target *target, const char *name, FILE *out);
int monitor_gdb_command(void *opaque, struct target *target, const char *line, FILE *out,
                        struct why *why);

#endif
