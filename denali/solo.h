/* SPDX-License-Identifier: MIT */
/*
 * Runs a single VM on the calling thread, as `denali run` does: sleeps while it
 * is idle, ends it when its time is up, and brings it the person's signals.
 *
 * An idle VM's descriptors are polled by the thread that runs it, so a frame
 * or a key wakes it without any other thread. A watcher thread looks after them
 * only while the guest computes for long.
 */
#ifndef DENALI_SOLO_H
#define DENALI_SOLO_H

#include "denali/vm.h"

struct solo;

struct solo_config {
    uint64_t timeout_ns;             /* of the host's time, from solo_run on; 0: none */
    int signals;                     /* of host_signals_open, or -1 */
    struct console_backend *console; /* given back around a stop by Ctrl-Z; may be NULL */
};

enum solo_result {
    SOLO_ENDED, /* vm_end tells how */
    SOLO_TIMEOUT,
    SOLO_SIGNAL, /* the person ended it: solo_signal */
};

/* First the solo, then the VM with these hooks and the solo as their opaque. */
extern const struct vm_hooks solo_hooks;
MUST_CHECK int solo_create(const struct solo_config *config, struct solo **out, struct why *why);
/* The VM is destroyed before. */
void solo_destroy(struct solo *solo);

/* Once for each solo. */
enum solo_result solo_run(struct solo *solo, struct vm *vm);
int solo_signal(const struct solo *solo);

/* The enum denali_signal of a host's signal that a person sends; 0: a guest knows none like it. */
uint32_t solo_guest_signal(int number);

#endif
