/* SPDX-License-Identifier: MIT */
/*
 * Admission by memory and by windows. A part of the limit is kept free for what
 * running VMs write between two measurements: a sixteenth, within bounds. Nobody is
 * let in to the whole of it and a quarter more; then memory is given back at leisure,
 * and from three quarters on nobody runs before something was given back.
 *
 * Parked VMs may have half of the memory as they are, then they are squeezed; and
 * five eighths of it in all, then they go to the swap file, if there is one; before
 * windows are given up for them; and windows keep a quarter. (Bringing back who is not squeezed
 * costs a third.)
 *
 * The host keeps a mapping for each run of pages with equal rights, and has room for
 * a limited number. New windows are refused before they are used up, and where VMs
 * have split up their memory since, windows are given up, as for memory.
 */
#include "denali/pool/gate.h"

/* Until one was seen: a small server with its page tables. */
#define FIRST_GUESS (96 * KIB)
#define WEIGHT 64

#define RESERVE_MIN (16 * MIB)
#define RESERVE_MAX (256 * MIB)

static uint64_t reserve(const struct gate *gate)
{
    uint64_t bytes = gate->limit_bytes / 16;
    if (bytes < RESERVE_MIN)
        bytes = RESERVE_MIN < gate->limit_bytes / 4 ? RESERVE_MIN : gate->limit_bytes / 4;
    return bytes < RESERVE_MAX ? bytes : RESERVE_MAX;
}

void gate_init(struct gate *gate, uint64_t limit_bytes, uint32_t max_windows, uint32_t max_mappings)
{
    *gate = (struct gate){.limit_bytes = limit_bytes,
                          .max_windows = max_windows,
                          .max_mappings = max_mappings,
                          .window_bytes = FIRST_GUESS,
                          .parked_window_bytes = FIRST_GUESS};
}

/* A window has some more as soon as its VM runs. */
#define WINDOW_MAPPINGS 32u

bool gate_has_mappings(const struct gate *gate)
{
    return gate->mappings + WINDOW_MAPPINGS <= gate->max_mappings;
}

bool gate_enter(struct gate *gate, bool has_memory)
{
    uint64_t more = has_memory ? 0 : gate->window_bytes;
    if (gate->windows &&
        (gate->windows >= gate->max_windows || (!has_memory && !gate_has_mappings(gate)) ||
         gate->used_bytes + more > gate->limit_bytes - reserve(gate) / 4 * 5))
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
    gate->parked_window_bytes = (gate->parked_window_bytes * (WEIGHT - 1) + bytes) / WEIGHT;
}

void gate_measure(struct gate *gate, uint64_t used_bytes, uint64_t parked_bytes, uint64_t raw_bytes)
{
    gate->used_bytes = used_bytes;
    gate->parked_bytes = parked_bytes;
    gate->raw_bytes = raw_bytes;
    if (!gate->windows)
        gate->base_bytes = used_bytes - parked_bytes;
    uint64_t others = gate->base_bytes + parked_bytes;
    uint64_t held = used_bytes > others ? used_bytes - others : 0;
    if (gate->windows >= 4 && held / gate->windows > gate->window_bytes)
        gate->window_bytes = held / gate->windows; /* those who are in have grown */
}

void gate_freed(struct gate *gate, uint64_t bytes)
{
    gate->used_bytes -= bytes < gate->used_bytes ? bytes : gate->used_bytes;
}

static enum gate_wish memory_wish(const struct gate *gate)
{
    uint64_t windows = gate->windows * gate->parked_window_bytes;
    uint64_t known = windows + gate->parked_bytes;
    uint64_t rest = gate->used_bytes > known ? gate->used_bytes - known : 0;
    uint64_t room = gate->limit_bytes - reserve(gate) / 4 * 5;
    uint64_t budget = room > rest ? room - rest : 0; /* for windows and parked VMs */
    bool few = windows < budget / 4;                 /* then some must be able to enter */
    uint64_t aim = few ? room - room / 16 : room + reserve(gate) / 4;
    if (gate->used_bytes <= aim)
        return GATE_CONTENT;
    if (gate->raw_bytes > budget / 2 || (few && gate->raw_bytes > budget / 16))
        return GATE_WANTS_SQUEEZE;
    if (few || gate->parked_bytes > budget / 8 * 5)
        return GATE_WANTS_SWAP;
    return GATE_WANTS_WINDOW;
}

enum gate_wish gate_wish(const struct gate *gate)
{
    enum gate_wish wish = memory_wish(gate);
    bool split = gate->mappings > gate->max_mappings && gate->windows > 1;
    return wish == GATE_CONTENT && split ? GATE_WANTS_MAPPINGS : wish;
}

uint64_t gate_least_bytes(const struct gate *gate)
{
    struct gate larger = *gate;
    larger.limit_bytes = (gate->used_bytes + MIB - 1) / MIB * MIB;
    while (memory_wish(&larger) != GATE_CONTENT)
        larger.limit_bytes += MIB;
    return larger.limit_bytes;
}

bool gate_is_over(const struct gate *gate)
{
    return gate->used_bytes > gate->limit_bytes - reserve(gate) / 4 * 3;
}
