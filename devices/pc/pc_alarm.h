/* SPDX-License-Identifier: MIT */
/*
 * A thread that calls a function at a time of the host's clock: it stops a
 * processor that runs when an event is due.
 */
#ifndef DENALI_PC_ALARM_H
#define DENALI_PC_ALARM_H

#include "emu/base/base.h"

struct pc_alarm;
/* `ring` is called on the alarm's thread. A negative errno. */
MUST_CHECK int pc_alarm_create(void (*ring)(void *opaque), void *opaque, struct pc_alarm **out);
/* NULL is harmless. */
void pc_alarm_destroy(struct pc_alarm *alarm);
/* Once, in `wait_ns` from now. Replaces what was set before. */
void pc_alarm_set(struct pc_alarm *alarm, uint64_t wait_ns);

#endif
