/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target is a file target_NAME.c with libFuzzer's one function; the
 * same source is linked with libFuzzer, with AFL++'s driver, and with ours (driver.c).
 * docs/HACKING.md tells how they are run.
 *
 * A target takes its decisions from the front of the input and leaves the rest as it came, so
 * that real files are good seeds. It holds no state between inputs but what it makes once
 * and puts back. What must be true is said by FUZZ_REQUIRE.
 */
#ifndef TESTSUITE_FUZZ_H
#define TESTSUITE_FUZZ_H

#include "emu/base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Reads from the front of an input; what it lacks is zero. */
struct fuzz_in {
    const uint8_t *at;
    size_t left;
};

uint8_t fuzz_u8(struct fuzz_in *in);
uint16_t fuzz_u16(struct fuzz_in *in);
uint32_t fuzz_u32(struct fuzz_in *in);
/* The next bytes, at most `len`; *got is how many there are. */
const uint8_t *fuzz_bytes(struct fuzz_in *in, size_t len, size_t *got);
/* A copy of the rest on the heap with nothing behind it, so that a byte too far is seen. */
uint8_t *fuzz_exact(const uint8_t *data, size_t len);
/* The same with a NUL at its end. */
char *fuzz_text(const uint8_t *data, size_t len);

/* A file in memory with these bytes: its descriptor, and a path for as long as it is open. */
#define FUZZ_PATH 32u
int fuzz_file(const void *data, size_t len, char path[FUZZ_PATH]);
/* The file has these bytes now, and no others. */
void fuzz_file_set(int fd, const void *data, size_t len);

#define FUZZ_REQUIRE(cond) ((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))
NORETURN void fuzz_fail(const char *file, int line, const char *what);

#endif
