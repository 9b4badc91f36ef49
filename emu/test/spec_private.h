/* SPDX-License-Identifier: MIT */
/* What the files that read specifications share: keys as rows, and what a value may be. */
#ifndef DENALI_TEST_SPEC_PRIVATE_H
#define DENALI_TEST_SPEC_PRIVATE_H

#include "emu/test/spec.h"

struct spec_reader {
    const char *file, *label;
    const struct spec_config *config;
    struct spec *spec;
    struct why *why;
};

/* Reads `value` into `to`: a member of the object that the table describes. */
typedef int (*spec_key_fn)(struct spec_reader *r, const struct toml *value, void *to);
struct spec_key {
    const char *name;
    spec_key_fn read;
    size_t offset;
};
struct spec_keys {
    const char *what; /* for messages: "a step of input" */
    const struct spec_key *key;
    unsigned count;
};

/* "FILE:LINE:COLUMN: what", of a value. Always -EINVAL. */
int spec_fail(struct spec_reader *r, const struct toml *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
int spec_no_memory(struct spec_reader *r);

/* All members of a table. An unknown key is an error that names the nearest known one. */
int spec_read_table(struct spec_reader *r, const struct toml *table, const struct spec_keys *keys,
                    void *object);
/* An array of tables (or one table) as an array of objects of `size` bytes, from the arena. */
int spec_read_tables(struct spec_reader *r, const struct toml *array, const struct spec_keys *keys,
                     size_t size, void **out, unsigned *count);
int spec_want(struct spec_reader *r, const struct toml *value, enum toml_kind kind);

/* Kinds of values. */
int spec_key_text(struct spec_reader *r, const struct toml *v, void *to);  /* const char * */
int spec_key_bytes(struct spec_reader *r, const struct toml *v, void *to); /* struct spec_bytes */
int spec_key_hex(struct spec_reader *r, const struct toml *v, void *to);   /* struct spec_bytes */
int spec_key_list(struct spec_reader *r, const struct toml *v, void *to);  /* string or array */
int spec_key_yes(struct spec_reader *r, const struct toml *v, void *to);   /* bool */
int spec_key_count(struct spec_reader *r, const struct toml *v, void *to); /* uint64_t */
int spec_key_size(struct spec_reader *r, const struct toml *v, void *to);  /* bytes: 4096, "64M" */
int spec_key_time(struct spec_reader *r, const struct toml *v, void *to);  /* ns: 2.5, "10ms" */
int spec_key_path(struct spec_reader *r, const struct toml *v, void *to);  /* from the folder */
int spec_key_regex(struct spec_reader *r, const struct toml *v,
                   void *to); /* a list, compiled once */
int spec_key_note(struct spec_reader *r, const struct toml *v, void *to); /* text, not used */
int spec_key_ipv4(struct spec_reader *r, const struct toml *v, void *to); /* uint32_t */

/* Of "name", ${NAME}s put in; NULL after a failure. */
const char *spec_expand(struct spec_reader *r, const struct toml *at, const char *text);

/* spec_keys.c, spec_expect.c, spec_peer.c, spec_pc.c */
extern const struct spec_keys spec_test_keys, spec_expect_keys, spec_pc_keys;
int spec_key_expect(struct spec_reader *r, const struct toml *v, void *to);
int spec_key_pc(struct spec_reader *r, const struct toml *v, void *to);
int spec_key_steps(struct spec_reader *r, const struct toml *v, void *to);
int spec_key_peers(struct spec_reader *r, const struct toml *v, void *to);
int spec_key_match(struct spec_reader *r, const struct toml *v, void *to); /* struct spec_text */
/* spec_check_test.c: what cannot be had together, and defaults. */
int spec_check_test(struct spec_reader *r, const struct toml *test);

#endif
