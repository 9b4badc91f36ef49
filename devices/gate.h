/* SPDX-License-Identifier: MIT */
/*
 * The gate through which everything from outside enters a PC that is recorded, and through which it
 * enters again when the recording is replayed. It stands at the host ends (media, serial lines,
 * network) and before what a person does.
 *
 * Exchanges are answers to the guest's own doing: they come in its order. Arrivals come when they
 * like, so each has a place: a count of instructions and a time. Whoever records keeps both in
 * one row; the row is somebody else's (put, peek, next).
 */
#ifndef DENALI_GATE_H
#define DENALI_GATE_H

#include "emu/base/base.h"

/* The numbers are the file's, and those of denali/record/tape.h where the same is meant. */
enum gate_kind {
    GATE_READ = 2,    /* of a serial line: data */
    GATE_SEND = 4,    /* of a frame; a: result */
    GATE_RECEIVE = 5, /* of a frame; a: result; data */
    GATE_DISK = 6,    /* a: result; data of a read */
    GATE_ARRIVALS = 16,
    GATE_READY = 17, /* a device's descriptor; device: its place on the board */
    GATE_CHECK = 20, /* sum: of the whole state */
    GATE_END = 21,   /* the same, at the end */
    GATE_KEY = 24,   /* a: key * 2 + whether it went down */
    GATE_MOUSE = 25, /* data: int32_t right, down, wheel; uint32_t buttons */
};

struct gate_event {
    uint8_t kind, device;
    uint64_t icount; /* arrivals, and exchanges too */
    int64_t a;
    uint64_t now_ns; /* of arrivals */
    uint64_t sum;
    const void *data; /* good until the next call */
    uint32_t len;
};

struct gate {
    bool replays; /* else it records */
    bool playing; /* an arrival of the recording is being done */
    bool runs_on; /* replay: behind the row's end nothing comes, and that is no end */
    bool lost;    /* replay: the guest did otherwise than recorded */
    /* The owner of the row. */
    void (*put)(struct gate *gate, const struct gate_event *event);
    MUST_CHECK bool (*peek)(struct gate *gate, struct gate_event *out); /* false: no more */
    void (*next)(struct gate *gate);
    /* Replay: the state of a check; false: it differs. */
    MUST_CHECK bool (*check)(struct gate *gate, const struct gate_event *event);
    /* The machine's: where it stands, and what stops it so that it looks at the row again. */
    void *machine;
    void (*stand)(void *machine, struct gate_event *event); /* fills in icount and now_ns */
    void (*kick)(void *machine);
};

/*
 * Recording: keeps `event`. Replaying: fills it from the row and returns true; false: the row
 * has something else, and the replay is lost.
 */
bool gate_exchange(struct gate *gate, struct gate_event *event);
/* An arrival, live. True: it may be done; false: this is a replay, where nobody types. */
MUST_CHECK bool gate_arrives(struct gate *gate, struct gate_event *event);

#endif
