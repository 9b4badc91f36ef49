/* SPDX-License-Identifier: MIT */
/* What the packer's parts share about a finished image. */
#ifndef DENALI_PACK_IMAGE_H
#define DENALI_PACK_IMAGE_H

#include "emu/base/base.h"
#include "guests/ilwaco/rootfs_format.h"

/* Whether a superblock is whole, of this version, and fits a file of that length. */
bool pack_super_is_good(const struct rootfs_super *super, uint64_t file_bytes);

#endif
