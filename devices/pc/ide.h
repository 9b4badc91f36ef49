/* SPDX-License-Identifier: MIT */
/* The PIIX3's two IDE channels (00:01.1), each with up to two drives: disks and CD-ROMs. */
#ifndef DENALI_PC_IDE_H
#define DENALI_PC_IDE_H

#include "devices/medium.h"
#include "devices/pc/pci.h"

/* `image` NULL: a CD drive without a disc, or (not `cdrom`) no drive. Outlives the board. */
struct ide_drive_config {
    struct medium *image;
    bool cdrom;
};

struct ide_config {
    struct ide_drive_config drive[4]; /* primary master, slave, secondary master, slave */
    struct irq_line irq14, irq15;
};

/* `pci` NULL: the channels alone, without bus mastering. */
MUST_CHECK int ide_create(struct board *board, struct pci *pci, const struct ide_config *config);

/* What firmware's tables say of a disk of so many sectors. */
struct ide_geometry {
    unsigned cylinders, heads, sectors;
};
struct ide_geometry ide_geometry(uint64_t sectors);

#endif
