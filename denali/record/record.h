/* SPDX-License-Identifier: MIT */
/*
 * A recording: a folder with the machine as it was at the start and a tape of what came
 * from outside since.
 *
 *     start.snapshot    as snapshot.h has it
 *     tape              head of 32 KiB; then chunks of events, each behind a head
 *                       with its length, number, count of instructions and sums
 *
 * Chunks are appended as they fill and every tenth of a second, so a recorder that
 * is killed leaves everything but its last moments; the reader takes what is whole.
 * Nothing else is needed for a replay: what was read from disks is on the tape.
 */
#ifndef DENALI_RECORD_H
#define DENALI_RECORD_H

#include "denali/snapshot.h"
#include "denali/record/tape.h"
#include "denali/vm.h"

#define RECORD_VERSION 1u
#define RECORD_PATH 1024u

struct record_device {
    uint16_t kind;
    char name[DENALI_NAME_LEN];
    uint64_t bytes; /* of a disk */
    uint8_t readonly;
    char path[RECORD_PATH]; /* of a disk, on the host that recorded; may be empty */
};

/* What a reader wants to know beforehand. */
struct record_info {
    uint8_t deterministic, one_by_one;
    char image[RECORD_PATH], program[RECORD_PATH]; /* for symbols; may be empty */
    struct record_device device[DENALI_MAX_DEVICES];
    unsigned devices;
};

/* Writing. */

struct record;

/* Makes the folder; -EEXIST: there is a recording in it. */
MUST_CHECK int record_create(const char *folder, struct record **out, struct why *why);
/* For vm_config. */
struct tape *record_tape(struct record *record);
/* After the VM was made with the tape, before it runs. Of `info`, the paths are taken, those of
 * disks by name. */
MUST_CHECK int record_start(struct record *record, struct vm *vm, const struct record_info *info,
                            struct why *why);
/* The VM runs no more: the last sum and the end are written. */
MUST_CHECK int record_finish(struct record *record, struct vm *vm, struct why *why);
/* After the VM. NULL is harmless. */
void record_destroy(struct record *record);

/* Reading. */

struct recording;

/* -EINVAL: no recording, damaged where nothing is left to replay, or of another version. */
MUST_CHECK int recording_open(const char *folder, struct recording **out, struct why *why);
void recording_close(struct recording *recording);
const struct record_info *recording_info(const struct recording *recording);
const struct snapshot *recording_snapshot(const struct recording *recording);
/* One reader at a time. */
struct tape *recording_tape(struct recording *recording);
/* "" or why its end is missing; the count up to which it is whole. */
const char *recording_damage(const struct recording *recording);
uint64_t recording_last_icount(const struct recording *recording);

#endif
