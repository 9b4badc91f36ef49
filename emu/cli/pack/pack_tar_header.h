/* SPDX-License-Identifier: MIT */
/* The headers of a tar file, as data; no input or output here. */
#ifndef DENALI_PACK_TAR_HEADER_H
#define DENALI_PACK_TAR_HEADER_H

#include "emu/base/base.h"

#define TAR_BLOCK 512u
#define TAR_EXTENSION_MAX (1u << 20)

struct tar_entry {
    char type;
    char *name, *link; /* NULL: none; freed by tar_entry_clear */
    uint64_t size;
    uint32_t mode, uid, gid, major, minor;
    int64_t mtime;
    /* pax: which numbers are given */
    bool has_size, has_mtime, has_uid, has_gid;
};

bool tar_block_is_zero(const uint8_t block[TAR_BLOCK]);
/* -EINVAL: the checksum or a number is wrong. -ENOMEM. */
MUST_CHECK int tar_parse_header(const uint8_t block[TAR_BLOCK], struct tar_entry *out);
/* The records of a pax header that matter. -EINVAL: malformed, or a sparse file. */
MUST_CHECK int tar_parse_pax(struct tar_entry *out, const char *data, size_t n);
bool tar_is_extension(char type);
/* S_IF... of an entry's type; 0: none that a root has. */
uint32_t tar_mode_type(char type);
/* What extension headers said replaces what the header says. Takes the strings over. */
void tar_entry_override(struct tar_entry *entry, struct tar_entry *by);
void tar_set_string(char **slot, const char *value);
void tar_entry_clear(struct tar_entry *entry);

#endif
