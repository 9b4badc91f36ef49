/* SPDX-License-Identifier: MIT */
/*
 * A program file: what kind it is, its manifest, its segments and symbols.
 *
 * An image belongs to nobody's VM: any number of VMs may be loaded from one,
 * also from several threads, once image_open has returned (image_symbol alone
 * is for one thread at a time). The file is hostile until proved otherwise;
 * nothing in it is used unchecked.
 */
#ifndef DENALI_IMAGE_H
#define DENALI_IMAGE_H

#include "denali/abi.h"
#include "emu/base/base.h"
#include "emu/base/why.h"
#include "emu/machine/ram.h"

enum image_kind {
    IMAGE_DENALI, /* has our note: boots directly */
    IMAGE_LINUX,  /* an i386 program without it */
};

struct image;

/* A wish of the manifest. The name is valid: printable, ended, not empty. */
struct image_wish {
    uint16_t kind; /* enum denali_device_kind, or one that this version does not know */
    bool optional;
    char name[DENALI_NAME_LEN];
};

struct image_manifest {
    uint64_t mem_bytes; /* 0: no wish */
    uint32_t regs_addr; /* of the register page */
    unsigned wishes;
    struct image_wish wish[DENALI_MAX_DEVICES];
};

/*
 * 0, or a negative errno and `why`: -ENOEXEC for a file that can never run here,
 * else what the host said (-ENOENT, -EACCES, ...).
 */
MUST_CHECK int image_open(const char *path, struct image **out, struct why *why);
/* The same for a file that is called otherwise, in messages and by image_path. */
MUST_CHECK int image_open_named(const char *path, const char *name, struct image **out,
                                struct why *why);
void image_close(struct image *image);

enum image_kind image_kind(const struct image *image);
const char *image_path(const struct image *image);

/* Of IMAGE_DENALI only. */
const struct image_manifest *image_manifest(const struct image *image);
uint32_t image_entry(const struct image *image);
uint64_t image_end(const struct image *image); /* of the highest segment */
/* Never 0; equal for the same unchanged file: the engines' key of shared translations. */
uint64_t image_key(const struct image *image);

/* Puts the segments of an IMAGE_DENALI into fresh, zeroed RAM. -ENOEXEC if the RAM is too small. */
MUST_CHECK int image_load(const struct image *image, struct ram *ram, struct why *why);

/*
 * The function that holds `address`, and how far into it that is; NULL: not
 * known. Valid until image_close. Reads the symbol table at the first call.
 */
const char *image_symbol(struct image *image, uint32_t address, uint32_t *offset);

#endif
