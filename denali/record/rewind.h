/* SPDX-License-Identifier: MIT */
/*
 * A VM that is put back to a snapshot again and again, for fuzzers and the like: it keeps its
 * memory, its translations and its place among the host's mappings, and only what differs is
 * copied back. With as many changed pages as a small program has, that takes some microseconds.
 */
#ifndef DENALI_REWIND_H
#define DENALI_REWIND_H

#include "denali/snapshot.h"

struct rewind;

/* `config` with its snapshot, which outlives it, as do all that vm_create says. */
MUST_CHECK int rewind_create(const struct vm_config *config, struct rewind **out, struct why *why);
void rewind_destroy(struct rewind *rewind); /* NULL is harmless */

struct vm *rewind_vm(struct rewind *rewind);

/* The VM is as the snapshot has it: memory, rights, processor, devices, time. Breakpoints and
 * resources stay as they are. Between two slices. A negative errno: the host failed; it is good for
 * nothing but destruction. */
MUST_CHECK int rewind_go(struct rewind *rewind);

/* Pages that had a memory of their own at the last rewind_go. */
uint32_t rewind_pages(const struct rewind *rewind);

#endif
