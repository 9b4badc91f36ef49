/* SPDX-License-Identifier: MIT */
/* Admission by memory and by windows. */
#include "denali/gate.h"

/* Until one was seen: a small server with its page tables. */
#define FIRST_GUESS (96 * KIB)
#define WEIGHT 64

void gate_init(struct gate *gate, uint64_t limit_bytes, uint32_t max_windows)
{
    *gate = (struct gate){
        .limit_bytes = limit_bytes, .max_windows = max_windows, .window_bytes = FIRST_GUESS};
}

bool gate_enter(struct gate *gate)
{
    if (gate->windows && (gate->windows >= gate->max_windows ||
                          (gate->windows + 1) * gate->window_bytes > gate->limit_bytes))
        return false;
    gate->windows++;
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
