/* SPDX-License-Identifier: MIT */
/* What image.c, image_note.c and image_symbols.c share. */
#ifndef DENALI_IMAGE_PRIVATE_H
#define DENALI_IMAGE_PRIVATE_H

#include "denali/image.h"

#include <elf.h>

#define IMAGE_MAX_SEGMENTS 32u

struct image_segment {
    uint32_t address, mem_bytes, file_bytes;
    uint64_t offset;
};

struct image_symbols {
    bool tried;
    Elf32_Sym *symbol;
    size_t count;
    char *names; /* NUL-ended */
    uint32_t names_len;
};

struct image {
    char *path;
    int fd;
    int frozen; /* a copy of the segments that nobody else can change, at their offsets; -1: none */
    uint64_t file_bytes;
    uint64_t key;
    enum image_kind kind;
    Elf32_Ehdr header;
    unsigned segments;
    struct image_segment segment[IMAGE_MAX_SEGMENTS];
    struct image_manifest manifest;
    struct image_symbols symbols;
};

/* Exactly [offset, offset+len) of the file; -ENOEXEC where it ends before. */
MUST_CHECK int image_read(const struct image *image, uint64_t offset, void *dst, size_t len);

/* Looks for the manifest in the bytes of one PT_NOTE. 1: found and taken; 0: not here; -ENOEXEC,
 * also where one was found before. */
MUST_CHECK int image_note_parse(struct image *image, const uint8_t *note, size_t len,
                                struct why *why);

void image_symbols_free(struct image_symbols *symbols);

#endif
