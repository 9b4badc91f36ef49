/* SPDX-License-Identifier: MIT */
/*
 * Searching backwards: from machine to machine, each stretch is run forwards once to find its last
 * stop, and once more to stand there. Stops are told apart by their count, which is the same both
 * times.
 */
#include "denali/record/history_private.h"

#include <errno.h>
#include <string.h>

/* What is looked for. */
struct wanted {
    bool write; /* only a write to [linear, linear+len), set as a watchpoint */
    uint32_t linear, len;
};

static bool is_wanted(const struct history *h, const struct wanted *w, enum vm_slice slice)
{
    if (slice != VM_BREAKPOINT && slice != VM_WATCHPOINT && slice != VM_CAUGHT)
        return false;
    if (!w->write)
        return !h->stops || h->stops(h->stops_opaque, slice);
    const struct cpu_watch_hit *hit = &h->vm->cpu->debug->now.hit;
    return slice == VM_WATCHPOINT && hit->at == w->linear && hit->at_len == w->len &&
           hit->at_access == CPU_WATCH_WRITE;
}

/* Runs to the next stop that is wanted, or to `end`: VM_BUDGET. */
static enum vm_slice next_stop(struct history *h, const struct wanted *w, uint64_t end)
{
    while (h->vm->cpu->icount < end) {
        enum vm_slice slice = history_run_stretch(h, end);
        if (h->given_up)
            return VM_STOPPED;
        if (is_wanted(h, w, slice))
            return slice;
        if (slice == VM_BREAKPOINT)
            cpu_debug_pass(h->vm->cpu);
        if (slice == VM_ENDED || slice == VM_REPLAYED)
            return slice;
    }
    return VM_BUDGET;
}

static void go_past(struct history *h, enum vm_slice slice)
{
    if (slice == VM_BREAKPOINT)
        cpu_debug_pass(h->vm->cpu);
}

/* How many stops there are from here to `end`; those at `end` are not before it. */
static uint64_t count_stops(struct history *h, const struct wanted *w, uint64_t end)
{
    uint64_t stops = 0;
    for (;;) {
        enum vm_slice slice = next_stop(h, w, end);
        if (!is_wanted(h, w, slice) || h->vm->cpu->icount >= end)
            return stops;
        stops++;
        go_past(h, slice);
    }
}

static enum vm_slice stop_at(struct history *h, const struct wanted *w, uint64_t end, uint64_t stop)
{
    enum vm_slice slice = VM_REPLAYED;
    for (uint64_t i = 0; i < stop; i++) {
        if (i)
            go_past(h, slice);
        slice = next_stop(h, w, end);
    }
    return slice;
}

static int stand_at(struct history *h, size_t i)
{
    const struct machine *m = &h->machine[i];
    int err = machine_put_back(h, m);
    h->seam_icount = m->seam ? m->icount : UINT64_MAX;
    return err;
}

/* The machine before `end`; SIZE_MAX: there is none. */
static size_t machine_before(const struct history *h, uint64_t end)
{
    size_t i = h->machines;
    while (i > 0 && h->machine[i - 1].icount >= end)
        i--;
    return i ? i - 1 : SIZE_MAX;
}

static enum vm_slice search_machines(struct history *h, const struct wanted *w)
{
    uint64_t end = h->vm->cpu->icount;
    for (size_t i = machine_before(h, end); i != SIZE_MAX; i = machine_before(h, end)) {
        uint64_t begin = h->machine[i].icount;
        if (stand_at(h, i))
            return VM_REPLAYED;
        uint64_t stops = count_stops(h, w, end);
        if (h->given_up)
            return VM_STOPPED;
        if (stops) {
            if (stand_at(h, i))
                return VM_REPLAYED;
            return stop_at(h, w, end, stops);
        }
        end = begin;
    }
    return VM_REPLAYED;
}

/* The row of machines does not change meanwhile. */
static enum vm_slice search(struct history *h, const struct wanted *w)
{
    struct why why;
    uint64_t here = h->vm->cpu->icount;
    h->searching = true;
    h->given_up = false;
    enum vm_slice slice = search_machines(h, w);
    if (h->given_up)
        slice = history_return(h, here, &why) ? VM_ENDED : VM_STOPPED;
    h->searching = false;
    return slice;
}

enum vm_slice history_continue_back(struct history *h)
{
    const struct wanted w = {.write = false};
    int err = history_settle_change(h);
    enum vm_slice slice = err ? VM_REPLAYED : search(h, &w);
    if (slice == VM_REPLAYED && stand_at(h, 0) == 0)
        h->vm->outside.over = false;
    return slice;
}

enum vm_slice history_last_write(struct history *h, uint32_t linear, uint32_t len)
{
    const struct wanted w = {true, linear, len};
    struct cpu *cpu = h->vm->cpu;
    struct why why;
    uint64_t here = cpu->icount;
    if (history_settle_change(h) || cpu_debug_open(cpu))
        return VM_REPLAYED;
    enum vm_slice slice = VM_REPLAYED;
    if (cpu_debug_watch(cpu, linear, len, CPU_WATCH_WRITE) == 0) {
        slice = search(h, &w);
        cpu_debug_unwatch(cpu, linear, len, CPU_WATCH_WRITE);
    }
    if (slice == VM_REPLAYED && history_seek(h, here, &why))
        slice = VM_ENDED;
    cpu_debug_close(cpu);
    return slice;
}
