/* SPDX-License-Identifier: MIT */
/*
 * A recording lives again: a VM from its snapshot, whose outside is its tape. What
 * the guest says on the way is held against what it said then, and sums of the whole state
 * where the recorder took them and at the end.
 */
#ifndef DENALI_REPLAY_H
#define DENALI_REPLAY_H

#include "denali/record/record.h"

struct replay;

struct replay_config {
    struct engine *engine; /* one that counts */
    /* Shows the guest's output, if `show`; and its input and output once it lives. May be NULL. */
    struct console_backend *console;
    bool show;
    /* For a VM that will go on living: what its NICs and disks (by name) are then. */
    const struct vm_resource *resource;
    unsigned resources;
    struct image *image; /* for symbols; may be NULL */
    const struct vm_hooks *hooks;
    void *hooks_opaque;
};

enum replay_result {
    REPLAY_REACHED, /* stands where it was to stand */
    REPLAY_STOPPED, /* vm_stop */
    REPLAY_BREAKPOINT,
    REPLAY_SAME,    /* the whole recording, and everything was the same */
    REPLAY_CUT,     /* the same as far as the recording goes; recording_damage tells */
    REPLAY_DIFFERS, /* replay_why tells where */
};

MUST_CHECK int replay_create(const char *folder, const struct replay_config *config,
                             struct replay **out, struct why *why);
void replay_destroy(struct replay *replay); /* NULL is harmless */

struct vm *replay_vm(struct replay *replay);
const struct recording *replay_recording(const struct replay *replay);

/* On from where it stands, up to the count `until` (UINT64_MAX: to the end). */
enum replay_result replay_run(struct replay *replay, uint64_t until);
const char *replay_why(const struct replay *replay);
/* Sums that were compared. */
uint64_t replay_checks(const struct replay *replay);

#endif
