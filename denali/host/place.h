/* SPDX-License-Identifier: MIT */
/* Where the daemon's socket and state are, unless it is said. */
#ifndef DENALI_HOST_PLACE_H
#define DENALI_HOST_PLACE_H

#include "emu/base/base.h"
#include "emu/base/why.h"

#include <sys/types.h>

/* $DENALI_HOST; $XDG_RUNTIME_DIR/denali/host.sock; /tmp/denali-UID/host.sock. NULL: no memory; to
 * be freed. */
char *place_default_socket(void);
/* $XDG_STATE_HOME/denali, or ~/.local/state/denali. */
char *place_default_state(void);

/* Makes the folder, and those above it, if they are missing; it must then be ours and nobody
 * else's to write. -EACCES and the like, and `why`. */
MUST_CHECK int place_private_folder(const char *path, struct why *why);

/* A socket that listens at `path`, for this user alone. One that nobody serves is replaced;
 * -EADDRINUSE: somebody does. */
MUST_CHECK int place_listen(const char *path, struct why *why);
/* A socket that listens and came from another process: who connects from now on finds this process
 * behind it (place_peer), not the one that made it. */
MUST_CHECK int place_take_over(int listener);
/* The process behind a connected socket's other end, as the kernel knows it; 0: it does not. */
pid_t place_peer(int fd);
/* A connected, blocking socket, or a negative errno. */
MUST_CHECK int place_connect(const char *path);

#endif
