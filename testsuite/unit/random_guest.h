/* SPDX-License-Identifier: MIT */
/*
 * Guests made of random bytes and of instructions that matter, with handlers
 * that step over every fault and go on. Drawn from rand(), so srand repeats one.
 */
#ifndef RANDOM_GUEST_H
#define RANDOM_GUEST_H

#include "testsuite/unit/vm_rig.h"

#define RANDOM_CODE 0x40000u

extern const struct denali_manifest_device random_guest_devices[3];

uint32_t random_word(void);
/* Code, handlers and registers of a VM that rig_start_config made. */
void random_guest_write(struct rig *rig);

#endif
