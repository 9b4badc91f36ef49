/* SPDX-License-Identifier: MIT */
/* The console of a guest under test: keeps what it says, gives it what a script types. */
#ifndef DENALI_TEST_CONSOLE_H
#define DENALI_TEST_CONSOLE_H

#include "devices/console.h"
#include "emu/test/buffer.h"

struct test_console {
    struct console_backend base;
    struct buffer *out, *err, *all;
    uint64_t max_bytes; /* of all; what is beyond is dropped */
    bool flooded, is_tty;
    struct buffer input;
    size_t taken; /* of input */
    bool ended;   /* nothing comes after it */
    /* What was written is told; may be NULL. */
    void (*heard)(void *opaque, const void *text, size_t len);
    void *opaque;
};

void test_console_init(struct test_console *c);
void test_console_free(struct test_console *c);
/* Whether somebody who reads would find something, or the end. */
bool test_console_has_input(const struct test_console *c);

#endif
