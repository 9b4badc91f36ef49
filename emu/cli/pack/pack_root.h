/* SPDX-License-Identifier: MIT */
/*
 * Packs a root (a folder or tar file of the host) into the read-only disk image
 * that Ilwaco mounts (guests/ilwaco/rootfs_format.h). Images are kept in the
 * user's cache folder and made anew when the root changed, so that only the
 * first start pays.
 */
#ifndef DENALI_PACK_ROOT_H
#define DENALI_PACK_ROOT_H

#include "emu/base/base.h"
#include "emu/base/why.h"

/* Sets *image to the path of an up-to-date image, to be freed. A negative errno and `why`; nothing
 * half-made is left. */
MUST_CHECK int pack_root(const char *root, char **image, struct why *why);

/* Whether `path` (absolute, in the packed image) is a regular file that may be executed; symbolic
 * links are followed inside the root. */
bool pack_root_has_program(const char *image, const char *path);

/* The image, opened, and where in it the contents of the regular file `path` lie; links are
 * followed inside the root. A negative errno: -ENOENT. */
MUST_CHECK int pack_root_open(const char *image, const char *path, uint64_t *offset,
                              uint64_t *size);

#endif
