/* SPDX-License-Identifier: MIT */
/*
 * The firmware configuration device that SeaBIOS reads: numbered items and named files, through
 * ports 510h and 511h, and by DMA through 514h.
 */
#ifndef DENALI_PC_FW_CFG_H
#define DENALI_PC_FW_CFG_H

#include "devices/pc/board.h"

enum fw_cfg_key {
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_CPUS = 0x05,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_TEXT_ADDR = 0x13, /* the command line */
    FW_CFG_TEXT_SIZE = 0x14,
    FW_CFG_TEXT_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
};

struct fw_cfg;
MUST_CHECK int fw_cfg_create(struct board *board, struct fw_cfg **out);
/* Contents are copied. -ENOMEM, -ENOSPC. */
MUST_CHECK int fw_cfg_add(struct fw_cfg *cfg, enum fw_cfg_key key, const void *data, uint32_t len);
MUST_CHECK int fw_cfg_add_number(struct fw_cfg *cfg, enum fw_cfg_key key, uint64_t value,
                                 unsigned size);
MUST_CHECK int fw_cfg_add_file(struct fw_cfg *cfg, const char *name, const void *data,
                               uint32_t len);

#endif
