/* SPDX-License-Identifier: MIT */
/*
 * Going back is going forward again. A machine that is kept carries its place on the tape;
 * put back, the VM replays from there, and where the tape ends the world speaks again.
 *
 * Machines are taken only where vm_run came back because its budget was used up: there
 * nothing is half done. A seam is a machine that does not follow from the one before, because
 * somebody changed it: running across its count, the VM becomes it.
 */
#include "denali/record/history.h"
#include "denali/record/history_private.h"

#include "emu/base/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Machines are taken so seldom that it costs a twentieth of the time, and at least so many
 * instructions apart. */
#define COST_SHARE 20u
#define INSNS_PER_NS 3u
#define MIN_INTERVAL 1000000u
#define MAX_MACHINES 96u

static uint64_t now(const struct history *h)
{
    return h->vm->cpu->icount;
}

void machine_free(struct history *h, struct machine *m)
{
    if (m->pages == h->base)
        h->base = NULL;
    pages_free(m->pages);
    h->meter.bytes -= m->state ? h->state_bytes : 0;
    free(m->state);
    free(m->name);
    memset(m, 0, sizeof(*m));
}

static struct tape_place place_now(const struct history *h)
{
    const struct outside *o = &h->vm->outside;
    return o->mode == OUTSIDE_REPLAY ? tape_tell(o->tape) : tape_end(o->tape);
}

/* What the VM's memory is likely to be most like. */
static const struct pages *base_for(const struct history *h)
{
    if (h->base)
        return h->base;
    return h->machines ? h->machine[history_find(h, now(h))].pages : NULL;
}

int machine_take(struct history *h, struct machine *out)
{
    uint64_t before = host_monotonic_ns();
    memset(out, 0, sizeof(*out));
    out->icount = now(h);
    out->place = place_now(h);
    out->news = h->vm->outside.news;
    out->age = h->age;
    out->state = malloc(h->state_bytes);
    int err = out->state ? vm_state_save(h->vm, out->state) : -ENOMEM;
    if (out->state)
        h->meter.bytes += h->state_bytes;
    if (!err)
        err = pages_take(h->vm, base_for(h), &h->meter, &out->pages);
    if (err) {
        machine_free(h, out);
        return err;
    }
    h->base = out->pages;
    h->counters.taken++;
    h->take_ns = host_monotonic_ns() - before;
    h->counters.take_ns += h->take_ns;
    return 0;
}

/* What debuggers and drivers had under way is over. */
static void settle(struct vm *vm)
{
    vm->held = ENGINE_EXIT_BUDGET;
    vm->stopping = false;
    vm->cpu->exit.trap = 0;
    if (vm->cpu->debug)
        memset(&vm->cpu->debug->now, 0, sizeof(vm->cpu->debug->now));
}

int machine_put_back(struct history *h, const struct machine *m)
{
    struct vm *vm = h->vm;
    outside_note_mark(vm);
    if (vm->cpu->debug)
        cpu_debug_disarm(vm->cpu);
    int err = pages_restore(m->pages, vm);
    if (!err)
        err = vm_state_load(vm, m->state, h->state_bytes, VM_TIME_SAVED);
    if (err)
        return err;
    settle(vm);
    vm->outside.mode = OUTSIDE_REPLAY;
    vm->outside.over = false;
    vm->outside.news = m->news;
    memset(&vm->outside.stuck, 0xff, sizeof(vm->outside.stuck));
    tape_seek(vm->outside.tape, m->place);
    h->base = m->pages;
    h->clean = true;
    h->next = now(h) + MIN_INTERVAL + h->take_ns * COST_SHARE * INSNS_PER_NS;
    h->counters.restored++;
    state_copy(&cpu_state_list, &h->seen, vm->cpu);
    return 0;
}

/* The row of machines. */

size_t history_find(const struct history *h, uint64_t icount)
{
    size_t i = h->machines;
    while (i > 1 && h->machine[i - 1].icount > icount)
        i--;
    return i - 1;
}

static void remove_at(struct history *h, size_t i)
{
    machine_free(h, &h->machine[i]);
    memmove(&h->machine[i], &h->machine[i + 1], (h->machines - i - 1) * sizeof(h->machine[0]));
    h->machines--;
}

/* The one that is missed least: its neighbours lie close together, and it is long ago. */
static size_t least_missed(const struct history *h)
{
    size_t best = 0;
    double least = 0;
    for (size_t i = 1; i + 1 < h->machines; i++) {
        double gap = (double)(h->machine[i + 1].icount - h->machine[i - 1].icount);
        double ago = (double)(h->machine[h->machines - 1].icount - h->machine[i].icount) + 1;
        if (!h->machine[i].seam && (!best || gap / ago < least)) {
            best = i;
            least = gap / ago;
        }
    }
    return best;
}

static void thin_out(struct history *h)
{
    while (h->machines > 2 && (h->machines > MAX_MACHINES || h->meter.bytes > h->max_bytes)) {
        size_t i = least_missed(h);
        if (!i && h->meter.bytes <= h->max_bytes)
            return;
        remove_at(h, i); /* nothing but seams: the history begins later */
    }
}

/* The tape may take half of what the machines may: beyond that the history begins later. */
static bool tape_is_long(const struct history *h)
{
    const struct outside *o = &h->vm->outside;
    return !h->of_recording && o->mode != OUTSIDE_REPLAY && tape_bytes(o->tape) > h->max_bytes / 2;
}

static void shorten_tape(struct history *h)
{
    while (h->machines > 2 && tape_is_long(h)) {
        remove_at(h, 0);
        tape_forget(h->vm->outside.tape, h->machine[0].place);
    }
}

static void choose_next(struct history *h)
{
    uint64_t interval = h->take_ns * COST_SHARE * INSNS_PER_NS;
    h->next = now(h) + (interval > MIN_INTERVAL ? interval : MIN_INTERVAL);
}

static int take(struct history *h, bool seam)
{
    if (h->machines == h->room) {
        size_t room = h->room ? 2 * h->room : 16;
        struct machine *bigger = realloc(h->machine, room * sizeof(*bigger));
        if (!bigger)
            return -ENOMEM;
        h->machine = bigger;
        h->room = room;
    }
    struct machine m;
    int err = machine_take(h, &m);
    if (err)
        return err;
    size_t at = h->machines ? history_find(h, m.icount) + 1 : 0;
    memmove(&h->machine[at + 1], &h->machine[at], (h->machines - at) * sizeof(m));
    h->machine[at] = m;
    h->machine[at].seam = seam;
    h->machines++;
    thin_out(h);
    shorten_tape(h);
    choose_next(h);
    return 0;
}

int machine_put_other(struct history *h, const struct machine *m)
{
    int err = machine_put_back(h, m);
    if (err)
        return err;
    while (h->machines)
        remove_at(h, h->machines - 1);
    outside_go_live(h->vm, true);
    h->age++;
    h->last = now(h);
    return take(h, false);
}

int history_create(struct vm *vm, uint64_t max_bytes, struct history **out, struct why *why)
{
    struct history *h = calloc(1, sizeof(*h));
    if (!h)
        return why_fail(why, -ENOMEM, "no memory");
    BUG_ON(!vm->outside.tape, "a history needs a tape");
    h->vm = vm;
    h->max_bytes = max_bytes ? max_bytes : HISTORY_BYTES;
    h->state_bytes = vm_state_size(vm);
    h->of_recording = vm->outside.mode == OUTSIDE_REPLAY;
    h->last = h->of_recording ? tape_end(vm->outside.tape).icount : now(h);
    h->seam_icount = UINT64_MAX;
    int err = take(h, false);
    if (err) {
        history_destroy(h);
        return why_fail(why, err, "cannot keep a history: %s", strerror(-err));
    }
    state_copy(&cpu_state_list, &h->seen, vm->cpu);
    *out = h;
    return 0;
}

void history_destroy(struct history *h)
{
    if (!h)
        return;
    while (h->machines)
        remove_at(h, h->machines - 1);
    while (h->names)
        machine_free(h, &h->named[--h->names]);
    free(h->machine);
    free(h->named);
    free(h);
}

/* Changes from outside. */

void history_changed(struct history *h)
{
    h->changed = true;
}

static void note_last(struct history *h)
{
    if (now(h) > h->last)
        h->last = now(h);
    state_copy(&cpu_state_list, &h->seen, h->vm->cpu);
}

/* From here on the world speaks, whatever was to come. */
void history_begin_future(struct history *h)
{
    while (h->machines > 1 && h->machine[h->machines - 1].icount > now(h))
        remove_at(h, h->machines - 1);
    if (h->vm->outside.mode == OUTSIDE_REPLAY) {
        outside_go_live(h->vm, true);
        h->of_recording = false;
        h->age++;
    }
    h->last = now(h);
}

/* Changed twice at one place: the last one counts. */
static void drop_seam_here(struct history *h)
{
    size_t i = h->machines - 1;
    if (i && h->machine[i].seam && h->machine[i].icount == now(h))
        remove_at(h, i);
}

/* Where somebody changed the machine, it is kept as it is now. */
int history_settle_change(struct history *h)
{
    if (!h->changed && !state_compare(&cpu_state_list, &h->seen, h->vm->cpu))
        return 0;
    h->changed = false;
    history_begin_future(h);
    drop_seam_here(h);
    h->seam_icount = now(h);
    return take(h, true);
}

/* The next seam that the VM would run across. */
static const struct machine *next_seam(const struct history *h)
{
    for (size_t i = 0; i < h->machines; i++) {
        const struct machine *m = &h->machine[i];
        if (m->seam && (m->icount > now(h) || (m->icount == now(h) && h->seam_icount != m->icount)))
            return m;
    }
    return NULL;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What may be done before something of ours comes. */
static uint64_t budget_for(const struct history *h, uint64_t end)
{
    const struct machine *seam = h->vm->outside.mode == OUTSIDE_REPLAY ? next_seam(h) : NULL;
    uint64_t until = end;
    if (!h->searching)
        until = least(end, h->next > now(h) ? h->next : now(h) + MIN_INTERVAL);
    if (seam)
        until = least(until, seam->icount);
    return until == UINT64_MAX ? until : until - now(h);
}

/* True: something was done about where the VM stands. */
static bool tend(struct history *h, int *err)
{
    const struct machine *seam = h->vm->outside.mode == OUTSIDE_REPLAY ? next_seam(h) : NULL;
    if (seam && seam->icount == now(h)) {
        *err = machine_put_back(h, seam);
        h->seam_icount = now(h);
        return true;
    }
    bool due = now(h) >= h->next;
    if ((!due && !tape_is_long(h)) || !h->clean || h->searching)
        return false;
    bool known = h->machine[history_find(h, now(h))].icount == now(h);
    if (known && !due)
        return false;
    *err = known ? 0 : take(h, false);
    choose_next(h);
    return true;
}

static enum vm_slice fail(struct history *h, int err)
{
    return vm_end_host(h->vm, err, "cannot keep the history") ? VM_ENDED : VM_STOPPED;
}

enum vm_slice history_run(struct history *h, uint64_t budget)
{
    uint64_t end = budget < UINT64_MAX - now(h) ? now(h) + budget : UINT64_MAX;
    int err = history_settle_change(h);
    enum vm_slice slice = VM_BUDGET;
    while (!err) {
        while (slice == VM_BUDGET && !err && tend(h, &err))
            continue;
        if (err || (slice == VM_BUDGET && now(h) >= end))
            break;
        slice = vm_run(h->vm, budget_for(h, end));
        h->clean = slice == VM_BUDGET;
        if (slice == VM_REPLAYED && !h->of_recording) {
            outside_go_live(h->vm, true);
            slice = VM_STOPPED;
            continue;
        }
        if (slice != VM_BUDGET)
            break;
    }
    note_last(h);
    return err ? fail(h, err) : slice;
}

uint64_t history_first(const struct history *h)
{
    return h->machine[0].icount;
}

uint64_t history_last(const struct history *h)
{
    return h->last;
}

#define STRETCH UINT64_C(30000000) /* some hundredths of a second */

enum vm_slice history_run_stretch(struct history *h, uint64_t end)
{
    uint64_t left = end - now(h);
    if (!h->given_up && h->asked)
        h->given_up = h->asked(h->asked_opaque);
    return h->given_up ? VM_STOPPED : history_run(h, left < STRETCH ? left : STRETCH);
}

/* Runs on in the past, whatever would stop it. */
static int run_over(struct history *h, uint64_t icount)
{
    while (now(h) < icount) {
        switch (history_run_stretch(h, icount)) {
        case VM_BREAKPOINT:
            cpu_debug_pass(h->vm->cpu);
            break;
        case VM_ENDED:
        case VM_REPLAYED:
            return now(h) == icount ? 0 : -EINVAL;
        default:
            break;
        }
        if (h->given_up)
            return -EINTR;
    }
    return 0;
}

/* The next place that is asked for is often a little before this one: a machine is kept there. */
static int run_to(struct history *h, uint64_t icount)
{
    int err = 0;
    if (icount - now(h) > 4 * MIN_INTERVAL && !h->searching) {
        err = run_over(h, icount - MIN_INTERVAL);
        if (!err && h->clean && h->machine[history_find(h, now(h))].icount != now(h))
            err = take(h, false);
    }
    return err ? err : run_over(h, icount);
}

static int seek(struct history *h, uint64_t icount, struct why *why)
{
    int err = history_settle_change(h);
    if (!err && (icount < history_first(h) || icount > h->last))
        return why_fail(why, -EINVAL, "instruction %llu is not in the history: %llu to %llu",
                        (unsigned long long)icount, (unsigned long long)history_first(h),
                        (unsigned long long)h->last);
    const struct machine *m = &h->machine[history_find(h, icount)];
    if (!err)
        err = machine_put_back(h, m);
    h->seam_icount = m->seam ? m->icount : UINT64_MAX;
    if (!err)
        err = run_to(h, icount);
    if (!err && h->vm->cpu->debug)
        memset(&h->vm->cpu->debug->now, 0, sizeof(h->vm->cpu->debug->now));
    note_last(h);
    return err ? why_fail(why, err, "cannot go to instruction %llu: %s", (unsigned long long)icount,
                          h->vm->end.why.text[0] ? h->vm->end.why.text : strerror(-err))
               : 0;
}

int history_return(struct history *h, uint64_t icount, struct why *why)
{
    history_asked_fn asked = h->asked;
    h->asked = NULL;
    h->given_up = false;
    int err = seek(h, icount, why);
    h->asked = asked;
    return err;
}

int history_seek(struct history *h, uint64_t icount, struct why *why)
{
    struct why ignored;
    uint64_t here = now(h);
    h->given_up = false;
    int err = seek(h, icount, why);
    if (err == -EINTR && history_return(h, here, &ignored))
        return why_fail(why, -EIO, "cannot go back to instruction %llu: %.150s",
                        (unsigned long long)here, ignored.text);
    return err;
}

void history_set_asked(struct history *h, history_asked_fn fn, void *opaque)
{
    h->asked = fn;
    h->asked_opaque = opaque;
}

void history_set_filter(struct history *h, history_stop_fn fn, void *opaque)
{
    h->stops = fn;
    h->stops_opaque = opaque;
}

void history_counters(const struct history *h, struct history_counters *out)
{
    *out = h->counters;
    out->machines = h->machines + h->names;
    out->bytes = h->meter.bytes;
    out->tape_bytes = tape_bytes(h->vm->outside.tape);
}
