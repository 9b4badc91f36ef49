/* SPDX-License-Identifier: MIT */
/*
 * Frames on the way stand in a list by when they are due. Mostly the newest is due
 * last, so it goes to the end; only a reordered one looks for its place.
 */
#include "devices/wire.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define REORDER_NS 2000000 /* a reordered frame is this late where no delay is set */

struct wire_frame {
    struct wire_frame *next;
    uint64_t due_ns;
    uint16_t len;
    uint8_t bytes[];
};

void wire_init(struct wire *wire, const struct wire_config *config)
{
    *wire = (struct wire){.config = *config, .random = config->seed};
    wire->bytes = bucket_of(config->bytes_per_s, BUCKET_BURST_NS);
    wire->frames = bucket_of(config->frames_per_s, BUCKET_BURST_NS);
    if (!wire->config.queue)
        wire->config.queue = WIRE_QUEUE;
}

static struct wire_frame *unqueue(struct wire *wire)
{
    struct wire_frame *frame = wire->first;
    wire->first = frame->next;
    if (!wire->first)
        wire->last = NULL;
    wire->queued--;
    return frame;
}

void wire_fini(struct wire *wire)
{
    while (wire->first)
        free(unqueue(wire));
}

/* splitmix64: a full-period sequence from any seed. */
static uint64_t draw(struct wire *wire)
{
    uint64_t z = wire->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool chance(struct wire *wire, uint32_t of_65536)
{
    return (draw(wire) & 0xffff) < of_65536;
}

static void place(struct wire *wire, struct wire_frame *frame)
{
    struct wire_frame **at = &wire->first;
    if (wire->last && wire->last->due_ns <= frame->due_ns)
        at = &wire->last->next;
    while (*at && (*at)->due_ns <= frame->due_ns)
        at = &(*at)->next;
    frame->next = *at;
    *at = frame;
    if (!frame->next)
        wire->last = frame;
    wire->queued++;
}

static struct wire_frame *queue(struct wire *wire, const void *bytes, size_t len, uint64_t due_ns)
{
    struct wire_frame *frame = NULL;
    if (wire->queued < wire->config.queue)
        frame = malloc(sizeof(*frame) + len);
    if (!frame) {
        wire->dropped++;
        return NULL;
    }
    frame->due_ns = due_ns;
    frame->len = (uint16_t)len;
    memcpy(frame->bytes, bytes, len);
    place(wire, frame);
    return frame;
}

/* A full queue takes no rate away from the frames that follow. */
static uint64_t line_time(struct wire *wire, size_t len, uint64_t now_ns)
{
    if (wire->queued >= wire->config.queue)
        return now_ns;
    uint64_t a = bucket_take(&wire->bytes, len, now_ns);
    uint64_t b = bucket_take(&wire->frames, 1, now_ns);
    return a > b ? a : b;
}

/* Always draws the same number of times, so that the n-th frame's luck is its own. */
void wire_put(struct wire *wire, const void *bytes, size_t len, uint64_t now_ns)
{
    const struct wire_config *c = &wire->config;
    bool lost = chance(wire, c->loss), twice = chance(wire, c->duplicate);
    bool late = chance(wire, c->reorder), damaged = chance(wire, c->corrupt);
    uint64_t luck = draw(wire);
    if (lost || len > NET_FRAME_MAX || !len) {
        wire->lost++;
        return;
    }
    uint64_t due = line_time(wire, len, now_ns) + c->delay_ns;
    due += c->jitter_ns ? luck % c->jitter_ns : 0;
    if (c->jitter_ns && due < wire->last_ns)
        due = wire->last_ns;
    wire->last_ns = due;
    if (late)
        due += luck % (c->delay_ns ? c->delay_ns : REORDER_NS);
    struct wire_frame *frame = queue(wire, bytes, len, due);
    if (frame && damaged)
        frame->bytes[(luck >> 32) % len] ^= (uint8_t)(1u << (luck & 7));
    if (frame && twice)
        queue(wire, frame->bytes, len, due);
}

bool wire_lets_pass(struct wire *wire, size_t len, uint64_t now_ns)
{
    const struct wire_config *c = &wire->config;
    if (wire->first || c->loss || c->duplicate || c->reorder || c->corrupt || c->delay_ns ||
        c->jitter_ns)
        return false;
    if (bucket_free_at(&wire->bytes) > now_ns || bucket_free_at(&wire->frames) > now_ns)
        return false;
    line_time(wire, len, now_ns);
    wire->passed++;
    return true;
}

uint64_t wire_due_ns(const struct wire *wire)
{
    return wire->first ? wire->first->due_ns : WIRE_NEVER;
}

size_t wire_take(struct wire *wire, void *bytes, size_t room, uint64_t now_ns)
{
    if (wire_due_ns(wire) > now_ns || !wire->first)
        return 0;
    struct wire_frame *frame = unqueue(wire);
    size_t len = frame->len < room ? frame->len : room;
    memcpy(bytes, frame->bytes, len);
    free(frame);
    wire->passed++;
    return len;
}

/* Words. */

static const struct word {
    const char *name;
    double most, unit;
    size_t at;
    bool is_long; /* uint64_t, else uint32_t */
} words[] = {
    {"loss", 100, 655.36, offsetof(struct wire_config, loss), false},
    {"duplicate", 100, 655.36, offsetof(struct wire_config, duplicate), false},
    {"reorder", 100, 655.36, offsetof(struct wire_config, reorder), false},
    {"corrupt", 100, 655.36, offsetof(struct wire_config, corrupt), false},
    {"queue", 65536, 1, offsetof(struct wire_config, queue), false},
    {"delay", 1e9, 1e6, offsetof(struct wire_config, delay_ns), true},
    {"jitter", 1e9, 1e6, offsetof(struct wire_config, jitter_ns), true},
    {"rate", 1e6, 125000, offsetof(struct wire_config, bytes_per_s), true},
    {"frames", 1e9, 1, offsetof(struct wire_config, frames_per_s), true},
    {"seed", 1e15, 1, offsetof(struct wire_config, seed), true},
};

static void set(struct wire_config *config, const struct word *word, double value)
{
    uint64_t wide = (uint64_t)(value * word->unit);
    uint32_t narrow = (uint32_t)wide;
    if (word->is_long)
        memcpy((char *)config + word->at, &wide, sizeof(wide));
    else
        memcpy((char *)config + word->at, &narrow, sizeof(narrow));
}

static bool read_word(struct wire_config *config, const char *name, const char *value)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end || !(number >= 0))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(name, words[i].name))
            continue;
        if (number <= words[i].most)
            set(config, &words[i], number);
        return number <= words[i].most;
    }
    return false;
}

int wire_config_parse(struct wire_config *config, const char *text)
{
    char word[64];
    do {
        size_t len = strcspn(text, ",");
        if (!len || len >= sizeof(word))
            return -EINVAL;
        memcpy(word, text, len);
        word[len] = 0;
        char *value = strchr(word, '=');
        if (!value)
            return -EINVAL;
        *value++ = 0;
        if (!read_word(config, word, value))
            return -EINVAL;
        text += len;
    } while (*text++ == ',');
    return 0;
}
