/* SPDX-License-Identifier: MIT */
/* An NE2000 as a PCI card (RTL8029): a DP8390 with 16 KiB of memory. */
#ifndef DENALI_PC_NE2000_H
#define DENALI_PC_NE2000_H

#include "devices/net.h"
#include "devices/pc/pci.h"

/* `net` outlives the board. */
MUST_CHECK int ne2000_create(struct board *board, struct pci *pci, unsigned devfn,
                             struct net_backend *net, const uint8_t mac[6]);

#endif
