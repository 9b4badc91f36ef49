/* SPDX-License-Identifier: MIT */
/* Names of keys: "enter", "ctrl-c", "alt-f4", "a". */
#ifndef DENALI_TEST_KEYS_H
#define DENALI_TEST_KEYS_H

#include "emu/base/base.h"

/* What a terminal sends for a key; the number of bytes, 0: it sends nothing. */
#define KEYS_BYTES 16u
size_t keys_bytes(const char *name, char bytes[KEYS_BYTES]);
/* The scan codes of a chord, its modifiers first, as i8042_key takes them; how many, 0: none. */
#define KEYS_CHORD 5u
unsigned keys_codes(const char *name, unsigned code[KEYS_CHORD]);
bool keys_known(const char *name);

#endif
