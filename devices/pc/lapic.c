/* SPDX-License-Identifier: MIT */
/*
 * The local APIC after the SDM, volume 3, chapter 10, for one processor with id 0.
 *
 * Invariant (update): the processor's pin is up exactly while the APIC has a
 * vector above its priority, or the PIC asks and its way (LINT0 as ExtINT, or an APIC that is
 * off) is open.
 */
#include "devices/pc/apic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0xfee00000u
#define BUS_HZ 1000000000u

enum {
    ID = 0x02,
    VERSION = 0x03,
    TPR = 0x08,
    APR = 0x09,
    PPR = 0x0a,
    EOI = 0x0b,
    LDR = 0x0d,
    DFR = 0x0e,
    SVR = 0x0f,
    ISR = 0x10,
    TMR = 0x18,
    IRR = 0x20,
    ESR = 0x28,
    ICR_LOW = 0x30,
    ICR_HIGH = 0x31,
    LVT_TIMER = 0x32,
    LVT_THERMAL = 0x33,
    LVT_PERF = 0x34,
    LVT_LINT0 = 0x35,
    LVT_LINT1 = 0x36,
    LVT_ERROR = 0x37,
    TIMER_INITIAL = 0x38,
    TIMER_CURRENT = 0x39,
    TIMER_DIVIDE = 0x3e
};
enum { MASKED = 0x10000, PERIODIC = 0x20000, SOFT_ENABLE = 0x100 };
enum { FIXED, LOWEST, SMI, NMI = 4, INIT, STARTUP, EXTINT };
enum { MSR_ENABLE = 0x800, MSR_BSP = 0x100 };

struct lapic {
    struct board_device dev;
    struct board *board;
    struct lapic_config c;
    struct bus_region *region;
    struct ioapic *ioapic;
    struct clock_event *timer;
    uint64_t msr;
    uint64_t timer_start_ns;
    uint32_t reg[64]; /* as they lie in the page, 16 bytes apart */
    uint8_t lint0;
};

static struct lapic *self(struct board_device *dev)
{
    return CONTAINER_OF(dev, struct lapic, dev);
}

static bool is_on(const struct lapic *l)
{
    return l->msr & MSR_ENABLE;
}

static bool soft_on(const struct lapic *l)
{
    return is_on(l) && (l->reg[SVR] & SOFT_ENABLE);
}

static void set_bit(uint32_t *bits, uint8_t vector, bool on)
{
    uint32_t mask = 1u << (vector & 31);
    bits[vector >> 5] = on ? bits[vector >> 5] | mask : bits[vector >> 5] & ~mask;
}

static bool get_bit(const uint32_t *bits, uint8_t vector)
{
    return bits[vector >> 5] >> (vector & 31) & 1;
}

/* The highest vector that is set, or -1. */
static int highest(const uint32_t *bits)
{
    for (int i = 7; i >= 0; i--) {
        if (bits[i])
            return 32 * i + 31 - __builtin_clz(bits[i]);
    }
    return -1;
}

static uint8_t priority(const struct lapic *l)
{
    int served = highest(&l->reg[ISR]);
    uint8_t tpr = (uint8_t)l->reg[TPR], isr = served < 0 ? 0 : (uint8_t)served & 0xf0;
    return (tpr & 0xf0) >= isr ? tpr : isr;
}

/* The vector that would be delivered now, or -1. */
static int deliverable(const struct lapic *l)
{
    int wants = highest(&l->reg[IRR]);
    return soft_on(l) && wants >= 0 && (wants & 0xf0) > (priority(l) & 0xf0) ? wants : -1;
}

static bool pic_open(const struct lapic *l)
{
    uint32_t lvt = l->reg[LVT_LINT0];
    return !is_on(l) || (!(lvt & MASKED) && (lvt >> 8 & 7) == EXTINT);
}

static void update(struct lapic *l)
{
    l->c.pin->intr = deliverable(l) >= 0 || (l->lint0 && pic_open(l));
}

static uint8_t ack(void *opaque)
{
    struct lapic *l = opaque;
    int vector = deliverable(l);
    if (vector >= 0) {
        set_bit(&l->reg[IRR], (uint8_t)vector, false);
        set_bit(&l->reg[ISR], (uint8_t)vector, true);
    } else if (l->lint0 && pic_open(l)) {
        vector = l->c.ack_pic(l->c.ack_opaque);
    } else {
        vector = (uint8_t)l->reg[SVR]; /* spurious */
    }
    update(l);
    return (uint8_t)vector;
}

static void accept(struct lapic *l, uint8_t vector, bool level)
{
    if (vector < 16) {
        l->reg[ESR] |= 0x40;
        return;
    }
    set_bit(&l->reg[IRR], vector, true);
    set_bit(&l->reg[TMR], vector, level);
    update(l);
}

static bool is_addressed(const struct lapic *l, uint8_t destination, bool logical)
{
    if (!logical)
        return destination == 0xff || destination == l->reg[ID] >> 24;
    uint8_t mine = (uint8_t)(l->reg[LDR] >> 24);
    if (l->reg[DFR] >> 28 == 15)
        return mine & destination;
    return destination >> 4 == mine >> 4 && (destination & mine & 15);
}

void lapic_deliver(struct lapic *l, uint8_t vector, unsigned mode, bool level, uint8_t destination,
                   bool logical)
{
    if (!is_addressed(l, destination, logical))
        return;
    switch (mode) {
    case FIXED:
    case LOWEST:
        if (soft_on(l))
            accept(l, vector, level);
        break;
    case NMI:
        l->c.pin->nmi = true;
        break;
    case INIT:
        l->c.init(l->c.init_opaque);
        break;
    case EXTINT: /* as if it came by LINT0 */
        l->lint0 = level || l->lint0;
        update(l);
        break;
    }
}

static void lint0_set(void *opaque, unsigned number, bool level)
{
    struct lapic *l = opaque;
    uint32_t lvt = l->reg[LVT_LINT0];
    bool rises = level && !l->lint0;
    (void)number;
    l->lint0 = level;
    if (rises && soft_on(l) && !(lvt & MASKED) && (lvt >> 8 & 7) == FIXED)
        accept(l, (uint8_t)lvt, false);
    if (rises && is_on(l) && !(lvt & MASKED) && (lvt >> 8 & 7) == NMI)
        l->c.pin->nmi = true;
    update(l);
}

struct irq_line lapic_lint0(struct lapic *l)
{
    return (struct irq_line){lint0_set, l, 0};
}

static uint32_t divider(const struct lapic *l)
{
    unsigned code = (l->reg[TIMER_DIVIDE] & 3) | (l->reg[TIMER_DIVIDE] >> 1 & 4);
    return code == 7 ? 1 : 2u << code;
}

static uint64_t timer_ticks(const struct lapic *l)
{
    uint64_t ns = board_now(l->board) - l->timer_start_ns;
    return board_ticks(ns, BUS_HZ) / divider(l);
}

static void arm_timer(struct lapic *l)
{
    uint64_t count = l->reg[TIMER_INITIAL], ticks = timer_ticks(l);
    bool periodic = l->reg[LVT_TIMER] & PERIODIC;
    uint64_t next = periodic && count ? (ticks / count + 1) * count : count;
    if (!count || next <= ticks)
        board_arm(l->board, l->timer, CLOCK_NEVER);
    else
        board_arm(l->board, l->timer,
                  l->timer_start_ns + board_ticks_ns(next * divider(l), BUS_HZ));
}

static void on_timer(void *opaque, uint64_t now_ns)
{
    struct lapic *l = opaque;
    (void)now_ns;
    if (!(l->reg[LVT_TIMER] & MASKED))
        accept(l, (uint8_t)l->reg[LVT_TIMER], false);
    arm_timer(l);
}

static uint32_t current_count(const struct lapic *l)
{
    uint64_t count = l->reg[TIMER_INITIAL], ticks = timer_ticks(l);
    if (!count)
        return 0;
    if (l->reg[LVT_TIMER] & PERIODIC)
        return (uint32_t)(count - ticks % count);
    return ticks < count ? (uint32_t)(count - ticks) : 0;
}

static void write_icr(struct lapic *l, uint32_t v)
{
    unsigned shorthand = v >> 18 & 3, mode = v >> 8 & 7;
    uint8_t destination = (uint8_t)(l->reg[ICR_HIGH] >> 24);
    bool deassert = mode == INIT && !(v & 0x4000);
    l->reg[ICR_LOW] = v & ~0x1000u; /* sent at once */
    if (deassert || shorthand == 3 || mode == STARTUP)
        return; /* there is nobody else */
    if (shorthand)
        lapic_deliver(l, (uint8_t)v, mode, false, 0xff, false);
    else
        lapic_deliver(l, (uint8_t)v, mode, false, destination, v >> 11 & 1);
}

static void end_of_interrupt(struct lapic *l)
{
    int vector = highest(&l->reg[ISR]);
    if (vector < 0)
        return;
    set_bit(&l->reg[ISR], (uint8_t)vector, false);
    if (get_bit(&l->reg[TMR], (uint8_t)vector) && l->ioapic)
        ioapic_eoi(l->ioapic, (uint8_t)vector);
}

static void soft_disable(struct lapic *l)
{
    for (unsigned i = LVT_TIMER; i <= LVT_ERROR; i++)
        l->reg[i] |= MASKED;
}

static void write_lvt(struct lapic *l, unsigned at, uint32_t v)
{
    static const uint32_t mask[] = {0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};
    l->reg[at] = v & mask[at - LVT_TIMER];
    if (!(l->reg[SVR] & SOFT_ENABLE))
        l->reg[at] |= MASKED;
    if (at == LVT_TIMER)
        arm_timer(l);
}

static void write_register(struct lapic *l, unsigned at, uint32_t v)
{
    switch (at) {
    case ID:
    case LDR:
        l->reg[at] = v & 0xff000000;
        break;
    case TPR:
        l->reg[at] = v & 0xff;
        break;
    case EOI:
        end_of_interrupt(l);
        break;
    case DFR:
        l->reg[at] = v | 0x0fffffff;
        break;
    case SVR:
        l->reg[at] = v & 0x1ff;
        if (!(v & SOFT_ENABLE))
            soft_disable(l);
        break;
    case ESR:
        l->reg[at] = 0;
        break;
    case ICR_LOW:
        write_icr(l, v);
        break;
    case ICR_HIGH:
        l->reg[at] = v & 0xff000000;
        break;
    case TIMER_INITIAL:
    case TIMER_DIVIDE:
        l->reg[at] = at == TIMER_DIVIDE ? v & 11 : v;
        l->timer_start_ns = board_now(l->board);
        arm_timer(l);
        break;
    default:
        if (at >= LVT_TIMER && at <= LVT_ERROR)
            write_lvt(l, at, v);
    }
    update(l);
}

static uint32_t lapic_read(void *opaque, uint32_t offset, unsigned size)
{
    struct lapic *l = opaque;
    unsigned at = offset >> 4;
    (void)size;
    if ((offset & 15) || at >= ARRAY_LEN(l->reg))
        return 0;
    if (at == PPR || at == APR)
        return priority(l);
    if (at == TIMER_CURRENT)
        return current_count(l);
    return at == EOI ? 0 : l->reg[at];
}

static void lapic_write(void *opaque, uint32_t offset, unsigned size, uint32_t value)
{
    struct lapic *l = opaque;
    (void)size;
    if (!(offset & 15) && offset >> 4 < ARRAY_LEN(l->reg))
        write_register(l, offset >> 4, value);
}

static const struct bus_ops lapic_ops = {lapic_read, lapic_write, 4};

void lapic_set_base(struct lapic *l, uint64_t msr)
{
    l->msr = msr;
    if (is_on(l))
        bus_region_map(l->region, msr & 0xfffff000);
    else
        bus_region_unmap(l->region);
    update(l);
}

void lapic_set_ioapic(struct lapic *l, struct ioapic *ioapic)
{
    l->ioapic = ioapic;
}

static void lapic_reset(struct board_device *dev)
{
    struct lapic *l = self(dev);
    memset(l->reg, 0, sizeof(l->reg));
    l->reg[VERSION] = 0x00050014;
    l->reg[DFR] = UINT32_MAX;
    l->reg[SVR] = 0xff;
    soft_disable(l);
    l->reg[LVT_LINT0] = EXTINT << 8; /* as firmware leaves it: the PIC's way is open */
    board_arm(l->board, l->timer, CLOCK_NEVER);
    l->c.pin->nmi = false;
    lapic_set_base(l, BASE | MSR_ENABLE | MSR_BSP);
}

static void lapic_destroy(struct board_device *dev)
{
    clock_event_destroy(self(dev)->timer);
    free(self(dev));
}

static void lapic_loaded(struct board_device *dev)
{
    struct lapic *l = self(dev);
    lapic_set_base(l, l->msr);
    arm_timer(l);
}

static const struct state_field fields[] = {
    STATE_U(struct lapic, msr), STATE_U(struct lapic, timer_start_ns),
    STATE_U_ARRAY(struct lapic, reg), STATE_U(struct lapic, lint0)};
static const struct state_list state = {"lapic", 1, ARRAY_LEN(fields), fields};
static const struct board_device_ops ops = {.name = "lapic",
                                            .reset = lapic_reset,
                                            .destroy = lapic_destroy,
                                            .state = &state,
                                            .loaded = lapic_loaded};

int lapic_create(struct board *board, const struct lapic_config *config, struct lapic **out)
{
    struct lapic *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->dev.ops = &ops;
    l->board = board;
    l->c = *config;
    l->c.pin->ack = ack;
    l->c.pin->opaque = l;
    board_add(board, &l->dev);
    *out = l;
    struct bus_region_config region = {.name = "lapic",
                                       .space = BUS_MEMORY,
                                       .len = PAGE_SIZE,
                                       .ops = &lapic_ops,
                                       .opaque = l,
                                       .priority = BUS_HIGH};
    int err = bus_region_create(board->bus, &region, &l->region);
    if (!err)
        err = board_event(board, "lapic", on_timer, l, &l->timer);
    if (!err)
        lapic_reset(&l->dev);
    return err;
}
