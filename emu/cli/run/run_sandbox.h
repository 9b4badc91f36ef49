/* SPDX-License-Identifier: MIT */
/* What a process that runs guests gives up before the first guest instruction. */
#ifndef DENALI_RUN_SANDBOX_H
#define DENALI_RUN_SANDBOX_H

#include "emu/base/base.h"

/*
 * After everything that the guest will use is open: images, disks, sockets, terminal. No file can
 * be opened from here on, no program started, no socket made, no memory be writable and executable;
 * docs/SECURITY.md has the list of what remains, and why. True: all of it is in force.
 */
bool run_sandbox_enter(void);

/*
 * The same for a process that opens more files: a replay, the PC without a window. Files are as
 * before; no program can be started, no socket made.
 */
bool run_sandbox_enter_with_files(void);

/*
 * The same for the PC with a window, once that is open: its library talks to the screen's server
 * by sockets of this machine and shared memory, to the graphics card by ioctl, and may translate
 * drawing to code. No program can be started, nothing beyond this machine reached.
 */
bool run_sandbox_enter_with_window(void);

/*
 * The same for a worker of `denali host`, before it has threads, and for the debugger: they open
 * images, disks and snapshots while they run, listen, and start NATs and bridges, which enter
 * sandboxes of their own. Programs are started from the folders of ours and of libraries only.
 */
bool run_sandbox_enter_with_programs(void);

/* A bridge: its two descriptors, and pairs of sockets. */
bool run_sandbox_enter_bridge(void);

#endif
