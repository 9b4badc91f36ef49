/* SPDX-License-Identifier: MIT */
/* What content.c and content_shared.c share. */
#ifndef ILWACO_CONTENT_H
#define ILWACO_CONTENT_H

#include "guests/ilwaco/fs/vfs.h"

/* Makes room for an index of `pages` pages. -EFBIG, -ENOSPC. */
int content_room(struct inode *inode, uint32_t pages);
/* Whether a file's page lies in a shared mapping of the program. */
bool content_is_shared(const void *page);

#endif
