/* SPDX-License-Identifier: MIT */
/* A PC's state in files (gzip around what machine_pc.h's pc_save writes), and its hash. */
#ifndef DENALI_PC_SNAPSHOT_H
#define DENALI_PC_SNAPSHOT_H

#include "devices/pc/machine_pc.h"

/* The file is there whole or, after an error, as it was before. */
MUST_CHECK int pc_snapshot_save(struct pc *pc, const char *path, struct why *why);
/* -ENOEXEC: it is damaged, or from another machine; nothing is changed then. */
MUST_CHECK int pc_snapshot_load(struct pc *pc, const char *path, struct why *why);
/* The same on an open file, from its begin. */
MUST_CHECK int pc_snapshot_write(struct pc *pc, int fd, struct why *why);
MUST_CHECK int pc_snapshot_read(struct pc *pc, int fd, struct why *why);

/* As pc_look. */
MUST_CHECK int pc_snapshot_look(struct pc *pc, int fd, struct cpu *cpu, uint8_t *ram,
                                struct why *why);

/* Over everything that a snapshot holds. */
MUST_CHECK int pc_state_hash(struct pc *pc, uint64_t *out, struct why *why);

#endif
