/* SPDX-License-Identifier: MIT */
#include "devices/gate.h"

bool gate_exchange(struct gate *gate, struct gate_event *event)
{
    struct gate_event kept, here = *event;
    gate->stand(gate->machine, &here);
    if (!gate->replays) {
        event->icount = here.icount;
        gate->put(gate, event);
        return true;
    }
    bool same = !gate->lost && gate->peek(gate, &kept) && kept.kind == event->kind &&
                kept.device == event->device && kept.icount == here.icount;
    if (!same) {
        gate->lost = true;
        gate->kick(gate->machine);
        return false;
    }
    *event = kept;
    gate->next(gate);
    gate->kick(gate->machine); /* an arrival may be next, and soon */
    return true;
}

bool gate_arrives(struct gate *gate, struct gate_event *event)
{
    if (!gate || gate->playing)
        return true;
    if (gate->replays)
        return false;
    gate->stand(gate->machine, event);
    gate->put(gate, event);
    return true;
}
