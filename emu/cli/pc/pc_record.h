/* SPDX-License-Identifier: MIT */
/*
 * A PC's recording: a folder with the options that it was made with, and a tape of what
 * came from outside. The machine is made anew from the options for a replay, so the files that
 * they name (firmware, kernel, disks for their sizes) must be as they were; what was read from
 * disks is on the tape.
 */
#ifndef DENALI_PC_RECORD_H
#define DENALI_PC_RECORD_H

#include "devices/gate.h"
#include "devices/pc/machine_pc.h"

struct pc_record;
struct tape;

/* Makes the folder. -EEXIST: there is a recording in it. `argv`: the options. */
MUST_CHECK int pc_record_create(const char *folder, int argc, char **argv, struct pc_record **out,
                                struct why *why);
/* One in memory, for a session that goes back in it. */
MUST_CHECK int pc_record_keep(struct pc_record **out, struct why *why);
bool pc_record_is_kept(const struct pc_record *record);
struct tape *pc_record_tape(struct pc_record *record);
/* Is there a recording of a PC? */
bool pc_record_is(const char *folder);
/* -EINVAL: it is damaged. */
MUST_CHECK int pc_record_open(const char *folder, struct pc_record **out, struct why *why);
/* NULL is harmless. */
void pc_record_close(struct pc_record *record);

/* The options of one that was opened; ends with NULL. */
char **pc_record_argv(struct pc_record *record, int *argc);
/* Recording, before the machine is made: the 256 bytes of CMOS memory that it begins with; NULL: it
 * is given none. And what a replay's begins with. */
MUST_CHECK int pc_record_put_cmos(struct pc_record *record, const uint8_t *cmos, struct why *why);
const uint8_t *pc_record_cmos(const struct pc_record *record);
/* For pc_config and the host ends. */
struct gate *pc_record_gate(struct pc_record *record);
/* The machine that is recorded or replayed. */
void pc_record_set_pc(struct pc_record *record, struct pc *pc);
/* Recording, between turns: keeps what has come, and now and then a sum over the state. */
MUST_CHECK int pc_record_turn(struct pc_record *record, struct why *why);
/* Recording: the machine runs no more. */
MUST_CHECK int pc_record_finish(struct pc_record *record, struct why *why);
/* Replaying: sums that were alike; false: it went otherwise, or the recording ends too early; then
 * `why` tells. */
MUST_CHECK bool pc_record_was_same(struct pc_record *record, unsigned *checks, struct why *why);

#endif
