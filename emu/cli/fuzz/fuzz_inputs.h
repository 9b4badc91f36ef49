/* SPDX-License-Identifier: MIT */
/* Inputs of `denali fuzz` as files. */
#ifndef DENALI_FUZZ_INPUTS_H
#define DENALI_FUZZ_INPUTS_H

#include "emu/base/why.h"

struct fuzz_seed {
    uint8_t *bytes; /* from malloc */
    size_t len;
};

/*
 * Calls fn for the file, or for each regular file of the folder (in the order of their names,
 * hidden ones, AFL++'s README.txt, *.toml and *.sh left out), until it returns something but 0. A
 * file of more than FUZZ_INPUT_MAX bytes is refused.
 */
typedef int (*fuzz_input_fn)(void *opaque, const char *path, const uint8_t *input, size_t len);
MUST_CHECK int fuzz_each_input(const char *path, fuzz_input_fn fn, void *opaque, struct why *why);

MUST_CHECK int fuzz_write_file(const char *path, const void *bytes, size_t len, struct why *why);

#endif
