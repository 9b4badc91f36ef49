/* SPDX-License-Identifier: MIT */
/*
 * Policy: the gatekeeper. A VM that wants to run needs a window and memory for what
 * it will write. The gate says whether there is room for one more; if not, somebody
 * idle is parked first, or the VM waits its turn (first come, first served). And it
 * says what should go when the process, as measured, has come to its limit. Always
 * called inside the pool's lock.
 */
#ifndef DENALI_GATE_H
#define DENALI_GATE_H

#include "emu/base/base.h"

struct gate {
    uint64_t limit_bytes; /* for the whole process */
    uint32_t max_windows;
    uint32_t windows;             /* in use */
    uint32_t max_mappings;        /* of the host's, for all windows */
    uint32_t mappings;            /* that there are, of free ones too */
    uint64_t window_bytes;        /* what is set aside for who enters */
    uint64_t parked_window_bytes; /* what a window took when it was parked, on average */
    uint64_t base_bytes;          /* of the process without any */
    uint64_t used_bytes;   /* by the process, as last measured; and what was promised since */
    uint64_t parked_bytes; /* of them: what parked VMs hold in memory */
    uint64_t raw_bytes;    /* of these: what can be squeezed */
};

enum gate_wish {
    GATE_CONTENT,
    GATE_WANTS_MAPPINGS, /* one window should go, a free one or an idle VM's; memory there is */
    GATE_WANTS_WINDOW,   /* the same for memory */
    GATE_WANTS_SQUEEZE,  /* parked VMs should be made smaller */
    GATE_WANTS_SWAP,     /* parked VMs should go to the swap file */
};

void gate_init(struct gate *gate, uint64_t limit_bytes, uint32_t max_windows,
               uint32_t max_mappings);
/* Whether the host has mappings for one more window. */
bool gate_has_mappings(const struct gate *gate);
/* Whether one more may be admitted; then it is counted until gate_leave. One always may.
 * `has_memory`: into a window that is there, with pages of its own. */
bool gate_enter(struct gate *gate, bool has_memory);
void gate_leave(struct gate *gate);
/* A window was found to take so much. */
void gate_learn(struct gate *gate, uint64_t bytes);
/* What the process has now, of it what parked VMs hold, and of that what can be squeezed. */
void gate_measure(struct gate *gate, uint64_t used_bytes, uint64_t parked_bytes,
                  uint64_t raw_bytes);
/* So much was given back since. */
void gate_freed(struct gate *gate, uint64_t bytes);
enum gate_wish gate_wish(const struct gate *gate);
/* The least limit, in whole MiB, that would leave room beside what is used now. */
uint64_t gate_least_bytes(const struct gate *gate);
/* Over the limit itself: whoever runs must stop. */
bool gate_is_over(const struct gate *gate);

#endif
