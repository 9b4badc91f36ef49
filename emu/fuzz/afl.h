/* SPDX-License-Identifier: MIT */
/*
 * The other end of AFL++: its fork server, which here forks nothing. AFL++ asks
 * for a run over one pipe and hears the process's number and then its wait
 * status over another; coverage and inputs are in shared memory (System V). The
 * process that it is told of is a decoy: AFL++ kills it when the run takes too
 * long, and that is how we hear of it.
 *
 * Protocol: AFL++ 4, instrumentation/README.persistent_mode.md and the handshake
 * that afl-fuzz prints with AFL_DEBUG=1.
 */
#ifndef DENALI_FUZZ_AFL_H
#define DENALI_FUZZ_AFL_H

#include "emu/base/why.h"

struct afl;

/* -ENOENT: nobody has started us who speaks this protocol. Call it while this process is small and
 * has one thread: it forks. */
MUST_CHECK int afl_open(struct afl **out, struct why *why);
void afl_close(struct afl *afl);

struct afl_hooks {
    /* One run; its wait status. `hits`: AFL++'s map, to be filled in. */
    int (*run)(void *opaque, const uint8_t *input, size_t len);
    /* From another thread: the run takes too long. */
    void (*stop)(void *opaque);
    /* Counters of the last run to AFL++'s map. */
    void (*hits)(void *opaque, uint8_t *map, size_t bytes);
    void *opaque;
};

/* Serves until AFL++ goes away: 0; or a negative errno. */
MUST_CHECK int afl_serve(struct afl *afl, const struct afl_hooks *hooks, struct why *why);

#endif
