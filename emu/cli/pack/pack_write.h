/* SPDX-License-Identifier: MIT */
/*
 * Writes a packed root (guests/ilwaco/rootfs_format.h): files' contents first, as
 * they come, then the tree, then the superblock.
 */
#ifndef DENALI_PACK_WRITE_H
#define DENALI_PACK_WRITE_H

#include "emu/cli/pack/pack_tree.h"

struct pack_writer {
    int fd;
    uint64_t end; /* where the next file begins */
    uint64_t at;  /* where the current file's next bytes go */
    uint64_t file_bytes;
    uint8_t *buffer; /* PACK_BUFFER bytes, for who fills it */
};

#define PACK_BUFFER (256u * 1024)

/* On a fresh, empty file. -ENOMEM. */
MUST_CHECK int pack_writer_init(struct pack_writer *writer, int fd);
void pack_writer_fini(struct pack_writer *writer); /* leaves the descriptor open */

/* One file: begin, bytes, end. Blocks of zeroes become holes. -errno of writing. */
void pack_file_begin(struct pack_writer *writer, struct pack_inode *inode);
MUST_CHECK int pack_file_bytes(struct pack_writer *writer, const void *data, size_t n);
void pack_file_end(struct pack_writer *writer, struct pack_inode *inode);

/* The tree and the superblock. -errno. */
MUST_CHECK int pack_write_tree(struct pack_writer *writer, struct pack_tree *tree,
                               uint64_t source_key);

#endif
