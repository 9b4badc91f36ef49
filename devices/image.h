/* SPDX-License-Identifier: MIT */
/*
 * The medium of a PC's drive: bytes in a file or block device of the host.
 *
 * What a command line says: "FILE[,ro|,snapshot|,cow=OVERLAY]". `snapshot`: what
 * the guest writes is forgotten at the end. `cow`: it goes to OVERLAY, which is made
 * if it does not exist, and FILE is only read.
 */
#ifndef DENALI_IMAGE_H
#define DENALI_IMAGE_H

#include "emu/base/base.h"
#include "emu/base/why.h"

struct image;

/* A negative errno and `why`. `readonly` asks for no more, as for a CD. */
MUST_CHECK int image_open(const char *spec, bool readonly, struct image **out, struct why *why);
/* NULL is harmless. */
void image_close(struct image *image);

uint64_t image_bytes(const struct image *image);
bool image_is_readonly(const struct image *image);

/* Any range; what lies behind the end reads as zeroes, and cannot be written (-EIO). */
MUST_CHECK int image_read(struct image *image, uint64_t at, void *out, size_t len);
MUST_CHECK int image_write(struct image *image, uint64_t at, const void *data, size_t len);
/* What was written before survives the host's crash. */
MUST_CHECK int image_flush(struct image *image);

#endif
