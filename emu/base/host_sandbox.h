/* SPDX-License-Identifier: MIT */
/*
 * What a process gives up for good before it touches what a stranger sends
 * (Linux: no_new_privs, capabilities, Landlock, seccomp; elsewhere nothing).
 * System calls are given up by all threads, files and capabilities by those that are started later
 * and the caller.
 */
#ifndef DENALI_HOST_SANDBOX_H
#define DENALI_HOST_SANDBOX_H

#include "emu/base/base.h"

/* What an argument must be for the call to pass. */
enum host_sandbox_test {
    HOST_SANDBOX_ANY,
    HOST_SANDBOX_IS,     /* (argument & mask) == value */
    HOST_SANDBOX_IS_NOT, /* (argument & mask) != value */
    HOST_SANDBOX_ABSENT, /* never passes, and fails with ENOSYS, so that the C library tries another
                          */
};

/* A system call that stays. Several rows for one number: any of them will do. */
struct host_sandbox_call {
    uint16_t number;
    uint8_t test; /* enum host_sandbox_test */
    uint8_t argument;
    uint32_t mask, value; /* of the argument's low 32 bits */
};

#define HOST_SANDBOX_MAX_CALLS 200u

struct host_sandbox {
    const struct host_sandbox_call *call; /* the frequent ones first: compared in this order */
    unsigned calls;
    const char *readable; /* a folder whose files may still be opened for reading; NULL: none */
    /* NULL, or: files stay, but programs are started from these folders alone; NULL-ended. */
    const char *const *programs;
    bool keep_files;       /* files stay as they are */
    bool keep_descriptors; /* so do descriptors that the process was started with */
    bool keep_rights;      /* capabilities stay */
    uint64_t rights;       /* or those of this set do, as bits by their numbers */
};

/* Closes what the process was started with, but for the standard three: all that is not closed on
 * exec. False: that could not be found out. */
bool host_descriptors_give_up(void);

/*
 * Enters. Core files, locked memory, real-time priorities are given up in any case. All other
 * system calls fail with EPERM from now on, and so does opening files that the kernel's Landlock
 * can tell; descriptors of its own (close-on-exec) that are open stay good. What this kernel does
 * not know is left out: true if all of it is in force. Under a sanitizer nothing is given up, and
 * it returns false.
 */
bool host_sandbox_enter(const struct host_sandbox *sandbox);

#endif
