/* SPDX-License-Identifier: MIT */
/* The console of a guest under test: keeps what it says, gives it what a script types. */
#ifndef DENALI_TEST_CONSOLE_H
#define DENALI_TEST_CONSOLE_H

#include "devices/console.h"
#include "emu/test/buffer.h"

/* How far the guest had come when it wrote what ends there. */
struct test_console_mark {
    size_t end; /* of stdout */
    uint64_t icount;
};

struct test_console {
    struct console_backend base;
    struct buffer *out, *err, *all;
    uint64_t max_bytes; /* of all; what is beyond is dropped */
    bool flooded, is_tty;
    unsigned mode; /* of the terminal: enum console_mode bits */
    struct buffer input;
    size_t taken;                   /* of input */
    bool ended;                     /* nothing comes after it */
    struct test_console_mark *mark; /* of stdout, in order */
    unsigned marks, marks_room;
    uint64_t (*icount)(void *opaque); /* NULL: no marks are kept */
    /* What was written is told; may be NULL. */
    void (*heard)(void *opaque, const void *text, size_t len);
    void *opaque;
};

void test_console_init(struct test_console *c);
void test_console_free(struct test_console *c);
/* When the byte at `offset` of stdout was written; 0: not known. */
uint64_t test_console_when(const struct test_console *c, size_t offset);
/* Whether somebody who reads would find something, or the end. */
bool test_console_has_input(const struct test_console *c);

#endif
