/* SPDX-License-Identifier: MIT */
/* An image that lies on a virtual disk, from its first block on: IMAGE is "disk:NAME". */
#ifndef DENALI_BOOT_DISK_H
#define DENALI_BOOT_DISK_H

#include "denali/image.h"
#include "emu/cli/run/run_options.h"

#define BOOT_DISK_PREFIX "disk:"

bool boot_is_disk(const struct run_options *options);
/* The disk is free again when this returns. -ENOEXEC: there is no Denali image on it. */
MUST_CHECK int boot_from_disk(const struct run_options *options, struct image **out,
                              struct why *why);

/* Whether disk `i` is the one that was booted from, and the image has no other use for it. */
bool boot_disk_is_needless(const struct run_options *options, const struct image *image,
                           unsigned i);

#endif
