/* SPDX-License-Identifier: MIT */
/* Names of keys: "enter", "ctrl-c", "alt-f4", "a". */
#ifndef DENALI_TEST_KEYS_H
#define DENALI_TEST_KEYS_H

#include "emu/base/base.h"

/* What a terminal sends for a key; the number of bytes, 0: it sends nothing. */
#define KEYS_BYTES 16u
size_t keys_bytes(const char *name, char bytes[KEYS_BYTES]);
bool keys_known(const char *name);

#endif
