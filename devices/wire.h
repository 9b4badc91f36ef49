/* SPDX-License-Identifier: MIT */
/*
 * One direction of a bad or a slow wire: loses, doubles, reorders, damages, delays
 * frames and lets only so many through. What happens to the n-th frame depends on
 * the seed and n alone. Knows no clock and no thread: time comes with the call, and
 * its user serializes the calls.
 */
#ifndef DENALI_WIRE_H
#define DENALI_WIRE_H

#include "devices/net.h"
#include "emu/base/bucket.h"

#define WIRE_QUEUE 1024u /* frames on the way, where the config says nothing */
#define WIRE_NEVER UINT64_MAX

/* All zero: a perfect wire. Chances are in units of 1/65536 per frame. */
struct wire_config {
    uint64_t seed;
    uint32_t loss, duplicate, reorder, corrupt;
    uint64_t delay_ns;  /* each frame, and up to this much again for a reordered one */
    uint64_t jitter_ns; /* and up to this much more, by chance; frames stay in order */
    uint64_t bytes_per_s, frames_per_s; /* 0: no limit */
    uint32_t queue;                     /* frames on the way; one more is lost; 0: WIRE_QUEUE */
};

struct wire_frame;

struct wire {
    struct wire_config config;
    uint64_t random, last_ns;
    struct bucket bytes, frames;
    struct wire_frame *first, *last; /* by when they are due */
    uint32_t queued;
    uint64_t passed, lost, dropped; /* lost by chance; dropped where the queue was full */
};

void wire_init(struct wire *wire, const struct wire_config *config);
/* What is on the way is gone. */
void wire_fini(struct wire *wire);

/* A frame of at most NET_FRAME_MAX bytes onto the wire. */
void wire_put(struct wire *wire, const void *bytes, size_t len, uint64_t now_ns);
/* True: a wire that only limits lets this frame through at once; it counts as put and taken. */
bool wire_lets_pass(struct wire *wire, size_t len, uint64_t now_ns);
/* The next frame that is due, cut to `room`: its bytes; 0: none. */
size_t wire_take(struct wire *wire, void *bytes, size_t room, uint64_t now_ns);
/* When the next frame is due; WIRE_NEVER. */
uint64_t wire_due_ns(const struct wire *wire);

/* "loss=1,delay=20": WIRE_WORDS with their values, changed in `config`. -EINVAL. */
MUST_CHECK int wire_config_parse(struct wire_config *config, const char *text);
#define WIRE_WORDS                                                                                 \
    "loss, duplicate, reorder, corrupt (percent), delay, jitter (ms), rate (Mbit/s), frames (a "   \
    "second), queue and seed"

#endif
