/* SPDX-License-Identifier: MIT */
/*
 * TOML (1.0, without dates) as a tree in which every value knows its line and column, so that
 * whoever reads a specification can say where it is wrong. A text that begins with '{' is read as
 * JSON into the same tree.
 *
 * Files come from strangers: depth and size are bounded, and every error is told with its place.
 */
#ifndef DENALI_TEST_TOML_H
#define DENALI_TEST_TOML_H

#include "emu/base/base.h"
#include "emu/base/why.h"

enum toml_kind { TOML_TABLE, TOML_ARRAY, TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOL };

struct toml {
    enum toml_kind kind;
    int line, column;
    char *key;                        /* in a table; NULL in an array */
    struct toml *first, *last, *next; /* TABLE, ARRAY: in the order of the file */
    char *text;                       /* STRING: ends with a 0 that is not counted in len */
    size_t len;
    int64_t integer;
    double number; /* FLOAT; of an INTEGER, too */
    bool yes;
    bool header, sealed; /* the reader's: a [table] of its own; cannot be added to */
};

/* `name` is for messages: "NAME:LINE:COLUMN: what". -EINVAL and `why`; -ENOMEM. */
MUST_CHECK int toml_read(const char *name, const char *text, size_t len, struct toml **out,
                         struct why *why);
void toml_free(struct toml *value); /* NULL is harmless */

struct toml *toml_get(const struct toml *table, const char *key); /* NULL: it has none */
/* "a table", "a string", ... */
const char *toml_kind_name(enum toml_kind kind);
/* A copy of `base` with all that `over` has; tables in both become one. NULL: no memory. */
struct toml *toml_merge(const struct toml *base, const struct toml *over, const char *without);

#endif
