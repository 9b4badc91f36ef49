/* SPDX-License-Identifier: MIT */
/*
 * What a VM heard from outside, and what it said, in order: a row of events, each
 * with the count of instructions at which it happened (cpu->icount). A tape is
 * written while the VM lives and read while it lives again; one tape may do both in turn.
 *
 * Events lie encoded in chunks. A chunk says at which count it begins, so that
 * reading can start at any of them. Where chunks go when they are full is a sink's business
 * (record.c); a tape without one keeps them all.
 *
 * Not thread-safe: the thread that runs the VM.
 */
#ifndef DENALI_TAPE_H
#define DENALI_TAPE_H

#include "emu/base/base.h"

/*
 * Exchanges happen at an instruction of the guest's that asks; arrivals come when they
 * like. The numbers are the file's.
 */
enum tape_kind {
    TAPE_WRITE = 1,   /* device: stream; a: result; sum: of what was given */
    TAPE_READ = 2,    /* a: result; b: the input has ended; data */
    TAPE_MODE = 3,    /* a: result; b: mode */
    TAPE_SEND = 4,    /* device; a: result; sum: of the frame */
    TAPE_RECEIVE = 5, /* device; a: result; data */
    TAPE_DISK = 6,    /* device; a: result; b: first block; data of a read, or sum of a write */
    TAPE_EXCHANGES = 15,
    TAPE_NEWS = 16,   /* a: interrupts; b: signals; data: window size, if it is told */
    TAPE_READY = 17,  /* device; a: poll()'s events */
    TAPE_TIME = 18,   /* a: ns that time jumps by; b: rate from now on */
    TAPE_GATHER = 19, /* what has arrived is delivered */
    TAPE_CHECK = 20,  /* sum: of the whole state */
    TAPE_END = 21,    /* a: enum vm_end_reason, or 0: the recorder was stopped */
    TAPE_MARK = 22,   /* nothing came between the event before and this */
    TAPE_KINDS
};

/* `due` of arrivals: a delivery was due anyway. */
struct tape_event {
    uint8_t kind, device;
    bool due;
    uint64_t icount;
    int64_t a, b;
    uint64_t sum;
    const uint8_t *data; /* the tape's, until the next call */
    uint32_t len;
};

static inline bool tape_is_arrival(const struct tape_event *e)
{
    return e->kind > TAPE_EXCHANGES;
}

#define TAPE_CHUNK (64 * KIB)
#define TAPE_EVENT_MAX (2 * MIB) /* bytes of data */

struct tape;

/* Told of every chunk that is complete; may be NULL. A negative errno is kept (tape_error). */
struct tape_sink {
    int (*chunk)(struct tape_sink *sink, uint64_t icount, const uint8_t *data, size_t len);
};

MUST_CHECK int tape_create(struct tape **out);
void tape_destroy(struct tape *tape);
/* Chunks go there and are forgotten here. */
void tape_set_sink(struct tape *tape, struct tape_sink *sink);
/* A chunk that lies elsewhere and stays there; in their order. -ENOMEM. */
MUST_CHECK int tape_add_chunk(struct tape *tape, uint64_t icount, const uint8_t *data, size_t len);

/* Appends. Failures are kept: tape_error, 0 or a negative errno. */
void tape_put(struct tape *tape, const struct tape_event *event);
/* Hands what is there to the sink. */
void tape_flush(struct tape *tape);
int tape_error(const struct tape *tape);
uint64_t tape_bytes(const struct tape *tape); /* without what was forgotten */

/* Where reading stands: plain data, good while nothing before it is dropped. */
struct tape_place {
    size_t chunk, at;
    uint64_t icount;
};
struct tape_place tape_tell(const struct tape *tape);
void tape_seek(struct tape *tape, struct tape_place place);
struct tape_place tape_end(const struct tape *tape);
/* The next event; false: there is none. -EINVAL is kept in tape_error when the tape is damaged. */
MUST_CHECK bool tape_peek(struct tape *tape, struct tape_event *out);
void tape_next(struct tape *tape);
/* What lies before a place is not needed any more: its memory is given back, in whole chunks. */
void tape_forget(struct tape *tape, struct tape_place before);
/* Everything after the place of reading is forgotten. */
void tape_cut(struct tape *tape);

uint64_t tape_sum(const void *data, size_t len);

#endif
