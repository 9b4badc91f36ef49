/* SPDX-License-Identifier: MIT */
/*
 * The medium of a PC's drive: bytes in a file or block device of the host.
 *
 * What a command line says: "FILE[,ro|,snapshot|,cow=OVERLAY]". `snapshot`: what
 * the guest writes is forgotten at the end. `cow`: it goes to OVERLAY, which is made
 * if it does not exist, and FILE is only read.
 */
#ifndef DENALI_MEDIUM_H
#define DENALI_MEDIUM_H

#include "emu/base/base.h"
#include "emu/base/why.h"

struct medium;

/* A negative errno and `why`. `readonly` asks for no more, as for a CD. */
MUST_CHECK int medium_open(const char *spec, bool readonly, struct medium **out, struct why *why);
/* NULL is harmless. */
void medium_close(struct medium *medium);

uint64_t medium_bytes(const struct medium *medium);
bool medium_is_readonly(const struct medium *medium);

/* What is read, and how writes end, is recorded there or comes from there. */
struct gate;
void medium_set_gate(struct medium *medium, struct gate *gate, uint8_t number);

/* Any range; what lies behind the end reads as zeroes, and cannot be written (-EIO). */
MUST_CHECK int medium_read(struct medium *medium, uint64_t at, void *out, size_t len);
MUST_CHECK int medium_write(struct medium *medium, uint64_t at, const void *data, size_t len);
/* Of a medium with an overlay: the next bytes at or behind `at` that lie in it, MEDIUM_PIECE at
 * most; their place, or UINT64_MAX: there are none (of other media always). */
#define MEDIUM_PIECE 4096u
uint64_t medium_next_written(const struct medium *medium, uint64_t at, size_t *len);
/* What was written before survives the host's crash. */
MUST_CHECK int medium_flush(struct medium *medium);

#endif
