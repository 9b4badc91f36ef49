/* SPDX-License-Identifier: MIT */
/*
 * 8254 after Intel's data sheet. Nothing counts here: a counter is the moment
 * when it was loaded and the count, and what it holds or puts out now follows from
 * the time. Only counter 0 has an event, at its next rising edge.
 *
 * Edges that passed while the host was busy are owed: they follow, faster than
 * they should have come, since guests hold the ticks that they count against
 * clocks that went on (Linux panics if it sees too few). Each is an event of its own,
 * or the interrupt controller would make them one.
 */
#include "devices/pc/pit.h"

#include <errno.h>
#include <stdlib.h>

enum access { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };

struct counter {
    uint64_t start_ns; /* when counting began */
    uint32_t count;    /* 1 to 65536 (10000 in BCD) */
    uint64_t pause_ns; /* when the gate fell, while it is low in modes that stop then */
    uint16_t latched, written_low;
    uint8_t latches;        /* bytes of `latched` still to be read */
    uint8_t status_latched; /* `status` is read next */
    uint8_t status;
    uint8_t mode, bcd, access;
    uint8_t reads_high, writes_high;
    uint8_t loaded; /* has a count */
    uint8_t gate;
};

struct pit {
    struct board_device dev;
    struct board *board;
    struct counter counter[3];
    struct irq_line irq0;
    struct clock_event *edge;
    uint64_t seen;   /* edges of counter 0 since it began, in periodic modes */
    uint32_t owed;   /* of these, not delivered yet */
    uint8_t speaker; /* bit 1 of port 61h */
};

#define MAX_OWED_NS UINT64_C(1000000000)
#define CATCH_UP 8u                /* times faster than the counter's own period, */
#define MIN_GAP_NS UINT64_C(50000) /* within reason */

static struct pit *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct pit, dev);
}

static bool waits_for_trigger(const struct counter *c)
{
    return c->mode == 1 || c->mode == 5;
}

static bool is_periodic(const struct counter *c)
{
    return c->loaded && (c->mode == 2 || c->mode == 3);
}

/* Ticks since it was loaded (or triggered). */
static uint64_t elapsed(const struct pit *pit, const struct counter *c)
{
    uint64_t now = c->pause_ns ? c->pause_ns : board_now(pit->board);
    return now > c->start_ns ? board_ticks(now - c->start_ns, PIT_HZ) : 0;
}

static uint16_t to_bcd(uint32_t n)
{
    return (uint16_t)((n / 1000 % 10) << 12 | (n / 100 % 10) << 8 | (n / 10 % 10) << 4 | n % 10);
}

static uint32_t from_bcd(uint16_t v)
{
    return (uint32_t)(v >> 12) * 1000 + (v >> 8 & 15u) * 100 + (v >> 4 & 15u) * 10 + (v & 15u);
}

/* The counting element now. */
static uint16_t value(const struct pit *pit, const struct counter *c)
{
    uint64_t t = elapsed(pit, c);
    uint32_t n = c->count, wrap = c->bcd ? 10000 : 65536, v;
    if (!c->loaded)
        return 0;
    if (c->mode == 2)
        v = n - (uint32_t)(t % n);
    else if (c->mode == 3)
        v = n - (uint32_t)(2 * t % n & ~(uint64_t)1);
    else
        v = (uint32_t)((n + wrap - t % wrap) % wrap);
    return c->bcd ? to_bcd(v % wrap) : (uint16_t)v;
}

static bool output(const struct pit *pit, const struct counter *c)
{
    uint64_t t = elapsed(pit, c);
    if (!c->loaded)
        return c->mode != 0;
    switch (c->mode) {
    case 0:
    case 1:
        return t >= c->count;
    case 2:
        return !c->gate || t % c->count != c->count - 1;
    case 3:
        return !c->gate || t % c->count < (c->count + 1) / 2;
    default:
        return t != c->count;
    }
}

/* Ticks from the start to the next rising edge after tick `t`; UINT64_MAX: none. */
static uint64_t next_edge(const struct counter *c, uint64_t t)
{
    switch (c->mode) {
    case 0:
    case 1:
        return t < c->count ? c->count : UINT64_MAX;
    case 2:
    case 3:
        return (t / c->count + 1) * c->count;
    default:
        return t < c->count + 1 ? c->count + 1 : UINT64_MAX;
    }
}

static void arm(struct pit *pit)
{
    const struct counter *c = &pit->counter[0];
    uint64_t ticks = c->loaded && !c->pause_ns ? next_edge(c, elapsed(pit, c)) : UINT64_MAX;
    uint64_t when = ticks == UINT64_MAX ? CLOCK_NEVER : c->start_ns + board_ticks_ns(ticks, PIT_HZ);
    uint64_t gap = board_ticks_ns(c->count, PIT_HZ) / CATCH_UP;
    uint64_t soon = board_now(pit->board) + (gap > MIN_GAP_NS ? gap : MIN_GAP_NS);
    board_arm(pit->board, pit->edge, pit->owed && soon < when ? soon : when);
}

/* What passed since the last look is owed, within reason; one is delivered now. */
static void count_edges(struct pit *pit)
{
    const struct counter *c = &pit->counter[0];
    uint64_t passed = elapsed(pit, c) / c->count,
             most = MAX_OWED_NS / board_ticks_ns(c->count, PIT_HZ);
    uint64_t owed = pit->owed + (passed - pit->seen);
    pit->owed = (uint32_t)(owed < most ? owed : most);
    pit->seen = passed;
    if (pit->owed)
        pit->owed--;
}

static void on_edge(void *opaque, uint64_t now_ns)
{
    struct pit *pit = opaque;
    (void)now_ns;
    if (is_periodic(&pit->counter[0]))
        count_edges(pit);
    irq_lower(&pit->irq0);
    irq_raise(&pit->irq0);
    arm(pit);
}

static void changed(struct pit *pit, unsigned which)
{
    if (which)
        return;
    irq_set(&pit->irq0, output(pit, &pit->counter[0]));
    arm(pit);
}

static void start(struct pit *pit, struct counter *c)
{
    if (c == &pit->counter[0])
        pit->seen = pit->owed = 0;
    c->start_ns = board_now(pit->board);
    c->pause_ns = !c->gate && !waits_for_trigger(c) ? c->start_ns : 0;
}

static void load(struct pit *pit, unsigned which, uint16_t raw)
{
    struct counter *c = &pit->counter[which];
    uint32_t count = c->bcd ? from_bcd(raw) : raw;
    bool running = c->loaded;
    c->count = count ? count : c->bcd ? 10000 : 65536;
    c->loaded = 1;
    if ((c->mode == 2 || c->mode == 3) && c->count == 1)
        c->count = 2; /* the data sheet forbids 1 */
    if (waits_for_trigger(c) && running)
        return; /* counts from the next trigger on */
    start(pit, c);
    if (waits_for_trigger(c)) /* not triggered yet: as if it had ended long ago */
        c->start_ns -= board_ticks_ns(c->count + 1, PIT_HZ);
    changed(pit, which);
}

static void write_count(struct pit *pit, unsigned which, uint8_t byte)
{
    struct counter *c = &pit->counter[which];
    switch (c->access) {
    case ACCESS_LOW:
        load(pit, which, byte);
        break;
    case ACCESS_HIGH:
        load(pit, which, (uint16_t)(byte << 8));
        break;
    default:
        if (c->writes_high)
            load(pit, which, (uint16_t)(c->written_low | byte << 8));
        else
            c->written_low = byte;
        c->writes_high = !c->writes_high;
    }
}

static void latch_count(struct pit *pit, struct counter *c)
{
    if (c->latches)
        return;
    c->latched = value(pit, c);
    c->latches = c->access == ACCESS_BOTH ? 2 : 1;
}

static void latch_status(struct pit *pit, struct counter *c)
{
    if (c->status_latched)
        return;
    c->status =
        (uint8_t)(output(pit, c) << 7 | !c->loaded << 6 | c->access << 4 | c->mode << 1 | c->bcd);
    c->status_latched = 1;
}

static void read_back(struct pit *pit, uint8_t word)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!(word >> (i + 1) & 1))
            continue;
        if (!(word & 0x20))
            latch_count(pit, &pit->counter[i]);
        if (!(word & 0x10))
            latch_status(pit, &pit->counter[i]);
    }
}

static void write_control(struct pit *pit, uint8_t word)
{
    unsigned which = word >> 6, access = word >> 4 & 3, mode = word >> 1 & 7;
    if (which == 3) {
        read_back(pit, word);
        return;
    }
    struct counter *c = &pit->counter[which];
    if (access == ACCESS_LATCH) {
        latch_count(pit, c);
        return;
    }
    c->access = (uint8_t)access;
    c->mode = (uint8_t)(mode > 5 ? mode - 4 : mode);
    c->bcd = word & 1;
    c->loaded = c->latches = c->status_latched = c->reads_high = c->writes_high = 0;
    changed(pit, which);
}

static uint8_t read_count(struct pit *pit, struct counter *c)
{
    if (c->status_latched) {
        c->status_latched = 0;
        return c->status;
    }
    uint16_t v = c->latches ? c->latched : value(pit, c);
    bool high = c->access == ACCESS_HIGH;
    if (c->access == ACCESS_BOTH) {
        high = c->latches ? c->latches == 1 : c->reads_high;
        if (!c->latches)
            c->reads_high = !c->reads_high;
    }
    if (c->latches)
        c->latches--;
    return (uint8_t)(high ? v >> 8 : v);
}

static uint32_t pit_read(void *opaque, uint32_t offset, unsigned size)
{
    struct pit *pit = opaque;
    (void)size;
    return offset < 3 ? read_count(pit, &pit->counter[offset]) : 0xff;
}

static void pit_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    (void)size;
    if (offset < 3)
        write_count(opaque, offset, (uint8_t)v);
    else
        write_control(opaque, (uint8_t)v);
}

static void set_gate(struct pit *pit, unsigned which, bool level)
{
    struct counter *c = &pit->counter[which];
    if (c->gate == level)
        return;
    c->gate = level;
    if (level && (waits_for_trigger(c) || c->mode == 2 || c->mode == 3)) {
        start(pit, c);
    } else if (level && c->pause_ns) { /* goes on where it stopped */
        c->start_ns += board_now(pit->board) - c->pause_ns;
        c->pause_ns = 0;
    } else if (!level && !waits_for_trigger(c)) {
        c->pause_ns = board_now(pit->board);
    }
    changed(pit, which);
}

/* Bits: 0 gate of counter 2, 1 speaker, 4 memory refresh (15 us), 5 output of counter 2. */
static uint32_t port61_read(void *opaque, uint32_t offset, unsigned size)
{
    struct pit *pit = opaque;
    (void)offset, (void)size;
    uint32_t refresh = (uint32_t)(board_now(pit->board) / 15085 & 1);
    return pit->counter[2].gate | (uint32_t)pit->speaker << 1 | refresh << 4 |
           (uint32_t)output(pit, &pit->counter[2]) << 5;
}

static void port61_write(void *opaque, uint32_t offset, unsigned size, uint32_t v)
{
    struct pit *pit = opaque;
    (void)offset, (void)size;
    pit->speaker = v >> 1 & 1;
    set_gate(pit, 2, v & 1);
}

uint32_t pit_speaker_hz(const struct pit *pit)
{
    const struct counter *c = &pit->counter[2];
    return pit->speaker && c->gate && c->loaded && c->mode == 3 ? PIT_HZ / c->count : 0;
}

static const struct bus_ops pit_ops = {pit_read, pit_write, 1};
static const struct bus_ops port61_ops = {port61_read, port61_write, 1};

static void pit_reset(struct board_device *dev)
{
    struct pit *pit = self(dev);
    for (unsigned i = 0; i < 3; i++)
        pit->counter[i] = (struct counter){.mode = 3, .access = ACCESS_BOTH, .gate = i != 2};
    pit->speaker = 0;
    pit->seen = pit->owed = 0;
    irq_lower(&pit->irq0);
    arm(pit);
}

static void pit_destroy(struct board_device *dev)
{
    clock_event_destroy(self(dev)->edge);
    free(self(dev));
}

static bool pit_valid(const struct board_device *dev)
{
    const struct pit *pit = CONTAINER_OF(dev, const struct pit, dev);
    for (unsigned i = 0; i < ARRAY_LEN(pit->counter); i++) {
        const struct counter *c = &pit->counter[i];
        if ((c->loaded && !c->count) || c->count > 65536 || c->mode > 5)
            return false;
    }
    return true;
}

static void pit_loaded(struct board_device *dev)
{
    arm(self(dev));
}

static const struct state_field fields[] = {STATE_RAW(struct pit, counter),
                                            STATE_U(struct pit, seen), STATE_U(struct pit, owed),
                                            STATE_U(struct pit, speaker)};
static const struct state_list state = {"pit", 2, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "pit",
                                            .reset = pit_reset,
                                            .destroy = pit_destroy,
                                            .state = &state,
                                            .valid = pit_valid,
                                            .loaded = pit_loaded};

int pit_create(struct board *board, struct irq_line irq0, struct pit **out)
{
    struct pit *pit = calloc(1, sizeof(*pit));
    if (!pit)
        return -ENOMEM;
    pit->dev.ops = &ops;
    pit->board = board;
    pit->irq0 = irq0;
    board_add(board, &pit->dev);
    *out = pit;
    int err = board_event(board, "pit", on_edge, pit, &pit->edge);
    if (err)
        return err;
    pit_reset(&pit->dev);
    err = bus_add_ports(board->bus, "pit", 0x40, 4, &pit_ops, pit);
    return err ? err : bus_add_ports(board->bus, "port61", 0x61, 1, &port61_ops, pit);
}
