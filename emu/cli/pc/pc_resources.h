/* SPDX-License-Identifier: MIT */
/* What a PC is made of on the host: files, images, lines, the network. */
#ifndef DENALI_PC_RESOURCES_H
#define DENALI_PC_RESOURCES_H

#include "devices/pc/kernel.h"
#include "devices/pc/machine_pc.h"
#include "emu/cli/pc/pc_options.h"

struct pc_file {
    uint8_t *data;
    size_t len;
};

struct pc_resources {
    struct pc_config config; /* for pc_create */
    struct kernel_config kernel;
    struct pc_file bios, vga_rom, kernel_file, cmos, module[KERNEL_MAX_MODULES];
    char *initrd; /* a copy, cut at the commas */
};

/* 0 or a negative errno and `why`; what was opened is closed by pc_resources_close in any case. */
MUST_CHECK int pc_resources_open(const struct pc_options *options, struct pc_resources *out,
                                 struct why *why);
/* What comes from outside passes the gate from now on; in a replay there is no network behind it.
 */
MUST_CHECK int pc_resources_set_gate(struct pc_resources *resources, struct gate *gate,
                                     struct why *why);
void pc_resources_close(struct pc_resources *resources);
/* CMOS memory goes back to its file. */
MUST_CHECK int pc_resources_save_cmos(const struct pc_options *options, const struct pc *pc,
                                      struct why *why);

#endif
