/* SPDX-License-Identifier: MIT */
/*
 * The i440FX host bridge (00:00.0: shadow RAM and SMRAM windows), the PIIX3 ISA
 * bridge (00:01.0: interrupt routing) and the PIIX4's power management (00:01.3: power-off,
 * PM timer, and the APM ports B2h and B3h).
 */
#ifndef DENALI_PC_CHIPSET_H
#define DENALI_PC_CHIPSET_H

#include "devices/pc/pci.h"

struct host_bridge;
/* `bios` is copied: its end is what is seen below 1 MiB and below 4 GiB. Whole 64 KiB, at most
 * 16 MiB; len 0: no ROM. */
MUST_CHECK int host_bridge_create(struct board *board, struct pci *pci, const uint8_t *bios,
                                  uint32_t bios_len, struct host_bridge **out);
/* A card's ROM at C0000h, copied, for firmware that looks for cards there and not on PCI. Larger
 * than 128 KiB: left out. Before the first reset. */
void host_bridge_put_card_rom(struct host_bridge *bridge, const uint8_t *rom, uint32_t len);
/* As firmware leaves it: C0000h to FFFFFh is RAM. */
void host_bridge_open_shadow(struct host_bridge *bridge);

/* `irq` are the lines of ISA interrupts 0 to 15 that PCI's are routed to. */
struct piix3;
MUST_CHECK int piix3_create(struct board *board, struct pci *pci, const struct irq_line irq[16],
                            struct piix3 **out);

/* Where power management is put by who starts without firmware; SeaBIOS puts it there, too. */
enum { PM_BASE = 0x600, PM_SCI = 9 };
struct pm;
MUST_CHECK int pm_create(struct board *board, struct pci *pci, struct irq_line sci,
                         struct pm **out);
/* As firmware leaves it: ports at PM_BASE. */
void pm_enable(struct pm *pm);
void pm_press_power(struct pm *pm);

#endif
