/* SPDX-License-Identifier: MIT */
/* Commands that come in by standard input leave nothing of it to the guest. */
#include "emu/cli/debug_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int debug_input_take(FILE **out, struct why *why)
{
    int own = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *out = own >= 0 ? fdopen(own, "r") : NULL;
    int err = !*out || null < 0 || dup2(null, STDIN_FILENO) < 0 ? -errno : 0;
    if (null >= 0)
        close(null);
    return err ? why_fail(why, err, "cannot take standard input: %s", strerror(-err)) : 0;
}
