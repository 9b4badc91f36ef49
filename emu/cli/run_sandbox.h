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

#endif
