/* SPDX-License-Identifier: MIT */
/*
 * Admission by memory and by windows. A part of the limit is kept free for what
 * running VMs write between two measurements: a sixteenth, within bounds.
 *
 * Parked VMs may have half of the memory as they are, then they are squeezed; and
 * five eighths of it in all, then they go to the swap file, if there is one; before
 * windows are given up for them. (Bringing back who is not squeezed costs a third.)
 */
#include "denali/gate.h"

/* Until one was seen: a small server with its page tables. */
#define FIRST_GUESS (96 * KIB)
#define WEIGHT 64

#define RESERVE_MIN (8 * MIB)
#define RESERVE_MAX (256 * MIB)

static uint64_t reserve(const struct gate *gate)
{
    uint64_t bytes = gate->limit_bytes / 16;
    if (bytes < RESERVE_MIN)
        bytes = RESERVE_MIN < gate->limit_bytes / 4 ? RESERVE_MIN : gate->limit_bytes / 4;
    return bytes < RESERVE_MAX ? bytes : RESERVE_MAX;
}

void gate_init(struct gate *gate, uint64_t limit_bytes, uint32_t max_windows)
{
    *gate = (struct gate){
        .limit_bytes = limit_bytes, .max_windows = max_windows, .window_bytes = FIRST_GUESS};
}

bool gate_enter(struct gate *gate, bool has_memory)
{
    uint64_t more = has_memory ? 0 : gate->window_bytes;
    if (gate->windows && (gate->windows >= gate->max_windows ||
                          gate->used_bytes + more > gate->limit_bytes - reserve(gate)))
        return false;
    gate->windows++;
    gate->used_bytes += more;
    return true;
}

void gate_leave(struct gate *gate)
{
    BUG_ON(!gate->windows, "who leaves has entered");
    gate->windows--;
}

void gate_learn(struct gate *gate, uint64_t bytes)
{
    gate->window_bytes = (gate->window_bytes * (WEIGHT - 1) + bytes) / WEIGHT;
}

void gate_measure(struct gate *gate, uint64_t used_bytes, uint64_t parked_bytes, uint64_t raw_bytes)
{
    gate->used_bytes = used_bytes;
    gate->parked_bytes = parked_bytes;
    gate->raw_bytes = raw_bytes;
}

void gate_freed(struct gate *gate, uint64_t bytes)
{
    gate->used_bytes -= bytes < gate->used_bytes ? bytes : gate->used_bytes;
}

enum gate_wish gate_wish(const struct gate *gate)
{
    if (gate->used_bytes <= gate->limit_bytes - reserve(gate) / 2)
        return GATE_CONTENT;
    if (gate->raw_bytes > gate->limit_bytes / 2)
        return GATE_WANTS_SQUEEZE;
    return gate->parked_bytes > gate->limit_bytes / 8 * 5 ? GATE_WANTS_SWAP : GATE_WANTS_WINDOW;
}

bool gate_is_over(const struct gate *gate)
{
    return gate->used_bytes > gate->limit_bytes - reserve(gate) / 4;
}
