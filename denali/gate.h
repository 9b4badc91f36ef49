/* SPDX-License-Identifier: MIT */
/*
 * Policy: the gatekeeper. A VM that wants to run needs a window and memory for
 * what it will write. The gate says whether there is room for one more; if not,
 * somebody idle is parked first, or the VM waits its turn (first come, first
 * served). Always called inside the pool's lock.
 */
#ifndef DENALI_GATE_H
#define DENALI_GATE_H

#include "emu/base/base.h"

struct gate {
    uint64_t limit_bytes; /* for all admitted VMs */
    uint32_t max_windows;
    uint32_t windows;      /* in use */
    uint64_t window_bytes; /* what an admitted VM has been seen to take, on average */
};

void gate_init(struct gate *gate, uint64_t limit_bytes, uint32_t max_windows);
/* Whether one more may be admitted; then it is counted until gate_leave. One always may. */
bool gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);
/* A VM was found to take so much. */
void gate_learn(struct gate *gate, uint64_t bytes);

#endif
