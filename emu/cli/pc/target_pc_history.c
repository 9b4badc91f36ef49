/* SPDX-License-Identifier: MIT */
/*
 * Invariant: the tape's place of reading is that of the machine, wherever it was put. In the
 * past the gate replays; at the end of what is known it is live again, unless the recording is a
 * finished one. A guest that does otherwise than its tape (somebody changed it) begins a new
 * future: the old one is forgotten.
 */
#include "emu/cli/pc/target_pc_history.h"

#include "denali/record/tape.h"
#include "emu/base/host.h"
#include "emu/cli/pc/target_pc_snapshots.h"
#include "emu/cpu/debug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 12u
#define FIRST_INTERVAL_NS UINT64_C(500000000)
#define MAX_IDLE_TURNS 1000000u
#define TURNS_BETWEEN_LOOKS 16u /* of ten milliseconds or less */

struct frame {
    uint64_t icount;
    struct tape_place place;
    uint8_t *data;
    size_t len, room, at;
};

struct target_pc_history {
    struct pc *pc;
    struct gate *gate;
    struct tape *tape;
    bool finished; /* a recording of another run: nothing is live behind its end */
    struct frame frame[MAX_FRAMES];
    unsigned frames;
    uint64_t last, interval_ns, taken_ns;
    /* Whether a person wants what is under way to end (see target.h), and whether it does so. */
    const struct target *asked;
    bool given_up;
};

static struct cpu *cpu_of(const struct target_pc_history *h)
{
    return pc_processor(h->pc);
}

static uint64_t icount_of(const struct target_pc_history *h)
{
    return cpu_of(h)->icount;
}

/* Whole machines */

static int put(void *opaque, void *data, size_t len)
{
    struct frame *f = opaque;
    if (f->len + len > f->room) {
        size_t room = 2 * (f->len + len);
        uint8_t *more = realloc(f->data, room);
        if (!more)
            return -ENOMEM;
        f->data = more;
        f->room = room;
    }
    memcpy(f->data + f->len, data, len);
    f->len += len;
    return 0;
}

static int get(void *opaque, void *data, size_t len)
{
    struct frame *f = opaque;
    if (len > f->len - f->at)
        return -EINVAL;
    memcpy(data, f->data + f->at, len);
    f->at += len;
    return 0;
}

/* Every second one goes, the first stays; from then on they are taken half as often. */
static void thin_out(struct target_pc_history *h)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < h->frames; i++) {
        if (i % 2)
            free(h->frame[i].data);
        else
            h->frame[kept++] = h->frame[i];
    }
    h->frames = kept;
    h->interval_ns *= 2;
}

static int take_frame(struct target_pc_history *h)
{
    struct why why;
    struct frame f = {.icount = icount_of(h),
                      .place = h->gate->replays ? tape_tell(h->tape) : tape_end(h->tape)};
    const struct pc_stream to = {put, &f};
    if (h->frames == MAX_FRAMES)
        thin_out(h);
    int err = pc_save(h->pc, &to, &why);
    if (err) {
        free(f.data);
        return err;
    }
    uint8_t *tight = realloc(f.data, f.len);
    f.data = tight ? tight : f.data;
    h->frame[h->frames++] = f;
    h->taken_ns = host_monotonic_ns();
    return 0;
}

static int load_frame(struct target_pc_history *h, unsigned n, struct why *why)
{
    h->given_up = h->asked && target_is_asked(h->asked);
    struct frame *f = &h->frame[n];
    const struct pc_stream from = {get, f};
    f->at = 0;
    int err = pc_load(h->pc, &from, why);
    tape_seek(h->tape, f->place);
    h->gate->lost = false;
    h->gate->replays = true;
    return err;
}

int target_pc_history_create(struct pc *pc, struct pc_record *record,
                             struct target_pc_history **out)
{
    struct target_pc_history *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->pc = pc;
    h->gate = pc_record_gate(record);
    h->tape = pc_record_tape(record);
    h->finished = h->gate->replays;
    h->gate->runs_on = !h->finished;
    h->interval_ns = FIRST_INTERVAL_NS;
    h->last = icount_of(h);
    int err = take_frame(h);
    if (err) {
        target_pc_history_destroy(h);
        return err;
    }
    *out = h;
    return 0;
}

void target_pc_history_destroy(struct target_pc_history *h)
{
    for (unsigned i = 0; h && i < h->frames; i++)
        free(h->frame[i].data);
    free(h);
}

/* Forwards */

static bool has_more(struct target_pc_history *h)
{
    struct gate_event e;
    return h->gate->peek(h->gate, &e);
}

static void begin_new_future(struct target_pc_history *h)
{
    tape_cut(h->tape);
    h->gate->lost = h->gate->replays = false;
    h->last = icount_of(h);
    while (h->frames > 1 && h->frame[h->frames - 1].icount > h->last)
        free(h->frame[--h->frames].data);
}

void target_pc_history_before_run(struct target_pc_history *h)
{
    if (!h->finished && h->gate->replays && icount_of(h) >= h->last && !has_more(h))
        h->gate->replays = false;
}

bool target_pc_history_after_run(struct target_pc_history *h, enum pc_state state)
{
    if (h->gate->lost && !h->finished)
        begin_new_future(h);
    if (icount_of(h) > h->last)
        h->last = icount_of(h);
    bool newest = icount_of(h) > h->frame[h->frames - 1].icount;
    if (newest && host_monotonic_ns() - h->taken_ns >= h->interval_ns)
        (void)take_frame(h); /* without one, going back takes longer */
    return state == PC_REPLAYED && h->finished && !h->gate->lost;
}

/* To a count, as far as nothing stops before. */
static enum pc_state run_to(struct target_pc_history *h, uint64_t icount)
{
    enum pc_state state = PC_RUNNING;
    uint64_t before = 0;
    unsigned idle = 0, turns = 0;
    while (icount_of(h) < icount && idle < MAX_IDLE_TURNS && !h->given_up &&
           (state == PC_RUNNING || state == PC_RESET)) {
        before = icount_of(h);
        if (h->asked && !(++turns % TURNS_BETWEEN_LOOKS))
            h->given_up = target_is_asked(h->asked);
        state = pc_run_count(h->pc, icount - before);
        idle = icount_of(h) == before ? idle + 1 : 0;
    }
    return state;
}

static unsigned frame_before(const struct target_pc_history *h, uint64_t icount)
{
    unsigned n = h->frames - 1;
    while (n && h->frame[n].icount > icount)
        n--;
    return n;
}

/* Whatever is set does not stop. */
static int go_to(struct target_pc_history *h, uint64_t icount, struct why *why)
{
    struct cpu *cpu = cpu_of(h);
    struct cpu_debug *debug = cpu->debug;
    bool runs_on = h->gate->runs_on;
    unsigned n = frame_before(h, icount);
    int err = 0;
    if (icount < icount_of(h) || h->frame[n].icount > icount_of(h))
        err = load_frame(h, n, why);
    if (err)
        return err;
    h->gate->replays = h->gate->runs_on = true;
    cpu->debug = NULL;
    run_to(h, icount);
    cpu->debug = debug;
    h->gate->runs_on = runs_on;
    if (h->given_up)
        return why_fail(why, -EINTR, "interrupted: it stands where it stood");
    if (icount_of(h) != icount)
        return why_fail(why, -EIO, "the past went otherwise than it did: it is lost");
    return 0;
}

/* Back to the latest stop at a count in [begin of history, end); the machine stands there. */

static bool is_stop(enum pc_state state)
{
    return state == PC_BREAKPOINT || state == PC_WATCHPOINT;
}

/* The latest one between a frame and `end`; its count and how it stopped, or PC_RUNNING. */
static enum pc_state latest_stop(struct target_pc_history *h, unsigned frame, uint64_t end,
                                 uint64_t *at, struct why *why)
{
    enum pc_state found = PC_RUNNING, state = PC_BREAKPOINT;
    if (load_frame(h, frame, why))
        return PC_SHUTDOWN;
    h->gate->runs_on = true;
    while (is_stop(state)) {
        state = run_to(h, end);
        if (!is_stop(state) || icount_of(h) >= end)
            break;
        found = state;
        *at = icount_of(h);
        cpu_debug_pass(cpu_of(h));
    }
    return found;
}

/* The same again, to have the stop as it was told. */
static enum pc_state stop_at(struct target_pc_history *h, unsigned frame, uint64_t at,
                             struct why *why)
{
    enum pc_state state = PC_BREAKPOINT;
    if (load_frame(h, frame, why))
        return PC_SHUTDOWN;
    h->gate->runs_on = true;
    while (is_stop(state)) {
        state = run_to(h, at + 1);
        if (is_stop(state) && icount_of(h) >= at)
            return state;
        cpu_debug_pass(cpu_of(h));
    }
    return PC_RUNNING;
}

static enum pc_state find_back(struct target_pc_history *h, uint64_t end, struct why *why)
{
    bool runs_on = h->gate->runs_on;
    enum pc_state state = PC_RUNNING;
    for (unsigned n = frame_before(h, end - 1) + 1;
         n-- > 0 && state == PC_RUNNING && !h->given_up;) {
        uint64_t at = 0;
        state = latest_stop(h, n, end, &at, why);
        if (is_stop(state))
            state = stop_at(h, n, at, why);
        end = h->frame[n].icount;
    }
    h->gate->runs_on = runs_on;
    return state;
}

/* The debugger's side */

static uint64_t now(struct target *target)
{
    return icount_of(target_pc_history_of(target));
}

static uint64_t first(struct target *target)
{
    return target_pc_history_of(target)->frame[0].icount;
}

static uint64_t last(struct target *target)
{
    return target_pc_history_of(target)->last;
}

static int stands(struct target *target, enum target_stop_kind kind, struct target_stop *stop)
{
    if (now(target) == first(target))
        kind = TARGET_STOP_HISTORY;
    *stop = (struct target_stop){.kind = kind, .icount = now(target), .eip = target_eip(target)};
    return 0;
}

static void listen(struct target_pc_history *h, const struct target *target)
{
    h->asked = target;
    h->given_up = false;
}

/* From a search that was given up. */
static int come_back(struct target_pc_history *h, uint64_t here, struct why *why)
{
    listen(h, NULL);
    int err = go_to(h, here, why);
    return err ? err : why_fail(why, -EINTR, "interrupted: it stands where it stood");
}

/* The latest stop before `end`, which tells how it stopped; -EINTR. */
static int find_stop(struct target *target, uint64_t end, enum pc_state *state, struct why *why)
{
    struct target_pc_history *h = target_pc_history_of(target);
    uint64_t here = now(target);
    listen(h, target);
    *state = find_back(h, end, why);
    int err = h->given_up ? come_back(h, here, why) : 0;
    listen(h, NULL);
    return err;
}

static int seek(struct target *target, uint64_t icount, struct target_stop *stop, struct why *why)
{
    if (icount < first(target) || icount > last(target))
        return why_fail(why, -EINVAL, "the history goes from instruction %llu to %llu",
                        (unsigned long long)first(target), (unsigned long long)last(target));
    struct target_pc_history *h = target_pc_history_of(target);
    uint64_t here = now(target);
    listen(h, target);
    int err = go_to(h, icount, why);
    if (h->given_up)
        err = come_back(h, here, why);
    listen(h, NULL);
    return err ? err : stands(target, TARGET_STOP_STEP, stop);
}

static int step_back(struct target *target, struct target_stop *stop, struct why *why)
{
    if (now(target) == first(target))
        return stands(target, TARGET_STOP_HISTORY, stop);
    return seek(target, now(target) - 1, stop, why);
}

static int tell(struct target *target, enum pc_state state, struct target_stop *stop,
                struct why *why)
{
    int err = 0;
    if (state == PC_SHUTDOWN)
        return -EIO;
    if (!is_stop(state)) {
        err = go_to(target_pc_history_of(target), first(target), why);
        return err ? err : stands(target, TARGET_STOP_HISTORY, stop);
    }
    *stop = (struct target_stop){.kind = state == PC_BREAKPOINT ? TARGET_STOP_BREAKPOINT
                                                                : TARGET_STOP_WATCHPOINT,
                                 .icount = now(target),
                                 .eip = target_eip(target)};
    if (state == PC_WATCHPOINT)
        stop->hit = target_cpu(target)->debug->now.hit;
    return 0;
}

static int continue_back(struct target *target, struct target_stop *stop, struct why *why)
{
    uint64_t here = now(target);
    if (here == first(target))
        return stands(target, TARGET_STOP_HISTORY, stop);
    enum pc_state state;
    int err = find_stop(target, here, &state, why);
    return err ? err : tell(target, state, stop, why);
}

/* With a debugger of its own, that knows of the one range only. */
static int last_write(struct target *target, uint32_t linear, uint32_t len,
                      struct target_stop *stop, struct why *why)
{
    struct cpu *cpu = target_cpu(target);
    struct cpu_debug *debug = cpu->debug;
    uint64_t here = now(target);
    enum pc_state state = PC_RUNNING;
    cpu->debug = NULL;
    int err = cpu_debug_open(cpu);
    if (!err)
        err = cpu_debug_watch(cpu, linear, len, CPU_WATCH_WRITE);
    if (!err)
        err = find_stop(target, here + 1, &state, why);
    else
        err = why_fail(why, err, "these bytes cannot be watched: %s", strerror(-err));
    if (!err)
        err = tell(target, state, stop, why);
    if (cpu->debug)
        cpu_debug_close(cpu);
    cpu->debug = debug;
    return err;
}

static int restore(struct target *target, const char *name, struct target_stop *stop,
                   struct why *why)
{
    const char *one;
    uint64_t icount;
    for (unsigned n = 0; target_pc_only_snapshots.saved(target, n, &one, &icount); n++)
        if (!strcmp(one, name))
            return seek(target, icount, stop, why);
    return why_fail(why, -ENOENT, "there is no snapshot %.60s; \"snapshot list\" tells their names",
                    name);
}

static int save(struct target *target, const char *name, struct why *why)
{
    return target_pc_only_snapshots.save(target, name, why);
}

static int forget(struct target *target, const char *name, struct why *why)
{
    return target_pc_only_snapshots.forget(target, name, why);
}

static bool saved(struct target *target, unsigned n, const char **name, uint64_t *icount)
{
    return target_pc_only_snapshots.saved(target, n, name, icount);
}

const struct target_history_ops target_pc_history = {
    .now = now,
    .first = first,
    .last = last,
    .seek = seek,
    .step_back = step_back,
    .continue_back = continue_back,
    .save = save,
    .restore = restore,
    .forget = forget,
    .saved = saved,
    .read_saved = target_pc_read_saved,
    .saved_cpu = target_pc_saved_cpu,
    .differs = target_pc_differs,
    .last_write = last_write,
};
