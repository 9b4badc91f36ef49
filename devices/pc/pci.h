/* SPDX-License-Identifier: MIT */
/*
 * PCI bus 0 behind configuration mechanism 1. A device embeds a struct
 * pci_function; its configuration space is bytes with a mask of those bits that
 * a guest can write, and its BARs are bus regions that follow what is written.
 */
#ifndef DENALI_PC_PCI_H
#define DENALI_PC_PCI_H

#include "devices/pc/board.h"

enum { PCI_BARS = 7, PCI_ROM = 6 };
enum {
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_LINE = 0x3c,
    PCI_COMMAND_IO = 1,
    PCI_COMMAND_MEMORY = 2,
    PCI_COMMAND_MASTER = 4,
    PCI_COMMAND_NO_INTX = 0x400,
};
#define PCI_DEVFN(slot, function) ((slot) << 3 | (function))

struct pci;
struct pci_function;

struct pci_bar {
    uint32_t len; /* a power of two; 0: none */
    bool io;
    struct bus_region *region;
};

struct pci_function {
    uint8_t config[256], writable[256];
    uint8_t initial[256]; /* what reset restores */
    struct pci_bar bar[PCI_BARS];
    /* After [at, at+size) of the configuration was written. May be NULL. */
    void (*written)(struct pci_function *function, unsigned at, unsigned size);
    struct pci *pci;
    unsigned devfn;
    bool intx; /* the level that the device drives */
};

struct pci_identity {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code;                /* 24 bits */
    uint8_t revision, pin, header_type; /* pin: 1 INTA, 0 none */
};

MUST_CHECK int pci_create(struct board *board, struct pci **out);
void pci_set_router(struct pci *pci, void (*set_pirq)(void *opaque, unsigned pirq, bool level),
                    void *opaque);

/* In this order: init, the bars and writable bits, add. The function is the device's memory. */
void pci_function_init(struct pci_function *function, const struct pci_identity *identity);
void pci_function_set_bar(struct pci_function *function, unsigned bar, bool io, uint32_t len,
                          struct bus_region *region);
void pci_add(struct pci *pci, unsigned devfn, struct pci_function *function);

/* The INTx wire. */
void pci_set_intx(struct pci_function *function, bool level);
bool pci_is_master(const struct pci_function *function);

/* As a register of the function, little-endian. */
uint32_t pci_get(const struct pci_function *function, unsigned at, unsigned size);
void pci_put(struct pci_function *function, unsigned at, unsigned size, uint32_t value);
/* As a configuration cycle writes: masked, BARs move, the device is told. */
void pci_write(struct pci_function *function, unsigned at, unsigned size, uint32_t value);

/* What firmware does, where none runs: gives every BAR a place and every pin its line. */
void pci_assign(struct pci *pci, const uint8_t pirq_irq[4]);
/* After `config` was loaded. */
void pci_reload(struct pci *pci);

#endif
