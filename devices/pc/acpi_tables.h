/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of this machine, for kernels that are started without
 * firmware (SeaBIOS brings its own): power-off, the PM timer, PCI interrupts.
 */
#ifndef DENALI_PC_ACPI_TABLES_H
#define DENALI_PC_ACPI_TABLES_H

#include "emu/base/base.h"

struct acpi_config {
    uint32_t base; /* where they will lie: the root pointer first */
    bool apic;     /* the processor has one: a MADT */
    uint8_t pirq_irq[4];
};

/* Writes them to `out`; their length, or 0: `room` is too small. */
size_t acpi_build(const struct acpi_config *config, uint8_t *out, size_t room);

#endif
