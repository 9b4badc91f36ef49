/* SPDX-License-Identifier: MIT */
/* What solo.c and solo_watch.c share. */
#ifndef DENALI_SOLO_PRIVATE_H
#define DENALI_SOLO_PRIVATE_H

#include "denali/solo.h"
#include "emu/base/host_thread.h"

#include <stdatomic.h>

enum solo_phase { SOLO_RUNNING, SOLO_WAITING };
enum solo_watch { WATCH_NAPS, WATCH_PARKED, WATCH_DEEP };

struct solo {
    struct solo_config config;
    struct vm *vm;
    uint64_t end_ns; /* host's monotonic; HOST_FOREVER */
    int waker;       /* wakes the thread that runs the VM from its wait */
    int signal;
    uint64_t signal_ns; /* when the last one was given to the guest */

    /* The watcher. `run` counts changes from waiting to running. */
    _Atomic int phase; /* enum solo_phase */
    _Atomic uint64_t run;
    _Atomic int watch; /* enum solo_watch */
    _Atomic bool quit;
    int watch_waker;
    bool watched;
    struct host_thread watcher;
};

MUST_CHECK int solo_watch_start(struct solo *solo);
void solo_watch_stop(struct solo *solo);
/* The VM begins to run, or to wait. */
void solo_watch_running(struct solo *solo);
void solo_watch_waiting(struct solo *solo);
/* What the watcher polls, or for how long, has changed. */
void solo_watch_changed(struct solo *solo);

/* Time left to the timeout: 0 when it is over. */
uint64_t solo_time_left(const struct solo *solo);

#endif
