/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines: a device holds the handle of a line, whoever is at its
 * other end. And the processor's end: two levels that it looks at between
 * instructions, and one question.
 *
 * All on the processor's thread.
 */
#ifndef DENALI_IRQ_H
#define DENALI_IRQ_H

#include "emu/base/base.h"

/* A wire. A zeroed one leads nowhere. */
struct irq_line {
    void (*set)(void *opaque, unsigned number, bool level);
    void *opaque;
    unsigned number;
};

static inline void irq_set(const struct irq_line *line, bool level)
{
    if (line->set)
        line->set(line->opaque, line->number, level);
}

static inline void irq_raise(const struct irq_line *line)
{
    irq_set(line, true);
}

static inline void irq_lower(const struct irq_line *line)
{
    irq_set(line, false);
}

/* An edge, for inputs that are triggered by one. */
static inline void irq_pulse(const struct irq_line *line)
{
    irq_set(line, false);
    irq_set(line, true);
    irq_set(line, false);
}

/*
 * What a processor sees of the interrupt controllers. `intr` is the level of
 * its INTR pin; nmi is set by an edge and cleared by the processor when it takes
 * it. `ack` is the interrupt acknowledge cycle: the vector, 0 to 255; asked only
 * while `intr` is set and the guest takes interrupts (IF); afterwards `intr` is
 * up to date.
 */
struct irq_pin {
    volatile bool intr, nmi;
    uint8_t (*ack)(void *opaque);
    void *opaque;
};

#endif
