/* SPDX-License-Identifier: MIT */
/* What the files of the reader share. */
#ifndef DENALI_TEST_TOML_PRIVATE_H
#define DENALI_TEST_TOML_PRIVATE_H

#include "emu/test/toml.h"

#define TOML_DEPTH 32u

struct toml_reader {
    const char *name, *at, *end, *line_start;
    int line;
    bool json;
    unsigned depth;
    struct why *why;
};

/* At the reader's place, or at an older one. */
int toml_fail(struct toml_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
int toml_fail_at(struct toml_reader *r, int line, int column, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* The next character, or 0 at the end. */
char toml_peek(const struct toml_reader *r);
void toml_blanks(struct toml_reader *r);  /* blanks of this line */
int toml_spaces(struct toml_reader *r);   /* blanks, comments and ends of lines */
int toml_line_end(struct toml_reader *r); /* nothing but a comment may follow here */
void toml_newline(struct toml_reader *r); /* behind a '\n' */
bool toml_begins(const struct toml_reader *r, const char *word);

struct toml *toml_new(const struct toml_reader *r, enum toml_kind kind); /* NULL: no memory */
void toml_append(struct toml *in, struct toml *value);

/* toml_string.c: a quoted string, or a bare key; from malloc. */
int toml_string(struct toml_reader *r, char **text, size_t *len);
int toml_key(struct toml_reader *r, char **key);
/* toml_value.c */
int toml_value(struct toml_reader *r, struct toml **out);

#endif
