/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of the one processor (FEE00000h) and the I/O APIC with 24
 * inputs (FEC00000h). The local APIC stands between the PIC and the processor: it
 * drives the processor's pin.
 */
#ifndef DENALI_PC_APIC_H
#define DENALI_PC_APIC_H

#include "devices/pc/board.h"

struct lapic;
struct ioapic;

/* `ack_pic` is the PIC's acknowledge cycle, asked when the vector is to come from there. */
struct lapic_config {
    struct irq_pin *pin;
    uint8_t (*ack_pic)(void *opaque);
    void *ack_opaque;
    /* The processor gets a start-up message it cannot ignore: INIT. */
    void (*init)(void *opaque);
    void *init_opaque;
};
MUST_CHECK int lapic_create(struct board *board, const struct lapic_config *config,
                            struct lapic **out);
/* The PIC's output: LINT0. */
struct irq_line lapic_lint0(struct lapic *lapic);
/* IA32_APIC_BASE was written. */
void lapic_set_base(struct lapic *lapic, uint64_t msr);
/* A message from the I/O APIC or a device (MSI). */
void lapic_deliver(struct lapic *lapic, uint8_t vector, unsigned mode, bool level,
                   uint8_t destination, bool logical);

MUST_CHECK int ioapic_create(struct board *board, struct lapic *lapic, struct ioapic **out);
struct irq_line ioapic_line(struct ioapic *ioapic, unsigned input);
/* The processor has finished a level interrupt of this vector. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);
void lapic_set_ioapic(struct lapic *lapic, struct ioapic *ioapic);

#endif
