/* SPDX-License-Identifier: MIT */
/*
 * The one gate between a VM and everything outside it that it can see: console,
 * frames, disks, interrupts from other threads, readiness of descriptors, and how far
 * its time has moved against the host's. Devices and the VM's own loop come here
 * instead of to the host. What is not here follows from the VM's state alone: timers
 * (its time counts instructions), random numbers (seeded at the start), order of delivery.
 *
 * Without a tape, calls go through. With one they are noted (recording), or the tape
 * answers in the host's stead (replaying), and what the guest says is held against it.
 *
 * From the thread that runs the VM.
 */
#ifndef DENALI_OUTSIDE_H
#define DENALI_OUTSIDE_H

#include "denali/record/tape.h"
#include "denali/vm.h"

#include <sys/uio.h>

struct vdev;

enum outside_mode {
    OUTSIDE_LIVE,   /* no tape */
    OUTSIDE_RECORD, /* the world speaks, the tape listens */
    OUTSIDE_REPLAY, /* the tape speaks */
};

/* Part of struct vm. */
struct outside {
    enum outside_mode mode;
    struct tape *tape;
    bool follows;            /* counted time follows the host's */
    bool news;               /* something was let in that is not delivered yet */
    bool over;               /* replaying: the tape has ended */
    struct tape_place stuck; /* where the tape stood when nothing could go on */
    uint64_t shown_icount; /* replaying: console text up to here was shown; UINT64_MAX: show none */
    uint64_t seen_icount, seen_host_ns, seen_guest_ns; /* when time was last compared */
    bool keeps_checks; /* recording: sums of the state go onto the tape now and then */
    uint64_t looked_icount, next_check_ns, flushed_ns;
    uint64_t checked_icount; /* replaying: the last check, and how many were right */
    uint64_t checks;
    struct why differs; /* replaying: why the guest does not do what it did; empty */
};

/* When the VM is made. */
void outside_init(struct vm *vm, const struct vm_config *config);

/* Exchanges: as the backends' functions of devices/, which they call. */
int64_t outside_write(struct vm *vm, unsigned stream, const void *data, size_t len);
int64_t outside_read(struct vm *vm, void *to, size_t room, bool *ended);
int outside_set_mode(struct vm *vm, unsigned mode);
int outside_send(struct vdev *dev, struct net_backend *net, const void *frame, size_t len);
int outside_receive(struct vdev *dev, struct net_backend *net, void *frame, size_t room);

/* `op`: enum denali_disk_op; iov entries are used up. */
struct outside_disk {
    struct disk *disk;
    uint32_t op;
    uint64_t block;
    struct iovec *iov;
    unsigned count;
    bool nowait;
};
int outside_disk(struct vdev *dev, const struct outside_disk *request);

/* Arrivals. */
void outside_ready(struct vm *vm, unsigned device, short revents);
void outside_slept(struct vm *vm, uint64_t ns);
/* An idle counted VM's time goes to its next event. */
void outside_skip(struct vm *vm, uint64_t ns);

/*
 * Before the VM goes on: lets in what has arrived. True: it is to be delivered now.
 */
bool outside_let_in(struct vm *vm);
/* Instructions that may be done before something arrives; counted VMs. */
uint64_t outside_limit(const struct vm *vm);
/* Replaying: what the tape has for this moment must have been let in. */
void outside_check_progress(struct vm *vm);
/* Replaying: the tape has nothing more for this moment. */
bool outside_waits(struct vm *vm);
/* The host's time since then does not count for a VM whose time follows it. */
void outside_rebase(struct vm *vm);
/* From here on the world speaks again: the rest of the tape is cut off, and goes on if `record`. */
void outside_go_live(struct vm *vm, bool record);
/* From now on sums of the state go onto the tape every second or so. */
void outside_start_checks(struct vm *vm);
/* A mark on the tape; replaying, it is compared. */
void outside_note_check(struct vm *vm, uint64_t sum);
void outside_note_end(struct vm *vm);
/* The tape is complete up to here. */
void outside_note_mark(struct vm *vm);

#endif
