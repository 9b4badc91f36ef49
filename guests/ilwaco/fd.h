/* SPDX-License-Identifier: MIT */
/* The table of descriptors, beyond what kernel.h tells. */
#ifndef ILWACO_FD_H
#define ILWACO_FD_H

#include "guests/ilwaco/kernel.h"

#define FD_MAX 1048576u

uint32_t fd_limit(void); /* RLIMIT_NOFILE */
void fd_set_limit(uint32_t limit);
/* dup2: closes what was there; takes a reference of its own. The descriptor, or an error. */
int fd_replace(uint32_t fd, struct file *file, uint32_t flags);
int fd_close(uint32_t fd);
bool fd_cloexec(uint32_t fd); /* fd is open */
void fd_set_cloexec(uint32_t fd, bool on);
uint32_t fd_room(void); /* every open descriptor lies below */

#endif
