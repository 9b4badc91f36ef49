/* SPDX-License-Identifier: MIT */
/*
 * Counters that servers of afl-fuzz share with the campaign that shows them:
 * afl-fuzz itself writes its statistics once a minute. The memory's descriptor
 * and the server's number go down in an environment variable.
 */
#ifndef DENALI_FUZZ_LIVE_H
#define DENALI_FUZZ_LIVE_H

#include "emu/base/base.h"

#define FUZZ_LIVE_JOBS 256u

/* Each is written by one process. */
struct fuzz_live {
    _Atomic uint64_t runs, crashes, hangs;
};

/* The campaign's. Zeroed counters for FUZZ_LIVE_JOBS servers and their descriptor; NULL: no memory.
 */
struct fuzz_live *fuzz_live_create(int *fd);
/* For children that are started from now on. */
void fuzz_live_offer(int fd, unsigned job);

/* A server's own; where nobody has offered any, `own` is used, and nobody sees it. */
struct fuzz_live *fuzz_live_find(struct fuzz_live *own);

#endif
