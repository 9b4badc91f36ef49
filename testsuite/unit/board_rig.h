/* SPDX-License-Identifier: MIT */
/* A whole PC whose bus a test drives in the place of the guest; time stands unless it is moved. */
#ifndef DENALI_BOARD_RIG_H
#define DENALI_BOARD_RIG_H

#include "devices/pc/machine_pc.h"
#include "emu/cpu/engine.h"

struct board_rig {
    struct engine *engine;
    struct pc *pc;
    struct bus *bus;
    struct board *board;
    char dir[64];
    struct medium *disk, *disc, *floppy, *virtio;
    struct serial_backend *serial;
};

/* Media: a disk of 4 MiB, a disc and a floppy; sector n of each begins with n. Checks all. */
void board_rig_make(struct board_rig *rig);
/* The same, with what the config has of an engine, a size of RAM, a card; the rest is filled in. */
void board_rig_make_config(struct board_rig *rig, struct pc_config *config);
void board_rig_end(struct board_rig *rig);

uint32_t pc_in(struct board_rig *rig, uint16_t port, unsigned size);
void pc_out(struct board_rig *rig, uint16_t port, unsigned size, uint32_t value);
void pc_pass_ns(struct board_rig *rig, uint64_t ns);

uint32_t pc_config_read(struct board_rig *rig, unsigned devfn, unsigned at, unsigned size);
void pc_config_write(struct board_rig *rig, unsigned devfn, unsigned at, unsigned size,
                     uint32_t value);
/* PICs at vectors 20h and 28h, everything unmasked. */
void pc_setup_pics(struct board_rig *rig);
/* The vector that the processor would get, or -1. */
int pc_interrupt(struct board_rig *rig);
void pc_end_interrupt(struct board_rig *rig, int vector);

#endif
