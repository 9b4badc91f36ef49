/* SPDX-License-Identifier: MIT */
/*
 * Bytes that grow. What cannot be had of memory is left out, and `failed` says so, so that only who
 * uses the whole need ask. `data` ends with a 0 that is not counted; it is NULL while empty.
 */
#ifndef DENALI_TEST_BUFFER_H
#define DENALI_TEST_BUFFER_H

#include "emu/base/base.h"

#include <stdio.h>

struct buffer {
    char *data;
    size_t len, room;
    bool failed;
};

void buffer_add(struct buffer *b, const void *data, size_t len);
void buffer_text(struct buffer *b, const char *text);
void buffer_print(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What a function that prints into a FILE has to say. */
FILE *buffer_open(struct buffer *b);
void buffer_close(struct buffer *b, FILE *file);
/* Never NULL. */
const char *buffer_string(const struct buffer *b);
void buffer_clear(struct buffer *b);
void buffer_free(struct buffer *b);

/* Between processes of this program: numbers and bytes, one behind the other. */
void buffer_put_number(struct buffer *b, uint64_t n);
void buffer_put_bytes(struct buffer *b, const void *data, size_t len);

struct buffer_reader {
    const char *at, *end;
    bool bad; /* there was less than was asked for */
};
uint64_t buffer_get_number(struct buffer_reader *r);
/* Into an empty buffer. */
void buffer_get_bytes(struct buffer_reader *r, struct buffer *out);

#endif
