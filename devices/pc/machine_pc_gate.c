/* SPDX-License-Identifier: MIT */
/*
 * Where arrivals lie in a PC's time: at a count of instructions and, while the
 * processor sleeps, at a time. A replay ends its budgets and sleeps there, so each comes
 * to the same state again.
 */
#include "devices/pc/machine_pc_private.h"

#include "devices/gate.h"
#include "devices/pc/i8042.h"

#include <string.h>

static void stand(void *machine, struct gate_event *event)
{
    struct pc *pc = machine;
    event->icount = pc->cpu->icount;
    event->now_ns = clock_now_ns(pc->clock);
}

static void kick(void *machine)
{
    struct pc *pc = machine;
    if (pc->running)
        engine_stop(pc->cpu);
}

void pc_gate_open(struct pc *pc)
{
    struct gate *gate = pc->c.gate;
    pc->board.gate = gate;
    gate->machine = pc;
    gate->stand = stand;
    gate->kick = kick;
}

bool pc_gate_replays(const struct pc *pc)
{
    return pc->c.gate && pc->c.gate->replays;
}

void pc_gate_note(struct pc *pc, unsigned kind, uint64_t sum)
{
    struct gate_event e = {.kind = (uint8_t)kind, .sum = sum};
    stand(pc, &e);
    pc->c.gate->put(pc->c.gate, &e);
}

static unsigned place_of(const struct pc *pc, const struct board_device *dev)
{
    unsigned n = 0;
    for (const struct board_device *at = pc->board.first; at != dev; at = at->next)
        n++;
    return n;
}

void pc_gate_ready(struct pc *pc, struct board_device *dev)
{
    struct gate_event e = {.kind = GATE_READY, .device = (uint8_t)place_of(pc, dev)};
    bool live = !pc->c.gate || gate_arrives(pc->c.gate, &e);
    if (live)
        dev->ops->ready(dev);
}

static bool next_arrival(struct pc *pc, struct gate_event *out)
{
    struct gate *gate = pc->c.gate;
    return !gate->lost && gate->peek(gate, out) && out->kind >= GATE_ARRIVALS;
}

/* The arrival that comes now; one whose place has passed is the end of the replay. */
static bool arrival_is_due(struct pc *pc, struct gate_event *out)
{
    struct gate_event here;
    if (!next_arrival(pc, out))
        return false;
    stand(pc, &here);
    if (here.icount > out->icount || (here.icount == out->icount && here.now_ns > out->now_ns))
        pc->c.gate->lost = true;
    return here.icount == out->icount && here.now_ns == out->now_ns;
}

static void play_ready(struct pc *pc, const struct gate_event *e)
{
    struct board_device *dev = pc->board.first;
    for (unsigned n = e->device; n && dev; n--)
        dev = dev->next;
    if (!dev || !dev->ops->ready)
        pc->c.gate->lost = true;
    else
        dev->ops->ready(dev);
}

static void play_mouse(struct pc *pc, const struct gate_event *e)
{
    int32_t moved[4] = {0};
    memcpy(moved, e->data, e->len < sizeof(moved) ? e->len : sizeof(moved));
    if (pc->i8042)
        i8042_move(pc->i8042, moved[0], moved[1], moved[2], (uint32_t)moved[3]);
}

static enum pc_state play(struct pc *pc, const struct gate_event *e)
{
    struct gate *gate = pc->c.gate;
    switch (e->kind) {
    case GATE_KEY:
        if (pc->i8042)
            i8042_key(pc->i8042, (unsigned)(e->a / 2) & 0xffff, e->a & 1);
        return PC_RUNNING;
    case GATE_MOUSE:
        play_mouse(pc, e);
        return PC_RUNNING;
    case GATE_CHECK:
    case GATE_END:
        gate->lost |= !gate->check(gate, e);
        return e->kind == GATE_END ? PC_REPLAYED : PC_RUNNING;
    default:
        gate->lost = true;
        return PC_REPLAYED;
    }
}

enum pc_state pc_gate_play_person(struct pc *pc)
{
    struct gate *gate = pc->c.gate;
    struct gate_event e;
    enum pc_state state = PC_RUNNING;
    while (state == PC_RUNNING && arrival_is_due(pc, &e) && e.kind != GATE_READY) {
        gate->playing = true;
        state = play(pc, &e);
        gate->playing = false;
        gate->next(gate);
    }
    bool over = gate->lost || (!gate->runs_on && !gate->peek(gate, &e));
    return over && state == PC_RUNNING ? PC_REPLAYED : state;
}

void pc_gate_play_devices(struct pc *pc)
{
    struct gate_event e;
    while (arrival_is_due(pc, &e) && e.kind == GATE_READY) {
        pc->c.gate->next(pc->c.gate);
        play_ready(pc, &e);
    }
}

uint64_t pc_gate_budget(struct pc *pc, uint64_t budget)
{
    struct gate_event e;
    if (!next_arrival(pc, &e) || e.icount < pc->cpu->icount)
        return budget;
    uint64_t left = e.icount - pc->cpu->icount;
    return left < budget ? left : budget;
}

uint64_t pc_gate_wake_ns(struct pc *pc, uint64_t end_ns)
{
    struct gate_event e;
    bool here = next_arrival(pc, &e) && e.icount == pc->cpu->icount;
    return here && e.now_ns < end_ns ? e.now_ns : end_ns;
}
