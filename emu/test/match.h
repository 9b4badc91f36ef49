/* SPDX-License-Identifier: MIT */
/* Texts against what was expected of them. */
#ifndef DENALI_TEST_MATCH_H
#define DENALI_TEST_MATCH_H

#include "emu/test/outcome.h"

/* Each expectation that does not hold is told to the outcome; `name` begins the line: "stdout". */
void match_text(const char *name, const struct spec_text *want, const void *actual, size_t len,
                struct outcome *outcome);
/* Whether `regex` is found in it. */
bool match_regex(const char *regex, const char *text, size_t len);
/* The same; *end: behind what matched. */
bool match_regex_end(const char *regex, const char *text, size_t len, size_t *end);
/* Where `part` begins in it; NULL: nowhere. */
const char *match_find(const char *text, size_t len, const struct spec_bytes *part);
/* What has to be changed, line by line: "-" expected, "+" actual; at most `lines` of them. */
void match_diff(const char *want, size_t want_len, const char *actual, size_t len, unsigned lines,
                struct buffer *out);
/* A part of a text for a message, in quotes, what does not print as \n, \x1b and the like. */
void match_quote(const char *text, size_t len, size_t most, struct buffer *out);

#endif
